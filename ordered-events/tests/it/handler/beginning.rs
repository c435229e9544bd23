//! Keys that begin with another seq than 1.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use ordered_core::admin::OperateOptions;
use ordered_core::clock::Clock;
use ordered_core::explain::{KeyStatus, explain};
use ordered_core::internal::KeyState;
use ordered_core::protocol::{KeyView, Policy, Refusal, Verb, Verdict};
use ordered_core::store::{Group, Operator};
use ordered_core::transport::ReasonKind;
use ordered_events::{
    Admin, Context, Control, Envelope, Key, MemoryBroker, MemoryStore, Publish, Seq, State, Worker,
    WorkerBuilder, ordered_handler,
};
use serde::Deserialize;
use tokio::sync::oneshot;

type Log = Arc<Mutex<Vec<u64>>>;

#[derive(Deserialize)]
struct Event {
    stream: String,
    revision: u64,
}

#[ordered_handler(key = "stream", seq = "revision", first_seq = 0, group = "streams")]
async fn from_zero(event: Event, State(log): State<Log>, context: Context) {
    assert_eq!(event.stream, "s");
    assert_eq!(context.seq().get(), event.revision);
    log.lock().unwrap().push(event.revision);
}

#[ordered_handler(
    key = "stream",
    seq = "revision",
    first_seq = 0,
    group = "streams",
    batch = 10
)]
async fn together(events: Vec<Event>, State(log): State<Log>) {
    let revisions = events.iter().map(|event| event.revision);
    log.lock().unwrap().extend(revisions);
}

#[ordered_handler(key = "stream", seq = "revision", group = "streams")]
async fn from_one(event: Event, State(log): State<Log>) {
    log.lock().unwrap().push(event.revision);
}

fn event(revision: u64, id: &str) -> Envelope {
    Envelope::new(format!(
        r#"{{"stream":"s","revision":{revision},"event_id":"{id}"}}"#
    ))
}

struct Fixture {
    store: MemoryStore,
    broker: MemoryBroker,
    log: Log,
}

impl Fixture {
    fn new() -> Self {
        Self {
            store: MemoryStore::with_clock(Clock::tokio()),
            broker: MemoryBroker::new(),
            log: Log::default(),
        }
    }

    fn worker(&self) -> WorkerBuilder {
        Worker::builder()
            .store(self.store.clone())
            .transport(self.broker.consumer())
            .state(Arc::clone(&self.log))
    }

    fn start(&self) -> oneshot::Sender<()> {
        self.start_as(self.worker().handler(from_zero))
    }

    fn start_as(&self, worker: WorkerBuilder) -> oneshot::Sender<()> {
        let (stop, stopped) = oneshot::channel::<()>();
        let worker = worker.build().unwrap();
        tokio::spawn(worker.run_until(async {
            let _ = stopped.await;
        }));
        stop
    }

    async fn publish(&self, revisions: &[u64]) {
        let id = |revision: &u64| event(*revision, &format!("e{revision}"));
        let events = revisions.iter().map(id);
        self.broker.publish(events.collect()).await.unwrap();
    }

    fn handled(&self) -> Vec<u64> {
        self.log.lock().unwrap().clone()
    }

    fn admin(&self) -> Admin {
        Admin::new(Arc::new(self.store.clone()))
    }

    async fn view(&self) -> KeyView {
        self.admin()
            .inspect(&group(), &key())
            .await
            .unwrap()
            .unwrap()
    }

    async fn operate(&self, verb: &Verb) -> Verdict {
        let operator = Operator {
            who: "anna".into(),
            why: String::new(),
        };
        let (group, key, admin) = (group(), key(), self.admin());
        let verdict = admin.operate(&group, &key, verb, &operator, OperateOptions::default());
        verdict.await.unwrap()
    }
}

fn group() -> Group {
    let mut policy = Policy::default();
    policy.first_seq = 0;
    Group::new("streams", policy)
}

fn key() -> Key {
    Key::new("s").unwrap()
}

async fn some_time() {
    tokio::time::sleep(Duration::from_secs(20)).await;
}

#[tokio::test(start_paused = true)]
async fn keys_that_begin_with_zero_are_handled_from_zero_on_in_order_and_once() {
    let fixture = Fixture::new();
    let running = fixture.start();
    fixture.publish(&[2, 1]).await;
    some_time().await;
    assert_eq!(fixture.handled(), [0; 0]);
    let view = fixture.view().await;
    assert_eq!((view.last_seq, view.next_seq, view.held_events), (0, 0, 2));
    let explanation = explain("s", Some(&view), &group(), None);
    assert_eq!(
        (explanation.status, explanation.seq),
        (KeyStatus::Gap, Some(0))
    );
    let text = explanation.text;
    assert!(text.starts_with("s waits for seq 0 since "), "{text}");
    assert!(text.contains("Nothing of it is done yet"), "{text}");
    fixture.publish(&[0]).await;
    some_time().await;
    assert_eq!(fixture.handled(), [0, 1, 2]);
    fixture.publish(&[0, 1, 2]).await;
    some_time().await;
    assert_eq!(fixture.handled(), [0, 1, 2]);
    assert_eq!(fixture.broker.dead_letters().len(), 0);
    // Another event under a seq that is committed is a conflict, also under the first.
    fixture
        .broker
        .publish(vec![event(0, "other")])
        .await
        .unwrap();
    some_time().await;
    assert_eq!(
        fixture.broker.dead_letters()[0].1.kind,
        ReasonKind::Conflict
    );
    // Another worker goes on from there.
    let _ = running.send(());
    some_time().await;
    let running = fixture.start();
    fixture.publish(&[4, 3]).await;
    some_time().await;
    assert_eq!(fixture.handled(), [0, 1, 2, 3, 4]);
    drop(running);
}

