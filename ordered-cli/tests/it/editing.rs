//! An edit changes what an event says, and not which one it is.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use ordered_core::event::Envelope;
use ordered_core::handler::{
    Context, Decoded, EventPlace, EventPlaces, Handler, HandlerError, HandlerOptions, KeyValue,
    Malformed, SeqValue,
};
use ordered_core::internal::{json_field_as_id, json_fields};
use ordered_core::transport::Publish;
use ordered_core::worker::Worker;
use serde_json::json;

use crate::support::{Fixture, GROUP, TempFile};

/// Fails permanently at events that say so.
struct Stock(Arc<Mutex<Vec<(String, u64)>>>);

impl Handler for Stock {
    type Event = bool;

    fn options(&self) -> HandlerOptions {
        HandlerOptions::new(GROUP)
    }

    fn decode(&self, envelope: &Envelope) -> Result<Decoded<bool>, Malformed> {
        let fields = json_fields(envelope)?;
        let (key, seq) = (fields.at("/sku")?.to_key()?, fields.at("/seq")?.to_seq()?);
        Ok(Decoded {
            id: json_field_as_id(envelope, &key, seq)?,
            key,
            seq,
            event: fields.at("/fails").is_err(),
        })
    }

    fn places(&self) -> Option<EventPlaces> {
        let place = |pointer: &str| EventPlace::Json(pointer.to_owned());
        Some(EventPlaces::new(vec![place("/sku")], place("/seq"), None))
    }

    async fn call(&self, succeeds: bool, context: Context) -> Result<(), HandlerError> {
        if !succeeds {
            return Err(HandlerError::permanent("no price"));
        }
        let done = (context.key().to_string(), context.seq().get());
        self.0.lock().unwrap().push(done);
        Ok(())
    }
}

/// People saw: an edit to a body with another key and seq was accepted, and a handler changed a key that its worker did
/// not own.
#[tokio::test]
async fn an_edit_to_another_key_seq_or_id_is_refused_at_once() {
    let fixture = Fixture::calm().await;
    let log = Arc::default();
    let worker = Worker::builder()
        .store(fixture.store.clone())
        .transport(fixture.broker.consumer())
        .handler(Stock(Arc::clone(&log)))
        .lease(Duration::from_secs(3))
        .sweep_interval(Duration::from_millis(50));
    let worker = tokio::spawn(worker.build().unwrap().run_until(std::future::pending()));
    let event = |seq: u64, fails: &str| {
        format!(r#"{{"sku":"sku-18","seq":{seq},"event_id":"e-{seq}"{fails}}}"#)
    };
    let events = [event(1, ""), event(2, r#","fails":1"#), event(3, "")];
    let events = events.map(Envelope::new).to_vec();
    fixture.broker.publish(events).await.unwrap();
    fixture
        .until("sku-18", "halted", |view| {
            view.phase == "halted" && view.held_events == 2
        })
        .await;
    for (body, why) in [
        (
            json!({"sku": "other", "seq": 2, "event_id": "e-2"}),
            "the key",
        ),
        (
            json!({"sku": "sku-18", "seq": 7, "event_id": "e-2"}),
            "the seq",
        ),
        (json!({"sku": "sku-18", "event_id": "e-2"}), "the seq"),
        (
            json!({"sku": "sku-18", "seq": 2, "event_id": "e-9"}),
            "the id",
        ),
        (json!("sku-18"), "the key"),
    ] {
        let file = TempFile::new(&body.to_string());
        for how in ["--dry-run", "--yes"] {
            let edit = ["edit", "sku-18", "2", how, "--payload", file.path()];
            let output = fixture.run(&edit).await.fails(1);
            let words = format!("ordered: sku-18: the new body does not have {why} of the event");
            assert!(output.starts_with(&words), "{output}");
        }
    }
    let garbage = TempFile::new("no JSON");
    let edit = ["edit", "sku-18", "2", "--yes", "--payload", garbage.path()];
    let output = fixture.run(&edit).await.fails(1);
    assert!(output.contains("the new body cannot be read"), "{output}");
    let good = TempFile::new(&event(2, r#","price":5"#));
    let edit = ["edit", "sku-18", "2", "--yes", "--payload", good.path()];
    fixture.run(&edit).await.ok();
    fixture.ordered("retry sku-18").await.ok();
    fixture.until_done("sku-18", 3).await;
    let done: Vec<u64> = log
        .lock()
        .unwrap()
        .iter()
        .map(|(_, seq): &(String, u64)| *seq)
        .collect();
    assert_eq!(done, [1, 2, 3]);
    worker.abort();
}
