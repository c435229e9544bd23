use serde::{Deserialize, Serialize};

/// One line of a history: what happened, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Milliseconds, on whichever clock. The checks go by the order of the lines; only the end of a
    /// [lease](What::Leased) is a time.
    #[serde(default)]
    pub at: u64,
    /// What happened.
    #[serde(flatten)]
    pub what: What,
}

/// Which event.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Event {
    /// Its key.
    pub key: String,
    /// Its seq.
    pub seq: u64,
    /// Its id.
    pub id: String,
}

/// What happened. The field `line` of the JSON names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "snake_case")]
pub enum What {
    /// The event was given to the broker, and the broker has it.
    Published {
        /// The event.
        #[serde(flatten)]
        event: Event,
    },
    /// Of an event of several producers: which events of its key it follows directly, by their seqs. It may not start
    /// before them. For the order `Causal`; comes before the event is published.
    Follows {
        /// The event.
        #[serde(flatten)]
        event: Event,
        /// The seqs of those that it follows.
        seqs: Vec<u64>,
    },
    /// A handler started on it. Without these lines order and overlap are checked less closely.
    Started {
        /// The event.
        #[serde(flatten)]
        event: Event,
        /// On which worker.
        worker: String,
        /// Under which fence. With it a worker that woke up with a grant of long ago is told from one that has no
        /// excuse.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fence: Option<u64>,
        /// The seq of the first event of its run, where the handler took several together: a line for each of them, in
        /// order.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        run: Option<u64>,
    },
    /// A handler ended. Written before the handler returns, so that it comes before the commit.
    Handled {
        /// The event.
        #[serde(flatten)]
        event: Event,
        /// On which worker.
        worker: String,
        /// How it ended.
        #[serde(default)]
        outcome: Outcome,
    },
    /// The event was committed.
    Committed {
        /// The event.
        #[serde(flatten)]
        event: Event,
        /// By which worker.
        worker: String,
    },
    /// The event was dead-lettered: the broker has it among its dead letters.
    DeadLettered {
        /// The event.
        #[serde(flatten)]
        event: Event,
        /// Why.
        reason: String,
    },
    /// The event's attempts were used up, or an operator skipped or discarded it: it is a dead letter in the store, and
    /// the key goes on past it.
    DeadLetteredInStore {
        /// The event.
        #[serde(flatten)]
        event: Event,
        /// Why.
        reason: String,
    },
    /// The key was moved past these seqs without a commit: an operator skipped them, a producer said that they would
    /// never come, or their gap had lasted too long. What is published under them must turn up elsewhere all the same:
    /// [late](What::Late), or dead-lettered [with the broker](What::DeadLettered) or [in the
    /// store](What::DeadLetteredInStore).
    Skipped {
        /// The key.
        key: String,
        /// The first.
        from: u64,
        /// The last.
        to: u64,
        /// Why.
        reason: String,
    },
    /// The event came after its seq was skipped, and is not handled.
    Late {
        /// The event.
        #[serde(flatten)]
        event: Event,
    },
    /// The numbering of the key began again: this is the last seq that counts as done.
    Renumbered {
        /// The key.
        key: String,
        /// The last seq that counts as done.
        last_seq: u64,
    },
    /// The worker's lease is good until then at least; it ends by itself at the first line that is not earlier.
    Leased {
        /// The worker.
        worker: String,
        /// When it ends, on the clock of [`Line::at`].
        until: u64,
    },
    /// The worker's lease has ended: others may run what it was granted, beside what it runs now.
    Lapsed {
        /// The worker.
        worker: String,
    },
    /// The worker is dead; so are its handlers.
    Gone {
        /// The worker.
        worker: String,
    },
    /// Where the store says that the key stands, when everything has come to its end.
    Standing {
        /// The key.
        key: String,
        /// The last committed seq.
        last_seq: u64,
    },
}

/// How a run of a handler ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It got done.
    #[default]
    Done,
    /// It failed.
    Failed,
    /// It was stopped in the middle.
    Stopped,
}
