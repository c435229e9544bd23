//! How far keys are: out to a file, and in from another system.

use std::process::Stdio;

use serde_json::json;
use tokio::io::AsyncWriteExt;

use crate::support::{CommandOutput, Fixture, TempFile};

async fn piped(fixture: &Fixture, line: &str, input: &str) -> CommandOutput {
    let mut command = fixture.command(&line.split(' ').collect::<Vec<_>>());
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).await.unwrap();
    drop(stdin);
    CommandOutput::of(child.wait_with_output().await.unwrap())
}

#[tokio::test]
async fn a_group_begins_in_the_middle_of_its_streams() {
    let fixture = Fixture::calm().await;
    let lines: String = (1..=600)
        .map(|number| format!("order-{number:03}\t{number}\n"))
        .collect();
    let import = "import - --group orders --create";
    let output = piped(&fixture, &format!("{import} --dry-run"), &lines)
        .await
        .ok();
    assert_eq!(output, "import would: set 600 of 600 positions");
    assert!(
        fixture
            .ordered("status")
            .await
            .fails(1)
            .contains("no worker has ever opened a group")
    );
    let output = piped(&fixture, &format!("{import} --yes"), &lines)
        .await
        .ok();
    assert_eq!(output, "import: set 600 of 600 positions");
    // A second time is harmless.
    let output = piped(&fixture, &format!("{import} --yes"), &lines)
        .await
        .ok();
    assert_eq!(output, "import: set 0 of 600 positions; 600 set already");

    let worker = fixture.start("w1", |worker| worker);
    fixture.publish("order-057", [59, 58]).await;
    fixture.until_done("order-057", 59).await;
    assert_eq!(fixture.handled("order-057"), [58, 59]);
    worker.stop().await;

    let document = piped(
        &fixture,
        &format!("{import} --yes --json"),
        "order-057\t3\nnew\t7\n",
    )
    .await;
    assert_eq!(
        document.json(),
        json!({
            "group": "orders", "dry_run": false, "positions": 2, "set": 1, "unchanged": 0, "ahead": 1, "failed": 0,
            "failures": [],
        })
    );
    let audit = fixture.ordered("audit --json").await.json();
    assert_eq!(
        (
            &audit["entries"][0]["verb"],
            &audit["entries"][0]["outcome"]
        ),
        (&json!("import"), &json!("1 key"))
    );
}

#[tokio::test]
async fn positions_go_out_and_come_in_again() {
    let fixture = Fixture::calm().await;
    let worker = fixture.start("w1", |worker| worker);
    for (key, last) in [("a", 3), ("b", 1), ("ü", 2)] {
        fixture.publish(key, 1..=last).await;
        fixture.until_done(key, last).await;
    }
    // Nothing is done of it, and so it has no position.
    fixture.publish("gap", [7]).await;
    fixture
        .until_at_rest("gap", "in a gap", |view| view.held_events == 1)
        .await;
    worker.stop().await;
    let out = fixture.ordered("export --positions").await.ok();
    assert_eq!(out, "a\t3\nb\t1\nü\t2");
    let ndjson = fixture.ordered("export --positions --json").await.ok();
    assert_eq!(ndjson.lines().next(), Some(r#"{"key":"a","last_seq":3}"#));
    assert_eq!(fixture.ordered("export b --positions").await.ok(), "b\t1");
    for lines in [out, ndjson] {
        let other = Fixture::calm().await;
        let line = "import - --group orders --create --yes";
        piped(&other, line, &lines).await.ok();
        let back = other.ordered("export --positions").await.ok();
        assert_eq!(back, "a\t3\nb\t1\nü\t2");
    }
}

#[tokio::test]
async fn bad_lines_are_named_and_nothing_is_imported() {
    let fixture = Fixture::calm().await;
    let worker = fixture.start("w1", |worker| worker);
    fixture.publish("k", [1]).await;
    fixture.until_done("k", 1).await;
    let file = TempFile::new("k\t7\nno tab\nk\t8\nx\tmany\n");
    let message = fixture
        .run(&["import", file.path(), "--yes"])
        .await
        .fails(5);
    for output in [
        "3 lines cannot be used, and nothing was imported",
        "\n  line 2: there is no tab between a key and a seq",
        "\n  line 3: the key is on line 1 already",
        "\n  line 4: what follows the tab is not a whole number",
    ] {
        assert!(message.contains(output), "{output}\n{message}");
    }
    assert_eq!(fixture.view("k").await.unwrap().last_seq, 1);
    let message = fixture.ordered("import /no/such/file --yes").await.fails(5);
    assert!(
        message.contains("/no/such/file cannot be read"),
        "{message}"
    );
    let message = fixture.ordered("import -").await.fails(2);
    assert!(message.contains("add --yes, or --dry-run"), "{message}");
    let good = TempFile::new("k\t7\n");
    let message = fixture.run(&["import", good.path()]).await.fails(2);
    assert!(
        message.contains("import would: set 1 of 1 positions"),
        "{message}"
    );
    worker.stop().await;
}
