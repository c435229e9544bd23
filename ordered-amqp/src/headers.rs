use std::collections::BTreeMap;

use lapin::types::{AMQPValue, FieldTable, ShortString};

use crate::{names, properties};

/// Set by the broker for its own purposes: they differ between deliveries of one message, so they are not the event's.
const BROKERS_OWN: [&str; 3] = ["x-death", "x-delivery-count", "x-acquired-count"];
/// Left by the broker where a message was dead-lettered first and last, with three endings.
const DEATHS: [&str; 2] = ["x-first-death-", "x-last-death-"];
/// Publishing a message with them routes it to further queues: <https://www.rabbitmq.com/docs/sender-selected>.
const COPIES: [&str; 2] = ["CC", "BCC"];

/// The headers that are text, a number or a flag, as text. Where a copy was published to is no header of the event.
pub(crate) fn read(table: &FieldTable, defer_prefix: &str) -> BTreeMap<String, String> {
    let mut headers = BTreeMap::new();
    for (name, value) in table.inner() {
        let name = name.as_str();
        let is_known = [names::TIMESTAMP_MS, names::EXCHANGE, names::ROUTING_KEY].contains(&name);
        if is_known || BROKERS_OWN.contains(&name) || properties::is_reserved(name) {
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
        AMQPValue::ByteArray(bytes) => std::str::from_utf8(bytes.as_slice()).ok()?.to_owned(),
        AMQPValue::DecimalValue(decimal) => decimal_text(decimal.value, decimal.scale),
        AMQPValue::FieldArray(_) | AMQPValue::FieldTable(_) | AMQPValue::Void => return None,
    })
}

/// A decimal: `scale` of the digits are behind the point. Without zeros at the end, so that a whole number is one.
fn decimal_text(value: u32, scale: u8) -> String {
    let scale = usize::from(scale);
    let digits = format!("{value:0>width$}", width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    match fraction.trim_end_matches('0') {
        "" => whole.to_owned(),
        fraction => format!("{whole}.{fraction}"),
    }
}

/// A header of text.
pub(crate) fn insert(table: &mut FieldTable, name: &'static str, text: &str) {
    table.insert(ShortString::from(name), AMQPValue::LongString(text.into()));
}

#[cfg(test)]
mod tests {
    use lapin::types::DecimalValue;

    use super::*;

    fn table(entries: &[(&'static str, AMQPValue)]) -> FieldTable {
        let mut table = FieldTable::default();
        for (name, value) in entries {
            table.insert((*name).into(), value.clone());
        }
        table
    }

    fn decimal(value: u32, scale: u8) -> DecimalValue {
        DecimalValue { scale, value }
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
                ("g", AMQPValue::ByteArray(b"bytes".to_vec().into())),
                ("h", AMQPValue::ByteArray(vec![0xff].into())),
                ("i", AMQPValue::DecimalValue(decimal(1250, 2))),
                ("j", AMQPValue::DecimalValue(decimal(7000, 3))),
                ("k", AMQPValue::DecimalValue(decimal(5, 3))),
                ("l", AMQPValue::ShortShortUInt(200)),
                ("m", AMQPValue::LongUInt(4_000_000_000)),
                ("n", AMQPValue::Double(3.0)),
                ("o", AMQPValue::Timestamp(1_700_000_000)),
                ("p", AMQPValue::Void),
            ]),
            "q.defer",
        );
        let expected = [
            ("a", "-7"),
            ("b", "true"),
            ("c", "short"),
            ("f", "1.5"),
            ("g", "bytes"),
            ("i", "12.5"),
            ("j", "7"),
            ("k", "0.005"),
            ("l", "200"),
            ("m", "4000000000"),
            ("n", "3"),
            ("o", "1700000000"),
        ];
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
