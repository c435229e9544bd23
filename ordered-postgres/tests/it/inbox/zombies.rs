//! Workers that were paused beyond their lease and wake up in their handler.

use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ordered_core::handler::{Handler, HandlerError};
use ordered_core::transport::{MemoryBroker, Publish};
use ordered_core::worker::Worker;
use ordered_events::{Context, State, ordered_handler};
use ordered_postgres::inbox::{Inbox, Tx};
use ordered_redis::RedisStore;
use ordered_testkit::server::RedisServer;
use ordered_testkit::{eventually, unique};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::support::inbox::{Fixture, LEASE, Running, Step, Wire, event, pool};

/// The one that is stopped in the handler until it is let go; the others are not.
#[derive(Clone)]
struct Gate {
    stops: &'static str,
    reached: Arc<Notify>,
    go: Arc<Notify>,
}

impl Gate {
    fn new(stops: &'static str) -> Self {
        Self {
            stops,
            reached: Arc::default(),
            go: Arc::default(),
        }
    }
}

#[ordered_handler(key = "key", seq = "seq")]
async fn apply(
    step: Step,
    mut tx: Tx,
    context: Context,
    State(gate): State<Gate>,
) -> Result<(), HandlerError> {
    let client = tx.client().await?;
    let insert = "insert into effects (key, seq) values ($1, $2)";
    client.execute(insert, &[&step.key, &step.seq]).await?;
    if context.worker().as_str() == gate.stops {
        gate.reached.notify_one();
        gate.go.notified().await;
    }
    Ok(())
}

#[tokio::test]
async fn a_worker_that_lost_its_lease_in_its_handler_commits_nothing() {
    let fixture = Fixture::new().await;
    let gate = Gate::new("zombie");
    let broker = MemoryBroker::new();
    Publish::publish(&broker, vec![event("k0", 1)])
        .await
        .unwrap();
    let wire = Wire::new(&fixture.store);
    let zombie = fixture
        .worker("zombie", apply)
        .transport(broker.consumer())
        .store(wire.clone())
        .state(gate.clone());
    let zombie = Running::start(zombie);
    gate.reached.notified().await;
    wire.beats.store(false, Ordering::Relaxed);

    // The broker delivers the event again, to another worker.
    fixture.publish(1, 1..=2).await;
    let heir = Running::start(fixture.worker("heir", apply).state(gate.clone()));
    eventually("the heir applies both", async || {
        fixture.recorded("k0").await == 2
    })
    .await;
    // It may commit as far as it knows: only the row knows better.
    wire.beats.store(true, Ordering::Relaxed);
    gate.go.notify_one();
    fixture.settled().await;
    zombie.stop().await;
    heir.stop().await;
    fixture.assert_once(1, 2).await;
}

#[tokio::test]
async fn a_transaction_under_an_older_fence_is_rolled_back_without_the_lease_too() {
    let fixture = Fixture::new().await;
    let gate = Gate::new("by hand");
    let run = async |seq, fence| {
        let context = fixture.context("k0", seq, fence);
        let event = apply.decode(&event("k0", seq)).unwrap().event;
        let tx_of_run = ordered_core::handler::FromContext::from_context(&context).unwrap();
        gate.go.notify_one();
        let outcome = apply(event, tx_of_run, context.clone(), State(gate.clone())).await;
        (context, outcome)
    };
    // Both are in their handlers at once; the one that has taken the key over commits first.
    let (old, old_outcome) = run(1, 5).await;
    let (new, new_outcome) = run(1, 6).await;
    new.finish(new_outcome).await.unwrap();
    let refused = old.finish(old_outcome).await.unwrap_err().to_string();
    assert!(refused.contains("another worker has the key"), "{refused}");
    fixture.assert_once(1, 1).await;
}

#[tokio::test]
async fn a_transaction_that_is_left_open_is_ended_by_the_server() {
    let mut fixture = Fixture::new().await;
    fixture.inbox = Inbox::builder(pool(&fixture.url, 2))
        .idle_timeout(Duration::from_millis(100))
        .open()
        .await
        .unwrap();
    let gate = Gate::new("by hand");
    let context = fixture.context("k0", 1, 1);
    let step = apply.decode(&event("k0", 1)).unwrap().event;
    let tx = ordered_core::handler::FromContext::from_context(&context).unwrap();
    let handled = tokio::spawn(apply(step, tx, context.clone(), State(gate.clone())));
    gate.reached.notified().await;
    let open = "select count(*) from pg_locks where relation = 'effects'::regclass and mode = 'RowExclusiveLock'";
    eventually("the server ends it", async || {
        let row = fixture.client.query_one(open, &[]).await.unwrap();
        row.get::<_, i64>(0) == 0
    })
    .await;
    gate.go.notify_one();
    let outcome = handled.await.unwrap();
    let error = context.finish(outcome).await.unwrap_err().to_string();
    assert!(error.contains("idle_timeout"), "{error}");
    assert_eq!(fixture.effects().await.len(), 0);
}

