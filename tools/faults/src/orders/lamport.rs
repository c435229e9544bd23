//! Three producers of each key, with Lamport clocks. The rule: all events of a key run in the order of their times, and
//! of their producers' names where these are the same. The seq of an event is its place in that order, and the worker
//! does not look at it.
//!
//! Producers show their clocks before anything is sent, so that none is unknown, now and then between their events, and
//! behind their last ones. So no event may be late.

use std::collections::{BTreeMap, HashMap, VecDeque};

use ordered_events::core::worker::Control;
use ordered_events::logical::{LamportClock, LamportProducer};
use ordered_events::{Context, HandlerError, Seq, State, ordered_handler};
use serde::Deserialize;

use crate::journal::Journal;
use crate::order::{Disorder, OrderEvent, Stamp, all};
use crate::worker::{HandlerFaults, run_handler};

pub(super) const PRODUCERS: [&str; 3] = ["ada", "bob", "eve"];

/// In one of so many cases another producer shows its clock behind an event.
const SHOWS: u32 = 4;

/// An event as it is sent, and which clock is shown with it.
struct Sent {
    /// Its place in the order of its key.
    place: u64,
    producer: usize,
    /// As which of its producer's events of the key.
    number: u64,
    time: u64,
    shown: Option<Control>,
}

impl Sent {
    fn at(&self) -> (u64, usize) {
        (self.time, self.producer)
    }
}

/// So many events of one key, in the order in which they are sent. Half of the time their producer has received what
/// another one sent.
fn sent(events: usize, random: &mut fastrand::Rng) -> VecDeque<Sent> {
    let mut clocks = [LamportClock::default(); PRODUCERS.len()];
    let mut numbers = [0; PRODUCERS.len()];
    let mut all = VecDeque::with_capacity(events);
    for _ in 0..events {
        let (producer, other) = (random.usize(..clocks.len()), random.usize(..clocks.len()));
        if random.bool() {
            let received = clocks[other].time();
            clocks[producer].receive(received);
        }
        numbers[producer] += 1;
        let time = clocks[producer].send();
        let shown = (random.u32(..SHOWS) == 0).then(|| {
            clocks[other].receive(time);
            Control::Clock {
                producer: PRODUCERS[other].to_owned(),
                after: numbers[other],
                time: clocks[other].time(),
            }
        });
        all.push_back(Sent {
            place: 0,
            producer,
            number: numbers[producer],
            time,
            shown,
        });
    }
    let mut order: Vec<&mut Sent> = all.iter_mut().collect();
    order.sort_by_key(|sent| sent.at());
    for (place, sent) in (1..).zip(order) {
        sent.place = place;
    }
    all
}

pub(super) fn events(amount: (usize, usize), random: &mut fastrand::Rng) -> Vec<OrderEvent> {
    let (events, keys) = amount;
    let of_key = |key: usize| (events + keys - 1 - key) / keys;
    let mut planned: Vec<VecDeque<Sent>> = (0..keys).map(|key| sent(of_key(key), random)).collect();
    let mut key_of: HashMap<String, usize> = HashMap::new();
    all(amount, Disorder::CARELESS, random, |event, _| {
        let next = key_of.len();
        let key = *key_of.entry(event.order_id.clone()).or_insert(next);
        let Some(sent) = planned[key].pop_front() else {
            return;
        };
        event.seq = sent.place;
        event.said.extend(sent.shown);
        event.stamp = Some(Stamp::Time {
            producer: PRODUCERS[sent.producer].to_owned(),
            number: sent.number,
            time: sent.time,
        });
    })
}

/// How many events each producer sends of each key.
fn numbers(events: &[OrderEvent]) -> BTreeMap<(&str, &str), u64> {
    let mut last = BTreeMap::new();
    for event in events {
        for producer in PRODUCERS {
            last.entry((&*event.order_id, producer)).or_insert(0);
        }
        if let Some(Stamp::Time {
            producer, number, ..
        }) = &event.stamp
        {
            let last = last.entry((&*event.order_id, producer)).or_insert(0);
            *last = (*last).max(*number);
        }
    }
    last
}

/// What the producers of all keys say before their first events: where their clocks are.
pub(super) fn joins(events: &[OrderEvent]) -> Vec<(String, Control)> {
    let keys = numbers(events).into_keys();
    keys.map(|(key, producer)| {
        let clock = Control::clock(producer, LamportProducer::default());
        (key.to_owned(), clock)
    })
    .collect()
}

/// What they say behind their last ones: that they leave. No clock is later, and brings them back.
pub(super) fn ends(events: &[OrderEvent]) -> Vec<(String, Control)> {
    let last = numbers(events).into_iter();
    last.map(|((key, producer), after)| {
        let clock = LamportProducer::at(after, Seq::MAX.get());
        (key.to_owned(), Control::leave(producer, clock))
    })
    .collect()
}

/// An [`OrderEvent`], of which the attribute names the fields.
#[derive(Deserialize)]
pub(super) struct TimedEvent {
    order_id: String,
    seq: u64,
    event_id: String,
    producer: String,
    number: u64,
    time: u64,
}

/// No producer is given up: then its next event could be late, and nobody would be to blame.
#[ordered_handler(
    key = "order_id",
    order = "lamport",
    producer = "producer",
    seq = "number",
    time = "time",
    producer_lease = "1h",
    group = "faults"
)]
pub(super) async fn apply(
    event: TimedEvent,
    State(handler_faults): State<HandlerFaults>,
    State(journal): State<Journal>,
    context: Context,
) -> Result<(), HandlerError> {
    let TimedEvent {
        order_id,
        seq,
        event_id,
        producer,
        number,
        time,
    } = event;
    let event = OrderEvent {
        order_id,
        seq,
        event_id,
        stamp: Some(Stamp::Time {
            producer,
            number,
            time,
        }),
        follows: Vec::new(),
        said: Vec::new(),
    };
    run_handler(&[event], handler_faults, journal, &context).await
}
