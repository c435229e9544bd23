use std::time::Duration;

use super::{MemoryStore, Session, Store};
use crate::clock::Clock;
use crate::event::Key;
use crate::protocol::{Policy, WorkerId};
use crate::store::{Acquire, AcquireMode, Answer, Owned, Previous, Request, Save};
use crate::store::{Group, StoreErrorKind};

const LEASE: u64 = 1_000;
const START: u64 = 1_000_000;

struct Stage {
    clock: Clock,
    store: MemoryStore,
    group: Group,
    a: Session,
    b: Session,
}

impl Stage {
    async fn new() -> Self {
        let clock = Clock::manual(START);
        let store = MemoryStore::with_clock(clock.clone());
        let group = Group::new("group", Policy::default());
        let a = open(&store, &group, "a").await;
        let b = open(&store, &group, "b").await;
        let stage = Self {
            clock,
            store,
            group,
            a,
            b,
        };
        stage.beat(&stage.a).await;
        stage.beat(&stage.b).await;
        stage
    }

    async fn beat(&self, session: &Session) {
        let lease = Duration::from_millis(LEASE);
        let beat = self.store.heartbeat(&self.group, session, lease).await;
        beat.expect("the session is good");
    }

    async fn ask(&self, session: &Session) -> Answer {
        let acquire = Acquire {
            key: Key::new("key").expect("it is short"),
            mode: AcquireMode::Ask,
            letters: Vec::new(),
            look_up: Vec::new(),
        };
        let requests = [Request::Acquire(acquire)];
        let exchange = self.store.exchange(&self.group, session, &requests).await;
        exchange.expect("the session is good").answers.remove(0)
    }

    async fn owned(&self, session: &Session) -> Owned {
        match self.ask(session).await {
            Answer::Owned(owned) => *owned,
            other => panic!("not granted: {other:?}"),
        }
    }
}

async fn open(store: &MemoryStore, group: &Group, worker: &str) -> Session {
    let opened = store.open(group, &WorkerId::new(worker)).await;
    opened.expect("the group opens").session
}

#[tokio::test]
async fn a_step_of_the_clock_forward_takes_nothing_from_a_worker_that_beats() {
    let stage = Stage::new().await;
    stage.owned(&stage.a).await;
    stage.clock.advance(3_600_000);
    stage.beat(&stage.b).await;
    assert!(matches!(stage.ask(&stage.b).await, Answer::Busy(_)));
    stage.beat(&stage.a).await;
    stage.clock.advance(LEASE / 2);
    stage.beat(&stage.b).await;
    assert!(matches!(stage.ask(&stage.b).await, Answer::Busy(_)));
}

#[tokio::test]
async fn a_step_of_the_clock_back_delays_a_takeover_by_no_more_than_one_lease() {
    let stage = Stage::new().await;
    stage.owned(&stage.a).await;
    stage.clock.step_back(90_000);
    let mut waited = 0;
    while matches!(stage.ask(&stage.b).await, Answer::Busy(_)) {
        stage.clock.advance(50);
        waited += 50;
        stage.beat(&stage.b).await;
    }
    assert_eq!(waited, LEASE);
    let owned = stage.owned(&stage.b).await;
    assert_eq!(owned.previous, Previous::Myself);
}

#[tokio::test]
async fn fences_grow_after_everything_was_forgotten() {
    let stage = Stage::new().await;
    let mut last = stage.owned(&stage.a).await.fence;
    for _ in 0..500 {
        let fence = stage.owned(&stage.a).await.fence;
        assert!(fence > last);
        last = fence;
    }
    stage.store.forget_everything();
    stage.clock.advance(1);
    let session = open(&stage.store, &stage.group, "a").await;
    stage.beat(&session).await;
    assert!(stage.owned(&session).await.fence > last);
}

#[tokio::test]
async fn sessions_are_lost_when_everything_was_forgotten() {
    let stage = Stage::new().await;
    stage.store.forget_everything();
    let lost = |error: crate::store::StoreError| error.kind() == StoreErrorKind::StateLost;
    let left = stage.store.leave(&stage.group, &stage.a).await;
    assert!(left.is_err_and(lost));
    let other = open(&stage.store, &stage.group, "a").await;
    assert_ne!(other, stage.a);
    let left = stage.store.leave(&stage.group, &stage.a).await;
    assert!(left.is_err_and(lost));
}

#[tokio::test]
async fn the_last_moments_can_be_lost_and_the_session_stays_good() {
    let stage = Stage::new().await;
    let early = stage.owned(&stage.a).await;
    let snapshot = stage.store.snapshot();
    let mut save = Save::new(Key::new("key").expect("it is short"), early.fence);
    save.body = Some("new".into());
    let requests = [Request::Save(Box::new(save))];
    let saved = stage.store.exchange(&stage.group, &stage.a, &requests);
    saved.await.expect("the session is good");
    assert!(stage.owned(&stage.a).await.body.is_some());
    stage.store.restore(snapshot);
    assert_eq!(stage.owned(&stage.a).await.body, None);
}
