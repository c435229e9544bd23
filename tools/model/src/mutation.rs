/// A mistake, seeded on purpose: in the store of the model, or between the engine and what is around it. Never in what
/// ships.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each says itself in `Mutation::words`")]
pub enum Mutation {
    // Between the engine and what is around it.
    AckOnDelivery,
    AckOnDone,
    AckOnAsk,
    AckOnFailure,
    StartsWithoutLease,
    ForgetsLapse,
    UnknownIsDone,
    UnknownIsForgotten,
    CallsAreNotNumbered,
    ForgetsNumbering,
    AbortIsIgnored,
    NeverWakes,
    LateIsStale,
    FillIsForgotten,
    AdoptsNothing,
    // In the store.
    NoFence,
    TakesFromTheLiving,
    ReleasesDespiteMail,
    ReleaseKeepsOwner,
    TakeOverDropsMail,
    TakesAllMail,
    TakesNoMail,
    PostIsNotKept,
    PostWithoutMail,
    MailIsSorted,
    LastWins,
    TakenIsKnown,
    ForgetsIds,
    BodyIsLost,
    SweepIgnoresDead,
    SweepIgnoresDue,
    NoHandOver,
    LeavingIsDying,
}

impl Mutation {
    /// All of them.
    pub const ALL: [Self; 33] = [
        Self::AckOnDelivery,
        Self::AckOnDone,
        Self::AckOnAsk,
        Self::AckOnFailure,
        Self::StartsWithoutLease,
        Self::ForgetsLapse,
        Self::UnknownIsDone,
        Self::UnknownIsForgotten,
        Self::CallsAreNotNumbered,
        Self::ForgetsNumbering,
        Self::AbortIsIgnored,
        Self::NeverWakes,
        Self::LateIsStale,
        Self::FillIsForgotten,
        Self::AdoptsNothing,
        Self::NoFence,
        Self::TakesFromTheLiving,
        Self::ReleasesDespiteMail,
        Self::ReleaseKeepsOwner,
        Self::TakeOverDropsMail,
        Self::TakesAllMail,
        Self::TakesNoMail,
        Self::PostIsNotKept,
        Self::PostWithoutMail,
        Self::MailIsSorted,
        Self::LastWins,
        Self::TakenIsKnown,
        Self::ForgetsIds,
        Self::BodyIsLost,
        Self::SweepIgnoresDead,
        Self::SweepIgnoresDue,
        Self::NoHandOver,
        Self::LeavingIsDying,
    ];

    /// The mistake in a sentence.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::AckOnDelivery => "the worker acknowledges what it is delivered at once",
            Self::AckOnDone => "the worker acknowledges when the handler is done, before the save",
            Self::AckOnAsk => "the worker acknowledges when it saves, before the save is answered",
            Self::AckOnFailure => "the worker acknowledges when the handler fails",
            Self::StartsWithoutLease => "the worker starts a handler without looking at its lease",
            Self::ForgetsLapse => {
                "the worker that gets its lease back goes on with what it owned before"
            }
            Self::UnknownIsDone => "the worker takes a save without an answer for carried out",
            Self::UnknownIsForgotten => {
                "the worker forgets a save without an answer, and goes on under the same fence"
            }
            Self::CallsAreNotNumbered => "a call that comes after a later one is carried out",
            Self::ForgetsNumbering => "an event does not say which numbering it belongs to",
            Self::AbortIsIgnored => "the worker lets a handler run on whose key it has lost",
            Self::NeverWakes => "the worker never wakes a key that waits",
            Self::LateIsStale => "what comes after its seq was passed is acknowledged as stale",
            Self::FillIsForgotten => "a control message is acknowledged, and not noted",
            Self::AdoptsNothing => {
                "the worker forgets what it knew of its keys when the state is lost"
            }
            Self::NoFence => "a save does not look at the owner",
            Self::TakesFromTheLiving => "a key may be taken from a worker whose lease is good",
            Self::ReleasesDespiteMail => "a key is given up although there is mail",
            Self::ReleaseKeepsOwner => "a release is answered, and the owner stays",
            Self::TakeOverDropsMail => "a key that is taken over loses its mail",
            Self::TakesAllMail => "a save takes all mail, also what its body does not account for",
            Self::TakesNoMail => "a save takes no mail, so that it is told for ever",
            Self::PostIsNotKept => "what is posted is answered as stored, and is not",
            Self::PostWithoutMail => "what is posted is stored, and its owner is not told",
            Self::MailIsSorted => {
                "mail is told in the order of its numbers, not in that of posting"
            }
            Self::LastWins => "a second event takes the slot of the first",
            Self::TakenIsKnown => "another event in the slot is taken for the same",
            Self::ForgetsIds => "ids are not remembered",
            Self::BodyIsLost => "a save is answered, and its body is not written",
            Self::SweepIgnoresDead => "a sweep finds no key whose owner is dead",
            Self::SweepIgnoresDue => "a sweep finds no key that is due",
            Self::NoHandOver => "an owner is not told that somebody wants its key",
            Self::LeavingIsDying => "who leaves without giving a key up counts as dead",
        }
    }

    /// The mistake in a word: `no-fence`.
    #[must_use]
    pub fn name(self) -> String {
        let mut name = String::new();
        for letter in format!("{self:?}").chars() {
            if letter.is_uppercase() && !name.is_empty() {
                name.push('-');
            }
            name.push(letter.to_ascii_lowercase());
        }
        name
    }
}
