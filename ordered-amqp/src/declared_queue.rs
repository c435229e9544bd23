//! What a queue that somebody else declared is declared with, and which promise that breaks.
//!
//! AMQP has no way to ask. But RabbitMQ refuses to declare a queue that is there with other arguments, and says which
//! one differs and what it is. So the queue is declared, and what the refusal says is put in, until there is none. What
//! an operator has set by a policy does not show in this way.

use std::fmt;

use lapin::options::QueueDeclareOptions;
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{Connection, ErrorKind};

use crate::failure::{self, PRECONDITION_FAILED};
use crate::headers;
use crate::topology::declare;

/// More differences than RabbitMQ compares: a broker that says them again and again is left alone.
const MOST_DIFFERENCES: usize = 32;

/// How a queue is declared.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct DeclaredQueue {
    is_durable: bool,
    is_auto_delete: bool,
    arguments: FieldTable,
}

/// A promise that cannot be kept on this queue, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BrokenPromise(pub(crate) String);

impl fmt::Display for BrokenPromise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How the queue, which is there, is declared: probably with these arguments. Nothing where the user may not ask like
/// this, or the broker says it otherwise.
pub(crate) async fn inspect(
    connection: &Connection,
    queue: &str,
    arguments: FieldTable,
) -> Option<DeclaredQueue> {
    let mut candidate = DeclaredQueue {
        is_durable: true,
        is_auto_delete: false,
        arguments,
    };
    for _ in 0..MOST_DIFFERENCES {
        let options = QueueDeclareOptions {
            durable: candidate.is_durable,
            auto_delete: candidate.is_auto_delete,
            ..QueueDeclareOptions::default()
        };
        let declared = declare(connection, queue, options, candidate.arguments.clone()).await;
        let error = match declared {
            Ok(()) => return Some(candidate),
            Err(error) => error,
        };
        let difference = difference(&error);
        if difference.is_none_or(|difference| !candidate.learn(difference)) {
            tracing::debug!(%error, queue, "cannot see how the queue is declared");
            return None;
        }
    }
    None
}

/// What a refusal says: the argument that differs, and what it is.
#[derive(Debug, Clone, PartialEq)]
struct Difference {
    name: String,
    /// Nothing where the queue has no such argument.
    current: Option<AMQPValue>,
}

fn difference(error: &lapin::Error) -> Option<Difference> {
    if failure::reply_code(error) != Some(PRECONDITION_FAILED) {
        return None;
    }
    match error.kind() {
        ErrorKind::ProtocolError(error) => Difference::parse(error.get_message().as_str()),
        _ => None,
    }
}

impl Difference {
    /// `inequivalent arg 'x-max-length' for queue 'q' in vhost '/': received none but current is the value '9' of type
    /// 'signedint'`, see `assert_args_equivalence` in `rabbit_misc.erl`.
    fn parse(text: &str) -> Option<Self> {
        let (_, rest) = text.split_once("inequivalent arg '")?;
        let (name, rest) = rest.split_once('\'')?;
        let (_, current) = rest.rsplit_once("but current is ")?;
        let current = if current.starts_with("none") {
            None
        } else {
            let mut quoted = current.split('\'').skip(1).step_by(2);
            let value = quoted.next()?;
            Some(typed(value, quoted.next())?)
        };
        Some(Self {
            name: name.to_owned(),
            current,
        })
    }
}

fn typed(value: &str, kind: Option<&str>) -> Option<AMQPValue> {
    let number = || value.parse().ok().map(AMQPValue::LongLongInt);
    match kind {
        Some("bool") => value.parse().ok().map(AMQPValue::Boolean),
        Some("longstr") => Some(AMQPValue::LongString(value.into())),
        Some(_) => number(),
        None if ["true", "false"].contains(&value) => value.parse().ok().map(AMQPValue::Boolean),
        None => Some(number().unwrap_or_else(|| AMQPValue::LongString(value.into()))),
    }
}

impl DeclaredQueue {
    /// Takes over what differs; whether that is anything new.
    fn learn(&mut self, Difference { name, current }: Difference) -> bool {
        let flag = match &current {
            Some(AMQPValue::Boolean(flag)) => Some(*flag),
            _ => None,
        };
        match (name.as_str(), flag) {
            ("durable", Some(flag)) => std::mem::replace(&mut self.is_durable, flag) != flag,
            ("auto_delete", Some(flag)) => {
                std::mem::replace(&mut self.is_auto_delete, flag) != flag
            }
            _ => {
                let mut arguments = self.arguments.inner().clone();
                let name = ShortString::try_new(name.as_str()).ok();
                let changed = match (name, current) {
                    (Some(name), Some(value)) => {
                        arguments.insert(name, value.clone()).as_ref() != Some(&value)
                    }
                    (Some(name), None) => arguments.remove(&name).is_some(),
                    (None, _) => false,
                };
                self.arguments = arguments.into();
                changed
            }
        }
    }

    fn text(&self, name: &str) -> Option<String> {
        self.arguments.inner().get(name).and_then(headers::as_text)
    }

