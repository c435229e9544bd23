//! Groups whose events run in another order than 1, 2, 3, ….

mod arrival;
pub(crate) mod causal;
mod lamport;
mod monotonic;
mod refused;

use std::sync::{Arc, Mutex};

use ordered_core::worker::{WorkerBuilder, WorkerEvent};

/// What happened to events, as words.
#[derive(Clone, Default)]
struct Outcomes(Arc<Mutex<Vec<String>>>);

impl Outcomes {
    fn record(&self, worker: WorkerBuilder) -> WorkerBuilder {
        let outcomes = self.clone();
        worker.observe(move |event| {
            let words = match event {
                WorkerEvent::Committed { event, .. } => format!("{} done", event.id),
                WorkerEvent::Duplicate { event } => format!("{} again", event.id),
                WorkerEvent::Superseded { event } => format!("{} superseded", event.id),
                WorkerEvent::Malformed { reason } => reason.text.clone(),
                _ => return,
            };
            outcomes.0.lock().unwrap().push(words);
        })
    }

    /// The ids of the events of which this was told.
    fn all(&self, what: &str) -> Vec<String> {
        let outcomes = self.0.lock().unwrap();
        let such = outcomes.iter().filter_map(|words| words.strip_suffix(what));
        such.map(|words| words.trim().to_owned()).collect()
    }
}
