use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::protocol::Millis;

/// A hybrid logical clock: its times are ordered like those of a [`LamportClock`](super::LamportClock), and stay as
/// near to the wall clock as the wall clocks of all that take part are to each other.
///
/// After S. Kulkarni, M. Demirbas, D. Madappa, B. Avva, M. Leone, "Logical Physical Clocks" (OPODIS 2014). The wall
/// clock's time comes in as a value.
///
/// ```
/// use ordered_core::logical::HybridClock;
///
/// let (mut shop, mut bank) = (HybridClock::default(), HybridClock::default());
/// let order = shop.send(1_795_608_000_500);
/// // The bank's clock is half a second slow.
/// bank.receive(1_795_608_000_000, order)?;
/// let payment = bank.send(1_795_608_000_001);
/// assert!(order < payment);
/// assert_eq!(payment.to_string(), "2026-11-25T12:00:00.500Z+2");
/// # Ok::<_, ordered_core::logical::TooFarAhead>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct HybridClock(HybridTime);

/// A time of a [`HybridClock`]. As text it is `2026-11-25T12:00:00.500Z+2`: a moment, and what counts events of the
/// same millisecond.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(try_from = "String", into = "String")]
pub struct HybridTime {
    /// Milliseconds since the Unix epoch.
    millis: Millis,
    /// Counts what has the same milliseconds.
    count: u64,
}

/// A time lies further ahead of the wall clock than a clock that is set right.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the time {time} lies {ahead} ms ahead of this machine\'s clock, and may lie {most} ms ahead at most: the \
     sender\'s clock, or this one, is wrong"
)]
pub struct TooFarAhead {
    /// The time.
    pub time: HybridTime,
    /// By how many milliseconds it lies ahead.
    pub ahead: Millis,
    /// How many it may.
    pub most: Millis,
}

crate::debug_as_text!(TooFarAhead);

/// A text that is no [`HybridTime`].
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no time of a hybrid clock: it is written like 2026-11-25T12:00:00.500Z+2")]
pub struct InvalidTime(pub String);

crate::debug_as_text!(InvalidTime);

impl HybridClock {
    /// How far a received time may lie ahead of the wall clock, in milliseconds: one that is wrong would take all
    /// others along.
    pub const MAX_AHEAD: Millis = 60_000;

    /// One that has seen this time, as it was kept over a restart.
    #[must_use]
    pub const fn at(time: HybridTime) -> Self {
        Self(time)
    }

    /// The last time that it gave or saw.
    #[must_use]
    pub const fn time(self) -> HybridTime {
        self.0
    }

    /// An event is sent, by the wall clock at `now`: the time that goes with it.
    pub fn send(&mut self, now: Millis) -> HybridTime {
        self.0 = self.0.after(now.min(HybridTime::LAST));
        self.0
    }

    /// An event with this time is received: the time of its receipt.
    ///
    /// # Errors
    /// When it lies more than [`MAX_AHEAD`](Self::MAX_AHEAD) ahead of the wall clock. The clock is left as it was.
    pub fn receive(&mut self, now: Millis, time: HybridTime) -> Result<HybridTime, TooFarAhead> {
        let ahead = time.millis.saturating_sub(now);
        if ahead > Self::MAX_AHEAD {
            let most = Self::MAX_AHEAD;
            return Err(TooFarAhead { time, ahead, most });
        }
        self.0 = self.0.max(time);
        Ok(self.send(now))
    }
}

impl HybridTime {
    /// The last millisecond of the year 9999.
    const LAST: Millis = 253_402_300_799_999;

    /// The milliseconds since the Unix epoch, near the wall clock\'s.
    #[must_use]
    pub const fn millis(self) -> Millis {
        self.millis
    }

    /// What counts events of the same millisecond.
    #[must_use]
    pub const fn count(self) -> u64 {
        self.count
    }

    /// The first time after this one that is not before `now`.
    fn after(self, now: Millis) -> Self {
        if now > self.millis {
            let (millis, count) = (now, 0);
            return Self { millis, count };
        }
        Self {
            count: self.count.saturating_add(1),
            ..self
        }
    }
}

impl fmt::Display for HybridTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DAY: Millis = 86_400_000;
        let (year, month, day) = crate::readable::date(self.millis / DAY);
        let of_day = self.millis % DAY;
        let (seconds, millis) = (of_day / 1_000, of_day % 1_000);
        let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hours:02}:{minutes:02}:{seconds:02}.{millis:03}Z+{}",
            self.count
        )
    }
}

impl From<HybridTime> for String {
    fn from(time: HybridTime) -> Self {
        time.to_string()
    }
}

impl TryFrom<String> for HybridTime {
    type Error = InvalidTime;

    fn try_from(text: String) -> Result<Self, InvalidTime> {
        text.parse()
    }
}

impl FromStr for HybridTime {
    type Err = InvalidTime;

    fn from_str(text: &str) -> Result<Self, InvalidTime> {
        let invalid = || InvalidTime(text.to_owned());
        let (moment, count) = text.split_once("Z+").ok_or_else(invalid)?;
        let number = |from: usize, to: usize| {
            let digits = moment.get(from..to)?;
            let are_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
            are_digits.then(|| digits.parse::<u64>().ok())?
        };
        let parse = || {
            let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
            let (hours, minutes, seconds) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
            let seconds = hours * 3_600 + minutes * 60 + seconds;
            let days = days_since_epoch(year, month, day)?;
            let millis = days * 86_400_000 + seconds * 1_000 + number(20, 23)?;
            let count = count.parse().ok()?;
            Some(Self { millis, count })
        };
        // Whatever is written otherwise than it would be is no time.
        parse()
            .filter(|time| time.to_string() == text)
            .ok_or_else(invalid)
    }
}

/// `days_from_civil` of <https://howardhinnant.github.io/date_algorithms.html>, from the epoch on.
fn days_since_epoch(year: u64, month: u64, day: u64) -> Option<u64> {
    let is_date = (1..=12).contains(&month) && (1..=31).contains(&day);
    let year = if month <= 2 {
        year.checked_sub(1)?
    } else {
        year
    };
    let (era, of_era) = (year / 400, year % 400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let of_era = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    (era * 146_097 + of_era)
        .checked_sub(719_468)
        .filter(|_| is_date)
}
