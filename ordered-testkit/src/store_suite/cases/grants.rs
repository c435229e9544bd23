use std::time::Duration;

use ordered_core::protocol::{Fence, WorkerId};
use ordered_core::store::{Acquire, AcquireMode, Answer, Group, Inspect, Previous, Request, Save};

use crate::store_suite::fixture::{
    A, B, START, StoreFixture, ask, busy, key, owned, saved, session,
};
use crate::unique;

pub async fn a_free_key_is_granted(fixture: StoreFixture<impl Inspect>) {
    let owned = fixture.own(A).await;
    assert_eq!(owned.previous, Previous::Nobody);
    assert_eq!((owned.body, owned.body_fence), (None, Fence(0)));
    assert!(owned.mail.is_empty() && owned.seen.is_empty());
    let record = fixture.read().await.expect("the key is known");
    let owner = record.owner.expect("the key is owned");
    assert_eq!(owner.worker, WorkerId::new(A));
    assert_eq!((owner.since, record.fence), (START, owned.fence));
}

pub async fn a_key_has_one_owner_at_a_time(fixture: StoreFixture<impl Inspect>) {
    let fence = fixture.own(A).await.fence;
    let busy = busy(fixture.ask(B).await);
    assert_eq!(busy.owner, WorkerId::new(A));
    assert!(busy.posted.is_empty());
    let save = fixture.blank(fence);
    assert!(fixture.release(A, save).await.released);
    assert_eq!(fixture.own(B).await.previous, Previous::Nobody);
}

pub async fn an_owner_that_asks_again_gets_a_new_fence(fixture: StoreFixture<impl Inspect>) {
    let first = fixture.own(A).await;
    let second = fixture.own(A).await;
    assert_eq!(second.previous, Previous::Myself);
    assert!(second.fence > first.fence);
    assert_eq!(
        fixture.save(A, fixture.blank(first.fence)).await,
        Answer::Lost
    );
    saved(fixture.save(A, fixture.blank(second.fence)).await);
}

pub async fn fences_grow_with_every_grant_whatever_the_clock_does(
    fixture: StoreFixture<impl Inspect>,
) {
    let mut last = Fence(0);
    for round in 0..20 {
        let worker = if round % 2 == 0 { A } else { B };
        fixture.beat(worker).await;
        let fence = fixture.own(worker).await.fence;
        assert!(fence > last, "{fence} follows {last}");
        last = fence;
        let body = Some("body".into());
        let save = Save {
            body,
            ..fixture.blank(fence)
        };
        assert!(fixture.release(worker, save).await.released);
        match round % 4 {
            0 => fixture.clock.advance(7),
            1 => fixture.clock.step_back(90_000),
            _ => {}
        }
    }
}

/// So that a fence is larger than those of a state that was lost.
pub async fn a_fence_is_at_least_the_time_in_microseconds(fixture: StoreFixture<impl Inspect>) {
    let fence = fixture.own(A).await.fence;
    assert!(fence >= Fence(START * 1_000));
}

pub async fn a_new_owner_gets_the_body_with_the_fence_it_was_saved_under(
    fixture: StoreFixture<impl Inspect>,
) {
    let fence = fixture.own(A).await.fence;
    let save = Save {
        body: Some("\0body\n".into()),
        ..fixture.blank(fence)
    };
    fixture.release(A, save).await;
    for worker in [B, A] {
        let owned = fixture.own(worker).await;
        assert_eq!(owned.body, Some("\0body\n".into()));
        assert_eq!(
            owned.body_fence, fence,
            "only a body that is saved has a new fence"
        );
        fixture.release(worker, fixture.blank(owned.fence)).await;
    }
}

pub async fn a_key_without_a_body_is_unknown_once_it_is_given_up(
    fixture: StoreFixture<impl Inspect>,
) {
    assert_eq!(fixture.read().await, None);
    let fence = fixture.own(A).await.fence;
    assert!(fixture.read().await.is_some());
    fixture.release(A, fixture.blank(fence)).await;
    assert_eq!(fixture.read().await, None);
    let totals = fixture.store.totals(&fixture.group).await;
    assert_eq!(totals.expect("the store is there").keys, 0);
}

pub async fn a_request_to_hand_over_is_told_with_every_save(fixture: StoreFixture<impl Inspect>) {
    let fence = fixture.own(A).await.fence;
    assert!(!saved(fixture.save(A, fixture.blank(fence)).await).hand_over);
    let hand_over = Acquire {
        mode: AcquireMode::HandOver,
        ..ask(&fixture.key)
    };
    let refused = busy(fixture.acquire(B, hand_over).await);
    assert_eq!(refused.owner, WorkerId::new(A));
    let record = fixture.read().await.expect("the key is known");
    assert!(record.owner.expect("it is owned").hand_over);
    for _ in 0..2 {
        assert!(saved(fixture.save(A, fixture.blank(fence)).await).hand_over);
    }
    let given_up = fixture.release(A, fixture.blank(fence)).await;
    assert!(given_up.released && given_up.hand_over);
    let fence = fixture.own(B).await.fence;
    let fulfilled = saved(fixture.save(B, fixture.blank(fence)).await);
    assert!(!fulfilled.hand_over, "the mark goes with the owner");
}

pub async fn a_key_can_be_stolen_from_a_living_owner(fixture: StoreFixture<impl Inspect>) {
    let before = fixture.own(A).await.fence;
    let steal = Acquire {
        mode: AcquireMode::Steal,
        ..ask(&fixture.key)
    };
    let stolen = owned(fixture.acquire(B, steal).await);
    assert_eq!(stolen.previous, Previous::Other(WorkerId::new(A)));
    assert!(stolen.fence > before);
    assert_eq!(fixture.save(A, fixture.blank(before)).await, Answer::Lost);
    assert!(matches!(fixture.ask(A).await, Answer::Busy(_)));
}

pub async fn a_batch_is_answered_in_its_order(fixture: StoreFixture<impl Inspect>) {
    let keys: Vec<_> = (0..300).map(|number| key(&format!("k{number}"))).collect();
    let requests = |of: fn(usize) -> bool| -> Vec<Request> {
        let some = keys.iter().enumerate().filter(|(place, _)| of(*place));
        some.map(|(_, key)| Request::Acquire(ask(key))).collect()
    };
    fixture.batch(A, &requests(|place| place % 3 == 0)).await;
    let answers = fixture.batch(B, &requests(|_| true)).await;
    for (place, answer) in answers.iter().enumerate() {
        let is_busy = matches!(answer, Answer::Busy(_));
        assert_eq!(is_busy, place % 3 == 0, "{place}: {answer:?}");
    }
}

pub async fn keys_and_groups_do_not_touch_each_other(fixture: StoreFixture<impl Inspect>) {
    let fence = fixture.own(A).await.fence;
    let other = key("order-2");
    assert_eq!(fixture.own_key(B, &other).await.previous, Previous::Nobody);
    let elsewhere = Save::new(other, fence);
    assert_eq!(fixture.save(A, elsewhere).await, Answer::Lost);

    let group = Group::new(unique("other"), fixture.group.policy().clone());
    let session = session(&fixture.store, &group, B).await;
    let lease = Duration::from_secs(1);
    let beat = fixture.store.heartbeat(&group, &session, lease).await;
    beat.expect("the store is there");
    let requests = [Request::Acquire(ask(&fixture.key))];
    let exchange = fixture.store.exchange(&group, &session, &requests).await;
    let answers = exchange.expect("the store is there").answers;
    assert!(matches!(answers[..], [Answer::Owned(_)]));
    saved(fixture.save(A, fixture.blank(fence)).await);
}
