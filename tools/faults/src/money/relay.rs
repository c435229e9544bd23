use std::time::Duration;

use ordered_events::postgres::Relay;
use ordered_events::{publisher, shutdown_signal};

use super::ParticipantConfig;
use crate::Error;
use crate::worker::LEASE;

pub(super) async fn run(config: &ParticipantConfig) -> Result<(), Error> {
    let publisher = publisher(&config.rabbit, &config.queue).await?;
    Relay::builder(&config.postgres, publisher)
        .lease(LEASE)
        .max_backoff(Duration::from_secs(1))
        .retention(None)
        .build()?
        .run(shutdown_signal())
        .await?;
    Ok(())
}
