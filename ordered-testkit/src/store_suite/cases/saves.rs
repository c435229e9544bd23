use ordered_core::protocol::{Fence, QuotaLimit};
use ordered_core::store::{Answer, Change, Inspect, Letter, Posted, PutMode, Save, Slot};

use crate::store_suite::fixture::{A, B, StoreFixture, due_at, id, letter, put, saved};

const TWO: Slot = Slot::Held(2);
const THREE: Slot = Slot::Held(3);
const DEAD: Slot = Slot::Dead { epoch: 1, seq: 2 };

pub async fn a_save_that_is_lost_changes_nothing(fixture: StoreFixture<impl Inspect>) {
    let old = fixture.own(A).await.fence;
    let fence = fixture.own(A).await.fence;
    let first = Save {
        body: Some("first".into()),
        ..fixture.changes(fence, [put(TWO, letter("b", "kept"), PutMode::New)])
    };
    saved(fixture.save(A, first).await);
    let before = fixture.read().await;
    let changes = [
        Change::Delete(TWO),
        put(THREE, letter("c", "new"), PutMode::Force),
    ];
    let wrong = |fence| Save {
        body: Some("second".into()),
        listing: due_at(1),
        remember: vec![id("new")],
        release: true,
        taken: 1,
        ..fixture.changes(fence, changes.clone())
    };
    assert_eq!(fixture.save(A, wrong(old)).await, Answer::Lost);
    assert_eq!(fixture.save(B, wrong(fence)).await, Answer::Lost);
    assert_eq!(
        fixture.save(A, wrong(Fence(fence.0 + 1))).await,
        Answer::Lost
    );
    assert_eq!(fixture.read().await, before);
    let letters = fixture.letters(&[TWO, THREE]).await;
    assert_eq!(letters, [Some(letter("b", "kept")), None]);
    let look = Save {
        look_up: vec![id("new")],
        ..fixture.blank(fence)
    };
    assert_eq!(saved(fixture.save(A, look).await).seen, [false]);
    let totals = fixture.store.totals(&fixture.group).await;
    assert_eq!(totals.expect("the store is there").listed, 0);
}

pub async fn a_key_that_was_given_up_cannot_be_saved(fixture: StoreFixture<impl Inspect>) {
    let fence = fixture.own(A).await.fence;
    let save = Save {
        body: Some("x".into()),
        ..fixture.blank(fence)
    };
    fixture.release(A, save.clone()).await;
    assert_eq!(fixture.save(A, save).await, Answer::Lost);
}

pub async fn a_save_without_a_body_leaves_it(fixture: StoreFixture<impl Inspect>) {
    let first = fixture.own(A).await.fence;
    let save = Save {
        body: Some("first".into()),
        ..fixture.blank(first)
    };
    saved(fixture.save(A, save).await);
    let second = fixture.own(A).await.fence;
    saved(fixture.save(A, fixture.blank(second)).await);
    let record = fixture.read().await.expect("the key is known");
    assert_eq!(
        (record.body, record.body_fence),
        (Some("first".into()), first)
    );
    let save = Save {
        body: Some("".into()),
        ..fixture.blank(second)
    };
    saved(fixture.save(A, save).await);
    let record = fixture.read().await.expect("the key is known");
    assert_eq!((record.body, record.body_fence), (Some("".into()), second));
}

pub async fn what_is_in_a_slot_stays_unless_it_is_replaced(fixture: StoreFixture<impl Inspect>) {
    let fence = fixture.own(A).await.fence;
    for slot in [TWO, DEAD] {
        let changes = [
            put(slot, letter("a", "first"), PutMode::New),
            put(slot, letter("a", "again"), PutMode::New),
            put(slot, letter("a", "again"), PutMode::Force),
            put(slot, letter("x", "other"), PutMode::New),
            put(slot, letter("x", "other"), PutMode::Force),
        ];
        let answer = saved(fixture.save(A, fixture.changes(fence, changes)).await);
        let taken = Posted::Taken(id("a"));
        let expected = [
            Posted::Stored,
            Posted::Known,
            Posted::Known,
            taken.clone(),
            taken,
        ];
        assert_eq!(answer.puts, expected);
        assert_eq!(fixture.letters(&[slot]).await, [Some(letter("a", "first"))]);
        let replace = [put(slot, letter("x", "other"), PutMode::Replace)];
        let answer = saved(fixture.save(A, fixture.changes(fence, replace)).await);
        assert_eq!(answer.puts, [Posted::Stored]);
        assert_eq!(fixture.letters(&[slot]).await, [Some(letter("x", "other"))]);
    }
}

