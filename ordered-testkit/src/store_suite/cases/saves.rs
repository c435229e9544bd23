use ordered_core::protocol::{Fence, QuotaLimit};
use ordered_core::store::{Answer, Change, Inspect, Letter, Posted, PutMode, Save, Slot};

use crate::store_suite::stage::{A, B, Stage, due_at, id, letter, put, saved};

const TWO: Slot = Slot::Held(2);
const THREE: Slot = Slot::Held(3);
const DEAD: Slot = Slot::Dead { epoch: 1, seq: 2 };

pub async fn a_save_that_is_lost_changes_nothing(stage: Stage<impl Inspect>) {
    let old = stage.own(A).await.fence;
    let fence = stage.own(A).await.fence;
    let first = Save {
        body: Some("first".into()),
        ..stage.changes(fence, [put(TWO, letter("b", "kept"), PutMode::New)])
    };
    saved(stage.save(A, first).await);
    let before = stage.read().await;
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
        ..stage.changes(fence, changes.clone())
    };
    assert_eq!(stage.save(A, wrong(old)).await, Answer::Lost);
    assert_eq!(stage.save(B, wrong(fence)).await, Answer::Lost);
    assert_eq!(stage.save(A, wrong(Fence(fence.0 + 1))).await, Answer::Lost);
    assert_eq!(stage.read().await, before);
    let letters = stage.letters(&[TWO, THREE]).await;
    assert_eq!(letters, [Some(letter("b", "kept")), None]);
    let look = Save {
        look_up: vec![id("new")],
        ..stage.blank(fence)
    };
    assert_eq!(saved(stage.save(A, look).await).seen, [false]);
    let totals = stage.store.totals(&stage.group).await;
    assert_eq!(totals.expect("the store is there").listed, 0);
}

pub async fn a_key_that_was_given_up_cannot_be_saved(stage: Stage<impl Inspect>) {
    let fence = stage.own(A).await.fence;
    let save = Save {
        body: Some("x".into()),
        ..stage.blank(fence)
    };
    stage.release(A, save.clone()).await;
    assert_eq!(stage.save(A, save).await, Answer::Lost);
}

pub async fn a_save_without_a_body_leaves_it(stage: Stage<impl Inspect>) {
    let first = stage.own(A).await.fence;
    let save = Save {
        body: Some("first".into()),
        ..stage.blank(first)
    };
    saved(stage.save(A, save).await);
    let second = stage.own(A).await.fence;
    saved(stage.save(A, stage.blank(second)).await);
    let record = stage.read().await.expect("the key is known");
    assert_eq!(
        (record.body, record.body_fence),
        (Some("first".into()), first)
    );
    let save = Save {
        body: Some("".into()),
        ..stage.blank(second)
    };
    saved(stage.save(A, save).await);
    let record = stage.read().await.expect("the key is known");
    assert_eq!((record.body, record.body_fence), (Some("".into()), second));
}

pub async fn what_is_in_a_slot_stays_unless_it_is_replaced(stage: Stage<impl Inspect>) {
    let fence = stage.own(A).await.fence;
    for slot in [TWO, DEAD] {
        let changes = [
            put(slot, letter("a", "first"), PutMode::New),
            put(slot, letter("a", "again"), PutMode::New),
            put(slot, letter("a", "again"), PutMode::Force),
            put(slot, letter("x", "other"), PutMode::New),
            put(slot, letter("x", "other"), PutMode::Force),
        ];
        let told = saved(stage.save(A, stage.changes(fence, changes)).await);
        let taken = Posted::Taken(id("a"));
        let expected = [
            Posted::Stored,
            Posted::Known,
            Posted::Known,
            taken.clone(),
            taken,
        ];
        assert_eq!(told.puts, expected);
        assert_eq!(stage.letters(&[slot]).await, [Some(letter("a", "first"))]);
        let replace = [put(slot, letter("x", "other"), PutMode::Replace)];
        let told = saved(stage.save(A, stage.changes(fence, replace)).await);
        assert_eq!(told.puts, [Posted::Stored]);
        assert_eq!(stage.letters(&[slot]).await, [Some(letter("x", "other"))]);
    }
}

pub async fn a_letter_is_moved_with_a_new_note(stage: Stage<impl Inspect>) {
    let fence = stage.own(A).await.fence;
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
    saved(stage.save(A, stage.changes(fence, there)).await);
    let aside = [relocate(TWO, DEAD, "\0aside")];
    saved(stage.save(A, stage.changes(fence, aside)).await);
    assert_eq!(stage.letters(&[TWO, DEAD]).await, [None, noted("\0aside")]);
    let back = [relocate(DEAD, THREE, ""), relocate(TWO, DEAD, "nothing")];
    saved(stage.save(A, stage.changes(fence, back)).await);
    assert_eq!(stage.letters(&[THREE, DEAD]).await, [noted(""), None]);
    let in_place = [relocate(THREE, THREE, "again")];
    saved(stage.save(A, stage.changes(fence, in_place)).await);
    assert_eq!(stage.letters(&[THREE]).await, [noted("again")]);
}

pub async fn changes_are_carried_out_in_order(stage: Stage<impl Inspect>) {
    let fence = stage.own(A).await.fence;
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
        ..stage.changes(fence, changes)
    };
    let told = saved(stage.save(A, save).await);
    let taken = Posted::Taken(id("b"));
    let expected = [Posted::Stored, Posted::Stored, Posted::Stored, taken];
    assert_eq!(told.puts, expected);
    let fetched = [Some(letter("b", "2")), Some(letter("c", "3")), None];
    assert_eq!(told.letters, fetched, "slots are read after the changes");
}

pub async fn slots_do_not_touch_each_other(stage: Stage<impl Inspect>) {
    let fence = stage.own(A).await.fence;
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
    saved(stage.save(A, stage.changes(fence, changes)).await);
    let letters = stage.letters(&slots).await;
    for (place, found) in letters.into_iter().enumerate() {
        assert_eq!(found, Some(named(place)), "{:?}", slots[place]);
    }
}

pub async fn full_refuses_the_whole_save(stage: Stage<impl Inspect>) {
    let stage = stage.with(|policy| policy.key_quota.events = 2);
    let fence = stage.own(A).await.fence;
    let first = Save {
        body: Some("first".into()),
        ..stage.changes(fence, [put(TWO, letter("b", "kept"), PutMode::New)])
    };
    saved(stage.save(A, first).await);
    let before = (stage.read().await, stage.letters(&[TWO, DEAD]).await);
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
        ..stage.changes(fence, changes)
    };
    let full = Answer::Full(QuotaLimit::KeyEvents);
    assert_eq!(stage.save(A, save).await, full);
    let after = (stage.read().await, stage.letters(&[TWO, DEAD]).await);
    assert_eq!(after, before);
    let look = Save {
        look_up: vec![id("new")],
        fetch: vec![THREE, Slot::Held(7)],
        ..stage.blank(fence)
    };
    let told = saved(stage.save(A, look).await);
    assert_eq!((told.seen, told.letters), (vec![false], vec![None, None]));
    let totals = stage.store.totals(&stage.group).await;
    let totals = totals.expect("the store is there");
    assert_eq!((totals.listed, totals.held_events), (0, 1));
}
