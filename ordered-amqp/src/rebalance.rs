//! How workers share the partitions of a queue.
//!
//! Each worker consumes all of them, and the broker gives each to one: the one that came first, and when that is gone
//! the next. So whoever starts first has all. From time to time a worker asks the broker how many workers there are
//! (the consumers of a queue in which there is nothing, since those that wait for a partition are not counted), and if
//! it gets the events of more partitions than its share, it hands the others over: it goes to the end of the line,
//! finishes what it has, and closes the channel. The broker tells nobody which consumer it has chosen, so a partition
//! counts as a worker's once events came. One without events is nobody's load.

use std::convert::Infallible;
use std::time::Duration;

use futures_util::future::try_join_all;
use lapin::Connection;
use lapin::options::QueueDeclareOptions;
use lapin::types::FieldTable;
use tokio::time::{Instant, sleep};

use crate::broker::{ANSWER, within};
use crate::queue_consumer::{QueueConsumer, let_through};
use crate::session::{Session, WorkersQueue};
use crate::shared::Shared;

/// How often it is looked whether all is settled of a partition that is handed over.
const LOOK: Duration = Duration::from_millis(20);

/// Hands over what is too much, for as long as the session lasts.
pub(crate) async fn rebalance(session: &Session, shared: &Shared) -> Infallible {
    let interval = shared.consuming.rebalance_interval;
    let workers_queue = match session.workers_queue() {
        Some(workers_queue) if session.queue_consumers().len() > 1 && interval < Duration::MAX => {
            workers_queue
        }
        _ => return std::future::pending().await,
    };
    loop {
        // Not all at the same time: two that hand over at once may hand over to one another.
        let more = (interval / 2).mul_f64(fastrand::f64());
        sleep((interval / 4 * 3).saturating_add(more)).await;
        if let Err(error) = rebalance_once(session, shared, workers_queue, interval).await {
            tracing::debug!(%error, "partitions were not handed over");
        }
    }
}

async fn rebalance_once(
    session: &Session,
    shared: &Shared,
    workers_queue: &WorkersQueue,
    limit: Duration,
) -> lapin::Result<()> {
    let queue_consumers = session.queue_consumers();
    let active: Vec<&QueueConsumer> = queue_consumers
        .iter()
        .filter(|queue_consumer| queue_consumer.is_active())
        .collect();
    if active.len() < 2 {
        return Ok(());
    }
    let share = share(
        queue_consumers.len(),
        workers(session.connection(), workers_queue).await?,
    );
    let surplus = surplus(&active, share).into_iter();
    try_join_all(surplus.map(|queue_consumer| hand_over(session, shared, queue_consumer, limit)))
        .await?;
    Ok(())
}

/// How many partitions a worker may keep.
fn share(partitions: usize, workers: usize) -> usize {
    partitions.div_ceil(workers.max(1))
}

/// Those that are too many: the last ones.
fn surplus<'a>(active: &[&'a QueueConsumer], share: usize) -> Vec<&'a QueueConsumer> {
    active.iter().skip(share).copied().collect()
}

/// How many workers there are.
async fn workers(connection: &Connection, workers_queue: &WorkersQueue) -> lapin::Result<usize> {
    within(ANSWER, async {
        let channel = connection.create_channel().await?;
        let passive = QueueDeclareOptions::durable().passive();
        let asked = channel.queue_declare(
            workers_queue.queue().clone(),
            passive,
            FieldTable::default(),
        );
        let count = asked.await?.consumer_count();
        channel.close(200, "counted".into()).await?;
        Ok(usize::try_from(count).unwrap_or(usize::MAX))
    })
    .await
}

/// Gives a partition to whoever is next in line, once all that is here of it is settled, or the time is over.
async fn hand_over(
    session: &Session,
    shared: &Shared,
    queue_consumer: &QueueConsumer,
    limit: Duration,
) -> lapin::Result<()> {
    let queue = queue_consumer.queue();
    let (connection, tag) = (session.connection(), shared.consuming.tag.as_str());
    // Before the place at the head of the line is given up, so that the line is never empty.
    let next = shared
        .subscription
        .open(connection, queue.as_str(), tag, queue_consumer.prefetch());
    let next = within(ANSWER, next).await?;
    // Kept until its channel is closed: to drop a consumer cancels it, and the next one would get what comes after
    // those that are still here.
    let _paused = queue_consumer.pause();
    let until = Instant::now() + limit;
    while queue_consumer.unsettled() > 0 && Instant::now() < until {
        sleep(LOOK).await;
    }
    let (frames, unsettled) = (queue_consumer.flush(), queue_consumer.unsettled());
    let channel = queue_consumer.resume(next);
    session.has_changed();
    // What is not settled by now the next consumer gets from the broker.
    let closed = within(ANSWER, async {
        let_through(&channel, queue, frames).await;
        channel.close(200, "handed over".into()).await
    });
    closed.await?;
    tracing::info!(
        queue = queue.as_str(),
        unsettled,
        "a partition is handed over to another worker"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::share;

    #[test]
    fn shares_cover_all_partitions() {
        for partitions in 1..20 {
            for workers in 1..20 {
                assert!(share(partitions, workers) * workers >= partitions);
                // Whatever the shares are, somebody has as many.
                assert!((share(partitions, workers) - 1) * workers < partitions);
            }
        }
        assert_eq!(share(8, 3), 3);
        assert_eq!(share(8, 0), 8);
    }
}
