//! What has to be true of events that a [`Publisher`](ordered_core::publish::Publisher) sends to a real broker,
//! whatever happens to that broker: one body of checks for all of them.
//!
//! Implement [`PublisherFixture`] for a queue that nobody else uses, and call each of the [`checks`] from a test. What
//! a check does to the broker is a trait of its own: [`Restarts`], [`Cuts`], [`Blocks`], [`Refuses`]. A check that
//! breaks the broker wants one of its own.
//!
//! The environment variable `ORDERED_PUBLISH_EVENTS` says how many events each check publishes; the default is 2,000.

mod blocked;
mod disruption;
mod in_order;
mod load;
mod queue;
mod refused;

use std::future::Future;
use std::sync::Arc;

use ordered_core::transport::{Publish, Transport};

/// A queue of a broker that nobody else uses, empty at first.
#[diagnostic::on_unimplemented(note = "say how to publish to the queue and how to read it")]
pub trait PublisherFixture: Send + Sync {
    /// A connection to publish over.
    fn transport(&self) -> impl Future<Output = Arc<dyn Publish>> + Send;

    /// A consumer of the queue that has not been started.
    fn consumer(&self) -> impl Future<Output = Arc<dyn Transport>> + Send;

    /// Whether the queue gives the events of a key in the order in which they were published.
    fn keeps_order(&self) -> bool {
        true
    }

    /// How many events the queue may hold at a time, where the server bears no more. A check that publishes more reads
    /// the queue meanwhile.
    fn most_held(&self) -> usize {
        usize::MAX
    }
}

/// A queue whose broker can be ended and started again.
pub trait Restarts: PublisherFixture {
    /// Waits until the broker can be ended without losing what a queue of its own needs. The queue has events by then.
    fn before_restart(&self) -> impl Future<Output = ()> {
        async {}
    }

    /// Ends the broker and starts it again.
    fn restart(&self) -> impl Future<Output = ()>;
}

/// A queue to which all connections of publishers can be broken.
pub trait Cuts: PublisherFixture {
    /// Breaks all connections; new ones are taken.
    fn cut(&self);
}

/// A queue whose broker can be brought to take nothing.
pub trait Blocks: PublisherFixture {
    /// From now on the broker takes nothing.
    fn block(&self) -> impl Future<Output = ()>;

    /// It takes events again.
    fn unblock(&self) -> impl Future<Output = ()>;
}

/// A queue that does not take everything.
pub trait Refuses: PublisherFixture {
    /// A body that the broker never takes.
    fn refused_body(&self) -> Vec<u8>;
}

/// The checks.
pub mod checks {
    pub use super::blocked::*;
    pub use super::disruption::*;
    pub use super::in_order::*;
    pub use super::refused::*;
}
