use std::io::{self, IsTerminal};
use std::time::Duration;

use ordered_core::store::StoreError;
use ordered_core::transport::{TransportError, TransportErrorKind};
use ordered_events::prometheus::Prometheus;
use ordered_events::{ConnectError, publisher, shutdown_signal};

use crate::args::outbox::Relay;
use crate::failure::Failure;

/// Relays until a signal, and says on the standard error what happens.
pub(crate) async fn run(command: &Relay) -> Result<(), Failure> {
    tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .init();
    let metrics = match command.metrics {
        Some(address) => {
            let prometheus =
                Prometheus::install().map_err(|error| Failure::Usage(error.to_string()))?;
            let server = prometheus.serve(address).await;
            Some(server.map_err(|error| Failure::Usage(error.to_string()))?)
        }
        None => None,
    };
    let publisher = publisher(&command.transport, &command.queue)
        .await
        .map_err(unusable)?;
    let hours = command.retention_hours;
    let mut builder = ordered_postgres::Relay::builder(&command.database.url, publisher)
        .batch(command.batch)
        .poll_interval(command.poll_interval)
        .listen(command.listen)
        .lease(command.lease)
        .retention((hours > 0).then(|| Duration::from_secs(hours.saturating_mul(3_600))))
        .max_lagging_keys(command.max_lagging_keys);
    if let Some(name) = &command.name {
        builder = builder.name(name);
    }
    builder.build()?.run(shutdown_signal()).await?;
    drop(metrics);
    Ok(())
}

fn unusable(error: ConnectError) -> Failure {
    match error {
        ConnectError::Transport(error) => of_transport(&error),
        other => Failure::Usage(other.to_string()),
    }
}

fn of_transport(error: &TransportError) -> Failure {
    let text = error.to_string();
    Failure::Store(match error.kind() {
        TransportErrorKind::Unavailable => StoreError::unavailable(text),
        _ => StoreError::refused(text),
    })
}
