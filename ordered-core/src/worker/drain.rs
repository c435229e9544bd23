//! The end of a drain before its time.

use std::sync::LazyLock;

use tokio::sync::watch;

static DRAINS_ENDED: LazyLock<watch::Sender<bool>> = LazyLock::new(|| watch::Sender::new(false));

/// Ends the drain of all workers of this process, of those that drain now and of those that will: handlers that still
/// run are stopped, as when `drain_timeout` is over. For a person who asks the process to stop a second time, as
/// `shutdown_signal` of `ordered-events` does.
pub fn end_drains() {
    DRAINS_ENDED.send_replace(true);
}

/// Resolves once drains are to end.
pub(super) async fn drains_are_ended() {
    let mut ended = DRAINS_ENDED.subscribe();
    // It cannot fail: the sender is never dropped.
    let _ = ended.wait_for(|ended| *ended).await;
}
