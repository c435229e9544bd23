//! What is kept of an event that is too large to be kept: enough to see what it is.

use std::fmt;
use std::hash::Hasher;

use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Number, Value};
use siphasher::sip128::{Hasher128, SipHasher24};

use super::{Envelope, EventId};
use crate::words::cut_before;

/// The header that marks an excerpt. It says how large the whole body is, and its digest.
pub(crate) const EXCERPT: &str = "ordered.excerpt";
/// The header with the id of the event that this is an excerpt of.
const EXCERPT_ID: &str = "ordered.excerpt_id";
/// What the id of an excerpt ends with. It is another one than that of the event, which must not pass for a repetition
/// of the excerpt.
const SUFFIX: &str = " (excerpt)";

/// The longest text that is left in an excerpt: a key and an event id are shorter.
const LONGEST_TEXT: usize = 640;
/// How many values an excerpt has outside of arrays, where key, seq and id commonly stand.
const MOST_MEMBERS: usize = 512;
/// How many values in arrays.
const MOST_ELEMENTS: usize = 64;
/// How much is left of a body that is not JSON.
const HEAD_BYTES: usize = 16 * 1024;

impl Envelope {
    /// An excerpt of the event: of JSON the same JSON with long texts replaced by their length and digest, and without
    /// most of what is in arrays; of anything else the beginning. At most some hundred KiB.
    pub(crate) fn excerpt(&self) -> Self {
        let mut budget = Budget {
            members: MOST_MEMBERS,
            elements: MOST_ELEMENTS,
            in_array: false,
        };
        let mut json = serde_json::Deserializer::from_slice(&self.body);
        let pruned = Pruned {
            budget: &mut budget,
        }
        .deserialize(&mut json);
        let pruned = pruned.and_then(|value| json.end().map(|()| value));
        let body = match pruned {
            Ok(value) => value.to_string().into(),
            Err(_) => self.body.slice(..self.body.len().min(HEAD_BYTES)),
        };
        let mut headers = self.headers.clone();
        headers.insert(EXCERPT.to_owned(), summary(&self.body));
        Self {
            body,
            headers,
            published_at: self.published_at,
        }
    }

    /// Of an excerpt, how large the whole body is, and its digest.
    pub(crate) fn excerpt_of(&self) -> Option<&str> {
        self.headers.get(EXCERPT).map(String::as_str)
    }

    /// Says of an excerpt which event it is of. Returns the id of the excerpt.
    pub(crate) fn set_excerpt_id(&mut self, id: &EventId) -> EventId {
        self.headers.insert(EXCERPT_ID.to_owned(), id.to_string());
        let end = cut_before(id.as_str(), EventId::MAX_BYTES - SUFFIX.len());
        EventId::new(format!("{}{SUFFIX}", &id.as_str()[..end])).unwrap_or_else(|_| id.clone())
    }

    /// The event is no excerpt, or no longer: it has another body. Returns the id of the event that it was an excerpt
    /// of.
    pub(crate) fn forget_excerpt(&mut self) -> Option<EventId> {
        let is_excerpt = self.headers.remove(EXCERPT).is_some();
        let id = self.headers.remove(EXCERPT_ID);
        id.filter(|_| is_excerpt)
            .and_then(|id| EventId::new(id).ok())
    }
}

impl EventId {
    /// Whether it is the id of an excerpt of an event, and not of an event.
    pub(crate) fn is_of_excerpt(&self) -> bool {
        self.as_str().ends_with(SUFFIX)
    }
}

fn summary(bytes: &[u8]) -> String {
    let mut hasher = SipHasher24::new();
    hasher.write(bytes);
    let digest = hasher.finish128().as_u128();
    format!("{} bytes, digest {digest:032x}", bytes.len())
}

/// How much an excerpt may still take in.
struct Budget {
    members: usize,
    elements: usize,
    in_array: bool,
}

impl Budget {
    fn take(&mut self) -> bool {
        let left = if self.in_array {
            &mut self.elements
        } else {
            &mut self.members
        };
        let some = *left > 0;
        *left = left.saturating_sub(1);
        some
    }
}

/// Reads JSON, and keeps as much of it as there is room for.
struct Pruned<'a> {
    budget: &'a mut Budget,
}

