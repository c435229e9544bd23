//! Carries out runs of the handler.
//!
//! Most handlers of many events are quick, and a task for each run would cost more than the run. So runs that begin
//! together share a task, which takes one after the other. A run that has to wait goes on in a task of its own, and as
//! many tasks share the work as it takes for each to be done soon, so that runs that compute have all processors.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{AbortRegistration, Abortable};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tracing::Instrument;

use super::pitfalls;
use super::run_input::RunInput;
use super::span::{self, SpanHook};
use super::tasks::TaskEvent;
use super::telemetry::Telemetry;
use crate::handler::{DynHandler, HandlerError};
use crate::protocol::engine::RunId;
use crate::words::of_panic;

/// How long a task takes run after run before it lets others have its thread, and before more tasks share the work.
const SHARE: Duration = Duration::from_micros(100);

/// A run that has not begun.
pub(super) struct NewRun {
    pub(super) id: RunId,
    pub(super) attempt: u32,
    pub(super) input: RunInput,
    pub(super) aborted: AbortRegistration,
}

/// What runs need, and those that have not begun.
pub(super) struct Runner {
    handler: Arc<dyn DynHandler>,
    timeout: Duration,
    span_hooks: Arc<[SpanHook]>,
    telemetry: Arc<Telemetry>,
    task_events: mpsc::UnboundedSender<TaskEvent>,
    // A std mutex: held to put in or to take out one.
    new: Mutex<VecDeque<NewRun>>,
    /// How many nanoseconds a run took of late until it was done or had to wait.
    pace: AtomicU64,
}

impl Runner {
    pub(super) fn new(
        handler: Arc<dyn DynHandler>,
        timeout: Duration,
        span_hooks: Arc<[SpanHook]>,
        telemetry: Arc<Telemetry>,
        task_events: mpsc::UnboundedSender<TaskEvent>,
    ) -> Self {
        Self {
            handler,
            timeout,
            span_hooks,
            telemetry,
            task_events,
            new: Mutex::default(),
            // Until it is known, each has a task.
            pace: AtomicU64::new(nanos(SHARE)),
        }
    }

    /// The run begins once [`start`](Runner::start) is called.
    pub(super) fn add(&self, run: NewRun) {
        self.queue().push_back(run);
    }

    /// Runs that were not begun are none any more.
    pub(super) fn clear(&self) {
        self.queue().clear();
    }

    /// Starts as many tasks as the runs that have not begun need.
    pub(super) fn start(self: &Arc<Self>) {
        let runs = self.queue().len() as u64;
        let time = runs.saturating_mul(self.pace.load(Ordering::Relaxed));
        let tasks = time.div_ceil(nanos(SHARE)).clamp(u64::from(runs > 0), runs);
        (0..tasks).for_each(|_| self.start_one());
    }

    /// Starts a task for each run that has not begun: they were to begin behind runs that block their threads.
    pub(super) fn start_each(self: &Arc<Self>) {
        let runs = self.queue().len();
        (0..runs).for_each(|_| self.start_one());
    }

    fn start_one(self: &Arc<Self>) {
        tokio::spawn(run_all(Arc::clone(self)));
    }

    fn take(&self) -> Option<NewRun> {
        self.queue().pop_front()
    }

    fn queue(&self) -> MutexGuard<'_, VecDeque<NewRun>> {
        self.new.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Begins run after run while there are some.
async fn run_all(runner: Arc<Runner>) {
    // One allocation for all that need not wait.
    let mut run = Box::pin(None);
    loop {
        // Tokio's clock stands still while a simulation works, so that a seed repeats a run.
        let began = Instant::now();
        let (mut runs, mut took) = (0, 0);
        while took < nanos(SHARE)
            && let Some(new) = runner.take()
        {
            run.set(Some(run_one(Arc::clone(&runner), new)));
            if has_to_wait(run.as_mut()).await {
                tokio::spawn(go_on(std::mem::replace(&mut run, Box::pin(None))));
            }
            runs += 1;
            took = nanos(began.elapsed());
        }
        run.set(None);
        if let Some(pace) = took.checked_div(runs) {
            runner.pace.store(pace, Ordering::Relaxed);
        }
        if runner.queue().is_empty() {
            return;
        }
        // They take longer than the last ones.
        runner.start_one();
        tokio::task::yield_now().await;
    }
}

/// Takes the first step of a run, and says whether that was not all.
async fn has_to_wait(run: Pin<&mut Option<impl Future<Output = ()>>>) -> bool {
    let Some(mut run) = run.as_pin_mut() else {
        return false;
    };
    poll_fn(|task| Poll::Ready(run.as_mut().poll(task).is_pending())).await
}

/// The other steps.
async fn go_on(mut run: Pin<Box<Option<impl Future<Output = ()>>>>) {
    if let Some(run) = run.as_mut().as_pin_mut() {
        run.await;
    }
}

/// Runs the handler, ends what is attached to the run, and reports to the worker. A panic and a timeout are failed
/// attempts.
async fn run_one(runner: Arc<Runner>, new: NewRun) {
    let NewRun {
        id,
        attempt,
        input: RunInput { work, context },
        aborted,
    } = new;
    let run = async {
        let span = span::of_run(&context, &runner.span_hooks);
        let began = Instant::now();
        let handler = Arc::clone(&runner.handler);
        let work = async {
            // The call itself is inside, so that a panic before the first await is caught too.
            let outcome = caught(async move { handler.call(work).await }).await;
            caught(context.finish(outcome)).await
        };
        let work = pitfalls::watched(work, &runner.telemetry.pitfalls, &context);
        let outcome = timeout(runner.timeout, work.instrument(span.clone())).await;
        let outcome = outcome.unwrap_or_else(|_| {
            context.abandon();
            Err(HandlerError::transient(format!(
                "the handler was not done after its timeout of {:?}",
                runner.timeout
            )))
        });
        runner.telemetry.handler_seconds.record(began.elapsed());
        span::ended(&span, &outcome);
        // Nobody listens once the worker is gone; the event is then run again elsewhere.
        let _ = runner.task_events.send(TaskEvent::Finished {
            run: id,
            attempt,
            outcome,
        });
    };
    // Of a run that was stopped nobody wants to hear.
    let _ = Abortable::new(run, aborted).await;
}

async fn caught(work: impl Future<Output = Result<(), HandlerError>>) -> Result<(), HandlerError> {
    let caught = AssertUnwindSafe(work).catch_unwind().await;
    caught.unwrap_or_else(|panic| {
        Err(HandlerError::transient(format!(
            "the handler panicked: {}",
            of_panic(&*panic)
        )))
    })
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use futures_util::future::AbortHandle;
    use tokio::sync::mpsc::UnboundedReceiver;

    use super::*;
    use crate::event::Envelope;
    use crate::handler::{Context, Decoded, Handler, HandlerOptions, Malformed, Work};
    use crate::protocol::{Policy, WorkerId};
    use crate::transport::{MemoryBroker, Transport};
    use crate::worker::Health;

    /// Asks nothing of its events but what the test gives it to do.
    struct Doing<F>(F);

    impl<F: Fn(&str) + Send + Sync + 'static> Handler for Doing<F> {
        type Event = ();

        fn options(&self) -> HandlerOptions {
            HandlerOptions::new("test")
        }

        fn decode(&self, _: &Envelope) -> Result<Decoded<()>, Malformed> {
            Err(Malformed("nothing is read here".to_owned()))
        }

        async fn call(&self, (): (), context: Context) -> Result<(), HandlerError> {
            (self.0)(context.key().as_str());
            if context.key().as_str() == "waits" {
                std::future::pending().await
            }
            Ok(())
        }
    }

