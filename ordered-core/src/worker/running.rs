use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, Sleep};
use tracing::{info, warn};

use super::asking::{Answer, Asker, Call};
use super::backoff::Tries;
use super::engine::{Engine, Parts};
use super::heartbeat::{Heart, Lease};
use super::intake::Intake;
use super::tasks::{News, Spawner};
use super::telemetry::Telemetry;
use super::{Settings, Worker, WorkerError, settler};
use crate::store::{Group, StoreError, Swept};
use crate::transport::{Delivery, Settlement};

/// How long the store has to take what the worker gives back after the drain timeout, and the broker the settlements.
const GIVE_UP: Duration = Duration::from_secs(5);

/// How many pieces of news are taken at a time.
const NEWS: usize = 256;

/// With so many commands said when an answer comes, they go out before it is worked on, so that store and worker are at work
/// at the same time. Fewer wait for those that follow from the answer: a call has a price of its own, and the commit of a hot key
/// that just misses one waits for two.
const ENOUGH: usize = 256;

/// A worker at work: the engine, and everything that carries its wishes out.
pub(super) struct Running {
    engine: Engine,
    asker: Asker,
    spawner: Spawner,
    settings: Settings,
    lease: Lease,
    random: fastrand::Rng,
    telemetry: Arc<Telemetry>,
    /// Heartbeat and intake; both end with this.
    tasks: JoinSet<Result<(), WorkerError>>,
    settler: JoinHandle<()>,
    settle: mpsc::UnboundedSender<Vec<Settlement>>,
    room: Arc<Semaphore>,
    deliveries: mpsc::Receiver<Vec<Delivery>>,
    news: mpsc::UnboundedReceiver<News>,
}

/// What is under way in the loop.
struct Course {
    asked: Option<Call<Answer>>,
    /// How often the lease had lapsed when `asked` went out, and when the engine was last told.
    asked_under: u64,
    known_lapses: u64,
    sweeping: Option<Call<Result<Swept, StoreError>>>,
    sweep_at: Instant,
    /// When to look what has waited too long behind its lane.
    tick_at: Instant,
    /// Set once the shutdown was asked for: when the handlers that still run are stopped.
    drain_until: Option<Pin<Box<Sleep>>>,
    /// They were stopped; the next deadline ends the wait for the store.
    stopped: bool,
}

impl Running {
    pub(super) fn start(worker: Worker, group: Group) -> Self {
        let Worker {
            store,
            transport,
            handler,
            options,
            settings,
            states,
            observers,
            span_hooks,
            stuck_hooks,
            id,
            mut random,
        } = worker;
        let telemetry = Arc::new(Telemetry::new(&Arc::from(group.name())));
        let heart = Heart {
            store: Arc::clone(&store),
            group: group.clone(),
            worker: id.clone(),
            lease: settings.lease,
            interval: settings.heartbeat,
            tries: Tries::new(random.fork()),
            telemetry: Arc::clone(&telemetry),
        };
        let (lease, beating) = heart.beating();
        let room = Arc::new(Semaphore::new(settings.read_ahead));
        // One batch waits while another is worked on; more would only be memory.
        let (sender, deliveries) = mpsc::channel(1);
        let intake = Intake {
            transport: Arc::clone(&transport),
            room: Arc::clone(&room),
            deliveries: sender,
            telemetry: Arc::clone(&telemetry),
        };
        let mut tasks = JoinSet::new();
        tasks.spawn(beating.map(Ok));
        tasks.spawn(async move { intake.run().await.map_err(WorkerError::Transport) });
        let (settle, settlements) = mpsc::unbounded_channel();
        let (tell, news) = mpsc::unbounded_channel();
        Self {
            spawner: Spawner {
                handler: Arc::clone(&handler),
                tell,
                timeout: options.timeout,
                span_hooks,
                telemetry: Arc::clone(&telemetry),
            },
            engine: Engine::new(Parts {
                handler,
                options,
                settings: settings.clone(),
                states,
                worker: id.clone(),
                observers,
                stuck_hooks,
                telemetry: Arc::clone(&telemetry),
                random: random.fork(),
            }),
            asker: Asker {
                store,
                group,
                worker: id,
                random: random.fork(),
                telemetry: Arc::clone(&telemetry),
            },
            settings,
            lease,
            random,
            telemetry,
            tasks,
            settler: tokio::spawn(settler::settle(transport, settlements)),
            settle,
            room,
            deliveries,
            news,
        }
    }

