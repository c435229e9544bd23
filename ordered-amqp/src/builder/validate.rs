//! Whether the settings can be used together, and what they come to.

use std::sync::Arc;

use lapin::types::ShortString;
use ordered_core::transport::TransportError;

use super::{AmqpBuilder, ConsumerSettings};
use crate::address::Address;
use crate::broker::Broker;
use crate::exchange::{Binding, Exchange, ExchangeKind};
use crate::names;
use crate::outgoing::Places;
use crate::partitions::Partitions;
use crate::topology::Topology;

impl AmqpBuilder {
    pub(crate) fn validate(self) -> Result<(Broker, Topology, ConsumerSettings), TransportError> {
        let address = Address::parse(&self.url)?;
        let own = address.own();
        let count = self.partitions.or(own.partitions);
        let key = self.partition_key.or_else(|| own.key.clone());
        if count.is_none() && key.is_some() {
            return Err(TransportError::fatal(
                "`partition_key` (`key` of the address) chooses among partitions: say how many there are with \
                 `partitions`",
            ));
        }
        if self.rebalance_interval.is_zero() {
            return Err(TransportError::fatal("`rebalance_interval` is zero"));
        }
        let suffix = count.map_or(0, |_| names::PARTITION_SUFFIX);
        let dead_letters = self
            .dead_letters
            .unwrap_or_else(|| names::dead_letter_queue(&self.queue));
        let defer_prefix = self
            .defer_prefix
            .unwrap_or_else(|| names::defer_prefix(&self.queue));
        check_name("queue", &self.queue, suffix)?;
        check_name("dead_letter_queue", &dead_letters, 0)?;
        check_name("defer_queue_prefix", &defer_prefix, names::DELAY_SUFFIX)?;
        if self.consumer_tag.len() > names::MAX_NAME {
            return Err(TransportError::fatal(
                "`consumer_tag` is longer than 255 bytes",
            ));
        }
        if dead_letters == self.queue {
            return Err(TransportError::fatal(
                "`dead_letter_queue` is the queue itself, which would deliver its dead letters again and again",
            ));
        }
        let partitions = count.map(|count| Partitions::new(&self.queue, count, key));
        let partitions = partitions.transpose()?;
        let broker = Broker {
            address,
            name: self.name,
            certificates: self.certificates,
            backoff: self.backoff,
            credentials: self.credentials,
            refused_for: self.refused_for,
        };
        let dead_letter_exchange = self.dead_letter_exchange.unwrap_or_default();
        let exchanges = exchanges(self.exchanges, &self.bindings, &dead_letter_exchange)?;
        let mut bindings = Vec::with_capacity(self.bindings.len());
        for (exchange, routing_key) in self.bindings {
            bindings.push(Binding {
                exchange: short("bind", exchange)?,
                routing_key: short("bind", routing_key)?,
            });
        }
        let mut arguments = Vec::with_capacity(self.arguments.len());
        for (name, value) in self.arguments {
            if name == "x-queue-type" {
                return Err(TransportError::fatal(
                    "`argument`: the type of the queue is said with `kind`",
                ));
            }
            check_name("argument", &name, 0)?;
            arguments.push((short("argument", name)?, value));
        }
        let places = Places {
            queue: self.queue.into(),
            dead_letters: dead_letters.into(),
            dead_letter_exchange: short("dead_letter_exchange", dead_letter_exchange)?,
            defer_prefix,
            partitions: partitions.as_ref().map(|it| it.exchange.clone()),
        };
        let topology = Topology {
            places,
            kind: self.kind,
            arguments,
            exchanges,
            bindings,
            partitions,
            declare: self.declare,
            strict: self.strict,
            one_consumer: Arc::default(),
        };
        let consuming = ConsumerSettings {
            tag: self.consumer_tag,
            rebalance_interval: self.rebalance_interval,
        };
        Ok((broker, topology, consuming))
    }
}

