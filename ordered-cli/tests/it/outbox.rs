//! `ordered outbox` and `ordered relay`, with processes that are killed.

use std::collections::BTreeMap;
use std::process::Stdio;

use ordered_core::transport::{ConsumeOptions, Disposition, Settlement, Transport};
use ordered_testkit::server::{PostgresServer, RabbitServer};
use ordered_testkit::{eventually, unique};
use tokio::process::{Child, Command};

use crate::support::{CommandOutput, Fixture};

struct Outbox {
    server: &'static PostgresServer,
    url: String,
    database: String,
}

impl Outbox {
    async fn empty() -> Self {
        let server = PostgresServer::shared().await.unwrap();
        let url = server.database().await.unwrap();
        let database = url.rsplit('/').next().unwrap().to_owned();
        Self {
            server,
            url,
            database,
        }
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ordered"));
        command
            .args(line.split(' '))
            .env("ORDERED_OUTBOX", &self.url)
            .env("USER", "ada")
            .env_remove("ORDERED_STORE")
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    async fn ordered(&self, line: &str) -> CommandOutput {
        CommandOutput::of(self.command(line).output().await.unwrap())
    }

    async fn sql(&self, sql: &str) -> String {
        let output = self.server.sql(&self.database, sql).await.unwrap();
        output.trim().to_owned()
    }

    /// Stages so many events of each of ten keys, one after the other in turns.
    async fn stage(&self, rounds: u32) {
        self.sql(&format!(
            "select ordered_stage('order', 'key-' || key, 'placed', '{{}}') from generate_series(1, {rounds}) round, \
             generate_series(0, 9) key"
        ))
        .await;
    }

    fn relay(&self, rabbit: &RabbitServer, queue: &str, name: &str) -> Child {
        self.command(&format!(
            "relay --queue {queue} --name {name} --batch 100 --lease 1s --poll-interval 10ms"
        ))
        .env("ORDERED_TRANSPORT", rabbit.url())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
    }
}

#[tokio::test]
async fn a_relay_that_is_killed_is_replaced_by_another_and_rabbitmq_gets_every_event_in_order() {
    let rabbit = RabbitServer::start().await.unwrap();
    let outbox = Outbox::empty().await;
    let migrated = outbox.ordered("outbox migrate").await.ok();
    assert!(migrated.starts_with("applied the migration"), "{migrated}");
    outbox.stage(400).await;
    let queue = unique("events");
    let transport = ordered_events::transport(&rabbit.url(), &queue)
        .await
        .unwrap();
    let max_unsettled = 10_000;
    transport
        .start(ConsumeOptions { max_unsettled })
        .await
        .unwrap();

    let mut first = outbox.relay(&rabbit, &queue, "first");
    let mut seen = Seen::default();
    seen.until(&*transport, 200).await;
    let mut second = outbox.relay(&rabbit, &queue, "second");
    eventually("the second has its part", async || {
        outbox
            .ordered("outbox status")
            .await
            .ok()
            .contains("second  yes")
    })
    .await;
    outbox.stage(300).await;
    first.kill().await.unwrap();
    outbox.stage(300).await;
    seen.until(&*transport, 10_000).await;
    for (key, last) in &seen.last {
        assert_eq!(*last, 1_000, "{key}");
    }
    eventually("nothing waits, and the second has all", async || {
        let status = outbox.ordered("outbox status --json").await.json();
        let relays = status["relays"].as_array().unwrap();
        status["pending_events"] == 0
            && relays
                .iter()
                .any(|relay| relay["name"] == "second" && relay["shards"] == 16)
    })
    .await;

    let again = outbox.ordered("outbox resend key-3 7..9").await.ok();
    assert_eq!(again, "3 published again");
    seen.until(&*transport, 10_003).await;
    let nothing = outbox.ordered("outbox resend key-3 1001").await;
    assert_eq!((nothing.code, &*nothing.out), (1, "1 never staged"));
    let asked = "select distinct asked_by like 'ada@%' from ordered_repairs";
    assert_eq!(outbox.sql(asked).await, "t");

    // SIGTERM: it gives its shards back.
    let pid = second.id().unwrap().to_string();
    let term = Command::new("kill").arg(pid).status().await.unwrap();
    assert!(term.success());
    assert!(second.wait().await.unwrap().success());
    let status = outbox.ordered("outbox status").await.ok();
    assert!(status.contains("no relay is alive"), "{status}");
    assert!(status.contains("(nobody)  no         16"), "{status}");
}

/// What came, of each key up to where; repeated events are counted, too.
#[derive(Default)]
struct Seen {
    last: BTreeMap<String, u64>,
    different: usize,
    repeated: usize,
}

impl Seen {
    /// Takes events until there were so many, where those of a key that are asked for again count again.
    async fn until(&mut self, transport: &dyn Transport, events: usize) {
        let beyond = events > 10_000;
        while (self.different < events && !beyond) || (beyond && self.repeated < events - 10_000) {
            let deliveries = transport.receive(1_000).await.unwrap();
            let mut settlements = Vec::new();
            for delivery in deliveries {
                let headers = &delivery.envelope.headers;
                let seq: u64 = headers["x-ordered-seq"].parse().unwrap();
                let last = self
                    .last
                    .entry(headers["x-ordered-key"].clone())
                    .or_default();
                assert!(seq <= *last + 1, "{headers:?} came after {last}");
                if seq > *last {
                    *last = seq;
                    self.different += 1;
                } else {
                    self.repeated += 1;
                }
                settlements.push(Settlement {
                    token: delivery.token,
                    disposition: Disposition::Ack,
                });
            }
            transport.settle(settlements).await.unwrap();
        }
    }
}

#[tokio::test]
async fn each_mistake_has_its_exit_code_and_says_what_to_do() {
    let outbox = Outbox::empty().await;
    let missing = outbox.ordered("outbox status").await.fails(4);
    assert!(missing.contains("ordered outbox migrate"), "{missing}");
    let nowhere = "outbox status --outbox postgres://me:secret@127.0.0.1:1/x";
    let nowhere = outbox.ordered(nowhere).await.fails(3);
    assert!(nowhere.contains("cannot be reached") && !nowhere.contains("secret"));
    let malformed = outbox
        .ordered("outbox migrate --outbox mysql://x")
        .await
        .fails(2);
    assert!(
        malformed.contains("postgres://user@host/database"),
        "{malformed}"
    );

    outbox.ordered("outbox migrate").await.ok();
    assert_eq!(
        outbox.ordered("outbox migrate").await.ok(),
        "the tables are there already"
    );
    let unanswered = outbox.ordered("outbox resend k 1 --wait 0s").await.fails(6);
    assert!(unanswered.contains("no relay has answered"), "{unanswered}");
    let waiting = outbox.ordered("outbox status").await.ok();
    assert!(waiting.contains("1 requests for events wait"), "{waiting}");
    let range = outbox.ordered("outbox resend k 3..1").await;
    assert_eq!(range.code, 2);
    assert!(range.err.contains("1 lies before 3"), "{}", range.err);

    let relay = "relay --queue q --transport amqp://127.0.0.1:1";
    let broker = outbox.ordered(relay).await.fails(4);
    assert!(broker.contains("RabbitMQ cannot be reached"), "{broker}");
    let unknown = "relay --queue q --transport nats://x";
    let unknown = outbox.ordered(unknown).await.fails(2);
    assert!(
        unknown.contains("there is no transport for `nats://`"),
        "{unknown}"
    );
}

#[tokio::test]
async fn the_printed_migrations_are_those_that_are_applied() {
    let outbox = Outbox::empty().await;
    let printed = outbox.ordered("outbox migrate --print").await.ok();
    outbox.sql(&printed).await;
    let mut twice = outbox.command("outbox migrate");
    assert!(
        CommandOutput::of(twice.output().await.unwrap())
            .ok()
            .starts_with("applied")
    );
    outbox.stage(1).await;
}

#[tokio::test]
async fn a_transaction_that_holds_events_back_is_named() {
    let outbox = Outbox::empty().await;
    let sql = "begin; select pg_current_xact_id(); prepare transaction 'forgotten'";
    let server = PostgresServer::builder()
        .setting("max_prepared_transactions", "1")
        .start()
        .await
        .unwrap();
    server.sql("postgres", sql).await.unwrap();
    let url = server.database().await.unwrap();
    let line = format!("outbox migrate --outbox {url}");
    outbox.ordered(&line).await.ok();
    eventually("it has been open for long enough", async || {
        let line = format!("outbox status --outbox {url}");
        let status = outbox.ordered(&line).await.ok();
        status.contains("holds back what was staged after it began: the prepared transaction `forgotten` of the \
                         database `postgres`")
    })
    .await;
}

#[tokio::test]
async fn explain_says_what_the_outbox_was_asked_for_and_what_the_relay_answered() {
    let fixture = Fixture::calm().await;
    let outbox = Outbox::empty().await;
    outbox.ordered("outbox migrate").await.ok();
    let worker = fixture.start("w1", |worker| worker);
    fixture.publish("key-1", 1..=1).await;
    fixture.until_done("key-1", 1).await;
    worker.stop().await;
    let explain = format!("explain key-1 --outbox {}", outbox.url);
    let output = fixture.ordered(&explain).await.ok();
    assert!(
        output.contains("No worker of the group has asked the outbox for events of key-1."),
        "{output}"
    );

    let asked = "insert into ordered_repairs
        (group_name, key, shard, from_seq, to_seq, asked_by, fill, next_seq, answered_at, resent, removed) values";
    // Somebody else's, and one that nobody has answered yet.
    let rows = "('', 'key-1', ordered_shard('key-1'), 1, 1, 'ada', false, 1, now(), 1, 0),
        ('orders', 'key-1', ordered_shard('key-1'), 2, 3, 'w1', true, 2, null, 0, 0)";
    outbox.sql(&format!("{asked} {rows}")).await;
    let output = fixture.ordered(&explain).await.ok();
    assert!(
        output.contains("Worker w1 asked the outbox for seq 2 to 3 "),
        "{output}"
    );
    assert!(output.contains("no relay has answered yet"), "{output}");

    let answered = "update ordered_repairs set answered_at = clock_timestamp(), removed = 1, resent = 1 where fill";
    outbox.sql(answered).await;
    let output = fixture.ordered(&explain).await.ok();
    let words = "1 published again; 1 removed after the retention, and cannot be published again.";
    assert!(
        output.contains("The relay answered ") && output.contains(words),
        "{output}"
    );
    let json = fixture.ordered(&format!("{explain} --json")).await.ok();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["outbox"]["request"]["removed"], 1);

    // That Postgres is not there hides nothing of the rest.
    let nowhere = "explain key-1 --outbox postgres://127.0.0.1:1/x";
    let output = fixture.ordered(nowhere).await.ok();
    assert!(output.contains("key-1 is idle"), "{output}");
    assert!(
        output.contains("The outbox could not be asked: Postgres at 127.0.0.1:1"),
        "{output}"
    );
}
