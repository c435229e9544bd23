//! The properties of a message as headers of the event, with a prefix that is reserved for them.

use std::collections::BTreeMap;

use lapin::BasicProperties;
use lapin::types::ShortString;
use ordered_core::transport::TransportError;

use crate::names::{self, PROPERTY_PREFIX};
use crate::received_message::ReceivedMessage;

/// What a producer says in a property of text.
macro_rules! texts {
    ($call:ident) => {
        $call! {
            "amqp.message_id" message_id with_message_id,
            "amqp.type" kind with_type,
            "amqp.correlation_id" correlation_id with_correlation_id,
            "amqp.app_id" app_id with_app_id,
            "amqp.content_type" content_type with_content_type,
            "amqp.content_encoding" content_encoding with_content_encoding,
        }
    };
}

/// Adds what the properties say.
///
/// The routing key is left out where there was no exchange: it is the name of the queue then. The timestamp, which has
/// seconds, is left out where a header has the milliseconds.
pub(crate) fn read(
    message: &ReceivedMessage,
    has_millis: bool,
    headers: &mut BTreeMap<String, String>,
) {
    let properties = &message.properties;
    macro_rules! read {
        ($($name:literal $get:ident $set:ident,)*) => {
            $(if let Some(text) = properties.$get() {
                headers.insert($name.to_owned(), text.as_str().to_owned());
            })*
        };
    }
    texts!(read);
    if let Some(seconds) = properties.timestamp()
        && !has_millis
    {
        headers.insert(names::TIMESTAMP.to_owned(), seconds.to_string());
    }
    if let Some((_, routing_key)) = message.published_to() {
        headers.insert(names::PROPERTY_ROUTING_KEY.to_owned(), routing_key);
    }
}

/// Whether a header of this name is made of a property, or reserved for one. A header that a producer names so is
/// dropped.
pub(crate) fn is_reserved(header: &str) -> bool {
    header.starts_with(PROPERTY_PREFIX)
}

/// The properties that reserved headers ask for; of those that name none, nothing is sent.
pub(crate) fn write(
    headers: &BTreeMap<String, String>,
    mut properties: BasicProperties,
) -> Result<BasicProperties, TransportError> {
    let short = |name: &str, text: &str| {
        ShortString::try_new(text).map_err(|_| {
            TransportError::fatal(format!(
                "the header `{name}` becomes a property of the message, and is longer than the 255 bytes that AMQP \
                 allows"
            ))
        })
    };
    macro_rules! write {
        ($($name:literal $get:ident $set:ident,)*) => {
            $(if let Some(text) = headers.get($name) {
                properties = properties.$set(short($name, text)?);
            })*
        };
    }
    texts!(write);
    Ok(properties)
}

#[cfg(test)]
mod tests {
    use ordered_core::event::Envelope;

    use super::*;
    use crate::envelope::{from_message, to_properties};

    const TEXTS: [&str; 6] = [
        "amqp.message_id",
        "amqp.type",
        "amqp.correlation_id",
        "amqp.app_id",
        "amqp.content_type",
        "amqp.content_encoding",
    ];

    #[test]
    fn what_is_published_as_a_reserved_header_is_a_property_and_comes_back() {
        let mut envelope = Envelope::new("body");
        for name in TEXTS {
            envelope.headers.insert(name.into(), format!("of {name}"));
        }
        let message = ReceivedMessage {
            properties: to_properties(&envelope).unwrap(),
            body: envelope.body.clone(),
            ..ReceivedMessage::default()
        };
        assert_eq!(message.properties.headers(), &None);
        assert_eq!(from_message(&message, "q.defer"), envelope);
    }

    #[test]
    fn a_property_that_amqp_cannot_carry_is_an_error_with_its_name() {
        for name in TEXTS {
            let mut envelope = Envelope::new("body");
            envelope.headers.insert(name.into(), "x".repeat(256));
            let error = to_properties(&envelope).unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
        }
    }

    #[test]
    fn a_producer_cannot_name_a_header_like_a_property() {
        let mut table = lapin::types::FieldTable::default();
        crate::headers::insert(&mut table, "amqp.message_id", "forged");
        crate::headers::insert(&mut table, "amqp.unknown", "forged");
        let message = ReceivedMessage {
            properties: BasicProperties::default().with_headers(table),
            ..ReceivedMessage::default()
        };
        assert_eq!(from_message(&message, "q.defer").headers, BTreeMap::new());
    }

    #[test]
    fn the_routing_key_is_told_where_an_exchange_was_published_to() {
        let message = |exchange: &str| ReceivedMessage {
            exchange: exchange.into(),
            routing_key: "eu.orders".into(),
            ..ReceivedMessage::default()
        };
        let headers = |message| from_message(&message, "q.defer").headers;
        assert_eq!(headers(message("")), BTreeMap::new());
        let expected = [("amqp.routing_key".to_owned(), "eu.orders".to_owned())];
        assert_eq!(headers(message("shop")), BTreeMap::from(expected));
    }
}
