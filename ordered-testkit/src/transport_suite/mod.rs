//! What every transport has to do, as tests: one body for memory, RabbitMQ, SQS, Kafka and yours.
//!
//! Implement [`TransportFixture`], then let [`transport_suite!`](macro@crate::transport_suite) make a test of each
//! check:
//!
//! ```
//! use std::sync::Arc;
//!
//! use ordered_core::transport::{MemoryBroker, Publish, Transport};
//! use ordered_testkit::transport_suite::{DeadLetter, TransportFixture};
//!
//! struct Memory(MemoryBroker);
//!
//! impl TransportFixture for Memory {
//!     async fn consumer(&self) -> Arc<dyn Transport> {
//!         Arc::new(self.0.consumer())
//!     }
//!
//!     async fn publisher(&self) -> Arc<dyn Publish> {
//!         Arc::new(self.0.clone())
//!     }
//!
//!     async fn dead_letters(&self) -> Vec<DeadLetter> {
//!         let dead = self.0.dead_letters().into_iter();
//!         dead.map(|(envelope, reason)| DeadLetter {
//!             envelope,
//!             kind: reason.kind.as_str().to_owned(),
//!             text: reason.text,
//!         })
//!         .collect()
//!     }
//! }
//!
//! ordered_testkit::transport_suite!(
//!     async || Memory(MemoryBroker::new()),
//!     excused: [(bounds_what_is_unsettled, "the queue is in this process, so nothing is gained by a bound")],
//! );
//! ```

mod content;
mod dead_letter;
mod defer;
mod receive;
mod redelivery;
mod settle;
mod support;

use std::future::Future;
use std::sync::Arc;

use ordered_core::event::Envelope;
use ordered_core::transport::{Publish, Transport};

/// A queue of a broker that nobody else uses: empty at first, and every consumer and publisher is one of this queue.
pub trait TransportFixture: Send + Sync {
    /// A consumer that has not been started.
    fn consumer(&self) -> impl Future<Output = Arc<dyn Transport>> + Send;

    /// A publisher.
    fn publisher(&self) -> impl Future<Output = Arc<dyn Publish>> + Send;

    /// What is in the place for dead letters now.
    fn dead_letters(&self) -> impl Future<Output = Vec<DeadLetter>> + Send;

    /// Whether the broker gives every event a header of this name by itself; the checks pass over it.
    fn is_brokers_own(&self, _header: &str) -> bool {
        false
    }
}

/// An event in the place for dead letters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The event, without what the transport added.
    pub envelope: Envelope,
    /// The word of the [`ReasonKind`](ordered_core::transport::ReasonKind).
    pub kind: String,
    /// The sentence of the reason.
    pub text: String,
}

/// The checks, for [`transport_suite!`](macro@crate::transport_suite).
pub mod checks {
    pub use super::content::*;
    pub use super::dead_letter::*;
    pub use super::defer::*;
    pub use super::receive::*;
    pub use super::redelivery::*;
    pub use super::settle::*;
}

/// Makes a `#[tokio::test]` of every check.
///
/// The first argument is an async closure that makes a [`TransportFixture`];
/// the second, which may be left out, names the checks that the transport is excused from, each with the reason.
/// The caller's crate needs `tokio` with the features `macros` and `rt`.
#[macro_export]
macro_rules! transport_suite {
    ($fixture:expr $(, excused: [$(($excused:ident, $reason:literal)),* $(,)?])? $(,)?) => {
        $crate::transport_suite! {
            @checks $fixture, [$($(($excused, $reason)),*)?],
            // receive
            delivers_all_that_is_published
            waits_for_what_comes_later
            gives_no_more_than_it_is_asked_for
            bounds_what_is_unsettled
            loses_nothing_when_a_receive_is_dropped
            shares_a_queue_between_two_consumers
            never_gives_a_token_twice
            // content
            keeps_text_bodies
            keeps_binary_bodies
            keeps_empty_bodies
            keeps_bodies_of_a_megabyte
            keeps_headers
            keeps_published_at
            // settle
            settles_in_any_order
            acknowledges_permanently
            settles_nothing_for_an_unknown_token
            settles_a_token_once
            settles_an_empty_list
            // redelivery
            delivers_again_what_a_closed_consumer_had
            delivers_again_what_a_dropped_consumer_had
            flags_what_is_delivered_again
            // defer
            defers_no_less_than_it_is_told
            lets_others_pass_what_is_deferred
            keeps_what_is_deferred_as_it_was
            defers_more_than_once
            // dead letter
            keeps_dead_letters_with_their_reasons
            delivers_no_dead_letter_again
        }
    };
    (@checks $fixture:expr, $excuses:tt, $($check:ident)*) => {
        $(
            #[tokio::test]
            async fn $check() {
                let excuses: &[(&str, &str)] = &$crate::transport_suite!(@excuses $excuses);
                if let Some((_, reason)) = excuses.iter().find(|(name, _)| *name == stringify!($check)) {
                    println!("excused: {reason}");
                    return;
                }
                let fixture = ($fixture)().await;
                $crate::transport_suite::checks::$check(&fixture).await;
            }
        )*
    };
    (@excuses [$(($excused:ident, $reason:literal)),*]) => {
        // The path makes an excuse from a check that does not exist an error.
        [$({ use $crate::transport_suite::checks::$excused as _; (stringify!($excused), $reason) }),*]
    };
}
