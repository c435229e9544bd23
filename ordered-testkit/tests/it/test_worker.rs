//! A whole worker in a test.

use std::time::Duration;

use ordered_events::{
    Context, Envelope, GapPolicy, HandlerError, OnExhausted, Permanent, Router, State, Unhandled,
    ordered_handler,
};
use ordered_testkit::TestWorker;
use serde::Deserialize;

#[derive(Deserialize)]
struct Step {
    key: String,
    seq: u64,
    #[serde(default)]
    what: String,
}

/// Fails as its event says.
#[ordered_handler(key = "key", seq = "seq", group = "steps")]
async fn take_step(
    step: Step,
    State(tried): State<Tried>,
    context: Context,
) -> Result<(), HandlerError> {
    tried.lock().unwrap().push((step.key, step.seq));
    match step.what.as_str() {
        "fails" => Err("never".into()),
        "fails_once" if context.attempt() == 1 => Err("no luck".into()),
        "is wrong" => Err("wrong").permanent(),
        _ => Ok(()),
    }
}

type Tried = std::sync::Arc<std::sync::Mutex<Vec<(String, u64)>>>;

fn event(key: &str, seq: u64, what: &str) -> String {
    format!(r#"{{"key": "{key}", "seq": {seq}, "what": "{what}"}}"#)
}

fn worker() -> TestWorker<impl ordered_events::Handler> {
    TestWorker::new(take_step).state(Tried::default())
}

#[tokio::test(start_paused = true)]
async fn what_is_in_order_is_handled_once_and_what_is_too_early_is_held() {
    let mut worker = worker();
    for seq in [2, 1, 1, 4] {
        worker = worker.publish(event("a", seq, ""));
    }
    let report = worker.run_until_idle().await;
    assert_eq!(report.handled("a"), [1, 2]);
    assert_eq!(report.duplicates("a"), [1]);
    assert_eq!(report.held("a"), [4]);
    assert!(report.handled("b").is_empty());
    assert!(report.dead_letters().is_empty());
    let report = worker.publish(event("a", 3, "")).run_until_idle().await;
    assert_eq!(report.handled("a"), [1, 2, 3, 4]);
    assert!(report.held("a").is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_event_that_fails_is_tried_until_it_halts_its_key() {
    let mut worker = worker()
        .publish(event("a", 1, "fails_once"))
        .publish(event("b", 1, "fails"))
        .publish(event("b", 2, ""))
        .publish(event("c", 1, "is wrong"));
    let report = worker.run_until_idle().await;
    assert_eq!(report.handled("a"), [1]);
    assert_eq!(
        (report.halted("a"), report.halted("b")),
        (None, Some("never"))
    );
    assert_eq!(report.held("b"), [1, 2]);
    assert_eq!(report.halted("c"), Some("wrong"));
}

#[tokio::test(start_paused = true)]
async fn dead_letters_are_those_of_the_store_and_of_the_broker() {
    let mut worker = worker()
        .worker(|worker| worker.on_exhausted(OnExhausted::DeadLetter))
        .publish(event("a", 1, "is wrong"))
        .publish(event("a", 2, ""))
        .publish("no JSON");
    let report = worker.run_until_idle().await;
    assert_eq!(report.handled("a"), [2]);
    let letters = report.dead_letters();
    assert_eq!(letters.len(), 2);
    assert_eq!(
        (letters[0].key.as_deref(), letters[0].seq),
        (Some("a"), Some(1))
    );
    assert_eq!(letters[0].reason, "wrong");
    assert_eq!(letters[1].body.as_deref(), Some("no JSON"));
    assert!(letters[1].reason.contains("not JSON"), "{letters:?}");
}

#[tokio::test(start_paused = true)]
async fn a_gap_with_an_end_is_waited_for() {
    let mut worker = worker()
        .worker(|worker| {
            let after = Duration::from_secs(600);
            worker.on_gap(GapPolicy::Skip { after })
        })
        .publish(event("a", 1, ""))
        .publish(event("a", 3, ""));
    let report = worker.run_until_idle().await;
    assert_eq!(report.handled("a"), [1, 3]);
}

#[tokio::test(start_paused = true)]
#[should_panic(
    expected = "the worker is not idle after 60s: the key `a` is to be tried again: never"
)]
async fn a_worker_that_is_not_idle_in_time_is_told() {
    let worker = worker().publish(event("a", 1, "fails"));
    let mut worker = worker.timeout(Duration::from_secs(60));
    let _ = worker.run_until_idle().await;
}

#[tokio::test(start_paused = true)]
async fn a_router_is_a_handler_too() {
    let router = || {
        Router::new()
            .on("step", take_step)
            .unhandled(Unhandled::Ignore)
    };
    let of_type = |seq: u64, of_type: &str| {
        let mut event = Envelope::new(event("a", seq, ""));
        event
            .headers
            .insert("x-ordered-type".into(), of_type.into());
        event
    };
    let tried = Tried::default();
    let report = TestWorker::new(router())
        .state(Tried::clone(&tried))
        .publish_envelope(of_type(1, "step"))
        .publish_envelope(of_type(2, "jump"))
        .publish_envelope(of_type(3, "step"))
        .run_until_idle()
        .await;
    assert_eq!(report.handled("a"), [1, 2, 3]);
    let tried: Vec<u64> = tried.lock().unwrap().iter().map(|(_, seq)| *seq).collect();
    assert_eq!(tried, [1, 3]);
}
