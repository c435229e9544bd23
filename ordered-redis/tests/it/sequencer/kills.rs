use std::process::{Child, Command, Stdio};
use std::time::Duration;

use ordered_testkit::eventually_within;
use ordered_testkit::server::RedisServer;

use crate::support::list_broker::{ListBroker, builder, event};
use crate::support::{ask, raw};

/// Where a process that is to be killed finds Redis.
const URL: &str = "ORDERED_SEQUENCER_REDIS";
const KILLS: usize = 20;
const KEYS: usize = 5;
/// In each life a process publishes at least so many events that were not published before.
const A_LIFE: u64 = 40;
const TIMEOUT: Duration = Duration::from_secs(60);

/// A process that stages and publishes, and is killed while it does.
#[tokio::test]
async fn a_process_to_be_killed() {
    let Ok(url) = std::env::var(URL) else {
        // It is a part of the test below.
        return;
    };
    let list = ListBroker::on(&url)
        .await
        .confirms_after(Duration::from_millis(3));
    let sequencer = builder(&url, list).await.connect().await.unwrap();
    for number in 0.. {
        let id = |key: usize| format!("{}-{number}-{key}", std::process::id());
        let events: Vec<_> = (0..KEYS)
            .map(|key| event(&format!("key-{key}"), &id(key)))
            .collect();
        sequencer.stage_all(&events).await.unwrap();
        // Not more than is published, so that each life gets to events of its own.
        while sequencer.status().await.unwrap().events > 50 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

/// How many events are published, those that came twice counted once.
async fn published(list: &ListBroker) -> u64 {
    list.is_without_gaps().await.0.values().sum()
}

fn process(url: &str) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["sequencer::kills::a_process_to_be_killed", "--exact"])
        .env(URL, url)
        .stdout(Stdio::null());
    command.spawn().unwrap()
}

#[tokio::test]
async fn kills_between_number_and_confirm_leave_no_gap_and_no_double_number() {
    let server = RedisServer::builder()
        .appendfsync("no")
        .start()
        .await
        .unwrap();
    let (url, mut redis) = (server.url(), raw(&server).await);
    let list = ListBroker::on(&url).await;
    let mut left_behind = 0;
    for kill in 1..=KILLS {
        let before = published(&list).await;
        let mut process = process(&url);
        eventually_within(TIMEOUT, "the process publishes", async || {
            assert!(
                process.try_wait().unwrap().is_none(),
                "it has ended by itself"
            );
            published(&list).await >= before + A_LIFE
        })
        .await;
        process.kill().unwrap();
        process.wait().unwrap();
        let kept: u64 = ask(&mut redis, "HGET {ordered:%sequencer:orders}:meta events").await;
        left_behind += usize::from(kept > 0);
        println!("kill {kill}: {kept} events were numbered and not confirmed");
    }
    assert!(
        left_behind > KILLS / 2,
        "only {left_behind} kills fell between number and confirm"
    );
    // Whoever runs next publishes what was left.
    let sequencer = builder(&url, list.clone()).await.connect().await.unwrap();
    eventually_within(TIMEOUT, "nothing is kept", async || {
        sequencer.status().await.unwrap().events == 0
    })
    .await;
    sequencer.close().await;
    let (last, repeats) = list.is_without_gaps().await;
    assert_eq!(last.len(), KEYS);
    let mut total = 0;
    for (key, last) in &last {
        let words = format!("HGET {{ordered:%sequencer:orders}}:last {key}");
        let counter: u64 = ask(&mut redis, &words).await;
        assert_eq!(
            counter, *last,
            "{key}: a number was given and never published"
        );
        total += last;
    }
    println!(
        "{KILLS} kills, {left_behind} with events left behind: {total} events, {repeats} came twice, no gap"
    );
    for left in ["first", "kept", "due", "claims"] {
        let exists: u64 = ask(
            &mut redis,
            &format!("EXISTS {{ordered:%sequencer:orders}}:{left}"),
        )
        .await;
        assert_eq!(exists, 0, "{left}");
    }
}
