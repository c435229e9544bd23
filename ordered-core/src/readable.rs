//! Times, amounts and names, as people read them: in log lines, answers and explanations.

use std::fmt::Write;
use std::time::Duration;

use crate::protocol::Millis;

const DAY: u64 = 24 * 60 * 60 * 1_000;

/// A moment in UTC: `12:01:07 UTC`, with the date where that is not the day of `now`.
#[must_use]
pub fn moment(at: Millis, now: Millis) -> String {
    let seconds = at % DAY / 1_000;
    let time = format!(
        "{:02}:{:02}:{:02} UTC",
        seconds / 3_600,
        seconds / 60 % 60,
        seconds % 60
    );
    if at / DAY == now / DAY {
        return time;
    }
    let (year, month, day) = date(at / DAY);
    format!("{year:04}-{month:02}-{day:02} {time}")
}

/// The date of a day since the Unix epoch: `civil_from_days` of
/// <https://howardhinnant.github.io/date_algorithms.html>, for days from the epoch on.
#[must_use]
pub fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    (year + era * 400 + u64::from(month <= 2), month, day)
}

/// How long, in the unit that says most: `350 ms`, `12 s`, `3 min`, `5 h`, `4 days`.
#[must_use]
pub fn span(millis: u64) -> String {
    match millis {
        0..1_000 => format!("{millis} ms"),
        1_000..60_000 => format!("{} s", millis / 1_000),
        60_000..3_600_000 => format!("{} min", millis / 60_000),
        3_600_000..172_800_000 => format!("{} h", millis / 3_600_000),
        _ => format!("{} days", millis / DAY),
    }
}

/// A setting, without rounding.
#[must_use]
pub fn exactly(duration: Duration) -> String {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    match millis {
        0 => "0 s".into(),
        millis if millis % 3_600_000 == 0 => format!("{} h", millis / 3_600_000),
        millis if millis % 60_000 == 0 => format!("{} min", millis / 60_000),
        millis if millis % 1_000 == 0 => format!("{} s", millis / 1_000),
        millis => format!("{millis} ms"),
    }
}

/// A size: `812 B`, `3.4 kB`, `1.0 MB`.
#[must_use]
pub fn size(bytes: u64) -> String {
    let mut unit = 1_000_u64;
    for name in ["kB", "MB", "GB"] {
        if bytes < unit {
            break;
        }
        if bytes < unit * 1_000 || name == "GB" {
            return format!("{}.{} {name}", bytes / unit, bytes % unit * 10 / unit);
        }
        unit *= 1_000;
    }
    format!("{bytes} B")
}

/// `1 event`, `2 events`; thousands apart.
#[must_use]
pub fn events(count: u64) -> String {
    format!(
        "{} event{}",
        grouped(count),
        if count == 1 { "" } else { "s" }
    )
}

/// A count with its thousands apart: `12,345`.
#[must_use]
pub fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Ascending seqs, with what follows one on the other made a range: `43–59, 61`. At most `most` ranges, then `…`.
#[must_use]
pub fn ranges(seqs: impl IntoIterator<Item = u64>, most: usize) -> String {
    let mut found: Vec<(u64, u64)> = Vec::new();
    for seq in seqs {
        let full = found.len() > most;
        match found.last_mut() {
            Some((_, to)) if *to + 1 == seq => *to = seq,
            _ if full => break,
            _ => found.push((seq, seq)),
        }
    }
    spans(&found, most)
}

/// The same of ranges, from and to.
#[must_use]
pub fn spans(ranges: &[(u64, u64)], most: usize) -> String {
    let mut text = String::new();
    for (place, (from, to)) in ranges.iter().enumerate() {
        let between = if place == 0 { "" } else { ", " };
        if place == most {
            text.push_str(between);
            text.push('…');
            break;
        }
        let _ = if from == to {
            write!(text, "{between}{from}")
        } else {
            write!(text, "{between}{from}–{to}")
        };
    }
    text
}

/// Text from outside, such as a key or an error, on one line: what would move a terminal's cursor or turn its writing
/// around is written as an escape.
#[must_use]
pub fn printable(text: &str) -> String {
    let turns = |letter| matches!(letter, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let mut printable = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_control() || turns(letter) {
            printable.extend(letter.escape_default());
        } else {
            printable.push(letter);
        }
    }
    printable
}

/// The same, cut where it goes on for long.
#[must_use]
pub fn excerpt(text: &str) -> String {
    const MOST: usize = 300;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => printable(&text[..end]) + "…",
        None => printable(text),
    }
}

/// A word as a shell takes it.
#[must_use]
pub fn shell_word(text: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "_-.:/@%+=,".contains(letter);
    if !text.is_empty() && !text.starts_with('-') && text.chars().all(plain) {
        return text.to_owned();
    }
    if text.chars().any(|letter| letter.is_ascii_control()) {
        let escaped = text.chars().map(|letter| match letter {
            '\'' | '\\' => format!("\\{letter}"),
            letter if letter.is_ascii_control() => format!("\\x{:02x}", u32::from(letter)),
            letter => letter.to_string(),
        });
        return format!("$'{}'", escaped.collect::<String>());
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}
