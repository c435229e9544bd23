//! What an application puts around the runs of its handlers.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ordered_core::clock::Clock;
use ordered_events::{
    Context, Envelope, HandlerError, MemoryBroker, MemoryStore, Next, Publish, Router, State,
    Worker, WorkerBuilder, ordered_handler,
};
use ordered_testkit::TestWorker;
use serde::Deserialize;

/// What happened, in order.
type Log = Arc<Mutex<Vec<String>>>;

tokio::task_local! {
    static TENANT: String;
}

#[derive(Deserialize)]
struct Event {
    seq: u64,
}

/// Fails at the first attempt of the second event.
#[ordered_handler(key = "/key", seq = "seq")]
async fn handle(
    event: Event,
    State(log): State<Log>,
    context: Context,
) -> Result<(), HandlerError> {
    let tenant = TENANT.try_with(Clone::clone).unwrap_or_default();
    note(&log, format!("handles {} {tenant}", event.seq));
    if event.seq == 2 && context.attempt() == 1 {
        return Err("no luck".into());
    }
    Ok(())
}

#[ordered_handler(key = "/key", seq = "seq", batch = 10)]
async fn together(events: Vec<Event>, State(log): State<Log>) {
    note(&log, format!("handles {} events", events.len()));
}

fn note(log: &Log, what: impl Into<String>) {
    log.lock().unwrap().push(what.into());
}

