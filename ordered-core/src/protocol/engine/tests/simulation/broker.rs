//! A broker in memory that delivers in any order, and more than once.

use std::collections::HashMap;

use super::scenario::What;
use crate::event::Key;
use crate::transport::Token;

/// Where a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum At {
    /// It waits in the queue, until then.
    Ready { from: u64 },
    /// With the worker of this number.
    With(usize),
    /// It was acknowledged, or dead-lettered.
    Gone,
}

/// A message.
#[derive(Debug, Clone)]
pub(super) struct Message {
    pub(super) key: Key,
    pub(super) what: What,
    pub(super) at: At,
    pub(super) redelivered: bool,
}

/// All messages.
#[derive(Debug, Default)]
pub(super) struct Broker {
    pub(super) messages: Vec<Message>,
    in_flight: HashMap<Token, usize>,
    tokens: u64,
}

impl Broker {
    pub(super) fn publish(&mut self, key: Key, what: What) {
        self.messages.push(Message {
            key,
            what,
            at: At::Ready { from: 0 },
            redelivered: false,
        });
    }

    /// The messages that can be delivered now.
    pub(super) fn ready(&self, now: u64) -> Vec<usize> {
        let is_ready =
            |place: &usize| matches!(self.messages[*place].at, At::Ready { from } if from <= now);
        (0..self.messages.len()).filter(is_ready).collect()
    }

    pub(super) fn deliver(&mut self, place: usize, worker: usize) -> (Token, Message) {
        self.tokens += 1;
        let token = Token(self.tokens);
        self.in_flight.insert(token, place);
        self.messages[place].at = At::With(worker);
        (token, self.messages[place].clone())
    }

    /// The message of a delivery that is settled: each is settled once.
    pub(super) fn settle(&mut self, token: Token, worker: usize) -> usize {
        let place = self.in_flight.remove(&token);
        let place = place.unwrap_or_else(|| panic!("{token:?} is settled twice"));
        assert_eq!(self.messages[place].at, At::With(worker), "{token:?}");
        place
    }

    /// The connection of a worker is gone: what it had comes again.
    pub(super) fn disconnect(&mut self, worker: usize) {
        let messages = &mut self.messages;
        self.in_flight.retain(|_, place| {
            let message = &mut messages[*place];
            let stays = message.at != At::With(worker);
            if !stays {
                message.at = At::Ready { from: 0 };
                message.redelivered = true;
            }
            stays
        });
    }

    pub(super) fn unsettled(&self, worker: usize) -> usize {
        let with = |message: &&Message| message.at == At::With(worker);
        self.messages.iter().filter(with).count()
    }
}
