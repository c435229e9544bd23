use ordered_core::internal::readable::printable;
use ordered_postgres::repair::{self, RepairRequest, RepairStatus};
use ordered_postgres::status::{
    self, LaggingKey, MOST_PENDING, OpenTransaction, OutboxStatus, RelayStatus,
};
use ordered_postgres::{connect, migrate, migrations};
use serde::Serialize;
use std::time::Duration;
use tokio::time::{Instant, sleep};

use crate::args::outbox::{Migrate, Outbox, Resend, Status};
use crate::failure::Failure;
use crate::operator;
use crate::output::{Report, print, table};
use crate::watch::show;

/// How often it is looked whether a request is answered.
const LOOK: Duration = Duration::from_millis(50);
/// From when on a transaction is shown as what holds events back.
const LONG: Duration = Duration::from_secs(1);

pub(crate) async fn run(command: &Outbox) -> Result<(), Failure> {
    match command {
        Outbox::Migrate(command) => run_migrate(command).await,
        Outbox::Status(command) => run_status(command).await,
        Outbox::Resend(command) => run_resend(command).await,
    }
}

async fn run_migrate(command: &Migrate) -> Result<(), Failure> {
    if command.print {
        let files =
            migrations().map(|(version, name, sql)| format!("-- {version:04} {name}\n{sql}"));
        let all: Vec<String> = files.collect();
        return print(&Report::new(&all, all.join("\n"))?, false);
    }
    let mut client = connect(&command.database.url).await?;
    let applied = migrate(&mut client).await?;
    let text = match &applied[..] {
        [] => "the tables are there already".to_owned(),
        [first, .., last] => format!("applied the migrations {first} to {last}"),
        [one] => format!("applied the migration {one}"),
    };
    print(&Report::new(&applied, text)?, false)
}

#[derive(Serialize)]
struct StatusDocument<'a> {
    pending_events: i64,
    oldest_pending_ms: Option<u128>,
    oldest_transaction: Option<TransactionDocument<'a>>,
    relays: Vec<RelayDocument<'a>>,
    lagging: i64,
    lagging_keys: Vec<LaggingDocument<'a>>,
    open_repairs: i64,
    size_bytes: i64,
}

#[derive(Serialize)]
struct TransactionDocument<'a> {
    pid: i32,
    database: &'a str,
    application: &'a str,
    state: &'a str,
    open_ms: u128,
}

#[derive(Serialize)]
struct RelayDocument<'a> {
    name: Option<&'a str>,
    alive: bool,
    shards: i64,
    published_ms_ago: Option<u128>,
}

#[derive(Serialize)]
struct LaggingDocument<'a> {
    key: &'a str,
    next_seq: i64,
    attempts: i32,
    error: Option<&'a str>,
    since_ms: u128,
}

async fn run_status(command: &Status) -> Result<(), Failure> {
    show(&command.view_args, async || {
        let client = connect(&command.database.url).await?;
        let status = status::status(&client).await?;
        Report::new(&document(&status), text(&status))
    })
    .await
}

fn document(status: &OutboxStatus) -> StatusDocument<'_> {
    let pending = &status.pending;
    StatusDocument {
        pending_events: pending.events,
        oldest_pending_ms: pending.oldest.map(|oldest| oldest.as_millis()),
        oldest_transaction: pending.oldest_transaction.as_ref().map(transaction),
        relays: status.relays.iter().map(relay).collect(),
        lagging: status.lagging,
        lagging_keys: status.lagging_keys.iter().map(lagging).collect(),
        open_repairs: status.open_repairs,
        size_bytes: status.size_bytes,
    }
}

fn transaction(open: &OpenTransaction) -> TransactionDocument<'_> {
    TransactionDocument {
        pid: open.pid,
        database: &open.database,
        application: &open.application,
        state: &open.state,
        open_ms: open.open_for.as_millis(),
    }
}

fn relay(relay: &RelayStatus) -> RelayDocument<'_> {
    RelayDocument {
        name: (!relay.name.is_empty()).then_some(&relay.name),
        alive: relay.alive,
        shards: relay.shards,
        published_ms_ago: relay.published.map(|published| published.as_millis()),
    }
}

fn lagging(key: &LaggingKey) -> LaggingDocument<'_> {
    LaggingDocument {
        key: &key.key,
        next_seq: key.next_seq,
        attempts: key.attempts,
        error: key.error.as_deref(),
        since_ms: key.since.as_millis(),
    }
}

