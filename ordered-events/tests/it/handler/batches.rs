use std::sync::Arc;

use ordered_core::handler::{ContextParts, States};
use ordered_core::internal::{DynHandler, Work};
use ordered_events::{Context, Handler, HandlerError, State, ordered_handler};
use serde::Deserialize;
use serde_json::json;

use super::{envelope, identity, parts};

#[derive(Deserialize)]
pub(crate) struct Event {
    key: String,
    seq: u64,
}

/// Fails with what it was given.
#[ordered_handler(key = "key", seq = "seq", batch = 10)]
async fn tell(
    events: Vec<Event>,
    State(word): State<String>,
    context: Context,
) -> Result<(), String> {
    let seqs: Vec<u64> = events.iter().map(|event| event.seq).collect();
    let contexts: Vec<u64> = context.run().map(|context| context.seq().get()).collect();
    assert_eq!(seqs, contexts);
    Err(format!("{word} {:?} {seqs:?}", context.seqs()))
}

fn states() -> Arc<States> {
    let mut states = States::default();
    states.insert("word".to_owned());
    Arc::new(states)
}

fn context(seq: u64) -> Context {
    let seq = ordered_events::Seq::new(seq).unwrap();
    Context::new(ContextParts {
        seq,
        states: states(),
        ..parts(&tell)
    })
}

fn event(seq: u64) -> Event {
    let key = "k".to_owned();
    Event { key, seq }
}

#[tokio::test]
async fn a_handler_may_take_several_events() {
    let run = (3..=5).map(|seq| (event(seq), context(seq))).collect();
    let error = tell.call_batch(run).await.unwrap_err();
    assert_eq!(error.to_string(), "word 3..=5 [3, 4, 5]");
}

#[tokio::test]
async fn one_event_is_several_too() {
    let error = tell.call(event(7), context(7)).await.unwrap_err();
    assert_eq!(error.to_string(), "word 7..=7 [7]");
    tell.call_batch(Vec::new()).await.unwrap();
}

#[tokio::test]
async fn it_is_called_as_the_function_it_was() {
    let events = vec![event(1), event(2)];
    let state = State("here".to_owned());
    let contexts = Context::of_run(context(1), vec![context(2)]);
    let error = tell(events, state, contexts).await.unwrap_err();
    assert_eq!(error, "here 1..=2 [1, 2]");
}

#[test]
fn each_event_is_read_by_itself() {
    let (key, seq, _) = identity(tell, json!({"key": "k", "seq": 4}));
    assert_eq!((key.as_str(), seq), ("k", 4));
}

/// As the worker has it.
#[tokio::test]
async fn a_worker_hands_over_a_run_of_what_it_has_read() {
    let handler: Arc<dyn DynHandler> = Arc::new(tell);
    let read = |seq: u64| {
        let envelope = envelope(json!({"key": "k", "seq": seq}));
        (handler.read(&envelope).unwrap().event, context(seq))
    };
    let work = Work::Batch(vec![read(1), read(2)]);
    let error = Arc::clone(&handler).call(work).await.unwrap_err();
    assert_eq!(error.to_string(), "word 1..=2 [1, 2]");
}

#[ordered_handler(key = "key", seq = "seq", batch = 1)]
async fn alone(events: std::vec::Vec<Event>) -> Result<(), HandlerError> {
    assert_eq!((events.len(), events[0].key.as_str()), (1, "k"));
    Ok(())
}

#[tokio::test]
async fn a_batch_of_one_is_a_vec_of_one() {
    alone.call(event(1), context(1)).await.unwrap();
    assert_eq!(Handler::options(&alone).batch, 1);
}

/// Without `batch` the event is what is written: here a list, with its key and its seq beside it.
#[ordered_handler(key = "header:key", seq = "header:seq", id = "header:id")]
async fn list(_event: Vec<Event>) {}

#[test]
fn an_event_may_be_a_list() {
    let mut envelope = envelope(json!([{"key": "k", "seq": 4}]));
    for name in ["key", "seq", "id"] {
        envelope.headers.insert(name.into(), "5".into());
    }
    assert_eq!(list.decode(&envelope).unwrap().event.len(), 1);
}
