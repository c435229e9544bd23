/// An enum whose variants are the values of a label.
macro_rules! label {
    (
        $(#[$attribute:meta])*
        $visibility:vis enum $name:ident { $($(#[doc = $doc:literal])* $variant:ident = $value:literal,)* }
    ) => {
        $(#[$attribute])*
        $visibility enum $name { $($(#[doc = $doc])* $variant,)* }

        impl $name {
            /// All values of the label, in the order of the variants.
            $visibility const VALUES: &[&str] = &[$($value),*];
        }
    };
}

label! {
    /// What happened to a delivery. Each delivery that a worker takes from its transport ends in exactly one of these,
    /// and is counted there when the worker has decided it. If the broker does not hear of it, it delivers the event
    /// again, and that is another delivery.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    #[non_exhaustive]
    pub enum Outcome {
        /// Its event was committed; acknowledged.
        Committed = "committed",
        /// The store keeps its event until its turn; acknowledged. So is one that comes again while it is kept.
        Held = "held",
        /// Its event is at work in this worker, or committed already; acknowledged.
        Duplicate = "duplicate",
        /// Its seq was committed so long ago that nothing is remembered of it; acknowledged.
        Stale = "stale",
        /// It is stale, and it was made to come again on purpose; acknowledged.
        Rewound = "rewound",
        /// Another event has its seq; dead-lettered with the broker.
        Conflict = "conflict",
        /// It came after its seq was passed over; dead-lettered with the broker, or acknowledged where that was chosen.
        Late = "late",
        /// Its version is older than one that was run, or is about to; acknowledged.
        Superseded = "superseded",
        /// It cannot be read; dead-lettered with the broker.
        Malformed = "malformed",
        /// The handler failed, and the store keeps its event until the next attempt; acknowledged.
        Postponed = "postponed",
        /// The handler failed permanently, and the store keeps its event at the head of its halted key; acknowledged.
        Halted = "halted",
        /// The handler failed permanently, the store has dead-lettered its event, and the key goes on; acknowledged.
        DeadLettered = "dead_lettered",
        /// A producer said what will not come; acknowledged.
        Control = "control",
        /// There is no room for it, or its time has not come; the broker delivers it again later.
        Deferred = "deferred",
        /// The worker ended without having settled it; the broker delivers it again.
        Returned = "returned",
    }
}

impl Outcome {
    /// The value of the label `outcome`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        Self::VALUES[self as usize]
    }
}

label! {
    /// What happens to an event besides what happens to its delivery: an event that was held has no delivery any more.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(super) enum Step {
        Started = "started",
        Committed = "committed",
        Repeated = "repeated",
        Retried = "retried",
        BatchSplit = "batch_split",
        Halted = "halted",
        DeadLettered = "dead_lettered",
        Fenced = "fenced",
        TakenOver = "taken_over",
        Superseded = "superseded",
        Late = "late",
    }
}

label! {
    /// What the store was asked.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(in crate::worker) enum StoreCall {
        Apply = "apply",
        Heartbeat = "heartbeat",
        Sweep = "sweep",
    }
}
