use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, watch};
use tokio::time::{Instant, sleep, timeout};

use super::shards;
use crate::error::PostgresError;
use crate::pool::Connections;

/// Until when the relay is surely alive, as far as others see it.
#[derive(Debug, Clone, Copy)]
pub(super) struct LeaseState {
    pub(super) until: Instant,
    /// How often it was not, and others may have taken its shards.
    pub(super) lapses: u64,
}

/// Whether the relay has left. Held by whoever writes that the relay is alive, or that it is gone: a heartbeat that
/// came after the end would keep its share from the others for a lease.
pub(super) type HasLeft = Arc<Mutex<bool>>;

/// Keeps the relay alive in the database, whatever its publisher waits for.
///
/// The time until which it is surely alive is counted on this machine's monotonic clock, from before the heartbeat was
/// sent, so that the relay never believes in it for longer than the database does.
pub(super) async fn run(
    pool: Connections,
    relay: Arc<str>,
    lease: Duration,
    alive: watch::Sender<LeaseState>,
    left: HasLeft,
) {
    let pause = lease / 3;
    loop {
        let left = left.lock().await;
        if *left {
            return;
        }
        let asked = Instant::now();
        let beat = async {
            let connection = pool.get().await?;
            shards::heartbeat(&connection, &relay, lease).await
        };
        let beaten = timeout(pause, beat).await;
        drop(left);
        match beaten {
            Ok(Ok(())) => {
                alive.send_modify(|alive| {
                    if alive.until < Instant::now() {
                        alive.lapses += 1;
                    }
                    alive.until = asked + lease;
                });
                sleep(pause).await;
            }
            Ok(Err(error)) => retry(&error, pause).await,
            Err(_) => tracing::warn!(
                "Postgres has not answered a heartbeat of the relay within {pause:?}"
            ),
        }
    }
}

async fn retry(error: &PostgresError, pause: Duration) {
    tracing::warn!(%error, "a heartbeat of the relay failed");
    sleep(pause / 4).await;
}