pub async fn a_letter_is_moved_with_a_new_note(fixture: StoreFixture<impl Inspect>) {
    let fence = fixture.own(A).await.fence;
    let relocate = |from, to, note: &'static str| Change::Move {
        from,
        to,
        note: note.into(),
    };
    let noted = |note: &'static str| {
        let note = note.into();
        Some(Letter {
            note,
            ..letter("b", "text")
        })
    };
    let there = [
        put(TWO, letter("b", "text"), PutMode::New),
        put(DEAD, letter("z", "replaced"), PutMode::New),
    ];
    saved(fixture.save(A, fixture.changes(fence, there)).await);
    let aside = [relocate(TWO, DEAD, "\0aside")];
    saved(fixture.save(A, fixture.changes(fence, aside)).await);
    assert_eq!(
        fixture.letters(&[TWO, DEAD]).await,
        [None, noted("\0aside")]
    );
    let back = [relocate(DEAD, THREE, ""), relocate(TWO, DEAD, "nothing")];
    saved(fixture.save(A, fixture.changes(fence, back)).await);
    assert_eq!(fixture.letters(&[THREE, DEAD]).await, [noted(""), None]);
    let in_place = [relocate(THREE, THREE, "again")];
    saved(fixture.save(A, fixture.changes(fence, in_place)).await);
    assert_eq!(fixture.letters(&[THREE]).await, [noted("again")]);
}

pub async fn changes_are_carried_out_in_order(fixture: StoreFixture<impl Inspect>) {
    let fence = fixture.own(A).await.fence;
    let changes = [
        Change::Delete(TWO),
        put(TWO, letter("a", "1"), PutMode::New),
        Change::Delete(TWO),
        put(TWO, letter("b", "2"), PutMode::New),
        Change::Move {
            from: TWO,
            to: THREE,
            note: "note".into(),
        },
        put(TWO, letter("c", "3"), PutMode::New),
        put(THREE, letter("d", "4"), PutMode::New),
    ];
    let save = Save {
        fetch: vec![THREE, TWO, DEAD],
        ..fixture.changes(fence, changes)
    };
    let answer = saved(fixture.save(A, save).await);
    let taken = Posted::Taken(id("b"));
    let expected = [Posted::Stored, Posted::Stored, Posted::Stored, taken];
    assert_eq!(answer.puts, expected);
    let fetched = [Some(letter("b", "2")), Some(letter("c", "3")), None];
    assert_eq!(answer.letters, fetched, "slots are read after the changes");
}

pub async fn slots_do_not_touch_each_other(fixture: StoreFixture<impl Inspect>) {
    let fence = fixture.own(A).await.fence;
    let dead = |epoch, seq| Slot::Dead { epoch, seq };
    let slots = [
        Slot::Held(0),
        Slot::Held(1),
        Slot::Held(256),
        Slot::Held(u64::MAX),
        dead(0, 1),
        dead(1, 0),
        dead(1, 1),
        dead(256, 1),
        dead(u64::MAX, u64::MAX),
    ];
    let named = |place: usize| letter(&format!("id-{place}"), &format!("data-{place}"));
    let changes: Vec<Change> = slots
        .iter()
        .enumerate()
        .map(|(place, slot)| put(*slot, named(place), PutMode::New))
        .collect();
    saved(fixture.save(A, fixture.changes(fence, changes)).await);
    let letters = fixture.letters(&slots).await;
    for (place, found) in letters.into_iter().enumerate() {
        assert_eq!(found, Some(named(place)), "{:?}", slots[place]);
    }
}

pub async fn full_refuses_the_whole_save(fixture: StoreFixture<impl Inspect>) {
    let fixture = fixture.with(|policy| policy.key_quota.events = 2);
    let fence = fixture.own(A).await.fence;
    let first = Save {
        body: Some("first".into()),
        ..fixture.changes(fence, [put(TWO, letter("b", "kept"), PutMode::New)])
    };
    saved(fixture.save(A, first).await);
    let before = (fixture.read().await, fixture.letters(&[TWO, DEAD]).await);
    let changes = [
        Change::Move {
            from: TWO,
            to: Slot::Held(7),
            note: "moved".into(),
        },
        put(DEAD, letter("dead", ""), PutMode::New),
        put(THREE, letter("c", "fits"), PutMode::New),
        put(Slot::Held(4), letter("d", "does not"), PutMode::New),
    ];
    let save = Save {
        body: Some("second".into()),
        listing: due_at(1),
        remember: vec![id("new")],
        release: true,
        ..fixture.changes(fence, changes)
    };
    let full = Answer::Full(QuotaLimit::KeyEvents);
    assert_eq!(fixture.save(A, save).await, full);
    let after = (fixture.read().await, fixture.letters(&[TWO, DEAD]).await);
    assert_eq!(after, before);
    let look = Save {
        look_up: vec![id("new")],
        fetch: vec![THREE, Slot::Held(7)],
        ..fixture.blank(fence)
    };
    let answer = saved(fixture.save(A, look).await);
    assert_eq!(
        (answer.seen, answer.letters),
        (vec![false], vec![None, None])
    );
    let totals = fixture.store.totals(&fixture.group).await;
    let totals = totals.expect("the store is there");
    assert_eq!((totals.listed, totals.held_events), (0, 1));
}
