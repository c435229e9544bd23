//! What is refused, and what goes on all the same: other layouts, a server without memory, one that forgot its scripts.

use bytes::Bytes;
use ordered_core::protocol::QuotaLimit;
use ordered_core::store::{
    AcquireMode, Answer, Change, Inspect, KeyIndex, ListingChange, Posted, Request, Save, Slot,
    Store,
};
use ordered_core::store::{AuditEntry, Operator, StoreErrorKind};
use ordered_testkit::server::RedisServer;

use crate::support::*;

#[tokio::test]
async fn another_layout_and_another_number_of_buckets_are_refused_with_what_to_do() {
    let server = RedisServer::shared().await.unwrap();
    let store = connect(server, 2).await;
    let before = group("old-layout");
    let meta = format!("ordered:{}:meta", before.name());
    let _: u64 = ask(
        &mut raw(server).await,
        &format!("HSET {meta} layout 4 buckets 2"),
    )
    .await;
    let error = open(&store, &before, "w").await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Refused);
    assert!(
        error.to_string().contains("layout 4, and this is 5"),
        "{error}"
    );

    let group = group("buckets");
    open(&store, &group, "w").await.unwrap();
    let other = connect(server, 3).await;
    let error = open(&other, &group, "w").await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Refused);
    assert!(error.to_string().contains("`.buckets(2)`"), "{error}");
}

/// Its name should be its own; but where it is not, it is not refused for ever either.
#[tokio::test]
async fn a_worker_that_opens_the_group_anew_under_its_old_name_numbers_its_calls_anew() {
    let server = RedisServer::shared().await.unwrap();
    let group = group("again");
    for _ in 0..2 {
        let store = connect(server, 2).await;
        let worker = Worker::open(&store, &group, "w").await;
        for _ in 0..3 {
            worker.acquire("k").await;
        }
    }
}

