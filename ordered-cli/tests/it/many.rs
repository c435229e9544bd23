//! Verbs to many keys.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::{Duration, Instant};

use ordered_core::handler::OnExhausted;
use ordered_testkit::server::RedisServer;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::prompts::{answered, terminal};
use crate::support::halted_keys::{halt, halted_fixture};
use crate::support::{CommandOutput, Fixture, HandlerAction, Running};

/// Keys `a` and `b` are halted at 1 for one cause, `c` for another, `d` waits in a gap, and `e` goes well.
async fn failing_keys() -> (Fixture, Running) {
    let fixture = Fixture::new(|context, _| match context.key().as_str() {
        "a" | "b" if context.seq().get() == 1 => {
            HandlerAction::FailWith("no price for the article 4711")
        }
        "c" => HandlerAction::FailWith("the customer is unknown"),
        _ => HandlerAction::Succeed,
    })
    .await;
    let worker = fixture.start("w1", |worker| worker);
    for key in ["a", "b", "c", "e"] {
        fixture.publish(key, [1, 2]).await;
    }
    fixture.publish("d", [3]).await;
    for key in ["a", "b", "c"] {
        fixture
            .until_at_rest(key, "halted", |view| {
                view.phase == "halted" && view.held_events == 2
            })
            .await;
    }
    fixture
        .until_at_rest("d", "in a gap", |view| view.gap_since.is_some())
        .await;
    fixture.until_done("e", 2).await;
    (fixture, worker)
}

fn states(document: &Value) -> BTreeMap<&str, &str> {
    let keys = document["keys"].as_array().unwrap().iter();
    keys.map(|key| (key["key"].as_str().unwrap(), key["state"].as_str().unwrap()))
        .collect()
}

#[tokio::test]
async fn a_dry_run_says_to_which_keys_it_would_be_done() {
    let (fixture, worker) = failing_keys().await;
    assert_eq!(
        fixture
            .run(&["skip", "--error", "no price", "--dry-run"])
            .await
            .ok(),
        "skip would: 2 keys: dead-letter 2 events, release 2 events\n  \
         a: dead-letter 1 event (1); move the last seq from 0 to 1; release 1 event (2)\n  \
         b: dead-letter 1 event (1); move the last seq from 0 to 1; release 1 event (2)"
    );
    for (line, expected) in [
        ("retry --all --dry-run --json", "a b c"),
        ("retry --key [ab] --dry-run --json", ""),
        ("retry --key ? --halted --dry-run --json", "a b c"),
        ("skip --gap --dry-run --json", "d"),
        ("skip --gap --halted --dry-run --json", "a b c d"),
        ("skip --all --limit 2 --dry-run --json", "a b"),
        ("skip --all --older-than 1h --dry-run --json", ""),
        ("skip a d --dry-run --json", "a d"),
    ] {
        let output = fixture.ordered(line).await;
        if expected.is_empty() {
            assert!(output.fails(1).contains("is meant by that"), "{line}");
            continue;
        }
        let document = output.json();
        let planned: Vec<&str> = states(&document).into_keys().collect();
        assert_eq!(planned.join(" "), expected, "{line}");
        assert_eq!(document["more"], json!(line.contains("--limit")), "{line}");
        assert_eq!(document["left"], json!(planned.len()));
    }
    assert_eq!(
        fixture.ordered("audit").await.ok(),
        "no operator did anything yet"
    );
    worker.stop().await;
}

#[tokio::test]
async fn it_asks_with_the_number_of_keys_and_does_nothing_without_an_answer() {
    let (fixture, worker) = failing_keys().await;
    let message = fixture.ordered("retry --all").await.fails(2);
    assert!(
        message.contains("retry would: 3 keys: release 6 events"),
        "{message}"
    );
    assert!(message.contains("nothing was changed"), "{message}");
    let refused = answered(&fixture, "skip --all", "n").await;
    assert!(refused.fails(1).ends_with("nothing was changed"));
    let output = answered(&fixture, "skip d a", "y").await;
    assert_eq!(output.code, 0, "{output:?}");
    assert_eq!(
        output.out,
        "skip: 2 keys: dead-letter 1 event, release 2 events\n  \
         a: dead-letter 1 event (1); move the last seq from 0 to 1; release 1 event (2)\n  \
         d: pass over 1–2; move the last seq from 0 to 2; release 1 event (3)"
    );
    fixture.until_done("a", 2).await;
    fixture.until_done("d", 3).await;
    worker.stop().await;
}

#[tokio::test]
async fn keys_that_cannot_be_done_are_named_and_the_others_are_done() {
    let (fixture, worker) = failing_keys().await;
    let output = fixture.ordered("retry a e nobody --yes").await;
    assert_eq!(output.code, 1);
    assert_eq!(
        output.out,
        "retry: 1 key: release 2 events; 2 refused\n  \
         e: the key is neither halted nor backing off, so there is nothing to retry\n  \
         nobody: the key is not known: `ordered keys` lists those that are\n  \
         a: release 2 events (1–2)"
    );
    assert_eq!(output.err, "ordered: 2 of the keys were refused");
    let log = fixture.ordered("audit --json").await.json();
    let entries = log["entries"].as_array().unwrap();
    assert_eq!(entries.len(), 1);
    assert_eq!(
        (&entries[0]["verb"], &entries[0]["key"]),
        (&json!("retry"), &json!("a"))
    );
    worker.stop().await;
}

