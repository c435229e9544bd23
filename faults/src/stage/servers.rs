use std::io;
use std::time::Duration;

use ordered_testkit::server::{RabbitServer, RedisServer, ServerError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::Disk;
use crate::Error;
use crate::worker::AMQP_HEARTBEAT;

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

    /// How many messages a queue has, delivered ones included; none where there is no such queue.
    pub(crate) async fn backlog(&self, queue: &str) -> Result<u64, Error> {
        let rabbit = self.rabbit.lock().await;
        let list = rabbit.ctl(&["list_queues", "name", "messages", "--no-table-headers"]);
        let list = list.await?;
        let count = list.lines().find_map(|line| {
            let (name, count) = line.split_once('\t')?;
            (name == queue).then(|| count.trim().parse())
        });
        Ok(count.transpose()?.unwrap_or(0))
    }

    /// Deletes the queue of a run and all that belong to it.
    pub(crate) async fn forget_queues(&self, queue: &str) {
        let rabbit = self.rabbit.lock().await;
        for end in ["", ".dead"] {
            // What was never declared cannot be deleted.
            let _ = rabbit
                .ctl(&["delete_queue", &format!("{queue}{end}")])
                .await;
        }
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
