use async_trait::async_trait;

use super::{Token, TransportError};
use crate::event::Envelope;

/// Headers that a transport adds to a dead letter at the broker.
pub mod dead_letter_header {
    /// The kind of the reason, as [`ReasonKind::as_str`](super::super::ReasonKind::as_str) has it.
    pub const REASON: &str = "x-ordered-reason";
    /// The reason in a sentence.
    pub const REASON_TEXT: &str = "x-ordered-reason-text";
    /// The queue that the event was consumed from.
    pub const QUEUE: &str = "x-ordered-queue";
    /// What the names of all of them begin with.
    pub(super) const PREFIX: &str = "x-ordered-";
}

/// A dead letter at the broker: an event that a worker could not give a place, or that the broker itself took out of a
/// queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerDeadLetter {
    /// To redrive it by.
    pub token: Token,
    /// The event, without the headers that say why it is here.
    pub envelope: Envelope,
    /// The kind of the reason, such as `malformed`; `None` where the broker itself put it here.
    pub reason: Option<String>,
    /// The reason in a sentence.
    pub text: Option<String>,
    /// The queue that it was consumed from, if that is known.
    pub queue: Option<String>,
}

impl BrokerDeadLetter {
    /// From the event as the queue of dead letters has it, with the headers that say why it is there.
    #[must_use]
    pub fn new(token: Token, mut envelope: Envelope) -> Self {
        let mut taken = |name| envelope.headers.remove(name);
        let (reason, text, queue) = (
            taken(dead_letter_header::REASON),
            taken(dead_letter_header::REASON_TEXT),
            taken(dead_letter_header::QUEUE),
        );
        if reason.is_some() {
            let is_other = |name: &String| !name.starts_with(dead_letter_header::PREFIX);
            envelope.headers.retain(|name, _| is_other(name));
        }
        Self {
            token,
            envelope,
            reason,
            text,
            queue,
        }
    }
}

/// The dead letters of a queue at its broker: to look at, and to put back. A power of its own, apart from
/// [`Transport`](super::Transport): a worker needs none of it.
///
/// What was taken is out of sight of others until it is put back or [let go](DeadLetters::close), or until the broker
/// gives it up by itself, which it does at the latest when the connection ends.
#[async_trait]
pub trait DeadLetters: Send + Sync {
    /// The name of the queue of dead letters.
    fn queue(&self) -> &str;

    /// How many there are, about; those that were taken are among them.
    ///
    /// # Errors
    /// When the broker is unavailable, or there is no such queue.
    async fn count(&self) -> Result<u64, TransportError>;

    /// Takes at most `max` that were not taken yet, the oldest first as far as the broker keeps an order; fewer than
    /// `max` are the last.
    ///
    /// # Errors
    /// When the broker is unavailable.
    async fn take(&self, max: usize) -> Result<Vec<BrokerDeadLetter>, TransportError>;

    /// Puts letters that were taken back into the queue that they came from, without the headers that say why they were
    /// here. Each is removed once the broker has confirmed its copy. Says of each what happened to it; one that failed
    /// stays here.
    async fn redrive(&self, tokens: &[Token]) -> Vec<Result<(), TransportError>>;

    /// Lets go of all that was taken and is still here. Nothing more can be taken afterwards.
    ///
    /// # Errors
    /// When the broker is unavailable; it lets go by itself.
    async fn close(&self) -> Result<(), TransportError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn why_it_is_there_is_told_apart_from_the_event() {
        let mut envelope = Envelope::new("body");
        for (name, value) in [
            (dead_letter_header::REASON, "malformed"),
            (dead_letter_header::REASON_TEXT, "no key"),
            (dead_letter_header::QUEUE, "orders"),
            ("x-ordered-exchange", "e"),
            ("tenant", "acme"),
        ] {
            envelope.headers.insert(name.into(), value.into());
        }
        let letter = BrokerDeadLetter::new(Token(1), envelope.clone());
        assert_eq!(letter.reason.as_deref(), Some("malformed"));
        assert_eq!(letter.text.as_deref(), Some("no key"));
        assert_eq!(letter.queue.as_deref(), Some("orders"));
        assert_eq!(
            letter.envelope.headers.keys().collect::<Vec<_>>(),
            ["tenant"]
        );
        envelope.headers.clear();
        let letter = BrokerDeadLetter::new(Token(1), envelope.clone());
        assert_eq!((letter.reason, letter.envelope), (None, envelope));
    }
}
