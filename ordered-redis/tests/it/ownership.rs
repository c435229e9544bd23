//! Grants, fences, mail and quotas, against a real server.

use std::time::Duration;

use bytes::Bytes;
use ordered_core::clock::Clock;
use ordered_core::protocol::{Fence, Policy, Quota, QuotaLimit, WorkerId};
use ordered_core::store::{
    AcquireMode, Answer, Change, Inspect, Posted, Previous, PutMode, Request, Save, Slot, Store,
};
use ordered_core::store::{Group, StoreErrorKind};
use ordered_testkit::server::RedisServer;
use ordered_testkit::unique;

use crate::support::*;

#[tokio::test]
async fn a_key_is_granted_with_a_fence_that_grows_and_gives_its_body_back() {
    let server = RedisServer::shared().await.unwrap();
    let store = connect(server, 1).await;
    let group = group("grants");
    let worker = Worker::open(&store, &group, "w").await;
    let first = worker.acquire("k").await;
    assert_eq!(first.previous, Previous::Nobody);
    assert_eq!((first.body.clone(), first.body_fence), (None, Fence(0)));
    let again = worker.acquire("k").await;
    assert_eq!(again.previous, Previous::Myself);
    assert!(again.fence > first.fence);
    let lost = worker
        .one(Request::Save(Box::new(release("k", first.fence))))
        .await;
    assert_eq!(lost, Answer::Lost);
    let body = Bytes::from_static(b"body");
    let saved = worker
        .save(Save {
            body: Some(body.clone()),
            ..release("k", again.fence)
        })
        .await;
    assert!(saved.released && saved.mail.is_empty() && !saved.hand_over);
    let other = Worker::open(&store, &group, "other").await;
    let third = other.acquire("k").await;
    assert_eq!(third.body, Some(body));
    assert_eq!(third.body_fence, again.fence);
    assert_eq!(third.previous, Previous::Nobody);
    assert!(third.fence > again.fence);
}

#[tokio::test]
async fn letters_are_posted_to_a_busy_key_and_its_owner_learns_of_them() {
    let server = RedisServer::shared().await.unwrap();
    let store = connect(server, 1).await;
    let group = group("mail");
    let owner = Worker::open(&store, &group, "owner").await;
    let other = Worker::open(&store, &group, "other").await;
    let owned = owner.acquire("k").await;
    let busy = other.busy(post("k", 7, letter("seven", "data"))).await;
    assert_eq!(busy.owner, WorkerId::new("owner"));
    assert_eq!(busy.posted, [Posted::Stored]);
    let busy = other.busy(post("k", 7, letter("seven", "data"))).await;
    assert_eq!(busy.posted, [Posted::Known]);
    let letters = vec![
        (Slot::Held(7), letter("another", "data")),
        (Slot::Held(8), letter("eight", "more")),
    ];
    let busy = other
        .busy(acquire_with("k", AcquireMode::HandOver, letters))
        .await;
    assert_eq!(busy.posted, [Posted::Taken(id("seven")), Posted::Stored]);

    // A release with mail does not take place.
    let saved = owner.save(release("k", owned.fence)).await;
    assert!(!saved.released && saved.hand_over);
    assert_eq!(saved.mail, [7, 8]);
    let fetched = owner
        .save(Save {
            taken: 1,
            fetch: vec![Slot::Held(7), Slot::Held(9)],
            ..save("k", owned.fence)
        })
        .await;
    assert_eq!(fetched.mail, [8]);
    assert_eq!(fetched.letters, [Some(letter("seven", "data")), None]);
    let record = store.read(&group, &key("k")).await.unwrap().unwrap();
    let record_owner = record.owner.unwrap();
    assert!(record_owner.hand_over && record_owner.mail == [8]);
    // It is left to the next owner until a body accounts for it.
    let stolen = acquire_with(
        "k",
        AcquireMode::Steal,
        vec![(Slot::Held(9), letter("nine", ""))],
    );
    let Answer::Owned(stolen) = other.one(stolen).await else {
        panic!("it is taken");
    };
    assert_eq!(stolen.previous, Previous::Other(WorkerId::new("owner")));
    assert_eq!(stolen.mail, [8]);
    let lost = owner
        .one(Request::Save(Box::new(save("k", owned.fence))))
        .await;
    assert_eq!(lost, Answer::Lost);
    let saved = other
        .save(Save {
            taken: 1,
            ..release("k", stolen.fence)
        })
        .await;
    assert!(
        saved.released && saved.mail.is_empty() && !saved.hand_over,
        "{saved:?}"
    );
}

