use std::error::Error;
use std::fmt;

use ordered_core::handler::States;
use ordered_events::{HandlerError, Permanent, ordered_handler};
use serde::Deserialize;
use serde_json::json;

use super::handle;

#[derive(Deserialize)]
#[allow(dead_code)]
struct Event {
    key: String,
    seq: u64,
}

#[derive(Debug, PartialEq)]
enum ShopError {
    SoldOut,
}

impl fmt::Display for ShopError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sold out")
    }
}

impl Error for ShopError {}

type Alias = Result<(), HandlerError>;

#[ordered_handler(key = "key", seq = "seq")]
async fn transient(event: Event) -> Result<(), HandlerError> {
    event.key.parse::<u8>()?;
    Ok(())
}

#[ordered_handler(key = "key", seq = "seq")]
async fn permanent(event: Event) -> Alias {
    event.key.parse::<u8>().permanent()?;
    Ok(())
}

#[ordered_handler(key = "key", seq = "seq")]
async fn own_error(_event: Event) -> Result<(), ShopError> {
    Err(ShopError::SoldOut)
}

#[ordered_handler(key = "key", seq = "seq")]
async fn boxed_error(_event: Event) -> Result<(), Box<dyn Error + Send + Sync>> {
    Err(ShopError::SoldOut)?
}

#[ordered_handler(key = "key", seq = "seq")]
async fn text(event: Event) -> Result<(), String> {
    Err(format!("{} is sold out", event.key))
}

#[ordered_handler(key = "key", seq = "seq")]
async fn nothing(_event: Event) {}

#[ordered_handler(key = "key", seq = "seq")]
async fn unit(_event: Event) -> () {}

async fn run<H: ordered_events::Handler>(handler: H) -> Result<(), HandlerError> {
    let event = json!({"key": "shoes", "seq": 1});
    handle(handler, event, States::default()).await
}

#[tokio::test]
async fn a_question_mark_means_try_again() {
    let error = run(transient).await.unwrap_err();
    assert!(!error.is_permanent());
    assert_eq!(error.to_string(), "invalid digit found in string");
}

#[tokio::test]
async fn permanence_is_said_out_loud() {
    let error = run(permanent).await.unwrap_err();
    assert!(error.is_permanent());
    assert_eq!(error.to_string(), "invalid digit found in string");
}

#[tokio::test]
async fn any_error_will_do() {
    for (outcome, message) in [
        (run(own_error).await, "sold out"),
        (run(boxed_error).await, "sold out"),
        (run(text).await, "shoes is sold out"),
    ] {
        let error = outcome.unwrap_err();
        assert!(!error.is_permanent());
        assert_eq!(error.to_string(), message);
    }
}

#[tokio::test]
async fn nothing_is_success() {
    run(nothing).await.unwrap();
    run(unit).await.unwrap();
}

#[tokio::test]
async fn a_direct_call_returns_what_the_function_returns() {
    let event = Event {
        key: "shoes".into(),
        seq: 1,
    };
    assert_eq!(own_error(event).await, Err(ShopError::SoldOut));
}
