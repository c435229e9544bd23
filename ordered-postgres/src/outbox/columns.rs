use uuid::Uuid;

use super::{OutboxEvent, Payload};

/// Events column by column, as one statement takes them.
#[derive(Debug)]
pub struct Columns<'a> {
    pub(super) aggregate_types: Vec<&'a str>,
    pub(super) keys: Vec<&'a str>,
    pub(super) event_types: Vec<&'a str>,
    pub(super) payloads: Vec<Option<&'a str>>,
    pub(super) bodies: Vec<Option<&'a [u8]>>,
    pub(super) headers: Vec<Option<String>>,
    pub(super) traces: Vec<Option<&'a str>>,
    pub(super) ids: Vec<String>,
}

impl<'a> Columns<'a> {
    pub(super) fn of(
        events: impl IntoIterator<IntoIter: ExactSizeIterator<Item = &'a OutboxEvent>>,
    ) -> Self {
        let events = events.into_iter();
        let many = events.len();
        let mut columns = Self {
            aggregate_types: Vec::with_capacity(many),
            keys: Vec::with_capacity(many),
            event_types: Vec::with_capacity(many),
            payloads: Vec::with_capacity(many),
            bodies: Vec::with_capacity(many),
            headers: Vec::with_capacity(many),
            traces: Vec::with_capacity(many),
            ids: Vec::with_capacity(many),
        };
        for event in events {
            let (payload, body) = match &event.payload {
                Payload::Json(json) => (Some(json.as_str()), None),
                Payload::Bytes(bytes) => (None, Some(&bytes[..])),
            };
            columns.aggregate_types.push(&event.aggregate_type);
            columns.keys.push(event.key.as_str());
            columns.event_types.push(&event.event_type);
            columns.payloads.push(payload);
            columns.bodies.push(body);
            columns.headers.push(
                (!event.headers.is_empty())
                    .then(|| serde_json::to_string(&event.headers).unwrap_or_default()),
            );
            columns.traces.push(event.trace.as_deref());
            columns.ids.push(match &event.id {
                Some(id) => id.as_str().to_owned(),
                None => Uuid::new_v4().to_string(),
            });
        }
        columns
    }
}
