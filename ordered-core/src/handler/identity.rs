use std::any::type_name;
use std::fmt;

use serde::Deserialize;

use super::short_text::ShortText;
use super::unreadable;
use crate::event::{Envelope, EventId, InvalidId, InvalidKey, InvalidSeq, Key, Seq};
use crate::protocol::InvalidStamp;

/// An event that was read, and where it belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded<E> {
    /// Its key.
    pub key: Key,
    /// Its place among the events of the key, or its version; [`Seq::UNNUMBERED`] where the order of the group is
    /// `arrival` or `causal`.
    pub seq: Seq,
    /// Its id.
    pub id: EventId,
    /// The event.
    pub event: E,
}

impl<E> Decoded<E> {
    /// The same with the event as something else.
    pub(crate) fn map<F>(self, change: impl FnOnce(E) -> F) -> Decoded<F> {
        Decoded {
            key: self.key,
            seq: self.seq,
            id: self.id,
            event: change(self.event),
        }
    }
}

/// Why a delivery is not an event of the handler, in words for a person.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub String);

crate::debug_as_text!(Malformed);

impl From<InvalidKey> for Malformed {
    fn from(error: InvalidKey) -> Self {
        Self(error.to_string())
    }
}

impl From<InvalidSeq> for Malformed {
    fn from(error: InvalidSeq) -> Self {
        Self(error.to_string())
    }
}

impl From<InvalidStamp> for Malformed {
    fn from(error: InvalidStamp) -> Self {
        Self(error.to_string())
    }
}

impl From<InvalidId> for Malformed {
    fn from(error: InvalidId) -> Self {
        Self(error.to_string())
    }
}

/// A field that can be a seq: every integer type.
#[diagnostic::on_unimplemented(
    message = "the seq of an event must be an integer, and this field is a `{Self}`",
    label = "not an integer",
    note = "allowed are u8, u16, u32, u64, usize, i8, i16, i32, i64, isize, their NonZero forms and references, and \
            `Seq`"
)]
pub trait SeqValue {
    /// The seq.
    ///
    /// # Errors
    /// When the number is not from 0 to 2^53-1.
    fn to_seq(&self) -> Result<Seq, InvalidSeq>;
}

macro_rules! integers_are_seqs {
    ($($integer:ty)*) => {$(
        impl SeqValue for $integer {
            fn to_seq(&self) -> Result<Seq, InvalidSeq> {
                u64::try_from(*self)
                    .ok()
                    .and_then(|number| Seq::new(number).ok())
                    .ok_or_else(|| InvalidSeq(self.to_string()))
            }
        }
    )*};
}

integers_are_seqs!(u8 u16 u32 u64 usize i8 i16 i32 i64 isize);

macro_rules! nonzeros_are_seqs {
    ($($nonzero:ty)*) => {$(
        impl SeqValue for $nonzero {
            fn to_seq(&self) -> Result<Seq, InvalidSeq> {
                self.get().to_seq()
            }
        }
    )*};
}

nonzeros_are_seqs!(
    std::num::NonZeroU8 std::num::NonZeroU16 std::num::NonZeroU32 std::num::NonZeroU64 std::num::NonZeroUsize
    std::num::NonZeroI8 std::num::NonZeroI16 std::num::NonZeroI32 std::num::NonZeroI64 std::num::NonZeroIsize
);

impl SeqValue for Seq {
    fn to_seq(&self) -> Result<Seq, InvalidSeq> {
        Ok(*self)
    }
}

impl<T: SeqValue + ?Sized> SeqValue for &T {
    fn to_seq(&self) -> Result<Seq, InvalidSeq> {
        (**self).to_seq()
    }
}

/// A field that can be a key: everything that has a text form.
#[diagnostic::on_unimplemented(
    message = "the key of an event must have a text form, and a `{Self}` has none",
    label = "does not implement `Display`",
    note = "a key may be of any type that implements `Display`: a String, an integer, a Uuid, a type of yours"
)]
pub trait KeyValue {
    /// The key.
    ///
    /// # Errors
    /// When the text is empty or too long.
    fn to_key(&self) -> Result<Key, InvalidKey>;
}

