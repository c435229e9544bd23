use ordered_core::event::Envelope;
use ordered_core::protocol::{Action, Obstacle, QuotaLimit, Verdict};
use ordered_core::store::{Admin, Store};

use crate::store_suite::stage::{A, B, Stage, committed, held, key, plain};

pub async fn a_payload_comes_back_byte_for_byte(stage: Stage<impl Store + Admin>) {
    let mut envelope = Envelope::new((0..=255).cycle().take(100_000).collect::<Vec<u8>>());
    envelope
        .headers
        .insert("a\n\0".into(), "{\"😀\": 1}".into());
    envelope.published_at = Some(1_712_345_678_901);
    stage.say(B, Action::Hold(plain(2), envelope.clone())).await;
    stage
        .say(B, Action::Hold(plain(3), Envelope::new("")))
        .await;
    stage.offer(A, 1).await;
    let Verdict::Committed { next, .. } = stage.commit(A, 1).await else {
        panic!("it is committed");
    };
    assert_eq!(next[0].envelope, envelope);
    assert_eq!(next[1].envelope, Envelope::new(""));
}

pub async fn each_quota_is_told_and_the_head_is_exempt(stage: Stage<impl Store + Admin>) {
    let mut stage = stage.with(|policy| policy.key_quota.events = 2);
    stage.hold(A, 3).await;
    stage.hold(A, 4).await;
    assert_eq!(
        stage.hold(A, 5).await,
        Verdict::HoldFull(QuotaLimit::KeyEvents)
    );
    stage = stage.with(|policy| (policy.key_quota.events, policy.key_quota.bytes) = (9, 29));
    assert_eq!(
        stage.hold(A, 5).await,
        Verdict::HoldFull(QuotaLimit::KeyBytes)
    );
    // Whatever the number of buckets, the share of this one is used up.
    stage = stage.with(|policy| (policy.key_quota.bytes, policy.group_quota.events) = (99, 1));
    assert_eq!(
        stage.hold(A, 5).await,
        Verdict::HoldFull(QuotaLimit::GroupEvents)
    );
    stage =
        stage.with(|policy| (policy.group_quota.events, policy.group_quota.bytes) = (1 << 20, 1));
    assert_eq!(
        stage.hold(A, 5).await,
        Verdict::HoldFull(QuotaLimit::GroupBytes)
    );
    stage.offer(B, 1).await;
    assert_eq!(stage.hold(A, 1).await, held(1, Obstacle::Running));
    assert_eq!(
        stage.hold(A, 2).await,
        Verdict::HoldFull(QuotaLimit::GroupBytes)
    );
}

pub async fn what_is_committed_makes_room(stage: Stage<impl Store + Admin>) {
    let stage = stage.with(|policy| policy.key_quota.bytes = 20);
    stage.hold(A, 2).await;
    stage.hold(A, 3).await;
    assert_eq!(
        stage.hold(A, 4).await,
        Verdict::HoldFull(QuotaLimit::KeyBytes)
    );
    stage.offer(B, 1).await;
    stage.commit(B, 1).await;
    assert_eq!(committed(&stage.commit(B, 2).await), (vec![3], false));
    assert_eq!(stage.hold(A, 4).await, held(3, Obstacle::Running));
    let view = stage.view().await;
    assert_eq!((view.held.len(), view.held_bytes), (2, 20));
    assert_eq!(stage.view_of(&key("other")).await, None);
}