#[tokio::test]
async fn a_command_line_that_may_mean_all_keys_says_so() {
    let fixture = Fixture::calm().await;
    let worker = fixture.start("w1", |worker| worker);
    fixture.publish("k", [1]).await;
    fixture.until_done("k", 1).await;
    for (line, output) in [
        ("retry", "which keys?"),
        ("skip --yes", "which keys?"),
        ("retry k --all", "either --all, or the keys by name"),
        ("skip a b --to 3", "--to is of one key"),
        ("discard k", "which event?"),
        ("discard k 1 --error x", "add --dead"),
        ("discard --dead", "which keys?"),
        ("resume --older-than 1h", "is not kept"),
        ("replay a b --seq 3", "--seq is of one key"),
    ] {
        let message = fixture.ordered(line).await.fails(2);
        assert!(message.contains(output), "{line}: {message}");
    }
    worker.stop().await;
}

#[tokio::test]
async fn paused_keys_are_resumed_together() {
    let fixture = Fixture::calm().await;
    let worker = fixture.start("w1", |worker| worker);
    for key in ["k1", "k2", "other"] {
        fixture.publish(key, [1]).await;
        fixture.until_done(key, 1).await;
        fixture.ordered(&format!("pause {key}")).await.ok();
    }
    assert_eq!(
        fixture.run(&["resume", "--key", "k*", "--yes"]).await.ok(),
        "resume: 2 keys\n  k1: end the pause; release nothing\n  k2: end the pause; release nothing"
    );
    assert!(!fixture.view("k1").await.unwrap().paused);
    assert!(fixture.view("other").await.unwrap().paused);
    worker.stop().await;
}

#[tokio::test]
async fn dead_letters_are_replayed_and_deleted_by_their_error() {
    let fixture =
        Fixture::new(
            |context, text| match (context.key().as_str(), context.seq().get()) {
                ("a" | "b", 1) if text == "as-sent" => HandlerAction::FailWith("no price for 7"),
                ("b", 2) => HandlerAction::FailWith("no stock"),
                _ => HandlerAction::Succeed,
            },
        )
        .await;
    let worker = fixture.start("w1", |worker| worker.on_exhausted(OnExhausted::DeadLetter));
    for key in ["a", "b"] {
        fixture.publish(key, 1..=3).await;
        fixture.until_done(key, 3).await;
    }
    let output = fixture
        .run(&["discard", "--error", "no stock", "--yes"])
        .await
        .ok();
    assert_eq!(
        output,
        "b: discard: delete permanently 1 event (2); release nothing"
    );
    assert_eq!(
        fixture
            .run(&["replay", "--error", "no price for …", "--dry-run"])
            .await
            .ok(),
        "replay would: 2 keys: run again 2 events\n  a: run again 1 event (1)\n  b: run again 1 event (1)"
    );
    let message = fixture.ordered("replay").await.fails(2);
    assert!(message.contains("replay would: 2 keys"), "{message}");
    let output = fixture.ordered("discard --dead a b --yes").await.ok();
    assert!(
        output.starts_with("discard: 2 keys: delete permanently 2 events"),
        "{output}"
    );
    assert_eq!(
        fixture.ordered("dead").await.ok(),
        "there are no dead letters in the store"
    );
    worker.stop().await;
}

#[tokio::test]
async fn what_replay_prints_of_a_halted_key_is_what_it_did() {
    let fixture = Fixture::new(|context, _| match context.seq().get() {
        1 | 3 => HandlerAction::FailPermanently,
        _ => HandlerAction::Succeed,
    })
    .await;
    let worker = fixture.start("w1", |worker| worker);
    fixture.publish("k", 1..=3).await;
    fixture
        .until_at_rest("k", "halted", |view| view.phase == "halted")
        .await;
    fixture.ordered("skip k --yes").await.ok();
    fixture
        .until_at_rest("k", "halted at 3", |view| {
            view.phase == "halted" && view.last_seq == 2
        })
        .await;
    assert_eq!(
        fixture.ordered("replay k").await.ok(),
        "k: replay: run again 1 event (1) once the key goes on"
    );
    assert!(fixture.view("k").await.unwrap().dead[0].replay);
    worker.stop().await;
}

/// Calls of scripts that a server has carried out: one for each exchange.
async fn script_calls(server: &RedisServer) -> u64 {
    let mut stream = TcpStream::connect(("127.0.0.1", server.port()))
        .await
        .unwrap();
    stream
        .write_all(b"INFO commandstats\r\nQUIT\r\n")
        .await
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let calls = answer.lines().filter_map(|line| {
        let stats = line.strip_prefix("cmdstat_evalsha:calls=")?;
        stats.split(',').next()?.parse::<u64>().ok()
    });
    calls.sum()
}

