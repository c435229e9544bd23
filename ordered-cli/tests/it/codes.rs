//! Exit codes, and messages that say what to do.

use ordered_core::protocol::{Policy, WorkerId};
use ordered_core::store::{Group, Store};

use crate::support::{CommandOutput, Fixture, TempFile};

async fn with_store(fixture: &Fixture, url: &str) -> CommandOutput {
    let mut command = fixture.command(&["status"]);
    CommandOutput::of(command.env("ORDERED_STORE", url).output().await.unwrap())
}

#[tokio::test]
async fn a_store_that_cannot_be_reached_is_3() {
    let fixture = Fixture::calm().await;
    let message = with_store(&fixture, "redis://127.0.0.1:1").await.fails(3);
    assert!(
        message.starts_with("ordered: Redis at 127.0.0.1:1 cannot be reached: is it running, and is this its address?"),
        "{message}"
    );
}

#[tokio::test]
async fn a_store_that_refuses_is_4_and_no_password_is_shown() {
    let server = ordered_testkit::server::RedisServer::builder()
        .setting("requirepass", "right")
        .start()
        .await
        .unwrap();
    let fixture = Fixture::calm().await;
    let url = format!("redis://:wrong-word@127.0.0.1:{}", server.port());
    let message = with_store(&fixture, &url).await.fails(4);
    assert!(!message.contains("wrong-word"), "{message}");
    assert!(message.contains("refuses the user"), "{message}");
}

#[cfg(feature = "tls")]
#[tokio::test]
async fn a_store_behind_tls_is_looked_at_where_its_certificate_is_trusted() {
    use ordered_testkit::server::{AUTHORITY_FILE, RedisServer};

    let server = RedisServer::builder().tls().start().await.unwrap();
    let fixture = Fixture::calm().await;
    let url = server.tls_url().unwrap();
    let message = with_store(&fixture, &url).await.fails(4);
    assert!(message.contains("SSL_CERT_FILE"), "{message}");
    let mut trusting = fixture.command(&["status"]);
    trusting
        .env("ORDERED_STORE", &url)
        .env("SSL_CERT_FILE", AUTHORITY_FILE);
    let message = CommandOutput::of(trusting.output().await.unwrap()).fails(1);
    assert!(
        message.contains("no worker has ever opened a group"),
        "{message}"
    );
}

#[tokio::test]
async fn an_address_that_is_none_is_2() {
    let fixture = Fixture::calm().await;
    let message = with_store(&fixture, "memory://here").await.fails(2);
    assert!(
        message.contains("a memory:// store lives in the process of its workers"),
        "{message}"
    );
    let message = with_store(&fixture, "postgres://h").await.fails(2);
    assert!(
        message.contains("there is no store for `postgres://`; there are: redis://"),
        "{message}"
    );
    let message = with_store(&fixture, "my-password").await.fails(2);
    assert_eq!(
        message,
        "ordered: the store is a URL, such as redis://host:6379"
    );
    let mut command = fixture.command(&["status"]);
    let output = CommandOutput::of(command.env_remove("ORDERED_STORE").output().await.unwrap());
    assert_eq!(
        output.fails(2),
        "ordered: which store? Give it with --store redis://host:6379, or set ORDERED_STORE"
    );
}

