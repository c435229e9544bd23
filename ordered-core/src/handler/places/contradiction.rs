//! An edit, compared with the event that it is of.

use super::{EventPlace, EventPlaces, Wrapping};
use crate::event::{Envelope, EventId, Key};
use crate::handler::content_encoding::decompressed;
use crate::handler::identity::Malformed;
use crate::handler::json_place::{JsonFields, json_fields};
use crate::handler::wrapped::{cloud_event, cloud_event_id, sns_message};
use crate::protocol::Refusal;

/// What a compressed body may become, so that a bomb does no harm to an operator.
const MOST_BYTES: usize = 64 << 20;

/// What is found in one place of an event.
enum Found {
    Text(String),
    /// Neither text nor a whole number is there.
    Nothing,
    /// It cannot be known from here.
    Unknown,
}

impl EventPlaces {
    /// Whether an event with this key, seq and id, and this envelope before, is still that event with another envelope.
    /// Says what it is not, as far as that can be known without the handler.
    pub(crate) fn contradiction(
        &self,
        (key, seq, id): (&Key, u64, &EventId),
        before: &Envelope,
        after: &Envelope,
    ) -> Option<Refusal> {
        let (before, after) = (self.read(before).ok(), self.read(after));
        let after = match after {
            Ok(after) => after,
            Err(_) if self.is_read_from_body() && before.is_some() => {
                return Some(Refusal::Unreadable);
            }
            Err(_) => return None,
        };
        let differs = |places: &[EventPlace], expected: &str| {
            after.differs(places, expected, before.as_ref())
        };
        if differs(&self.key, key.as_str()) {
            return Some(Refusal::OtherKey);
        }
        if let Some(place) = &self.seq
            && differs(std::slice::from_ref(place), &seq.to_string())
        {
            return Some(Refusal::OtherSeq);
        }
        let is_other = match (&self.id, self.around) {
            (Some(place), _) => differs(std::slice::from_ref(place), id.as_str()),
            (None, Some(Wrapping::CloudEvents)) => {
                let own = |event: &Read| cloud_event_id(event.fields.as_ref()?).ok();
                before.as_ref().and_then(own).as_ref() == Some(id)
                    && own(&after).as_ref() != Some(id)
            }
            // Without one the id is made of the content, and stays as it was.
            (None, _) => {
                before.is_some() && differs(&[EventPlace::Field("/event_id".into())], id.as_str())
            }
        };
        is_other.then_some(Refusal::OtherId)
    }

    fn is_read_from_body(&self) -> bool {
        let is_in_body = |place: &EventPlace| !matches!(place, EventPlace::Header(_));
        self.key.iter().chain(&self.seq).any(is_in_body)
    }

    fn read(&self, envelope: &Envelope) -> Result<Read, Malformed> {
        let plain = decompressed(envelope, MOST_BYTES)?;
        let envelope = match self.around {
            Some(Wrapping::CloudEvents) => cloud_event(&plain)?,
            Some(Wrapping::Sns) => sns_message(&plain)?,
            None => plain.into_owned(),
        };
        let fields = json_fields(&envelope);
        let fields = if self.is_read_from_body() {
            Some(fields?)
        } else {
            fields.ok()
        };
        Ok(Read { envelope, fields })
    }
}

/// An event without what is around it.
struct Read {
    envelope: Envelope,
    fields: Option<JsonFields>,
}

impl Read {
    /// Whether another text is found in these places. A name of Rust counts only where the event had the expected text
    /// there before: serde may read the field from elsewhere.
    fn differs(&self, places: &[EventPlace], expected: &str, before: Option<&Self>) -> bool {
        let has_names = places
            .iter()
            .any(|place| matches!(place, EventPlace::Field(_)));
        let found = self.found_in_all(places);
        let is_known = before.is_some_and(
            |before| matches!(before.found_in_all(places), Found::Text(text) if text == expected),
        );
        match found {
            Found::Text(text) => text != expected && (is_known || !has_names || before.is_none()),
            Found::Nothing => is_known || !has_names,
            Found::Unknown => false,
        }
    }

    /// The text in these places together.
    fn found_in_all(&self, places: &[EventPlace]) -> Found {
        let mut parts = Vec::with_capacity(places.len());
        for place in places {
            match self.found_in(place) {
                Found::Text(text) => parts.push(text),
                other => return other,
            }
        }
        match &parts[..] {
            [only] => Found::Text(only.clone()),
            parts => match Key::join(parts) {
                Ok(key) => Found::Text(key.to_string()),
                Err(_) => Found::Nothing,
            },
        }
    }

