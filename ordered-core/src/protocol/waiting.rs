use std::fmt;

/// What an event waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Waiting {
    /// The seq whose turn it is; 0 where only the owner of the key numbers its events.
    pub for_seq: u64,
    /// What stands in the way.
    pub why: WaitReason,
}

/// Why an event cannot run yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WaitReason {
    /// An earlier event has not come.
    Gap,
    /// An event of a producer has not come that belongs before it, where the order comes from the producers.
    Earlier,
    /// Another worker runs the key.
    Running,
    /// The worker that asks has as many events of this key as it may have at a time.
    LaneFull,
    /// The event at the head failed, and will be tried again later.
    BackingOff,
    /// The event at the head failed permanently, or has not come in time.
    Halted,
    /// An operator has paused the key or its group.
    Paused,
}

impl WaitReason {
    /// The word for logs, metrics and the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gap => "gap",
            Self::Earlier => "earlier",
            Self::Running => "running",
            Self::LaneFull => "lane_full",
            Self::BackingOff => "backing_off",
            Self::Halted => "halted",
            Self::Paused => "paused",
        }
    }
}

/// Which quota is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum QuotaLimit {
    /// The number of events held for the key.
    KeyEvents,
    /// The bytes held for the key.
    KeyBytes,
    /// The key's bucket has its share of the group's number of events.
    GroupEvents,
    /// The key's bucket has its share of the group's bytes.
    GroupBytes,
}

impl QuotaLimit {
    /// The word for logs, metrics and the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::KeyEvents => "key_events",
            Self::KeyBytes => "key_bytes",
            Self::GroupEvents => "group_events",
            Self::GroupBytes => "group_bytes",
        }
    }
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.why {
            WaitReason::Earlier => f.write_str("an event that comes before it has not come yet"),
            WaitReason::Gap => write!(f, "seq {} has not come yet", self.for_seq),
            WaitReason::Running if self.for_seq == 0 => f.write_str("another worker has the key"),
            WaitReason::Running => write!(f, "another worker is at seq {}", self.for_seq),
            WaitReason::LaneFull => write!(
                f,
                "this worker has enough of the key, and is at seq {}",
                self.for_seq
            ),
            WaitReason::BackingOff => {
                write!(f, "seq {} failed and will be tried again", self.for_seq)
            }
            WaitReason::Halted => write!(f, "the key is halted at seq {}", self.for_seq),
            WaitReason::Paused => write!(f, "the key is paused before seq {}", self.for_seq),
        }
    }
}

impl fmt::Display for QuotaLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::KeyEvents => "the key's quota of held events",
            Self::KeyBytes => "the key's quota of held bytes",
            Self::GroupEvents => "the group's quota of held events",
            Self::GroupBytes => "the group's quota of held bytes",
        })
    }
}
