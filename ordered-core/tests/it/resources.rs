//! What is attached to a run commits with it or is rolled back.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ordered_core::handler::{Context, HandlerError, RolledBack, RunResource};
use ordered_core::transport::Faults;

use crate::support::hooked_store::HookedStore;
use crate::support::world::{Act, World};

type Log = Arc<Mutex<Vec<String>>>;

/// Writes down how it ended. A run has one of each letter.
struct Paper<const LETTER: char> {
    name: String,
    log: Log,
    commit_fails: bool,
    done_before: bool,
    open: bool,
}

impl<const LETTER: char> Paper<LETTER> {
    fn new(context: &Context, log: &Log) -> Self {
        Self {
            name: format!("{}{LETTER}{}", context.seq().get(), context.attempt()),
            log: Arc::clone(log),
            commit_fails: false,
            done_before: false,
            open: true,
        }
    }

    fn note(&mut self, what: &str) {
        self.open = false;
        let line = format!("{} {what}", self.name);
        self.log.lock().unwrap().push(line);
    }
}

#[async_trait::async_trait]
impl<const LETTER: char> RunResource for Paper<LETTER> {
    async fn commit(mut self: Box<Self>) -> Result<(), HandlerError> {
        if self.commit_fails {
            self.note("fails to commit");
            return Err(HandlerError::transient("no ink"));
        }
        self.note("commits");
        Ok(())
    }

    async fn roll_back(mut self: Box<Self>) -> RolledBack {
        self.note("rolls back");
        if self.done_before {
            RolledBack::DoneBefore
        } else {
            RolledBack::NotDone
        }
    }
}

impl<const LETTER: char> Drop for Paper<LETTER> {
    fn drop(&mut self) {
        if self.open {
            self.note("is dropped");
        }
    }
}

/// A world of one key with two events, and the log of what its runs attached.
async fn world(script: impl Fn(&Context, &Log) -> Act + Send + Sync + 'static) -> (World, Log) {
    let log = Log::default();
    let to = Arc::clone(&log);
    let world = World::new(Faults::default()).script(move |context| script(context, &to));
    world.publish(1, 2).await;
    (world, log)
}

async fn handle_both(world: &World) {
    let worker = world.start("w1", |worker| worker.timeout(Duration::from_secs(1)));
    let done = |world: &World| world.broker.backlog() == 0;
    world.until("both are settled", done).await;
    worker.stop().await;
}

/// Attaches what `change` says of each letter.
fn attach<const LETTER: char>(
    context: &Context,
    log: &Log,
    change: impl FnOnce(&mut Paper<LETTER>),
) {
    let mut paper = Paper::<LETTER>::new(context, log);
    change(&mut paper);
    assert!(context.attach(paper));
}

#[tokio::test(start_paused = true)]
async fn what_a_run_attached_commits_after_the_handler_in_order() {
    let (world, log) = world(|context, log| {
        assert!(context.attach(Paper::<'a'>::new(context, log)));
        assert!(context.attach(Paper::<'b'>::new(context, log)));
        log.lock().unwrap().push("handled".into());
        Act::Succeed
    })
    .await;
    handle_both(&world).await;
    let one = |seq| {
        [
            "handled".into(),
            format!("{seq}a1 commits"),
            format!("{seq}b1 commits"),
        ]
    };
    assert_eq!(*log.lock().unwrap(), [one(1), one(2)].concat());
}

#[tokio::test(start_paused = true)]
async fn an_error_and_a_panic_roll_back_and_the_event_is_tried_again() {
    for act in [|| Act::Fail, || Act::Panic] {
        let (world, log) = world(move |context, log| {
            assert!(context.attach(Paper::<'a'>::new(context, log)));
            if context.seq().get() == 1 && context.attempt() == 1 {
                act()
            } else {
                Act::Succeed
            }
        })
        .await;
        handle_both(&world).await;
        let ends = ["1a1 rolls back", "1a2 commits", "2a1 commits"];
        assert_eq!(*log.lock().unwrap(), ends);
        world.assert_in_order_once(1, 2);
    }
}

