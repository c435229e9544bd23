//! Private servers for tests: each listens on free loopback ports, keeps its data in a temporary folder, and is gone
//! with the process that started it, however that process ends.
//!
//! ```no_run
//! # async fn example() -> Result<(), ordered_testkit::server::ServerError> {
//! use ordered_testkit::server::RedisServer;
//!
//! let mut redis = RedisServer::start().await?;
//! println!("{}", redis.url());
//! redis.kill();
//! redis.start_again().await?;
//! # Ok(())
//! # }
//! ```

mod certificates;
mod error;
mod kafka;
mod port;
mod postgres;
mod process;
mod rabbit;
mod redis;
mod sqs;
mod watchdog;

pub use certificates::{AUTHORITY, AUTHORITY_FILE};
pub use error::ServerError;
pub use kafka::{KafkaBuilder, KafkaOperation, KafkaResource, KafkaServer};
pub use port::Port;
pub use postgres::{PostgresBuilder, PostgresServer};
pub use rabbit::{RabbitBuilder, RabbitServer};
pub use redis::{RedisBuilder, RedisSentinels, RedisSentinelsBuilder, RedisServer};
pub use sqs::SqsServer;
