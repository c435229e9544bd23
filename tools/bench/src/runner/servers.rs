use ordered_testkit::server::{KafkaServer, RabbitServer, RedisServer};
use redis::AsyncConnectionConfig;
use redis::aio::MultiplexedConnection;
use tokio::sync::OnceCell;

use super::STALL_TIMEOUT;
use super::proxy::DelayingProxy;
use crate::Failure;
use crate::load::{Broker, RedisTarget};

/// All servers of a run; they end with this.
pub(super) struct Servers {
    pub(super) rabbit: RabbitServer,
    everysec: RedisServer,
    always: RedisServer,
    remote: DelayingProxy,
    /// The process of RabbitMQ.
    broker: String,
    kafka: OnceCell<KafkaServer>,
}

impl Servers {
    pub(super) async fn start() -> Result<Self, Failure> {
        // A log as large as RabbitMQ's own default: the testkit's small one rolls over all the time.
        let rabbit = RabbitServer::builder()
            .schedulers(2)
            .setting("raft.wal_max_size_bytes", "536870912");
        // Else a rewrite would fall into one turn and not into another.
        let redis = |policy| {
            RedisServer::builder()
                .appendfsync(policy)
                .setting("auto-aof-rewrite-percentage", "0")
                .start()
        };
        let (rabbit, everysec, always) =
            tokio::try_join!(rabbit.start(), redis("everysec"), redis("always"))?;
        let remote = DelayingProxy::start(everysec.port())?;
        let broker = rabbit
            .ctl(&["eval", "list_to_integer(os:getpid())."])
            .await?;
        Ok(Self {
            rabbit,
            everysec,
            always,
            remote,
            broker: broker.trim().to_owned(),
            kafka: OnceCell::new(),
        })
    }

    /// The broker of Kafka, which the first load that needs it starts.
    pub(super) async fn kafka(&self) -> Result<&KafkaServer, Failure> {
        // A JVM as brokers have it, not the testkit's that starts quickly.
        let start = || KafkaServer::builder().optimized().start();
        Ok(self.kafka.get_or_try_init(start).await?)
    }

    /// Microseconds of processor time that the broker has used.
    pub(super) fn broker_processor(&self, broker: Broker) -> Result<f64, Failure> {
        let kafka = self.kafka.get().and_then(KafkaServer::process_id);
        let process = match broker {
            Broker::Rabbit => self.broker.clone(),
            Broker::Kafka => kafka.ok_or("Kafka does not run")?.to_string(),
        };
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
        // The name of the program, in parentheses, may have spaces; the times are the 12th and 13th field behind it.
        let (_, behind) = stat.rsplit_once(')').ok_or("no statistics of the broker")?;
        let times = behind.split_whitespace().skip(11).take(2);
        let ticks: f64 = times.filter_map(|time| time.parse::<f64>().ok()).sum();
        let second = u32::try_from(rustix::param::clock_ticks_per_second())?;
        Ok(ticks * 1e6 / f64::from(second))
    }

    /// Where a subject finds its Redis.
    pub(super) fn redis_url(&self, place: RedisTarget) -> String {
        match place {
            RedisTarget::Everysec => self.everysec.url(),
            RedisTarget::Always => self.always.url(),
            RedisTarget::Remote => format!("redis://127.0.0.1:{}", self.remote.port()),
        }
    }

    /// A connection beside the subjects', never delayed.
    pub(super) async fn redis(&self, place: RedisTarget) -> Result<MultiplexedConnection, Failure> {
        let server = match place {
            RedisTarget::Everysec | RedisTarget::Remote => &self.everysec,
            RedisTarget::Always => &self.always,
        };
        let client = redis::Client::open(server.url())?;
        // Dropping a million records at once takes Redis longer than the client waits unless told otherwise.
        let patient = AsyncConnectionConfig::new().set_response_timeout(Some(STALL_TIMEOUT));
        let connection = client.get_multiplexed_async_connection_with_config(&patient);
        Ok(connection.await?)
    }

    /// `RabbitMQ x, Redis y`.
    pub(super) async fn versions(&self) -> Result<String, Failure> {
        let rabbit = self.rabbit.ctl(&["version"]).await?;
        let mut redis = self.redis(RedisTarget::Everysec).await?;
        let info: String = redis::cmd("INFO")
            .arg("server")
            .query_async(&mut redis)
            .await?;
        let redis = info
            .lines()
            .find_map(|line| line.strip_prefix("redis_version:"));
        let rabbit = rabbit.lines().last().unwrap_or("?").trim().to_owned();
        Ok(format!("RabbitMQ {rabbit}, Redis {}", redis.unwrap_or("?")))
    }
}
