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
//! feature `tls` it may be `rediss://`: rustls and the certificates that the system trusts (`SSL_CERT_FILE` names
//! others), or those of [`ca_certificates`](RedisStoreBuilder::ca_certificates). Nothing is lost on a crash only with
//! `appendonly yes` and `appendfsync always`, and state is safe from eviction only under `maxmemory-policy noeviction`:
//! the store looks at these settings when a group is opened and says what they promise, and refuses anything less if it
//! is [strict](RedisStoreBuilder::strict). `lazyfree-lazy-expire yes` is worth setting where millions of events are
//! committed a day: what is remembered of them expires in large pieces.
//!
//! # Addresses
//! - `redis://[user:password@]host[:port][/database]`, and `rediss://` with TLS.
//! - `redis+unix:///path/of/socket`.
//! - `redis+sentinel://[user:password@]host[:port][,host[:port]…]/master[/database]`, and `rediss+sentinel://` with
//!   TLS: a master that these Sentinels watch. User, password and database are those of the master. The Sentinels' own
//!   login, if they ask for one, is `?sentinel_username=…&sentinel_password=…` at the end; the user may be left out.
//! - For a cluster, several addresses of its nodes with commas between.
//!
//! In users and passwords, `/`, `?`, `#`, `&`, `:` and `@` are written `%2F`, `%3F`, `%23`, `%26`, `%3A` and `%40`.
//!
//! # When the server changes
//! A connection is replaced when it breaks, when an answer does not come within the
//! [timeout](RedisStoreBuilder::timeout), and when the server says that it is not, or not now, the one to ask
//! (`READONLY`, `MASTERDOWN`, `LOADING`, `NOREPLICAS`, …, or an error that is not known here). The name of the host is
//! then resolved again, or the Sentinels are asked again. Such errors are
//! [`Unavailable`](ordered_core::store::StoreErrorKind::Unavailable), and the worker repeats the call. Only what does
//! not pass by itself is [`Refused`](ordered_core::store::StoreErrorKind::Refused), and ends the worker.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod address;
mod builder;
mod dial;
mod error;
mod keyspace;
mod link;
mod script;
mod sentinel;
pub mod sequencer;
mod server;
mod settings;
mod startup_retry;
mod store;
#[cfg(feature = "tls")]
mod tls;

pub use builder::RedisStoreBuilder;
pub use sequencer::Sequencer;
pub use store::RedisStore;
