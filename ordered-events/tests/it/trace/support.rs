use std::collections::BTreeMap;
use std::sync::Arc;

use ordered_events::core::handler::{Decoded, HandlerOptions, Malformed};
use ordered_events::{
    Context, Envelope, EventId, Handler, HandlerError, Key, MemoryBroker, MemoryStore, Publish,
    Seq, Worker,
};
use tokio::sync::Semaphore;
use tracing::{info, warn};

pub(crate) const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
pub(crate) const SPAN: &str = "00f067aa0ba902b7";

/// Handles events of the key `k` whose body is their seq; those that are divisible by 10 fail permanently.
struct Counting(Arc<Semaphore>);

impl Handler for Counting {
    type Event = ();

    fn options(&self) -> HandlerOptions {
        HandlerOptions::new("traced")
    }

    fn decode(&self, envelope: &Envelope) -> Result<Decoded<()>, Malformed> {
        let text = String::from_utf8_lossy(&envelope.body);
        let seq: u64 = text.parse().map_err(|_| Malformed("no seq".into()))?;
        Ok(Decoded {
            key: Key::new("k")?,
            seq: Seq::new(seq)?,
            id: EventId::new(format!("e{seq}"))?,
            event: (),
        })
    }

    async fn call(&self, (): (), context: Context) -> Result<(), HandlerError> {
        info!("at work");
        self.0.add_permits(1);
        if context.seq().get().is_multiple_of(10) {
            warn!("this will not do");
            return Err(HandlerError::permanent("not this one"));
        }
        Ok(())
    }
}

/// An event, with the headers that a tracing producer gives it.
pub(crate) fn event(seq: u64, headers: &[(&str, &str)]) -> Envelope {
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Envelope {
        headers: headers.iter().map(own).collect::<BTreeMap<_, _>>(),
        ..Envelope::new(seq.to_string())
    }
}

/// A worker gets the events, and ends once as many runs have begun as there are events.
pub(crate) async fn handle(events: Vec<Envelope>) {
    let broker = MemoryBroker::new();
    let (runs, begun) = (events.len(), Arc::new(Semaphore::new(0)));
    broker.publish(events).await.unwrap();
    let all = u32::try_from(runs).unwrap();
    Worker::builder()
        .store(MemoryStore::new())
        .transport(broker.consumer())
        .handler(Counting(Arc::clone(&begun)))
        .run_until(async move { begun.acquire_many(all).await.unwrap().forget() })
        .await
        .unwrap();
}
