use std::time::Duration;

use bytes::Bytes;
use lapin::BasicProperties;
use lapin::types::{FieldTable, ShortString};
use ordered_core::transport::Reason;

use crate::delay::Delay;
use crate::envelope::PERSISTENT;
use crate::exchange::Binding;
use crate::received_message::ReceivedMessage;
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
    /// Through which exchange dead letters go, with the name of their queue as the routing key; the default exchange is
    /// empty.
    pub(crate) dead_letter_exchange: ShortString,
    pub(crate) defer_prefix: String,
    /// The exchange that puts events into partitions, where there are some.
    pub(crate) partitions: Option<ShortString>,
}

impl Places {
    /// The message again, for the queue of a delay.
    pub(crate) fn deferred(&self, original: &ReceivedMessage, time: Duration) -> Outgoing {
        let delay = Delay::at_least(time);
        let mut headers = self.headers(original);
        keep_place(original, &mut headers);
        let queue: ShortString = delay.queue(&self.defer_prefix).into();
        let (exchange, routing_key) = match self.partitions {
            None => (ShortString::default(), queue),
            // With the routing key that it has, so that it comes back to the partition of its key, whichever that is
            // then.
            Some(_) => (queue, original_key(original)),
        };
        Outgoing {
            exchange,
            routing_key,
            properties: self.properties(original, headers),
            body: original.body.clone(),
            delay: Some(delay),
            is_copy: true,
        }
    }

