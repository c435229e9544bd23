//! What stands before one event of a key.

use crate::admin::{EventStatus, EventsBefore, Pace};
use crate::readable::{events, grouped, moment, printable, span, spans};

/// How many ranges are named.
const NAMED: usize = 5;

/// What stands before an event, in one paragraph: how many events, which of them have not come, and how long the others
/// take at the pace of the key.
#[must_use]
pub fn explain_before(key: &str, before: &EventsBefore) -> String {
    let (seq, last) = (before.seq, before.last_seq);
    let event = format!("Seq {seq} of {}", printable(key));
    match before.status {
        EventStatus::Behind => {
            return format!(
                "{event} is behind the key, which is done up to seq {last}: it was handled, or passed over."
            );
        }
        EventStatus::Dead => {
            return format!(
                "{event} is a dead letter of the store: it runs again only where it is replayed."
            );
        }
        EventStatus::Held | EventStatus::NotHeld | EventStatus::Absent => {}
    }
    let itself = match before.status {
        EventStatus::Held => "It is held itself.",
        EventStatus::Absent => "It is known that it will never come itself, and the key passes it.",
        _ => "It is not held itself: it has not come, or a worker has it in memory.",
    };
    if before.events == 0 {
        return format!("{event} is next: no event stands before it. {itself}");
    }
    let mut sentences = vec![standing_before(&event, before), itself.to_owned()];
    sentences.extend(pace(before));
    sentences.join(" ")
}

fn standing_before(event: &str, before: &EventsBefore) -> String {
    let stand = if before.events == 1 {
        "stands"
    } else {
        "stand"
    };
    let counted = format!("{event}: {} {stand} before it", events(before.events));
    let missing = spans(&before.missing, NAMED);
    let missing = match before.missing_events {
        0 => return format!("{counted}, and all of them are held."),
        count if count == before.events => format!("none of them is held (seq {missing})"),
        1 => format!("{}, and seq {missing} is not", of_them(before.held)),
        count => format!(
            "{}, and {} are not (seq {missing})",
            of_them(before.held),
            grouped(count)
        ),
    };
    format!("{counted}; {missing}.")
}

/// `1 of them is held`.
fn of_them(held: u64) -> String {
    let are = if held == 1 { "is" } else { "are" };
    format!("{} of them {are} held", grouped(held))
}

fn pace(before: &EventsBefore) -> Option<String> {
    let pace: Pace = before.pace?;
    let since = moment(before.now.saturating_sub(pace.millis), before.now);
    Some(format!(
        "The key did {} since {since} ({}); at this pace those before it take {}, as far as they are there and nothing \
         stops the key.",
        events(pace.events),
        span(pace.millis),
        span(pace.time_for(before.events)),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn before(status: EventStatus, held: u64, missing: &[(u64, u64)]) -> EventsBefore {
        let missing_events = missing.iter().map(|(from, to)| to - from + 1).sum();
        EventsBefore {
            seq: 60,
            status,
            last_seq: 41,
            events: held + missing_events,
            held,
            missing: missing.to_vec(),
            missing_events,
            pace: None,
            now: 1_795_608_000_000,
        }
    }

    #[test]
    fn each_place_has_its_sentence() {
        for (before, said) in [
            (
                before(EventStatus::Behind, 0, &[]),
                "Seq 60 of k is behind the key, which is done up to seq 41: it was handled, or passed over.",
            ),
            (
                before(EventStatus::Dead, 0, &[]),
                "Seq 60 of k is a dead letter of the store: it runs again only where it is replayed.",
            ),
            (
                before(EventStatus::Held, 0, &[]),
                "Seq 60 of k is next: no event stands before it. It is held itself.",
            ),
            (
                before(EventStatus::Held, 1, &[]),
                "Seq 60 of k: 1 event stands before it, and all of them are held. It is held itself.",
            ),
            (
                before(EventStatus::Held, 1, &[(42, 42)]),
                "Seq 60 of k: 2 events stand before it; 1 of them is held, and seq 42 is not. It is held itself.",
            ),
            (
                before(EventStatus::NotHeld, 2, &[(42, 43), (50, 50)]),
                "Seq 60 of k: 5 events stand before it; 2 of them are held, and 3 are not (seq 42–43, 50). It is not \
                 held itself: it has not come, or a worker has it in memory.",
            ),
            (
                before(EventStatus::Absent, 0, &[(42, 59)]),
                "Seq 60 of k: 18 events stand before it; none of them is held (seq 42–59). It is known that it will \
                 never come itself, and the key passes it.",
            ),
        ] {
            assert_eq!(explain_before("k", &before), said);
        }
    }

    #[test]
    fn the_pace_says_how_long_it_takes() {
        let mut before = before(EventStatus::Held, 18, &[]);
        let (events, millis) = (6, 60_000);
        before.pace = Some(Pace { events, millis });
        let text = explain_before("k", &before);
        assert!(
            text.ends_with(
                "The key did 6 events since 11:59:00 UTC (1 min); at this pace those before it take 3 min, as far as \
                 they are there and nothing stops the key."
            ),
            "{text}"
        );
    }
}