/// How long the process may take for each of its steps.
const TIMEOUT: Duration = Duration::from_secs(30);

/// What the process is told, in its environment.
const TOLD: &str = "ORDERED_TEST_ZOMBIE";

#[ordered_handler(key = "key", seq = "seq")]
async fn say_and_wait(step: Step, mut tx: Tx, context: Context) -> Result<(), HandlerError> {
    let client = tx.client().await?;
    let insert = "insert into effects (key, seq) values ($1, $2)";
    client.execute(insert, &[&step.key, &step.seq]).await?;
    if context.worker().as_str() == "zombie" {
        println!("ZOMBIE in its handler");
        // Not awaited: it goes on in its handler before it can hear that its key is lost, which would stop it.
        std::thread::sleep(Duration::from_millis(500));
        println!("ZOMBIE wakes up");
    }
    Ok(())
}

/// Not a test: the process that is stopped. It ends when its input does.
#[tokio::test]
async fn process_of_the_zombie() {
    let Ok(told) = std::env::var(TOLD) else {
        return;
    };
    let [redis, postgres, group] = told.split(' ').collect::<Vec<_>>()[..] else {
        panic!("not three words: {told:?}");
    };
    let broker = MemoryBroker::new();
    broker.publish(vec![event("k0", 1)]).await.unwrap();
    let worker = Worker::builder()
        .store(RedisStore::connect(redis).await.unwrap())
        .transport(broker.consumer())
        .handler(say_and_wait)
        .group(group)
        .state(Inbox::open(pool(postgres, 2)).await.unwrap())
        .id("zombie")
        .lease(LEASE)
        .drain_timeout(Duration::from_secs(5));
    let orphaned = async {
        let mut line = String::new();
        let _ = BufReader::new(tokio::io::stdin())
            .read_line(&mut line)
            .await;
    };
    worker.run_until(orphaned).await.unwrap();
}

#[tokio::test]
async fn a_process_that_was_stopped_beyond_its_lease_commits_nothing() {
    let fixture = Fixture::new().await;
    let redis = RedisServer::shared().await.unwrap();
    let group = unique("zombie");
    let mut child: Child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "inbox::zombies::process_of_the_zombie",
            "--nocapture",
        ])
        .env(TOLD, format!("{} {} {group}", redis.url(), fixture.url))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let pid = Pid::from_raw(i32::try_from(child.id().unwrap()).unwrap()).unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut until = async |words: &str| {
        let mut all = Vec::new();
        loop {
            let line = timeout(TIMEOUT, said.next_line()).await;
            let line = line
                .unwrap_or_else(|_| panic!("never {words:?}: {all:?}"))
                .unwrap();
            all.push(line.unwrap_or_else(|| panic!("it ended before {words:?}: {all:?}")));
            if all.last().unwrap().contains(words) {
                return all;
            }
        }
    };
    until("ZOMBIE in its handler").await;
    kill_process(pid, Signal::STOP).unwrap();

    // The broker delivers the event again, to another worker.
    let broker = MemoryBroker::new();
    let again = vec![event("k0", 1), event("k0", 2)];
    Publish::publish(&broker, again).await.unwrap();
    let heir = fixture
        .worker("heir", say_and_wait)
        .store(RedisStore::connect(&redis.url()).await.unwrap())
        .transport(broker.consumer())
        .group(&group);
    let heir = Running::start(heir);
    eventually("the heir applies both", async || {
        fixture.effects().await.len() == 2
    })
    .await;
    eventually("and settles them", async || broker.backlog() == 0).await;

    kill_process(pid, Signal::CONT).unwrap();
    until("ZOMBIE wakes up").await;
    // Its end of input: it drains and ends.
    drop(child.stdin.take());
    let ended = timeout(TIMEOUT, child.wait()).await;
    assert!(ended.expect("it drains and ends").unwrap().success());
    heir.stop().await;
    fixture.assert_once(1, 2).await;
}