#[tokio::test]
async fn letters_are_put_moved_replaced_and_deleted_and_the_counts_follow() {
    let server = RedisServer::shared().await.unwrap();
    let store = connect(server, 1).await;
    let group = group("letters");
    let worker = Worker::open(&store, &group, "w").await;
    let owned = worker.acquire("k").await;
    let dead = Slot::Dead { epoch: 1, seq: 3 };
    let saved = worker
        .save(Save {
            changes: vec![
                put(2, letter("two", "22")),
                put(3, letter("three", "333")),
                put(2, letter("two", "22")),
                put(2, letter("second", "22")),
                Change::Put {
                    slot: Slot::Held(2),
                    letter: letter("replaced", "4444"),
                    mode: PutMode::Replace,
                },
                Change::Move {
                    from: Slot::Held(3),
                    to: dead,
                    note: Bytes::from_static(b"why it died"),
                },
                Change::Move {
                    from: Slot::Held(99),
                    to: Slot::Held(100),
                    note: Bytes::new(),
                },
                Change::Delete(Slot::Held(98)),
            ],
            fetch: vec![Slot::Held(3), dead, Slot::Held(2)],
            ..save("k", owned.fence)
        })
        .await;
    let two = Posted::Taken(id("two"));
    let outcome = [
        Posted::Stored,
        Posted::Stored,
        Posted::Known,
        two,
        Posted::Stored,
    ];
    assert_eq!(saved.puts, outcome);
    let mut moved = letter("three", "333");
    moved.note = Bytes::from_static(b"why it died");
    assert_eq!(
        saved.letters,
        [None, Some(moved), Some(letter("replaced", "4444"))]
    );
    let totals = store.totals(&group).await.unwrap();
    assert_eq!((totals.held_events, totals.held_bytes), (1, 4));
    let slots = [Slot::Held(2), dead, Slot::Held(3)];
    let sizes = store.sizes(&group, &key("k"), &slots).await.unwrap();
    assert_eq!(sizes, [Some(4 + 12), Some(3 + 16), None]);

    worker
        .save(Save {
            changes: vec![Change::Delete(Slot::Held(2)), Change::Delete(dead)],
            ..save("k", owned.fence)
        })
        .await;
    let totals = store.totals(&group).await.unwrap();
    assert_eq!((totals.held_events, totals.held_bytes), (0, 0));
    let mut admin = raw(server).await;
    let left: u64 = ask(&mut admin, &format!("EXISTS {}:B:k", tag(&group))).await;
    assert_eq!(left, 0, "an empty mailbox leaves nothing");
}

