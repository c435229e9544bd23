use std::time::Duration;

use bytes::Bytes;
use lapin::BasicProperties;
use lapin::types::{FieldTable, ShortString};
use ordered_core::transport::Reason;

use crate::delay::Delay;
use crate::envelope::PERSISTENT;
use crate::exchange::Binding;
use crate::original::Original;
use crate::{headers, names};

/// A reason longer than this is cut: headers have to fit into one frame, which may be as small as 4 KiB.
const LONGEST_REASON: usize = 1_000;

/// A message to publish.
#[derive(Debug, Clone)]
pub(crate) struct Outgoing {
    pub(crate) exchange: ShortString,
    pub(crate) routing_key: ShortString,
    pub(crate) properties: BasicProperties,
    pub(crate) body: Bytes,
    /// It goes to the queue of this delay, which may have to be declared first.
    pub(crate) delay: Option<Delay>,
    /// It is a copy of a message that came in: headers for which there is no room may be left out.
    pub(crate) is_copy: bool,
}

/// Where the copies of a queue's messages go.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    pub(crate) queue: ShortString,
    pub(crate) dead_letters: ShortString,
    /// Through which exchange dead letters go, with the name of their queue as the routing key; the default exchange is empty.
    pub(crate) dead_letter_exchange: ShortString,
    pub(crate) defer_prefix: String,
}

impl Places {
    /// The message again, for the queue of a delay.
    pub(crate) fn deferred(&self, original: &Original, time: Duration) -> Outgoing {
        let delay = Delay::at_least(time);
        let mut headers = self.headers(original);
        keep_place(original, &mut headers);
        Outgoing {
            exchange: ShortString::default(),
            routing_key: delay.queue(&self.defer_prefix).into(),
            properties: self.properties(original, headers),
            body: original.body.clone(),
            delay: Some(delay),
            is_copy: true,
        }
    }

    /// The message again, with the reason, for the queue of dead letters.
    pub(crate) fn dead_letter(&self, original: &Original, reason: &Reason) -> Outgoing {
        let mut headers = self.headers(original);
        let text = cut(&reason.text, LONGEST_REASON);
        let straight = || (String::new(), original.routing_key.as_str().to_owned());
        let (exchange, routing_key) = original.published_to().unwrap_or_else(straight);
        for (name, value) in [
            (names::REASON, reason.kind.as_str()),
            (names::REASON_TEXT, text),
            (names::QUEUE, self.queue.as_str()),
            (names::EXCHANGE, exchange.as_str()),
            (names::ROUTING_KEY, routing_key.as_str()),
        ] {
            headers::insert(&mut headers, name, value);
        }
        Outgoing {
            exchange: self.dead_letter_exchange.clone(),
            routing_key: self.dead_letters.clone(),
            properties: self.properties(original, headers),
            body: original.body.clone(),
            delay: None,
            is_copy: true,
        }
    }

    /// How the queue of dead letters gets what goes through an exchange.
    pub(crate) fn dead_letter_binding(&self) -> Option<Binding> {
        let exchange = self.dead_letter_exchange.clone();
        (!exchange.as_str().is_empty()).then(|| Binding {
            exchange,
            routing_key: self.dead_letters.clone(),
        })
    }

    /// A dead letter as it was, for the queue that it came from.
    pub(crate) fn redriven(&self, letter: &Original) -> Outgoing {
        let all = self.headers(letter);
        let from = all.inner().get(names::QUEUE).and_then(headers::as_text);
        let from = from.map_or_else(|| self.queue.clone(), ShortString::from);
        let mut table = FieldTable::default();
        for (name, value) in all.inner() {
            if !names::is_of_dead_letter(name.as_str()) {
                table.insert(name.clone(), value.clone());
            }
        }
        keep_place(letter, &mut table);
        self.copy_to(from, letter, table)
    }

    /// A dead letter again, as it is.
    pub(crate) fn refreshed(&self, letter: &Original) -> Outgoing {
        self.copy_to(self.dead_letters.clone(), letter, self.headers(letter))
    }

    fn copy_to(&self, queue: ShortString, original: &Original, headers: FieldTable) -> Outgoing {
        Outgoing {
            exchange: ShortString::default(),
            routing_key: queue,
            properties: self.properties(original, headers),
            body: original.body.clone(),
            delay: None,
            is_copy: true,
        }
    }

    fn headers(&self, original: &Original) -> FieldTable {
        let table = original.properties.headers().as_ref();
        table
            .map(|table| headers::copy(table, &self.defer_prefix))
            .unwrap_or_default()
    }

    /// The properties of a copy: those of the message, except the `expiration`, by which the copy would vanish, and
    /// the `user_id`, which the broker takes only from that user (<https://www.rabbitmq.com/docs/validated-user-id>).
    fn properties(&self, original: &Original, headers: FieldTable) -> BasicProperties {
        let from = &original.properties;
        let mut copy = BasicProperties::default().with_delivery_mode(PERSISTENT);
        if !headers.inner().is_empty() {
            copy = copy.with_headers(headers);
        }
        macro_rules! keep {
            ($($get:ident $set:ident)*) => {
                $(if let Some(value) = from.$get() {
                    copy = copy.$set(value.clone());
                })*
            };
        }
        keep! {
            content_type with_content_type
            content_encoding with_content_encoding
            priority with_priority
            correlation_id with_correlation_id
            reply_to with_reply_to
            message_id with_message_id
            timestamp with_timestamp
            kind with_type
            app_id with_app_id
        }
        copy
    }
}

/// Writes where the message was published to into the headers of a copy, which goes to a queue directly. Where the message
/// did so too, there is nothing to keep.
fn keep_place(original: &Original, headers: &mut FieldTable) {
    if let Some((exchange, routing_key)) = original.published_to() {
        headers::insert(headers, names::EXCHANGE, &exchange);
        headers::insert(headers, names::ROUTING_KEY, &routing_key);
    }
}

/// The beginning of a text, of at most this many bytes.
fn cut(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

#[cfg(test)]
mod tests {
    use ordered_core::transport::ReasonKind;

    use super::*;

    fn places() -> Places {
        Places {
            queue: "q".into(),
            dead_letters: "q.dead".into(),
            dead_letter_exchange: ShortString::default(),
            defer_prefix: "q.defer".into(),
        }
    }

    #[test]
    fn copies_keep_what_describes_the_event_and_drop_what_steers_the_broker() {
        let properties = BasicProperties::default()
            .with_content_type("application/json".into())
            .with_message_id("m-1".into())
            .with_type("OrderCreated".into())
            .with_expiration("1000".into())
            .with_user_id("somebody".into())
            .with_delivery_mode(1);
        let original = Original {
            properties,
            ..Original::default()
        };
        let expected = BasicProperties::default()
            .with_content_type("application/json".into())
            .with_message_id("m-1".into())
            .with_type("OrderCreated".into())
            .with_delivery_mode(PERSISTENT);
        let deferred = places().deferred(&original, Duration::from_secs(3));
        assert_eq!(deferred.properties, expected);
        assert_eq!(deferred.routing_key.as_str(), "q.defer.5000");
    }

    #[test]
    fn a_long_reason_is_cut_between_two_characters() {
        let reason = Reason {
            kind: ReasonKind::Malformed,
            text: "ü".repeat(2_000),
        };
        let dead = places().dead_letter(&Original::default(), &reason);
        let headers = dead.properties.headers().clone().unwrap();
        let read = headers::read(&headers, "q.defer");
        assert_eq!(read[names::REASON], "malformed");
        assert_eq!(read[names::REASON_TEXT], "ü".repeat(500));
    }
}
