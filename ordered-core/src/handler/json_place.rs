use std::fmt;

use serde_json::Value;

use super::identity::{Malformed, SeqValue};
use super::unreadable;
use crate::event::{Envelope, InvalidSeq, Seq};
use crate::logical::VectorClock;

/// The JSON of an event, for a handler whose key, seq or id is named by its place in it.
#[derive(Debug, Clone, PartialEq)]
pub struct JsonFields(Value);

/// Reads the body as JSON of any shape.
///
/// # Errors
/// When it is not JSON; the message says what it is.
pub fn json_fields(envelope: &Envelope) -> Result<JsonFields, Malformed> {
    unreadable::check_there(&envelope.body)?;
    serde_json::from_slice(&envelope.body)
        .map(JsonFields)
        .map_err(|error| unreadable::not_json(&envelope.body, &error))
}

impl JsonFields {
    /// What is at a place, which is a JSON Pointer (RFC 6901): `/order/id`.
    ///
    /// # Errors
    /// When nothing is there, or neither text nor a whole number.
    pub fn at<'a>(&'a self, pointer: &str) -> Result<JsonText<'a>, Malformed> {
        let what = match self.there(pointer)? {
            Value::String(text) => return Ok(JsonText(Text::Text(text))),
            Value::Number(number) if number.is_u64() || number.is_i64() => {
                return Ok(JsonText(Text::Number(number)));
            }
            other => words(other),
        };
        Err(Malformed(format!(
            "`{pointer}` of the event is {what}, and a key, seq or id is text or a whole number"
        )))
    }

    /// The vector clock at a place: an object from the names of producers to counts.
    ///
    /// # Errors
    /// When nothing is there, or no such object.
    pub fn clock(&self, pointer: &str) -> Result<VectorClock, Malformed> {
        match self.there(pointer)? {
            Value::Object(counts) => {
                serde_json::from_value(Value::Object(counts.clone())).map_err(|error| {
                    Malformed(format!(
                        "`{pointer}` of the event is no vector clock, which says how many events of each producer it \
                         counts: {error}"
                    ))
                })
            }
            other => Err(Malformed(format!(
                "`{pointer}` of the event is {}, and a vector clock is an object from the names of producers to counts",
                words(other)
            ))),
        }
    }

    fn there(&self, pointer: &str) -> Result<&Value, Malformed> {
        let there = self.0.pointer(pointer);
        there.ok_or_else(|| Malformed(format!("the event has no `{pointer}`")))
    }
}

fn words(value: &Value) -> String {
    match value {
        Value::String(_) => "text".into(),
        Value::Number(number) => format!("the number {number}"),
        Value::Null => "null".into(),
        Value::Bool(flag) => flag.to_string(),
        Value::Array(_) => "an array".into(),
        Value::Object(_) => "an object".into(),
    }
}

/// Text or a whole number in the JSON of an event, as a key, a seq or an id.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct JsonText<'a>(Text<'a>);

#[derive(Debug, Clone, Copy, PartialEq)]
enum Text<'a> {
    Text(&'a str),
    Number(&'a serde_json::Number),
}

impl fmt::Display for JsonText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Text::Text(text) => f.write_str(text),
            Text::Number(number) => number.fmt(f),
        }
    }
}

impl SeqValue for JsonText<'_> {
    fn to_seq(&self) -> Result<Seq, InvalidSeq> {
        let (number, shown) = match self.0 {
            Text::Text(text) => (text.parse().ok(), format!("{text:?}")),
            Text::Number(number) => (number.as_u64(), number.to_string()),
        };
        let seq = number.and_then(|number| Seq::new(number).ok());
        seq.ok_or(InvalidSeq(shown))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handler::KeyValue;

    fn fields(body: &str) -> JsonFields {
        json_fields(&Envelope::new(body.to_owned())).unwrap()
    }

    #[test]
    fn text_and_whole_numbers_are_keys_and_seqs_wherever_they_stand() {
        let fields = fields(r#"{"a/b": {"id": "x"}, "n": 7, "list": ["12", -3]}"#);
        let text = |pointer: &str| fields.at(pointer).unwrap().to_string();
        assert_eq!(text("/a~1b/id"), "x");
        assert_eq!(text("/n"), "7");
        assert_eq!(text("/list/1"), "-3");
        assert_eq!(fields.at("/n").unwrap().to_key().unwrap().as_str(), "7");
        let seq = |pointer: &str| fields.at(pointer).unwrap().to_seq();
        assert_eq!(seq("/n").unwrap().get(), 7);
        assert_eq!(seq("/list/0").unwrap().get(), 12);
        assert_eq!(seq("/list/1"), Err(InvalidSeq("-3".into())));
        assert_eq!(seq("/a~1b/id"), Err(InvalidSeq("\"x\"".into())));
    }

    #[test]
    fn what_cannot_be_a_key_is_said_with_its_place() {
        let fields = fields(r#"{"o": {}, "a": [], "t": true, "z": null, "f": 1.5}"#);
        for (pointer, what) in [
            ("/o", "an object"),
            ("/a", "an array"),
            ("/t", "true"),
            ("/z", "null"),
            ("/f", "the number 1.5"),
        ] {
            let Malformed(error) = fields.at(pointer).unwrap_err();
            assert!(
                error.contains(&format!("`{pointer}` of the event is {what}")),
                "{error}"
            );
        }
        let missing = fields.at("/o/id").unwrap_err();
        assert_eq!(missing.0, "the event has no `/o/id`");
    }
}
