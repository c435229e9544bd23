//! A worker at work: one loop, to which everything that happens comes.

mod exchange;
mod start;
mod state_loss;
mod sweeping;

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};
use tokio::task::{JoinError, JoinHandle, JoinSet};
use tokio::time::{Instant, Sleep};
use tracing::{info, warn};

use super::breaker::{Breaker, BreakerChange};
use super::deliveries::{self, Limits};
use super::lease_keeper::Lease;
use super::reporter::Reporter;
use super::run_input::{DecodedEvent, RunInputs};
use super::store_client::{BatchAnswer, Call, StoreClient};
use super::store_clock::StoreClock;
use super::tasks::{TaskEvent, Tasks};
use super::telemetry::Telemetry;
use super::{Settings, WorkerError, WorkerPhase, drain};
use crate::event::Key;
use crate::handler::{HandlerError, HandlerOptions, OnStateLoss, WorkerLease};
use crate::protocol::engine::{Effect, Engine, RunError, RunId};
use crate::store::{Incarnation, Opened, Session, StoreError, Swept};
use crate::transport::{Delivery, Settlement};
use crate::words::shortened;

/// How long the store has to take what the worker gives back after the drain timeout, and the broker the settlements.
const GIVE_UP: Duration = Duration::from_secs(5);
/// How many events of tasks are taken at a time.
const TASK_EVENTS: usize = 256;
/// What a handler says may quote the event, and is kept by the store and logged.
const LONGEST_ERROR: usize = 4_000;

/// A worker at work: the engine, and everything that carries its wishes out.
pub(super) struct WorkerLoop {
    engine: Engine<DecodedEvent>,
    /// None; the memory of those that were carried out last.
    effects: Vec<Effect>,
    store: StoreClient,
    session: Session,
    tasks: Tasks,
    inputs: RunInputs,
    reporter: Reporter,
    options: HandlerOptions,
    settings: Settings,
    lease: Lease,
    clock: StoreClock,
    random: fastrand::Rng,
    telemetry: Arc<Telemetry>,
    /// The gaps that were reported as stuck: key and seq.
    reported: HashMap<Key, u64>,
    /// Heartbeat and receiver; both end with this.
    breaker: Breaker,
    background: JoinSet<Result<(), WorkerError>>,
    settler: JoinHandle<()>,
    settle: mpsc::UnboundedSender<Vec<Settlement>>,
    room: Arc<Semaphore>,
    deliveries: mpsc::Receiver<Vec<Delivery>>,
    task_events: mpsc::UnboundedReceiver<TaskEvent>,
}

/// What is under way in the loop.
struct LoopState {
    asked: Option<Call<BatchAnswer>>,
    /// How often the lease had lapsed when the engine was last told.
    known_lapses: u64,
    /// The life of the state that `asked` went out to.
    asked_in: Incarnation,
    sweeping: Option<Call<Result<Swept, StoreError>>>,
    sweep_at: Instant,
    /// When to look which events have waited too long for room.
    tick_at: Instant,
    /// The state was lost, and the group is opened again.
    reopening: Option<Call<Result<Opened, StoreError>>>,
    /// When the next step of an adoption of a new state is due.
    adopt_at: Option<Instant>,
    /// Set once the shutdown was asked for: when the handlers that still run are stopped.
    drain_until: Option<Pin<Box<Sleep>>>,
    /// They were stopped; the next deadline ends the wait for the store.
    stopped: bool,
}

impl WorkerLoop {
    pub(super) async fn run(
        mut self,
        shutdown: impl Future<Output = ()> + Send,
    ) -> Result<(), WorkerError> {
        let worked = self.work(shutdown).await;
        self.background.shutdown().await;
        self.stop_runs("the worker ends");
        self.telemetry.end();
        drop(self.settle);
        // A broker that takes no dead letter now will deliver the event again; the worker does not wait for it forever.
        if tokio::time::timeout(GIVE_UP, &mut self.settler)
            .await
            .is_err()
        {
            warn!(
                "the broker did not take all settlements in time; it will deliver those events again"
            );
            self.settler.abort();
        }
        // The lease went with the state.
        if !matches!(worked, Err(WorkerError::StateLost { .. })) {
            self.store.leave().await;
        }
        info!(group = &*self.inputs.group, worker = %self.store.worker(), "the worker has stopped");
        worked
    }

