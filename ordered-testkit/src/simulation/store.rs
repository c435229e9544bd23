use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use ordered_core::protocol::WorkerId;
use ordered_core::store::{
    Answer, Exchange, Group, Heartbeat, MemoryStore, Opened, Request, Session, Store, StoreError,
    Sweep, Swept,
};

use super::fleet::{LEASE, ProcessState};
use super::key_change::{KeyChange, Snapshot};
use super::recorder::Recorder;

/// One worker's way to the store: slow, lossy, and frozen with the worker.
#[derive(Clone)]
pub(super) struct FaultyStore {
    inner: Arc<dyn Store>,
    /// The store itself, to see what a save has done.
    memory: MemoryStore,
    recorder: Recorder,
    process: ProcessState,
    exchanges: Arc<Mutex<ExchangeNumbers>>,
}

/// The exchanges of a worker are numbered, as a real store does it.
#[derive(Debug, Default)]
struct ExchangeNumbers {
    /// The last that was sent.
    sent: u64,
    /// The last that reached the store.
    reached: u64,
}

/// What a broken connection leaves of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Answered,
    AnswerLost,
    NotCarriedOut,
}

impl FaultyStore {
    pub(super) fn new(
        inner: Arc<dyn Store>,
        memory: MemoryStore,
        recorder: Recorder,
        process: ProcessState,
    ) -> Self {
        Self {
            inner,
            memory,
            recorder,
            process,
            exchanges: Arc::default(),
        }
    }

    fn numbers(&self) -> MutexGuard<'_, ExchangeNumbers> {
        self.exchanges
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// On the way there.
    async fn leave_for_store(&self) -> Result<(), StoreError> {
        self.process.running().await;
        self.recorder
            .delay_up_to(self.recorder.faults().slow_store / 2)
            .await;
        if self.recorder.is_store_down() {
            return Err(StoreError::unavailable("simulated: the store is down"));
        }
        if self.recorder.chance(self.recorder.faults().lost_calls) {
            return Err(StoreError::unavailable("simulated: the call is lost"));
        }
        Ok(())
    }

    /// On the way back.
    async fn come_back(&self) -> Result<(), StoreError> {
        if self.recorder.chance(self.recorder.faults().lost_replies) {
            return Err(StoreError::unavailable("simulated: the reply is lost"));
        }
        self.recorder
            .delay_up_to(self.recorder.faults().slow_store / 2)
            .await;
        self.process.running().await;
        Ok(())
    }

    /// The exchange has reached the store, which refuses it after a later one.
    fn reach(&self, number: u64) -> Result<(), StoreError> {
        let mut numbers = self.numbers();
        if number < numbers.reached {
            return Err(StoreError::unavailable(
                "simulated: the call came after a later one",
            ));
        }
        numbers.reached = number;
        Ok(())
    }

    /// Carries out one request, and writes down what it has done to its key.
    async fn carry_out(
        &self,
        group: &Group,
        session: &Session,
        request: &Request,
    ) -> Result<Exchange, StoreError> {
        let requests = std::slice::from_ref(request);
        let Request::Save(save) = request else {
            return self.inner.exchange(group, session, requests).await;
        };
        let before = Snapshot::take(&self.memory, group, &save.key).await;
        let exchange = self.inner.exchange(group, session, requests).await?;
        let after = Snapshot::take(&self.memory, group, &save.key).await;
        if let (Some(before), Some(after)) = (before, after) {
            let change = KeyChange {
                group,
                session,
                save,
                before,
                after,
                recorder: &self.recorder,
            };
            change.record();
        }
        Ok(exchange)
    }

    /// The call reaches the store when the worker has given it up.
    fn send_late(&self, number: u64, group: &Group, session: &Session, requests: &[Request]) {
        let (way, group, session) = (self.clone(), group.clone(), session.clone());
        let requests = requests.to_vec();
        tokio::spawn(async move {
            way.recorder.delay_up_to(LEASE).await;
            if way.reach(number).is_ok() {
                for request in &requests {
                    let _ = way.carry_out(&group, &session, request).await;
                }
            }
        });
    }

    /// What happens to each request: all is answered, unless a connection breaks in the middle.
    fn parts(&self, requests: usize) -> Vec<Part> {
        if !self.recorder.chance(self.recorder.faults().lost_replies) {
            return vec![Part::Answered; requests];
        }
        let part = |_| match self.recorder.pick(3) {
            0 => Part::Answered,
            1 => Part::AnswerLost,
            _ => Part::NotCarriedOut,
        };
        (0..requests).map(part).collect()
    }
}

#[async_trait]
impl Store for FaultyStore {
    async fn open(&self, group: &Group, worker: &WorkerId) -> Result<Opened, StoreError> {
        self.inner.open(group, worker).await
    }

    async fn exchange(
        &self,
        group: &Group,
        session: &Session,
        requests: &[Request],
    ) -> Result<Exchange, StoreError> {
        let number = {
            let mut numbers = self.numbers();
            numbers.sent += 1;
            numbers.sent
        };
        self.leave_for_store().await?;
        if self.recorder.chance(self.recorder.faults().stragglers) {
            self.send_late(number, group, session, requests);
            return Err(StoreError::unavailable("simulated: no reply in time"));
        }
        self.reach(number)?;
        let mut whole: Option<Exchange> = None;
        let mut answers = Vec::with_capacity(requests.len());
        for (request, part) in requests.iter().zip(self.parts(requests.len())) {
            let mut answer = Answer::Unknown;
            if part != Part::NotCarriedOut {
                let mut exchange = self.carry_out(group, session, request).await?;
                if part == Part::Answered
                    && let Some(given) = exchange.answers.pop()
                {
                    answer = given;
                }
                whole = Some(exchange);
            }
            answers.push(answer);
        }
        self.come_back().await?;
        let whole = whole.ok_or_else(|| {
            StoreError::unavailable("simulated: the connection broke before anything was sent")
        })?;
        Ok(Exchange { answers, ..whole })
    }

    async fn heartbeat(
        &self,
        group: &Group,
        session: &Session,
        lease: Duration,
    ) -> Result<Heartbeat, StoreError> {
        self.leave_for_store().await?;
        let beat = self.inner.heartbeat(group, session, lease).await?;
        self.recorder.leased(session.worker.as_str(), lease);
        self.come_back().await?;
        Ok(beat)
    }

    async fn leave(&self, group: &Group, session: &Session) -> Result<(), StoreError> {
        self.leave_for_store().await?;
        self.inner.leave(group, session).await?;
        self.come_back().await
    }

    async fn sweep(
        &self,
        group: &Group,
        session: &Session,
        sweep: &Sweep,
    ) -> Result<Swept, StoreError> {
        self.leave_for_store().await?;
        let swept = self.inner.sweep(group, session, sweep).await?;
        self.come_back().await?;
        Ok(swept)
    }
}
