use std::any::type_name;
use std::sync::Arc;
use std::time::Duration;

use super::{
    BuildError, Health, Observer, Repair, Settings, SpanHook, StuckHook, StuckKey, Worker,
    WorkerEvent,
};
use crate::handler::{
    Backoff, Context, DynHandler, Handler, HandlerError, HandlerOptions, Layered, MOST_AHEAD,
    Middleware, Next, OnExhausted, OnPassed, OnRepeat, OnStateLoss, Plain, Router, States,
    middleware,
};
use crate::protocol::{GapPolicy, Order, Start, WorkerId};
use crate::store::Store;
use crate::transport::Transport;

/// Puts a [`Worker`] together: a store, a transport, a handler, the application's state, and settings.
///
/// What is set here goes before what the handler's attribute says.
#[derive(Default)]
#[must_use]
pub struct WorkerBuilder {
    store: Option<Arc<dyn Store>>,
    transport: Option<Arc<dyn Transport>>,
    handler: Option<Arc<dyn DynHandler>>,
    /// The type of `handler`.
    handler_type: &'static str,
    /// The groups of handlers that were given before `handler`.
    replaced: Vec<String>,
    middleware: Vec<Middleware>,
    overrides: Vec<Override>,
    settings: Settings,
    states: States,
    observers: Vec<Observer>,
    span_hooks: Vec<SpanHook>,
    stuck_hooks: Vec<StuckHook>,
    repair: Option<Arc<dyn Repair>>,
    id: Option<String>,
    seed: Option<u64>,
}

type Override = Box<dyn FnOnce(&mut HandlerOptions) + Send>;

impl WorkerBuilder {
    /// Where the state of the keys is.
    pub fn store(self, store: impl Store) -> Self {
        self.shared_store(Arc::new(store))
    }

    /// The same, for a store that was chosen at run time.
    pub fn shared_store(mut self, store: Arc<dyn Store>) -> Self {
        self.store = Some(store);
        self
    }

    /// Where the events come from.
    pub fn transport(self, transport: impl Transport) -> Self {
        self.shared_transport(Arc::new(transport))
    }

    /// The same, for a transport that was chosen at run time.
    pub fn shared_transport(mut self, transport: Arc<dyn Transport>) -> Self {
        self.transport = Some(transport);
        self
    }

    /// What handles the events: a function with `#[ordered_handler]`, a [`Router`] of several, or any [`Handler`]. A
    /// worker has one: a second is an error of [`build`](Self::build).
    ///
    /// Of a handler that names the types of its events (`on = "OrderCreated"`) a router is made, whose other events are
    /// [unhandled](crate::handler::Unhandled::Halt).
    pub fn handler<H: Handler>(mut self, handler: H) -> Self {
        self.handler_type = type_name::<H>();
        if let Some(replaced) = self.handler.replace(Arc::new(handler)) {
            self.replaced.push(replaced.options().group);
        }
        self
    }

    /// Puts a function around each run of the handler: it is given the [`Context`] of the run, and the run as [`Next`].
    /// The one that is given first is the outermost. See [`Middleware`] for what it can do, and what stays with the
    /// worker.
    ///
    /// ```
    /// # use ordered_core::handler::{Context, HandlerError, Next};
    /// # use ordered_core::worker::Worker;
    /// async fn timed(context: Context, next: Next) -> Result<(), HandlerError> {
    ///     let begun = std::time::Instant::now();
    ///     let outcome = next.run().await;
    ///     println!("{} took {:?}", context.key(), begun.elapsed());
    ///     outcome
    /// }
    ///
    /// let worker = Worker::builder().middleware(timed);
    /// ```
    pub fn middleware<F, O>(mut self, around: F) -> Self
    where
        F: Fn(Context, Next) -> O + Send + Sync + 'static,
        O: Future<Output = Result<(), HandlerError>> + Send + 'static,
    {
        self.middleware.push(middleware(around));
        self
    }