#[tokio::test]
async fn a_server_that_forgot_its_scripts_is_given_them_again() {
    let (server, store) = alone(4).await;
    let group = group("scripts");
    let worker = Worker::open(&store, &group, "w").await;
    let mut admin = raw(&server).await;
    let _: () = ask(&mut admin, "SCRIPT FLUSH").await;
    let names: Vec<_> = (0..50)
        .map(|number| acquire(&format!("k{number}")))
        .collect();
    let answers = worker.say(&names).await.unwrap();
    assert!(
        answers
            .iter()
            .all(|answer| matches!(answer, Answer::Owned(_)))
    );
    let _: () = ask(&mut admin, "SCRIPT FLUSH").await;
    worker.beat().await;
    let _: () = ask(&mut admin, "SCRIPT FLUSH").await;
    store
        .sweep(&group, &worker.session, &sweep(10))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_server_without_memory_still_takes_what_drains_it() {
    let (server, store) = alone(1).await;
    let group = group("oom");
    let worker = Worker::open(&store, &group, "w").await;
    let other = Worker::open(&store, &group, "other").await;
    let owned = worker.acquire("k").await;
    let holding = Save {
        body: Some(Bytes::from_static(b"2")),
        changes: vec![put(2, letter("two", "22"))],
        ..save("k", owned.fence)
    };
    worker.save(holding).await;
    let another = other.acquire("another").await;
    let mut admin = raw(&server).await;
    let _: () = ask(&mut admin, "CONFIG SET maxmemory 1").await;

    let more = |seq| put(seq, letter("more", "33"));
    let draining = Save {
        body: Some(Bytes::from_static(b"3")),
        changes: vec![Change::Delete(Slot::Held(2))],
        remember: vec![id("two")],
        fetch: vec![Slot::Held(2)],
        ..save("k", owned.fence)
    };
    let storing = Save {
        changes: vec![more(3)],
        ..save("lost", owned.fence)
    };
    let storing_too = Save {
        changes: vec![more(3)],
        ..save("another", another.fence)
    };
    let batch = [
        Request::Save(Box::new(draining)),
        Request::Save(Box::new(storing)),
        acquire("a key that nobody knows"),
    ];
    let answers = worker.say(&batch).await.unwrap();
    assert!(
        matches!(&answers[0], Answer::Saved(saved) if saved.letters == [None]),
        "{answers:?}"
    );
    assert_eq!(answers[1], Answer::Lost);
    let full = other.one(Request::Save(Box::new(storing_too))).await;
    assert_eq!(full, Answer::Full(QuotaLimit::GroupBytes));
    assert_eq!(answers[2], Answer::Unknown);
    let busy = other.busy(post("k", 5, letter("five", "55"))).await;
    assert_eq!(busy.posted, [Posted::Full(QuotaLimit::GroupBytes)]);
    // Workers stay alive, keys that are known are handed on, and nobody waits for the memory.
    worker.beat().await;
    store
        .sweep(&group, &worker.session, &sweep(10))
        .await
        .unwrap();
    worker.save(release("k", owned.fence)).await;
    let taken = other.acquire("k").await;
    assert_eq!(taken.body.as_deref(), Some(&b"3"[..]));
    let third = open(&store, &group, "third").await.unwrap();
    store.leave(&group, &third.session).await.unwrap();

    let _: () = ask(&mut admin, "CONFIG SET maxmemory 0").await;
    worker.acquire("a key that nobody knows").await;
    assert_eq!(store.totals(&group).await.unwrap().held_events, 0);
}

#[tokio::test]
async fn more_changes_than_fit_on_the_stack_of_lua_are_carried_out() {
    const MANY: u64 = 9_000;
    let server = RedisServer::shared().await.unwrap();
    let store = connect(server, 1).await;
    let group = group("many");
    let worker = Worker::open(&store, &group, "w").await;
    let owned = worker.acquire("k").await;
    let text = |seq: u64| letter(&seq.to_string(), "x");
    let all = || (0..MANY).map(Slot::Held);
    let holding = Save {
        changes: (0..MANY).map(|seq| put(seq, text(seq))).collect(),
        fetch: all().collect(),
        ..save("k", owned.fence)
    };
    let saved = worker.save(holding).await;
    let expected: Vec<_> = (0..MANY).map(|seq| Some(text(seq))).collect();
    assert_eq!(saved.letters, expected);
    assert_eq!(store.totals(&group).await.unwrap().held_events, MANY);
    let dropping = Save {
        changes: all().map(Change::Delete).collect(),
        ..release("k", owned.fence)
    };
    worker.save(dropping).await;
    let mut admin = raw(server).await;
    let left: u64 = ask(&mut admin, &format!("EXISTS {}:B:k", tag(&group))).await;
    assert_eq!(left, 0);
}

#[tokio::test]
async fn operators_see_the_keys_the_lists_and_the_log() {
    let server = RedisServer::shared().await.unwrap();
    let store = connect(server, 3).await;
    let group = group("inspect");
    let worker = Worker::open(&store, &group, "w").await;
    for number in 0..100 {
        let name = format!("k{number}");
        let owned = worker.acquire(&name).await;
        let listing = ListingChange {
            due: Some(Some(number)),
            gap: (number % 2 == 0).then_some(Some(number)),
            halted: (number == 7).then_some(Some(1)),
        };
        let saving = Save {
            body: Some(Bytes::from_static(b"body")),
            listing,
            release: number >= 10,
            ..save(&name, owned.fence)
        };
        worker.save(saving).await;
    }
    worker.acquire("no body").await;
    let totals = store.totals(&group).await.unwrap();
    assert_eq!((totals.keys, totals.owned, totals.listed), (100, 11, 100));
    assert_eq!((totals.halted, totals.gaps), (1, 50));
    assert_eq!(totals.oldest_gap, Some((key("k0"), 0)));
    for (index, count) in [
        (KeyIndex::All, 101),
        (KeyIndex::Listed, 100),
        (KeyIndex::Owned, 11),
    ] {
        let mut cursor = None;
        let mut found = std::collections::BTreeSet::new();
        loop {
            let page = store.page(&group, index, cursor).await.unwrap();
            found.extend(page.records.into_iter().map(|record| record.key));
            cursor = page.cursor;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(found.len(), count, "{index:?}");
    }
    let swept = store
        .sweep(&group, &worker.session, &sweep(20))
        .await
        .unwrap();
    let due: Vec<_> = (10..30).map(|number| key(&format!("k{number}"))).collect();
    assert_eq!(
        swept.due, due,
        "those of an owner that is alive are not due"
    );
    assert_eq!((swept.halted, swept.oldest_gap), (1, Some(0)));
    assert_eq!(swept.stuck.len(), 20);
    assert_eq!(swept.stuck[3].key, key("k6"));
    assert_eq!(&swept.stuck[3].body[..], b"body");

    assert!(store.set_paused(&group, true).await.unwrap());
    assert!(!store.set_paused(&group, true).await.unwrap());
    let request = [acquire("k50")];
    let exchange = store.exchange(&group, &worker.session, &request);
    assert!(exchange.await.unwrap().paused);
    let known = store.group(group.name()).await.unwrap().unwrap();
    assert_eq!(known, group);
    for number in 0..3 {
        let entry = AuditEntry {
            at: 0,
            operator: Operator::default(),
            key: Some("k".into()),
            verb: format!("verb {number}"),
            outcome: String::new(),
        };
        store.log(&group, entry).await.unwrap();
    }
    let log = store.audit(&group, 2).await.unwrap();
    let verbs: Vec<_> = log.iter().map(|entry| entry.verb.as_str()).collect();
    assert_eq!(verbs, ["verb 2", "verb 1"]);
    assert!(log[0].at > 0);
    let asked = acquire_mode("k0", AcquireMode::HandOver);
    assert!(matches!(worker.one(asked).await, Answer::Owned(_)));
}

fn acquire_mode(name: &str, mode: AcquireMode) -> Request {
    acquire_with(name, mode, Vec::new())
}
