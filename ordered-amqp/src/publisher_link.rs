use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use lapin::options::{
    ConfirmSelectOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::{FieldTable, ShortString};
use lapin::{Channel, Connection, ExchangeKind};
use tokio::time::timeout;

use crate::delay::Delay;
use crate::frame::HeaderLimit;
use crate::topology::Topology;

/// How long a broker may take to say goodbye.
const FAREWELL: Duration = Duration::from_secs(5);

/// A connection of an [`PublisherConnection`](crate::publisher_connection::PublisherConnection).
#[derive(Debug)]
pub(crate) struct Link {
    connection: Connection,
    // Std mutexes: they are held for one access to a collection.
    /// Channels nobody publishes on at the moment. A call has a channel for itself, because lapin gives a returned
    /// message to any of the confirms that are awaited on the channel.
    idle: Mutex<Vec<Channel>>,
    /// The delay queues that this connection has declared.
    declared: Mutex<HashSet<Delay>>,
}

impl Link {
    pub(crate) fn over(connection: Connection) -> Self {
        Self {
            connection,
            idle: Mutex::default(),
            declared: Mutex::default(),
        }
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.connection.status().connected()
    }

    pub(crate) fn room_for_headers(&self) -> HeaderLimit {
        HeaderLimit::of_frame(self.connection.configuration().frame_max())
    }

    /// Whether the broker is short of memory or disk, and takes nothing.
    pub(crate) fn is_blocked(&self) -> bool {
        self.connection.status().blocked()
    }

    /// A channel with confirms, for one caller.
    pub(crate) async fn channel(&self) -> lapin::Result<Channel> {
        while let Some(channel) = lock(&self.idle).pop() {
            if channel.status().connected() {
                return Ok(channel);
            }
        }
        let channel = self.connection.create_channel().await?;
        channel
            .confirm_select(ConfirmSelectOptions::default())
            .await?;
        Ok(channel)
    }

    /// Nothing is awaited on it any more.
    pub(crate) fn give_back(&self, channel: Channel) {
        lock(&self.idle).push(channel);
    }

    /// Sees to it that the queue of a delay is there.
    pub(crate) async fn ensure(
        &self,
        channel: &Channel,
        delay: Delay,
        topology: &Topology,
    ) -> lapin::Result<()> {
        if lock(&self.declared).contains(&delay) {
            return Ok(());
        }
        let places = &topology.places;
        let queue: ShortString = delay.queue(&places.defer_prefix).into();
        let arguments = delay.arguments(places);
        let mut options = QueueDeclareOptions::durable();
        if !topology.declare {
            options = options.passive();
        }
        channel
            .queue_declare(queue.clone(), options, arguments)
            .await?;
        if places.partitions.is_some() && topology.declare {
            keep_routing_keys(channel, queue).await?;
        }
        lock(&self.declared).insert(delay);
        Ok(())
    }

    pub(crate) fn forget_declared(&self) {
        lock(&self.declared).clear();
    }

    pub(crate) async fn close(&self) {
        let closed = self.connection.close(200, "bye".into());
        // A broker that is unavailable notices by itself.
        let _ = timeout(FAREWELL, closed).await;
    }
}

/// Puts an exchange before the queue of a delay, so that what waits there keeps its routing key. The default exchange
/// takes only the name of the queue for one.
async fn keep_routing_keys(channel: &Channel, queue: ShortString) -> lapin::Result<()> {
    let durable = ExchangeDeclareOptions {
        durable: true,
        ..ExchangeDeclareOptions::default()
    };
    let none = FieldTable::default();
    channel
        .exchange_declare(queue.clone(), ExchangeKind::Fanout, durable, none.clone())
        .await?;
    let options = QueueBindOptions::default();
    channel
        .queue_bind(queue.clone(), queue, ShortString::default(), options, none)
        .await
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
