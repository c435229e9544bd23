//! Between the small numbers of the model and the types that ship.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use ordered_core::event::{Envelope, EventId, Key};
use ordered_core::internal::engine::Event;
use ordered_core::logical::VectorClock;
use ordered_core::protocol::{Stamp, WorkerId};
use ordered_core::transport::Token;

use crate::bounds::{Bounds, Published, Said};

/// A message, as its place in `Bounds::events` and `Bounds::said`.
pub(crate) type Which = u8;

/// The place of a worker among the workers.
pub(crate) type Slot = u8;

/// The place of a key among the keys.
pub(crate) type KeyNumber = usize;

/// The names of producers, in their order.
pub(crate) const PRODUCERS: [&str; 3] = ["x", "y", "z"];

/// A token says which message it is, and over which of two connections it came.
const CONNECTION: u64 = 64;

impl Bounds {
    pub(crate) fn published_as(&self, which: Which) -> Published {
        self.events[usize::from(which)]
    }

    pub(crate) fn seq(&self, which: Which) -> u64 {
        u64::from(self.published_as(which).seq)
    }

    pub(crate) fn key_of(&self, which: Which) -> KeyNumber {
        let event = self.events.get(usize::from(which));
        event.map_or(0, |event| usize::from(event.key))
    }

    pub(crate) fn keys(&self) -> usize {
        let last = self.published().map(|which| self.key_of(which)).max();
        last.unwrap_or(0) + 1
    }

    /// The event as it is delivered.
    pub(crate) fn event(&self, which: Which, connection: u8) -> Event<()> {
        static BODY: OnceLock<Envelope> = OnceLock::new();
        let envelope = BODY.get_or_init(|| Envelope::new("x")).clone();
        let token = token(which, connection);
        let mut event = Event::delivered(self.seq(which), self.id(which), envelope, (), token)
            .stamped(self.stamp(which));
        event.epoch = self.published_as(which).epoch.map(u64::from);
        event
    }

    /// Who sent it and what that one knew, where the order comes from that.
    fn stamp(&self, which: Which) -> Option<Stamp> {
        let names = PRODUCERS;
        if let Some((producer, seq, time)) = self.published_as(which).timed {
            let stamp = Stamp::lamport(names[producer], u64::from(seq), u64::from(time));
            return Some(stamp.expect("it is one"));
        }
        let (producer, counts) = self.published_as(which).from?;
        let counts = names.iter().zip(counts);
        let counts = counts.map(|(name, count)| ((*name).to_owned(), u64::from(*count)));
        let counts: BTreeMap<String, u64> = counts.collect();
        let clock = VectorClock::try_from(counts).expect("the model has few producers");
        Some(Stamp::causal(names[producer], clock).expect("it counts itself"))
    }

    /// Whether one event has an earlier time than the other.
    pub(crate) fn is_earlier(&self, one: Which, other: Which) -> bool {
        let (one, other) = (self.published_as(one), self.published_as(other));
        let at = |event: Published| event.timed.map(|(producer, _, time)| (time, producer));
        one.key == other.key && at(one) < at(other)
    }

    /// Whether the producer of one event knew the other when it sent that one.
    pub(crate) fn is_cause(&self, cause: Which, effect: Which) -> bool {
        let (cause, effect) = (self.published_as(cause), self.published_as(effect));
        match (cause.from, effect.from) {
            (Some((producer, counts)), Some((_, known))) => {
                let known = known.get(producer).copied().unwrap_or(0);
                cause.key == effect.key && known >= counts[producer] && cause.id != effect.id
            }
            _ => false,
        }
    }

    /// The events of the key with this seq and id.
    pub(crate) fn find(
        &self,
        key: KeyNumber,
        seq: u64,
        id: &EventId,
    ) -> impl Iterator<Item = Which> {
        self.published().filter(move |which| {
            let is_at = self.seq(*which) == seq || self.sequencing.numbers_itself();
            self.key_of(*which) == key && is_at && self.id(*which) == *id
        })
    }

    pub(crate) fn id(&self, which: Which) -> EventId {
        id(self.published_as(which).id)
    }

    pub(crate) fn same_id(&self, one: Which, other: Which) -> bool {
        let (one, other) = (self.published_as(one), self.published_as(other));
        one.key == other.key && one.id == other.id
    }

    /// Every event.
    pub(crate) fn published(&self) -> std::ops::Range<Which> {
        0..Which::try_from(self.events.len()).expect("the model has few events")
    }

    /// Every message of the broker: the events, and what is said besides.
    pub(crate) fn messages(&self) -> std::ops::Range<Which> {
        let count = self.events.len() + self.said.len();
        0..Which::try_from(count).expect("the model has few messages")
    }

    /// What the message says, if it is no event.
    pub(crate) fn said(&self, which: Which) -> Option<Said> {
        let place = usize::from(which).checked_sub(self.events.len())?;
        self.said.get(place).copied()
    }
}

fn id(letter: char) -> EventId {
    static IDS: OnceLock<Vec<EventId>> = OnceLock::new();
    let ids = IDS.get_or_init(|| {
        let id = |letter: char| EventId::new(letter.to_string()).expect("a letter is an id");
        ('a'..='z').map(id).collect()
    });
    ids[letter as usize - 'a' as usize].clone()
}

pub(crate) fn token(which: Which, connection: u8) -> Token {
    Token(u64::from(which) + CONNECTION * u64::from(connection))
}

/// Which message it is, and over which connection it came.
pub(crate) fn of_token(token: Token) -> (Which, u8) {
    let number = |number: u64| u8::try_from(number).expect("the model has few messages");
    (number(token.0 % CONNECTION), number(token.0 / CONNECTION))
}

fn keys() -> &'static [Key] {
    static KEYS: OnceLock<Vec<Key>> = OnceLock::new();
    KEYS.get_or_init(|| {
        let key = |name: &str| Key::new(name).expect("a letter is a key");
        ["p", "q", "r"].map(key).to_vec()
    })
}

pub(crate) fn key(number: KeyNumber) -> Key {
    keys()[number].clone()
}

pub(crate) fn number(key: &Key) -> KeyNumber {
    let place = keys().iter().position(|other| other == key);
    place.expect("the model has no other keys")
}

/// The name of every worker: nobody looks at it.
pub(crate) fn worker() -> WorkerId {
    static NAME: OnceLock<WorkerId> = OnceLock::new();
    NAME.get_or_init(|| WorkerId::new("worker")).clone()
}

/// The name of every operator.
pub(crate) fn operator() -> WorkerId {
    static NAME: OnceLock<WorkerId> = OnceLock::new();
    NAME.get_or_init(|| WorkerId::operator("operator", 0))
        .clone()
}
