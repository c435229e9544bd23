//! What stands on the command line, as what it means.

use std::time::Duration;

use ordered_core::event::{Key, Seq};

pub(crate) fn key(text: &str) -> Result<Key, String> {
    Key::new(text).map_err(|error| error.to_string())
}

pub(crate) fn seq(text: &str) -> Result<Seq, String> {
    let number = text
        .parse()
        .map_err(|_| "a seq is a whole number".to_owned())?;
    Seq::new(number).map_err(|error| error.to_string())
}

/// How far a key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LastSeq {
    /// At its beginning.
    None,
    /// Up to this seq.
    Seq(Seq),
}

pub(super) fn last_seq(text: &str) -> Result<LastSeq, String> {
    match text {
        "none" => Ok(LastSeq::None),
        text => seq(text).map(LastSeq::Seq),
    }
}

pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok();
    seconds
        .filter(|seconds| (0.01..=86_400.0).contains(seconds))
        .map(Duration::from_secs_f64)
        .ok_or_else(|| "seconds are a number from 0.01 to 86400".into())
}

pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let most = Duration::from_secs(86_400);
    let duration = whole(text).filter(|duration| *duration <= most);
    duration.ok_or_else(|| {
        "a duration is a whole number with ms, s, m or h behind it, at most 24h, such as 30s".into()
    })
}

pub(super) fn age(text: &str) -> Result<Duration, String> {
    whole(text).ok_or_else(|| {
        "an age is a whole number with ms, s, m, h or d behind it, such as 10m or 7d".into()
    })
}

fn whole(text: &str) -> Option<Duration> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let millis = match &text[digits.len()..] {
        "ms" => 1,
        "s" | "" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    let number: u64 = digits.parse().ok()?;
    number.checked_mul(millis).map(Duration::from_millis)
}
