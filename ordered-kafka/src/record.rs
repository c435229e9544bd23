use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use ordered_core::event::Envelope;
use ordered_core::transport::{REWOUND, Reason};
use rdkafka::message::{BorrowedMessage, Header, Headers, Message, OwnedHeaders};

use crate::names;

/// A record of a topic, whole.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) key: Option<Bytes>,
    /// `None` where the record has no value at all, which marks a deletion in a compacted topic.
    pub(crate) body: Option<Bytes>,
    pub(crate) headers: Vec<(String, Option<Bytes>)>,
    /// In milliseconds since the Unix epoch.
    pub(crate) timestamp: Option<i64>,
    /// The group had settled it before, and its offsets were set back.
    pub(crate) is_rewound: bool,
}

impl Record {
    pub(crate) fn read(message: &BorrowedMessage<'_>) -> Self {
        Self {
            partition: message.partition(),
            offset: message.offset(),
            key: message.key().map(Bytes::copy_from_slice),
            body: message.payload().map(Bytes::copy_from_slice),
            headers: message.headers().map(read_headers).unwrap_or_default(),
            timestamp: message.timestamp().to_millis(),
            is_rewound: false,
        }
    }

    /// The event, with where it lay as headers. Of headers with one name the last one counts; what is not text is left
    /// out.
    pub(crate) fn envelope(&self) -> Envelope {
        let mut headers = self.text_headers();
        if let Some(key) = self.key.as_deref().and_then(|key| str::from_utf8(key).ok()) {
            headers.insert(names::KEY.to_owned(), key.to_owned());
        }
        headers.insert(names::PARTITION.to_owned(), self.partition.to_string());
        headers.insert(names::OFFSET.to_owned(), self.offset.to_string());
        if let Some(timestamp) = self.timestamp {
            headers.insert(names::TIMESTAMP.to_owned(), timestamp.to_string());
        }
        if self.is_rewound {
            headers.insert(REWOUND.to_owned(), "kafka".to_owned());
        }
        Envelope {
            body: self.body.clone().unwrap_or_default(),
            headers,
            published_at: self.timestamp.and_then(|millis| u64::try_from(millis).ok()),
        }
    }

    fn text_headers(&self) -> BTreeMap<String, String> {
        let text = |(name, value): &(String, Option<Bytes>)| {
            let value = str::from_utf8(value.as_deref()?).ok()?;
            Some((name.clone(), value.to_owned()))
        };
        self.headers.iter().filter_map(text).collect()
    }

    /// The headers of its dead letter: those that it has, and why it is one.
    pub(crate) fn dead_headers(&self, topic: &str, reason: &Reason) -> OwnedHeaders {
        let mut headers = self.own_headers();
        let (partition, offset) = (self.partition.to_string(), self.offset.to_string());
        let timestamp = self.timestamp.map(|timestamp| timestamp.to_string());
        for (key, value) in [
            (names::REASON, Some(reason.kind.as_str())),
            (names::REASON_TEXT, Some(reason.text.as_str())),
            (names::TOPIC, Some(topic)),
            (names::DEAD_PARTITION, Some(partition.as_str())),
            (names::DEAD_OFFSET, Some(offset.as_str())),
            (names::DEAD_TIMESTAMP, timestamp.as_deref()),
        ] {
            if value.is_some() {
                headers = headers.insert(Header { key, value });
            }
        }
        headers
    }

    /// The headers as they are, without those that a dead letter has.
    pub(crate) fn own_headers(&self) -> OwnedHeaders {
        let mut headers = OwnedHeaders::new_with_capacity(self.headers.len() + names::DEAD.len());
        for (key, value) in &self.headers {
            if !names::DEAD.contains(&key.as_str()) {
                let value = value.as_deref();
                headers = headers.insert(Header { key, value });
            }
        }
        headers
    }
}

fn read_headers(headers: &impl Headers) -> Vec<(String, Option<Bytes>)> {
    let mut read = Vec::with_capacity(headers.count());
    for place in 0..headers.count() {
        // The client panics at a name that is not text, and a producer may send one.
        let header = catch_unwind(AssertUnwindSafe(|| {
            let header = headers.try_get(place)?;
            Some((
                header.key.to_owned(),
                header.value.map(Bytes::copy_from_slice),
            ))
        }));
        read.extend(header.ok().flatten());
    }
    read
}

#[cfg(test)]
mod tests {
    use ordered_core::transport::ReasonKind;

    use super::*;

    fn record() -> Record {
        Record {
            partition: 3,
            offset: 17,
            key: Some("order-1".into()),
            body: Some("body".into()),
            headers: vec![
                ("tenant".into(), Some("old".into())),
                ("tenant".into(), Some("acme".into())),
                ("blob".into(), Some(vec![0xff].into())),
                ("null".into(), None),
            ],
            timestamp: Some(1_700_000_000_123),
            is_rewound: false,
        }
    }

    #[test]
    fn where_it_lay_is_in_the_headers() {
        let envelope = record().envelope();
        let expected = [
            ("kafka.key", "order-1"),
            ("kafka.offset", "17"),
            ("kafka.partition", "3"),
            ("kafka.timestamp", "1700000000123"),
            ("tenant", "acme"),
        ];
        let headers = envelope.headers.iter();
        let headers: Vec<_> = headers
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        assert_eq!(headers, expected);
        assert_eq!(envelope.published_at, Some(1_700_000_000_123));
        assert_eq!(envelope.body, "body");
    }

    #[test]
    fn a_key_that_is_no_text_is_no_header() {
        let record = Record {
            key: Some(vec![0xfe].into()),
            timestamp: None,
            body: None,
            ..record()
        };
        let envelope = record.envelope();
        assert!(!envelope.headers.contains_key(names::KEY));
        assert_eq!(envelope.published_at, None);
        assert!(envelope.body.is_empty());
    }

    #[test]
    fn one_that_is_read_again_says_so_and_its_dead_letter_does_not() {
        let record = Record {
            is_rewound: true,
            ..record()
        };
        assert_eq!(record.envelope().headers[REWOUND], "kafka");
        let reason = Reason {
            kind: ReasonKind::Malformed,
            text: "no".into(),
        };
        let headers = read_headers(&record.dead_headers("orders", &reason));
        assert!(headers.iter().all(|(name, _)| name != REWOUND));
    }

    #[test]
    fn a_dead_letter_keeps_all_headers_and_one_reason() {
        let reason = |text: &str| Reason {
            kind: ReasonKind::Malformed,
            text: text.into(),
        };
        let once = Record {
            headers: read_headers(&record().dead_headers("orders", &reason("first"))),
            ..record()
        };
        let twice = read_headers(&once.dead_headers("orders", &reason("second")));
        assert_eq!(twice[..4], record().headers[..]);
        let said: Vec<_> = twice[4..]
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_deref().unwrap()))
            .collect();
        let expected: [(&str, &[u8]); 6] = [
            ("x-ordered-reason", b"malformed"),
            ("x-ordered-reason-text", b"second"),
            ("x-ordered-queue", b"orders"),
            ("x-ordered-partition", b"3"),
            ("x-ordered-offset", b"17"),
            ("x-ordered-timestamp", b"1700000000123"),
        ];
        assert_eq!(said, expected);
        assert_eq!(read_headers(&once.own_headers()), record().headers);
    }
}