    /// The message again, with the reason, for the queue of dead letters. It was consumed from `queue`.
    pub(crate) fn dead_letter(
        &self,
        original: &ReceivedMessage,
        reason: &Reason,
        queue: &str,
    ) -> Outgoing {
        let mut headers = self.headers(original);
        let text = cut(&reason.text, LONGEST_REASON);
        let straight = || (String::new(), original.routing_key.as_str().to_owned());
        let (exchange, routing_key) = original.published_to().unwrap_or_else(straight);
        // A producer does not say where a letter is put back.
        let is_forged = headers.inner().contains_key(names::PARTITIONS);
        let partitions = self.partitions.as_ref().map(ShortString::as_str);
        let partitions = partitions.or(is_forged.then_some(""));
        for (name, value) in [
            (names::REASON, reason.kind.as_str()),
            (names::REASON_TEXT, text),
            (names::QUEUE, queue),
            (names::EXCHANGE, exchange.as_str()),
            (names::ROUTING_KEY, routing_key.as_str()),
        ]
        .into_iter()
        .chain(partitions.map(|exchange| (names::PARTITIONS, exchange)))
        {
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

    /// A dead letter as it was, for the queue that it came from, or for the partition that its key has now.
    pub(crate) fn redriven(&self, letter: &ReceivedMessage) -> Outgoing {
        let all = self.headers(letter);
        let header = |name: &str| all.inner().get(name).and_then(headers::as_text);
        let mut table = FieldTable::default();
        for (name, value) in all.inner() {
            if !names::is_of_dead_letter(name.as_str()) {
                table.insert(name.clone(), value.clone());
            }
        }
        // A letter of ours says where the event was published to, and may itself have come through an exchange.
        match header(names::EXCHANGE) {
            Some(exchange) if !exchange.is_empty() => {
                let routing_key = header(names::ROUTING_KEY).unwrap_or_default();
                headers::insert(&mut table, names::EXCHANGE, &exchange);
                headers::insert(&mut table, names::ROUTING_KEY, &routing_key);
            }
            Some(_) => {}
            None => keep_place(letter, &mut table),
        }
        let short = |text: String| ShortString::try_new(text).ok();
        let partitioned = header(names::PARTITIONS).filter(|exchange| !exchange.is_empty());
        let partitioned = partitioned.and_then(short);
        let routing_key = header(names::ROUTING_KEY).and_then(short);
        if let (Some(exchange), Some(routing_key)) = (partitioned, routing_key) {
            return self.copy_to((exchange, routing_key), letter, table);
        }
        let queue = header(names::QUEUE).and_then(short);
        let queue = queue.or_else(|| self.partition_of(letter));
        let queue = queue.unwrap_or_else(|| self.queue.clone());
        self.copy_to((ShortString::default(), queue), letter, table)
    }

    /// The partition that RabbitMQ itself has taken the letter out of.
    fn partition_of(&self, letter: &ReceivedMessage) -> Option<ShortString> {
        let table = letter.properties.headers().as_ref()?;
        let queue = headers::as_text(table.inner().get("x-first-death-queue")?)?;
        let number = queue.strip_prefix(self.queue.as_str())?.strip_prefix('.')?;
        let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        ShortString::try_new(queue).ok().filter(|_| is_number)
    }

    /// A dead letter again, as it is.
    pub(crate) fn refreshed(&self, letter: &ReceivedMessage) -> Outgoing {
        let place = (ShortString::default(), self.dead_letters.clone());
        self.copy_to(place, letter, self.headers(letter))
    }

    fn copy_to(
        &self,
        (exchange, routing_key): (ShortString, ShortString),
        original: &ReceivedMessage,
        headers: FieldTable,
    ) -> Outgoing {
        Outgoing {
            exchange,
            routing_key,
            properties: self.properties(original, headers),
            body: original.body.clone(),
            delay: None,
            is_copy: true,
        }
    }

    fn headers(&self, original: &ReceivedMessage) -> FieldTable {
        let table = original.properties.headers().as_ref();
        table
            .map(|table| headers::copy(table, &self.defer_prefix))
            .unwrap_or_default()
    }

    /// The properties of a copy: those of the message, except the `expiration`, by which the copy would vanish, and
    /// the `user_id`, which the broker takes only from that user (<https://www.rabbitmq.com/docs/validated-user-id>).
    fn properties(&self, original: &ReceivedMessage, headers: FieldTable) -> BasicProperties {
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

/// Writes where the message was published to into the headers of a copy, which goes to a queue directly. Where the
/// message did so too, there is nothing to keep.
fn keep_place(original: &ReceivedMessage, headers: &mut FieldTable) {
    if let Some((exchange, routing_key)) = original.published_to() {
        headers::insert(headers, names::EXCHANGE, &exchange);
        headers::insert(headers, names::ROUTING_KEY, &routing_key);
    }
}

/// The routing key that the message was published with.
fn original_key(original: &ReceivedMessage) -> ShortString {
    let published = original
        .published_to()
        .and_then(|(_, key)| ShortString::try_new(key).ok());
    published.unwrap_or_else(|| original.routing_key.clone())
}

/// The beginning of a text, of at most this many bytes.
pub(crate) fn cut(text: &str, most: usize) -> &str {
    let ends = (0..=most.min(text.len())).rev();
    let mut ends = ends.filter(|end| text.is_char_boundary(*end));
    &text[..ends.next().unwrap_or(0)]
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
            partitions: None,
        }
    }

    /// The places of a queue with partitions, and a message that came through them.
    fn partitioned() -> (Places, ReceivedMessage) {
        let places = Places {
            partitions: Some("q.partitions".into()),
            ..places()
        };
        let original = ReceivedMessage {
            exchange: "q.partitions".into(),
            routing_key: "order-1".into(),
            ..ReceivedMessage::default()
        };
        (places, original)
    }

    fn malformed() -> Reason {
        Reason {
            kind: ReasonKind::Malformed,
            text: "no".into(),
        }
    }

    /// The message as the broker hands over what was sent.
    fn delivered(sent: Outgoing) -> ReceivedMessage {
        ReceivedMessage {
            exchange: sent.exchange,
            routing_key: sent.routing_key,
            properties: sent.properties,
            body: sent.body,
        }
    }

    fn place(sent: &Outgoing) -> (&str, &str) {
        (sent.exchange.as_str(), sent.routing_key.as_str())
    }

    #[test]
    fn a_copy_comes_back_to_the_partition_of_its_key() {
        let (partitioned, original) = partitioned();
        let deferred = partitioned.deferred(&original, Duration::from_secs(3));
        assert_eq!(place(&deferred), ("q.defer.5000", "order-1"));
        let dead = partitioned.dead_letter(&original, &malformed(), "q.3");
        assert_eq!(place(&dead), ("", "q.dead"));
        // Also by a tool that does not know of the partitions.
        let redriven = places().redriven(&delivered(dead));
        assert_eq!(place(&redriven), ("q.partitions", "order-1"));
        let names = redriven.properties.headers().clone().unwrap();
        let names = names.inner().keys().map(|name| name.to_string());
        let names: Vec<String> = names.collect();
        assert_eq!(names, [names::EXCHANGE, names::ROUTING_KEY]);
    }

    #[test]
    fn a_producer_does_not_say_where_a_letter_is_put_back() {
        let mut table = FieldTable::default();
        headers::insert(&mut table, names::PARTITIONS, "elsewhere");
        headers::insert(&mut table, names::QUEUE, "elsewhere");
        let original = ReceivedMessage {
            properties: BasicProperties::default().with_headers(table),
            ..ReceivedMessage::default()
        };
        let dead = delivered(places().dead_letter(&original, &malformed(), "q"));
        assert_eq!(place(&places().redriven(&dead)), ("", "q"));
    }

    #[test]
    fn what_rabbitmq_took_out_of_a_partition_goes_back_there() {
        let mut table = FieldTable::default();
        headers::insert(&mut table, "x-first-death-queue", "q.3");
        let letter = |table| ReceivedMessage {
            properties: BasicProperties::default().with_headers(table),
            ..ReceivedMessage::default()
        };
        assert_eq!(place(&places().redriven(&letter(table))), ("", "q.3"));
        let mut other = FieldTable::default();
        headers::insert(&mut other, "x-first-death-queue", "q.defer.100");
        assert_eq!(place(&places().redriven(&letter(other))), ("", "q"));
    }

    #[test]
    fn a_letter_that_came_through_an_exchange_forgets_it_when_it_is_redriven() {
        let places = Places {
            dead_letter_exchange: "letters".into(),
            ..places()
        };
        let original = ReceivedMessage {
            exchange: "shop".into(),
            routing_key: "eu.orders".into(),
            ..ReceivedMessage::default()
        };
        let letter = delivered(places.dead_letter(&original, &malformed(), "q"));
        let again = delivered(places.redriven(&letter));
        let expected = ("shop".to_owned(), "eu.orders".to_owned());
        assert_eq!(again.published_to(), Some(expected));
        let straight =
            delivered(places.dead_letter(&ReceivedMessage::default(), &malformed(), "q"));
        assert_eq!(delivered(places.redriven(&straight)).published_to(), None);
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
        let original = ReceivedMessage {
            properties,
            ..ReceivedMessage::default()
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
        let dead = places().dead_letter(&ReceivedMessage::default(), &reason, "q");
        let headers = dead.properties.headers().clone().unwrap();
        let read = headers::read(&headers, "q.defer");
        assert_eq!(read[names::REASON], "malformed");
        assert_eq!(read[names::REASON_TEXT], "ü".repeat(500));
    }
}
