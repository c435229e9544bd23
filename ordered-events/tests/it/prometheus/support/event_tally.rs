use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use ordered_events::WorkerEvent;
use ordered_events::core::transport::{
    ConsumeOptions, Delivery, Disposition, Settlement, Token, Transport, TransportError,
};

/// Counts by name what it sees, apart from the worker's own counting. Clones count together.
#[derive(Clone, Default)]
pub(crate) struct Tally(Arc<Mutex<BTreeMap<String, u64>>>);

impl Tally {
    pub(crate) fn add(&self, name: impl Into<String>, more: usize) {
        *self.0.lock().unwrap().entry(name.into()).or_default() += more as u64;
    }

    pub(crate) fn of(&self, name: &str) -> u64 {
        self.0.lock().unwrap().get(name).copied().unwrap_or(0)
    }

    /// For [`observe`](ordered_events::core::worker::WorkerBuilder::observe).
    pub(crate) fn see(&self, worker_event: &WorkerEvent<'_>) {
        let name = match worker_event {
            WorkerEvent::Received { .. } => "seen received",
            WorkerEvent::Malformed { .. } => "seen malformed",
            WorkerEvent::Held { .. } => "seen held",
            WorkerEvent::Deferred { .. } => "seen deferred",
            WorkerEvent::Duplicate { .. } => "seen duplicate",
            WorkerEvent::Stale { .. } => "seen stale",
            WorkerEvent::Rewound { .. } => "seen rewound",
            WorkerEvent::Late { .. } => "seen late",
            WorkerEvent::Superseded { .. } => "seen superseded",
            WorkerEvent::Controlled { .. } => "seen control",
            WorkerEvent::Conflict { .. } => "seen conflict",
            WorkerEvent::Started { .. } => "seen started",
            WorkerEvent::Committed { repeat: false, .. } => "seen committed",
            WorkerEvent::Committed { repeat: true, .. } => "seen repeated",
            WorkerEvent::Retrying { .. } => "seen retried",
            WorkerEvent::Halted { .. } => "seen halted",
            WorkerEvent::DeadLettered { .. } => "seen dead_lettered",
            WorkerEvent::TakenOver { .. } => "seen taken_over",
            WorkerEvent::Fenced { .. } => "seen fenced",
            other => panic!("what is {other:?}?"),
        };
        self.add(name, 1);
    }

    /// What was settled permanently: the broker delivers it no more.
    pub(crate) fn finals(&self) -> u64 {
        ["acked", "dead conflict", "dead late", "dead malformed"]
            .iter()
            .map(|name| self.of(name))
            .sum()
    }
}

/// The header that tells one published message from another, however often it is delivered.
pub(crate) const NUMBER: &str = "x-number";

/// The messages that were settled permanently, of all transports of a scene.
#[derive(Clone, Default)]
pub(crate) struct Settled(Arc<Mutex<BTreeSet<String>>>);

/// A transport between the worker and the broker that counts what passes.
pub(crate) struct Watched {
    inner: Arc<dyn Transport>,
    tally: Tally,
    settled: Settled,
    /// By token, the numbers of the deliveries that are out.
    out: Mutex<BTreeMap<Token, String>>,
}

impl Watched {
    pub(crate) fn new(inner: Arc<dyn Transport>, tally: Tally, settled: Settled) -> Self {
        let out = Mutex::default();
        Self {
            inner,
            tally,
            settled,
            out,
        }
    }

    /// A message that was settled permanently before was delivered again, because the broker did not get to know of it.
    fn settle_permanently(&self, token: Token) {
        let number = self.out.lock().unwrap().remove(&token);
        if let Some(number) = number
            && !self.settled.0.lock().unwrap().insert(number)
        {
            self.tally.add("settled again", 1);
        }
    }
}

#[async_trait]
impl Transport for Watched {
    async fn start(&self, options: ConsumeOptions) -> Result<(), TransportError> {
        self.inner.start(options).await
    }

    async fn receive(&self, max: usize) -> Result<Vec<Delivery>, TransportError> {
        let deliveries = self.inner.receive(max).await?;
        self.tally.add("received", deliveries.len());
        let mut out = self.out.lock().unwrap();
        for Delivery {
            token, envelope, ..
        } in &deliveries
        {
            let number = envelope.headers.get(NUMBER).cloned();
            out.insert(*token, number.expect("every message has a number"));
        }
        drop(out);
        Ok(deliveries)
    }

    async fn settle(&self, settlements: Vec<Settlement>) -> Result<(), TransportError> {
        for Settlement { token, disposition } in &settlements {
            match disposition {
                Disposition::Ack => {
                    self.settle_permanently(*token);
                    self.tally.add("acked", 1);
                }
                Disposition::Defer(_) => self.tally.add("deferred", 1),
                Disposition::DeadLetter(reason) => {
                    self.settle_permanently(*token);
                    self.tally.add(format!("dead {}", reason.kind.as_str()), 1)
                }
            }
        }
        self.inner.settle(settlements).await
    }

    async fn close(&self) -> Result<(), TransportError> {
        self.inner.close().await
    }
}
