use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::Pool;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::shards;
use crate::error::PostgresError;

/// Until when the relay is surely alive, as far as others see it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Alive {
    pub(super) until: Instant,
    /// How often it was not, and others may have taken its shards.
    pub(super) lapses: u64,
}

/// Keeps the relay alive in the database, whatever its publisher waits for.
///
/// The time until which it is surely alive is counted on this machine's monotonic clock, from before the heartbeat was sent, so
/// that the relay never believes in it for longer than the database does.
pub(super) async fn keep(
    pool: Pool,
    relay: Arc<str>,
    lease: Duration,
    alive: watch::Sender<Alive>,
) {
    let pause = lease / 3;
    loop {
        let asked = Instant::now();
        let beat = async {
            let connection = pool.get().await?;
            shards::heartbeat(&connection, &relay, lease).await
        };
        match timeout(pause, beat).await {
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
