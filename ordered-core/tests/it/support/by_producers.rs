//! A handler of a group whose order comes from the producers.

use std::sync::{Arc, Mutex};

use ordered_core::event::{Envelope, EventId, Key, Seq};
use ordered_core::handler::{Context, Decoded, Handler, HandlerError, HandlerOptions, Malformed};
use ordered_core::internal::json_event;
use ordered_core::protocol::{Order, Stamp};
use ordered_core::worker::{Worker, WorkerBuilder};
use serde_json::Value;

use super::world::World;

/// Reads who sent an event, and what its producer knew then.
pub(crate) type ReadStamp = fn(&Envelope, &Value) -> Result<Stamp, Malformed>;

/// Handles `{"key": …, "id": …, "producer": …}`, and writes down what it has handled.
#[derive(Clone)]
pub(crate) struct ByProducers {
    order: Order,
    read_stamp: ReadStamp,
    /// Keys and ids.
    handled: Arc<Mutex<Vec<(String, String)>>>,
}

impl ByProducers {
    pub(crate) fn new(order: Order, read_stamp: ReadStamp) -> Self {
        Self {
            order,
            read_stamp,
            handled: Arc::default(),
        }
    }

    pub(crate) fn worker(&self, world: &World) -> WorkerBuilder {
        Worker::builder()
            .store(world.store.clone())
            .transport(world.broker.consumer())
            .handler(self.clone())
            .concurrency(8)
            .seed(7)
    }

    pub(crate) fn count(&self) -> usize {
        self.handled.lock().unwrap().len()
    }

    /// The ids of a key's events, as they were handled.
    pub(crate) fn of(&self, key: &str) -> Vec<String> {
        let handled = self.handled.lock().unwrap();
        let of_key = handled.iter().filter(|(of, _)| of == key);
        of_key.map(|(_, id)| id.clone()).collect()
    }
}

impl Handler for ByProducers {
    type Event = Value;

    fn options(&self) -> HandlerOptions {
        let mut options = HandlerOptions::new("test");
        options.policy.order = self.order;
        options
    }

    fn decode(&self, envelope: &Envelope) -> Result<Decoded<Value>, Malformed> {
        let event: Value = json_event(envelope)?;
        let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
        Ok(Decoded {
            key: Key::new(text("key"))?,
            seq: Seq::UNNUMBERED,
            id: EventId::new(text("id"))?,
            event,
        })
    }

    fn stamp(
        &self,
        envelope: &Envelope,
        event: Option<&Value>,
    ) -> Result<Option<Stamp>, Malformed> {
        event
            .map(|event| (self.read_stamp)(envelope, event))
            .transpose()
    }

    async fn call(&self, event: Value, context: Context) -> Result<(), HandlerError> {
        let stamp = context.clock().expect("it has one");
        assert_eq!(Some(stamp.producer()), event["producer"].as_str());
        assert_eq!(stamp.time(), event["time"].as_u64());
        assert!(!context.seq().is_numbered());
        let handled = (context.key().to_string(), context.event_id().to_string());
        self.handled.lock().unwrap().push(handled);
        Ok(())
    }
}