    /// Application state, for the handler's `State<T>` arguments; one value per type.
    pub fn state<T: Clone + Send + Sync + 'static>(mut self, value: T) -> Self {
        self.states.insert(value);
        self
    }

    /// Changes options of the handler: `.options(|options| options.timeout = Duration::from_secs(5))`.
    pub fn options(mut self, change: impl FnOnce(&mut HandlerOptions) + Send + 'static) -> Self {
        self.overrides.push(Box::new(change));
        self
    }

    /// The group, in place of the handler's own.
    pub fn group(self, name: impl Into<String>) -> Self {
        let name = name.into();
        self.options(|options| options.group = name)
    }

    /// How long one run of the handler may take.
    pub fn timeout(self, timeout: Duration) -> Self {
        self.options(move |options| options.timeout = timeout)
    }

    /// How long an event whose handler fails is tried again; `None`: until it succeeds. See
    /// [`Policy::give_up_after`](crate::protocol::Policy::give_up_after).
    pub fn give_up_after(self, time: impl Into<Option<Duration>>) -> Self {
        let time = time.into();
        self.options(move |options| options.policy.give_up_after = time)
    }

    /// How often one event is tried at the most. See [`Policy::max_attempts`](crate::protocol::Policy::max_attempts).
    pub fn max_attempts(self, attempts: u32) -> Self {
        self.options(move |options| options.policy.max_attempts = Some(attempts))
    }

    /// How many workers may die while they run one event alone. See
    /// [`Policy::max_crashes`](crate::protocol::Policy::max_crashes).
    pub fn max_crashes(self, crashes: u32) -> Self {
        self.options(move |options| options.policy.max_crashes = crashes)
    }

    /// How long to wait between attempts.
    pub fn backoff(self, backoff: Backoff) -> Self {
        self.options(move |options| options.backoff = backoff)
    }

    /// In which order the events of a key run. See [`Order`]; it cannot be changed for a group that exists.
    pub fn order(self, order: Order) -> Self {
        self.options(move |options| options.policy.order = order)
    }

    /// How many producers one key has at the most, where the order comes from them. See
    /// [`Policy::max_producers`](crate::protocol::Policy::max_producers).
    pub fn max_producers(self, producers: u32) -> Self {
        self.options(move |options| options.policy.max_producers = producers)
    }

    /// How long a producer is waited for that says nothing, with Lamport times. See
    /// [`Policy::producer_lease`](crate::protocol::Policy::producer_lease).
    pub fn producer_lease(self, lease: Duration) -> Self {
        self.options(move |options| options.policy.producer_lease = lease)
    }

    /// How long an event waits at the most for what may come before it, with Lamport times: a guess. See
    /// [`Policy::max_delay`](crate::protocol::Policy::max_delay).
    pub fn max_delay(self, delay: impl Into<Option<Duration>>) -> Self {
        let delay = delay.into();
        self.options(move |options| options.policy.max_delay = delay)
    }

    /// How long a committed event is remembered.
    pub fn dedup_ttl(self, ttl: Duration) -> Self {
        self.options(move |options| options.policy.dedup_ttl = ttl)
    }

    /// All settings of the worker at once, such as [`Settings::from_env`], in place of what was set before.
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// How many handlers run at a time. See [`Settings::concurrency`].
    pub fn concurrency(mut self, handlers: usize) -> Self {
        self.settings.concurrency = handlers;
        self
    }

    /// How many deliveries may be unsettled. See [`Settings::read_ahead`].
    pub fn read_ahead(mut self, deliveries: usize) -> Self {
        self.settings.read_ahead = deliveries;
        self
    }

    /// How long claims stay good after a sign of life; a heartbeat is then sent six times in it, but no more often
    /// than every 50 ms. See [`Settings::lease`].
    pub fn lease(mut self, lease: Duration) -> Self {
        self.settings.lease = lease;
        self.settings.heartbeat = Settings::heartbeat_of(lease);
        self
    }

    /// How often to give a sign of life. See [`Settings::heartbeat`].
    pub fn heartbeat(mut self, interval: Duration) -> Self {
        self.settings.heartbeat = interval;
        self
    }

    /// How often to look for keys that nobody runs. See [`Settings::sweep_interval`].
    pub fn sweep_interval(mut self, interval: Duration) -> Self {
        self.settings.sweep_interval = interval;
        self
    }

    /// How many keys the worker runs at a time. See [`Settings::max_lanes`].
    pub fn max_lanes(mut self, keys: usize) -> Self {
        self.settings.max_lanes = keys;
        self
    }

    /// How many keys one sweep takes over. See [`Settings::sweep_limit`].
    pub fn sweep_limit(mut self, keys: usize) -> Self {
        self.settings.sweep_limit = keys;
        self
    }

    /// How long events may wait in the worker for room in their key's lane. See [`Settings::hold_after`].
    pub fn hold_after(mut self, wait: Duration) -> Self {
        self.settings.hold_after = wait;
        self
    }

    /// How long handlers may still run after a shutdown. See [`Settings::drain_timeout`].
    pub fn drain_timeout(mut self, timeout: Duration) -> Self {
        self.settings.drain_timeout = timeout;
        self
    }

    /// How large an event may be. See [`Settings::max_body_bytes`].
    pub fn max_body_bytes(mut self, bytes: usize) -> Self {
        self.settings.max_body_bytes = bytes;
        self
    }

    /// How large an event may be that is too large to be run, and is kept whole. See [`Settings::max_kept_bytes`].
    pub fn max_kept_bytes(mut self, bytes: usize) -> Self {
        self.settings.max_kept_bytes = bytes;
        self
    }

    /// How long an event stays with the broker when it cannot be held. See [`Settings::defer`].
    pub fn defer(mut self, delay: Duration) -> Self {
        self.settings.defer = delay;
        self
    }

    /// At how many runs in a row the worker looks, to start fewer where most fail for the same cause. See
    /// [`Settings::breaker_runs`].
    pub fn breaker_runs(mut self, runs: usize) -> Self {
        self.settings.breaker_runs = runs;
        self
    }

    /// The longest wait between two starts meanwhile. See [`Settings::breaker_wait`].
    pub fn breaker_wait(mut self, wait: Duration) -> Self {
        self.settings.breaker_wait = wait;
        self
    }

    /// How many commands go to the store in one batch. See [`Settings::batch_commands`].
    pub fn batch_commands(mut self, commands: usize) -> Self {
        self.settings.batch_commands = commands;
        self
    }

    /// How many bytes go to the store in one batch. See [`Settings::batch_bytes`].
    pub fn batch_bytes(mut self, bytes: u64) -> Self {
        self.settings.batch_bytes = bytes;
        self
    }

    /// How long servers that are not up yet are waited for at start. See [`Settings::connect_timeout`].
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.settings.connect_timeout = timeout;
        self
    }

    /// Is told what happens to every event.
    pub fn observe(mut self, observer: impl Fn(&WorkerEvent<'_>) + Send + Sync + 'static) -> Self {
        self.observers.push(Arc::new(observer));
        self
    }

    /// Is given the span of each run of the handler, to tie it to the trace of the producer. See [`SpanHook`]. With the
    /// feature `opentelemetry` of `ordered-events` that is done already.
    pub fn on_span(
        mut self,
        hook: impl Fn(&tracing::Span, &Context) + Send + Sync + 'static,
    ) -> Self {
        self.span_hooks.push(Arc::new(hook));
        self
    }

    /// Is told of keys that do not go on by themselves, so that it can call a person. See [`StuckHook`].
    pub fn on_stuck(mut self, hook: impl Fn(&StuckKey<'_>) + Send + Sync + 'static) -> Self {
        self.stuck_hooks.push(Arc::new(hook));
        self
    }

    /// What happens to an event that failed permanently. See [`HandlerOptions::on_exhausted`].
    pub fn on_exhausted(self, then: OnExhausted) -> Self {
        self.options(move |options| options.on_exhausted = then)
    }

    /// What the workers do when the store has lost the state of the group. See [`HandlerOptions::on_state_loss`].
    pub fn on_state_loss(self, then: OnStateLoss) -> Self {
        self.options(move |options| options.on_state_loss = then)
    }

    /// What to do about an event that does not come while later ones wait.
    pub fn on_gap(self, policy: GapPolicy) -> Self {
        self.options(move |options| options.policy.on_gap = policy)
    }

    /// Where a key begins of which nothing is known.
    pub fn start(self, start: Start) -> Self {
        self.options(move |options| options.policy.start = start)
    }

    /// Who is asked for events that do not come. Needed with [`GapPolicy::Repair`]. Where the order comes from the
    /// producers, it has to [know producers](Repair::knows_producers).
    pub fn repair(mut self, repair: impl Repair) -> Self {
        self.repair = Some(Arc::new(repair));
        self
    }

    /// What happens to an event that comes after its seq was skipped.
    pub fn on_late(self, then: OnPassed) -> Self {
        self.options(move |options| options.on_late = then)
    }

    /// What happens to an event that was committed before, under an id that is not remembered. See
    /// [`HandlerOptions::on_stale`].
    pub fn on_stale(self, then: OnPassed) -> Self {
        self.options(move |options| options.on_stale = then)
    }

    /// What happens to an event whose id was committed under another seq. See [`HandlerOptions::on_repeat`].
    pub fn on_repeat(self, then: OnRepeat) -> Self {
        self.options(move |options| options.on_repeat = then)
    }

    /// After how long a key that waits for an event counts as stuck.
    pub fn stuck_after(self, time: Duration) -> Self {
        self.options(move |options| options.policy.stuck_after = time)
    }

    /// The longest wait between attempts that the worker sits out itself.
    pub fn lane_backoff(self, longest: Duration) -> Self {
        self.options(move |options| options.lane_backoff = longest)
    }

    /// How many events of one key the handler takes at a time. A handler that takes one event is called for each of a
    /// run. See [`HandlerOptions::batch`].
    pub fn batch(self, events: u32) -> Self {
        self.options(move |options| options.set_batch(events))
    }

    /// How many events of a key may be done and not committed yet while the next one runs. See
    /// [`HandlerOptions::commit_window`] for what that weakens.
    pub fn commit_window(self, events: u32) -> Self {
        self.options(move |options| options.set_commit_window(events))
    }

    /// The worker's name in logs, in the store and in the handler's context. It must be unique among all runs of all
    /// workers of the group. Default: host name, process id and a random part.
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// The seed of the worker's random choices (jitter), for tests that repeat a run.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Checks everything and makes the worker.
    ///
    /// # Errors
    /// Names the part that is missing or the setting that cannot work, and what to do.
    pub fn build(self) -> Result<Worker, BuildError> {
        let missing = |part, how| BuildError::Missing { part, how };
        if !self.replaced.is_empty() {
            return Err(BuildError::SeveralHandlers {
                replaced: self.replaced,
            });
        }
        let handler = self
            .handler
            .ok_or_else(|| missing("handler", "`.handler(…)`"))?;
        let handler: Arc<dyn DynHandler> = match handler.handled_types() {
            Some(_) => Arc::new(Router::of(handler)),
            None => handler,
        };
        let store = self.store.ok_or_else(|| missing("store", "`.store(…)`"))?;
        let transport = self
            .transport
            .ok_or_else(|| missing("transport", "`.transport(…)`"))?;
        handler.check(&self.states)?;
        let mut options = handler.options();
        self.overrides
            .into_iter()
            .for_each(|change| change(&mut options));
        handler.validate(&options)?;
        validate(&options)?;
        if matches!(options.policy.on_gap, GapPolicy::Repair { .. }) {
            let Some(repair) = &self.repair else {
                let how = "`.repair(…)`, which says who is asked for missing events, since `on_gap` is `repair`,";
                return Err(missing("repair", how));
            };
            let order = options.policy.order;
            if order.has_producers() && !repair.knows_producers() {
                return Err(BuildError::setting(
                    "repair",
                    format!(
                        "cannot be asked for the events of one producer, and in the order `{order}` it would be: what \
                         is missing has the seq of its producer. Give one whose `knows_producers` is true, or take \
                         `on_gap` `wait`, `skip` or `halt`"
                    ),
                ));
            }
        }
        let settings = self.settings.validated(&options)?;
        if self.id.as_deref() == Some("") {
            return Err(BuildError::setting(
                "id",
                "is empty: leave it out, and one is made up",
            ));
        }
        let handler_type = self.handler_type;
        let handler = Arc::new(Plain::over(
            Layered::over(handler, self.middleware),
            settings.max_body_bytes,
            settings.max_kept_bytes,
        ));
        let id = WorkerId::new(self.id.unwrap_or_else(unique_name));
        let health = Health::new(&options.group, id.clone(), settings.lease, &transport);
        Ok(Worker {
            store,
            transport,
            handler,
            handler_type,
            options,
            settings,
            states: Arc::new(self.states),
            observers: self.observers,
            span_hooks: self.span_hooks.into(),
            stuck_hooks: self.stuck_hooks,
            repair: self.repair,
            id,
            health,
            random: self
                .seed
                .map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed),
        })
    }

    /// Builds the worker and runs it until `shutdown` is done. See [`Worker::run_until`].
    ///
    /// # Errors
    /// As [`WorkerBuilder::build`] and [`Worker::run_until`].
    pub async fn run_until(
        self,
        shutdown: impl Future<Output = ()> + Send,
    ) -> Result<(), super::WorkerError> {
        self.build()?.run_until(shutdown).await
    }
}

