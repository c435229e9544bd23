use std::io;
use std::time::Duration;

use lapin::options::{QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::FieldTable;
use lapin::{Connection, ConnectionProperties};
use ordered_testkit::server::{RabbitServer, RedisServer, ServerError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::{sleep, timeout};

use super::Disk;
use crate::Error;
use crate::worker::AMQP_HEARTBEAT;

/// How long it may take until workers that are themselves struck declare a queue again.
const DECLARED: Duration = Duration::from_secs(30);

/// The servers. RabbitMQ is for all runs, since its start takes seconds; each run has a Redis of its own.
pub struct Servers {
    pub(crate) redis: Mutex<RedisServer>,
    pub(crate) rabbit: Mutex<RabbitServer>,
    redis_port: u16,
    rabbit_port: u16,
}

impl Servers {
    /// Starts both.
    ///
    /// # Errors
    /// When one is not installed or does not come up.
    pub async fn start() -> Result<Self, ServerError> {
        let (redis, rabbit) = tokio::try_join!(RedisServer::start(), RabbitServer::start())?;
        Ok(Self {
            redis_port: redis.port(),
            rabbit_port: rabbit.port(),
            redis: Mutex::new(redis),
            rabbit: Mutex::new(rabbit),
        })
    }

    /// A new Redis in place of the one before, on this disk.
    pub(crate) async fn renew_redis(
        &mut self,
        disk: Option<&Disk>,
        careless: bool,
    ) -> Result<(), Error> {
        let mut builder = RedisServer::builder();
        if careless {
            builder = builder.no_persistence();
        }
        if let Some(disk) = disk {
            builder = builder.setting("dir", disk.path().to_string_lossy());
        }
        let redis = builder.start().await?;
        self.redis_port = redis.port();
        self.redis = Mutex::new(redis);
        Ok(())
    }

    /// Starts both again, in whatever state they are.
    pub(crate) async fn revive(&self) -> Result<(), Error> {
        self.redis.lock().await.start_again().await?;
        self.rabbit.lock().await.start_again().await?;
        Ok(())
    }

    pub(crate) fn redis_port(&self) -> u16 {
        self.redis_port
    }

    pub(crate) fn rabbit_port(&self) -> u16 {
        self.rabbit_port
    }

    /// Without a proxy before it.
    pub(crate) fn redis_address(&self) -> String {
        redis_url(self.redis_port)
    }

    /// Without a proxy before it.
    pub(crate) fn rabbit_address(&self) -> String {
        rabbit_url(self.rabbit_port)
    }

    /// How many messages a queue has, without those that are delivered and not settled; none where there is no such
    /// queue.
    pub(crate) async fn ready(&self, queue: &str) -> Result<u32, Error> {
        Ok(self.look(queue).await?.unwrap_or(0))
    }

    /// Waits until somebody has declared the queue and RabbitMQ has it on disk, and gives the server that can be killed now.
    ///
    /// What RabbitMQ itself loses is no subject here: a quorum queue of one node does not survive a kill in the second after
    /// its declaration, and comes back without its messages and without a leader.
    pub(crate) async fn queue_can_be_struck(
        &self,
        queue: &str,
    ) -> Result<MutexGuard<'_, RabbitServer>, Error> {
        let mut rabbit = self.rabbit.lock().await;
        self.queue_is_there(queue).await?;
        rabbit.queues_are_on_disk().await?;
        Ok(rabbit)
    }

    async fn queue_is_there(&self, queue: &str) -> Result<(), Error> {
        let there = async {
            while self.look(queue).await?.is_none() {
                sleep(Duration::from_millis(20)).await;
            }
            Ok(())
        };
        timeout(DECLARED, there)
            .await
            .unwrap_or_else(|_| Err(format!("nobody declares the queue {queue:?}").into()))
    }

    /// How many messages are ready in the queue, if there is one.
    async fn look(&self, queue: &str) -> Result<Option<u32>, Error> {
        let connection = self.connect().await?;
        let channel = connection.create_channel().await?;
        let passive = QueueDeclareOptions::durable().passive();
        let declared = channel
            .queue_declare(queue.into(), passive, FieldTable::default())
            .await;
        connection.close(200, "asked".into()).await?;
        // The broker says by an error that there is none.
        Ok(declared.ok().map(|queue| queue.message_count()))
    }

    pub(crate) async fn delete_queue(&self, queue: &str) -> Result<(), Error> {
        let connection = self.connect().await?;
        let channel = connection.create_channel().await?;
        channel
            .queue_delete(queue.into(), QueueDeleteOptions::default())
            .await?;
        Ok(connection.close(200, "deleted".into()).await?)
    }

    async fn connect(&self) -> Result<Connection, Error> {
        let address = self.rabbit_address();
        Ok(Connection::connect(&address, ConnectionProperties::default()).await?)
    }
}

pub(crate) fn redis_url(port: u16) -> String {
    format!("redis://127.0.0.1:{port}")
}

pub(crate) fn rabbit_url(port: u16) -> String {
    format!("amqp://guest:guest@127.0.0.1:{port}/%2f?heartbeat={AMQP_HEARTBEAT}")
}

/// One command in one line, and the beginning of the answer.
pub(crate) async fn redis_says(port: u16, command: &str) -> io::Result<String> {
    let exchange = async {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream
            .write_all(format!("{command}\r\n").as_bytes())
            .await?;
        let mut answer = vec![0; 64 * 1024];
        let read = stream.read(&mut answer).await?;
        answer.truncate(read);
        Ok(String::from_utf8_lossy(&answer).into_owned())
    };
    timeout(Duration::from_secs(10), exchange)
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}
