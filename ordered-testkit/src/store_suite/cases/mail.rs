use bytes::Bytes;
use ordered_core::protocol::{QuotaLimit, WorkerId};
use ordered_core::store::{
    Acquire, AcquireMode, Change, Inspect, Letter, Posted, Previous, Save, Slot,
};

use crate::store_suite::fixture::{A, B, StoreFixture, ask, letter, owned, saved};

pub async fn letters_for_a_key_that_is_owned_are_posted(fixture: StoreFixture<impl Inspect>) {
    let fence = fixture.own(A).await.fence;
    let letters = [(3, letter("c", "third")), (2, letter("b", "second\0"))];
    let busy = fixture.post(B, &letters).await;
    assert_eq!(busy.owner, WorkerId::new(A));
    assert_eq!(busy.posted, [Posted::Stored, Posted::Stored]);
    let save = Save {
        fetch: [2, 3, 4].map(Slot::Held).into(),
        ..fixture.blank(fence)
    };
    let answer = saved(fixture.save(A, save).await);
    assert_eq!(answer.mail, [3, 2], "in the order in which it was posted");
    let [(_, third), (_, second)] = letters;
    assert_eq!(answer.letters, [Some(second), Some(third), None]);
}

pub async fn letters_are_not_stored_with_a_grant(fixture: StoreFixture<impl Inspect>) {
    let letters = vec![(Slot::Held(1), letter("a", "first"))];
    for _ in 0..2 {
        let acquire = Acquire {
            letters: letters.clone(),
            ..ask(&fixture.key)
        };
        assert!(owned(fixture.acquire(A, acquire).await).mail.is_empty());
        assert_eq!(fixture.letters(&[Slot::Held(1)]).await, [None]);
    }
}

pub async fn a_letter_that_is_posted_twice_is_known(fixture: StoreFixture<impl Inspect>) {
    let fence = fixture.own(A).await.fence;
    fixture.post(B, &[(2, letter("b", "second"))]).await;
    let again = [
        (2, letter("b", "another text")),
        (2, letter("x", "another event")),
        (3, letter("b", "another slot")),
    ];
    let posted = fixture.post(B, &again).await.posted;
    let taken = Posted::Taken(letter("b", "").id);
    assert_eq!(posted, [Posted::Known, taken, Posted::Stored]);
    let answer = saved(fixture.save(A, fixture.blank(fence)).await);
    assert_eq!(answer.mail, [2, 3]);
    let stored = fixture.letters(&[Slot::Held(2)]).await;
    assert_eq!(stored, [Some(letter("b", "second"))]);
}

pub async fn each_letter_is_posted_by_itself(fixture: StoreFixture<impl Inspect>) {
    let fixture = fixture.with(|policy| policy.key_quota.events = 2);
    fixture.own(A).await;
    let letters = [2, 3, 4, 2].map(|seq| (seq, letter(&format!("id-{seq}"), "x")));
    let posted = fixture.post(B, &letters).await.posted;
    let full = Posted::Full(QuotaLimit::KeyEvents);
    assert_eq!(
        posted,
        [Posted::Stored, Posted::Stored, full, Posted::Known]
    );
    assert_eq!(fixture.letters(&[Slot::Held(4)]).await, [None]);
    assert_eq!(fixture.own(A).await.mail, [2, 3]);
}

pub async fn mail_is_told_until_a_save_has_taken_it(fixture: StoreFixture<impl Inspect>) {
    let fence = fixture.own(A).await.fence;
    let letters = [5, 2, 9].map(|seq| (seq, letter(&format!("id-{seq}"), "x")));
    fixture.post(B, &letters).await;
    for _ in 0..2 {
        let answer = saved(fixture.save(A, fixture.blank(fence)).await);
        assert_eq!(answer.mail, [5, 2, 9]);
    }
    let take = |taken| Save {
        taken,
        ..fixture.blank(fence)
    };
    assert_eq!(saved(fixture.save(A, take(2)).await).mail, [9]);
    fixture.post(B, &[(3, letter("id-3", "x"))]).await;
    assert_eq!(saved(fixture.save(A, take(1)).await).mail, [3]);
    let record = fixture.read().await.expect("the key is known");
    assert_eq!(record.owner.expect("it is owned").mail, [3]);
    assert!(saved(fixture.save(A, take(1)).await).mail.is_empty());
}

