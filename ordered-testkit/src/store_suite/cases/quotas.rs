use std::ops::Range;

use ordered_core::protocol::{Fence, Policy, QuotaLimit};
use ordered_core::store::{Answer, Change, Inspect, PutMode, Slot};

use crate::store_suite::fixture::{A, StoreFixture, letter, put, saved};

/// Puts letters of three bytes at 1, 2, …; answers what the last one is told.
async fn fill(fixture: &StoreFixture<impl Inspect>, fence: Fence, seqs: Range<u64>) -> Answer {
    let mut last = None;
    for seq in seqs {
        let change = put(
            Slot::Held(seq),
            letter(&format!("id-{seq}"), "abc"),
            PutMode::New,
        );
        let answer = fixture.save(A, fixture.changes(fence, [change])).await;
        assert!(last.is_none(), "only the last one finds no room");
        last = (!matches!(answer, Answer::Saved(_))).then_some(answer);
    }
    last.expect("a quota has no room")
}

pub async fn each_quota_is_told(fixture: StoreFixture<impl Inspect>) {
    type Limit = fn(&mut Policy);
    // The group's quotas are shared by the buckets, and a share is at least one event and one byte.
    let limits: [(Limit, QuotaLimit, u64); 4] = [
        (|it| it.key_quota.events = 2, QuotaLimit::KeyEvents, 2),
        (|it| it.key_quota.bytes = 8, QuotaLimit::KeyBytes, 2),
        (|it| it.group_quota.events = 1, QuotaLimit::GroupEvents, 1),
        (|it| it.group_quota.bytes = 1, QuotaLimit::GroupBytes, 0),
    ];
    let mut fixture = fixture;
    let fence = fixture.own(A).await.fence;
    for (limit, expected, room) in limits {
        fixture = fixture
            .with(|policy| *policy = Policy::default())
            .with(limit);
        let answer = fill(&fixture, fence, 1..room + 2).await;
        assert_eq!(answer, Answer::Full(expected));
        let clear: Vec<Change> = (1..=room)
            .map(|seq| Change::Delete(Slot::Held(seq)))
            .collect();
        saved(fixture.save(A, fixture.changes(fence, clear)).await);
    }
}

pub async fn a_quota_may_be_filled_to_the_last_byte(fixture: StoreFixture<impl Inspect>) {
    let fixture = fixture.with(|policy| policy.key_quota.bytes = 6);
    let fence = fixture.own(A).await.fence;
    let answer = fill(&fixture, fence, 1..4).await;
    assert_eq!(answer, Answer::Full(QuotaLimit::KeyBytes));
    let nothing = [put(Slot::Held(3), letter("c", ""), PutMode::New)];
    saved(fixture.save(A, fixture.changes(fence, nothing)).await);
}

pub async fn a_forced_or_replaced_letter_needs_no_room(fixture: StoreFixture<impl Inspect>) {
    let fixture = fixture.with(|policy| policy.key_quota.events = 1);
    let fence = fixture.own(A).await.fence;
    fill(&fixture, fence, 2..4).await;
    let head = [put(Slot::Held(1), letter("a", "head"), PutMode::Force)];
    saved(fixture.save(A, fixture.changes(fence, head)).await);
    let replaced = [put(Slot::Held(4), letter("d", "long"), PutMode::Replace)];
    saved(fixture.save(A, fixture.changes(fence, replaced)).await);
    let totals = fixture.store.totals(&fixture.group).await;
    assert_eq!(totals.expect("the store is there").held_events, 3);
}

pub async fn what_is_there_already_needs_no_room(fixture: StoreFixture<impl Inspect>) {
    let fixture = fixture.with(|policy| policy.key_quota.events = 1);
    let fence = fixture.own(A).await.fence;
    fill(&fixture, fence, 2..4).await;
    let again = [put(Slot::Held(2), letter("id-2", "abc"), PutMode::New)];
    saved(fixture.save(A, fixture.changes(fence, again)).await);
}

pub async fn a_save_counts_what_it_removes_and_what_it_puts(fixture: StoreFixture<impl Inspect>) {
    let fixture = fixture.with(|policy| policy.key_quota.events = 1);
    let fence = fixture.own(A).await.fence;
    let held = |seq| put(Slot::Held(seq), letter("id", "abc"), PutMode::New);
    let two = [held(1), held(2)];
    let full = Answer::Full(QuotaLimit::KeyEvents);
    assert_eq!(fixture.save(A, fixture.changes(fence, two)).await, full);
    let exchanged = [held(1), Change::Delete(Slot::Held(1)), held(2)];
    saved(fixture.save(A, fixture.changes(fence, exchanged)).await);
    let too_early = [held(3), Change::Delete(Slot::Held(2))];
    assert_eq!(
        fixture.save(A, fixture.changes(fence, too_early)).await,
        full
    );
    let aside = Change::Move {
        from: Slot::Held(2),
        to: Slot::Dead { epoch: 1, seq: 2 },
        note: "".into(),
    };
    saved(
        fixture
            .save(A, fixture.changes(fence, [aside, held(3)]))
            .await,
    );
}

pub async fn a_save_without_room_changes_nothing(fixture: StoreFixture<impl Inspect>) {
    let fixture = fixture.with(|policy| policy.key_quota.events = 3);
    let fence = fixture.own(A).await.fence;
    fill(&fixture, fence, 1..5).await;
    let dead = Slot::Dead { epoch: 1, seq: 3 };
    let slots = [1, 2, 3, 4, 5].map(Slot::Held);
    let slots = [&slots[..], &[dead]].concat();
    let before = fixture.letters(&slots).await;
    let held = |seq| put(Slot::Held(seq), letter("new", "abc"), PutMode::New);
    let changes = [
        Change::Delete(Slot::Held(1)),
        put(Slot::Held(2), letter("other", "longer"), PutMode::Replace),
        Change::Move {
            from: Slot::Held(3),
            to: dead,
            note: "aside".into(),
        },
        held(4),
        held(1),
        held(5),
    ];
    let full = Answer::Full(QuotaLimit::KeyEvents);
    assert_eq!(fixture.save(A, fixture.changes(fence, changes)).await, full);
    assert_eq!(fixture.letters(&slots).await, before);
    let totals = fixture.store.totals(&fixture.group).await;
    let totals = totals.expect("the store is there");
    assert_eq!((totals.held_events, totals.held_bytes), (3, 9));
}

pub async fn dead_letters_do_not_count(fixture: StoreFixture<impl Inspect>) {
    let fixture = fixture.with(|policy| policy.key_quota.events = 1);
    let fence = fixture.own(A).await.fence;
    let dead = |seq| Slot::Dead { epoch: 1, seq };
    let changes: Vec<Change> = (1..5)
        .map(|seq| put(dead(seq), letter("id", "abc"), PutMode::New))
        .collect();
    saved(fixture.save(A, fixture.changes(fence, changes)).await);
    let totals = fixture.store.totals(&fixture.group).await;
    let totals = totals.expect("the store is there");
    assert_eq!((totals.held_events, totals.held_bytes), (0, 0));
    // A dead letter that is moved back counts again, and is not refused.
    let back: Vec<Change> = (1..3)
        .map(|seq| Change::Move {
            from: dead(seq),
            to: Slot::Held(seq),
            note: "".into(),
        })
        .collect();
    saved(fixture.save(A, fixture.changes(fence, back)).await);
    let totals = fixture.store.totals(&fixture.group).await;
    let totals = totals.expect("the store is there");
    assert_eq!((totals.held_events, totals.held_bytes), (2, 6));
}
