use lapin::ErrorKind;
use ordered_core::transport::TransportError;

use crate::address::Address;

/// What was being done when it failed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Stage<'a> {
    Connecting,
    /// Declaring or consuming this queue.
    Queue(&'a str),
}

// Reply codes of AMQP 0-9-1: <https://www.rabbitmq.com/amqp-0-9-1-reference#constants>.
pub(crate) const ACCESS_REFUSED: u16 = 403;
pub(crate) const NOT_FOUND: u16 = 404;
pub(crate) const RESOURCE_LOCKED: u16 = 405;
pub(crate) const PRECONDITION_FAILED: u16 = 406;
pub(crate) const NOT_ALLOWED: u16 = 530;

/// The reply code, when it was the broker who refused.
pub(crate) fn reply_code(error: &lapin::Error) -> Option<u16> {
    match error.kind() {
        ErrorKind::ProtocolError(error) => Some(error.get_id()),
        _ => None,
    }
}

/// Says what is wrong and what to do about it.
pub(crate) fn explain(address: &Address, stage: Stage<'_>, error: lapin::Error) -> TransportError {
    let user = address.user();
    let advice = match (stage, reply_code(&error)) {
        (Stage::Connecting, Some(ACCESS_REFUSED)) => format!(
            "RabbitMQ at {address} refuses the user {user:?}: check the name and the password in the address \
             (`guest` is let in from localhost only)"
        ),
        (Stage::Connecting, Some(NOT_ALLOWED)) => format!(
            "RabbitMQ at {address} has no vhost {:?} for the user {user:?}: create it with `rabbitmqctl add_vhost` \
             and `set_permissions`, or correct the address (the vhost `/` is written %2f or left out)",
            address.vhost()
        ),
        (Stage::Connecting, None) => format!(
            "RabbitMQ cannot be reached at {address}: check that it runs and that the address is right"
        ),
        (Stage::Queue(queue), Some(NOT_FOUND)) => format!(
            "there is no queue {queue:?} at {address}: create it, or let it be declared with `declare(true)`"
        ),
        (Stage::Queue(queue), Some(PRECONDITION_FAILED)) => format!(
            "the queue {queue:?} at {address} exists with other arguments: leave out `kind` to use it as it is, \
             or delete it"
        ),
        (Stage::Queue(queue), Some(RESOURCE_LOCKED)) => {
            format!("the queue {queue:?} at {address} is exclusive to another connection")
        }
        (Stage::Queue(queue), Some(ACCESS_REFUSED)) => format!(
            "the user {user:?} lacks permissions for the queue {queue:?} at {address}: it needs `configure` to \
             declare it, `read` to consume it, and `write` for its dead letters"
        ),
        (Stage::Queue(queue), _) => format!("the queue {queue:?} at {address} cannot be used"),
        (Stage::Connecting, Some(_)) => format!("RabbitMQ at {address} refuses the connection"),
    };
    TransportError::fatal(format!("{advice}; it said: {error}")).with_source(error)
}

/// The broker is away for now.
pub(crate) fn away(address: &Address, error: lapin::Error) -> TransportError {
    TransportError::unavailable(format!("RabbitMQ at {address} is away: {error}"))
        .with_source(error)
}