#[tokio::test]
async fn the_group_is_the_only_one_or_has_to_be_named() {
    let fixture = Fixture::calm().await;
    let message = fixture.ordered("status").await.fails(1);
    assert!(
        message.starts_with(
            "ordered: no worker has ever opened a group in this store under the prefix `cli-"
        ),
        "{message}"
    );
    let open = async |name: &str| {
        let group = Group::new(name, Policy::default());
        fixture
            .store
            .open(&group, &WorkerId::new("w"))
            .await
            .unwrap();
    };
    open("orders").await;
    assert_eq!(fixture.ordered("keys").await.ok(), "no key was ever seen");
    open("bills").await;
    assert_eq!(
        fixture.ordered("keys").await.fails(2),
        "ordered: which group? There are: bills, orders. Give one with --group, or set ORDERED_GROUP"
    );
    fixture.ordered("keys --group bills").await.ok();
    let mut command = fixture.command(&["keys"]);
    CommandOutput::of(
        command
            .env("ORDERED_GROUP", "bills")
            .output()
            .await
            .unwrap(),
    )
    .ok();
    assert_eq!(
        fixture.ordered("keys --group bill").await.fails(1),
        "ordered: there is no group `bill` in this store; there are: bills, orders"
    );
    let status = fixture.ordered("status --json").await.json();
    assert_eq!(status["groups"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn what_is_not_there_or_cannot_be_done_is_1() {
    let fixture = Fixture::calm().await;
    let worker = fixture.start("w1", |worker| worker);
    fixture.publish("k", [1]).await;
    fixture.until_done("k", 1).await;
    let unknown =
        "ordered: x is not known to the group `orders`: `ordered keys` lists those that are";
    for line in ["held x", "dead x", "export x", "replay x"] {
        assert_eq!(fixture.ordered(line).await.fails(1), unknown, "{line}");
    }
    let refused = [
        (
            "retry k",
            "k: the key is neither halted nor backing off, so there is nothing to retry",
        ),
        (
            "skip k --yes",
            "k: nothing stands in the way of the key: no event failed, and none is missing",
        ),
        ("skip k --to 1 --yes", "k: the key is past that seq already"),
        (
            "discard k 9 --yes",
            "k: no such event is held or dead-lettered",
        ),
        ("set-last k 1 --yes", "k: it is so already"),
        ("replay k", "k: no such event is held or dead-lettered"),
        (
            "retry x",
            "x: the key is neither halted nor backing off, so there is nothing to retry (the key is not known: \
             `ordered keys` lists those that are)",
        ),
    ];
    for (line, message) in refused {
        assert_eq!(
            fixture.ordered(line).await.fails(1),
            format!("ordered: {message}"),
            "{line}"
        );
    }
    worker.stop().await;
}

#[tokio::test]
async fn a_command_line_that_cannot_be_used_is_2_and_a_file_that_cannot_be_read_5() {
    let fixture = Fixture::calm().await;
    let message = fixture.ordered("discard k nine").await.fails(2);
    assert!(message.contains("a seq is a whole number"), "{message}");
    let message = fixture.ordered("edit k 3 --payload -").await.fails(2);
    assert!(message.contains("add --yes, or --dry-run"), "{message}");
    let gone = TempFile::new("");
    std::fs::remove_file(&gone.0).unwrap();
    let message = fixture
        .run(&["edit", "k", "3", "--yes", "--payload", gone.path()])
        .await
        .fails(5);
    assert!(
        message.contains("cannot be read: No such file"),
        "{message}"
    );
}

#[tokio::test]
async fn a_history_is_held_against_the_promises() {
    let fixture = Fixture::calm().await;
    let event = |line, seq| {
        format!(
            r#"{{"line": "{line}", "key": "k", "seq": {seq}, "id": "e-{seq}", "worker": "w1"}}"#
        )
    };
    let whole = ["published", "handled", "committed"].map(|line| event(line, 1));
    let good = TempFile::new(&whole.join("\n"));
    assert_eq!(
        fixture.run(&["verify", good.path()]).await.ok(),
        "3 lines, and no promise was broken"
    );
    let bad = TempFile::new(&[event("published", 1), event("committed", 1)].join("\n"));
    let output = fixture.run(&["verify", bad.path()]).await;
    assert_eq!(
        (output.code, output.out.as_str(), output.err.as_str()),
        (
            1,
            "line 2: once: k 1 committed, and its handler had not got done",
            "ordered: a promise was broken"
        )
    );
    let nonsense = TempFile::new("{");
    let message = fixture.run(&["verify", nonsense.path()]).await.fails(5);
    assert!(
        message.contains("line 1 is not one of a history"),
        "{message}"
    );
}

#[tokio::test]
async fn without_a_terminal_nothing_is_destroyed_unless_it_is_said() {
    let fixture = Fixture::calm().await;
    let worker = fixture.start("w1", |worker| worker);
    fixture.publish("k", [3]).await;
    fixture
        .until("k", "in a gap", |view| view.held_events == 1)
        .await;
    for line in ["skip k", "discard k 3", "set-last k 7"] {
        let message = fixture.ordered(line).await.fails(2);
        assert!(message.contains(" would: "), "the plan: {message}");
        assert!(
            message.ends_with("nothing was changed, because there is no terminal to ask at: look with --dry-run, and \
                               do it with --yes"),
            "{message}"
        );
    }
    assert_eq!(fixture.view("k").await.unwrap().held_events, 1);
    worker.stop().await;
}
