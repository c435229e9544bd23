use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::event::{Envelope, EventId};
use crate::handler::identity::Malformed;
use crate::handler::json_place::JsonFields;
use crate::handler::unreadable;

/// What the names of attributes begin with in the headers of a message, by the bindings to AMQP, HTTP and Kafka.
const PREFIXES: [&str; 4] = ["cloudEvents:", "cloudEvents_", "ce-", "ce_"];
const SPECVERSION: &str = "specversion";
/// How transports name the type of the body.
const CONTENT_TYPES: [&str; 4] = [
    "amqp.content_type",
    "content-type",
    "Content-Type",
    "contentType",
];
const STRUCTURED: &str = "application/cloudevents";
const BATCH: &str = "application/cloudevents-batch";

/// A CloudEvent, for handlers with `envelope = "cloudevents"`: what is around the data, and the data as a type of
/// yours. A type of your own that is read from the JSON form of a CloudEvent does as well, such as an enum with
/// `#[serde(tag = "type", content = "data")]`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[non_exhaustive]
pub struct CloudEvent<D> {
    /// The id, which is unique with the source.
    pub id: String,
    /// Where it happened.
    pub source: String,
    /// What happened.
    #[serde(rename = "type")]
    pub kind: String,
    /// What it happened to: the key, where the handler names no other.
    pub subject: Option<String>,
    /// When it happened, in the form of RFC 3339.
    pub time: Option<String>,
    /// The data.
    pub data: D,
    /// All other attributes, such as `sequence`.
    #[serde(flatten)]
    pub extensions: BTreeMap<String, Value>,
}

/// The CloudEvent of a message in its JSON form, whether it came in the structured mode or in the binary one.
///
/// # Errors
/// When the message is no CloudEvent of version 1, or a batch.
pub fn cloud_event(envelope: &Envelope) -> Result<Envelope, Malformed> {
    let content_type = content_type(envelope).unwrap_or_default();
    if content_type.starts_with(BATCH) {
        return Err(Malformed(
            "the message is a batch of CloudEvents: the producer has to send each in a message of its own".into(),
        ));
    }
    if !content_type.starts_with(STRUCTURED)
        && let Some(prefix) = prefix(envelope)
    {
        return binary(envelope, prefix, &content_type);
    }
    structured(envelope)
}

/// The id of a CloudEvent: its source and its id, with a space between them, because the id is unique with the source
/// only.
///
/// # Errors
/// When one of them is missing.
pub fn cloud_event_id(fields: &JsonFields) -> Result<EventId, Malformed> {
    let (source, id) = (fields.at("/source")?, fields.at("/id")?);
    Ok(EventId::new(format!("{source} {id}"))?)
}

fn content_type(envelope: &Envelope) -> Option<String> {
    let mut values = CONTENT_TYPES
        .iter()
        .filter_map(|name| envelope.headers.get(*name));
    values.next().map(|text| text.to_ascii_lowercase())
}

fn prefix(envelope: &Envelope) -> Option<&'static str> {
    let has = |prefix: &&&str| {
        let name = format!("{prefix}{SPECVERSION}");
        envelope.headers.contains_key(&name)
    };
    PREFIXES.iter().find(has).copied()
}

/// The attributes are headers, and the body is the data.
fn binary(envelope: &Envelope, prefix: &str, content_type: &str) -> Result<Envelope, Malformed> {
    let mut event = Map::new();
    for (name, value) in &envelope.headers {
        if let Some(name) = name.strip_prefix(prefix) {
            event.insert(name.to_owned(), Value::String(value.clone()));
        }
    }
    check_version(event.get(SPECVERSION))?;
    let media = content_type.split(';').next().unwrap_or_default().trim();
    let is_json = media.is_empty() || media.ends_with("/json") || media.ends_with("+json");
    if !content_type.is_empty() {
        event.insert("datacontenttype".into(), content_type.into());
    }
    if is_json && !envelope.body.is_empty() {
        let data = serde_json::from_slice(&envelope.body)
            .map_err(|error| unreadable::not_json(&envelope.body, &error))?;
        event.insert("data".into(), data);
    } else if !envelope.body.is_empty() {
        match std::str::from_utf8(&envelope.body) {
            Ok(text) if media.starts_with("text/") => event.insert("data".into(), text.into()),
            _ => event.insert("data_base64".into(), STANDARD.encode(&envelope.body).into()),
        };
    }
    Ok(Envelope {
        body: Value::Object(event).to_string().into(),
        headers: envelope.headers.clone(),
        published_at: envelope.published_at,
    })
}