#[tokio::test]
async fn a_quota_refuses_a_whole_save_and_single_letters_that_are_posted() {
    let server = RedisServer::shared().await.unwrap();
    let store = connect(server, 1).await;
    let mut policy = Policy::default();
    policy.key_quota = Quota {
        events: 3,
        bytes: 100,
    };
    policy.group_quota = Quota {
        events: 4,
        bytes: 150,
    };
    let group = Group::new(unique("quota"), policy);
    let owner = Worker::open(&store, &group, "owner").await;
    let other = Worker::open(&store, &group, "other").await;
    let owned = owner.acquire("k").await;
    let body = Some(Bytes::from_static(b"unchanged"));
    let full = |answer: Answer| match answer {
        Answer::Full(limit) => limit,
        answer => panic!("{answer:?}"),
    };
    let changes = (1..5)
        .map(|seq| put(seq, letter(&seq.to_string(), "x")))
        .collect();
    let too_many = Save {
        changes,
        body: body.clone(),
        ..release("k", owned.fence)
    };
    let answer = owner.one(Request::Save(Box::new(too_many))).await;
    assert_eq!(full(answer), QuotaLimit::KeyEvents);
    let large = "x".repeat(101);
    let too_large = Save {
        changes: vec![put(1, letter("1", &large))],
        body,
        ..save("k", owned.fence)
    };
    let answer = owner.one(Request::Save(Box::new(too_large))).await;
    assert_eq!(full(answer), QuotaLimit::KeyBytes);
    let record = store.read(&group, &key("k")).await.unwrap().unwrap();
    assert_eq!(record.body, None, "nothing was changed");
    assert_eq!(store.totals(&group).await.unwrap().held_events, 0);

    // What is deleted first makes room.
    let changes = (1..4)
        .map(|seq| put(seq, letter(&seq.to_string(), "x")))
        .collect();
    owner
        .save(Save {
            changes,
            ..save("k", owned.fence)
        })
        .await;
    let changes = vec![Change::Delete(Slot::Held(1)), put(4, letter("4", "x"))];
    owner
        .save(Save {
            changes,
            ..save("k", owned.fence)
        })
        .await;
    let letters = vec![
        (Slot::Held(2), letter("2", "x")),
        (Slot::Held(5), letter("5", "x")),
    ];
    let busy = other
        .busy(acquire_with("k", AcquireMode::Ask, letters))
        .await;
    assert_eq!(
        busy.posted,
        [Posted::Known, Posted::Full(QuotaLimit::KeyEvents)]
    );

    let second = other.acquire("second").await;
    let changes = vec![put(1, letter("1", "x")), put(2, letter("2", "x"))];
    let save_two = Save {
        changes,
        ..save("second", second.fence)
    };
    let answer = other.one(Request::Save(Box::new(save_two))).await;
    assert_eq!(full(answer), QuotaLimit::GroupEvents);
    let forced = |seq| Change::Put {
        slot: Slot::Held(seq),
        letter: letter(&seq.to_string(), &large),
        mode: PutMode::Force,
    };
    let saved = other
        .save(Save {
            changes: vec![forced(1), forced(2)],
            ..save("second", second.fence)
        })
        .await;
    assert_eq!(saved.puts, [Posted::Stored, Posted::Stored]);
}

#[tokio::test]
async fn a_worker_dies_in_two_looks_whatever_the_clock_does() {
    let server = RedisServer::shared().await.unwrap();
    let clock = Clock::manual(4_102_444_800_000);
    let store = connect(server, 1).await.with_clock(clock.clone());
    let group = group("leases");
    let owner = Worker::open(&store, &group, "owner").await;
    let other = Worker::open(&store, &group, "other").await;
    owner.acquire("k").await;
    let half = u64::try_from(LEASE.as_millis() / 2).unwrap();
    let back = |by: u64| clock.advance(0_u64.wrapping_sub(by));

    // A step far ahead is only one look.
    clock.advance(1_000 * half);
    other.beat().await;
    assert_eq!(other.busy(acquire("k")).await.owner, WorkerId::new("owner"));
    owner.beat().await;
    clock.advance(half - 1);
    other.busy(acquire("k")).await;
    // And a step back does not make a lease longer than itself.
    back(500 * half);
    other.beat().await;
    other.busy(acquire("k")).await;
    clock.advance(half);
    other.beat().await;
    other.busy(acquire("k")).await;
    clock.advance(half - 1);
    other.beat().await;
    other.busy(acquire("k")).await;
    clock.advance(1);
    let taken = other.acquire("k").await;
    assert_eq!(taken.previous, Previous::Died(WorkerId::new("owner")));
    assert_eq!(owner.one(acquire("free")).await, Answer::NoLease);
    owner.beat().await;
    owner.acquire("free").await;
}