    fn is(&self, name: &str, value: &str) -> bool {
        self.text(name).as_deref() == Some(value)
    }

    /// Whether the broker gives it to one consumer at a time.
    pub(crate) fn has_one_consumer(&self) -> bool {
        self.is("x-single-active-consumer", "true")
    }

    /// What cannot be promised on this queue, or on this partition of one.
    pub(crate) fn broken_promises(&self, is_partition: bool) -> Vec<BrokenPromise> {
        let mut broken = Vec::new();
        let mut report = |text: String| broken.push(BrokenPromise(text));
        if self.is("x-queue-type", "stream") {
            report(
                "it is a stream: what is acknowledged stays in it, and every worker gets every event again. Consume a \
                 quorum queue that is bound beside it"
                    .into(),
            );
        }
        if !self.is_durable {
            report("it is not durable: a restart of the broker drops it with its events. Declare it durable".into());
        }
        if self.is_auto_delete {
            report(
                "it is deleted with its events when the last worker stops (auto-delete). Declare it without"
                    .into(),
            );
        }
        if let Some(millis) = self.text("x-expires") {
            report(format!(
                "it is deleted with its events when no worker consumes for {millis} ms (x-expires). Declare it without"
            ));
        }
        if let Some(millis) = self.text("x-message-ttl") {
            report(format!(
                "an event that waits in it for {millis} ms is dropped or moved (x-message-ttl), and its key waits for \
                 it. Declare it without"
            ));
        }
        let keeps_all = self.is("x-overflow", "reject-publish");
        for name in ["x-max-length", "x-max-length-bytes"] {
            if let Some(most) = self.text(name).filter(|_| !keeps_all) {
                report(format!(
                    "when it is full the oldest events are dropped or moved ({name} {most}), and their keys wait for \
                     them. Declare it with x-overflow reject-publish, so that producers wait instead"
                ));
            }
        }
        if let Some(most) = self.text("x-delivery-limit")
            && self.text("x-dead-letter-exchange").is_none()
        {
            report(format!(
                "an event that was delivered {most} times is dropped (x-delivery-limit). Declare a dead-letter exchange"
            ));
        }
        if is_partition && !self.has_one_consumer() {
            report(
                "several workers get events of one key at a time, as without partitions. Declare it with \
                 x-single-active-consumer, or delete it, and it is declared anew"
                    .into(),
            );
        }
        broken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(current: &str) -> Option<AMQPValue> {
        let text = format!(
            "PRECONDITION_FAILED - inequivalent arg 'x-max-length' for queue 'q' in vhost '/': received none but \
             current is {current}"
        );
        let difference = Difference::parse(&text).unwrap();
        assert_eq!(difference.name, "x-max-length");
        difference.current
    }

    #[test]
    fn a_refusal_says_what_the_argument_is() {
        assert_eq!(parsed("none"), None);
        assert_eq!(
            parsed("the value '9' of type 'signedint'"),
            Some(AMQPValue::LongLongInt(9))
        );
        assert_eq!(
            parsed("the value 'classic' of type 'longstr'"),
            Some(AMQPValue::LongString("classic".into()))
        );
        assert_eq!(
            parsed("the value 'true' of type 'bool'"),
            Some(AMQPValue::Boolean(true))
        );
        assert_eq!(parsed("'false'"), Some(AMQPValue::Boolean(false)));
        assert_eq!(Difference::parse("no such thing"), None);
        assert_eq!(Difference::parse("inequivalent arg 'x"), None);
    }

    #[test]
    fn what_is_said_twice_is_nothing_new() {
        let mut declared = DeclaredQueue {
            is_durable: true,
            is_auto_delete: false,
            arguments: FieldTable::default(),
        };
        for (name, value) in [
            ("durable", Some(AMQPValue::Boolean(false))),
            ("x-max-length", Some(AMQPValue::LongLongInt(9))),
        ] {
            let difference = Difference {
                name: name.into(),
                current: value,
            };
            assert!(declared.learn(difference.clone()));
            assert!(!declared.learn(difference));
        }
        let absent = Difference {
            name: "x-expires".into(),
            current: None,
        };
        assert!(!declared.learn(absent));
        let broken = declared.broken_promises(false);
        assert_eq!(broken.len(), 2, "{broken:?}");
    }

    #[test]
    fn a_queue_may_have_one_consumer_at_a_time_and_a_partition_has_to() {
        let declared = |arguments: &[(&'static str, AMQPValue)]| {
            let mut table = FieldTable::default();
            for (name, value) in arguments {
                table.insert((*name).into(), value.clone());
            }
            DeclaredQueue {
                is_durable: true,
                is_auto_delete: false,
                arguments: table,
            }
        };
        let one = declared(&[("x-single-active-consumer", AMQPValue::Boolean(true))]);
        assert_eq!(one.broken_promises(false), []);
        assert_eq!(one.broken_promises(true), []);
        let several = declared(&[]);
        assert_eq!(several.broken_promises(false), []);
        let broken = several.broken_promises(true);
        assert!(
            broken[0]
                .0
                .contains("Declare it with x-single-active-consumer"),
            "{broken:?}"
        );
    }
}
