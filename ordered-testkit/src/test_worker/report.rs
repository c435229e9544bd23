use ordered_core::event::Envelope;
use ordered_core::protocol::KeyView;
use ordered_core::transport::Reason;

/// What happened to the events of a [`TestWorker`](super::TestWorker), over all its runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestReport {
    handled: Vec<(String, u64)>,
    duplicates: Vec<(String, u64)>,
    views: Vec<KeyView>,
    at_broker: Vec<TestDeadLetter>,
}

/// An event that will not be handled.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TestDeadLetter {
    /// Its key, where the store has it; the broker has those that have no place.
    pub key: Option<String>,
    /// Its seq, likewise.
    pub seq: Option<u64>,
    /// Why it is one.
    pub reason: String,
    /// Its body, where the broker has it.
    pub body: Option<String>,
}

impl TestReport {
    pub(super) fn new(
        handled: Vec<(String, u64)>,
        duplicates: Vec<(String, u64)>,
        views: Vec<KeyView>,
        at_broker: Vec<(Envelope, Reason)>,
    ) -> Self {
        let letter = |(envelope, reason): (Envelope, Reason)| TestDeadLetter {
            key: None,
            seq: None,
            reason: reason.to_string(),
            body: Some(String::from_utf8_lossy(&envelope.body).into_owned()),
        };
        Self {
            handled,
            duplicates,
            views,
            at_broker: at_broker.into_iter().map(letter).collect(),
        }
    }

    /// The seqs of a key that were handled and committed, in that order.
    #[must_use]
    pub fn handled(&self, key: &str) -> Vec<u64> {
        of(key, &self.handled)
    }

    /// All that was handled and committed, key and seq, in that order.
    #[must_use]
    pub fn all_handled(&self) -> &[(String, u64)] {
        &self.handled
    }

    /// The seqs of a key that came again after they were committed.
    #[must_use]
    pub fn duplicates(&self, key: &str) -> Vec<u64> {
        of(key, &self.duplicates)
    }

    /// The seqs of a key that wait: for an event before them that has not come, or behind one that failed permanently.
    #[must_use]
    pub fn held(&self, key: &str) -> Vec<u64> {
        let held = self.view(key).map(|view| &view.held);
        held.into_iter().flatten().map(|held| held.seq).collect()
    }

    /// Why a key is halted; nothing where it is not.
    #[must_use]
    pub fn halted(&self, key: &str) -> Option<&str> {
        let view = self.view(key).filter(|view| view.phase == "halted")?;
        let last_error = view.last_error.as_ref();
        Some(last_error.map_or("", |last_error| last_error.error.as_str()))
    }

    /// The dead letters: of the store, by key and seq, then those of the broker.
    #[must_use]
    pub fn dead_letters(&self) -> Vec<TestDeadLetter> {
        let of_view = |view: &KeyView| {
            let key = view.key.clone();
            let letters = view.dead.iter().map(move |dead| TestDeadLetter {
                key: Some(key.clone()),
                seq: Some(dead.seq),
                reason: dead.error.clone(),
                body: None,
            });
            letters.collect::<Vec<_>>()
        };
        let in_store = self.views.iter().flat_map(of_view);
        in_store.chain(self.at_broker.iter().cloned()).collect()
    }

    /// What the store knows of a key.
    #[must_use]
    pub fn view(&self, key: &str) -> Option<&KeyView> {
        self.views.iter().find(|view| view.key == key)
    }
}

fn of(key: &str, places: &[(String, u64)]) -> Vec<u64> {
    let of_key = places.iter().filter(|(of, _)| of == key);
    of_key.map(|(_, seq)| *seq).collect()
}
