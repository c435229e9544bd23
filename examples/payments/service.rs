//! The service: it takes money from one account and stages the event that gives it to another, in one transaction.

use std::error::Error;
use std::time::Duration;

use ordered_events::OrderedEvent;
use ordered_events::postgres::{Outbox, PostgresError};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_postgres::Client;

use crate::{Servers, bank};

/// The event. The service stages it, and the handler of the workers reads it. Events of one account are numbered and
/// applied in their order.
#[derive(Debug, Clone, Serialize, Deserialize, OrderedEvent)]
#[ordered(key = "account", event_type = "credited")]
pub(crate) struct Credited {
    pub(crate) account: String,
    pub(crate) cents: i64,
    pub(crate) from: String,
}

#[derive(clap::Args)]
pub(crate) struct Options {
    /// How many transfers there are to be in the end.
    #[arg(long)]
    transfers: i64,
    /// Between how many accounts.
    #[arg(long)]
    accounts: u64,
}

/// How many transfers are made at a time.
const WRITERS: usize = 4;
/// How many may be made and not credited.
const AHEAD: i64 = 150;

pub(crate) async fn run(servers: &Servers, options: &Options) -> Result<(), Box<dyn Error>> {
    let mut writers = JoinSet::new();
    for _ in 0..WRITERS {
        let (url, transfers, accounts) = (
            servers.postgres.clone(),
            options.transfers,
            options.accounts,
        );
        writers.spawn(async move {
            let mut client = bank::connect(&url).await?;
            loop {
                let done = bank::transfers(&client).await?;
                if done >= transfers {
                    break;
                }
                // Not far ahead of the workers, so that the demonstration kills processes that have something to do.
                if done - bank::credits(&client).await? > AHEAD {
                    sleep(Duration::from_millis(5)).await;
                    continue;
                }
                transfer(&mut client, accounts).await?;
            }
            Ok::<_, PostgresError>(())
        });
    }
    while let Some(ended) = writers.join_next().await {
        ended??;
    }
    Ok(())
}

/// One transfer. One in ten is called off at the last moment: then nothing of it is left, not even a number.
async fn transfer(client: &mut Client, accounts: u64) -> Result<(), PostgresError> {
    let (from, to) = (fastrand::u64(..accounts), fastrand::u64(..accounts));
    let event = Credited {
        account: bank::account(to),
        cents: fastrand::i64(1..=500),
        from: bank::account(from),
    };
    let mut tx = client.transaction().await?;
    let debit = "update accounts set cents = cents - $2 where account = $1 and cents >= $2";
    if tx.execute(debit, &[&event.from, &event.cents]).await? == 0 {
        return Ok(()); // There is not enough money. Dropped, the transaction is rolled back.
    }
    let note = "insert into transfers (debited, credited, cents) values ($1, $2, $3)";
    tx.execute(note, &[&event.from, &event.account, &event.cents])
        .await?;
    Outbox::stage(&mut tx, &event).await?;
    if fastrand::u8(..10) == 0 {
        tx.rollback().await?;
    } else {
        tx.commit().await?;
    }
    Ok(())
}
