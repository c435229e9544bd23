use std::sync::{Arc, Mutex};

use ordered_core::handler::{FromContext, MissingState, States};
use ordered_core::internal::DynHandler;
use ordered_core::protocol::Fence;
use ordered_events::{Context, Handler, HandlerError, State, ordered_handler};
use serde::Deserialize;
use serde_json::json;

use super::{handle, parts};

#[derive(Deserialize, Clone)]
struct OrderEvent {
    order_id: String,
    seq: u64,
}

type Log = Arc<Mutex<Vec<String>>>;

fn event() -> serde_json::Value {
    json!({"order_id": "order-1", "seq": 7})
}

/// Books the event.
#[ordered_handler(key = "order_id", seq = "seq")]
async fn book(event: OrderEvent, State(log): State<Log>) -> Result<(), HandlerError> {
    tokio::task::yield_now().await;
    let line = format!("{} {}", event.order_id, event.seq);
    log.lock().unwrap().push(line);
    Ok(())
}

#[tokio::test]
async fn the_worker_decodes_and_calls() {
    let (log, mut states) = (Log::default(), States::default());
    states.insert(log.clone());
    handle(book, event(), states).await.unwrap();
    assert_eq!(*log.lock().unwrap(), ["order-1 7"]);
}

#[tokio::test]
async fn a_unit_test_calls_the_function() {
    let log = Log::default();
    let event = OrderEvent {
        order_id: "order-2".into(),
        seq: 1,
    };
    book(event.clone(), State(log.clone())).await.unwrap();
    let handler = book;
    let future = handler(event, State(log.clone()));
    tokio::spawn(future).await.unwrap().unwrap();
    assert_eq!(*log.lock().unwrap(), ["order-2 1", "order-2 1"]);
}

#[test]
fn the_handler_is_a_plain_value() {
    fn takes(_: impl Handler + Copy + std::fmt::Debug) {}
    takes(book);
    let boxed: Arc<dyn DynHandler> = Arc::new(book);
    assert_eq!(boxed.options().group, "book");
    assert_eq!(format!("{book:?}"), "book");
    assert_eq!(size_of_val(&book), 0);
}

#[test]
fn missing_state_is_found_before_the_start() {
    let error = Handler::check(&book, &States::default()).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("add `.state(…)` with a `"), "{text}");
    assert!(text.contains("Mutex"), "{text}");

    let mut states = States::default();
    states.insert(Log::default());
    assert_eq!(Handler::check(&book, &states), Ok(()));
}

#[tokio::test]
async fn missing_state_is_permanent() {
    let error = handle(book, event(), States::default()).await.unwrap_err();
    assert!(error.is_permanent());
    assert!(
        error.to_string().contains("the worker was given none"),
        "{error}"
    );
}

#[derive(Debug, PartialEq)]
struct Attempt(u32);

impl FromContext for Attempt {
    fn from_context(context: &Context) -> Result<Self, MissingState> {
        Ok(Self(context.attempt()))
    }

    fn check(states: &States) -> Result<(), MissingState> {
        states.get::<u8>().map(|_| ()).ok_or(MissingState("u8"))
    }
}

#[ordered_handler(key = "order_id", seq = "seq")]
async fn with_everything(
    event: OrderEvent,
    context: Context,
    State(number): State<i32>,
    Attempt(attempt): Attempt,
    State(text): State<&'static str>,
) {
    assert_eq!((number, text, attempt), (5, "five", 1));
    assert_eq!(context.key().as_str(), event.order_id);
    assert_eq!(context.seq().get(), event.seq);
    let id = context.event_id().as_str();
    assert!(id.starts_with("order-1#7#"), "{id}");
    assert_eq!(context.fence(), Fence(1));
}

#[tokio::test]
async fn every_argument_is_extracted() {
    let mut states = States::default();
    states.insert(5_i32);
    states.insert("five");
    handle(with_everything, event(), states).await.unwrap();
}

#[test]
fn every_argument_is_checked() {
    let mut states = States::default();
    let mut missing = Vec::new();
    while let Err(MissingState(name)) = Handler::check(&with_everything, &states) {
        missing.push(name);
        match name {
            "i32" => states.insert(5_i32),
            "u8" => states.insert(1_u8),
            _ => states.insert("five"),
        }
    }
    assert_eq!(missing, ["i32", "u8", "&str"]);
}

#[tokio::test]
async fn direct_calls_take_whatever_context_the_test_makes() {
    let context = Context::new(ordered_core::handler::ContextParts {
        attempt: 3,
        ..parts(&book)
    });
    assert_eq!(Attempt::from_context(&context), Ok(Attempt(3)));
}
