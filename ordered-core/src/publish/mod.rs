//! Publishing: what is the same for every broker.
//!
//! A transport's crate implements [`Publish`](crate::transport::Publish): one attempt to send some events, and what
//! happened to each. [`Publisher`] makes of it what producers need: the events of a key go out in order, also where
//! some have to be sent again; so many are under way at a time and no more; each is confirmed, or reported with the
//! reason.

mod builder;
mod error;
mod event;
mod flight;
pub mod header;
mod lanes;
mod metrics;
mod outgoing;
mod publisher;
mod pump;
mod staged;
mod stamped;
mod status;

pub use builder::{OnNotPublished, PublisherBuilder};
pub use error::{NotPublished, NotPublishedKind};
#[doc(hidden)]
pub use event::{HeaderValue, invalid_event, new_event};
pub use event::{InvalidEvent, NewEvent, OrderedEvent, Payload};
pub use metrics::METRICS;
pub use outgoing::Outgoing;
pub use publisher::{Publisher, Receipt};
pub use staged::Staged;
pub use stamped::StampedEvent;
#[doc(hidden)]
pub use stamped::{
    ClockField, NumberField, TimeField, check_causal, check_lamport, stamp_causal, stamp_lamport,
    stamp_time,
};
pub use status::{PublisherBlocked, PublisherStatus};
