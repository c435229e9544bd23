use std::collections::{BTreeMap, HashMap};

use aws_sdk_sqs::types::MessageAttributeValue;

use super::is_allowed;
use crate::names;

/// How many attributes a message may have.
const MAX: usize = 10;

/// An attribute with text.
pub(crate) fn text_attribute(text: impl Into<String>) -> MessageAttributeValue {
    attribute("String", text.into())
}

/// An attribute with a number.
pub(super) fn number_attribute(number: u64) -> MessageAttributeValue {
    attribute("Number", number.to_string())
}

fn attribute(data_type: &str, value: String) -> MessageAttributeValue {
    MessageAttributeValue::builder()
        .data_type(data_type)
        .string_value(value)
        .build()
        .expect("an attribute with a type can be built")
}

/// Adds the headers: as attributes those that can be and have a place, in one attribute of JSON the others.
pub(super) fn write(
    headers: &BTreeMap<String, String>,
    attributes: &mut HashMap<String, MessageAttributeValue>,
) {
    let headers = || {
        let headers = headers.iter();
        headers.filter(|(name, _)| !names::SYSTEM.contains(&name.as_str()))
    };
    let fits = |name: &str, value: &str| {
        is_name(name) && !names::WIRE.contains(&name) && !value.is_empty() && is_allowed(value)
    };
    let places = MAX - attributes.len();
    let places = if headers().count() <= places && headers().all(|(name, value)| fits(name, value))
    {
        places
    } else {
        places - 1
    };
    let mut others = BTreeMap::new();
    let mut taken = 0;
    for (name, value) in headers() {
        if taken < places && fits(name, value) {
            taken += 1;
            attributes.insert(name.clone(), text_attribute(value));
        } else {
            others.insert(name, value);
        }
    }
    if !others.is_empty() {
        attributes.insert(names::HEADERS.to_owned(), text_attribute(json(&others)));
    }
}

/// JSON of characters that SQS takes: all others occur in strings only, where an escape stands for them.
fn json(headers: &BTreeMap<&String, &String>) -> String {
    let json = serde_json::to_string(headers).expect("text always serializes");
    json.replace('\u{FFFE}', "\\uFFFE")
        .replace('\u{FFFF}', "\\uFFFF")
}

/// Adds the headers that were written as JSON; what is not such JSON is left out.
pub(super) fn read(text: &str, headers: &mut BTreeMap<String, String>) {
    if let Ok(others) = serde_json::from_str::<BTreeMap<String, String>>(text) {
        headers.extend(others);
    }
}

/// Letters, digits and `_-.`, at most 256, no period at an end nor two in a row, and not a name kept for AWS.
fn is_name(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    (1..=256).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
        && !name.starts_with('.')
        && !name.ends_with('.')
        && !name.contains("..")
        && !lower.starts_with("aws.")
        && !lower.starts_with("amazon.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_sqs_takes() {
        for name in ["a", "Content.Kind-2_x", "traceparent", "awsome"] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", ".a", "a.", "a..b", "a b", "ü", "AWS.x", "amazon.x"] {
            assert!(!is_name(name), "{name}");
        }
        assert!(!is_name(&"n".repeat(257)));
    }
}