    fn runner(
        handler: impl Fn(&str) + Send + Sync + 'static,
    ) -> (Arc<Runner>, UnboundedReceiver<TaskEvent>) {
        let (task_events, ended) = mpsc::unbounded_channel();
        let transport: Arc<dyn Transport> = Arc::new(MemoryBroker::new().consumer());
        let health = Health::new(
            "test",
            WorkerId::new("w"),
            Duration::from_secs(60),
            &transport,
        );
        let telemetry = Telemetry::new(&"test".into(), &Policy::default(), health);
        let (handler, limit) = (Arc::new(Doing(handler)), Duration::from_secs(60));
        let runner = Runner::new(handler, limit, [].into(), Arc::new(telemetry), task_events);
        // As if all runs had been very quick until now.
        runner.pace.store(1, Ordering::Relaxed);
        (Arc::new(runner), ended)
    }

    fn add(runner: &Runner, key: &str) -> AbortHandle {
        let (abort, aborted) = AbortHandle::new_pair();
        let context = Context::for_test(key, 1);
        runner.add(NewRun {
            id: RunId {
                key: context.key().clone(),
                number: 0,
            },
            attempt: 1,
            input: RunInput {
                work: Work::One(Box::new(()), context.clone()),
                context,
            },
            aborted,
        });
        abort
    }

    async fn next(ended: &mut UnboundedReceiver<TaskEvent>) -> String {
        match ended.recv().await {
            Some(TaskEvent::Finished { run, outcome, .. }) if outcome.is_ok() => {
                run.key.to_string()
            }
            _ => panic!("no run has succeeded"),
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_waits_behind_a_run_that_blocks_its_thread_begins_when_it_is_overdue() {
        let (open, blocked) = std::sync::mpsc::channel::<()>();
        let blocked = Mutex::new(blocked);
        let (runner, mut ended) = runner(move |key| {
            if key == "blocks" {
                // Ends when the sender is gone, at the latest with the test.
                let _ = blocked.lock().unwrap().recv();
            }
        });
        add(&runner, "blocks");
        add(&runner, "behind");
        runner.start();
        while runner.queue().len() > 1 {
            tokio::task::yield_now().await;
        }
        runner.start_each();
        assert_eq!(next(&mut ended).await, "behind");
        drop(open);
        assert_eq!(next(&mut ended).await, "blocks");
    }

    #[tokio::test]
    async fn one_that_waits_holds_up_no_other_and_one_that_was_stopped_does_not_begin() {
        let (runner, mut ended) = runner(|key| assert_ne!(key, "stopped"));
        let waits = add(&runner, "waits");
        add(&runner, "stopped").abort();
        add(&runner, "last");
        runner.start();
        assert_eq!(next(&mut ended).await, "last");
        waits.abort();
        drop(runner);
        assert!(
            ended.recv().await.is_none(),
            "nobody hears of a run that was stopped"
        );
    }

    #[tokio::test]
    async fn runs_that_take_long_share_no_task() {
        let (runner, _ended) = runner(|_| ());
        let alive = || {
            tokio::runtime::Handle::current()
                .metrics()
                .num_alive_tasks()
        };
        let before = alive();
        (0..5).for_each(|_| drop(add(&runner, "quick")));
        runner.start();
        assert_eq!(alive() - before, 1);
        runner.pace.store(nanos(SHARE) / 2, Ordering::Relaxed);
        runner.start();
        assert_eq!(alive() - before, 1 + 3);
    }
}
