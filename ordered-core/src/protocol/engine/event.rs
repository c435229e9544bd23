use std::sync::Arc;

use crate::event::{Envelope, EventId};
use crate::protocol::Millis;
use crate::protocol::{Arrival, Stamp, Subject};
use crate::transport::{REWOUND, Token};

/// An event that the worker has in memory. `D` is what the worker keeps beside it, such as the event as the handler
/// reads it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Event<D> {
    /// Its seq.
    pub seq: u64,
    /// Its id.
    pub id: EventId,
    /// Which epoch of its key it belongs to, where its producer says so.
    pub epoch: Option<u64>,
    /// What it says of its place, where the order comes from the producers.
    pub stamp: Option<Arc<Stamp>>,
    /// The event itself.
    pub envelope: Envelope,
    /// What the worker keeps beside it.
    pub data: D,
    /// The deliveries to settle when the event is: none where it came from the mailbox, several where the broker
    /// delivered it more than once.
    pub tokens: Tokens,
    /// When the worker got it, by its own clock.
    pub received_at: Millis,
    /// The broker delivered it before: it is put into the mailbox before it runs, so that it does not use up the
    /// broker's delivery limit.
    pub redelivered: bool,
    /// Since when it is in the mailbox, where it is.
    pub held_since: Option<Millis>,
    /// Whether its id is remembered, once that was looked up.
    pub(super) seen: Option<bool>,
    /// It is a dead letter that is run again.
    pub(super) replay: bool,
    /// As which event of its key the worker got it, where it came without a number.
    pub(super) arrived: Option<u64>,
    /// The number of the slot that it lies in, where it is in the mailbox without a number.
    pub(super) posted: Option<u64>,
}

impl<D> Event<D> {
    /// One that the broker delivered.
    pub fn delivered(seq: u64, id: EventId, envelope: Envelope, data: D, token: Token) -> Self {
        Self {
            seq,
            id,
            epoch: None,
            stamp: None,
            envelope,
            data,
            tokens: Tokens::one(token),
            received_at: 0,
            redelivered: false,
            held_since: None,
            seen: None,
            replay: false,
            arrived: None,
            posted: None,
        }
    }

    /// The same event with its stamp.
    #[must_use]
    pub fn stamped(mut self, stamp: Option<Stamp>) -> Self {
        self.stamp = stamp.map(Arc::new);
        self
    }

    /// Whether it is one that the broker delivered, without a number, and that may get one: its id was looked up.
    pub(super) fn may_be_numbered(&self) -> bool {
        Arrival::is_unnumbered(self.seq) && self.posted.is_none() && self.seen.is_some()
    }

    /// Whether the other one has the place that this one has, as their producer says.
    pub(super) fn has_place_of(&self, other: &Self) -> bool {
        match (&self.stamp, &other.stamp) {
            (Some(one), Some(other)) => one.is_place_of(other),
            _ => false,
        }
    }

    /// It came without a number, as this event of its key.
    pub(super) fn arrive(&mut self, place: u64) {
        self.arrived = Some(place);
        self.seq = Arrival::unnumbered(place);
    }

    /// Nothing that the worker knew of its place counts any more: the key may be another worker's.
    pub(super) fn forget_place(&mut self) {
        self.seen = None;
        self.held_since = None;
        self.replay = false;
        if let Some(place) = self.arrived {
            self.seq = Arrival::unnumbered(place);
        }
    }

    /// Whether it is in the mailbox.
    pub(super) fn is_stored(&self) -> bool {
        self.held_since.is_some()
    }

    /// Whether it may run as far as it is concerned itself.
    pub(super) fn is_checked(&self) -> bool {
        let has_number = self.replay || !Arrival::is_unnumbered(self.seq);
        has_number && self.seen.is_some() && (self.is_stored() || !self.redelivered)
    }

    /// Whether the handler is not called for it, because its id was processed under another seq. A replay is handled
    /// although its id may be remembered: that is what a replay is for.
    pub(super) fn is_repeat(&self) -> bool {
        self.seen == Some(true) && !self.replay
    }

    /// Whether it belongs to this epoch, the present one of its key.
    pub(super) fn is_of(&self, epoch: u64) -> bool {
        self.is_stored() || self.epoch.is_none_or(|own| own == epoch)
    }

    /// Whether it was made to come again on purpose.
    pub(super) fn is_rewound(&self) -> bool {
        self.envelope.headers.contains_key(REWOUND)
    }

    pub(super) fn subject(&self) -> Subject<'_> {
        Subject {
            seq: self.seq,
            id: &self.id,
            stored: self.is_stored(),
            replay: self.replay,
        }
    }

    pub(super) fn size(&self) -> usize {
        usize::try_from(self.envelope.size()).unwrap_or(usize::MAX)
    }
}

/// The deliveries of one event.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Tokens {
    first: Option<Token>,
    others: Vec<Token>,
}

impl Tokens {
    /// One delivery.
    #[must_use]
    pub fn one(token: Token) -> Self {
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

    /// All of them, first come first.
    pub fn iter(&self) -> impl Iterator<Item = Token> + '_ {
        self.first.into_iter().chain(self.others.iter().copied())
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.others.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.first.is_none()
    }
}
