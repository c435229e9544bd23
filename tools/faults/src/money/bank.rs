//! The accounts, and what they say in the end.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use deadpool_postgres::{Manager, Pool};
use ordered_events::core::admin::Admin;
use ordered_events::core::protocol::Policy;
use ordered_events::core::store::Group;
use ordered_events::postgres::repair::{self, RepairRequest};
use ordered_events::postgres::{connect, migrate};
use ordered_events::{Key, RedisStore, Seq};
use ordered_testkit::history::{Event, History, Line, Outcome, What};
use tokio_postgres::{Client, NoTls};

use crate::Error;

const TABLES: &str = "
    create table accounts (id text primary key, balance bigint not null);
    create table transfers (writer integer not null, amount bigint not null);
    create table credits (id text primary key, total bigint not null);
    create table applied (place bigserial, key text not null, seq bigint not null, id text not null,
        amount bigint not null,
        at timestamptz not null default clock_timestamp());";
const BALANCE: i64 = 1_000_000;

/// Keys whose events are not all applied.
const BEHIND: &str = "
    from ordered_counters counter left join ordered_progress progress
        on progress.key = counter.key and progress.group_name = $1
    where coalesce(progress.last_seq, 0) < counter.last_seq or progress.skipped <> '{}'";

pub(super) fn account(number: u64) -> String {
    format!("account-{number}")
}

/// How many events are staged and not applied.
pub(super) async fn under_way(client: &Client) -> Result<i64, tokio_postgres::Error> {
    let query = "select (select coalesce(sum(last_seq), 0)::bigint from ordered_counters) - (select count(*) from \
                 applied)";
    Ok(client.query_one(query, &[]).await?.get(0))
}

pub(super) struct Bank {
    pool: Pool,
    pub(super) group: String,
    accounts: i64,
}

/// How far it has come.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Progress {
    pub(super) transfers: i64,
    pub(super) applied: i64,
}

/// How many events there were.
pub(super) struct Applied {
    pub(super) staged: usize,
    pub(super) applied: usize,
}

impl Bank {
    pub(super) async fn open(url: &str, group: &str, accounts: u64) -> Result<Self, Error> {
        let mut client = connect(url).await?;
        migrate(&mut client).await?;
        client.batch_execute(TABLES).await?;
        let accounts = i64::try_from(accounts)?;
        let open = "insert into accounts select 'account-' || n, $1 from generate_series(0, $2::bigint - 1) n";
        client.execute(open, &[&BALANCE, &accounts]).await?;
        let manager = Manager::new(url.parse()?, NoTls);
        Ok(Self {
            pool: Pool::builder(manager).max_size(4).build()?,
            group: group.to_owned(),
            accounts,
        })
    }

    pub(super) async fn progress(&self) -> Result<Progress, Error> {
        let query = "select (select count(*) from transfers), (select count(*) from applied)";
        let row = self.pool.get().await?.query_one(query, &[]).await?;
        Ok(Progress {
            transfers: row.get(0),
            applied: row.get(1),
        })
    }

    pub(super) async fn is_at_the_end(&self) -> Result<bool, Error> {
        let query = format!("select count(*) {BEHIND}");
        let row = self
            .pool
            .get()
            .await?
            .query_one(&query, &[&self.group])
            .await?;
        Ok(row.get::<_, i64>(0) == 0)
    }

    /// Asks the outbox for all that is not applied, as `ordered outbox resend` does; of how many keys.
    pub(super) async fn request_missing_events(&self) -> Result<usize, Error> {
        let client = self.pool.get().await?;
        let query = format!(
            "select counter.key, coalesce(progress.last_seq, 0) + 1, counter.last_seq {BEHIND}"
        );
        let behind = client.query(&query, &[&self.group]).await?;
        for row in &behind {
            let seq = |column| Seq::new(row.get::<_, i64>(column).cast_unsigned());
            let request = RepairRequest {
                group: self.group.clone(),
                key: Key::new(row.get::<_, &str>(0))?,
                from: seq(1)?,
                to: seq(2)?,
                by: "an operator".into(),
                fill: false,
            };
            repair::ask(&client, &request).await?;
        }
        Ok(behind.len())
    }

