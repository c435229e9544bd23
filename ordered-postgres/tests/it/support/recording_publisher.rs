use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use ordered_core::event::Envelope;
use ordered_core::publish::Outgoing;
use ordered_core::transport::{Publish, TransportError};
use ordered_postgres::relay::{HEADER_KEY, HEADER_SEQ};
use ordered_testkit::eventually;
use tokio::sync::Semaphore;

/// A broker that remembers what it confirmed, and fails when it is told to.
#[derive(Default)]
pub(crate) struct RecordingPublisher {
    taken: Mutex<Vec<Envelope>>,
    calls: Mutex<Vec<usize>>,
    failing: Mutex<Option<Failing>>,
    gate: Mutex<Option<Arc<Semaphore>>>,
}

/// Whether an event is refused, and how.
type Failing = Box<dyn Fn(&str, u64) -> Option<TransportError> + Send>;

impl RecordingPublisher {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    /// From now on these events are refused.
    pub(crate) fn fail(
        &self,
        failing: impl Fn(&str, u64) -> Option<TransportError> + Send + 'static,
    ) {
        *self.failing.lock().unwrap() = Some(Box::new(failing));
    }

    pub(crate) fn recover(&self) {
        *self.failing.lock().unwrap() = None;
    }

    /// What is taken from now on is not confirmed until there are permits.
    pub(crate) fn hold_confirms(&self) -> Arc<Semaphore> {
        let gate = Arc::new(Semaphore::new(0));
        *self.gate.lock().unwrap() = Some(Arc::clone(&gate));
        gate
    }

    pub(crate) fn confirm_again(&self) {
        if let Some(gate) = self.gate.lock().unwrap().take() {
            gate.close();
        }
    }

    /// All that was taken, in order.
    pub(crate) fn envelopes(&self) -> Vec<Envelope> {
        self.taken.lock().unwrap().clone()
    }

    pub(crate) fn calls(&self) -> Vec<usize> {
        self.calls.lock().unwrap().clone()
    }

    /// The key and seq of all events that were taken, in order; control messages are left out.
    pub(crate) fn events(&self) -> Vec<(String, u64)> {
        let taken = self.taken.lock().unwrap();
        taken.iter().filter_map(identity).collect()
    }

    pub(crate) fn seqs(&self, key: &str) -> Vec<u64> {
        let events = self.events().into_iter();
        let of_key = events.filter(|(of, _)| of == key);
        of_key.map(|(_, seq)| seq).collect()
    }

    /// Waits until so many different events were taken.
    pub(crate) async fn has(&self, events: usize) {
        eventually("so many events are published", async || {
            let mut all = self.events();
            all.sort();
            all.dedup();
            all.len() >= events
        })
        .await;
    }

    /// Of each key how often an event was taken, once it is sure that the first occurrences are 1, 2, 3, … without a
    /// gap.
    pub(crate) fn in_order(&self) -> BTreeMap<String, Vec<u32>> {
        let mut times: BTreeMap<String, Vec<u32>> = BTreeMap::new();
        for (key, seq) in self.events() {
            let place = usize::try_from(seq).unwrap() - 1;
            let of_key = times.entry(key.clone()).or_default();
            assert!(
                place <= of_key.len(),
                "{key}: {seq} came after {}",
                of_key.len()
            );
            if place == of_key.len() {
                of_key.push(0);
            }
            of_key[place] += 1;
        }
        times
    }
}

fn identity(envelope: &Envelope) -> Option<(String, u64)> {
    let key = envelope.headers.get(HEADER_KEY)?.clone();
    Some((key, envelope.headers.get(HEADER_SEQ)?.parse().unwrap()))
}

#[async_trait]
impl Publish for RecordingPublisher {
    /// Of a key of which an event is refused it takes nothing more in the same call.
    async fn send(&self, events: &[Outgoing]) -> Vec<Result<(), TransportError>> {
        self.calls.lock().unwrap().push(events.len());
        let mut outcomes = Vec::with_capacity(events.len());
        {
            let failing = self.failing.lock().unwrap();
            let mut stopped = BTreeSet::new();
            for event in events {
                let identity = identity(event.envelope());
                let refused = identity
                    .as_ref()
                    .zip(failing.as_ref())
                    .and_then(|((key, seq), failing)| failing(key, *seq));
                let key = identity.map(|(key, _)| key);
                let held_back = || TransportError::unavailable("an event before it was refused");
                match refused.or_else(|| stopped.contains(&key).then(held_back)) {
                    Some(error) => {
                        stopped.insert(key);
                        outcomes.push(Err(error));
                    }
                    None => {
                        self.taken.lock().unwrap().push(event.envelope().clone());
                        outcomes.push(Ok(()));
                    }
                }
            }
        }
        let gate = self.gate.lock().unwrap().clone();
        if let Some(gate) = gate {
            let _ = gate
                .acquire()
                .await
                .map(tokio::sync::SemaphorePermit::forget);
        }
        // A broker takes its time.
        tokio::time::sleep(Duration::from_millis(1)).await;
        outcomes
    }
}