    pub(super) async fn run(
        mut self,
        shutdown: impl Future<Output = ()> + Send,
    ) -> Result<(), WorkerError> {
        let worked = self.work(shutdown).await;
        self.tasks.shutdown().await;
        self.engine.stop_runs();
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
        self.asker.leave().await;
        info!(worker = %self.asker.worker, "the worker has stopped");
        worked
    }

    /// The loop: everything that happens is given to the engine, and what the engine wants is set going.
    async fn work(&mut self, shutdown: impl Future<Output = ()> + Send) -> Result<(), WorkerError> {
        let mut shutdown = std::pin::pin!(shutdown);
        // Claims count only while the lease is good, so the first heartbeat comes before the first offer.
        tokio::select! {
            biased;
            () = &mut shutdown => return Ok(()),
            () = self.lease.renewed() => {}
        }
        let mut course = Course {
            asked: None,
            asked_under: 0,
            known_lapses: 0,
            sweeping: None,
            sweep_at: Instant::now() + self.until_sweep(),
            tick_at: Instant::now(),
            drain_until: None,
            stopped: false,
        };
        let mut news = Vec::with_capacity(NEWS);
        loop {
            self.set_going(&mut course);
            let draining = course.drain_until.is_some();
            if draining && course.asked.is_none() && self.engine.is_idle() {
                return Ok(());
            }
            let blocked = self.engine.has_ready() && !self.lease.is_good();
            // In this order, so that a seed repeats a run. Nothing can starve what stands behind it: verdicts follow
            // from what comes later in the list, and deliveries are bounded by what may be unsettled.
            tokio::select! {
                biased;
                () = &mut shutdown, if !draining => {
                    info!(worker = %self.asker.worker, keys = self.engine.lanes(), "the worker drains");
                    course.drain_until = Some(Box::pin(tokio::time::sleep(self.settings.drain_timeout)));
                    self.engine.begin_drain();
                }
                () = maybe(&mut course.drain_until) => {
                    if course.stopped {
                        return Ok(());
                    }
                    self.engine.stop_runs();
                    course.stopped = true;
                    course.drain_until = Some(Box::pin(tokio::time::sleep(GIVE_UP)));
                }
                Some(ended) = self.tasks.join_next() => match ended {
                    Ok(outcome) => outcome?,
                    Err(panic) => std::panic::resume_unwind(panic.into_panic()),
                },
                swept = maybe(&mut course.sweeping) => {
                    course.sweeping = None;
                    course.sweep_at = Instant::now() + self.on_swept(swept);
                }
                () = tokio::time::sleep_until(course.sweep_at), if course.sweeping.is_none() && !draining => {
                    course.sweeping = self.sweep();
                    course.sweep_at = Instant::now() + self.until_sweep();
                }
                () = tokio::time::sleep_until(course.tick_at), if self.engine.has_behind() => {
                    self.engine.on_tick();
                    course.tick_at = Instant::now() + self.settings.hold_after / 2;
                }
                () = self.lease.renewed(), if blocked => {}
                answer = maybe(&mut course.asked) => {
                    course.asked = None;
                    self.on_answer(answer, &mut course)?;
                }
                Some(batch) = self.deliveries.recv(), if !draining => self.engine.on_deliveries(batch),
                _ = self.news.recv_many(&mut news, NEWS) => news.drain(..).for_each(|news| self.on_news(news)),
                // Last, and after everybody else had a turn: what is there already goes with it, and so does what quick
                // handlers have done.
                () = tokio::task::yield_now(), if course.asked.is_none() && self.engine.said() > 0 => self.ask(&mut course),
            }
        }
    }