fn event(seq: u64, tenant: &str) -> Envelope {
    let mut event = Envelope::new(format!(r#"{{"key":"k","seq":{seq}}}"#));
    event.headers.insert("x-tenant".into(), tenant.into());
    event
}

/// Runs a worker until its queue is empty.
async fn run(
    events: Vec<Envelope>,
    equip: impl FnOnce(WorkerBuilder) -> WorkerBuilder,
) -> (Vec<String>, MemoryBroker) {
    let (broker, log) = (MemoryBroker::new(), Log::default());
    broker.publish(events).await.unwrap();
    let worker = Worker::builder()
        .store(MemoryStore::with_clock(Clock::tokio()))
        .transport(broker.consumer())
        .state(Arc::clone(&log));
    let done = async {
        while broker.backlog() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    equip(worker).run_until(done).await.unwrap();
    let log = log.lock().unwrap().clone();
    (log, broker)
}

fn log_of(context: &Context) -> Log {
    context.states().get::<Log>().unwrap().clone()
}

async fn tenant(context: Context, next: Next) -> Result<(), HandlerError> {
    let tenant = context.headers()["x-tenant"].clone();
    TENANT.scope(tenant, next.run()).await
}

async fn noted(context: Context, next: Next) -> Result<(), HandlerError> {
    let log = log_of(&context);
    note(
        &log,
        format!("begins {:?} #{}", context.seqs(), context.attempt()),
    );
    let outcome = next.run().await;
    note(&log, format!("ends {}", outcome.is_ok()));
    outcome
}

#[tokio::test(start_paused = true)]
async fn it_is_around_each_attempt_the_first_outermost() {
    let events = vec![event(1, "acme"), event(2, "beta")];
    let (log, _) = run(events, |worker| {
        worker.handler(handle).middleware(noted).middleware(tenant)
    })
    .await;
    let expected = [
        "begins 1..=1 #1",
        "handles 1 acme",
        "ends true",
        "begins 2..=2 #1",
        "handles 2 beta",
        "ends false",
        "begins 2..=2 #2",
        "handles 2 beta",
        "ends true",
    ];
    assert_eq!(log, expected);
}

#[tokio::test(start_paused = true)]
async fn what_it_refuses_does_not_run() {
    let (log, broker) = run(vec![event(1, "acme"), event(2, "evil")], |worker| {
        worker
            .handler(handle)
            .middleware(|context: Context, next: Next| async move {
                if context.headers()["x-tenant"] == "evil" {
                    return Err(HandlerError::permanent("this tenant is not allowed"));
                }
                next.run().await
            })
    })
    .await;
    assert_eq!(log, ["handles 1 "]);
    // Its key is halted, and the event held.
    assert_eq!(broker.dead_letters().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_it_leaves_out_counts_as_handled() {
    let (log, _) = run(
        vec![event(1, "acme"), event(2, "test"), event(3, "acme")],
        |worker| {
            worker
                .handler(handle)
                .middleware(|context: Context, next: Next| async move {
                    match context.headers()["x-tenant"].as_str() {
                        "test" => Ok(()),
                        _ => next.run().await,
                    }
                })
        },
    )
    .await;
    assert_eq!(log, ["handles 1 ", "handles 3 "]);
}

#[tokio::test(start_paused = true)]
async fn its_panic_and_its_time_are_those_of_the_run() {
    let (log, _) = run(vec![event(1, "acme"), event(2, "acme")], |worker| {
        worker
            .handler(handle)
            .timeout(Duration::from_secs(1))
            .middleware(|context: Context, next: Next| async move {
                note(&log_of(&context), format!("attempt {}", context.attempt()));
                match (context.seq().get(), context.attempt()) {
                    (1, 1) => panic!("in the middleware"),
                    (1, 2) => std::future::pending().await,
                    _ => next.run().await,
                }
            })
    })
    .await;
    let of_first = &log[..4];
    assert_eq!(
        of_first,
        ["attempt 1", "attempt 2", "attempt 3", "handles 1 "]
    );
}

#[tokio::test(start_paused = true)]
async fn it_is_around_a_run_of_several() {
    // The first comes last, so that the others are there together.
    let events = [2, 3, 4, 1].map(|seq| event(seq, "acme"));
    let (log, _) = run(events.to_vec(), |worker| {
        worker.handler(together).middleware(noted)
    })
    .await;
    let handled = log.iter().filter(|line| line.starts_with("handles"));
    let begun = log.iter().filter(|line| line.starts_with("begins"));
    assert_eq!(handled.count(), begun.count());
    assert!(log.iter().any(|line| line.ends_with("..=4 #1")), "{log:?}");
}

#[derive(Deserialize)]
struct Comment {
    author: String,
    vector: BTreeMap<String, u64>,
    event_id: String,
}

#[ordered_handler(
    group = "talk",
    on = "Said",
    key = "/key",
    order = "causal",
    producer = "author",
    clock = "vector"
)]
async fn said(event: Comment, State(log): State<Log>) {
    note(&log, format!("{} said {}", event.author, event.event_id));
}

#[ordered_handler(
    group = "talk",
    on = "Answered",
    key = "/key",
    order = "causal",
    producer = "author",
    clock = "vector"
)]
async fn answered(event: Comment, State(log): State<Log>) {
    let known = event.vector.len();
    note(&log, format!("{} answered {known} authors", event.author));
}

#[tokio::test(start_paused = true)]
async fn a_router_with_middleware_runs_causes_before_their_effects() {
    let comment = |of_type: &str, author: &str, vector: &str| {
        let id = format!("{author}-1");
        Envelope::new(format!(
            r#"{{"type":"{of_type}","key":"k","author":"{author}","vector":{vector},"event_id":"{id}"}}"#
        ))
    };
    let (router, log) = (
        Router::new().handler(said).handler(answered),
        Log::default(),
    );
    let around = async |context: Context, next: Next| {
        note(&log_of(&context), "around");
        next.run().await
    };
    TestWorker::new(router)
        .state(Arc::clone(&log))
        .worker(move |worker| worker.middleware(around))
        .publish_envelope(comment("Answered", "bob", r#"{"ada":1,"bob":1}"#))
        .publish_envelope(comment("Said", "ada", r#"{"ada":1}"#))
        .run_until_idle()
        .await;
    assert_eq!(
        *log.lock().unwrap(),
        [
            "around",
            "ada said ada-1",
            "around",
            "bob answered 2 authors"
        ]
    );
}
