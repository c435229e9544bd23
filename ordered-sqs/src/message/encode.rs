use std::collections::HashMap;

use aws_sdk_sqs::types::MessageAttributeValue;
use ordered_core::event::Envelope;

use super::{attributes, body};
use crate::names;

/// An event as it is sent.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Outgoing {
    pub(crate) body: String,
    pub(crate) attributes: HashMap<String, MessageAttributeValue>,
}

impl Outgoing {
    /// What SQS counts: the body, and the name, type and value of every attribute.
    pub(crate) fn size(&self) -> usize {
        let attributes = self.attributes.iter().map(|(name, value)| {
            name.len()
                + value.data_type.len()
                + value.string_value.as_ref().map_or(0, String::len)
                + value
                    .binary_value
                    .as_ref()
                    .map_or(0, |blob| blob.as_ref().len())
        });
        self.body.len() + attributes.sum::<usize>()
    }
}

/// Writes an event with these attributes beside its headers.
pub(crate) fn encode(
    envelope: &Envelope,
    mut attributes: HashMap<String, MessageAttributeValue>,
) -> Outgoing {
    let (body, encoding) = body::write(&envelope.body);
    if let Some(encoding) = encoding {
        let encoding = attributes::text_attribute(encoding);
        attributes.insert(names::ENCODING.to_owned(), encoding);
    }
    if let Some(published_at) = envelope.published_at {
        let time = attributes::number_attribute(published_at);
        attributes.insert(names::PUBLISHED_AT.to_owned(), time);
    }
    attributes::write(&envelope.headers, &mut attributes);
    Outgoing { body, attributes }
}
