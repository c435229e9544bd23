//! Reads what scripts and commands answer. An answer in another shape is an error, never a panic.

use ordered_core::event::{EventId, Key};
use ordered_core::store::StoreError;
use redis::Value;

pub(crate) fn misshaped(what: &str) -> StoreError {
    StoreError::refused(format!(
        "Redis answered with a {what} of another shape: run the same version in all workers"
    ))
}

/// The values of a list, one after the other.
#[derive(Debug)]
pub(crate) struct Reply(std::vec::IntoIter<Value>);

impl Reply {
    pub(crate) fn new(value: Value) -> Result<Self, StoreError> {
        match value {
            Value::Array(values) | Value::Set(values) => Ok(Self(values.into_iter())),
            Value::Map(pairs) => {
                let values: Vec<Value> = pairs.into_iter().flat_map(|(a, b)| [a, b]).collect();
                Ok(Self(values.into_iter()))
            }
            _ => Err(misshaped("list")),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn next(&mut self) -> Result<Value, StoreError> {
        self.0.next().ok_or_else(|| misshaped("list"))
    }

    pub(crate) fn number(&mut self) -> Result<u64, StoreError> {
        number(self.next()?)
    }

    pub(crate) fn list(&mut self) -> Result<Self, StoreError> {
        Self::new(self.next()?)
    }

    pub(crate) fn bytes(&mut self) -> Result<Vec<u8>, StoreError> {
        self.maybe_bytes()?.ok_or_else(|| misshaped("text"))
    }

    pub(crate) fn maybe_bytes(&mut self) -> Result<Option<Vec<u8>>, StoreError> {
        maybe_bytes(self.next()?)
    }

    pub(crate) fn text(&mut self) -> Result<String, StoreError> {
        text(self.bytes()?)
    }

    pub(crate) fn maybe_text(&mut self) -> Result<Option<String>, StoreError> {
        self.maybe_bytes()?.map(text).transpose()
    }

    pub(crate) fn key(&mut self) -> Result<Key, StoreError> {
        key(&self.bytes()?)
    }
}

impl Iterator for Reply {
    type Item = Value;

    fn next(&mut self) -> Option<Value> {
        self.0.next()
    }
}

pub(crate) fn maybe_bytes(value: Value) -> Result<Option<Vec<u8>>, StoreError> {
    match value {
        Value::BulkString(bytes) => Ok(Some(bytes)),
        Value::SimpleString(text) => Ok(Some(text.into_bytes())),
        Value::Int(number) => Ok(Some(number.to_string().into_bytes())),
        Value::Double(number) => Ok(Some(number.to_string().into_bytes())),
        Value::Nil => Ok(None),
        _ => Err(misshaped("text")),
    }
}

/// A whole number, as a number or as a text (scores are texts).
pub(crate) fn number(value: Value) -> Result<u64, StoreError> {
    match value {
        Value::Int(number) => u64::try_from(number).map_err(|_| misshaped("number")),
        value => {
            let bytes = maybe_bytes(value)?.ok_or_else(|| misshaped("number"))?;
            let text = std::str::from_utf8(&bytes).map_err(|_| misshaped("number"))?;
            text.parse().map_err(|_| misshaped("number"))
        }
    }
}

fn text(bytes: Vec<u8>) -> Result<String, StoreError> {
    String::from_utf8(bytes).map_err(|_| misshaped("text"))
}

pub(crate) fn key(bytes: &[u8]) -> Result<Key, StoreError> {
    let text = std::str::from_utf8(bytes).map_err(|_| misshaped("key"))?;
    Key::new(text).map_err(|_| misshaped("key"))
}

pub(crate) fn event_id(bytes: &[u8]) -> Result<EventId, StoreError> {
    let text = std::str::from_utf8(bytes).map_err(|_| misshaped("event id"))?;
    EventId::new(text).map_err(|_| misshaped("event id"))
}
