use ordered_core::handler::States;
use ordered_events::{Handler, State, ordered_handler};
use serde::Deserialize;
use serde_json::json;

use super::{handle, identity};

#[derive(Deserialize)]
pub(crate) struct Event {
    key: String,
    seq: u64,
}

fn event() -> serde_json::Value {
    json!({"key": "k", "seq": 2})
}

#[ordered_handler(key = "key", seq = "seq")]
async fn destructured(Event { key, seq: number }: Event) {
    assert_eq!((key.as_str(), number), ("k", 2));
}

#[ordered_handler(key = "key", seq = "seq")]
async fn mutable(mut event: Event, State(mut counter): State<u64>) {
    event.seq += 1;
    counter += event.seq;
    assert_eq!(counter, 13);
}

#[ordered_handler(key = "key", seq = "seq")]
async fn ignored(_: Event, #[allow(unused_variables)] state: State<u64>) {}

#[ordered_handler(key = "key", seq = "seq")]
async fn trailing_commas(_event: Event, _state: State<u64>) {}

#[tokio::test]
async fn arguments_are_patterns() {
    let states = || {
        let mut states = States::default();
        states.insert(10_u64);
        states
    };
    handle(destructured, event(), states()).await.unwrap();
    handle(mutable, event(), states()).await.unwrap();
    handle(ignored, event(), states()).await.unwrap();
    handle(trailing_commas, event(), states()).await.unwrap();
}

mod billing {
    use super::{Event, ordered_handler};

    #[ordered_handler(key = "key", seq = "seq")]
    pub(crate) async fn charge(event: Event) -> Result<(), String> {
        Err(format!("cannot charge {}", event.key))
    }

    #[ordered_handler(key = "key", seq = "seq", group = "refunds")]
    pub(in super::super) async fn refund(event: Event) -> Result<(), String> {
        charge(event).await
    }
}

#[tokio::test]
async fn two_handlers_of_a_module_call_one_another() {
    let error = handle(billing::refund, event(), States::default()).await;
    assert_eq!(error.unwrap_err().to_string(), "cannot charge k");
    assert_eq!(billing::charge.options().group, "charge");
    assert_eq!(billing::refund.options().group, "refunds");
}

#[tokio::test]
async fn a_handler_in_a_function_body() {
    #[derive(Deserialize)]
    struct Local {
        name: char,
        no: u64,
    }

    #[ordered_handler(key = "name", seq = "no")]
    async fn local(event: Local) -> Result<(), String> {
        Err(format!("{}{}", event.name, event.no))
    }
    let event = json!({"no": 3, "name": "n"});
    let error = handle(local, event, States::default()).await;
    assert_eq!(error.unwrap_err().to_string(), "n3");
}

#[ordered_handler(key = "key", seq = "seq")]
async fn r#try(r#type: Event) -> Result<(), String> {
    Err(r#type.key)
}

#[tokio::test]
async fn names_may_be_raw() {
    let error = handle(r#try, event(), States::default()).await;
    assert_eq!(error.unwrap_err().to_string(), "k");
    assert_eq!(r#try.options().group, "try");
}

#[cfg(any())]
#[ordered_handler(key = "key", seq = "seq")]
async fn conditional(_event: Event) {
    compile_error!("not compiled");
}

#[ordered_handler(key = "key", seq = "seq")]
#[cfg(not(any()))]
#[deprecated = "for the test"]
#[expect(unused_variables, reason = "for the test")]
async fn conditional(event: Event) {}

#[ordered_handler(key = "key", seq = "seq")]
#[cfg(any())]
async fn conditional(_event: Event) {
    compile_error!("not compiled");
}

#[test]
#[expect(deprecated)]
fn attributes_stay_with_the_function() {
    assert_eq!(identity(conditional, event()).0, "k");
}

mod reexported {
    pub(crate) mod inner {
        pub(crate) use ordered_events::__private;
    }
}

#[ordered_handler(
    key = "key",
    seq = "seq",
    crate = "crate::handler::shapes::reexported::inner"
)]
async fn elsewhere(_event: Event) {}

#[test]
fn the_crate_may_be_found_elsewhere() {
    assert_eq!(identity(elsewhere, event()).1, 2);
}

/// The application's own names do not get into the generated code.
mod shadowed {
    #![allow(non_camel_case_types, dead_code)]

    pub(super) struct Result;
    pub(super) struct Box;
    pub(super) struct Ok;
    pub(super) struct Send;
    pub(super) struct Context;
    pub(super) struct Handler;
    pub(super) struct ordered_events;
    pub(super) struct core;
    pub(super) struct key;
    pub(super) struct options;

    #[super::ordered_handler(key = "key", seq = "seq")]
    pub(super) async fn event(event: super::Event) {
        drop(event);
    }

    #[super::ordered_handler(key = "key", seq = "seq")]
    pub(super) async fn context(_: super::Event) {}

    #[super::ordered_handler(key = "key", seq = "seq")]
    pub(super) async fn shadowed(_: super::Event) {}
}

#[test]
fn names_of_the_application_do_not_matter() {
    assert_eq!(identity(shadowed::shadowed, event()).1, 2);
    assert_eq!(identity(shadowed::event, event()).1, 2);
    assert_eq!(identity(shadowed::context, event()).1, 2);
}

/// The most general form: a handler made by a macro of the application.
macro_rules! make_handler {
    ($name:ident, $key:literal, $attempts:literal, $event:ty) => {
        #[ordered_handler(key = $key, seq = "seq", max_attempts = $attempts)]
        async fn $name(_event: $event) {}
    };
}

make_handler!(made, "key", 3, Event);

#[test]
fn a_macro_makes_handlers() {
    assert_eq!(identity(made, event()).0, "k");
    assert_eq!(made.options().policy.max_attempts, Some(3));
}
