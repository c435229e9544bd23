//! Waiting, when a worker starts, for a server that is just failing over or loading its data.

use std::future::Future;
use std::time::Duration;

use ordered_core::store::StoreError;
use tokio::time::{Instant, sleep};
use tracing::warn;

use crate::error::passes_soon;

/// Longer than a fail-over takes once it has begun, and short enough for somebody who waits for the message.
const STARTUP_LIMIT: Duration = Duration::from_secs(15);
const PAUSE: Duration = Duration::from_millis(250);

/// Repeats what fails because of the state of the server, for 15 seconds. A wrong address, a wrong password or a
/// setting of the server is told at once.
pub(crate) async fn retry_while_starting<T, F>(
    mut attempt: impl FnMut() -> F,
) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    let began = Instant::now();
    let mut is_told = false;
    loop {
        match attempt().await {
            Err(error) if passes_soon(&error) && began.elapsed() < STARTUP_LIMIT => {
                if !is_told {
                    warn!(%error, "the store is not ready: waiting for it");
                    is_told = true;
                }
                sleep(PAUSE).await;
            }
            outcome => return outcome,
        }
    }
}
