//! Bodies above `max_body_bytes`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ordered_core::admin::{OperateOptions, StoredKind};
use ordered_core::clock::Clock;
use ordered_core::event::Seq;
use ordered_core::protocol::{KeyView, Policy, Verb, Verdict};
use ordered_core::store::{Group, Operator};
use ordered_core::transport::ReasonKind;
use ordered_events::{
    Admin, Context, Envelope, Key, MemoryBroker, MemoryStore, OnExhausted, Publish, State, Worker,
    WorkerBuilder, ordered_handler,
};
use serde::Deserialize;
use tokio::sync::oneshot;

const LIMIT: usize = 1_000;
const KEPT: usize = 10_000;

type Log = Arc<Mutex<Vec<(u64, usize, String)>>>;

#[derive(Deserialize)]
struct Event {
    text: String,
    order_id: String,
    seq: u64,
}

#[ordered_handler(key = "order_id", seq = "seq", group = "orders")]
async fn apply(event: Event, State(log): State<Log>, context: Context) {
    assert_eq!(event.order_id, "a");
    let id = context.event_id().to_string();
    log.lock().unwrap().push((event.seq, event.text.len(), id));
}

#[ordered_handler(key = "header:order", seq = "header:seq", group = "orders")]
async fn of_headers(event: serde_json::Value, State(log): State<Log>, context: Context) {
    let id = context.event_id().to_string();
    let size = event.to_string().len();
    log.lock().unwrap().push((context.seq().get(), size, id));
}