#[tokio::test(start_paused = true)]
async fn one_event_is_done_where_only_zero_came() {
    let fixture = Fixture::new();
    let running = fixture.start();
    fixture.publish(&[0]).await;
    some_time().await;
    let view = fixture.view().await;
    assert_eq!((view.last_seq, view.next_seq), (0, 1));
    let text = explain("s", Some(&view), &group(), None).text;
    assert!(text.contains("It is done up to seq 0"), "{text}");
    let positions = fixture.admin().positions(&group(), None).await.unwrap().0;
    assert_eq!((positions.len(), positions[0].last_seq), (1, 0));
    drop(running);
}

#[tokio::test(start_paused = true)]
async fn operators_and_producers_move_a_key_that_begins_with_zero() {
    let fixture = Fixture::new();
    let running = fixture.start();
    fixture.publish(&[1]).await;
    some_time().await;
    let skip = Verb::Skip { to: None };
    assert!(
        matches!(fixture.operate(&skip).await, Verdict::Operated(effect) if effect.last_seq == 0)
    );
    some_time().await;
    assert_eq!(fixture.handled(), [1]);
    // Before its beginning, where it waits for 0 once more.
    let back = Verb::SetLast {
        to: KeyState::BEFORE_ZERO,
    };
    assert_eq!(back.to_string(), "set-last none");
    let Verdict::Operated(effect) = fixture.operate(&back).await else {
        panic!("refused");
    };
    assert_eq!(
        (effect.last_seq_before, effect.last_seq),
        (1, KeyState::BEFORE_ZERO)
    );
    assert_eq!(effect.to_string(), "last seq none, 0 released, 0 removed");
    assert_eq!(
        fixture.operate(&back).await,
        Verdict::Refused(Refusal::Already)
    );
    let view = fixture.view().await;
    assert_eq!((view.epoch, view.next_seq), (1, 0));
    // A producer that begins again with 0, and one that says that 0 will never come.
    let seq = |number: u64| Seq::new(number).unwrap();
    let reset = Control::Reset {
        at: seq(0),
        epoch: Some(2),
    };
    fixture
        .broker
        .publish(vec![reset.envelope(&key())])
        .await
        .unwrap();
    some_time().await;
    let view = fixture.view().await;
    assert_eq!((view.epoch, view.next_seq), (2, 0));
    let fill = Control::GapFill {
        from: seq(0),
        to: seq(1),
    };
    fixture
        .broker
        .publish(vec![fill.envelope(&key())])
        .await
        .unwrap();
    fixture.publish(&[2]).await;
    some_time().await;
    assert_eq!(fixture.handled(), [1, 2]);
    drop(running);
}

#[tokio::test(start_paused = true)]
async fn a_batch_may_begin_with_zero() {
    let fixture = Fixture::new();
    fixture.publish(&[3, 2, 1, 0]).await;
    let running = fixture.start_as(fixture.worker().handler(together));
    some_time().await;
    assert_eq!(fixture.handled(), [0, 1, 2, 3]);
    drop(running);
}

/// People saw: a producer that counts from 0, and a group that does not: the first event of each key is lost to it.
#[tokio::test(start_paused = true)]
async fn seq_zero_is_dead_lettered_with_what_to_do_where_keys_begin_with_one() {
    let fixture = Fixture::new();
    fixture.publish(&[0, 1]).await;
    let running = fixture.start_as(fixture.worker().handler(from_one));
    some_time().await;
    assert_eq!(fixture.handled(), [1]);
    let reset = Control::Reset {
        at: Seq::new(0).unwrap(),
        epoch: Some(1),
    };
    fixture
        .broker
        .publish(vec![reset.envelope(&key())])
        .await
        .unwrap();
    some_time().await;
    let dead = fixture.broker.dead_letters();
    assert_eq!(dead.len(), 2);
    for (_, reason) in dead {
        assert_eq!(reason.kind, ReasonKind::Malformed);
        let words =
            "seq is 0, and the keys of the group begin with 1: where the producer counts from 0";
        assert!(reason.text.starts_with(words), "{}", reason.text);
    }
    drop(running);
}

#[tokio::test(start_paused = true)]
async fn a_worker_with_another_first_seq_is_refused_with_the_way_out() {
    let fixture = Fixture::new();
    let running = fixture.start();
    some_time().await;
    let worker = fixture.worker().handler(from_one).build().unwrap();
    let error = worker.run_until(std::future::pending()).await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains("was begun with `first_seq = 0`"), "{text}");
    assert!(
        text.contains("ordered import --create --first-seq 1"),
        "{text}"
    );
    drop(running);
}
