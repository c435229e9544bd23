//! The examples of the strategies, as their users run them: without arguments.

use std::process::Command;

use crate::support::processes::program_named;

/// Runs the example to its end, and looks for these words in what it tells.
async fn tells(example: &'static str, words: &[&str]) {
    let output = tokio::task::spawn_blocking(move || Command::new(program_named(example)).output());
    let ended = output.await.unwrap().unwrap();
    let told = String::from_utf8_lossy(&ended.stdout);
    let failed = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{told}{failed}");
    for words in words {
        assert!(told.contains(words), "{words:?} is missing in:\n{told}");
    }
    assert!(told.lines().count() <= 40, "more than a page:\n{told}");
}

const ONCE: &str = "in order, each event once.";

#[tokio::test]
async fn many_producers_of_one_entity() {
    let staged = "1000 events were staged";
    tells("many_producers", &[staged, "order-10: 100 events", ONCE]).await;
}

#[cfg(feature = "kafka")]
#[tokio::test]
async fn one_producer_for_each_entity_on_a_keyed_topic() {
    let words = [
        "a worker is stopped",
        "order-12: 1 to 60 over partition",
        ONCE,
    ];
    tells("keyed_topic", &words).await;
}

#[cfg(feature = "sqs")]
#[tokio::test]
async fn message_groups_of_a_fifo_queue() {
    let words = [
        "order-6: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]",
        "as it was sent, each event once.",
    ];
    tells("sqs_fifo", &words).await;
}

#[tokio::test]
async fn a_legacy_system_without_numbers() {
    tells(
        "legacy",
        &["customer-2: lines [1, 2, 3, 4, 5], as they arrived, each once"],
    )
    .await;
}

#[tokio::test]
async fn causes_before_effects_over_two_brokers() {
    let waits = "came over the fast broker, and waits";
    let right = "No comment before what it answers, each once.";
    tells("causal", &[waits, "bot: ada, it is 42", right]).await;
}

#[tokio::test]
async fn three_brokers_in_one_order() {
    let (one, three) = ("came over memory (1)", "came over memory (3)");
    tells("three_brokers", &[one, three, "#20 came over"]).await;
}

#[tokio::test]
async fn three_branches_with_clocks_of_their_own() {
    let words = [
        "a-7 waits for south (its clock is at 0, silent since",
        "a-7 waits for west (its clock is at 3, silent since",
        "balances  west-2 is late",
        "audit     west-2 is late",
        "Both groups ran the five in the order of their times and branches, each once.",
    ];
    tells("clocks", &words).await;
}