#[tokio::test(start_paused = true)]
async fn a_timeout_drops_what_was_attached() {
    let (world, log) = world(|context, log| {
        assert!(context.attach(Paper::<'a'>::new(context, log)));
        if context.attempt() == 1 {
            Act::Hang
        } else {
            Act::Succeed
        }
    })
    .await;
    handle_both(&world).await;
    let one = |seq| [format!("{seq}a1 is dropped"), format!("{seq}a2 commits")];
    assert_eq!(*log.lock().unwrap(), [one(1), one(2)].concat());
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_fails_is_a_failed_attempt_and_rolls_the_others_back() {
    let (world, log) = world(|context, log| {
        let is_first = context.seq().get() == 1 && context.attempt() == 1;
        attach::<'a'>(context, log, |_| {});
        attach::<'b'>(context, log, |paper| paper.commit_fails = is_first);
        attach::<'c'>(context, log, |_| {});
        Act::Succeed
    })
    .await;
    handle_both(&world).await;
    let log = log.lock().unwrap();
    let first = ["1a1 commits", "1b1 fails to commit", "1c1 rolls back"];
    assert_eq!(log[..3], first);
    let again = ["1a2 commits", "1b2 commits", "1c2 commits"];
    assert_eq!(log[3..6], again);
}

#[tokio::test(start_paused = true)]
async fn a_failure_does_not_count_where_every_resource_has_the_event() {
    let (world, log) = world(|context, log| {
        // At the first attempt at the first event only one has it.
        let both = context.seq().get() == 2 || context.attempt() > 1;
        attach::<'a'>(context, log, |paper| paper.done_before = true);
        attach::<'b'>(context, log, |paper| paper.done_before = both);
        Act::Fail
    })
    .await;
    handle_both(&world).await;
    let runs: Vec<_> = log.lock().unwrap().clone();
    assert_eq!(
        runs,
        [
            "1a1 rolls back",
            "1b1 rolls back",
            "1a2 rolls back",
            "1b2 rolls back",
            "2a1 rolls back",
            "2b1 rolls back"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_worker_whose_lease_ended_in_its_handler_commits_nothing() {
    let log = Log::default();
    let (to, beats) = (Arc::clone(&log), Arc::new(AtomicBool::new(true)));
    let stopped = Arc::clone(&beats);
    let mut world = World::new(Faults::default()).script(move |context| {
        assert!(context.attach(Paper::<'a'>::new(context, &to)));
        // From the second attempt on the lease is kept.
        stopped.store(true, Ordering::Relaxed);
        Act::Succeed
    });
    world.handler.work = Duration::from_secs(5);
    world.publish(1, 1).await;
    let store = {
        let beats = Arc::clone(&beats);
        HookedStore::new(&world.store).beats(move || beats.load(Ordering::Relaxed))
    };
    let worker = world.start("w1", |worker| {
        worker.store(store).lease(Duration::from_secs(2))
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    beats.store(false, Ordering::Relaxed);
    let done = |world: &World| world.broker.backlog() == 0;
    world.until("it is settled", done).await;
    worker.stop().await;
    assert_eq!(*log.lock().unwrap(), ["1a1 rolls back", "1a2 commits"]);
}

#[tokio::test(start_paused = true)]
async fn what_an_event_attached_ends_before_the_next_one_of_its_run() {
    let (world, log) = world(|context, log| {
        let line = format!("{} begins", context.seq().get());
        log.lock().unwrap().push(line);
        assert!(context.attach(Paper::<'a'>::new(context, log)));
        Act::Succeed
    })
    .await;
    let worker = world.start("w1", |worker| worker.batch(10));
    let done = |world: &World| world.broker.backlog() == 0;
    world.until("both are settled", done).await;
    worker.stop().await;
    let both = ["1 begins", "1a1 commits", "2 begins", "2a1 commits"];
    assert_eq!(*log.lock().unwrap(), both);
}

#[tokio::test(start_paused = true)]
async fn a_run_has_one_resource_of_a_type() {
    let (world, log) = world(|context, log| {
        assert!(context.attach(Paper::<'a'>::new(context, log)));
        assert!(!context.attach(Paper::<'a'>::new(context, log)));
        Act::Succeed
    })
    .await;
    handle_both(&world).await;
    let one = |seq| [format!("{seq}a1 is dropped"), format!("{seq}a1 commits")];
    assert_eq!(*log.lock().unwrap(), [one(1), one(2)].concat());
}

#[tokio::test(start_paused = true)]
async fn a_new_numbering_is_told_to_the_handler() {
    use ordered_core::admin::OperateOptions;
    use ordered_core::protocol::Verb;
    use ordered_core::store::Operator;

    let epochs = Arc::new(Mutex::new(Vec::new()));
    let to = Arc::clone(&epochs);
    let world = World::new(Faults::default()).script(move |context| {
        let place = (context.epoch(), context.seq().get());
        to.lock().unwrap().push(place);
        Act::Succeed
    });
    world.publish(1, 2).await;
    let worker = world.start("w1", |worker| worker);
    world
        .until("both are handled", |world| world.handled() == 2)
        .await;
    let admin = world.admin();
    let group = admin.group("test").await.unwrap().unwrap();
    let key = ordered_core::event::Key::new("k0").unwrap();
    let operator = Operator::default();
    let verb = Verb::SetLast { to: 0 };
    admin
        .operate(&group, &key, &verb, &operator, OperateOptions::default())
        .await
        .unwrap();
    let again = ordered_core::event::Envelope::new("k0 1 another");
    ordered_core::transport::Publish::publish(&world.broker, vec![again])
        .await
        .unwrap();
    world
        .until("it is handled", |world| world.handled() == 3)
        .await;
    worker.stop().await;
    assert_eq!(*epochs.lock().unwrap(), [(0, 1), (0, 2), (1, 1)]);
}
