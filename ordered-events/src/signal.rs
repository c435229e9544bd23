/// Done when the process is asked to stop: SIGINT (Ctrl-C) or SIGTERM. What most workers run until.
///
/// # Panics
/// When the operating system does not let the process listen for signals.
pub async fn shutdown_signal() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let listen = |kind| signal(kind).expect("the process may listen for its own signals");
        let (mut interrupt, mut terminate) = (
            listen(SignalKind::interrupt()),
            listen(SignalKind::terminate()),
        );
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c()
        .await
        .expect("the process may listen for its own signals");
}
