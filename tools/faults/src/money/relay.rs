use std::time::Duration;

use ordered_events::postgres::Relay;
use ordered_events::{publisher, shutdown_signal};

use super::Orders;
use crate::Error;
use crate::worker::LEASE;

pub(super) async fn run(orders: &Orders) -> Result<(), Error> {
    let publisher = publisher(&orders.rabbit, &orders.queue).await?;
    Relay::builder(&orders.postgres, publisher)
        .lease(LEASE)
        .max_backoff(Duration::from_secs(1))
        .retention(None)
        .build()?
        .run(shutdown_signal())
        .await?;
    Ok(())
}
