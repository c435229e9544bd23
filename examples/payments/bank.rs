//! The tables of the example, and what is asked of them.

use std::collections::BTreeMap;
use std::error::Error;

use deadpool_postgres::{Manager, Pool};
use ordered_events::postgres::repair::{self, RepairRequest};
use ordered_events::postgres::{self, PostgresError};
use ordered_events::{Key, Seq};
use tokio_postgres::{Client, NoTls};

const TABLES: &str = "
    drop table if exists accounts, transfers, credits;
    create table accounts (account text primary key, cents bigint not null check (cents >= 0));
    -- What the service did.
    create table transfers (debited text, credited text, cents bigint not null);
    -- What the workers did, in the order in which they did it.
    create table credits (place bigserial, account text, seq bigint not null, cents bigint not null);
    delete from ordered_outbox; delete from ordered_counters;
    delete from ordered_progress; delete from ordered_repairs;";

/// What every account begins with.
pub(crate) const CENTS: i64 = 100_000;

pub(crate) fn account(number: u64) -> String {
    format!("account-{number}")
}

pub(crate) async fn connect(url: &str) -> Result<Client, PostgresError> {
    postgres::connect(url).await
}

pub(crate) fn pool(url: &str, size: usize) -> Result<Pool, Box<dyn Error>> {
    let manager = Manager::new(url.parse()?, NoTls);
    Ok(Pool::builder(manager).max_size(size).build()?)
}

/// Makes the tables anew.
pub(crate) async fn open(client: &mut Client, accounts: u64) -> Result<(), Box<dyn Error>> {
    postgres::migrate(client).await?;
    client.batch_execute(TABLES).await?;
    for number in 0..accounts {
        let open = "insert into accounts values ($1, $2)";
        client.execute(open, &[&account(number), &CENTS]).await?;
    }
    Ok(())
}

pub(crate) async fn transfers(client: &Client) -> Result<i64, PostgresError> {
    number(client, "select count(*) from transfers").await
}

pub(crate) async fn credits(client: &Client) -> Result<i64, PostgresError> {
    number(client, "select count(*) from credits").await
}

pub(crate) async fn cents(client: &Client) -> Result<i64, PostgresError> {
    number(client, "select sum(cents)::bigint from accounts").await
}

/// How many events the relay was asked for and published again.
pub(crate) async fn resent(client: &Client) -> Result<i64, PostgresError> {
    let query = "select coalesce(sum(resent), 0)::bigint from ordered_repairs";
    number(client, query).await
}

async fn number(client: &Client, query: &str) -> Result<i64, PostgresError> {
    Ok(client.query_one(query, &[]).await?.get(0))
}

/// Asks the outbox for what the inbox has not recorded, as `ordered outbox resend` does; answers of how many accounts.
/// A worker asks by itself where a later event shows that one is missing; of the last events of an account nothing
/// does.
pub(crate) async fn ask_for_the_rest(
    client: &Client,
    group: &str,
) -> Result<usize, Box<dyn Error>> {
    let query = "select counter.key, coalesce(progress.last_seq, 0) + 1, counter.last_seq
        from ordered_counters counter left join ordered_progress progress
            on progress.key = counter.key and progress.group_name = $1
        where coalesce(progress.last_seq, 0) < counter.last_seq";
    let behind = client.query(query, &[&group]).await?;
    for row in &behind {
        let seq = |column| Seq::new(u64::try_from(row.get::<_, i64>(column)).unwrap_or(0));
        let request = RepairRequest {
            group: group.to_owned(),
            key: Key::new(row.get::<_, &str>(0))?,
            from: seq(1)?,
            to: seq(2)?,
            by: "the demonstration".into(),
            fill: false,
        };
        repair::ask(client, &request).await?;
    }
    Ok(behind.len())
}

/// Of each account the seqs of the credits, in the order in which they were applied, and how many were staged.
pub(crate) async fn orders(
    client: &Client,
) -> Result<BTreeMap<String, (Vec<i64>, i64)>, PostgresError> {
    let mut orders: BTreeMap<String, (Vec<i64>, i64)> = BTreeMap::new();
    for row in client
        .query("select key, last_seq from ordered_counters", &[])
        .await?
    {
        orders.entry(row.get(0)).or_default().1 = row.get(1);
    }
    for row in client
        .query("select account, seq from credits order by place", &[])
        .await?
    {
        orders.entry(row.get(0)).or_default().0.push(row.get(1));
    }
    Ok(orders)
}
