//! Where the state of the keys lives, shared by all workers: a fenced record per key, a mailbox, and remembered ids.
//!
//! A store knows nothing of the protocol. It keeps for each key a *record* (an owner with a fence, and a body that it
//! does not understand), the key's *mailbox* (events that wait, by [`Slot`]), and the ids of processed events. Every
//! request is atomic for its key. All decisions are made by the owner of the key, in the process of a worker.
//!
//! | about | there is |
//! |---|---|
//! | the traits | [`Store`]; [`WrapStore`] for a store around another; [`Presence`] (who consumes) and [`Inspect`] (what operators read) are powers that a store may have beside it |
//! | a group | [`Group`], [`Opened`] with its [`Session`] and [`Incarnation`], [`StoreReport`] with its [`Durability`] |
//! | requests | [`Request`]: [`Acquire`] with an [`AcquireMode`], [`Save`] with each [`Change`] of a [`Slot`] and its [`Letter`] ([`PutMode`]), and a [`ListingChange`] of a [`Listing`] |
//! | answers | [`Exchange`] with an [`Answer`] each: [`Owned`] ([`Previous`]), [`Busy`] and [`Saved`] ([`Posted`]) |
//! | leases | [`Heartbeat`]; a [`Sweep`] finds what is in [`Swept`] ([`StuckRecord`]) |
//! | operators | [`Record`] with its [`OwnerRecord`], by the [`RecordPage`] of a [`KeyIndex`]; [`Totals`], [`WorkerRecord`], [`AuditEntry`] of an [`Operator`] |
//! | errors | [`StoreError`], [`StoreErrorKind`] |
//!
//! [`MemoryStore`] is the reference.

mod answer;
mod audit;
mod bucket;
mod error;
mod inspect;
mod memory;
mod presence;
mod request;
mod sweep;
mod wrap;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

pub use answer::{Answer, Busy, Exchange, Owned, Posted, Previous, Saved};
pub use audit::{AuditEntry, Operator};
pub use bucket::bucket_of;
pub use error::{StoreError, StoreErrorKind};
pub use inspect::{Inspect, KeyIndex, OwnerRecord, Record, RecordPage, Totals, WorkerRecord};
#[doc(hidden)]
pub use memory::MemorySnapshot;
pub use memory::MemoryStore;
pub use presence::{OtherConsumerGroup, OtherConsumers, Presence, WorkerPresence};
pub use request::{
    Acquire, AcquireMode, Change, Letter, Listing, ListingChange, NEVER_DUE, PutMode, Request,
    Save, Slot,
};
pub use sweep::{StuckRecord, Sweep, Swept};
pub use wrap::WrapStore;

use crate::handler::EventPlaces;
use crate::protocol::{Millis, Policy, WorkerId};

/// A logical consumer: each group has its own progress over the same events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    name: Arc<str>,
    policy: Policy,
    places: Option<EventPlaces>,
}

impl Group {
    /// A group and its rules.
    #[must_use]
    pub fn new(name: impl AsRef<str>, policy: Policy) -> Self {
        Self {
            name: name.as_ref().into(),
            policy,
            places: None,
        }
    }

    /// Says where its handler finds key, seq and id of an event, for operators.
    #[must_use]
    pub fn with_places(mut self, places: Option<EventPlaces>) -> Self {
        self.places = places;
        self
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its rules.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Whether its keys can be gone on with, which are kept in the order of this name. A store asks this when it opens
    /// a group that exists.
    ///
    /// # Errors
    /// When they are kept in another order, with what to do.
    pub fn check_order(&self, kept: &str) -> Result<(), StoreError> {
        let wanted = self.policy.order.as_str();
        if kept == wanted {
            return Ok(());
        }
        let name = &self.name;
        Err(StoreError::refused(format!(
            "the group `{name}` keeps its keys in the order `{kept}`, and this worker asks for `{wanted}`: what is \
             stored of a key means something else there. Set `order = \"{kept}\"`, or let the old group come to its \
             end and give the handler a group of its own, such as `group = \"{name}-{wanted}\"`, which begins without \
             the progress of the old one"
        )))
    }
    /// Says whether a group that was begun with this first seq can go on under these rules. For stores, which ask when
    /// it is opened.
    ///
    /// # Errors
    /// When its keys would begin elsewhere.
    pub fn check_first_seq(&self, begun_with: u64) -> Result<(), StoreError> {
        let (name, ours) = (&*self.name, self.policy.first_seq);
        if begun_with == ours {
            return Ok(());
        }
        Err(StoreError::refused(format!(
            "the group `{name}` was begun with `first_seq = {begun_with}`, and this worker has `first_seq = {ours}`: \
             keys that have not come yet would begin elsewhere than the others. Set `first_seq = {begun_with}`; or \
             take a new group, and bring into it how far the keys are, with `ordered export --positions` and `ordered \
             import --create --first-seq {ours}`"
        )))
    }

    /// Where its handler finds key, seq and id of an event, if it has said so.
    #[must_use]
    pub fn places(&self) -> Option<&EventPlaces> {
        self.places.as_ref()
    }
}

/// How much of what is written to the store outlives it, as it is configured now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Durability {
    /// It is not known: the server does not let us look.
    Unknown,
    /// State may be dropped while the server runs, to make room.
    Evictable,
    /// State is gone when the server stops.
    Volatile,
    /// A crash of the server loses the last moments: those events may be handled again, or be missing from what was
    /// held.
    LosesRecentWrites,
    /// Nothing that was acknowledged is lost on a crash.
    Durable,
}

