//! Numbering without a database: a [`Sequencer`] gives an event the next seq of its key and keeps it, in one step,
//! until the broker has confirmed it.
//!
//! ```no_run
//! # async fn example(queue: std::sync::Arc<dyn ordered_core::transport::Publish>) -> Result<(), Box<dyn std::error::Error>> {
//! use ordered_core::publish::NewEvent;
//! use ordered_redis::{RedisStore, Sequencer};
//!
//! let redis = RedisStore::connect("redis://localhost").await?;
//! let sequencer = Sequencer::builder(&redis, "order-events", queue).connect().await?;
//! let event = NewEvent::json("order", "order-7", "placed", &serde_json::json!({ "total": 5 }))?;
//! let staged = sequencer.stage(&event).await?;
//! println!("{} #{}", staged.key, staged.seq);
//! # Ok(())
//! # }
//! ```
//!
//! # What it promises
//!
//! - **No gap and no double number**, however many processes stage for a key, and whichever of them die: the number and
//!   the event come into being in one script, or neither does.
//! - **What is staged is published**, by the process that staged it or by any other with a sequencer of this name, in
//!   the order of the key. An event that is published, and whose confirm is not written down before the process dies,
//!   is published again: workers recognise it by its id.
//! - **A key is published by one process at a time.** The claim on a key ends when its process has not renewed it for a
//!   [lease](SequencerBuilder::lease). One that comes back after that may publish an event a second time, and never one
//!   that comes before an event that is not published yet.
//!
//! It is as durable as Redis is set to be: see [`RedisStore`]. If Redis loses the counters, numbers are given
//! a second time, and workers dead-letter the events as conflicts. [`raise`](Sequencer::raise) sets a counter.
//!
//! # What lies in Redis
//!
//! All under one hash tag, `{<prefix>:%sequencer:<name>}:`, **layout 1**.
//!
//! | structure | type | what |
//! |---|---|---|
//! | `last` | hash | key → its last seq. Never expires |
//! | `first` | hash | key → its first seq that is kept; only while something is kept of it |
//! | `kept` | hash | `<seq>:<key>` → the event |
//! | `due` | sorted set | key, by when somebody may take it |
//! | `claims` | hash | key → who publishes it |
//! | `id:<digest>` | text | the seq of an event that was staged lately |
//! | `meta` | hash | `layout`, `events`, `bytes` |

mod builder;
mod claimed_keys;
mod error;
mod metrics;
mod pump;
mod script;
mod storage;

use std::fmt;
use std::hash::Hasher;
use std::sync::Arc;

use ordered_core::clock::Clock;
use ordered_core::event::{EventId, Key, Seq};
use ordered_core::publish::{NewEvent, OrderedEvent, Outgoing, Staged};
use siphasher::sip128::{Hasher128, SipHasher24};
use tokio::sync::{Mutex, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

pub use builder::SequencerBuilder;
pub use error::{SequencerError, SequencerErrorKind};
use storage::Storage;

use crate::RedisStore;
use ordered_core::transport::Publish;

/// How many events [`Sequencer::stage_all`] takes at the most.
pub const MAX_BATCH: usize = 1_000;

/// Numbers events and publishes them. Clones are the same one; see the [module](self).
#[derive(Clone)]
pub struct Sequencer {
    storage: Arc<Storage>,
    publishing: Arc<Publishing>,
}

/// The task that publishes; it ends in order when nobody has the sequencer any more.
struct Publishing {
    stop: watch::Sender<bool>,
    task: Mutex<Option<JoinHandle<()>>>,
}

/// How much a [`Sequencer`] keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct SequencerStatus {
    /// Events that are numbered and not confirmed.
    pub events: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Keys that they belong to.
    pub keys: u64,
}

impl Sequencer {
    /// A sequencer of this name on the Redis of a store, which publishes over this transport: the `publisher()` of a
    /// broker's builder. Sequencers of one name share the counters, and publish what others have left; give each queue
    /// one name.
    pub fn builder(
        redis: &RedisStore,
        name: impl Into<String>,
        transport: impl Publish,
    ) -> SequencerBuilder {
        SequencerBuilder::new(redis, name.into(), Arc::new(transport))
    }

    fn start(
        storage: Storage,
        pump: impl FnOnce(Arc<Storage>, watch::Receiver<bool>) -> JoinHandle<()>,
    ) -> Self {
        let storage = Arc::new(storage);
        let (stop, stopped) = watch::channel(false);
        let task = pump(Arc::clone(&storage), stopped);
        let publishing = Publishing {
            stop,
            task: Mutex::new(Some(task)),
        };
        Self {
            storage,
            publishing: Arc::new(publishing),
        }
    }

