//! What an event says about its type, and where it says so.

use crate::event::Envelope;
use crate::handler::{EventPlace, json_fields};
use crate::publish::header;

/// The headers that have the type of an event where nothing else is said, in this order: of `ordered`'s publishers and
/// outbox, of CloudEvents in the binary mode, and the property `type` of a message of RabbitMQ.
const HEADERS: [&str; 6] = [
    header::TYPE,
    "cloudEvents:type",
    "cloudEvents_type",
    "ce-type",
    "ce_type",
    "amqp.type",
];

/// The places in the JSON, after the headers: of a CloudEvent in the structured mode and of most events, and of those
/// whose payload is an object of its own.
const POINTERS: [&str; 2] = ["/type", "/payload/type"];

/// The types of events that a handler handles, and where an event says its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandledTypes {
    types: Vec<String>,
    place: Option<EventPlace>,
}

impl HandledTypes {
    /// These types, looked for where events usually have them; see [`Router`](super::Router).
    #[must_use]
    pub fn new(types: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            types: types.into_iter().map(Into::into).collect(),
            place: None,
        }
    }

    /// Looked for there and nowhere else. A [`Field`](EventPlace::Field) counts as a place in the JSON.
    #[must_use]
    pub fn at(mut self, place: EventPlace) -> Self {
        self.place = Some(place);
        self
    }

    /// The types.
    #[must_use]
    pub fn types(&self) -> &[String] {
        &self.types
    }

    /// Where an event says its type, if that is said.
    #[must_use]
    pub fn place(&self) -> Option<&EventPlace> {
        self.place.as_ref()
    }
}

/// The type of an event, from this place or from where events usually have it.
pub(super) fn type_of(envelope: &Envelope, place: Option<&EventPlace>) -> Option<String> {
    let header = |name: &str| envelope.headers.get(name).cloned();
    match place {
        Some(EventPlace::Header(name)) => header(name),
        Some(EventPlace::Json(pointer) | EventPlace::Field(pointer)) => {
            in_json(envelope, &[pointer])
        }
        None => {
            let mut headers = HEADERS.iter().filter_map(|name| header(name));
            headers.next().or_else(|| in_json(envelope, &POINTERS))
        }
    }
}

fn in_json(envelope: &Envelope, pointers: &[&str]) -> Option<String> {
    let fields = json_fields(envelope).ok()?;
    let mut texts = pointers
        .iter()
        .filter_map(|pointer| fields.at(pointer).ok());
    texts.next().map(|text| text.to_string())
}

/// Reads `"header:name"` or `"/place/in/the/json"`.
pub(super) fn place(text: &str) -> Option<EventPlace> {
    match text.strip_prefix("header:") {
        Some("") => None,
        Some(name) => Some(EventPlace::Header(name.to_owned())),
        None if text.len() > 1 && text.starts_with('/') => Some(EventPlace::Json(text.to_owned())),
        None => None,
    }
}

/// Where a type was looked for, for a person.
pub(super) fn sentence(place: Option<&EventPlace>) -> String {
    match place {
        Some(EventPlace::Header(name)) => format!("the header `{name}`"),
        Some(EventPlace::Json(pointer) | EventPlace::Field(pointer)) => format!("`{pointer}`"),
        None => {
            let places = HEADERS.iter().map(|name| format!("the header `{name}`"));
            let places = places.chain(POINTERS.iter().map(|pointer| format!("`{pointer}`")));
            places.collect::<Vec<_>>().join(", ")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(body: &str, headers: &[(&str, &str)]) -> Envelope {
        let mut envelope = Envelope::new(body.to_owned());
        for (name, value) in headers {
            envelope.headers.insert((*name).into(), (*value).into());
        }
        envelope
    }

    #[test]
    fn a_type_is_found_where_events_usually_have_it() {
        for name in HEADERS {
            let event = message(r#"{"type": "InTheBody"}"#, &[(name, "InAHeader")]);
            assert_eq!(
                type_of(&event, None).as_deref(),
                Some("InAHeader"),
                "{name}"
            );
        }
        for (body, expected) in [
            (r#"{"type": "A", "payload": {"type": "B"}}"#, Some("A")),
            (r#"{"payload": {"type": "B"}}"#, Some("B")),
            (
                r#"{"type": {"name": "A"}, "payload": {"type": "B"}}"#,
                Some("B"),
            ),
            (r#"{"type": 7}"#, Some("7")),
            (r#"{"kind": "A"}"#, None),
            ("no JSON", None),
            ("", None),
        ] {
            let found = type_of(&message(body, &[]), None);
            assert_eq!(found.as_deref(), expected, "{body}");
        }
    }

    #[test]
    fn a_place_that_is_said_is_the_only_one() {
        let event = message(
            r#"{"type": "A", "meta": {"kind": "B"}}"#,
            &[("kind", "C"), ("x-ordered-type", "D")],
        );
        for (text, expected) in [
            ("/meta/kind", Some("B")),
            ("header:kind", Some("C")),
            ("/kind", None),
            ("header:type", None),
        ] {
            let place = place(text).unwrap();
            assert_eq!(type_of(&event, Some(&place)).as_deref(), expected, "{text}");
        }
        for text in ["", "kind", "header:", "/"] {
            assert_eq!(place(text), None, "{text}");
        }
    }
}
