//! A writer: it takes money from one account and stages the event that gives it to another.

use std::time::Duration;

use ordered_events::OrderedEvent;
use ordered_events::postgres::{self, Outbox, PostgresError};
use serde::{Deserialize, Serialize};
use tokio::time::sleep;
use tokio_postgres::Client;

use super::{ParticipantConfig, bank};
use crate::Error;

/// The event: the struct that is staged is the one that the handler reads.
#[derive(Serialize, Deserialize, OrderedEvent)]
#[ordered(key = "account", event_type = "credited")]
pub(super) struct Credited {
    pub(super) account: String,
    pub(super) amount: i64,
}

/// After so many transfers it looks how much is under way.
const STRIDE: u32 = 25;

pub(super) async fn run(
    config: &ParticipantConfig,
    number: i32,
    transfers: i64,
    seed: u64,
) -> Result<(), Error> {
    let mut client = postgres::connect(&config.postgres).await?;
    let done = "select count(*) from transfers where writer = $1";
    // One that was killed may have committed what it had no time to count: the database knows.
    let mut done: i64 = client.query_one(done, &[&number]).await?.get(0);
    let mut random = fastrand::Rng::with_seed(seed.wrapping_add(done.cast_unsigned()));
    for turn in 0_u32.. {
        if done >= transfers {
            break;
        }
        if turn.is_multiple_of(STRIDE) {
            while bank::under_way(&client).await? > config.backlog {
                sleep(Duration::from_millis(10)).await;
            }
        }
        if transfer(&mut client, number, config.accounts, &mut random).await? {
            done += 1;
        }
    }
    Ok(())
}

/// Whether it was committed: one in five is rolled back.
async fn transfer(
    client: &mut Client,
    number: i32,
    accounts: u64,
    random: &mut fastrand::Rng,
) -> Result<bool, PostgresError> {
    let event = Credited {
        account: bank::account(random.u64(..accounts)),
        amount: random.i64(1..1_000),
    };
    let from = bank::account(random.u64(..accounts));
    let mut tx = client.transaction().await?;
    let debit = "update accounts set balance = balance - $2 where id = $1";
    tx.execute(debit, &[&from, &event.amount]).await?;
    let note = "insert into transfers (writer, amount) values ($1, $2)";
    tx.execute(note, &[&number, &event.amount]).await?;
    Outbox::stage(&mut tx, &event).await?;
    if random.u8(..5) == 0 {
        tx.rollback().await?;
        return Ok(false);
    }
    tx.commit().await?;
    Ok(true)
}