    /// Starts, sends and settles what the engine has ready.
    fn set_going(&mut self, course: &mut Course) {
        let lapses = self.lease.lapses();
        if course.known_lapses != lapses {
            course.known_lapses = lapses;
            self.engine.on_lapse();
        }
        if self.engine.has_ready() && self.lease.is_good() {
            while let Some(start) = self.engine.next_start() {
                match start.run {
                    Ok(run) => {
                        let handle = self.spawner.run(start.name.clone(), run);
                        self.engine.on_spawned(&start.name, handle);
                    }
                    Err(error) => self.engine.on_finished(&start.name, Err(error)),
                }
            }
        }
        self.engine.try_next_suspect();
        self.engine
            .take_pauses()
            .into_iter()
            .for_each(|pause| self.spawner.pause(pause));
        let settlements = self.engine.take_settlements();
        if !settlements.is_empty() {
            self.room.add_permits(settlements.len());
            // The settler ends only after this sender is gone.
            let _ = self.settle.send(settlements);
        }
        self.telemetry.lanes(self.engine.lanes());
    }

    fn on_answer(
        &mut self,
        (commands, thens, verdicts): Answer,
        course: &mut Course,
    ) -> Result<(), WorkerError> {
        let verdicts = verdicts.map_err(WorkerError::Store)?;
        let asked_under = course.asked_under;
        if self.engine.said() >= ENOUGH.min(self.settings.batch_commands) {
            self.ask(course);
        }
        self.engine.on_verdicts(commands, thens, verdicts);
        if asked_under != self.lease.lapses() {
            self.engine.on_lapse();
        }
        Ok(())
    }

    /// Sends what was said since the last batch. It is on its way when this returns.
    fn ask(&mut self, course: &mut Course) {
        let (commands, thens) = self.engine.take_batch();
        let mut call = self.asker.ask(commands, thens);
        if let Some(answer) = call.as_mut().now_or_never() {
            call = Box::pin(std::future::ready(answer));
        }
        course.asked = Some(call);
        course.asked_under = course.known_lapses;
    }

    fn on_news(&mut self, news: News) {
        match news {
            News::Finished(name, outcome) => self.engine.on_finished(&name, outcome),
            News::PauseOver(name) => self.engine.on_pause_over(&name),
        }
    }

    fn sweep(&self) -> Option<Call<Result<Swept, StoreError>>> {
        let limit = self.settings.sweep_limit.min(self.engine.spare_lanes());
        (limit > 0).then(|| self.asker.sweep(limit))
    }

    /// Gives what a sweep found to the engine, and says when to sweep again: at once where there may be more.
    fn on_swept(&mut self, swept: Result<Swept, StoreError>) -> Duration {
        match swept {
            Ok(swept) => {
                // Suspects take their time, and are found again.
                let more = swept.runnable.len() > swept.suspects.len();
                self.telemetry.swept(&swept);
                self.engine.on_swept(swept);
                if more {
                    self.until_sweep() / 20
                } else {
                    self.until_sweep()
                }
            }
            Err(error) => {
                warn!(%error, "could not sweep");
                self.until_sweep()
            }
        }
    }

    /// Between three quarters and five quarters of the interval, so that workers do not sweep in step.
    fn until_sweep(&mut self) -> Duration {
        self.settings
            .sweep_interval
            .mul_f64(0.75 + self.random.f64() / 2.0)
    }
}

/// The output of what is under way; never done while nothing is.
async fn maybe<T>(under_way: &mut Option<Pin<Box<impl Future<Output = T> + ?Sized>>>) -> T {
    match under_way {
        Some(future) => future.as_mut().await,
        None => std::future::pending().await,
    }
}
