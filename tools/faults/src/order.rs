//! The events, and the order in which a careless broker is given them.

use ordered_events::core::logical::VectorClock;
use ordered_events::core::transport::shuffle_within;
use ordered_events::core::worker::Control;
use ordered_events::{Envelope, Key};
use ordered_testkit::history::Event;
use serde::{Deserialize, Serialize};

/// An event on the wire.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct OrderEvent {
    pub(crate) order_id: String,
    pub(crate) seq: u64,
    /// It begins with the seq: see [`seq_of`].
    pub(crate) event_id: String,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub(crate) stamp: Option<Stamp>,
    /// The seqs of the events of its key that it follows directly, where there are several producers.
    #[serde(skip)]
    pub(crate) follows: Vec<u64>,
    /// What producers say of the key when it is sent.
    #[serde(skip)]
    pub(crate) said: Vec<Control>,
}

/// Who sent an event.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Stamp {
    /// And what that one knew.
    Vector {
        producer: String,
        vector: VectorClock,
    },
    /// And as which of its events of the key, at which time of its clock.
    Time {
        producer: String,
        number: u64,
        time: u64,
    },
}

impl From<&OrderEvent> for Event {
    fn from(event: &OrderEvent) -> Self {
        Self {
            key: event.order_id.clone(),
            seq: event.seq,
            id: event.event_id.clone(),
        }
    }
}

impl OrderEvent {
    /// What is published: the event, and what is said with it.
    pub(crate) fn envelopes(&self) -> impl Iterator<Item = Envelope> {
        let body = serde_json::to_vec(self).expect("it is made of text and numbers");
        let said = self.said.iter();
        let said = said.map(|said| control(&self.order_id, said));
        std::iter::once(Envelope::new(body)).chain(said)
    }

    pub(crate) fn read(envelope: &Envelope) -> Option<Self> {
        serde_json::from_slice(&envelope.body).ok()
    }
}

/// The message that says this of a key.
pub(crate) fn control(key: &str, said: &Control) -> Envelope {
    said.envelope(&Key::new(key).expect("the names of keys are short"))
}

/// The seq of the event with this id. Where the worker numbers the events, it has another number for it.
pub(crate) fn seq_of(id: &str) -> u64 {
    let seq = id.split('-').next().and_then(|seq| seq.parse().ok());
    seq.unwrap_or(0)
}

/// What happens to events on their way to the broker, besides that some come twice.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Disorder {
    /// How far an event is moved from its place, at the most.
    pub(crate) shuffle: usize,
    /// For some seqs a second event claims the place.
    pub(crate) impostors: bool,
}

impl Disorder {
    pub(crate) const CARELESS: Self = Self {
        shuffle: 500,
        impostors: true,
    };
}

/// One event in so many comes again near its place, and one far behind it.
const DUPLICATES: usize = 10;
const LATE_DUPLICATES: usize = 50;
const LATE: usize = 5_000;
/// For one place in so many a second event claims it, which has to be dead-lettered.
const IMPOSTORS: usize = 2_000;

/// So many events of so many keys, each key in turn. `finish` gets them in the order in which their producers send
/// them.
pub(crate) fn all(
    (events, keys): (usize, usize),
    disorder: Disorder,
    random: &mut fastrand::Rng,
    mut finish: impl FnMut(&mut OrderEvent, &mut fastrand::Rng),
) -> Vec<OrderEvent> {
    let mut placed = Vec::with_capacity(events + events / 8);
    for place in 0..events {
        let mut event = OrderEvent {
            order_id: format!("order-{}", place % keys),
            seq: (place / keys + 1) as u64,
            event_id: String::new(),
            stamp: None,
            follows: Vec::new(),
            said: Vec::new(),
        };
        finish(&mut event, random);
        event.event_id = format!("{}-{:016x}", event.seq, random.u64(..));
        if random.usize(0..DUPLICATES) == 0 {
            placed.push((place, event.clone()));
        }
        if random.usize(0..LATE_DUPLICATES) == 0 {
            placed.push((place + random.usize(..LATE), event.clone()));
        }
        if disorder.impostors && random.usize(0..IMPOSTORS) == 0 {
            let event_id = format!("{}-impostor-{:016x}", event.seq, random.u64(..));
            let event = event.clone();
            placed.push((place, OrderEvent { event_id, ..event }));
        }
        placed.push((place, event));
    }
    placed.sort_by_key(|(place, _)| *place);
    let mut all = placed.into_iter().map(|(_, event)| event).collect();
    shuffle_within(&mut all, disorder.shuffle, random);
    all
}
