use ordered_events::core::handler::{Decoded, HandlerOptions, Malformed};
use ordered_events::core::internal::wall_clock;
use ordered_events::core::worker::Control;
use ordered_events::{Context, Envelope, EventId, Handler, HandlerError, Key, Seq};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// Handles bodies of the form `key seq id`. What the key begins with says what happens; it writes down each run.
#[derive(Clone)]
pub(crate) struct Load {
    group: String,
    pub(crate) runs: Arc<Mutex<Runs>>,
}

#[derive(Debug, Default)]
pub(crate) struct Runs {
    pub(crate) begun: u64,
    pub(crate) ended: u64,
    /// By key, the seqs whose handler got done, in order.
    pub(crate) done: BTreeMap<String, Vec<u64>>,
}

/// The name of the worker on which the events of `hang` hang.
pub(crate) const DYING: &str = "dying";

impl Load {
    pub(crate) fn new(group: &str) -> Self {
        Self {
            group: group.into(),
            runs: Arc::default(),
        }
    }

    pub(crate) fn done(&self, key: &str) -> Vec<u64> {
        let runs = self.runs.lock().unwrap();
        runs.done.get(key).cloned().unwrap_or_default()
    }

    /// Whether the run fails, and how.
    async fn outcome(&self, context: &Context) -> Result<(), HandlerError> {
        let (key, seq) = (context.key().as_str(), context.seq().get());
        match key.split('-').next() {
            Some("fails") if seq == 2 && context.attempt() < 4 => {
                Err(HandlerError::transient("not yet"))
            }
            Some("poisoned") if seq == 3 => Err(HandlerError::permanent("never")),
            Some("hang") if context.worker().as_str() == DYING => std::future::pending().await,
            _ => Ok(()),
        }
    }
}

impl Handler for Load {
    type Event = ();

    fn options(&self) -> HandlerOptions {
        HandlerOptions::new(&self.group)
    }

    fn decode(&self, envelope: &Envelope) -> Result<Decoded<()>, Malformed> {
        let text = String::from_utf8_lossy(&envelope.body);
        let words: Vec<&str> = text.split(' ').collect();
        let [key, seq, id] = words[..] else {
            return Err(Malformed("not `key seq id`".into()));
        };
        let seq: u64 = seq.parse().map_err(|_| Malformed("no seq".into()))?;
        Ok(Decoded {
            key: Key::new(key)?,
            seq: Seq::new(seq)?,
            id: EventId::new(id)?,
            event: (),
        })
    }

    async fn call(&self, (): (), context: Context) -> Result<(), HandlerError> {
        self.runs.lock().unwrap().begun += 1;
        let outcome = self.outcome(&context).await;
        let mut runs = self.runs.lock().unwrap();
        runs.ended += 1;
        if outcome.is_ok() {
            let done = runs.done.entry(context.key().to_string()).or_default();
            done.push(context.seq().get());
        }
        outcome
    }
}

/// An event with an id of its own.
pub(crate) fn event(key: &str, seq: u64) -> Envelope {
    event_with_id(key, seq, &format!("{key}-{seq}"))
}

pub(crate) fn event_with_id(key: &str, seq: u64, id: &str) -> Envelope {
    Envelope {
        published_at: Some(wall_clock()),
        ..Envelope::new(format!("{key} {seq} {id}"))
    }
}

/// The producer says that this seq will not come.
pub(crate) fn never(key: &str, seq: u64) -> Envelope {
    let seq = Seq::new(seq).unwrap();
    Control::GapFill { from: seq, to: seq }.envelope(&Key::new(key).unwrap())
}