/// The body is the JSON form already.
fn structured(envelope: &Envelope) -> Result<Envelope, Malformed> {
    #[derive(Deserialize)]
    struct Probe {
        specversion: Option<Value>,
    }
    unreadable::check_there(&envelope.body)?;
    let probe: Probe = serde_json::from_slice(&envelope.body)
        .map_err(|error| unreadable::no_event(&envelope.body, &error, "CloudEvent"))?;
    check_version(probe.specversion.as_ref())?;
    Ok(envelope.clone())
}

fn check_version(version: Option<&Value>) -> Result<(), Malformed> {
    match version {
        Some(Value::String(version)) if version.starts_with("1.") => Ok(()),
        Some(other) => Err(Malformed(format!(
            "the `specversion` of the CloudEvent is {other}, and version 1 is what is read"
        ))),
        None => Err(Malformed(
            "the message is no CloudEvent: there is `specversion` neither in the body nor in a header such as \
             `cloudEvents:specversion`"
                .into(),
        )),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::handler::json_fields;

    fn message(body: impl Into<bytes::Bytes>, headers: &[(&str, &str)]) -> Envelope {
        let mut envelope = Envelope::new(body);
        for (name, value) in headers {
            envelope.headers.insert((*name).into(), (*value).into());
        }
        envelope
    }

    fn json_of(envelope: &Envelope) -> Value {
        serde_json::from_slice(&cloud_event(envelope).unwrap().body).unwrap()
    }

    #[test]
    fn both_modes_have_the_same_form() {
        let expected = json!({
            "specversion": "1.0",
            "id": "17",
            "source": "/shop",
            "type": "OrderCreated",
            "subject": "order-7",
            "sequence": "3",
            "datacontenttype": "application/json",
            "data": {"amount": 5},
        });
        let structured = message(
            expected.to_string(),
            &[(
                "amqp.content_type",
                "application/cloudevents+json; charset=utf-8",
            )],
        );
        assert_eq!(json_of(&structured), expected);
        assert_eq!(json_of(&message(expected.to_string(), &[])), expected);
        for prefix in PREFIXES {
            let mut binary = message(
                r#"{"amount": 5}"#,
                &[("amqp.content_type", "application/json")],
            );
            for name in ["specversion", "id", "source", "type", "subject", "sequence"] {
                let value = expected[name].as_str().unwrap().to_owned();
                binary.headers.insert(format!("{prefix}{name}"), value);
            }
            assert_eq!(json_of(&binary), expected, "{prefix}");
        }
    }

    #[test]
    fn data_that_is_no_json_is_text_or_base64() {
        let headers = |kind| [("ce-specversion", "1.0"), ("content-type", kind)];
        let text = message("hello", &headers("text/plain"));
        assert_eq!(json_of(&text)["data"], "hello");
        let bytes = message(vec![0xff, 0], &headers("application/octet-stream"));
        assert_eq!(json_of(&bytes)["data_base64"], "/wA=");
        let nothing = message("", &[("ce-specversion", "1.0")]);
        assert_eq!(json_of(&nothing), json!({"specversion": "1.0"}));
    }

    #[test]
    fn the_id_is_of_the_source() {
        let fields = |event: Value| json_fields(&Envelope::new(event.to_string())).unwrap();
        let id = cloud_event_id(&fields(json!({"source": "/shop", "id": "17"})));
        assert_eq!(id.unwrap().as_str(), "/shop 17");
        let missing = cloud_event_id(&fields(json!({"source": "/shop"})));
        assert_eq!(missing.unwrap_err().0, "the event has no `/id`");
    }

    #[test]
    fn what_is_no_cloud_event_is_refused_with_the_reason() {
        for (envelope, words) in [
            (message("{}", &[]), "neither in the body"),
            (message("[]", &[]), "not a valid CloudEvent"),
            (message("<a/>", &[]), "XML"),
            (message("", &[]), "the body is empty"),
            (message(r#"{"specversion": "0.3"}"#, &[]), "\"0.3\""),
            (message("x", &[("ce-specversion", "1.0")]), "not JSON"),
            (
                message(
                    "[]",
                    &[("content-type", "application/cloudevents-batch+json")],
                ),
                "a batch",
            ),
        ] {
            let Malformed(text) = cloud_event(&envelope).unwrap_err();
            assert!(text.contains(words), "{text}");
        }
    }

    #[test]
    fn a_cloud_event_is_a_type_around_the_data() {
        let event = json!({"specversion": "1.0", "id": "1", "source": "s", "type": "t", "data": 5, "tenant": "acme"});
        let event: CloudEvent<u32> = serde_json::from_value(event).unwrap();
        assert_eq!((event.kind.as_str(), event.data), ("t", 5));
        assert_eq!(event.extensions["tenant"], "acme");
    }
}