fn event(seq: u64, text: usize) -> Envelope {
    let text = "x".repeat(text);
    Envelope::new(format!(
        r#"{{"text":"{text}","order_id":"a","seq":{seq},"event_id":"e{seq}"}}"#
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

    fn start(&self, change: impl FnOnce(WorkerBuilder) -> WorkerBuilder) -> oneshot::Sender<()> {
        let worker = Worker::builder()
            .store(self.store.clone())
            .transport(self.broker.consumer())
            .handler(apply)
            .state(Arc::clone(&self.log))
            .max_body_bytes(LIMIT)
            .max_kept_bytes(KEPT);
        let worker = change(worker).build().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        tokio::spawn(worker.run_until(async {
            let _ = stopped.await;
        }));
        stop
    }

    /// With three events, of which the second has a text of this size.
    async fn publish(&self, size: usize) {
        let events = vec![event(1, 1), event(2, size), event(3, 1)];
        self.broker.publish(events).await.unwrap();
    }

    fn handled(&self) -> Vec<u64> {
        self.log.lock().unwrap().iter().map(|run| run.0).collect()
    }

    fn admin(&self) -> Admin {
        Admin::new(Arc::new(self.store.clone()))
    }

    async fn view(&self) -> KeyView {
        let view = self.admin().inspect(&group(), &key()).await.unwrap();
        view.unwrap()
    }

    async fn operate(&self, verb: &Verb) {
        let operator = Operator {
            who: "anna".into(),
            why: String::new(),
        };
        let (group, key, admin) = (group(), key(), self.admin());
        let verdict = admin.operate(&group, &key, verb, &operator, OperateOptions::default());
        let verdict = verdict.await.unwrap();
        assert!(matches!(verdict, Verdict::Operated(_)), "{verdict:?}");
    }

    async fn dead_letters_of_the_store(&self) -> Vec<(u64, usize)> {
        let (admin, group, key) = (self.admin(), group(), key());
        let dead = admin.stored(&group, &key, StoredKind::Dead, None);
        let of =
            |event: &ordered_core::admin::StoredEvent| (event.place.1, event.envelope.body.len());
        dead.await.unwrap().iter().map(of).collect()
    }
}

fn group() -> Group {
    Group::new("orders", Policy::default())
}

fn key() -> Key {
    Key::new("a").unwrap()
}

async fn some_time() {
    tokio::time::sleep(Duration::from_secs(60)).await;
}

#[tokio::test(start_paused = true)]
async fn a_body_above_the_limit_makes_no_gap_and_waits_for_a_worker_with_a_larger_limit() {
    let fixture = Fixture::new();
    fixture.publish(5_000).await;
    let small = fixture.start(|worker| worker);
    some_time().await;
    assert_eq!(fixture.handled(), [1]);
    assert_eq!(fixture.broker.dead_letters().len(), 0);
    assert_eq!(fixture.broker.backlog(), 0, "both are held");
    let view = fixture.view().await;
    assert_eq!((view.phase.as_str(), view.gap_since), ("backing_off", None));
    let error = view.last_error.unwrap().error;
    let words = "and may have 1000 at most (setting `max_body_bytes`)";
    assert!(error.contains(words), "{error}");
    let large = fixture.start(|worker| worker.max_body_bytes(KEPT));
    let _ = small.send(());
    some_time().await;
    assert_eq!(fixture.handled(), [1, 2, 3]);
    assert_eq!(fixture.log.lock().unwrap()[1], (2, 5_000, "e2".to_owned()));
    drop(large);
}

#[tokio::test(start_paused = true)]
async fn what_is_too_large_to_be_kept_halts_its_key_with_an_excerpt_and_the_whole_is_a_dead_letter()
{
    let fixture = Fixture::new();
    fixture.publish(20_000).await;
    let running = fixture.start(|worker| worker);
    some_time().await;
    assert_eq!(fixture.handled(), [1]);
    let view = fixture.view().await;
    assert_eq!((view.phase.as_str(), view.gap_since), ("halted", None));
    let error = view.last_error.unwrap().error;
    assert!(error.contains("the store has an excerpt"), "{error}");
    assert!(view.held_bytes < 2_000, "{}", view.held_bytes);
    let admin = fixture.admin();
    let excerpt = admin.event(&group(), &key(), Seq::new(2).unwrap()).await;
    let excerpt = excerpt.unwrap().unwrap();
    let json: serde_json::Value = serde_json::from_slice(&excerpt.body).unwrap();
    assert_eq!((&json["order_id"], &json["seq"]), (&"a".into(), &2.into()));
    assert!(excerpt.headers["ordered.excerpt"].starts_with("200"));
    let dead = fixture.broker.dead_letters();
    assert_eq!(dead.len(), 1);
    assert_eq!(dead[0].0.body, event(2, 20_000).body);
    assert_eq!(dead[0].1.kind, ReasonKind::Malformed);
    assert!(
        dead[0]
            .1
            .text
            .contains("seq 2 of key a is held as an excerpt")
    );
    // It comes again, as it is and under a larger limit: it is not taken for a repetition of its excerpt.
    fixture
        .broker
        .publish(vec![event(2, 20_000)])
        .await
        .unwrap();
    some_time().await;
    assert_eq!(fixture.broker.dead_letters().len(), 2);
    let large = fixture.start(|worker| worker.max_body_bytes(50_000));
    let _ = running.send(());
    some_time().await;
    fixture
        .broker
        .publish(vec![event(2, 20_000)])
        .await
        .unwrap();
    some_time().await;
    let dead = fixture.broker.dead_letters();
    assert_eq!(dead[2].1.kind, ReasonKind::Conflict);
    assert!(
        dead[2].1.text.contains("`ordered edit`"),
        "{}",
        dead[2].1.text
    );
    // A try helps nothing; the whole body does.
    fixture.operate(&Verb::Retry).await;
    some_time().await;
    assert_eq!(
        (fixture.handled(), fixture.view().await.phase.as_str()),
        (vec![1], "halted")
    );
    let (seq, body) = (Seq::new(2).unwrap(), dead[0].0.body.clone());
    fixture.operate(&Verb::Edit { seq, body }).await;
    fixture.operate(&Verb::Retry).await;
    some_time().await;
    assert_eq!(fixture.handled(), [1, 2, 3]);
    assert_eq!(fixture.log.lock().unwrap()[1], (2, 20_000, "e2".to_owned()));
    drop(large);
}

#[tokio::test(start_paused = true)]
async fn an_operator_passes_over_an_excerpt_and_its_key_goes_on() {
    let fixture = Fixture::new();
    fixture.publish(20_000).await;
    let running = fixture.start(|worker| worker);
    some_time().await;
    fixture.operate(&Verb::Skip { to: None }).await;
    some_time().await;
    assert_eq!(fixture.handled(), [1, 3]);
    let dead = fixture.dead_letters_of_the_store().await;
    assert!(matches!(dead[..], [(2, 1..2_000)]), "{dead:?}");
    drop(running);
}

#[tokio::test(start_paused = true)]
async fn a_group_that_does_not_halt_goes_on_past_a_body_that_is_too_large() {
    let fixture = Fixture::new();
    fixture.publish(20_000).await;
    let running = fixture
        .start(|worker| worker.options(|options| options.on_exhausted = OnExhausted::DeadLetter));
    some_time().await;
    assert_eq!(fixture.handled(), [1, 3]);
    assert_eq!(fixture.broker.dead_letters().len(), 1, "the whole");
    let dead = fixture.dead_letters_of_the_store().await;
    assert!(matches!(dead[..], [(2, 1..2_000)]), "{dead:?}");
    drop(running);
}

#[tokio::test(start_paused = true)]
async fn what_comes_too_large_and_too_early_waits_for_its_turn() {
    let fixture = Fixture::new();
    for seq in [3, 2, 1] {
        let size = if seq == 1 { 1 } else { 20_000 };
        fixture
            .broker
            .publish(vec![event(seq, size)])
            .await
            .unwrap();
    }
    let running = fixture.start(|worker| worker);
    some_time().await;
    let view = fixture.view().await;
    assert_eq!((view.phase.as_str(), view.last_seq), ("halted", 1));
    assert_eq!(view.held_events, 2);
    assert_eq!(fixture.broker.dead_letters().len(), 2);
    drop(running);
}

#[tokio::test(start_paused = true)]
async fn without_a_place_it_is_dead_lettered_whole() {
    let fixture = Fixture::new();
    for size in [5_000, 20_000] {
        let body = "x".repeat(size);
        fixture
            .broker
            .publish(vec![Envelope::new(body)])
            .await
            .unwrap();
    }
    let running = fixture.start(|worker| worker);
    some_time().await;
    let dead = fixture.broker.dead_letters();
    let sizes: Vec<usize> = dead.iter().map(|(event, _)| event.body.len()).collect();
    assert_eq!(sizes, [5_000, 20_000]);
    for (_, reason) in dead {
        assert_eq!(reason.kind, ReasonKind::Malformed);
        assert!(
            reason
                .text
                .contains("where the event belongs cannot be read")
        );
    }
    drop(running);
}

#[tokio::test(start_paused = true)]
async fn a_place_in_the_headers_is_one_and_a_producer_makes_no_excerpts() {
    let fixture = Fixture::new();
    let headers = |seq: &str| {
        let pairs = [("order", "a"), ("seq", seq), ("ordered.excerpt", "forged")];
        BTreeMap::from(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())))
    };
    let mut small = Envelope::new("{}");
    small.headers = headers("1");
    // No JSON, so that there is nothing but its beginning to keep.
    let mut large = Envelope::new("x".repeat(20_000));
    large.headers = headers("2");
    fixture.broker.publish(vec![small, large]).await.unwrap();
    let worker = Worker::builder()
        .store(fixture.store.clone())
        .transport(fixture.broker.consumer())
        .handler(of_headers)
        .state(Arc::clone(&fixture.log))
        .max_body_bytes(LIMIT)
        .max_kept_bytes(KEPT);
    tokio::spawn(worker.build().unwrap().run_until(std::future::pending()));
    some_time().await;
    assert_eq!(fixture.handled(), [1]);
    let view = fixture.view().await;
    assert_eq!((view.phase.as_str(), view.last_seq), ("halted", 1));
    assert_eq!(fixture.broker.dead_letters().len(), 1);
}
