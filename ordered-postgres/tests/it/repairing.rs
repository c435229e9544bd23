use ordered_core::transport::TransportError;
use ordered_core::worker::Control;
use ordered_postgres::repair::{self, RepairRequest};
use ordered_testkit::eventually;

use crate::support::recording_publisher::RecordingPublisher;
use crate::support::{Running, ask, connect, database, relay, request, stage};

#[tokio::test]
async fn events_that_are_asked_for_are_published_again_in_order() {
    let url = database().await;
    let mut client = connect(&url).await;
    let publisher = RecordingPublisher::new();
    let _relay = Running::start(relay(&url, &publisher));
    for _ in 0..120 {
        stage(&mut client, &["k"; 10]).await;
    }
    publisher.has(1_200).await;
    let answer = ask(&client, &request("k", 3, 5)).await;
    assert_eq!((answer.resent, answer.missing, answer.removed), (3, 0, 0));
    assert_eq!(publisher.seqs("k")[1_200..], [3, 4, 5]);
    // More than one turn's worth.
    let answer = ask(&client, &request("k", 1, 1_200)).await;
    assert_eq!((answer.resent, answer.pending), (1_200, 0));
    let again: Vec<u64> = (1..=1_200).collect();
    assert_eq!(publisher.seqs("k")[1_203..], again);
    assert_eq!(answer.request, request("k", 1, 1_200));
}

#[tokio::test]
async fn what_was_never_staged_is_filled_for_workers_and_only_told_to_people() {
    let url = database().await;
    let mut client = connect(&url).await;
    let publisher = RecordingPublisher::new();
    let _relay = Running::start(relay(&url, &publisher));
    stage(&mut client, &["k", "k"]).await;
    publisher.has(2).await;
    let person = RepairRequest {
        fill: false,
        ..request("k", 2, 9)
    };
    let answer = ask(&client, &person).await;
    assert_eq!((answer.resent, answer.missing), (1, 7));
    assert_eq!(publisher.envelopes().len(), 3);
    let answer = ask(&client, &request("k", 2, 9)).await;
    assert_eq!((answer.resent, answer.missing), (1, 7));
    let said = Control::read(&publisher.envelopes()[4]).unwrap().unwrap();
    let (from, to) = (request("k", 3, 9).from, request("k", 3, 9).to);
    assert_eq!(
        said,
        (request("k", 3, 9).key, Control::GapFill { from, to })
    );
    // A key that nobody knows.
    let answer = ask(&client, &request("unknown", 1, 2)).await;
    assert_eq!(answer.missing, 2);
}

#[tokio::test]
async fn what_was_removed_is_told_and_never_filled() {
    let url = database().await;
    let mut client = connect(&url).await;
    let publisher = RecordingPublisher::new();
    let _relay = Running::start(relay(&url, &publisher));
    stage(&mut client, &["k"; 9]).await;
    publisher.has(9).await;
    let remove = "delete from ordered_outbox where seq in (1, 2, 5, 8, 9)";
    client.batch_execute(remove).await.unwrap();
    let person = RepairRequest {
        fill: false,
        ..request("k", 2, 9)
    };
    let answer = ask(&client, &person).await;
    assert_eq!((answer.resent, answer.removed, answer.missing), (4, 4, 0));
    assert_eq!(publisher.seqs("k")[9..], [3, 4, 6, 7]);
    assert_eq!(publisher.envelopes().len(), 13);
}

#[tokio::test]
async fn a_worker_is_told_that_the_first_of_what_it_asked_for_is_lost() {
    let url = database().await;
    let mut client = connect(&url).await;
    let publisher = RecordingPublisher::new();
    let _relay = Running::start(relay(&url, &publisher));
    stage(&mut client, &["k"; 9]).await;
    publisher.has(9).await;
    let remove = "delete from ordered_outbox where seq in (1, 2, 5, 8, 9)";
    client.batch_execute(remove).await.unwrap();
    let said = |from, to, place: usize| {
        let (_, control) = Control::read(&publisher.envelopes()[place])
            .unwrap()
            .unwrap();
        let Control::Lost {
            from: first,
            to: last,
            why,
        } = control
        else {
            panic!("{control:?}");
        };
        assert_eq!((first.get(), last.get()), (from, to));
        assert!(why.contains("retention"), "{why}");
    };
    // The first of it, and then what is left.
    let answer = ask(&client, &request("k", 1, 9)).await;
    assert_eq!((answer.resent, answer.removed), (4, 5));
    said(1, 2, 9);
    assert_eq!(publisher.envelopes().len(), 14);
    // All of it, and beyond what was ever staged.
    let answer = ask(&client, &request("k", 8, 11)).await;
    assert_eq!((answer.removed, answer.missing), (2, 2));
    said(8, 9, 14);
    assert_eq!(publisher.envelopes().len(), 16, "and the gap-fill");
    // What lies further on is asked for when the key gets there.
    let answer = ask(&client, &request("k", 4, 5)).await;
    assert_eq!((answer.resent, answer.removed), (1, 1));
    assert_eq!(publisher.envelopes().len(), 17);
}

#[tokio::test]
async fn what_is_not_published_yet_is_not_published_out_of_turn() {
    let url = database().await;
    let mut client = connect(&url).await;
    let publisher = RecordingPublisher::new();
    publisher.fail(|key, seq| (key == "k" && seq == 2).then(|| TransportError::fatal("no")));
    let _relay = Running::start(relay(&url, &publisher));
    stage(&mut client, &["k", "k", "k", "other"]).await;
    eventually("the other goes on", async || publisher.seqs("other") == [1]).await;
    let answer = ask(&client, &request("k", 1, 3)).await;
    assert_eq!((answer.resent, answer.pending), (1, 2));
    publisher.recover();
    publisher.has(4).await;
    publisher.in_order();
}

#[tokio::test]
async fn who_asks_for_the_same_while_nobody_has_answered_does_not_ask_twice() {
    let url = database().await;
    let mut client = connect(&url).await;
    stage(&mut client, &["k"]).await;
    let first = repair::ask(&client, &request("k", 1, 1)).await.unwrap();
    let second = repair::ask(&client, &request("k", 1, 1)).await.unwrap();
    assert_eq!(first, second);
    let key = request("k", 1, 1).key;
    let all = repair::requests(&client, &key, 10).await.unwrap();
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].answered, None);
    // A relay that comes later answers it.
    let publisher = RecordingPublisher::new();
    let _relay = Running::start(relay(&url, &publisher));
    publisher.has(1).await;
    eventually("the request is answered", async || {
        let all = repair::requests(&client, &key, 10).await.unwrap();
        all[0].answered.is_some()
    })
    .await;
    let third = repair::ask(&client, &request("k", 1, 1)).await.unwrap();
    assert_ne!(first, third);
}
