use bytes::Bytes;
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable, ShortString};
use ordered_core::event::Envelope;
use ordered_core::transport::TransportError;

use crate::received_message::ReceivedMessage;
use crate::{headers, names, properties};

/// Delivery mode 2: the broker writes the message to disk.
pub(crate) const PERSISTENT: u8 = 2;

/// The event of a message; the body is shared, not copied.
pub(crate) fn from_message(message: &ReceivedMessage, defer_prefix: &str) -> Envelope {
    let properties = &message.properties;
    let table = properties.headers().as_ref();
    let millis = table
        .and_then(|table| table.inner().get(names::TIMESTAMP_MS))
        .and_then(headers::as_number);
    let seconds = properties
        .timestamp()
        .map(|seconds| seconds.saturating_mul(1_000));
    let mut headers = table
        .map(|table| headers::read(table, defer_prefix))
        .unwrap_or_default();
    properties::read(message, millis.is_some(), &mut headers);
    Envelope {
        body: Bytes::clone(&message.body),
        headers,
        published_at: millis.or(seconds),
    }
}

/// The properties of a message for an event. The broker keeps it over a restart.
pub(crate) fn to_properties(envelope: &Envelope) -> Result<BasicProperties, TransportError> {
    let mut table = FieldTable::default();
    for (name, value) in &envelope.headers {
        if properties::is_reserved(name) {
            continue;
        }
        let name = ShortString::try_new(name.as_str()).map_err(|_| {
            TransportError::fatal(format!(
                "the header name {name:?} is longer than the 255 bytes that AMQP allows"
            ))
        })?;
        table.insert(name, AMQPValue::LongString(value.as_str().into()));
    }
    let properties = BasicProperties::default().with_delivery_mode(PERSISTENT);
    let mut properties = properties::write(&envelope.headers, properties)?;
    if let Some(millis) = envelope.published_at {
        properties = properties.with_timestamp(millis / 1_000);
        if let Ok(millis) = i64::try_from(millis) {
            table.insert(names::TIMESTAMP_MS.into(), AMQPValue::LongLongInt(millis));
        }
    }
    if !table.inner().is_empty() {
        properties = properties.with_headers(table);
    }
    Ok(properties)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(properties: BasicProperties) -> ReceivedMessage {
        ReceivedMessage {
            properties,
            ..ReceivedMessage::default()
        }
    }

    #[test]
    fn headers_and_time_come_back() {
        let mut envelope = Envelope::new("body");
        envelope.published_at = Some(1_700_000_000_123);
        envelope.headers.insert("tenant".into(), "ü".into());
        let mut message = message(to_properties(&envelope).unwrap());
        message.body = envelope.body.clone();
        assert_eq!(from_message(&message, "q.defer"), envelope);
        assert_eq!(message.properties.timestamp(), &Some(1_700_000_000));
        assert_eq!(message.properties.delivery_mode(), &Some(PERSISTENT));
    }

    #[test]
    fn a_timestamp_alone_has_seconds() {
        let properties = BasicProperties::default().with_timestamp(1_700_000_000);
        let envelope = from_message(&message(properties), "q.defer");
        assert_eq!(envelope.published_at, Some(1_700_000_000_000));
    }

    #[test]
    fn a_header_name_that_amqp_cannot_carry_is_an_error() {
        let mut envelope = Envelope::new("body");
        envelope.headers.insert("n".repeat(256), String::new());
        assert!(to_properties(&envelope).is_err());
    }
}