    fn found_in(&self, place: &EventPlace) -> Found {
        match (place, &self.fields) {
            (EventPlace::Header(name), _) => match self.envelope.headers.get(name) {
                Some(text) => Found::Text(text.clone()),
                None => Found::Nothing,
            },
            (EventPlace::Field(pointer) | EventPlace::Json(pointer), Some(fields)) => {
                match fields.at(pointer) {
                    Ok(text) => Found::Text(text.to_string()),
                    Err(_) => Found::Nothing,
                }
            }
            (_, None) => Found::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn field(name: &str) -> EventPlace {
        EventPlace::Field(name.into())
    }

    fn json_place(pointer: &str) -> EventPlace {
        EventPlace::Json(pointer.into())
    }

    fn orders() -> EventPlaces {
        EventPlaces::new(vec![field("/order_id")], field("/seq"), None)
    }

    fn edited(places: &EventPlaces, before: &str, after: &str) -> Option<Refusal> {
        let (key, id) = (Key::new("a").unwrap(), EventId::new("e-2").unwrap());
        let [before, after] = [before, after].map(|body| Envelope::new(body.to_owned()));
        places.contradiction((&key, 2, &id), &before, &after)
    }

    #[test]
    fn an_edit_to_another_key_seq_or_id_is_refused_and_any_other_is_not() {
        let before = r#"{"order_id": "a", "seq": 2, "event_id": "e-2", "amount": 1}"#;
        for (after, refusal) in [
            (r#"{"order_id": "a", "seq": 2, "event_id": "e-2"}"#, None),
            (
                r#"{"order_id": "a", "seq": "2", "event_id": "e-2", "x": []}"#,
                None,
            ),
            (
                r#"{"order_id": "b", "seq": 2, "event_id": "e-2"}"#,
                Some(Refusal::OtherKey),
            ),
            (r#"{"seq": 2, "event_id": "e-2"}"#, Some(Refusal::OtherKey)),
            (
                r#"{"order_id": "a", "seq": 3, "event_id": "e-2"}"#,
                Some(Refusal::OtherSeq),
            ),
            (
                r#"{"order_id": "a", "event_id": "e-2"}"#,
                Some(Refusal::OtherSeq),
            ),
            (
                r#"{"order_id": "a", "seq": 2, "event_id": "e-3"}"#,
                Some(Refusal::OtherId),
            ),
            (r#"{"order_id": "a", "seq": 2}"#, Some(Refusal::OtherId)),
            ("no JSON", Some(Refusal::Unreadable)),
        ] {
            assert_eq!(edited(&orders(), before, after), refusal, "{after}");
        }
    }

    #[test]
    fn a_field_that_serde_renames_is_left_to_the_handler() {
        let before = r#"{"orderId": "a", "seq": 2, "amount": 1}"#;
        let after = r#"{"orderId": "b", "order_id": "c", "seq": 2}"#;
        assert_eq!(edited(&orders(), before, after), None);
        let other_seq = r#"{"orderId": "a", "seq": 1}"#;
        assert_eq!(
            edited(&orders(), before, other_seq),
            Some(Refusal::OtherSeq)
        );
        // What cannot be read says nothing about where the field is; the new body is taken at its word.
        assert_eq!(edited(&orders(), "no JSON", after), Some(Refusal::OtherKey));
        assert_eq!(edited(&orders(), "no JSON", before), None);
        assert_eq!(edited(&orders(), "no JSON", "none either"), None);
    }

    #[test]
    fn places_in_the_json_count_whatever_was_there() {
        let parts = vec![json_place("/tenant"), json_place("/order")];
        let places = EventPlaces::new(parts, json_place("/meta/seq"), Some(json_place("/id")));
        let body = |tenant: &str, seq: u64, id: &str| {
            json!({"tenant": tenant, "order": "7", "meta": {"seq": seq}, "id": id}).to_string()
        };
        let (key, id) = (Key::new("acme/7").unwrap(), EventId::new("e").unwrap());
        let edited = |body: String| {
            let before = Envelope::new("{}");
            places.contradiction((&key, 2, &id), &before, &Envelope::new(body))
        };
        assert_eq!(edited(body("acme", 2, "e")), None);
        assert_eq!(edited(body("acmé", 2, "e")), Some(Refusal::OtherKey));
        assert_eq!(edited(body("", 2, "e")), Some(Refusal::OtherKey));
        assert_eq!(edited(body("acme", 1, "e")), Some(Refusal::OtherSeq));
        assert_eq!(edited(body("acme", 2, "f")), Some(Refusal::OtherId));
        assert_eq!(edited("{}".into()), Some(Refusal::OtherKey));
    }

    #[test]
    fn headers_stay_as_they_are_whatever_the_body() {
        let header = |name: &str| EventPlace::Header(name.into());
        let places = EventPlaces::new(vec![header("k")], header("s"), Some(header("i")));
        let (key, id) = (Key::new("a").unwrap(), EventId::new("e").unwrap());
        let mut before = Envelope::new("x");
        for (name, value) in [("k", "a"), ("s", "2"), ("i", "e")] {
            before.headers.insert(name.into(), value.into());
        }
        let mut after = before.clone();
        after.body = "anything".into();
        assert_eq!(places.contradiction((&key, 2, &id), &before, &after), None);
    }

    #[test]
    fn what_is_around_an_event_is_taken_off_first() {
        let cloud = EventPlaces::new(vec![json_place("/subject")], json_place("/sequence"), None);
        let cloud = cloud.in_cloud_events();
        let event = |subject: &str, id: &str| {
            json!({"specversion": "1.0", "source": "/s", "id": id, "subject": subject, "sequence": "2"})
                .to_string()
        };
        let (key, id) = (Key::new("a").unwrap(), EventId::new("/s 1").unwrap());
        let edited = |after: String| {
            let before = Envelope::new(event("a", "1"));
            cloud.contradiction((&key, 2, &id), &before, &Envelope::new(after))
        };
        assert_eq!(edited(event("a", "1")), None);
        assert_eq!(edited(event("b", "1")), Some(Refusal::OtherKey));
        assert_eq!(edited(event("a", "2")), Some(Refusal::OtherId));
        let sns = orders().in_sns_messages();
        let notification = |message: Value| {
            json!({"Type": "Notification", "Message": message.to_string()}).to_string()
        };
        let inner =
            |seq: u64| notification(json!({"order_id": "a", "seq": seq, "event_id": "e-2"}));
        assert_eq!(super::tests::edited(&sns, &inner(2), &inner(2)), None);
        assert_eq!(
            super::tests::edited(&sns, &inner(2), &inner(3)),
            Some(Refusal::OtherSeq)
        );
    }
}
