//! What somebody meets who has never used it before.

use std::error::Error;
use std::time::Duration;

use ordered_core::handler::States;
use ordered_core::logical::HybridTime;
use ordered_core::store::StoreError;
use ordered_core::transport::TransportError;
use ordered_events::{
    BuildError, Context, ContextParts, Envelope, EventId, Handler, HandlerError, Key, Malformed,
    MemoryBroker, MemoryStore, NewEvent, OperateError, Seq, State, Worker, WorkerError,
    ordered_handler, store,
};
use serde::Deserialize;

#[derive(Deserialize)]
struct Event {
    key: String,
}

#[ordered_handler(key = "key", seq = "/seq")]
async fn handle(
    event: Event,
    State(limit): State<u64>,
    context: Context,
) -> Result<(), HandlerError> {
    assert_eq!(event.key, context.key().as_str());
    match context.seq().get() <= limit {
        true => Ok(()),
        false => Err(format!("{} is too much", context.seq()).into()),
    }
}

#[tokio::test]
async fn a_handler_is_a_function_in_a_unit_test() {
    let event = |key: &str| Event { key: key.into() };
    let context = Context::for_test("order-1", 1);
    handle(event("order-1"), State(1), context).await.unwrap();
    let parts = ContextParts {
        attempt: 3,
        ..ContextParts::for_test("order-2", 2)
    };
    let context = Context::new(parts.with_state(7_u64).with_header("x-tenant", "acme"));
    assert_eq!((context.attempt(), context.seq().get()), (3, 2));
    assert_eq!(context.headers()["x-tenant"], "acme");
    assert_eq!(context.states().get::<u64>(), Some(&7));
    let error = handle(event("order-2"), State(1), context)
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "2 is too much");
}

#[tokio::test(start_paused = true)]
async fn a_worker_can_be_spawned() {
    let builder = Worker::builder()
        .store(MemoryStore::new())
        .transport(MemoryBroker::new().consumer())
        .state(1_u64)
        .handler(handle);
    let running = tokio::spawn(builder.run_until(tokio::time::sleep(Duration::from_secs(1))));
    running.await.unwrap().unwrap();
}

/// As `main` prints what it returns.
fn printed(error: impl Into<Box<dyn Error>>) -> String {
    format!("Error: {:?}", error.into())
}

#[tokio::test]
async fn errors_print_well_where_main_returns_them() {
    let Err(unknown) = store("nothing://here").await else {
        panic!("there is no such store");
    };
    assert_eq!(
        printed(unknown).split("; ").next().unwrap(),
        "Error: there is no store for `nothing://`"
    );
    let Err(missing) = Worker::builder().build() else {
        panic!("there is no handler");
    };
    let text = "the worker has no handler: add `.handler(…)` to its builder";
    assert!(matches!(missing, BuildError::Missing { .. }));
    assert_eq!(printed(missing), format!("Error: {text}"));
    let cause = TransportError::unavailable("it does not answer")
        .with_source(std::io::Error::other("connection refused"));
    assert_eq!(
        printed(WorkerError::Transport(cause)),
        "Error: the transport: it does not answer: connection refused"
    );
}

/// An error of each public type that is made without a server, beside those above.
fn errors() -> Vec<Box<dyn Error>> {
    vec![
        Key::new("").unwrap_err().into(),
        EventId::new("").unwrap_err().into(),
        Seq::new(u64::MAX).unwrap_err().into(),
        Malformed("the body is empty".into()).into(),
        NewEvent::json("order", "", "created", &1)
            .unwrap_err()
            .into(),
        Envelope::decode("nonsense".into()).unwrap_err().into(),
        "yesterday".parse::<HybridTime>().unwrap_err().into(),
        OperateError::Lost.into(),
        OperateError::Store(StoreError::unavailable("Redis does not answer")).into(),
        handle.check(&States::default()).unwrap_err().into(),
    ]
}

#[test]
fn each_error_prints_its_text_and_not_its_fields() {
    for error in errors() {
        let (text, printed) = (error.to_string(), format!("{error:?}"));
        assert!(
            printed.starts_with(&text),
            "{text:?} is printed as {printed:?}"
        );
    }
}