    /// The loop: everything that happens is given to the engine, and what the engine wants is set going.
    async fn work(&mut self, shutdown: impl Future<Output = ()> + Send) -> Result<(), WorkerError> {
        let mut shutdown = std::pin::pin!(shutdown);
        // A key is granted only to a worker with a lease, so the first heartbeat comes before the first request.
        while !self.lease.is_good() {
            tokio::select! {
                biased;
                () = &mut shutdown => return Ok(()),
                () = self.lease.changed() => {}
                Some(ended) = self.background.join_next() => background_ended(ended)?,
            }
            if self.lease.is_lost(&self.session) {
                // Nothing of it is known yet: the new one is as good.
                if self.options.on_state_loss == OnStateLoss::Stop {
                    return Err(self.state_lost());
                }
                tokio::select! {
                    biased;
                    () = &mut shutdown => return Ok(()),
                    opened = self.store.reopen() => self.set_session(opened.map_err(WorkerError::Store)?.session),
                }
            }
        }
        let mut state = LoopState {
            asked: None,
            known_lapses: 0,
            asked_in: self.session.incarnation,
            sweeping: None,
            sweep_at: Instant::now() + self.until_sweep(),
            tick_at: Instant::now(),
            reopening: None,
            adopt_at: None,
            drain_until: None,
            stopped: false,
        };
        self.on_beat(&mut state)?;
        self.telemetry.health.enter(WorkerPhase::Running);
        let mut task_events = Vec::with_capacity(TASK_EVENTS);
        loop {
            self.dispatch_effects(&mut state);
            let draining = state.drain_until.is_some();
            if draining && state.asked.is_none() && self.engine.is_idle() {
                return Ok(());
            }
            let may_ask = state.asked.is_none() && state.reopening.is_none();
            // In this order, so that a seed repeats a run. Nothing can starve what stands behind it: answers follow
            // from what comes later in the list, and deliveries are bounded by what may be unsettled.
            tokio::select! {
                biased;
                () = &mut shutdown, if !draining => {
                    info!(
                        group = &*self.inputs.group, worker = %self.store.worker(), keys = self.engine.keys(),
                        "the worker drains"
                    );
                    state.drain_until = Some(Box::pin(tokio::time::sleep(self.settings.drain_timeout)));
                    self.engine.begin_drain();
                    self.telemetry.health.enter(WorkerPhase::Draining);
                }
                () = maybe(&mut state.drain_until) => {
                    if state.stopped {
                        return Ok(());
                    }
                    self.end_drain("the drain timeout is over", &mut state);
                }
                () = drain::drains_are_ended(), if draining && !state.stopped => {
                    self.end_drain("the process was asked again to stop", &mut state);
                }
                Some(ended) = self.background.join_next() => background_ended(ended)?,
                // Without it nothing is acknowledged any more. It ends with this worker, and before only by a panic.
                Err(panic) = &mut self.settler => std::panic::resume_unwind(panic.into_panic()),
                opened = maybe(&mut state.reopening) => {
                    state.reopening = None;
                    self.on_reopened(opened)?;
                    state.adopt_at = Some(Instant::now() + self.settings.heartbeat);
                }
                () = maybe_at(state.adopt_at) => {
                    let more = self.engine.go_on_adopting();
                    state.adopt_at = more.then(|| Instant::now() + self.settings.heartbeat);
                }
                swept = maybe(&mut state.sweeping) => {
                    state.sweeping = None;
                    state.sweep_at = Instant::now() + self.on_swept(swept);
                }
                () = tokio::time::sleep_until(state.sweep_at), if state.sweeping.is_none() && !draining => {
                    state.sweeping = self.sweep();
                    state.sweep_at = Instant::now() + self.until_sweep();
                }
                () = tokio::time::sleep_until(state.tick_at), if self.engine.has_overflow() => {
                    self.engine.tick();
                    state.tick_at = Instant::now() + self.settings.hold_after / 2;
                }
                // The next of the runs that are paced.
                () = maybe_at(self.breaker.next_start()), if self.engine.has_ready() => {}
                () = self.lease.changed() => self.on_beat(&mut state)?,
                answer = maybe(&mut state.asked) => {
                    state.asked = None;
                    self.on_answer(answer, &mut state)?;
                }
                Some(batch) = self.deliveries.recv(), if !draining => {
                    self.engine.set_now(self.clock.now());
                    let policy = &self.options.policy;
                    let limits = Limits { settings: &self.settings, first_seq: policy.first_seq, order: policy.order };
                    deliveries::take(&mut self.engine, &mut self.reporter, &*self.inputs.handler, limits, batch);
                }
                _ = self.task_events.recv_many(&mut task_events, TASK_EVENTS) => {
                    self.engine.set_now(self.clock.now());
                    task_events.drain(..).for_each(|event| self.on_task_event(event));
                }
                // Last, and after everybody else had a turn: what is there already goes with it, and so does what quick
                // handlers have done.
                () = tokio::task::yield_now(), if may_ask && self.engine.outgoing() > 0 => self.ask(&mut state),
            }
        }
    }

