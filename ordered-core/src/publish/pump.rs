use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::mpsc::{self};
use tokio::time::{Instant, sleep_until, timeout};

use super::builder::Settings;
use super::flight::Ticket;
use super::lanes::{Batch, Entry, Lanes};
use super::metrics;
use super::status::Progress;
use crate::transport::{Flow, Publish, TransportError};

/// What was sent, and what happened to it.
type Attempted = (Batch<Ticket>, Vec<Result<(), TransportError>>);

/// The task of a publisher: sends what may go out, and sends again what failed.
pub(super) struct Pump {
    transport: Arc<dyn Publish>,
    settings: Settings,
    receiver: mpsc::UnboundedReceiver<Entry<Ticket>>,
    progress: Arc<Progress>,
    lanes: Lanes<Ticket>,
}

impl Pump {
    pub(super) fn new(
        transport: Arc<dyn Publish>,
        settings: Settings,
        receiver: mpsc::UnboundedReceiver<Entry<Ticket>>,
        progress: Arc<Progress>,
    ) -> Self {
        let lanes = Lanes::new(settings.of_lanes(), fastrand::Rng::new());
        Self {
            transport,
            settings,
            receiver,
            progress,
            lanes,
        }
    }

    /// Until there is no publisher left, and nothing to publish.
    pub(super) async fn run(mut self) {
        let mut attempts = FuturesUnordered::new();
        let mut open = true;
        loop {
            while open {
                match self.receiver.try_recv() {
                    Ok(entry) => self.lanes.push(entry),
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => open = false,
                }
            }
            let now = Instant::now();
            while attempts.len() < self.settings.concurrent_batches
                && let Some(batch) = self.lanes.take(now)
            {
                let transport = Arc::clone(&self.transport);
                attempts.push(attempt(transport, batch, self.settings.attempt_timeout));
            }
            if !open && self.lanes.is_empty() {
                return;
            }
            let has_place = attempts.len() < self.settings.concurrent_batches;
            let due = self.lanes.due().filter(|_| has_place);
            tokio::select! {
                Some(attempted) = attempts.next(), if !attempts.is_empty() => self.settle(attempted),
                entry = self.receiver.recv(), if open => match entry {
                    Some(entry) => self.lanes.push(entry),
                    None => open = false,
                },
                () = sleep_until(due.unwrap_or(now)), if due.is_some() => {}
            }
        }
    }

    fn settle(&mut self, (batch, outcomes): Attempted) {
        let now = Instant::now();
        let settled = self.lanes.settle(batch, outcomes, now);
        if let Some((kind, why)) = &settled.retry_error {
            metrics::failed(*kind);
            if !settled.any_confirmed && settled.again > 0 {
                self.progress.stands_still(*kind, why, now);
            } else if settled.again > 0 {
                tracing::debug!(
                    events = settled.again,
                    error = why,
                    "some events are sent again"
                );
            }
        }
        if settled.any_confirmed {
            self.progress.goes_on(now);
        }
        let mut published = 0;
        for (ticket, outcome) in settled.done {
            match &outcome {
                Ok(()) => published += 1,
                Err(error) => {
                    metrics::reported(error.kind());
                    tracing::warn!(%error, "an event is not published");
                }
            }
            ticket.answer(outcome);
        }
        metrics::published(published);
    }
}

async fn attempt(
    transport: Arc<dyn Publish>,
    batch: Batch<Ticket>,
    attempt_timeout: Duration,
) -> Attempted {
    let begun = Instant::now();
    let outcomes = match timeout(attempt_timeout, transport.send(&batch.events)).await {
        Ok(outcomes) => outcomes,
        Err(_) => {
            let none = || match transport.flow() {
                Flow::Open => TransportError::unavailable(format!(
                    "the broker has not answered within {attempt_timeout:?} (`attempt_timeout`)"
                )),
                Flow::Blocked { why } => TransportError::busy(why),
            };
            batch.events.iter().map(|_| Err(none())).collect()
        }
    };
    metrics::attempt(begun.elapsed());
    (batch, outcomes)
}
