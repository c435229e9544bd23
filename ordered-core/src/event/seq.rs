use std::fmt;

/// The place of an event among the events of its key: 1, 2, 3, … without gaps; in a group that says so from 0 on, or
/// from any other number.
///
/// At most 2^53-1, the largest integer that JSON readers in every language, and Lua inside Redis, hold exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seq(u64);

/// Why a number cannot be a [`Seq`].
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("seq is {0}, and must be a whole number from 0 to 9007199254740991 (2^53-1)")]
pub struct InvalidSeq(pub String);

crate::debug_as_text!(InvalidSeq);

impl Seq {
    /// The largest seq, 2^53-1.
    pub const MAX: Self = Self((1 << 53) - 1);

    /// Stands for the seq of an event that has none: where the order of its group is `arrival`, the owner of its key
    /// numbers it, and a handler is not told the number, which may be another one at the next attempt.
    pub const UNNUMBERED: Self = Self(u64::MAX);

    /// Whether it is the seq of an event.
    #[must_use]
    pub const fn is_numbered(self) -> bool {
        self.0 != Self::UNNUMBERED.0
    }

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
        if self.is_numbered() {
            self.0.fmt(f)
        } else {
            f.pad("?")
        }
    }
}

impl TryFrom<u64> for Seq {
    type Error = InvalidSeq;

    fn try_from(number: u64) -> Result<Self, InvalidSeq> {
        Self::new(number)
    }
}