    /// Numbers an event and keeps it, in one step. It is published when this has returned, and in most cases soon.
    ///
    /// While Redis is not there it is tried again for [`stage_timeout`](SequencerBuilder::stage_timeout), with the same
    /// id, so that no event is numbered twice.
    ///
    /// # Errors
    /// When the event is none, when [too much](SequencerErrorKind::Full) is kept already, and as every call to Redis.
    /// After [`Unavailable`](SequencerErrorKind::Unavailable) the event may have been staged: stage it again with the
    /// same id.
    ///
    /// # Cancel safety
    /// When the future is dropped, the event may have been staged.
    pub async fn stage(
        &self,
        event: &(impl OrderedEvent + ?Sized),
    ) -> Result<Staged, SequencerError> {
        let event = event.to_event()?;
        let staged = self.stage_events([event.as_ref()]).await?;
        staged
            .into_iter()
            .next()
            .ok_or_else(SequencerError::misshaped)
    }

    /// Numbers events and keeps them, all in one step, [`MAX_BATCH`] at the most. Those of one key are numbered in the
    /// order in which they stand here.
    ///
    /// # Errors
    /// As [`stage`](Self::stage), for all of them, and when there are too many.
    ///
    /// # Cancel safety
    /// As [`stage`](Self::stage).
    pub async fn stage_all(
        &self,
        events: &[impl OrderedEvent],
    ) -> Result<Vec<Staged>, SequencerError> {
        if events.len() > MAX_BATCH {
            return Err(SequencerError::invalid(format!(
                "{} events are too many for one step: stage {MAX_BATCH} at a time",
                events.len()
            )));
        }
        let mut new = Vec::with_capacity(events.len());
        for event in events {
            new.push(event.to_event()?);
        }
        self.stage_events(new.iter().map(AsRef::as_ref)).await
    }

    async fn stage_events<'a>(
        &self,
        events: impl IntoIterator<Item = &'a NewEvent>,
    ) -> Result<Vec<Staged>, SequencerError> {
        let now = Clock::system().now();
        let mut outgoing = Vec::new();
        for event in events {
            outgoing.push(StoredEvent::of(event.to_outgoing(None), now)?);
        }
        if outgoing.is_empty() {
            return Ok(Vec::new());
        }
        let seqs = self.storage.stage(&outgoing).await?;
        metrics::staged(seqs.len());
        self.storage.wake.notify_one();
        let staged = outgoing.into_iter().zip(seqs);
        Ok(staged
            .map(|(kept, seq)| Staged {
                key: kept.key,
                seq,
                id: kept.id,
            })
            .collect())
    }

    /// Sees to it that the next seq of a key is above this one: for the takeover of a key that was numbered elsewhere,
    /// and when Redis has lost the counters. A counter that is higher stays as it is. Nobody may stage for the key
    /// meanwhile.
    ///
    /// # Errors
    /// When events of the key are kept, and as every call to Redis.
    pub async fn raise(&self, key: &Key, seq: Seq) -> Result<(), SequencerError> {
        self.storage.raise(key, seq).await
    }

    /// How much is kept.
    ///
    /// # Errors
    /// As every call to Redis.
    pub async fn status(&self) -> Result<SequencerStatus, SequencerError> {
        self.storage.status().await
    }

    /// Ends publishing: what is on its way to the broker is waited for, for
    /// [`drain_timeout`](SequencerBuilder::drain_timeout) at the most, and the rest is left to others. Events can still
    /// be staged.
    pub async fn close(&self) {
        self.publishing.stop.send_replace(true);
        let task = self.publishing.task.lock().await.take();
        let limit = self.storage.settings.drain_timeout * 2;
        if let Some(mut task) = task
            && timeout(limit, &mut task).await.is_err()
        {
            task.abort();
        }
    }
}

impl fmt::Debug for Sequencer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sequencer")
            .field("name", &self.storage.settings.name)
            .finish_non_exhaustive()
    }
}

/// An event as it is kept.
struct StoredEvent {
    key: Key,
    id: EventId,
    data: bytes::Bytes,
}

impl StoredEvent {
    fn of(outgoing: Outgoing, now: u64) -> Result<Self, SequencerError> {
        let (Some(key), Some(id)) = (outgoing.key(), outgoing.id()) else {
            return Err(SequencerError::misshaped());
        };
        let mut envelope = outgoing.envelope().clone();
        envelope.published_at = Some(now);
        Ok(Self {
            key: key.clone(),
            id: id.clone(),
            data: envelope.encode(),
        })
    }

    /// What the id of the key is remembered under.
    fn digest(&self) -> String {
        let mut hasher = SipHasher24::new();
        hasher.write(self.key.as_str().as_bytes());
        hasher.write_u8(0xff);
        hasher.write(self.id.as_str().as_bytes());
        format!("{:032x}", hasher.finish128().as_u128())
    }
}
