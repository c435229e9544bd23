//! The relay: it publishes what is staged and committed. In production it is a program of its own: `ordered relay`.

use std::error::Error;
use std::time::Duration;

use ordered_events::postgres::Relay;
use ordered_events::{publisher, shutdown_signal};

use crate::Servers;

pub(crate) async fn run(servers: &Servers) -> Result<(), Box<dyn Error>> {
    let publisher = publisher(&servers.rabbit, &servers.queue).await?;
    Relay::builder(&servers.postgres, publisher)
        // Short, so that the demonstration does not wait long for a relay that was killed.
        .lease(Duration::from_secs(2))
        .build()?
        .run(shutdown_signal())
        .await?;
    Ok(())
}