/// The exchanges that have to be there: those that are given with their kind, and those that something is bound to.
fn exchanges(
    with_kind: Vec<(String, ExchangeKind)>,
    bindings: &[(String, String)],
    dead_letters: &str,
) -> Result<Vec<Exchange>, TransportError> {
    let mut all: Vec<(String, Option<ExchangeKind>)> = Vec::new();
    for (name, kind) in with_kind {
        if all.iter().any(|(known, _)| *known == name) {
            let error = format!("`exchange`: the kind of {name:?} is said twice");
            return Err(TransportError::fatal(error));
        }
        all.push((name, Some(kind)));
    }
    if !dead_letters.is_empty() && !all.iter().any(|(known, _)| known == dead_letters) {
        all.push((dead_letters.to_owned(), Some(ExchangeKind::Direct)));
    }
    for (name, _) in bindings {
        if name.is_empty() {
            return Err(TransportError::fatal(
                "`bind`: every queue is bound to the default exchange, whose name is empty, by its name; leave this \
                 binding out",
            ));
        }
        if !all.iter().any(|(known, _)| known == name) {
            all.push((name.clone(), None));
        }
    }
    let exchange = |(name, kind): (String, Option<ExchangeKind>)| {
        check_name("exchange", &name, 0)?;
        let name = short("exchange", name)?;
        Ok(Exchange { name, kind })
    };
    all.into_iter().map(exchange).collect()
}

fn short(setting: &str, text: String) -> Result<ShortString, TransportError> {
    ShortString::try_new(text).map_err(|_| {
        TransportError::fatal(format!("`{setting}` has a name of more than 255 bytes"))
    })
}

/// A queue name of AMQP has 1 to 255 bytes; a suffix may have to fit in, too.
fn check_name(setting: &str, name: &str, suffix: usize) -> Result<(), TransportError> {
    let most = names::MAX_NAME - suffix;
    if name.is_empty() {
        return Err(TransportError::fatal(format!("`{setting}` is empty")));
    }
    if name.len() > most {
        let length = name.len();
        return Err(TransportError::fatal(format!(
            "`{setting}` has {length} bytes, and may have {most} at most"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::transport::Amqp;

    fn refused(builder: AmqpBuilder) -> String {
        builder
            .validate()
            .err()
            .map(|error| error.to_string())
            .unwrap_or_default()
    }

    fn builder(queue: &str) -> AmqpBuilder {
        Amqp::connect("amqp://broker").queue(queue)
    }

    #[test]
    fn names_that_amqp_cannot_carry_are_refused_with_the_setting() {
        assert!(refused(builder("")).contains("`queue` is empty"));
        assert!(refused(builder(&"q".repeat(256))).contains("`queue` has 256 bytes"));
        assert!(refused(builder("q").dead_letter_queue("q")).contains("`dead_letter_queue`"));
        let long = "d".repeat(250);
        assert!(refused(builder("q").defer_queue_prefix(long)).contains("`defer_queue_prefix`"));
        assert_eq!(refused(builder("q")), "");
    }

    #[test]
    fn partitions_are_said_in_the_builder_or_the_address() {
        let of = |url: &str, said: Option<u16>| {
            let mut builder = Amqp::connect(url).queue("q");
            if let Some(count) = said {
                builder = builder.partitions(count);
            }
            builder.validate().unwrap().1.queues().len()
        };
        assert_eq!(of("amqp://broker", None), 1);
        assert_eq!(of("amqp://broker", Some(4)), 4);
        assert_eq!(of("amqp://broker?partitions=8", None), 8);
        assert_eq!(of("amqp://broker?partitions=8", Some(4)), 4);
    }

    #[test]
    fn a_topology_that_cannot_be_is_refused_with_the_setting() {
        let long = || "x".repeat(256);
        let (topic, fanout) = (ExchangeKind::Topic, ExchangeKind::Fanout);
        for (builder, word) in [
            (builder("q").bind("", "key"), "`bind`: every queue"),
            (builder("q").bind("e", long()), "`bind`"),
            (builder("q").bind(long(), "key"), "`exchange` has 256 bytes"),
            (
                builder("q").exchange("", ExchangeKind::Topic),
                "`exchange` is empty",
            ),
            (
                builder("q").exchange("e", topic).exchange("e", fanout),
                "said twice",
            ),
            (builder("q").argument("x-queue-type", "stream"), "`kind`"),
            (builder("q").argument(long(), 1), "`argument`"),
            (builder("q").partitions(0), "1 to 256"),
            (builder("q").partitions(257), "1 to 256"),
            (builder("q").partition_key("k"), "`partitions`"),
            (
                builder(&"q".repeat(250)).partitions(2),
                "may have 244 at most",
            ),
            (
                builder("q").rebalance_interval(Duration::ZERO),
                "`rebalance_interval` is zero",
            ),
            (
                builder("q").dead_letter_exchange(long()),
                "`exchange` has 256 bytes",
            ),
        ] {
            let error = refused(builder);
            assert!(error.contains(word), "{word}: {error}");
        }
    }
}