#[tokio::test]
async fn two_thousand_keys_are_done_in_a_few_exchanges() {
    let server = RedisServer::start().await.unwrap();
    for verbs in [&["retry"][..], &["skip", "replay", "discard"]] {
        let fixture = halted_fixture(server.url(), 2_000).await;
        for verb in verbs {
            let before = script_calls(&server).await;
            let began = Instant::now();
            let line = format!("{verb} --all --yes --json");
            let document = fixture.ordered(&line).await.json();
            let took = began.elapsed();
            assert_eq!(document["done"], 2_000, "{verb}");
            // Two for each batch of 250 keys, and a few to open the group and for the lease.
            let calls = script_calls(&server).await - before;
            assert!(calls < 30, "{verb}: {calls} calls for 2,000 keys");
            eprintln!("{verb} of 2,000 keys took {took:?}, with {calls} calls of scripts");
            // Two seconds are aimed at; a machine that is busy with other tests takes longer.
            assert!(took < Duration::from_secs(20), "{verb}: {took:?}");
            let again = fixture.ordered(&line).await.fails(1);
            assert!(again.contains("is meant by that"), "{again}");
        }
    }
}

#[tokio::test]
async fn on_a_terminal_a_line_says_how_far_it_is() {
    let fixture = halted_fixture(RedisServer::shared().await.unwrap().url(), 600).await;
    let (mut screen, error) = terminal();
    let mut command = fixture.command(&["skip", "--all", "--yes"]);
    let child = command
        .stdout(Stdio::piped())
        .stderr(error)
        .spawn()
        .unwrap();
    // The end that the test has open belongs to the command.
    drop(command);
    let shown = tokio::task::spawn_blocking(move || {
        let mut shown = Vec::new();
        // A terminal whose other end is closed answers with an error.
        let _ = std::io::Read::read_to_end(&mut screen, &mut shown);
        String::from_utf8(shown).unwrap()
    });
    let output = CommandOutput::of(child.wait_with_output().await.unwrap());
    assert!(
        output
            .out
            .starts_with("skip: 600 keys: dead-letter 600 events"),
        "{output:?}"
    );
    let shown = shown.await.unwrap();
    for line in [
        "skip: 0 of 600 keys",
        "skip: 250 of 600 keys",
        "skip: 600 of 600 keys",
    ] {
        assert!(shown.contains(line), "{line}\n{shown:?}");
    }
    assert!(
        shown.ends_with("\r\x1b[K"),
        "the line is gone at the end: {shown:?}"
    );
}

#[tokio::test]
async fn what_is_interrupted_says_how_far_it_came_and_is_repeated() {
    let fixture = halted_fixture(RedisServer::shared().await.unwrap().url(), 600).await;
    // A worker that is alive has one of the keys: without the interruption it would be waited for.
    let owner = halt(&fixture, "k00600", false).await;
    let command = "retry --all --wait 1h --yes";
    let mut child = fixture
        .command(&command.split(' ').collect::<Vec<_>>())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = [0; 64];
    let stderr = child.stderr.as_mut().unwrap();
    stderr.read_exact(&mut output).await.unwrap();
    assert!(String::from_utf8_lossy(&output).contains("waiting up to"));
    interrupt(child.id().unwrap());
    let output = child.wait_with_output().await.unwrap();
    let output = CommandOutput::of(output);
    assert_eq!(output.code, 130, "{output:?}");
    assert!(
        output
            .err
            .contains("interrupted after 600 of 601 keys: what was done stays done"),
        "{output:?}"
    );
    assert!(
        output.out.starts_with("retry: 600 keys: release"),
        "{output:?}"
    );
    drop(owner);
    let output = fixture.ordered("retry --all --force --yes").await.ok();
    assert!(
        output.starts_with("k00600: retry: release 2 events"),
        "{output}"
    );
}

fn interrupt(process: u32) {
    let process = rustix::process::Pid::from_raw(process.try_into().unwrap()).unwrap();
    rustix::process::kill_process(process, rustix::process::Signal::INT).unwrap();
}

#[tokio::test]
async fn a_worker_that_keeps_its_key_is_named_and_the_others_are_done() {
    let fixture = halted_fixture(RedisServer::shared().await.unwrap().url(), 3).await;
    let owner = halt(&fixture, "k00003", false).await;
    let output = fixture.ordered("retry --all --wait 300ms --yes").await;
    assert_eq!(output.code, 6, "{output:?}");
    assert!(
        output.out.starts_with("retry: 3 keys: release"),
        "{output:?}"
    );
    assert!(
        output.out.contains("k00003: worker w-k00003 has the key"),
        "{output:?}"
    );
    assert!(output.err.contains("1 of the keys failed"), "{output:?}");
    drop(owner);
}
