use std::time::Duration;

use tokio::time::{Instant, sleep};

/// How long [`eventually`] waits: long enough for a machine that is busy with other things.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Asks again and again until the answer is yes.
///
/// # Panics
/// When it still is not after 30 seconds.
pub async fn eventually(what: &str, holds: impl AsyncFnMut() -> bool) {
    eventually_within(TIMEOUT, what, holds).await;
}

/// Like [`eventually`], with a time limit of its own.
///
/// # Panics
/// When the answer still is not yes after that time.
pub async fn eventually_within(limit: Duration, what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + limit;
    while !holds().await {
        assert!(Instant::now() < deadline, "not within {limit:?}: {what}");
        sleep(Duration::from_millis(10)).await;
    }
}
