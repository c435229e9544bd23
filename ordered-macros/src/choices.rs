//! The values of options that are one of several words.

/// What is around the event in the body of a message.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Envelope {
    CloudEvents,
    Sns,
}

impl Envelope {
    pub(crate) const WORDS: [(&str, Self); 2] =
        [("cloudevents", Self::CloudEvents), ("sns", Self::Sns)];
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Sequence,
    Arrival,
    Monotonic,
    Lamport,
    Causal,
}

impl Order {
    pub(crate) const WORDS: [(&str, Self); 5] = [
        ("sequence", Self::Sequence),
        ("arrival", Self::Arrival),
        ("monotonic", Self::Monotonic),
        ("lamport", Self::Lamport),
        ("causal", Self::Causal),
    ];
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnExhausted {
    Halt,
    DeadLetter,
}

impl OnExhausted {
    pub(crate) const WORDS: [(&str, Self); 2] =
        [("halt", Self::Halt), ("dead_letter", Self::DeadLetter)];
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnStateLoss {
    Stop,
    Adopt,
}

impl OnStateLoss {
    pub(crate) const WORDS: [(&str, Self); 2] = [("stop", Self::Stop), ("adopt", Self::Adopt)];
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnGap {
    Wait,
    Skip,
    Halt,
    Repair,
}

impl OnGap {
    pub(crate) const WORDS: [(&str, Self); 4] = [
        ("wait", Self::Wait),
        ("skip", Self::Skip),
        ("halt", Self::Halt),
        ("repair", Self::Repair),
    ];
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnPassed {
    DeadLetter,
    Drop,
}

impl OnPassed {
    pub(crate) const WORDS: [(&str, Self); 2] =
        [("dead_letter", Self::DeadLetter), ("drop", Self::Drop)];
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Start {
    FirstSeq,
    FirstSeen,
}

impl Start {
    pub(crate) const WORDS: [(&str, Self); 2] = [
        ("first_seq", Self::FirstSeq),
        ("first_seen", Self::FirstSeen),
    ];
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnRepeat {
    Skip,
    Conflict,
}

impl OnRepeat {
    pub(crate) const WORDS: [(&str, Self); 2] =
        [("skip", Self::Skip), ("conflict", Self::Conflict)];
}
