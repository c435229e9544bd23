//! How a worker that was built becomes one at work: its tasks, and what they tell one another through.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::FutureExt;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

use super::WorkerLoop;
use crate::handler::HandlerOptions;
use crate::protocol::engine::{Engine, Rules};
use crate::store::{Group, Session};
use crate::worker::backoff::RetryBackoff;
use crate::worker::breaker::Breaker;
use crate::worker::lease_keeper::LeaseKeeper;
use crate::worker::receiver::DeliveryReceiver;
use crate::worker::reporter::Reporter;
use crate::worker::run_input::RunInputs;
use crate::worker::runner::Runner;
use crate::worker::store_client::StoreClient;
use crate::worker::store_clock::StoreClock;
use crate::worker::tasks::Tasks;
use crate::worker::telemetry::Telemetry;
use crate::worker::{Settings, Worker, WorkerError, settler};

impl WorkerLoop {
    pub(in crate::worker) fn start(worker: Worker, group: Group, session: Session) -> Self {
        let Worker {
            store,
            transport,
            handler,
            handler_type: _,
            options,
            settings,
            states,
            observers,
            span_hooks,
            stuck_hooks,
            repair,
            id,
            health,
            mut random,
        } = worker;
        let name: Arc<str> = Arc::from(group.name());
        let telemetry = Arc::new(Telemetry::new(&name, &options.policy, health));
        let keeper = LeaseKeeper {
            store: Arc::clone(&store),
            group: group.clone(),
            session: session.clone(),
            lease: settings.lease,
            interval: settings.heartbeat,
            backoff: RetryBackoff::new(random.fork()),
            telemetry: Arc::clone(&telemetry),
        };
        let (lease, beating) = keeper.start();
        let room = Arc::new(Semaphore::new(settings.read_ahead));
        // One batch waits while another is worked on; more would only be memory.
        let (sender, deliveries) = mpsc::channel(1);
        let receiver = DeliveryReceiver {
            transport: Arc::clone(&transport),
            room: Arc::clone(&room),
            deliveries: sender,
            telemetry: Arc::clone(&telemetry),
        };
        let mut background = JoinSet::new();
        background.spawn(beating.map(|error| Err(WorkerError::Store(error))));
        background.spawn(async move { receiver.run().await.map_err(WorkerError::Transport) });
        let (settle, settlements) = mpsc::unbounded_channel();
        let (task_event_sender, task_events) = mpsc::unbounded_channel();
        Self {
            breaker: Breaker::new(
                Arc::clone(&name),
                settings.breaker_runs,
                settings.breaker_wait,
            ),
            engine: Engine::new(rules(&options, &settings, id.as_str())),
            effects: Vec::new(),
            tasks: Tasks {
                runner: Arc::new(Runner::new(
                    Arc::clone(&handler),
                    options.timeout,
                    span_hooks,
                    Arc::clone(&telemetry),
                    task_event_sender.clone(),
                )),
                task_events: task_event_sender,
                runs: HashMap::default(),
            },
            reporter: Reporter {
                group: Arc::clone(&name),
                worker: id.clone(),
                observers,
                stuck_hooks,
                repair,
                telemetry: Arc::clone(&telemetry),
                on_late: options.on_late,
                on_stale: options.on_stale,
                defer: settings.defer,
                excerpts: HashMap::new(),
                settlements: Vec::new(),
            },
            inputs: RunInputs {
                handler,
                group: Arc::clone(&name),
                worker: id,
                states,
                batches: options.batch > 1,
                numbers_itself: options.policy.order.numbers_itself(),
                has_producers: options.policy.order.has_producers(),
                max_body_bytes: settings.max_body_bytes,
                lease: Arc::new(lease.clone()),
            },
            store: StoreClient::new(
                store,
                group,
                session.clone(),
                random.fork(),
                Arc::clone(&telemetry),
            ),
            session,
            options,
            settings,
            lease,
            clock: StoreClock::synced(0),
            random,
            telemetry,
            reported: HashMap::new(),
            background,
            settler: tokio::spawn(settler::settle(transport, settlements)),
            settle,
            room,
            deliveries,
            task_events,
        }
    }
}

fn rules(options: &HandlerOptions, settings: &Settings, worker: &str) -> Rules {
    Rules {
        worker: worker.to_owned(),
        policy: options.policy.clone(),
        batch: options.batch,
        commit_window: options.commit_window,
        on_exhausted: options.on_exhausted,
        on_late: options.on_late,
        on_stale: options.on_stale,
        on_repeat: options.on_repeat,
        own_backoff: options.lane_backoff,
        concurrency: settings.concurrency,
        max_keys: settings.max_lanes,
        read_ahead: settings.read_ahead,
        overflow: !settings.hold_after.is_zero(),
    }
}
