use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use ordered_core::event::Key;
use ordered_core::publish::{NotPublished, NotPublishedKind, Outgoing, Publisher};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::SequencerError;
use super::claimed_keys::{Answer, ClaimedKeys, Request};
use super::metrics::{self, Failed};
use super::storage::{Storage, passes};

/// How often it is measured how much is kept.
const MEASURE: Duration = Duration::from_secs(5);
/// How many keys are settled in one step.
const KEYS_A_STEP: usize = 256;

/// What happened to an event: its key, of which generation, its seq.
type Ended = (Key, u64, u64, Result<(), NotPublished>);

/// The task that publishes what is kept.
pub(super) struct Pump {
    storage: Arc<Storage>,
    publisher: Publisher,
    stop: watch::Receiver<bool>,
    claimed: ClaimedKeys,
    under_way: FuturesUnordered<BoxFuture<'static, Ended>>,
    /// When it looks for keys that nobody publishes.
    look_at: Instant,
    measure_at: Instant,
    /// Whether the last call to Redis failed.
    is_failing: bool,
}

impl Pump {
    pub(super) fn new(
        storage: Arc<Storage>,
        publisher: Publisher,
        stop: watch::Receiver<bool>,
    ) -> Self {
        Self {
            storage,
            publisher,
            stop,
            claimed: ClaimedKeys::default(),
            under_way: FuturesUnordered::new(),
            look_at: Instant::now(),
            measure_at: Instant::now(),
            is_failing: false,
        }
    }

    pub(super) async fn run(mut self) {
        while !self.is_to_stop() {
            let begun = Instant::now();
            let worked = self.work().await;
            self.log_failure(&worked);
            if worked.is_err() {
                self.look_at = begun + self.storage.settings.poll_interval;
            }
            self.wait().await;
        }
        self.drain().await;
    }

    fn is_to_stop(&self) -> bool {
        // An error: nobody has the sequencer any more.
        *self.stop.borrow() || self.stop.has_changed().is_err()
    }

    /// Says what is to be said to Redis, and takes what there is room for.
    async fn work(&mut self) -> Result<(), SequencerError> {
        let settings = &self.storage.settings;
        let (renew_after, rest, batch) = (settings.lease / 3, settings.retry_after, settings.batch);
        let requests = self
            .claimed
            .requests(Instant::now(), renew_after, rest, batch);
        for requests in requests.chunks(KEYS_A_STEP) {
            self.settle(requests).await?;
        }
        if self.measure_at <= Instant::now() {
            self.measure_at = Instant::now() + MEASURE;
            metrics::kept(self.storage.status().await?);
        }
        let room = self
            .storage
            .settings
            .max_in_flight
            .saturating_sub(self.claimed.in_flight());
        if room > 0 && self.look_at <= Instant::now() {
            let taken = self.storage.take(room).await?;
            // There may be more.
            if taken.is_empty() {
                let jitter = 0.75 + fastrand::f64() / 2.0;
                self.look_at = Instant::now() + self.storage.settings.poll_interval.mul_f64(jitter);
            }
            for taken in taken {
                self.send(&taken.key, taken.first, taken.events).await;
            }
        }
        Ok(())
    }

    async fn settle(&mut self, requests: &[Request]) -> Result<(), SequencerError> {
        let asked = Instant::now();
        let answers = self.storage.settle(requests).await?;
        for (request, answer) in requests.iter().zip(answers) {
            match answer {
                Answer::Done | Answer::Free => self.claimed.forget(&request.key),
                Answer::Lost => {
                    tracing::warn!(
                        key = request.key.as_str(),
                        "another process publishes the key: this one has not renewed its claim in time"
                    );
                    self.claimed.forget(&request.key);
                }
                Answer::Ours(..) if request.wanted == 0 => {
                    self.claimed.renewed(&request.key, request.through, asked)
                }
                Answer::Ours(first, events) => self.send(&request.key, first, events).await,
            }
        }
        Ok(())
    }

    /// Gives events of a key to the publisher, up to one that cannot be read.
    async fn send(&mut self, key: &Key, first: u64, events: Vec<Option<Outgoing>>) {
        let whole = events.iter().take_while(|event| event.is_some()).count();
        let is_damaged = whole < events.len();
        // One that cannot be read counts as one that failed.
        let generation =
            self.claimed
                .sends(key, first, whole + usize::from(is_damaged), Instant::now());
        if is_damaged || events.is_empty() {
            tracing::error!(
                key = key.as_str(),
                seq = first + whole as u64,
                "a kept event cannot be read, and its key waits: restore it, or fill the gap"
            );
        }
        if is_damaged {
            self.claimed
                .ended(key, generation, first + whole as u64, false);
        }
        for (seq, event) in (first..).zip(events.into_iter().flatten().take(whole)) {
            let key = key.clone();
            let ended = match self.publisher.enqueue(event).await {
                Ok(receipt) => receipt
                    .map(move |ended| (key, generation, seq, ended))
                    .boxed(),
                Err(error) => std::future::ready((key, generation, seq, Err(error))).boxed(),
            };
            self.under_way.push(ended);
        }
    }

    fn ended(&mut self, (key, generation, seq, outcome): Ended) {
        let held_back = |error: &NotPublished| error.kind() == NotPublishedKind::HeldBack;
        if outcome.as_ref().is_err_and(held_back) {
            // Those before it are told of.
        } else if let Err(error) = &outcome {
            metrics::failed(Failed::Key);
            let rest = self.storage.settings.retry_after;
            tracing::warn!(%error, key = key.as_str(), seq, "an event is not published; its key is tried again in \
                                                             {rest:?}");
        } else {
            metrics::settled(1);
        }
        self.claimed.ended(&key, generation, seq, outcome.is_ok());
    }

    /// Until there may be something to do.
    async fn wait(&mut self) {
        let storage = Arc::clone(&self.storage);
        let renewal = Instant::now() + storage.settings.lease / 6;
        let until = self.look_at.min(renewal);
        tokio::select! {
            Some(ended) = self.under_way.next(), if !self.under_way.is_empty() => self.ended(ended),
            () = storage.wake.notified() => self.look_at = Instant::now(),
            () = sleep_until(until) => {}
            _ = self.stop.changed() => {}
        }
        while let Some(Some(ended)) = self.under_way.next().now_or_never() {
            self.ended(ended);
        }
    }

    /// Waits for what is on its way, and gives up the keys.
    async fn drain(&mut self) {
        let deadline = Instant::now() + self.storage.settings.drain_timeout;
        while let Ok(Some(ended)) = timeout_at(deadline, self.under_way.next()).await {
            self.ended(ended);
        }
        if self.claimed.is_empty() {
            return;
        }
        for requests in self.claimed.farewell().chunks(KEYS_A_STEP) {
            let settled = timeout_at(deadline + MEASURE, self.storage.settle(requests)).await;
            if let Ok(Err(error)) = settled {
                tracing::warn!(%error, "what was published is not written down, and may be published again");
            }
        }
    }

    fn log_failure(&mut self, worked: &Result<(), SequencerError>) {
        match worked {
            Ok(()) => self.is_failing = false,
            Err(error) => {
                metrics::failed(Failed::Redis);
                if !std::mem::replace(&mut self.is_failing, true) {
                    let passes = passes(error);
                    tracing::warn!(%error, passes, "the sequencer cannot work with Redis; it tries again");
                }
            }
        }
    }
}
