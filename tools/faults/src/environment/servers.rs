use std::io;
use std::time::Duration;

use lapin::options::{ExchangeDeleteOptions, QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::FieldTable;
use lapin::{Connection, ConnectionProperties};
use ordered_testkit::server::{KafkaServer, RabbitServer, RedisServer, ServerError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Mutex, MutexGuard, OnceCell};
use tokio::time::{sleep, timeout};

use super::{Disk, kafka};
use crate::Error;
use crate::fault::Broker;
use crate::worker::{AMQP_HEARTBEAT, KAFKA_SESSION};

/// More than there are workers, so that each has some of them.
const PARTITIONS: i32 = 8;

/// How long it may take until workers that are disturbed themselves declare a queue again.
const DECLARED: Duration = Duration::from_secs(30);
/// How long RabbitMQ may take to say how many messages some queues have.
const LOOKED: Duration = Duration::from_secs(20);

/// The servers. RabbitMQ is for all runs, since its start takes seconds, and so is Kafka, which the first run that
/// needs it starts; each run has a Redis of its own.
pub struct Servers {
    pub(crate) redis: Mutex<RedisServer>,
    pub(crate) rabbit: Mutex<RabbitServer>,
    kafka: OnceCell<Mutex<KafkaServer>>,
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
            kafka: OnceCell::new(),
        })
    }

    /// The Kafka broker.
    pub(crate) async fn kafka(&self) -> Result<&Mutex<KafkaServer>, Error> {
        let start = async || KafkaServer::start().await.map(Mutex::new);
        Ok(self.kafka.get_or_try_init(start).await?)
    }

    /// Makes what the workers expect to be there.
    pub(crate) async fn prepare(&self, broker: Broker, queue: &str) -> Result<(), Error> {
        if broker == Broker::Kafka {
            let kafka = self.kafka().await?.lock().await;
            kafka.create_topic(queue, PARTITIONS, &[]).await?;
            kafka.create_topic(&format!("{queue}.dead"), 1, &[]).await?;
        }
        Ok(())
    }

    /// Where the events come from, without a proxy before it.
    pub(crate) async fn transport(&self, broker: Broker) -> Result<String, Error> {
        Ok(match broker {
            Broker::Rabbit => self.rabbit_address(),
            Broker::Kafka => {
                let url = self.kafka().await?.lock().await.url();
                let session = KAFKA_SESSION.as_millis();
                format!("{url}?session.timeout.ms={session}&heartbeat.interval.ms=1000")
            }
        })
    }

    /// A new Redis in place of the one before, on this disk.
    pub(crate) async fn reset_redis(
        &mut self,
        disk: Option<&Disk>,
        volatile_redis: bool,
    ) -> Result<(), Error> {
        let mut builder = RedisServer::builder();
        if volatile_redis {
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
    pub(crate) async fn restart_all(&self) -> Result<(), Error> {
        self.redis.lock().await.start_again().await?;
        self.rabbit.lock().await.start_again().await?;
        if let Some(kafka) = self.kafka.get() {
            kafka.lock().await.start_again().await?;
        }
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

    /// How many messages the queues of RabbitMQ have, without those that are delivered and not settled; none where
    /// there is no such queue.
    pub(crate) async fn ready(&self, queues: &[String]) -> Result<u32, Error> {
        Ok(self.look(queues).await?.into_iter().flatten().sum())
    }

    /// How many records of a topic of Kafka are not committed.
    pub(crate) async fn lag(&self, topic: &str) -> Result<u32, Error> {
        let address = self.kafka().await?.lock().await.address();
        kafka::lag(address, topic.to_owned()).await
    }

    /// Waits until somebody has declared the queues and RabbitMQ has them on disk, and gives the server that can be
    /// killed now.
    ///
    /// What RabbitMQ itself loses is no subject here: a quorum queue of one node does not survive a kill in the second
    /// after its declaration, and comes back without its messages and without a leader.
    pub(crate) async fn rabbit_with_queues_on_disk(
        &self,
        queues: &[String],
    ) -> Result<MutexGuard<'_, RabbitServer>, Error> {
        let mut rabbit = self.rabbit.lock().await;
        self.are_on_disk(&mut rabbit, queues).await?;
        Ok(rabbit)
    }

    /// The same, of a server that nobody else can stop meanwhile.
    pub(crate) async fn are_on_disk(
        &self,
        rabbit: &mut RabbitServer,
        queues: &[String],
    ) -> Result<(), Error> {
        let there = async {
            while self.look(queues).await?.contains(&None) {
                sleep(Duration::from_millis(20)).await;
            }
            Ok::<_, Error>(())
        };
        let nobody = |_| format!("nobody declares the queues {queues:?}");
        timeout(DECLARED, there).await.map_err(nobody)??;
        Ok(rabbit.queues_are_on_disk().await?)
    }

    /// How many messages are ready in each queue, if there is one.
    async fn look(&self, queues: &[String]) -> Result<Vec<Option<u32>>, Error> {
        // Where the broker closes a channel while the client closes the connection, the client may wait for ever.
        loop {
            if let Ok(looked) = timeout(LOOKED, self.look_once(queues)).await {
                return looked;
            }
        }
    }

    async fn look_once(&self, queues: &[String]) -> Result<Vec<Option<u32>>, Error> {
        let connection = self.connect().await?;
        let mut ready = Vec::new();
        for queue in queues {
            // The broker says by an error, which closes the channel, that there is none.
            let channel = connection.create_channel().await?;
            let passive = QueueDeclareOptions::durable().passive();
            let declared = channel
                .queue_declare(queue.as_str().into(), passive, FieldTable::default())
                .await;
            ready.push(declared.ok().map(|queue| queue.message_count()));
        }
        // A channel that the broker is closing may fail here. What was asked is known.
        let _ = connection.close(200, "asked".into()).await;
        Ok(ready)
    }

    pub(crate) async fn delete_queues(&self, queues: &[String]) -> Result<(), Error> {
        let connection = self.connect().await?;
        let channel = connection.create_channel().await?;
        for queue in queues {
            channel
                .queue_delete(queue.as_str().into(), QueueDeleteOptions::default())
                .await?;
        }
        Ok(connection.close(200, "deleted".into()).await?)
    }

    pub(crate) async fn delete_exchange(&self, exchange: &str) -> Result<(), Error> {
        let connection = self.connect().await?;
        let channel = connection.create_channel().await?;
        channel
            .exchange_delete(exchange.into(), ExchangeDeleteOptions::default())
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
