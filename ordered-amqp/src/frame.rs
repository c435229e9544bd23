//! The headers of a message go into one frame, which the broker bounds
//! (<https://www.rabbitmq.com/docs/configure#config-items>, `frame_max`): with a larger one it closes the connection.

use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable, ShortString};

/// What else is in the frame of an event: its own overhead, the flags, the delivery mode and the timestamp.
const OF_AN_EVENT: usize = 64;
/// The other properties of a copy, at most 255 bytes each, and what the broker adds when it comes out of a delay queue.
const OF_A_COPY: usize = 8 << 10;

/// How many bytes headers may have, in a frame of this size.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HeaderLimit(usize);

/// Headers that are too large: how large, and how large they may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooLarge {
    pub(crate) bytes: usize,
    pub(crate) limit: usize,
}

impl HeaderLimit {
    pub(crate) fn of_frame(bytes: u32) -> Self {
        Self(usize::try_from(bytes).unwrap_or(usize::MAX))
    }

    /// Whether the headers of an event fit.
    pub(crate) fn check(self, properties: &BasicProperties) -> Result<(), TooLarge> {
        let bytes = properties.headers().as_ref().map_or(0, size);
        let limit = self.0.saturating_sub(OF_AN_EVENT);
        if bytes <= limit {
            Ok(())
        } else {
            Err(TooLarge { bytes, limit })
        }
    }

    /// The properties of a copy; without its largest headers, where all of them do not fit.
    pub(crate) fn fitted(self, properties: BasicProperties) -> BasicProperties {
        // The smallest frame there is has half its size for the headers.
        let limit = self.0.saturating_sub(OF_A_COPY).max(self.0 / 2);
        let Some(headers) = properties.headers().as_ref() else {
            return properties;
        };
        if size(headers) <= limit {
            return properties;
        }
        let mut sizes: Vec<(usize, &ShortString)> = headers
            .inner()
            .iter()
            .map(|(name, value)| (entry(name, value), name))
            .collect();
        sizes.sort_unstable();
        let mut left = limit;
        let mut fitted = FieldTable::default();
        for (bytes, name) in sizes {
            if bytes > left {
                tracing::warn!(
                    header = name.as_str(),
                    bytes,
                    "left out a header of a copy: it is too large"
                );
                continue;
            }
            left -= bytes;
            if let Some(value) = headers.inner().get(name) {
                fitted.insert(name.clone(), value.clone());
            }
        }
        properties.with_headers(fitted)
    }
}

/// The size on the wire, as in <https://www.rabbitmq.com/amqp-0-9-1-errata#section_3>.
fn size(table: &FieldTable) -> usize {
    let entries = table.inner().iter();
    4 + entries
        .map(|(name, value)| entry(name, value))
        .sum::<usize>()
}

fn entry(name: &ShortString, value: &AMQPValue) -> usize {
    1 + name.as_str().len() + tagged(value)
}

fn tagged(value: &AMQPValue) -> usize {
    1 + match value {
        AMQPValue::Void => 0,
        AMQPValue::Boolean(_) | AMQPValue::ShortShortInt(_) | AMQPValue::ShortShortUInt(_) => 1,
        AMQPValue::ShortInt(_) | AMQPValue::ShortUInt(_) => 2,
        AMQPValue::LongInt(_) | AMQPValue::LongUInt(_) | AMQPValue::Float(_) => 4,
        AMQPValue::DecimalValue(_) => 5,
        AMQPValue::LongLongInt(_) | AMQPValue::Double(_) | AMQPValue::Timestamp(_) => 8,
        AMQPValue::ShortString(text) => 1 + text.as_str().len(),
        AMQPValue::LongString(text) => 4 + text.as_bytes().len(),
        AMQPValue::ByteArray(bytes) => 4 + bytes.as_slice().len(),
        AMQPValue::FieldArray(items) => 4 + items.as_slice().iter().map(tagged).sum::<usize>(),
        AMQPValue::FieldTable(table) => size(table),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn properties(sizes: &[(&'static str, usize)]) -> BasicProperties {
        let mut table = FieldTable::default();
        for (name, bytes) in sizes {
            let text = "x".repeat(*bytes);
            table.insert((*name).into(), AMQPValue::LongString(text.into()));
        }
        BasicProperties::default().with_headers(table)
    }

    #[test]
    fn a_copy_loses_its_largest_headers_and_no_others() {
        let room = HeaderLimit::of_frame(131_072);
        let small = properties(&[("a", 10), ("b", 100_000)]);
        assert_eq!(room.fitted(small.clone()), small);
        let large = properties(&[("a", 10), ("b", 100_000), ("c", 60_000), ("d", 20)]);
        let expected = properties(&[("a", 10), ("c", 60_000), ("d", 20)]);
        assert_eq!(room.fitted(large), expected);
        let smallest =
            HeaderLimit::of_frame(4_096).fitted(properties(&[("a", 1_000), ("b", 2_000)]));
        assert_eq!(smallest, properties(&[("a", 1_000)]));
    }

    #[test]
    fn an_event_is_told_how_large_its_headers_are() {
        let room = HeaderLimit::of_frame(4_096);
        assert_eq!(room.check(&BasicProperties::default()), Ok(()));
        assert_eq!(room.check(&properties(&[("a", 4_000)])), Ok(()));
        let (bytes, limit) = (4_097, 4_032);
        let too_large = Err(TooLarge { bytes, limit });
        assert_eq!(room.check(&properties(&[("a", 4_086)])), too_large);
    }
}