/// What a store found out about itself when it was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreReport {
    /// How much of it outlives a crash.
    pub durability: Durability,
    /// One sentence for the log that says why.
    pub reason: String,
}

/// Names one life of a group's state: made when the group is first opened, and gone with the state.
///
/// Every call carries it. Where the store has another one, or none, the state that the worker knows was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Incarnation(pub u64);

/// One worker's session with the state of a group.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Session {
    /// The worker.
    pub worker: WorkerId,
    /// The life of the state that it opened.
    pub incarnation: Incarnation,
}

/// What a store says when a group is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// For all later calls.
    pub session: Session,
    /// Which guarantee the store's settings give.
    pub report: StoreReport,
    /// The state did not exist and was created by this call.
    pub created: bool,
}

/// The answer to a heartbeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heartbeat {
    /// The store's time.
    pub now: Millis,
    /// Whether the group is paused.
    pub paused: bool,
}

/// Where the state of the keys lives, shared by all workers of a group.
///
/// # Leases
/// A worker is *alive* while it sends heartbeats. It counts as dead in two looks: the first look (by any call that
/// meets it) after half of its lease without a heartbeat puts it in doubt; a look at least another half later finds it
/// dead. So a step of the server's clock, forward or back, takes nothing from a worker that is alive, and delays the
/// death of another by no more than one lease. [`Store::leave`] ends a lease at once.
///
/// # Errors
/// Every call can fail with [`StoreErrorKind::Unavailable`] (wait and call
/// again), [`Refused`](StoreErrorKind::Refused) (it will never work; the message says what to do) and
/// [`StateLost`](StoreErrorKind::StateLost) (the incarnation is not the store's).
///
/// # Cancel safety
/// A future may be dropped at any time. Then, as after an error, it is unknown whether the call was carried out; an
/// exchange that arrives after a later one of the same worker is refused by the store, and changes nothing.
#[async_trait]
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a store",
    note = "use `MemoryStore`, the `RedisStore` of the feature `redis`, or implement `ordered_core::store::Store`"
)]
pub trait Store: Send + Sync + 'static {
    /// What the store can know of those who use it; nothing by default.
    fn presence(&self) -> Option<&dyn Presence> {
        None
    }

    /// Prepares the group, keeps its rules for operators to see, and says which guarantee the store's settings give.
    /// Refuses a group that exists and has another order ([`Group::check_order`]). Called once by each worker at start,
    /// and again after its state was lost and is adopted.
    async fn open(&self, group: &Group, worker: &WorkerId) -> Result<Opened, StoreError>;

    /// Carries out the requests, each atomically for its key, and answers each in its place. A batch names each key at
    /// most once.
    async fn exchange(
        &self,
        group: &Group,
        session: &Session,
        requests: &[Request],
    ) -> Result<Exchange, StoreError>;

    /// Renews the worker's lease.
    async fn heartbeat(
        &self,
        group: &Group,
        session: &Session,
        lease: Duration,
    ) -> Result<Heartbeat, StoreError>;

    /// Ends the worker's lease now; keys that it still owns may be acquired by others at once, and do not count as left
    /// by a worker that died.
    async fn leave(&self, group: &Group, session: &Session) -> Result<(), StoreError>;

    /// Finds keys that need an owner now: those that are due, and those whose owner is dead. Changes no key. Bounded
    /// work: about `limit` of each kind, and what was not reached is found by a later sweep.
    async fn sweep(
        &self,
        group: &Group,
        session: &Session,
        sweep: &Sweep,
    ) -> Result<Swept, StoreError>;
}

impl fmt::Display for Durability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "unknown",
            Self::Evictable => "state may be evicted",
            Self::Volatile => "gone when the server stops",
            Self::LosesRecentWrites => "a crash loses the last moments",
            Self::Durable => "nothing lost on a crash",
        })
    }
}
