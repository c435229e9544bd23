use std::time::Duration;

use ordered_core::transport::TransportError;

use crate::address::Address;
use crate::failure::has_no_leader;

/// A queue whose node comes back, or whose members elect a leader, answers before that many attempts of ten seconds.
const ATTEMPTS: u32 = 3;
/// How long a worker that starts waits between two attempts.
pub(crate) const ELECTION: Duration = Duration::from_secs(1);

/// Attempts to consume, one after the other, that found the queue without a leader.
#[derive(Debug, Default)]
pub(crate) struct Leaderless {
    attempts: u32,
}

impl Leaderless {
    /// Counts a failed attempt, and says whether this is the one at which somebody has to be told.
    pub(crate) fn is_to_be_told(&mut self, error: &TransportError) -> bool {
        if !has_no_leader(error) {
            self.attempts = 0;
            return false;
        }
        self.attempts += 1;
        self.attempts == ATTEMPTS
    }
}

/// What it means that a queue stays without a leader, and what to do.
pub(crate) fn advice(queue: &str, address: &Address) -> String {
    let vhost = address.vhost();
    format!(
        "the queue {queue:?} at {address} has no leader, so nothing is consumed. If nodes of the cluster are down, \
         start them. If none is down, RabbitMQ has probably lost the queue's log, which happens when it is killed \
         within a second of the declaration; events that it had confirmed are lost. Look with `rabbitmq-queues \
         quorum_status --vhost {vhost:?} {queue:?}`. Delete the queue with `rabbitmqctl delete_queue --vhost {vhost:?} \
         {queue:?}`, declare it again (a worker does so unless it has `declare(false)`), and publish again what has \
         had no effect"
    )
}

#[cfg(test)]
mod tests {
    use std::io;

    use lapin::protocol::{AMQPError, AMQPErrorKind, AMQPHardError};

    use super::*;
    use crate::failure::{Operation, explain};

    fn address() -> Address {
        Address::parse("amqp://me:s3cret@broker/orders").unwrap()
    }

    fn silence() -> lapin::Error {
        io::Error::new(io::ErrorKind::TimedOut, "no answer within 10s").into()
    }

    fn internal_error() -> lapin::Error {
        let kind = AMQPErrorKind::Hard(AMQPHardError::INTERNALERROR);
        lapin::ErrorKind::ProtocolError(AMQPError::new(kind, "INTERNAL_ERROR".into())).into()
    }

    fn when_consuming(error: lapin::Error) -> TransportError {
        explain(&address(), Operation::Consuming("order-events"), error)
    }

    #[test]
    fn a_queue_that_does_not_answer_is_named_and_may_have_no_leader() {
        for error in [silence(), internal_error()] {
            let said = when_consuming(error).to_string();
            assert!(said.contains(r#"the queue "order-events""#), "{said}");
            assert!(said.contains("without a leader"), "{said}");
            assert!(!said.contains("s3cret"), "{said}");
        }
    }

    #[test]
    fn a_queue_that_stays_without_a_leader_is_told_once() {
        let mut leaderless = Leaderless::default();
        let told: Vec<bool> = (0..6)
            .map(|_| leaderless.is_to_be_told(&when_consuming(silence())))
            .collect();
        assert_eq!(told, [false, false, true, false, false, false]);
    }

    #[test]
    fn a_broker_that_does_not_answer_is_no_queue_without_a_leader() {
        let mut leaderless = Leaderless::default();
        for operation in [Operation::Connecting, Operation::Queue("order-events")] {
            for _ in 0..6 {
                assert!(!leaderless.is_to_be_told(&explain(&address(), operation, silence())));
            }
        }
        // The count begins again after another failure.
        let elsewhere = explain(&address(), Operation::Connecting, silence());
        for _ in 0..6 {
            assert!(!leaderless.is_to_be_told(&when_consuming(silence())));
            assert!(!leaderless.is_to_be_told(&elsewhere));
        }
    }

    #[test]
    fn the_advice_says_what_is_lost_and_what_to_do() {
        let said = advice("order-events", &address());
        for part in [
            r#"the queue "order-events""#,
            "are lost",
            r#"rabbitmqctl delete_queue --vhost "orders" "order-events""#,
            "publish again",
        ] {
            assert!(said.contains(part), "{part}: {said}");
        }
        assert!(!said.contains("s3cret"), "{said}");
    }
}
