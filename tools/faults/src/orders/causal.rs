//! Three producers of each key, with vector clocks. The rule: none runs before one that its producer knew; those that
//! know nothing of each other run in any order.

use std::collections::HashMap;

use ordered_events::core::logical::VectorClock;
use ordered_events::{Context, HandlerError, State, ordered_handler};
use serde::Deserialize;

use crate::journal::Journal;
use crate::order::{Disorder, OrderEvent, Stamp, all};
use crate::worker::{HandlerFaults, run_handler};

const PRODUCERS: [&str; 3] = ["ada", "bob", "eve"];

/// The producers of one key.
#[derive(Default)]
struct Producers {
    clocks: [VectorClock; PRODUCERS.len()],
    /// The seqs of what each has sent.
    sent: [Vec<u64>; PRODUCERS.len()],
}

impl Producers {
    /// One of them sends an event. Half of the time it has read what another one knows.
    fn send(&mut self, event: &mut OrderEvent, random: &mut fastrand::Rng) {
        let few = "three producers are few";
        let own = random.usize(..PRODUCERS.len());
        if random.bool() {
            let read = self.clocks[random.usize(..PRODUCERS.len())].clone();
            self.clocks[own].merge(&read).expect(few);
        }
        let before = self.clocks[own].clone();
        let vector = self.clocks[own].send(PRODUCERS[own]).expect(few);
        let last_of = |(name, sent): (&&str, &Vec<u64>)| {
            let known = usize::try_from(before.of(name)).ok()?;
            sent.get(known.checked_sub(1)?).copied()
        };
        event.follows = PRODUCERS
            .iter()
            .zip(&self.sent)
            .filter_map(last_of)
            .collect();
        self.sent[own].push(event.seq);
        event.stamp = Some(Stamp::Vector {
            producer: PRODUCERS[own].to_owned(),
            vector,
        });
    }
}

/// The seq is the place in which an event was sent, and the worker does not look at it.
pub(super) fn events(amount: (usize, usize), random: &mut fastrand::Rng) -> Vec<OrderEvent> {
    let mut keys: HashMap<String, Producers> = HashMap::new();
    all(amount, Disorder::CARELESS, random, |event, random| {
        let producers = keys.entry(event.order_id.clone()).or_default();
        producers.send(event, random);
    })
}

/// An [`OrderEvent`], of which the attribute names the fields.
#[derive(Deserialize)]
pub(super) struct CausalEvent {
    order_id: String,
    seq: u64,
    event_id: String,
    producer: String,
    vector: VectorClock,
}

#[ordered_handler(
    key = "order_id",
    order = "causal",
    producer = "producer",
    clock = "vector",
    group = "faults"
)]
pub(super) async fn apply(
    event: CausalEvent,
    State(handler_faults): State<HandlerFaults>,
    State(journal): State<Journal>,
    context: Context,
) -> Result<(), HandlerError> {
    let CausalEvent {
        order_id,
        seq,
        event_id,
        producer,
        vector,
    } = event;
    let event = OrderEvent {
        order_id,
        seq,
        event_id,
        stamp: Some(Stamp::Vector { producer, vector }),
        follows: Vec::new(),
        said: Vec::new(),
    };
    run_handler(&[event], handler_faults, journal, &context).await
}