fn validate(options: &HandlerOptions) -> Result<(), BuildError> {
    let policy = &options.policy;
    if options.group.is_empty() {
        return Err(BuildError::setting(
            "group",
            "is empty: give the group a name",
        ));
    }
    if options.timeout.is_zero() {
        return Err(BuildError::setting("timeout", "must be more than nothing"));
    }
    if policy.max_attempts == Some(0) {
        return Err(BuildError::setting("max_attempts", "must be at least 1"));
    }
    if policy.max_crashes == 0 {
        return Err(BuildError::setting("max_crashes", "must be at least 1"));
    }
    if policy.give_up_after == Some(Duration::ZERO) {
        let why = "must be more than nothing; `max_attempts` of 1 gives up at the first failure";
        return Err(BuildError::setting("give_up_after", why));
    }
    if policy.lane_depth == 0 || policy.next_events == 0 {
        return Err(BuildError::setting(
            "lane_depth",
            "and `next_events` must be at least 1",
        ));
    }
    if crate::event::Seq::new(policy.first_seq).is_err() {
        return Err(BuildError::setting("first_seq", "must be from 0 to 2^53-1"));
    }
    if policy.start
        == (Start::FirstSeen {
            settle: Duration::ZERO,
        })
    {
        let why = "must be more than nothing: smaller seqs may come after the first one";
        return Err(BuildError::setting("settle", why));
    }
    if policy.dedup_ttl.is_zero() {
        return Err(BuildError::setting(
            "dedup_ttl",
            "must be more than nothing",
        ));
    }
    if let Err((option, why)) = options.check_order() {
        return Err(BuildError::setting(option, why));
    }
    validate_ahead(options)
}