pub async fn a_release_is_refused_while_there_is_mail(fixture: StoreFixture<impl Inspect>) {
    let fence = fixture.own(A).await.fence;
    let letters = [2, 3].map(|seq| (seq, letter(&format!("id-{seq}"), "x")));
    fixture.post(B, &letters).await;
    let take = |taken| Save {
        taken,
        body: Some(format!("{taken}").into()),
        ..fixture.blank(fence)
    };
    let refused = fixture.release(A, take(1)).await;
    assert_eq!((refused.released, refused.mail), (false, vec![3]));
    let record = fixture.read().await.expect("the key is known");
    assert!(record.owner.is_some());
    assert_eq!(
        record.body,
        Some("1".into()),
        "the rest of the save is done"
    );
    let released = fixture.release(A, take(1)).await;
    assert_eq!((released.released, released.mail), (true, vec![]));
}

pub async fn the_mail_of_a_dead_owner_is_inherited(fixture: StoreFixture<impl Inspect>) {
    let fence = fixture.own(A).await.fence;
    let letters = [4, 2].map(|seq| (seq, letter(&format!("id-{seq}"), "x")));
    fixture.post(B, &letters).await;
    // It was told, and dies before it saves a body that accounts for it.
    saved(fixture.save(A, fixture.blank(fence)).await);
    fixture.crash(A).await;
    let inherited = fixture.own(B).await;
    assert_eq!(inherited.previous, Previous::Died(WorkerId::new(A)));
    assert_eq!(inherited.mail, [4, 2]);
    assert_eq!(
        fixture.own(B).await.mail,
        [4, 2],
        "and is not lost with an answer"
    );
}

pub async fn mail_is_kept_when_a_key_is_stolen_or_its_owner_left(
    fixture: StoreFixture<impl Inspect>,
) {
    fixture.own(A).await;
    fixture.post(B, &[(2, letter("b", "x"))]).await;
    let steal = Acquire {
        mode: AcquireMode::Steal,
        ..ask(&fixture.key)
    };
    assert_eq!(owned(fixture.acquire(B, steal).await).mail, [2]);
    fixture.leave(B).await;
    assert_eq!(fixture.own(A).await.mail, [2]);
}

pub async fn letters_that_are_not_posted_leave_no_mail(fixture: StoreFixture<impl Inspect>) {
    let fixture = fixture.with(|policy| policy.key_quota.bytes = 3);
    let fence = fixture.own(A).await.fence;
    let posted = fixture.post(B, &[(2, letter("b", "long"))]).await.posted;
    assert_eq!(posted, [Posted::Full(QuotaLimit::KeyBytes)]);
    assert!(fixture.release(A, fixture.blank(fence)).await.released);
}

/// As the owner of a key whose events have no number of their own does.
pub async fn what_was_posted_under_any_number_is_moved_and_read_in_one_save(
    fixture: StoreFixture<impl Inspect>,
) {
    let fence = fixture.own(A).await.fence;
    // The mail is in the order of posting, whatever the numbers are, and these need all of their bits.
    let posted = [u64::MAX, 1 << 63, u64::MAX - 1, 1 << 62];
    let letters = posted.map(|number| (number, letter(&format!("id-{number}"), "x")));
    fixture.post(B, &letters).await;
    let answer = saved(fixture.save(A, fixture.blank(fence)).await);
    assert_eq!(answer.mail, posted);
    let note = Bytes::from_static(b"numbered");
    let moves = (1..).zip(posted).map(|(seq, number)| Change::Move {
        from: Slot::Held(number),
        to: Slot::Held(seq),
        note: note.clone(),
    });
    let save = Save {
        changes: moves.collect(),
        taken: posted.len(),
        fetch: (1..=4).map(Slot::Held).collect(),
        ..fixture.blank(fence)
    };
    let answer = saved(fixture.save(A, save).await);
    assert!(answer.mail.is_empty());
    let moved = letters.clone().map(|(_, letter)| {
        Some(Letter {
            note: note.clone(),
            ..letter
        })
    });
    assert_eq!(answer.letters, moved);
    let totals = fixture.store.totals(&fixture.group).await;
    assert_eq!(totals.expect("the store is there").held_events, 4);
    // What was posted may be posted again under its number, and is told again.
    fixture.post(B, &letters[..1]).await;
    let answer = saved(fixture.save(A, fixture.blank(fence)).await);
    assert_eq!(answer.mail, posted[..1]);
}
