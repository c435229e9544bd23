use crate::event::{Envelope, EventId, Key, Seq};
use crate::handler::{AnyEvent, Decoded, Malformed};
use crate::protocol::{Event, Millis, Next};
use crate::transport::Token;
use crate::worker::Place;

/// An event that the worker has in memory.
pub(in crate::worker) struct Item {
    pub(super) key: Key,
    pub(super) event: Event,
    pub(super) envelope: Envelope,
    /// As the handler reads it; taken by the first run, and read again for the others.
    pub(super) read: Option<Result<AnyEvent, Malformed>>,
    /// The deliveries to settle when the event is: none where it came from the store, several where the broker
    /// delivered it more than once meanwhile.
    pub(super) tokens: Tokens,
    pub(super) attempt: u32,
    /// Its id was committed under another seq: it is committed without the handler.
    pub(super) repeat: bool,
    pub(super) received_at: Millis,
    /// Since when the store has it, for what came from there.
    pub(super) held_since: Option<Millis>,
}

#[derive(Debug, Default)]
pub(super) struct Tokens {
    first: Option<Token>,
    others: Vec<Token>,
}

impl Tokens {
    pub(super) fn one(token: Token) -> Self {
        Self {
            first: Some(token),
            others: Vec::new(),
        }
    }

    pub(super) fn absorb(&mut self, more: Self) {
        if self.first.is_none() {
            *self = more;
        } else {
            self.others.extend(more.iter());
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Token> + '_ {
        self.first.into_iter().chain(self.others.iter().copied())
    }

    pub(super) fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.others.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.first.is_none()
    }
}

impl Item {
    pub(super) fn delivered(
        decoded: Decoded<AnyEvent>,
        envelope: Envelope,
        epoch: Option<u64>,
        token: Token,
        received_at: Millis,
    ) -> Self {
        let Decoded {
            key,
            seq,
            id,
            event,
        } = decoded;
        Self {
            key,
            event: Event { seq, id, epoch },
            envelope,
            read: Some(Ok(event)),
            tokens: Tokens::one(token),
            attempt: 1,
            repeat: false,
            received_at,
            held_since: None,
        }
    }

    pub(super) fn from_store(
        key: &Key,
        next: Next,
        read: Option<Result<AnyEvent, Malformed>>,
        received_at: Millis,
    ) -> Self {
        let Next {
            seq,
            id,
            envelope,
            since,
            repeat,
        } = next;
        Self {
            key: key.clone(),
            event: Event {
                seq,
                id,
                epoch: None,
            },
            read,
            envelope,
            tokens: Tokens::default(),
            attempt: 1,
            repeat,
            received_at,
            held_since: Some(since),
        }
    }

    pub(super) fn seq(&self) -> Seq {
        self.event.seq
    }

    pub(super) fn id(&self) -> &EventId {
        &self.event.id
    }

    pub(super) fn place(&self) -> Place<'_> {
        Place {
            key: &self.key,
            seq: self.event.seq,
            id: &self.event.id,
        }
    }
}
