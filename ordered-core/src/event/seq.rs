use std::fmt;

/// The place of an event among the events of its key: 1, 2, 3, … without gaps; in a group that says so from 0 on, or from any
/// other number.
///
/// At most 2^53-1, the largest integer that JSON readers in every language, and Lua inside Redis, hold exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seq(u64);

/// Why a number cannot be a [`Seq`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("seq is {0}, and must be a whole number from 0 to 9007199254740991 (2^53-1)")]
pub struct InvalidSeq(pub String);

impl Seq {
    /// The largest seq, 2^53-1.
    pub const MAX: Self = Self((1 << 53) - 1);

    /// Checks the number and takes it as a seq.
    ///
    /// # Errors
    /// When the number is above [`Seq::MAX`].
    pub fn new(number: u64) -> Result<Self, InvalidSeq> {
        if number <= Self::MAX.0 {
            Ok(Self(number))
        } else {
            Err(InvalidSeq(number.to_string()))
        }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl TryFrom<u64> for Seq {
    type Error = InvalidSeq;

    fn try_from(number: u64) -> Result<Self, InvalidSeq> {
        Self::new(number)
    }
}
