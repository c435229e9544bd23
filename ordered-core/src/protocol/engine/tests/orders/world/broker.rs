//! What the broker does with the messages.

use super::{At, Broker, Message, World, key};
use crate::event::Envelope;
use crate::protocol::Stamp;
use crate::protocol::engine::{Event, EventOutcome};
use crate::transport::Token;

impl World {
    pub(super) fn deliver(&mut self) {
        let (message, worker) = match self.broker {
            Broker::Anyhow => {
                let queued = |at: &usize| self.messages[*at].at == At::Queue;
                let ready: Vec<usize> = (0..self.messages.len()).filter(queued).collect();
                if ready.is_empty() {
                    return;
                }
                let worker = self.random.usize(0..self.workers.len());
                (ready[self.random.usize(0..ready.len())], worker)
            }
            _ => {
                let next = (self.handed..self.messages.len()).find(|at| {
                    self.broker == Broker::Partition || self.messages[*at].at == At::Queue
                });
                let number = self.consumer;
                let worker = self.workers.iter().position(|w| w.number == number);
                let (Some(next), Some(worker)) = (next, worker) else {
                    return;
                };
                self.handed = next + 1;
                (next, worker)
            }
        };
        self.tokens += 1;
        let token = Token(self.tokens);
        let number = self.workers[worker].number;
        self.in_flight.insert(token, (message, number));
        let sent = &mut self.messages[message];
        let was_gone = sent.at == At::Gone;
        sent.at = if was_gone { At::Gone } else { At::With(number) };
        let (seq, id, again) = (sent.seq, sent.id.clone(), sent.redelivered);
        sent.redelivered = true;
        self.tell(|| format!("w{number} gets {id}"));
        let stamp = self.stamps.get(id.as_str()).cloned();
        let mut event = Event::delivered(seq, id, Envelope::new("x"), (), token).stamped(stamp);
        event.redelivered = again && self.random.bool();
        self.workers[worker].engine.deliver(&key(), event);
        self.effects(worker);
    }

    pub(super) fn settle(&mut self, token: Token, outcome: &EventOutcome) {
        // The connection over which it came may be gone.
        let Some((message, _)) = self.in_flight.remove(&token) else {
            return;
        };
        let right = match outcome {
            EventOutcome::Stale
            | EventOutcome::Rewound
            | EventOutcome::Late
            | EventOutcome::Deferred(_) => false,
            EventOutcome::Conflict(_) => self.rules.policy.order.has_versions(),
            EventOutcome::Superseded => self.rules.policy.order.has_versions(),
            _ => true,
        };
        assert!(right, "{:?} is {outcome:?}", self.messages[message]);
        self.messages[message].at = At::Gone;
        if *outcome == EventOutcome::Superseded {
            self.superseded += 1;
        }
    }

    pub(super) fn send_again(&mut self, is_asked: impl Fn(&Stamp) -> bool) {
        for message in &mut self.messages {
            let stamp = self.stamps.get(message.id.as_str());
            if message.at == At::Lost && stamp.is_some_and(&is_asked) {
                message.at = At::Queue;
                self.repaired += 1;
            }
        }
    }

    /// Another worker is the consumer now. The old one still has what it was handed, and cannot settle it any more.
    pub(super) fn move_consumer(&mut self) {
        let old = self.consumer;
        self.disconnect(old);
        let place = self.random.usize(0..self.workers.len());
        self.consumer = self.workers[place].number;
        let (old, new) = (old, self.consumer);
        self.tell(|| format!("w{new} consumes after w{old}"));
    }

    pub(super) fn disconnect(&mut self, number: usize) {
        let messages = &mut self.messages;
        self.in_flight.retain(|_, (message, with)| {
            if *with == number && messages[*message].at == At::With(number) {
                messages[*message].at = At::Queue;
            }
            *with != number
        });
        let first = |message: &Message| message.at != At::Gone;
        let first = self.messages.iter().position(first);
        self.handed = first.unwrap_or(self.messages.len());
    }
}
