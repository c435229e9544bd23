//! Dead letters of a broker: which are meant, and what is said of them.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ordered_core::internal::matches_pattern;
use ordered_core::transport::BrokerDeadLetter;
use serde::Serialize;
use serde_json::Value;

use crate::args::LetterFilter;

/// The reason of a letter that the broker put there without saying why.
pub(super) const BY_THE_BROKER: &str = "by the broker";

/// A dead letter, on one line.
#[derive(Serialize)]
pub(super) struct Line<'a> {
    /// Its place in the list, from 1.
    number: u64,
    reason: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    queue: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    published_at: Option<u64>,
    bytes: usize,
    #[serde(flatten)]
    whole: Option<Whole<'a>>,
}

#[derive(Serialize)]
struct Whole<'a> {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    headers: &'a BTreeMap<String, String>,
    #[serde(flatten)]
    payload: Payload<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Payload<'a> {
    Payload(&'a str),
    PayloadBase64(String),
}

impl<'a> Line<'a> {
    pub(super) fn new(number: u64, letter: &'a BrokerDeadLetter) -> Self {
        Self {
            number,
            reason: reason(letter),
            error: letter.text.as_deref(),
            queue: letter.queue.as_deref(),
            published_at: letter.envelope.published_at,
            bytes: letter.envelope.body.len(),
            whole: None,
        }
    }

    /// With headers and body.
    pub(super) fn whole(number: u64, letter: &'a BrokerDeadLetter) -> Self {
        let body = &letter.envelope.body;
        let payload = match std::str::from_utf8(body) {
            Ok(text) => Payload::Payload(text),
            Err(_) => Payload::PayloadBase64(STANDARD.encode(body)),
        };
        let headers = &letter.envelope.headers;
        Self {
            whole: Some(Whole { headers, payload }),
            ..Self::new(number, letter)
        }
    }
}

pub(super) fn reason(letter: &BrokerDeadLetter) -> &str {
    letter.reason.as_deref().unwrap_or(BY_THE_BROKER)
}

/// Whether a letter is meant.
pub(super) fn is_meant(filter: &LetterFilter, letter: &BrokerDeadLetter) -> bool {
    let text = letter.text.as_deref().unwrap_or_default();
    let is_reason = filter
        .reason
        .as_deref()
        .is_none_or(|wanted| wanted == reason(letter));
    let is_error = filter
        .error
        .as_deref()
        .is_none_or(|wanted| text.contains(wanted));
    let is_like = filter
        .like
        .as_deref()
        .is_none_or(|pattern| has(letter, pattern));
    is_reason && is_error && is_like
}

/// Whether the letter has a value that looks like the pattern. Which field the handler takes for the key is not known
/// here.
fn has(letter: &BrokerDeadLetter, pattern: &str) -> bool {
    let envelope = &letter.envelope;
    if envelope
        .headers
        .values()
        .any(|value| matches_pattern(value, pattern))
    {
        return true;
    }
    let Ok(text) = std::str::from_utf8(&envelope.body) else {
        return false;
    };
    match serde_json::from_str::<Value>(text) {
        Ok(value) => has_value(&value, pattern),
        Err(_) => {
            let is_edge = |letter: char| letter.is_whitespace() || "\"'{}[](),;:".contains(letter);
            text.split(is_edge)
                .any(|word| !word.is_empty() && matches_pattern(word, pattern))
        }
    }
}

fn has_value(value: &Value, pattern: &str) -> bool {
    match value {
        Value::String(text) => matches_pattern(text, pattern),
        Value::Number(number) => matches_pattern(&number.to_string(), pattern),
        Value::Array(values) => values.iter().any(|value| has_value(value, pattern)),
        Value::Object(fields) => fields.values().any(|value| has_value(value, pattern)),
        Value::Bool(_) | Value::Null => false,
    }
}

#[cfg(test)]
mod tests {
    use ordered_core::event::Envelope;
    use ordered_core::transport::Token;

    use super::*;

    fn letter(body: &str) -> BrokerDeadLetter {
        BrokerDeadLetter {
            text: Some("no field `seq`".into()),
            reason: Some("malformed".into()),
            ..BrokerDeadLetter::new(Token(1), Envelope::new(body.to_owned()))
        }
    }

    fn filter(reason: Option<&str>, error: Option<&str>, like: Option<&str>) -> LetterFilter {
        let own = |text: Option<&str>| text.map(ToOwned::to_owned);
        LetterFilter {
            reason: own(reason),
            error: own(error),
            like: own(like),
        }
    }

    #[test]
    fn a_key_is_found_wherever_it_stands() {
        for (body, pattern, found) in [
            (r#"{"order":{"id":"order-17"}}"#, "order-17", true),
            (r#"{"order":{"id":"order-17"}}"#, "order-1", false),
            (r#"{"order":{"id":"order-17"}}"#, "order-*", true),
            (r#"{"id":17}"#, "17", true),
            (r#"["a",["b"]]"#, "b", true),
            (r#"{"order-17":true}"#, "order-17", false),
            ("order-17 3 cut off", "order-17", true),
            (r#"{"id":"order-17", cut"#, "order-17", true),
        ] {
            let filter = filter(None, None, Some(pattern));
            assert_eq!(is_meant(&filter, &letter(body)), found, "{body} {pattern}");
        }
        let mut headed = letter("{}");
        headed
            .envelope
            .headers
            .insert("key".into(), "order-17".into());
        assert!(is_meant(&filter(None, None, Some("order-17")), &headed));
    }

    #[test]
    fn a_reason_and_its_text_are_compared() {
        let letter = letter("{}");
        assert!(is_meant(
            &filter(Some("malformed"), Some("`seq`"), None),
            &letter
        ));
        assert!(!is_meant(&filter(Some("late"), None, None), &letter));
        assert!(!is_meant(&filter(None, Some("`key`"), None), &letter));
        let unsaid = BrokerDeadLetter {
            reason: None,
            text: None,
            ..letter
        };
        assert!(is_meant(&filter(Some(BY_THE_BROKER), None, None), &unsaid));
    }
}
