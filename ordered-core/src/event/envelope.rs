use std::collections::BTreeMap;

use bytes::{BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize};

/// An event as the broker delivered it: the body, untouched, and what stood around it.
///
/// This is what a store keeps for an event that is held, so that any worker can run it later.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Envelope {
    /// The bytes of the event.
    pub body: Bytes,
    /// Textual headers (AMQP headers, SQS message attributes); what is not text is left out.
    pub headers: BTreeMap<String, String>,
    /// When the broker or the producer stamped it, in milliseconds since the Unix epoch.
    pub published_at: Option<u64>,
}

/// Bytes that are not an encoded [`Envelope`].
#[derive(thiserror::Error)]
#[error("the stored event is damaged: {0}")]
pub struct EnvelopeError(String);

crate::debug_as_text!(EnvelopeError);

#[derive(Serialize, Deserialize)]
struct Preamble<H> {
    #[serde(
        rename = "h",
        default = "Option::default",
        skip_serializing_if = "Option::is_none"
    )]
    headers: Option<H>,
    #[serde(rename = "t", default, skip_serializing_if = "Option::is_none")]
    published_at: Option<u64>,
}

impl Envelope {
    /// An envelope around a body, without headers.
    #[must_use]
    pub fn new(body: impl Into<Bytes>) -> Self {
        Self {
            body: body.into(),
            ..Self::default()
        }
    }

    /// What the envelope counts against a quota, in bytes: body and headers.
    #[must_use]
    pub fn size(&self) -> u64 {
        let headers: usize = self
            .headers
            .iter()
            .map(|(name, value)| name.len() + value.len())
            .sum();
        (self.body.len() + headers) as u64
    }

    /// One line of JSON with the headers and the time, then the body as it is.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let preamble = Preamble {
            headers: (!self.headers.is_empty()).then_some(&self.headers),
            published_at: self.published_at,
        };
        let mut encoded = BytesMut::with_capacity(self.body.len() + 64);
        serde_json::to_writer((&mut encoded).writer(), &preamble)
            .expect("strings and numbers always serialize into memory");
        encoded.put_u8(b'\n');
        encoded.put_slice(&self.body);
        encoded.freeze()
    }

    /// The inverse of [`Envelope::encode`].
    ///
    /// # Errors
    /// When the bytes were not written by `encode`.
    pub fn decode(mut encoded: Bytes) -> Result<Self, EnvelopeError> {
        let end = encoded
            .iter()
            .position(|byte| *byte == b'\n')
            .ok_or_else(|| EnvelopeError("its first line has no end".into()))?;
        let preamble: Preamble<BTreeMap<String, String>> = serde_json::from_slice(&encoded[..end])
            .map_err(|error| EnvelopeError(error.to_string()))?;
        Ok(Self {
            body: encoded.split_off(end + 1),
            headers: preamble.headers.unwrap_or_default(),
            published_at: preamble.published_at,
        })
    }
}
