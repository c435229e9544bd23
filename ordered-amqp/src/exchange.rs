use lapin::options::{ExchangeBindOptions, ExchangeDeclareOptions, QueueBindOptions};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{Channel, Connection};
use ordered_core::transport::TransportError;

use crate::address::Address;
use crate::broker::{ANSWER, within};
use crate::failure::{self, Operation, explain};

/// How an exchange routes: <https://www.rabbitmq.com/docs/exchanges>.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ExchangeKind {
    /// By patterns of words with dots between: `order.*.created`, `order.#`.
    Topic,
    /// To the queues that are bound with exactly the routing key.
    Direct,
    /// To all queues that are bound.
    Fanout,
    /// By the headers of the message.
    Headers,
    /// One of a plugin, such as `x-consistent-hash`.
    Plugin(String),
}

impl ExchangeKind {
    fn for_lapin(&self) -> lapin::ExchangeKind {
        match self {
            Self::Topic => lapin::ExchangeKind::Topic,
            Self::Direct => lapin::ExchangeKind::Direct,
            Self::Fanout => lapin::ExchangeKind::Fanout,
            Self::Headers => lapin::ExchangeKind::Headers,
            Self::Plugin(name) => lapin::ExchangeKind::Custom(name.clone()),
        }
    }
}

/// The value of an argument of a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Argument {
    /// A text, such as a `x-queue-leader-locator`.
    Text(String),
    /// A number, such as a `x-max-length`.
    Number(i64),
    /// Yes or no.
    Flag(bool),
}

impl Argument {
    pub(crate) fn for_lapin(&self) -> AMQPValue {
        match self {
            Self::Text(text) => AMQPValue::LongString(text.as_str().into()),
            Self::Number(number) => AMQPValue::LongLongInt(*number),
            Self::Flag(flag) => AMQPValue::Boolean(*flag),
        }
    }
}

impl From<&str> for Argument {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Argument {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Argument {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<i32> for Argument {
    fn from(number: i32) -> Self {
        Self::Number(number.into())
    }
}

impl From<u32> for Argument {
    fn from(number: u32) -> Self {
        Self::Number(number.into())
    }
}

impl From<bool> for Argument {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

/// An exchange that has to be there.
#[derive(Debug, Clone)]
pub(crate) struct Exchange {
    pub(crate) name: ShortString,
    /// Without one, an exchange that is there is used as it is, and one that is not is declared as a topic exchange.
    pub(crate) kind: Option<ExchangeKind>,
}

/// What of an exchange goes to a queue.
#[derive(Debug, Clone)]
pub(crate) struct Binding {
    pub(crate) exchange: ShortString,
    pub(crate) routing_key: ShortString,
}

impl Exchange {
    /// Sees to it that the exchange is there.
    pub(crate) async fn ensure(
        &self,
        connection: &Connection,
        address: &Address,
        declare: bool,
    ) -> Result<(), TransportError> {
        let name = self.name.as_str();
        let failed = |error| explain(address, Operation::Exchange(name), error);
        if self.kind.is_none() || !declare {
            let passive = ExchangeDeclareOptions {
                passive: true,
                ..ExchangeDeclareOptions::default()
            };
            match self.declare(connection, passive).await {
                Ok(()) => return Ok(()),
                Err(error)
                    if declare && failure::reply_code(&error) == Some(failure::NOT_FOUND) => {}
                Err(error) => return Err(failed(error)),
            }
        }
        self.declare_durable(connection).await.map_err(failed)?;
        tracing::debug!(exchange = name, "declared");
        Ok(())
    }

    /// Declares it, whatever is there.
    pub(crate) async fn declare_durable(&self, connection: &Connection) -> lapin::Result<()> {
        let durable = ExchangeDeclareOptions {
            durable: true,
            ..ExchangeDeclareOptions::default()
        };
        self.declare(connection, durable).await
    }

    async fn declare(
        &self,
        connection: &Connection,
        options: ExchangeDeclareOptions,
    ) -> lapin::Result<()> {
        let kind = self
            .kind
            .as_ref()
            .unwrap_or(&ExchangeKind::Topic)
            .for_lapin();
        let name = self.name.clone();
        on_a_channel(connection, async move |channel| {
            channel
                .exchange_declare(name, kind, options, FieldTable::default())
                .await
        })
        .await
    }
}

impl Binding {
    pub(crate) async fn ensure(
        &self,
        connection: &Connection,
        address: &Address,
        queue: &ShortString,
    ) -> Result<(), TransportError> {
        let Self {
            exchange,
            routing_key,
        } = self.clone();
        let to = queue.clone();
        let bound = on_a_channel(connection, async move |channel| {
            let options = QueueBindOptions::default();
            channel
                .queue_bind(to, exchange, routing_key, options, FieldTable::default())
                .await
        });
        let operation = Operation::Binding {
            exchange: self.exchange.as_str(),
            queue: queue.as_str(),
        };
        bound
            .await
            .map_err(|error| explain(address, operation, error))
    }

    /// The same for an exchange in place of a queue.
    pub(crate) async fn ensure_to_exchange(
        &self,
        connection: &Connection,
        address: &Address,
        destination: &ShortString,
    ) -> Result<(), TransportError> {
        let Self {
            exchange,
            routing_key,
        } = self.clone();
        let to = destination.clone();
        let bound = on_a_channel(connection, async move |channel| {
            let options = ExchangeBindOptions::default();
            channel
                .exchange_bind(to, exchange, routing_key, options, FieldTable::default())
                .await
        });
        let operation = Operation::Binding {
            exchange: self.exchange.as_str(),
            queue: destination.as_str(),
        };
        bound
            .await
            .map_err(|error| explain(address, operation, error))
    }
}

/// On a channel of its own: the broker closes the channel when it refuses.
async fn on_a_channel(
    connection: &Connection,
    call: impl AsyncFnOnce(&Channel) -> lapin::Result<()>,
) -> lapin::Result<()> {
    within(ANSWER, async {
        let channel = connection.create_channel().await?;
        call(&channel).await?;
        channel.close(200, "declared".into()).await
    })
    .await
}