    /// Stops the handlers that still run; the store has a little more time to hear it.
    fn end_drain(&mut self, why: &str, state: &mut LoopState) {
        self.stop_runs(why);
        state.stopped = true;
        state.drain_until = Some(Box::pin(tokio::time::sleep(GIVE_UP)));
    }

    /// Starts, settles and tells what the engine has ready.
    fn dispatch_effects(&mut self, state: &mut LoopState) {
        let lapses = self.lease.lapses();
        if state.known_lapses != lapses {
            state.known_lapses = lapses;
            self.engine.on_lapse();
        }
        self.carry_out();
        if self.engine.has_ready() && self.lease.is_good() && state.reopening.is_none() {
            if let Some(newest) = self.breaker.tries_newest() {
                self.engine.prefer_first_attempts(newest);
            }
            while self.breaker.admits()
                && let Some(run) = self.engine.next_run()
            {
                self.breaker.started();
                let (id, attempt) = (run.id.clone(), run.attempt);
                match self.inputs.of(run) {
                    Ok(input) => self.tasks.add(id, attempt, input),
                    Err(error) => self.finish(&id, attempt, Err(error)),
                }
            }
            self.tasks.start();
            self.carry_out();
        }
        self.breaker.skipped();
        let settlements = std::mem::take(&mut self.reporter.settlements);
        if !settlements.is_empty() {
            self.room.add_permits(settlements.len());
            // The settler ends only after this sender is gone.
            let _ = self.settle.send(settlements);
        }
        self.telemetry.turned(self.engine.keys());
    }

    fn carry_out(&mut self) {
        let mut effects = std::mem::take(&mut self.effects);
        self.engine.swap_effects(&mut effects);
        for effect in effects.drain(..) {
            match effect {
                Effect::Settle {
                    key,
                    seq,
                    id,
                    tokens,
                    outcome,
                    stored,
                } => self
                    .reporter
                    .settle((&key, seq, &id), &tokens, outcome, stored),
                Effect::SettleControl { token, deferred } => {
                    self.reporter.settle_control(token, deferred);
                }
                Effect::Wake { key, after } => self.tasks.wake(key, after),
                Effect::Abort(run) => self.tasks.abort(&run),
                Effect::Event { key, seq, id, what } => {
                    self.reporter.event_changed(&key, seq, &id, &what);
                }
                Effect::Key { key, what } => self.reporter.key_changed(&key, &what),
            }
        }
        self.effects = effects;
    }

    fn on_task_event(&mut self, event: TaskEvent) {
        match event {
            TaskEvent::Finished {
                run,
                attempt,
                outcome,
            } => {
                self.tasks.forget(&run);
                self.finish(&run, attempt, outcome);
            }
            TaskEvent::Woken(key) => self.engine.wake(&key),
        }
    }

    fn finish(&mut self, run: &RunId, attempt: u32, outcome: Result<(), HandlerError>) {
        let outcome = outcome.map_err(|error| RunError {
            error: shortened(error.to_string(), LONGEST_ERROR),
            permanent: error.is_permanent(),
            wait: error
                .retries_after()
                .unwrap_or_else(|| self.options.backoff.wait(attempt, &mut self.random)),
            on_exhausted: error.on_exhausted(),
        });
        let failed = outcome.as_ref().err();
        // An event that no handler takes says nothing about what handlers need.
        if failed.is_none_or(|failed| failed.on_exhausted.is_none()) {
            let error = failed.map(|failed| failed.error.as_str());
            if let Some(turned) = self.breaker.finished(&run.key, attempt, error) {
                self.telemetry.breaker(turned == BreakerChange::Opened);
            }
        }
        self.engine.finish(run, attempt, outcome);
    }

    fn stop_runs(&mut self, why: &str) {
        let at_work = self.tasks.at_work();
        let stopped = self.engine.stop_runs();
        for context in at_work {
            if stopped.contains(context.key()) {
                warn!(
                    group = context.group(),
                    key = context.key().as_str(),
                    seq = context.seq().get(),
                    event_id = context.event_id().as_str(),
                    why,
                    "stopped a handler that was at work"
                );
            }
        }
        self.carry_out();
    }
}

/// Heartbeats and the receiver end by themselves only when the worker has to.
fn background_ended(ended: Result<Result<(), WorkerError>, JoinError>) -> Result<(), WorkerError> {
    ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}

async fn maybe_at(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// The output of what is under way; never done while nothing is.
async fn maybe<T>(under_way: &mut Option<Pin<Box<impl Future<Output = T> + ?Sized>>>) -> T {
    match under_way {
        Some(future) => future.as_mut().await,
        None => std::future::pending().await,
    }
}
