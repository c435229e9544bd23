use std::collections::BTreeSet;

use ordered_core::event::Seq;
use ordered_core::publish::NewEvent;
use ordered_redis::sequencer::SequencerErrorKind;
use ordered_testkit::server::RedisServer;

use crate::support::list_broker::{ListBroker, builder, event};
use crate::support::{ask, key, raw};

#[tokio::test]
async fn each_key_is_numbered_by_itself_and_published_in_order() {
    let server = RedisServer::start().await.unwrap();
    let list = ListBroker::on(&server.url()).await;
    let sequencer = builder(&server.url(), list.clone())
        .await
        .connect()
        .await
        .unwrap();
    for (key, id, seq) in [("a", "1", 1), ("b", "2", 1), ("a", "3", 2)] {
        let staged = sequencer.stage(&event(key, id)).await.unwrap();
        assert_eq!(
            (staged.key.as_str(), staged.seq.get(), staged.id.as_str()),
            (key, seq, id)
        );
    }
    let many: Vec<NewEvent> = (10..20).map(|id| event("a", &id.to_string())).collect();
    let staged = sequencer.stage_all(&many).await.unwrap();
    let seqs: Vec<u64> = staged.iter().map(|staged| staged.seq.get()).collect();
    assert_eq!(seqs, (3..=12).collect::<Vec<_>>());
    list.has(13).await;
    let (last, repeats) = list.is_without_gaps().await;
    assert_eq!((last["a"], last["b"], repeats), (12, 1, 0));
}

#[tokio::test]
async fn an_event_that_is_staged_again_has_the_number_that_it_has() {
    let server = RedisServer::start().await.unwrap();
    let list = ListBroker::on(&server.url()).await;
    let sequencer = builder(&server.url(), list.clone())
        .await
        .connect()
        .await
        .unwrap();
    let twice = [event("a", "same"), event("a", "other"), event("a", "same")];
    let staged = sequencer.stage_all(&twice).await.unwrap();
    let seqs: Vec<u64> = staged.iter().map(|staged| staged.seq.get()).collect();
    assert_eq!(seqs, [1, 2, 1]);
    list.has(2).await;
    let again = sequencer.stage(&event("a", "same")).await.unwrap();
    assert_eq!(again.seq.get(), 1);
    // The same id under another key is another event.
    assert_eq!(
        sequencer
            .stage(&event("b", "same"))
            .await
            .unwrap()
            .seq
            .get(),
        1
    );
    list.has(3).await;
    sequencer.close().await;
    assert_eq!(list.is_without_gaps().await.1, 0);
    let status = sequencer.status().await.unwrap();
    assert_eq!((status.events, status.bytes, status.keys), (0, 0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_processes_number_the_same_keys() {
    const EVENTS: usize = 200;
    let server = RedisServer::builder()
        .appendfsync("no")
        .start()
        .await
        .unwrap();
    let list = ListBroker::on(&server.url()).await;
    let mut tasks = Vec::new();
    for process in 0..4 {
        let sequencer = builder(&server.url(), list.clone())
            .await
            .connect()
            .await
            .unwrap();
        tasks.push(tokio::spawn(async move {
            let mut seqs = Vec::new();
            for number in 0..EVENTS {
                let (key, id) = (format!("k{}", number % 3), format!("{process}-{number}"));
                let staged = sequencer.stage(&event(&key, &id)).await.unwrap();
                seqs.push((key, staged.seq.get()));
            }
            // It goes, and what it has not published is the others'.
            seqs
        }));
    }
    let mut all = BTreeSet::new();
    for task in tasks {
        for numbered in task.await.unwrap() {
            assert!(all.insert(numbered.clone()), "{numbered:?} is given twice");
        }
    }
    assert_eq!(all.len(), 4 * EVENTS);
    let last = builder(&server.url(), list.clone())
        .await
        .connect()
        .await
        .unwrap();
    list.has(4 * EVENTS).await;
    last.close().await;
    let (last, _) = list.is_without_gaps().await;
    assert_eq!(last.values().sum::<u64>(), 4 * EVENTS as u64);
}

#[tokio::test]
async fn a_counter_is_raised_and_never_lowered() {
    let server = RedisServer::start().await.unwrap();
    let list = ListBroker::on(&server.url()).await;
    let sequencer = builder(&server.url(), list.clone())
        .await
        .connect()
        .await
        .unwrap();
    for (to, next) in [(41, 42), (7, 43)] {
        sequencer
            .raise(&key("a"), Seq::new(to).unwrap())
            .await
            .unwrap();
        let staged = sequencer
            .stage(&event("a", &next.to_string()))
            .await
            .unwrap();
        assert_eq!(staged.seq.get(), next);
        list.has(usize::try_from(next - 41).unwrap()).await;
        let mut redis = raw(&server).await;
        ordered_testkit::eventually("it is settled", async || {
            ask::<u64>(&mut redis, "HEXISTS {ordered:%sequencer:orders}:first a").await == 0
        })
        .await;
    }
}

/// Better no number than one that was given before.
#[tokio::test]
async fn counters_that_are_gone_are_no_reason_to_begin_again() {
    let server = RedisServer::start().await.unwrap();
    let list = ListBroker::on(&server.url()).await;
    let sequencer = builder(&server.url(), list.clone())
        .await
        .connect()
        .await
        .unwrap();
    sequencer.stage(&event("a", "1")).await.unwrap();
    list.has(1).await;
    let _: String = ask(&mut raw(&server).await, "FLUSHALL").await;
    let error = sequencer.stage(&event("a", "2")).await.unwrap_err();
    assert_eq!(error.kind(), SequencerErrorKind::Refused);
    assert!(error.to_string().contains("`raise`"), "{error}");
}
