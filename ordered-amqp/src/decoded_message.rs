use lapin::message::Delivery as Message;
use ordered_core::event::Envelope;

use crate::received_message::ReceivedMessage;
use crate::{envelope, headers};

/// A message as it came in, read.
pub(crate) struct DecodedMessage {
    pub(crate) tag: u64,
    pub(crate) original: Box<ReceivedMessage>,
    pub(crate) envelope: Envelope,
    pub(crate) redelivered: bool,
}

impl DecodedMessage {
    pub(crate) fn read(message: Message, defer_prefix: &str) -> Self {
        let original = Box::new(ReceivedMessage {
            exchange: message.exchange,
            routing_key: message.routing_key,
            properties: message.properties,
            body: message.data.into(),
        });
        let table = original.properties.headers().as_ref();
        // The broker takes a copy that comes back from a delay queue for a new message.
        let deferred = table.is_some_and(|table| headers::was_deferred(table, defer_prefix));
        Self {
            tag: message.delivery_tag,
            redelivered: message.redelivered || deferred,
            envelope: envelope::from_message(&original, defer_prefix),
            original,
        }
    }
}