#[diagnostic::do_not_recommend]
impl<T: fmt::Display + ?Sized> KeyValue for T {
    fn to_key(&self) -> Result<Key, InvalidKey> {
        Key::new(ShortText::of(self))
    }
}

/// A field that can be an event id: everything that has a text form.
#[diagnostic::on_unimplemented(
    message = "the id of an event must have a text form, and a `{Self}` has none",
    label = "does not implement `Display`",
    note = "an id may be of any type that implements `Display`: a Uuid, a String, an integer, a type of yours"
)]
pub trait EventIdValue {
    /// The id.
    ///
    /// # Errors
    /// When the text is empty or too long.
    fn to_event_id(&self) -> Result<EventId, InvalidId>;
}

#[diagnostic::do_not_recommend]
impl<T: fmt::Display + ?Sized> EventIdValue for T {
    fn to_event_id(&self) -> Result<EventId, InvalidId> {
        EventId::new(ShortText::of(self))
    }
}

/// The text of a header, as a key, a seq or an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeaderText<'a>(&'a str);

impl fmt::Display for HeaderText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl SeqValue for HeaderText<'_> {
    fn to_seq(&self) -> Result<Seq, InvalidSeq> {
        let seq = self.0.parse().ok().and_then(|number| Seq::new(number).ok());
        seq.ok_or_else(|| InvalidSeq(format!("{:?}", self.0)))
    }
}

/// A header of the event, for a handler whose key, seq or id is there.
///
/// # Errors
/// When there is no such header.
pub fn header<'a>(envelope: &'a Envelope, name: &str) -> Result<HeaderText<'a>, Malformed> {
    let value = envelope.headers.get(name).map(|value| HeaderText(value));
    value.ok_or_else(|| Malformed(format!("the event has no header `{name}`")))
}

/// Reads the body as JSON.
///
/// # Errors
/// When it is not JSON, or JSON of another shape; the message says what it is, and where.
pub fn json_event<E: for<'de> Deserialize<'de>>(envelope: &Envelope) -> Result<E, Malformed> {
    unreadable::check_there(&envelope.body)?;
    serde_json::from_slice(&envelope.body)
        .map_err(|error| unreadable::no_event(&envelope.body, &error, short_name::<E>()))
}

/// The name of the type, without its path and its parameters.
fn short_name<T>() -> &'static str {
    let path = type_name::<T>().split('<').next().unwrap_or_default();
    if path.starts_with(['(', '[']) {
        return "event";
    }
    path.rsplit("::").next().unwrap_or_default()
}

/// The id of an event whose handler names no `id` field: the top-level `event_id` of its JSON, where there is one, else
/// the id of its [content](EventId::of_content).
///
/// # Errors
/// When `event_id` is there, but is neither text nor a number, or cannot be an id.
pub fn json_field_as_id(envelope: &Envelope, key: &Key, seq: Seq) -> Result<EventId, Malformed> {
    #[derive(Deserialize)]
    struct Probe {
        event_id: Option<IdValue>,
    }
    let of_content = || EventId::of_content(key, seq, &envelope.body);
    // Serde reads an array into a struct, too: its first item would be taken for the id.
    if envelope.body.trim_ascii_start().first() != Some(&b'{') {
        return Ok(of_content());
    }
    let probe: Probe = serde_json::from_slice(&envelope.body)
        .map_err(|error| Malformed(format!("the event's `event_id` cannot be its id: {error}")))?;
    match probe.event_id {
        Some(id) => Ok(EventId::new(id.to_string())?),
        None => Ok(of_content()),
    }
}

/// An id as JSON may write it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged, expecting = "an event id is text or a whole number")]
pub enum IdValue {
    /// Text.
    Text(String),
    /// A number.
    Number(i64),
    /// A large number.
    Unsigned(u64),
}

impl fmt::Display for IdValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Number(number) => number.fmt(f),
            Self::Unsigned(number) => number.fmt(f),
        }
    }
}