/// What lets events of a key run before those before them are committed.
fn validate_ahead(options: &HandlerOptions) -> Result<(), BuildError> {
    let (batch, window) = (options.batch, options.commit_window);
    if !(1..=MOST_AHEAD).contains(&batch) {
        let why = format!("is {batch}, and must be from 1 to {MOST_AHEAD}");
        return Err(BuildError::setting("batch", why));
    }
    if window > MOST_AHEAD {
        let why = format!("is {window}, and must be from 0 to {MOST_AHEAD}");
        return Err(BuildError::setting("commit_window", why));
    }
    let depth = options.policy.lane_depth;
    let needed = batch.max(window + 1);
    if depth < needed {
        let why = format!(
            "is {depth}, and must be at least {needed} with a `batch` of {batch} and a `commit_window` of {window}"
        );
        return Err(BuildError::setting("lane_depth", why));
    }
    Ok(())
}

fn unique_name() -> String {
    let host = std::fs::read_to_string("/etc/hostname")
        .ok()
        .or_else(|| std::env::var("HOSTNAME").ok());
    let host = host
        .as_deref()
        .map(str::trim)
        .filter(|host| !host.is_empty())
        .unwrap_or("worker");
    format!("{host}-{}-{:08x}", std::process::id(), fastrand::u32(..))
}
