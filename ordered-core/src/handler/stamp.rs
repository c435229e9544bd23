use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasher;

use super::Malformed;
use super::identity::HeaderText;
use crate::logical::VectorClock;

/// A field that can be the vector clock of an event.
#[diagnostic::on_unimplemented(
    message = "the clock of an event must say how many events of each producer it follows, and a `{Self}` does not",
    label = "not a vector clock",
    note = "allowed are `VectorClock`, and maps from the names of producers to counts (`BTreeMap<String, u64>`, \
            `HashMap<String, u64>`)"
)]
pub trait ClockValue {
    /// The clock.
    ///
    /// # Errors
    /// When it has too many producers, or is no clock.
    fn to_clock(&self) -> Result<VectorClock, Malformed>;
}

impl ClockValue for VectorClock {
    fn to_clock(&self) -> Result<VectorClock, Malformed> {
        Ok(self.clone())
    }
}

impl ClockValue for BTreeMap<String, u64> {
    fn to_clock(&self) -> Result<VectorClock, Malformed> {
        VectorClock::try_from(self.clone()).map_err(|error| Malformed(error.to_string()))
    }
}

impl<S: BuildHasher> ClockValue for HashMap<String, u64, S> {
    fn to_clock(&self) -> Result<VectorClock, Malformed> {
        let counts = self.iter().map(|(name, count)| (name.clone(), *count));
        counts.collect::<BTreeMap<_, _>>().to_clock()
    }
}

/// A JSON object in a header.
impl ClockValue for HeaderText<'_> {
    fn to_clock(&self) -> Result<VectorClock, Malformed> {
        let text = self.to_string();
        serde_json::from_str(&text).map_err(|error| {
            Malformed(format!(
                "a header is {text:?}, and must be the vector clock of the event, a JSON object from producers to \
                 counts: {error}"
            ))
        })
    }
}

impl<T: ClockValue + ?Sized> ClockValue for &T {
    fn to_clock(&self) -> Result<VectorClock, Malformed> {
        (**self).to_clock()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Envelope;
    use crate::handler::{header, json_fields};

    #[test]
    fn a_clock_is_a_map_an_object_or_a_header() {
        let map = BTreeMap::from([("ada".to_owned(), 2), ("bob".to_owned(), 0)]);
        let clock = map.to_clock().unwrap();
        assert_eq!(clock.iter().collect::<Vec<_>>(), [("ada", 2)]);
        let hashed: HashMap<String, u64> = map.into_iter().collect();
        assert_eq!(hashed.to_clock().unwrap(), clock);
        let mut envelope = Envelope::new(r#"{"meta": {"vector": {"ada": 2}}, "n": [1]}"#);
        let fields = json_fields(&envelope).unwrap();
        assert_eq!(fields.clock("/meta/vector").unwrap(), clock);
        for (pointer, words) in [
            ("/n", "is an array"),
            ("/none", "the event has no `/none`"),
            ("/meta", "is no vector clock"),
        ] {
            let error = fields.clock(pointer).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
        let headers = &mut envelope.headers;
        headers.insert("right".into(), r#"{"ada": 2}"#.into());
        headers.insert("wrong".into(), "2".into());
        let of = |name: &str| header(&envelope, name).unwrap().to_clock();
        assert_eq!(of("right").unwrap(), clock);
        assert!(
            of("wrong")
                .unwrap_err()
                .to_string()
                .contains("vector clock")
        );
    }
}
