use std::error::Error;
use std::{fmt, io};

use lapin::ErrorKind;
use ordered_core::transport::TransportError;

use crate::address::Address;

/// What was being done when it failed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Operation<'a> {
    Connecting,
    /// Declaring this exchange.
    Exchange(&'a str),
    /// Declaring this exchange, which puts events into partitions.
    Partitions(&'a str),
    /// Binding this queue to this exchange.
    Binding {
        exchange: &'a str,
        queue: &'a str,
    },
    /// Declaring this queue.
    Queue(&'a str),
    /// Consuming from this queue, which has just been declared or found.
    Consuming(&'a str),
}

// Reply codes of AMQP 0-9-1: <https://www.rabbitmq.com/amqp-0-9-1-reference#constants>.
pub(crate) const ACCESS_REFUSED: u16 = 403;
pub(crate) const NOT_FOUND: u16 = 404;
pub(crate) const RESOURCE_LOCKED: u16 = 405;
pub(crate) const PRECONDITION_FAILED: u16 = 406;
pub(crate) const NOT_ALLOWED: u16 = 530;
pub(crate) const COMMAND_INVALID: u16 = 503;
const INTERNAL_ERROR: u16 = 541;

/// The reply code, when it was the broker who refused.
pub(crate) fn reply_code(error: &lapin::Error) -> Option<u16> {
    match error.kind() {
        ErrorKind::ProtocolError(error) => Some(error.get_id()),
        _ => None,
    }
}

/// What the broker says, or does not say, of a queue without a leader: RabbitMQ 3.10 answers its declaration, keeps the
/// wish to consume waiting for 65 seconds, and then closes the connection with an internal error.
fn is_silence(error: &lapin::Error) -> bool {
    let timed_out = matches!(error.kind(), ErrorKind::IOError(error) if error.kind() == io::ErrorKind::TimedOut);
    timed_out || reply_code(error) == Some(INTERNAL_ERROR)
}

/// The broker answers, and the queue does not.
#[derive(Debug)]
struct NoLeader(lapin::Error);

impl fmt::Display for NoLeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for NoLeader {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

/// The broker does not let the user in.
#[derive(Debug)]
struct LoginRefused(lapin::Error);

impl fmt::Display for LoginRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for LoginRefused {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

/// Whether the error says that the broker does not let the user in.
pub(crate) fn is_login_refusal(error: &TransportError) -> bool {
    let source = error.source();
    source.is_some_and(|source| source.is::<LoginRefused>())
}

/// Whether the error says that the queue has no leader.
pub(crate) fn has_no_leader(error: &TransportError) -> bool {
    error.source().is_some_and(|source| source.is::<NoLeader>())
}

/// Says what is wrong and what to do about it.
pub(crate) fn explain(
    address: &Address,
    operation: Operation<'_>,
    error: lapin::Error,
) -> TransportError {
    let user = address.user();
    if let Operation::Consuming(queue) = operation
        && is_silence(&error)
    {
        return TransportError::fatal(format!(
            "the queue {queue:?} at {address} does not answer, although RabbitMQ does: a quorum queue without a leader \
             behaves like this; it said: {error}"
        ))
        .with_source(NoLeader(error));
    }
    let advice = match (operation, reply_code(&error)) {
        (Operation::Connecting, Some(ACCESS_REFUSED)) => format!(
            "RabbitMQ at {address} refuses the user {user:?}: check the name and the password in the address \
             (`guest` is let in from localhost only)"
        ),
        (Operation::Connecting, Some(NOT_ALLOWED)) => format!(
            "RabbitMQ at {address} has no vhost {:?} for the user {user:?}: create it with `rabbitmqctl add_vhost` \
             and `set_permissions`, or correct the address (the vhost `/` is written %2f or left out)",
            address.vhost()
        ),
        (Operation::Connecting, None) => format!(
            "RabbitMQ cannot be reached at {address}: check that it runs and that the address is right"
        ),
        (Operation::Exchange(exchange), Some(NOT_FOUND)) => format!(
            "there is no exchange {exchange:?} at {address}: create it, or let it be declared with `declare(true)`"
        ),
        (Operation::Exchange(exchange), Some(PRECONDITION_FAILED)) => format!(
            "the exchange {exchange:?} at {address} is there, and of another kind or not durable: name its kind in \
             `exchange`, leave it out to use the exchange as it is, or delete it"
        ),
        (Operation::Exchange(exchange), Some(COMMAND_INVALID)) => format!(
            "RabbitMQ at {address} does not know the kind of the exchange {exchange:?}: enable the plugin that has it \
             (`rabbitmq-plugins enable …`)"
        ),
        (Operation::Partitions(exchange), Some(PRECONDITION_FAILED)) => format!(
            "the exchange {exchange:?} at {address} is there, and puts no events into partitions: it is of a kind that \
             does not hash the routing key, or it is not durable. Delete it, and it is declared anew"
        ),
        (Operation::Exchange(exchange) | Operation::Partitions(exchange), Some(ACCESS_REFUSED)) => {
            format!(
                "the user {user:?} lacks permissions for the exchange {exchange:?} at {address}: it needs `configure` \
                 to declare it; a name that begins with `amq.` is RabbitMQ's own"
            )
        }
        (Operation::Exchange(exchange) | Operation::Partitions(exchange), _) => {
            format!("the exchange {exchange:?} at {address} cannot be declared")
        }
        (Operation::Binding { exchange, queue }, Some(ACCESS_REFUSED)) => format!(
            "the user {user:?} may not bind the queue {queue:?} to the exchange {exchange:?} at {address}: it needs \
             `write` for the queue and `read` for the exchange"
        ),
        (Operation::Binding { exchange, queue }, _) => {
            format!("the queue {queue:?} cannot be bound to the exchange {exchange:?} at {address}")
        }
        (Operation::Queue(queue) | Operation::Consuming(queue), Some(NOT_FOUND)) => format!(
            "there is no queue {queue:?} at {address}: create it, or let it be declared with `declare(true)`"
        ),
        (Operation::Queue(queue) | Operation::Consuming(queue), Some(PRECONDITION_FAILED)) => {
            format!(
                "the queue {queue:?} at {address} exists with other arguments: leave out `kind` and `argument` to use \
                 it as it is, or delete it"
            )
        }
        (Operation::Queue(queue) | Operation::Consuming(queue), Some(RESOURCE_LOCKED)) => {
            format!("the queue {queue:?} at {address} is exclusive to another connection")
        }
        (Operation::Queue(queue) | Operation::Consuming(queue), Some(ACCESS_REFUSED)) => format!(
            "the user {user:?} lacks permissions for the queue {queue:?} at {address}: it needs `configure` to \
             declare it, `read` to consume it, and `write` for its dead letters"
        ),
        (Operation::Queue(queue) | Operation::Consuming(queue), _) => {
            format!("the queue {queue:?} at {address} cannot be used")
        }
        (Operation::Connecting, Some(_)) => format!("RabbitMQ at {address} refuses the connection"),
    };
    let explained = TransportError::fatal(format!("{advice}; it said: {error}"));
    match (operation, reply_code(&error)) {
        (Operation::Connecting, Some(ACCESS_REFUSED)) => explained.with_source(LoginRefused(error)),
        _ => explained.with_source(error),
    }
}

/// The broker is unavailable for now.
pub(crate) fn unavailable(address: &Address, error: lapin::Error) -> TransportError {
    TransportError::unavailable(format!("RabbitMQ at {address} is unavailable: {error}"))
        .with_source(error)
}