fn text(status: &OutboxStatus) -> String {
    let pending = &status.pending;
    let events = match pending.events {
        0 => "nothing waits to be published".to_owned(),
        MOST_PENDING.. => format!("{MOST_PENDING} events or more wait to be published"),
        events => format!("{events} events wait to be published"),
    };
    let oldest = pending.oldest.map_or(String::new(), |oldest| {
        format!(", the oldest for {}", span(oldest))
    });
    let mut lines = vec![events + &oldest];
    if let Some(open) = &pending.oldest_transaction
        && open.open_for >= LONG
    {
        lines.push(format!(
            "a transaction has been open for {} and holds back what was staged after it began: {}",
            span(open.open_for),
            cause(open)
        ));
    }
    if !status.relays.iter().any(|relay| relay.alive) {
        lines.push("no relay is alive: start one with `ordered relay`".into());
    }
    if status.open_repairs > 0 {
        lines.push(format!(
            "{} requests for events wait for an answer",
            status.open_repairs
        ));
    }
    if status.lagging > 0 {
        lines.push(format!("{} keys are behind", status.lagging));
        let row = |key: &LaggingKey| {
            [
                printable(&key.key),
                key.next_seq.to_string(),
                key.attempts.to_string(),
                span(key.since),
                printable(key.error.as_deref().unwrap_or("-")),
            ]
        };
        let rows: Vec<[String; 5]> = status.lagging_keys.iter().map(row).collect();
        lines.push(table(
            ["KEY", "NEXT SEQ", "ATTEMPTS", "SINCE", "ERROR"],
            &rows,
        ));
    }
    let row = |relay: &RelayStatus| {
        let name = if relay.name.is_empty() {
            "(nobody)"
        } else {
            &relay.name
        };
        let published = relay
            .published
            .map_or("-".to_owned(), |ago| format!("{} ago", span(ago)));
        let alive = if relay.alive { "yes" } else { "no" };
        [
            printable(name),
            alive.into(),
            relay.shards.to_string(),
            published,
        ]
    };
    let rows: Vec<[String; 4]> = status.relays.iter().map(row).collect();
    lines.push(table(["RELAY", "ALIVE", "SHARDS", "PUBLISHED"], &rows));
    lines.join("\n")
}

fn cause(open: &OpenTransaction) -> String {
    let database = printable(&open.database);
    let application = printable(&open.application);
    if open.pid == 0 {
        return format!(
            "the prepared transaction `{application}` of the database `{database}` (`rollback prepared`)"
        );
    }
    format!(
        "the process {pid} of the database `{database}`, `{application}`, {state} (`select \
         pg_terminate_backend({pid})`)",
        pid = open.pid,
        state = printable(&open.state)
    )
}

#[derive(Serialize)]
struct RepairDocument {
    id: i64,
    answered: bool,
    resent: i64,
    pending: i64,
    missing: i64,
    removed: i64,
}

async fn run_resend(command: &Resend) -> Result<(), Failure> {
    let client = connect(&command.database.url).await?;
    let (from, to) = command.seqs;
    let request = RepairRequest {
        group: String::new(),
        key: command.key.clone(),
        from,
        to,
        by: command.who.clone().unwrap_or_else(operator::user_at_host),
        fill: false,
    };
    let id = repair::ask(&client, &request).await?;
    let deadline = Instant::now() + command.wait;
    loop {
        let requests = repair::requests(&client, &command.key, 100).await?;
        let status = requests.into_iter().find(|status| status.id == id);
        if let Some(status) = status.filter(|status| status.answered.is_some()) {
            return answered(&status, command.json);
        }
        if Instant::now() >= deadline {
            return Err(Failure::Busy(format!(
                "no relay has answered yet; the request stays, and is answered once one runs (number {id})"
            )));
        }
        sleep(LOOK).await;
    }
}

fn answered(status: &RepairStatus, as_json: bool) -> Result<(), Failure> {
    let parts = [
        (status.resent, "published again"),
        (status.pending, "not published yet: they come by themselves"),
        (
            status.removed,
            "removed after the retention: they cannot be published again",
        ),
        (status.missing, "never staged"),
    ];
    let lines: Vec<String> = parts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    let document = RepairDocument {
        id: status.id,
        answered: status.answered.is_some(),
        resent: status.resent,
        pending: status.pending,
        missing: status.missing,
        removed: status.removed,
    };
    print(&Report::new(&document, lines.join("\n"))?, as_json)?;
    if status.resent == 0 && status.pending == 0 {
        return Err(Failure::refused("nothing was published again"));
    }
    Ok(())
}

/// A duration as people say it.
pub(super) fn span(duration: Duration) -> String {
    match duration.as_secs() {
        0 => format!("{} ms", duration.as_millis()),
        seconds @ 1..120 => format!("{seconds} s"),
        seconds @ 120..7_200 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3_600),
    }
}