impl<'de> DeserializeSeed<'de> for Pruned<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Value, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Pruned<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
        Ok(flag.into())
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(Number::from_f64(number).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        if text.len() <= LONGEST_TEXT {
            return Ok(text.into());
        }
        Ok(format!("… {}", summary(text.as_bytes())).into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let outer = std::mem::replace(&mut self.budget.in_array, true);
        let mut kept = Vec::new();
        while self.budget.take() {
            let element = elements.next_element_seed(Pruned {
                budget: self.budget,
            })?;
            let Some(element) = element else { break };
            kept.push(element);
        }
        let mut more = 0_u64;
        while elements.next_element::<IgnoredAny>()?.is_some() {
            more += 1;
        }
        if more > 0 {
            kept.push(format!("… {more} more").into());
        }
        self.budget.in_array = outer;
        Ok(kept.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut kept = Map::new();
        while let Some(Name(name)) = members.next_key()? {
            match name {
                Some(name) if self.budget.take() => {
                    let value = members.next_value_seed(Pruned {
                        budget: self.budget,
                    })?;
                    kept.insert(name, value);
                }
                _ => {
                    members.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(kept.into())
    }
}

/// The name of a member, unless it is too long.
struct Name(Option<String>);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        struct NameVisitor;
        impl Visitor<'_> for NameVisitor {
            type Value = Name;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }

            fn visit_str<E>(self, text: &str) -> Result<Name, E> {
                Ok(Name((text.len() <= LONGEST_TEXT).then(|| text.to_owned())))
            }
        }
        json.deserialize_str(NameVisitor)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn excerpt(body: &Value) -> Value {
        let excerpt = Envelope::new(body.to_string()).excerpt();
        serde_json::from_slice(&excerpt.body).unwrap()
    }

    #[test]
    fn what_says_where_an_event_belongs_is_left_in_its_excerpt_wherever_it_stands() {
        let long = "x".repeat(1 << 20);
        let items = vec![json!({"sku": 5, "text": "x".repeat(1 << 12)}); 500];
        let event = json!({"a": long, "b": items, "c": {"d": [items], "order": "o-7"}, "seq": 3});
        let excerpt = excerpt(&event);
        assert_eq!(excerpt["c"]["order"], "o-7");
        assert_eq!(excerpt["seq"], 3);
        assert_eq!(excerpt["b"][0]["sku"], 5);
        let text = excerpt["a"].as_str().unwrap();
        assert!(text.starts_with("… 1048576 bytes, digest "), "{text}");
        let last = excerpt["b"].as_array().unwrap().last().unwrap();
        assert!(last.as_str().unwrap().ends_with(" more"), "{last}");
        assert!(excerpt.to_string().len() < 64 * 1024);
    }

    #[test]
    fn an_excerpt_is_small_whatever_it_is_of() {
        let long = "x".repeat(LONGEST_TEXT);
        let member = |number: usize| (format!("{number:0640}"), json!(long));
        let wide: Map<String, Value> = (0..5_000).map(member).collect();
        let mut deep = json!([long]);
        for _ in 0..60 {
            deep = json!([deep, {"x": deep}]);
            if deep.to_string().len() > 8 << 20 {
                break;
            }
        }
        for body in [wide.into(), deep, json!(vec![wide_row(); 1_000])] {
            let size = excerpt(&body).to_string().len();
            assert!(size < 1 << 20, "{size}");
        }
    }

    fn wide_row() -> Value {
        (0..100).map(|column| json!([column])).collect()
    }

    #[test]
    fn of_what_is_not_json_the_beginning_is_left() {
        for whole in ["x".repeat(1 << 20), format!("{} x", json!({"a": 1}))] {
            let excerpt = Envelope::new(whole.clone()).excerpt();
            assert_eq!(excerpt.body, whole[..whole.len().min(HEAD_BYTES)]);
            let of = excerpt.excerpt_of().unwrap();
            assert!(of.starts_with(&format!("{} bytes, ", whole.len())), "{of}");
        }
    }

    #[test]
    fn an_excerpt_has_an_id_of_its_own_and_knows_that_of_the_event() {
        for id in ["e-1".to_owned(), "ü".repeat(EventId::MAX_BYTES / 2)] {
            let id = EventId::new(id).unwrap();
            let mut excerpt = Envelope::new("{}").excerpt();
            let own = excerpt.set_excerpt_id(&id);
            assert!(own.is_of_excerpt() && !id.is_of_excerpt(), "{own}");
            assert_eq!(excerpt.forget_excerpt(), Some(id));
            assert_eq!(excerpt.forget_excerpt(), None);
            assert_eq!(excerpt, Envelope::new("{}"));
        }
    }

    #[test]
    fn excerpts_of_different_events_differ() {
        let of = |last: char| {
            let mut text = "x".repeat(1 << 20);
            text.push(last);
            Envelope::new(json!({"text": text}).to_string()).excerpt()
        };
        assert_ne!(of('a').body, of('b').body);
        assert_ne!(of('a').headers, of('b').headers);
        assert_eq!(of('a'), of('a'));
    }
}