    /// What is known of keys that did not come to their end.
    pub(super) async fn behind(&self, redis: &str) -> Result<Vec<String>, Error> {
        let query =
            format!("select counter.key, counter.last_seq, progress::text {BEHIND} limit 5");
        let rows = self.pool.get().await?.query(&query, &[&self.group]).await?;
        let admin = Admin::new(Arc::new(RedisStore::connect(redis).await?));
        let group = Group::new(&self.group, Policy::default());
        let mut told = Vec::new();
        for row in rows {
            let (key, last, progress): (&str, i64, Option<&str>) =
                (row.get(0), row.get(1), row.get(2));
            let view = admin.inspect(&group, &Key::new(key)?).await?;
            told.push(format!(
                "{key} is staged up to {last}; Postgres: {progress:?}; Redis: {view:?}"
            ));
        }
        Ok(told)
    }

    /// What does not add up.
    pub(super) async fn sums(&self) -> Result<Vec<String>, Error> {
        let query = "select (select sum(balance) from accounts)::bigint,
            (select coalesce(sum(total), 0) from credits)::bigint,
            (select coalesce(sum(amount), 0) from applied)::bigint,
            (select coalesce(sum(amount), 0) from transfers)::bigint";
        let row = self.pool.get().await?.query_one(query, &[]).await?;
        let (left, credited, applied, moved): (i64, i64, i64, i64) =
            (row.get(0), row.get(1), row.get(2), row.get(3));
        let all = BALANCE * self.accounts;
        let mut wrong = Vec::new();
        if left + credited != all {
            wrong.push(format!(
                "there were {all}, and there are {left} + {credited}"
            ));
        }
        if credited != applied || applied != moved {
            wrong.push(format!(
                "{moved} were moved, {credited} credited and {applied} applied"
            ));
        }
        Ok(wrong)
    }

    /// Writes down what was staged, what was applied, in the order of the commits of each key, and where Redis says
    /// that the keys stand.
    pub(super) async fn write_history(&self, path: &Path, redis: &str) -> Result<Applied, Error> {
        let client = self.pool.get().await?;
        let event = |row: &tokio_postgres::Row| Event {
            key: row.get(0),
            seq: row.get::<_, i64>(1).cast_unsigned(),
            id: row.get(2),
        };
        let at = |row: &tokio_postgres::Row| row.get::<_, i64>(3).cast_unsigned();
        let mut history = History::default();
        let staged = "select aggregate_id, seq, id, (extract(epoch from created_at) * 1000)::bigint from ordered_outbox
            order by xid, position";
        let staged = client.query(staged, &[]).await?;
        for row in &staged {
            let what = What::Published { event: event(row) };
            history.lines.push(Line { at: at(row), what });
        }
        let applied = "select key, seq, id, (extract(epoch from at) * 1000)::bigint from applied order by place";
        let applied = client.query(applied, &[]).await?;
        let worker = "a worker".to_owned();
        for row in &applied {
            let handled = What::Handled {
                event: event(row),
                worker: worker.clone(),
                outcome: Outcome::Done,
            };
            let committed = What::Committed {
                event: event(row),
                worker: worker.clone(),
            };
            for what in [handled, committed] {
                history.lines.push(Line { at: at(row), what });
            }
        }
        let admin = Admin::new(Arc::new(RedisStore::connect(redis).await?));
        let group = Group::new(&self.group, Policy::default());
        let keys = client
            .query("select key from ordered_counters", &[])
            .await?;
        let end = history.lines.last().map_or(0, |line| line.at);
        for row in &keys {
            let key: String = row.get(0);
            let view = admin.inspect(&group, &Key::new(&key)?).await?;
            let last_seq = view.map_or(0, |view| view.last_seq);
            let what = What::Standing { key, last_seq };
            history.lines.push(Line { at: end, what });
        }
        history.write(File::create(path)?)?;
        Ok(Applied {
            staged: staged.len(),
            applied: applied.len(),
        })
    }
}
