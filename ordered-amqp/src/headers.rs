use std::collections::BTreeMap;

use lapin::types::{AMQPValue, FieldTable, ShortString};

use crate::names;

/// Set by the broker for its own purposes: they differ between deliveries of one message, so they are not the event's.
const BROKERS_OWN: [&str; 3] = ["x-death", "x-delivery-count", "x-acquired-count"];
/// Left by the broker where a message was dead-lettered first and last, with three endings.
const DEATHS: [&str; 2] = ["x-first-death-", "x-last-death-"];
/// Publishing a message with them routes it to further queues: <https://www.rabbitmq.com/docs/sender-selected>.
const COPIES: [&str; 2] = ["CC", "BCC"];

/// The headers that are text, a number or a flag, as text.
pub(crate) fn read(table: &FieldTable, defer_prefix: &str) -> BTreeMap<String, String> {
    let mut headers = BTreeMap::new();
    for (name, value) in table.inner() {
        let name = name.as_str();
        if BROKERS_OWN.contains(&name) || name == names::TIMESTAMP_MS {
            continue;
        }
        if is_ours(table, name, defer_prefix) {
            continue;
        }
        if let Some(text) = as_text(value) {
            headers.insert(name.to_owned(), text);
        }
    }
    headers
}

/// The headers for a copy of the message: as they are, without what the broker has added, and without what would
/// send the copy elsewhere.
pub(crate) fn copy(table: &FieldTable, defer_prefix: &str) -> FieldTable {
    let mut copy = FieldTable::default();
    for (name, value) in table.inner() {
        let text = name.as_str();
        let skip = BROKERS_OWN.contains(&text)
            || COPIES.contains(&text)
            || is_ours(table, text, defer_prefix);
        if !skip {
            copy.insert(name.clone(), value.clone());
        }
    }
    copy
}

/// Whether the message came back from one of our delay queues.
pub(crate) fn was_deferred(table: &FieldTable, defer_prefix: &str) -> bool {
    DEATHS
        .iter()
        .any(|deaths| died_in_ours(table, deaths, defer_prefix))
}

/// Whether the broker has set this header because the message waited in one of our delay queues.
fn is_ours(table: &FieldTable, name: &str, defer_prefix: &str) -> bool {
    DEATHS
        .iter()
        .any(|deaths| name.starts_with(deaths) && died_in_ours(table, deaths, defer_prefix))
}

fn died_in_ours(table: &FieldTable, deaths: &str, defer_prefix: &str) -> bool {
    let queue = table.inner().get(format!("{deaths}queue").as_str());
    let queue = queue.and_then(as_text).unwrap_or_default();
    queue
        .strip_prefix(defer_prefix)
        .is_some_and(|rest| rest.starts_with('.'))
}

/// A whole number.
pub(crate) fn as_number(value: &AMQPValue) -> Option<u64> {
    as_text(value)?.parse().ok()
}

pub(crate) fn as_text(value: &AMQPValue) -> Option<String> {
    Some(match value {
        AMQPValue::LongString(text) => std::str::from_utf8(text.as_bytes()).ok()?.to_owned(),
        AMQPValue::ShortString(text) => text.as_str().to_owned(),
        AMQPValue::Boolean(flag) => flag.to_string(),
        AMQPValue::ShortShortInt(number) => number.to_string(),
        AMQPValue::ShortShortUInt(number) => number.to_string(),
        AMQPValue::ShortInt(number) => number.to_string(),
        AMQPValue::ShortUInt(number) => number.to_string(),
        AMQPValue::LongInt(number) => number.to_string(),
        AMQPValue::LongUInt(number) => number.to_string(),
        AMQPValue::LongLongInt(number) => number.to_string(),
        AMQPValue::Float(number) => number.to_string(),
        AMQPValue::Double(number) => number.to_string(),
        AMQPValue::Timestamp(seconds) => seconds.to_string(),
        AMQPValue::DecimalValue(_)
        | AMQPValue::FieldArray(_)
        | AMQPValue::FieldTable(_)
        | AMQPValue::ByteArray(_)
        | AMQPValue::Void => return None,
    })
}

/// A header of text.
pub(crate) fn insert(table: &mut FieldTable, name: &'static str, text: &str) {
    table.insert(ShortString::from(name), AMQPValue::LongString(text.into()));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(entries: &[(&'static str, AMQPValue)]) -> FieldTable {
        let mut table = FieldTable::default();
        for (name, value) in entries {
            table.insert((*name).into(), value.clone());
        }
        table
    }

    fn text(text: &str) -> AMQPValue {
        AMQPValue::LongString(text.into())
    }

    #[test]
    fn numbers_and_flags_become_text_and_what_is_neither_is_left_out() {
        let read = read(
            &table(&[
                ("a", AMQPValue::LongLongInt(-7)),
                ("b", AMQPValue::Boolean(true)),
                ("c", AMQPValue::ShortString("short".into())),
                ("d", AMQPValue::LongString(vec![0xff, 0xfe].into())),
                ("e", AMQPValue::FieldTable(FieldTable::default())),
                ("f", AMQPValue::Double(1.5)),
            ]),
            "q.defer",
        );
        let expected = [("a", "-7"), ("b", "true"), ("c", "short"), ("f", "1.5")];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(read, BTreeMap::from(expected));
    }

    #[test]
    fn traces_of_our_delay_queues_are_left_out_and_those_of_others_kept() {
        let entries = |queue: &str| {
            table(&[
                ("x-death", AMQPValue::FieldArray(Vec::new().into())),
                ("x-delivery-count", AMQPValue::LongInt(2)),
                ("x-first-death-queue", text(queue)),
                ("x-first-death-reason", text("expired")),
                ("kept", text("yes")),
            ])
        };
        let ours = entries("q.defer.500");
        assert!(was_deferred(&ours, "q.defer"));
        assert_eq!(read(&ours, "q.defer").len(), 1);
        assert_eq!(copy(&ours, "q.defer").inner().len(), 1);
        let others = entries("q.deferred-elsewhere");
        assert!(!was_deferred(&others, "q.defer"));
        assert_eq!(read(&others, "q.defer").len(), 3);
        assert_eq!(copy(&others, "q.defer").inner().len(), 3);
    }

    #[test]
    fn a_copy_is_not_sent_to_further_queues() {
        let entries = table(&[("CC", text("x")), ("BCC", text("y")), ("kept", text("z"))]);
        assert_eq!(copy(&entries, "q.defer").inner().len(), 1);
    }
}