#[tokio::test]
async fn what_a_worker_leaves_may_be_taken_at_once_and_it_did_not_die() {
    let server = RedisServer::shared().await.unwrap();
    let store = connect(server, 4).await;
    let group = group("leaves");
    let owner = Worker::open(&store, &group, "owner").await;
    let other = Worker::open(&store, &group, "other").await;
    owner.acquire("k").await;
    owner.store.leave(&group, &owner.session).await.unwrap();
    assert_eq!(owner.one(acquire("new")).await, Answer::NoLease);
    let workers = store.workers(&group).await.unwrap();
    let names: Vec<_> = workers
        .iter()
        .map(|worker| worker.worker.as_str())
        .collect();
    assert_eq!(names, ["other"]);
    let swept = store
        .sweep(&group, &other.session, &sweep(10))
        .await
        .unwrap();
    assert_eq!(swept.orphaned, [key("k")]);
    let taken = other.acquire("k").await;
    assert_eq!(taken.previous, Previous::Other(WorkerId::new("owner")));
    // Once nothing of it is owned, two sweeps later nothing is known of it.
    for _ in 0..3 {
        let swept = store
            .sweep(&group, &other.session, &sweep(10))
            .await
            .unwrap();
        assert_eq!(swept.orphaned, []);
    }
    let mut admin = raw(server).await;
    let leases: Vec<String> = ask(&mut admin, &format!("HKEYS {}:W", tag(&group))).await;
    assert_eq!(leases, ["other"]);
}

#[tokio::test]
async fn after_the_state_was_lost_every_call_says_so_until_it_is_opened_again() {
    let (server, store) = alone(4).await;
    let group = group("lost");
    let worker = Worker::open(&store, &group, "w").await;
    let owned = worker.acquire("k").await;
    let mut admin = raw(&server).await;
    let _: () = ask(&mut admin, "FLUSHALL").await;
    let lost = |error: ordered_core::store::StoreError| {
        assert_eq!(error.kind(), StoreErrorKind::StateLost, "{error}");
    };
    lost(worker.say(&[acquire("k")]).await.unwrap_err());
    let saving = Request::Save(Box::new(release("k", owned.fence)));
    lost(worker.say(&[saving]).await.unwrap_err());
    lost(
        store
            .heartbeat(&group, &worker.session, LEASE)
            .await
            .unwrap_err(),
    );
    lost(
        store
            .sweep(&group, &worker.session, &sweep(1))
            .await
            .unwrap_err(),
    );
    lost(store.leave(&group, &worker.session).await.unwrap_err());
    let names: u64 = ask(&mut admin, "DBSIZE").await;
    assert_eq!(names, 0, "nothing was written");

    let opened = open(&store, &group, "w").await.unwrap();
    assert!(opened.created && opened.session != worker.session);
    let again = open(&store, &group, "v").await.unwrap();
    assert!(!again.created && again.session.incarnation == opened.session.incarnation);
    lost(worker.say(&[acquire("k")]).await.unwrap_err());
    let worker = Worker::open(&store, &group, "w").await;
    assert!(
        worker.acquire("k").await.fence > owned.fence,
        "the time is in it"
    );

    // One bucket of several is enough.
    let _: () = ask(&mut admin, &format!("DEL {}:M", tag(&group))).await;
    lost(
        store
            .heartbeat(&group, &worker.session, Duration::from_secs(1))
            .await
            .unwrap_err(),
    );
    let renewed = open(&store, &group, "w").await.unwrap();
    assert!(renewed.created && renewed.session != worker.session);
    let worker = Worker::open(&store, &group, "w").await;
    worker.acquire("k").await;
}
