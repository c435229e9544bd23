//! The Redis store of `ordered`: the state of the keys in Redis or Valkey, shared by all workers.
//!
//! ```no_run
//! # async fn example() -> Result<(), ordered_core::store::StoreError> {
//! use ordered_redis::RedisStore;
//!
//! let store = RedisStore::builder("redis://127.0.0.1:6379")
//!     .prefix("orders-service")
//!     .strict(true)
//!     .connect()
//!     .await?;
//! # Ok(())
//! # }
//! ```
//!
//! # What it asks of the server
//! Redis 6.2 or later, or Valkey; a single server, a master with replicas, or (feature `cluster`) a cluster. With the
//! feature `tls` it may be `rediss://`: rustls and the certificates that the system trusts (`SSL_CERT_FILE` names others), or
//! those of [`ca_certificates`](RedisStoreBuilder::ca_certificates). Nothing is lost on a crash only with `appendonly yes` and `appendfsync always`, and state is
//! safe from eviction only under `maxmemory-policy noeviction`: the store looks at these settings when a group is
//! opened and says what they promise, and refuses anything less if it is [strict](RedisStoreBuilder::strict).
//! `lazyfree-lazy-expire yes` is worth setting where millions of events are committed a day: what is remembered of
//! them expires in large pieces.

mod answer;
mod builder;
mod error;
mod ids;
mod link;
mod names;
pub mod next;
mod pack;
mod request;
mod script;
mod settings;
mod store;
#[cfg(feature = "tls")]
mod tls;
mod view;

pub use builder::RedisStoreBuilder;
pub use store::RedisStore;
