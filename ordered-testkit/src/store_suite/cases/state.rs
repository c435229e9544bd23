use std::time::Duration;

use ordered_core::protocol::{Order, WorkerId};
use ordered_core::store::{Group, Incarnation, Inspect, Request, Session, StoreErrorKind};

use crate::store_suite::fixture::{A, StoreFixture, ask, broad};
use crate::unique;

/// Every call of the session is refused.
async fn is_lost(fixture: &StoreFixture<impl Inspect>, group: &Group, session: &Session) {
    let requests = [Request::Acquire(ask(&fixture.key))];
    let exchange = fixture.store.exchange(group, session, &requests).await;
    let lease = Duration::from_secs(1);
    let beat = fixture.store.heartbeat(group, session, lease).await;
    let swept = fixture.store.sweep(group, session, &broad()).await;
    let left = fixture.store.leave(group, session).await;
    let errors = [exchange.err(), beat.err(), swept.err(), left.err()];
    for (call, error) in ["exchange", "heartbeat", "sweep", "leave"]
        .iter()
        .zip(errors)
    {
        let kind = error.map(|error| error.kind());
        assert_eq!(kind, Some(StoreErrorKind::StateLost), "{call}");
    }
}

pub async fn a_session_of_another_life_of_the_state_is_lost(fixture: StoreFixture<impl Inspect>) {
    let good = fixture.session(A).clone();
    let Incarnation(number) = good.incarnation;
    let other = Session {
        incarnation: Incarnation(number ^ 1),
        ..good
    };
    is_lost(&fixture, &fixture.group, &other).await;
    fixture.own(A).await;
    let record = fixture.read().await.expect("the key is known");
    let owner = record.owner.expect("it is owned");
    assert!(owner.lease_until.is_some(), "the lease was not ended");
}

pub async fn a_session_of_a_group_that_was_never_opened_is_lost(
    fixture: StoreFixture<impl Inspect>,
) {
    let group = Group::new(unique("never"), fixture.group.policy().clone());
    is_lost(&fixture, &group, &fixture.session(A).clone()).await;
    let found = fixture.store.group(group.name()).await;
    assert_eq!(found.expect("the store is there"), None);
}

pub async fn a_group_keeps_its_order(fixture: StoreFixture<impl Inspect>) {
    let with = |order| {
        let mut policy = fixture.group.policy().clone();
        policy.order = order;
        policy
    };
    let worker = WorkerId::new(A);
    let monotonic = |coalesce| Order::Monotonic { coalesce };
    for order in [Order::Sequence, Order::Arrival, monotonic(false)] {
        let name = unique("order");
        let group = |order| Group::new(&name, with(order));
        let opened = fixture.store.open(&group(order), &worker).await;
        assert!(opened.expect("it is new").created);
        for other in [Order::Sequence, Order::Arrival, monotonic(true)] {
            let opened = fixture.store.open(&group(other), &worker).await;
            if order.is_compatible(other) {
                assert!(!opened.expect("it means the same").created);
                continue;
            }
            let error = opened.expect_err("its keys would be misread");
            assert_eq!(error.kind(), StoreErrorKind::Refused);
            let (text, way_out) = (error.to_string(), format!("{name}-{other}"));
            assert!(text.contains(order.as_str()), "{text}");
            assert!(text.contains(&way_out), "{text}");
        }
        let kept = fixture
            .store
            .group(&name)
            .await
            .expect("the store is there");
        let kept = kept.expect("it was opened").policy().order;
        assert!(kept.is_compatible(order), "{kept} is kept");
    }
}

pub async fn a_group_is_created_once(fixture: StoreFixture<impl Inspect>) {
    let group = Group::new(unique("new"), fixture.group.policy().clone());
    let mut sessions = Vec::new();
    for created in [true, false, false] {
        let worker = WorkerId::new(A);
        let opened = fixture.store.open(&group, &worker).await;
        let opened = opened.expect("the group opens");
        assert_eq!(opened.created, created);
        assert!(!opened.report.reason.is_empty());
        assert_eq!(opened.session.worker, worker);
        sessions.push(opened.session);
    }
    assert_eq!(sessions[0], sessions[1]);
    assert_eq!(sessions[0], sessions[2]);
}

pub async fn an_opening_changes_no_key(fixture: StoreFixture<impl Inspect>) {
    fixture.own(A).await;
    let before = fixture.read().await;
    let opened = fixture.store.open(&fixture.group, &WorkerId::new(A)).await;
    assert!(!opened.expect("the group opens").created);
    assert_eq!(fixture.read().await, before);
}

pub async fn a_group_keeps_the_seq_that_its_keys_begin_with(fixture: StoreFixture<impl Inspect>) {
    let group = |name: &str, first_seq: u64| {
        let mut policy = fixture.group.policy().clone();
        policy.first_seq = first_seq;
        Group::new(name, policy)
    };
    for (first, other) in [(1, 0), (0, 1), (57, 58)] {
        let name = unique("first");
        let open = async |first_seq: u64| {
            let group = group(&name, first_seq);
            fixture.store.open(&group, &WorkerId::new(A)).await
        };
        open(first).await.expect("the group opens");
        let error = open(other).await.expect_err("its keys begin elsewhere");
        assert_eq!(error.kind(), StoreErrorKind::Refused);
        let text = error.to_string();
        let begun = format!("was begun with `first_seq = {first}`");
        assert!(
            text.contains(&begun) && text.contains("ordered export"),
            "{text}"
        );
        assert!(!open(first).await.expect("it is as it was").created);
        let found = fixture
            .store
            .group(&name)
            .await
            .expect("the store is there");
        assert_eq!(found, Some(group(&name, first)));
    }
}
