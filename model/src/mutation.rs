/// A mistake, seeded on purpose: around `decide`, or in the worker of the model. Never in what ships.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each says itself in `Mutation::words`")]
pub enum Mutation {
    // In the worker.
    AckOnDelivery,
    AckOnStart,
    AckOnFailure,
    AckOfEarly,
    LostReplyIsRefusal,
    StartsWithoutLease,
    GoesOnAfterLostLease,
    IgnoresClaimOfOwnLane,
    AckBeforeDeadLetter,
    ForgetsNumbering,
    // Around `decide` and `runnable`.
    NoFenceAtCommit,
    ClientClock,
    MarkBeforeHandle,
    HeldDroppedOnCommit,
    DuplicateBySeqOnly,
    LastWins,
    TakeoverBeforeLeaseEnd,
    GrantOverGap,
    ReleaseKeepsClaim,
    CommitIsNotIdempotent,
    SweepIgnoresDeadWorkers,
    PostponedIsNotKept,
    RetryCommits,
    SkipDoesNotFence,
    DiscardDrops,
    PauseForgetsHeld,
    RetryKeepsAttempts,
    SetLastKeepsRemembering,
    ReplayBesideHead,
    ReplayIsRepeat,
    LateIsStale,
    FillIsForgotten,
    FillPassesGranted,
    ResetDropsHeld,
    SkipsOverHeld,
}

impl Mutation {
    /// All of them.
    pub const ALL: [Self; 35] = [
        Self::AckOnDelivery,
        Self::AckOnStart,
        Self::AckOnFailure,
        Self::AckOfEarly,
        Self::LostReplyIsRefusal,
        Self::StartsWithoutLease,
        Self::GoesOnAfterLostLease,
        Self::IgnoresClaimOfOwnLane,
        Self::AckBeforeDeadLetter,
        Self::ForgetsNumbering,
        Self::NoFenceAtCommit,
        Self::ClientClock,
        Self::MarkBeforeHandle,
        Self::HeldDroppedOnCommit,
        Self::DuplicateBySeqOnly,
        Self::LastWins,
        Self::TakeoverBeforeLeaseEnd,
        Self::GrantOverGap,
        Self::ReleaseKeepsClaim,
        Self::CommitIsNotIdempotent,
        Self::SweepIgnoresDeadWorkers,
        Self::PostponedIsNotKept,
        Self::RetryCommits,
        Self::SkipDoesNotFence,
        Self::DiscardDrops,
        Self::PauseForgetsHeld,
        Self::RetryKeepsAttempts,
        Self::SetLastKeepsRemembering,
        Self::ReplayBesideHead,
        Self::ReplayIsRepeat,
        Self::LateIsStale,
        Self::FillIsForgotten,
        Self::FillPassesGranted,
        Self::ResetDropsHeld,
        Self::SkipsOverHeld,
    ];

    /// Whether it is about what operators and producers say, dead letters and gaps.
    pub(crate) fn is_about_orders(self) -> bool {
        matches!(self, Self::AckBeforeDeadLetter | Self::ForgetsNumbering)
            || self as usize >= Self::SkipDoesNotFence as usize
    }

    /// The mistake in a sentence.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::AckOnDelivery => "the worker acknowledges what it is delivered at once",
            Self::AckOnStart => {
                "the worker acknowledges when the handler starts, before the commit"
            }
            Self::AckOnFailure => "the worker acknowledges when the handler fails",
            Self::AckOfEarly => {
                "the worker acknowledges what came too early, without having it held"
            }
            Self::LostReplyIsRefusal => {
                "the worker takes a lost reply for a refusal, and does not repeat"
            }
            Self::StartsWithoutLease => "the worker starts a handler without looking at its lease",
            Self::GoesOnAfterLostLease => {
                "the worker that gets its lease back goes on with what it was granted before"
            }
            Self::IgnoresClaimOfOwnLane => {
                "the worker drops what a claim hands it for a key that it has a lane for, and runs over the hole"
            }
            Self::NoFenceAtCommit => "commit does not look at the fence",
            Self::ClientClock => "leases are judged by clocks of workers, which run ahead",
            Self::MarkBeforeHandle => "an event is marked as processed when it is granted",
            Self::HeldDroppedOnCommit => "commit drops the held event behind it",
            Self::DuplicateBySeqOnly => {
                "a duplicate is what has a seq that is known, whatever its id"
            }
            Self::LastWins => "a second event with the seq of a held one takes its place",
            Self::TakeoverBeforeLeaseEnd => "a key may be taken from a worker whose lease is good",
            Self::GrantOverGap => "an event is granted though an earlier one is missing",
            Self::ReleaseKeepsClaim => "release answers, and keeps the claim",
            Self::CommitIsNotIdempotent => "a commit that is repeated is fenced",
            Self::SweepIgnoresDeadWorkers => "a sweep finds only keys without a claim",
            Self::PostponedIsNotKept => "a postponed event is not kept",
            Self::RetryCommits => "a retry takes the event for done",
            Self::AckBeforeDeadLetter => {
                "the worker acknowledges what it puts aside before the store has it"
            }
            Self::ForgetsNumbering => {
                "the worker that has an event from the store forgets which numbering a second delivery of it named"
            }
            Self::SkipDoesNotFence => {
                "the operator's skip leaves the claim of the worker that runs"
            }
            Self::DiscardDrops => "discard drops a held event without putting it aside",
            Self::PauseForgetsHeld => "a pause forgets what is held",
            Self::RetryKeepsAttempts => "the operator's retry does not count the attempts anew",
            Self::SetLastKeepsRemembering => {
                "set-last backwards keeps the seqs of the old numbering as done"
            }
            Self::ReplayBesideHead => "a replay may begin beside the head that another worker runs",
            Self::ReplayIsRepeat => {
                "a replay is taken for a repetition, since its id is remembered"
            }
            Self::LateIsStale => "what comes after its seq was passed is acknowledged as stale",
            Self::FillIsForgotten => "a gap-fill is answered like a duplicate, and not noted",
            Self::FillPassesGranted => "a gap-fill passes what a worker was granted",
            Self::ResetDropsHeld => "a reset to a new numbering drops what is held of the old one",
            Self::SkipsOverHeld => "a gap that is over moves the key past the held event behind it",
        }
    }

    /// The mistake in a word: `no-fence-at-commit`.
    #[must_use]
    pub fn name(self) -> String {
        let mut name = String::new();
        for letter in format!("{self:?}").chars() {
            if letter.is_uppercase() && !name.is_empty() {
                name.push('-');
            }
            name.extend(letter.to_lowercase());
        }
        name
    }
}
