use std::sync::Arc;
use std::time::Duration;

use ordered_core::admin::{Admin, OperateError, OperateOptions};
use ordered_core::clock::Clock;
use ordered_core::event::{Envelope, EventId, Key, Seq};
use ordered_core::internal::{FailedRun, HeldNote, KeyState, Subject, Transition};
use ordered_core::protocol::{Fence, Policy, Verb, Verdict, WorkerId};
use ordered_core::store::{
    Acquire, AcquireMode, Answer, Group, Inspect, Letter, Listing, MemoryStore, Operator, Owned,
    PutMode, Record, Request, Save, Saved, Session, Slot, Store,
};

use super::faulty_store::FaultyStore;

pub(crate) const LEASE: Duration = Duration::from_secs(60);

/// A group with one worker, which does by hand what the tests say.
#[derive(Clone)]
pub(crate) struct Stage {
    pub(crate) store: FaultyStore,
    pub(crate) admin: Admin,
    pub(crate) group: Group,
    pub(crate) worker: Session,
}

pub(crate) fn key(name: &str) -> Key {
    Key::new(name).unwrap()
}

pub(crate) fn seq(number: u64) -> Seq {
    Seq::new(number).unwrap()
}

pub(crate) fn id_of(seq: u64) -> EventId {
    EventId::new(format!("id-{seq}")).unwrap()
}

pub(crate) fn letter(seq: u64, since: u64, body: &str) -> Letter {
    let checked = None;
    HeldNote { since, checked }.letter(&id_of(seq), &Envelope::new(body.to_owned()))
}

pub(crate) fn ada() -> Operator {
    Operator {
        who: "ada".into(),
        why: "a test".into(),
    }
}

pub(crate) fn dry_run() -> OperateOptions {
    OperateOptions {
        dry_run: true,
        ..OperateOptions::default()
    }
}

pub(crate) fn force() -> OperateOptions {
    OperateOptions {
        force: true,
        ..OperateOptions::default()
    }
}

impl Stage {
    pub(crate) async fn new() -> Self {
        Self::with(Policy::default()).await
    }

    pub(crate) async fn with(policy: Policy) -> Self {
        let store = FaultyStore::new(MemoryStore::with_clock(Clock::tokio()));
        let group = Group::new("group", policy);
        let worker = join(&store, &group, "w1").await;
        Self {
            admin: Admin::new(Arc::new(store.clone())),
            store,
            group,
            worker,
        }
    }

    pub(crate) async fn join(&self, worker: &str) -> Session {
        join(&self.store, &self.group, worker).await
    }

    pub(crate) async fn ask(&self, session: &Session, request: Request) -> Answer {
        let requests = [request];
        let exchange = self.store.exchange(&self.group, session, &requests);
        exchange.await.unwrap().answers.remove(0)
    }

    /// The worker acquires a key.
    pub(crate) async fn acquire(&self, session: &Session, name: &str) -> Owned {
        match self.ask(session, acquire(name, Vec::new())).await {
            Answer::Owned(owned) => *owned,
            other => panic!("not granted: {other:?}"),
        }
    }

    /// The worker acquires a key, changes it, and gives it up.
    pub(crate) async fn change(&self, name: &str, change: impl FnOnce(&mut Transition<'_>)) {
        let owned = self.acquire(&self.worker, name).await;
        let saved = self.save(name, &owned, true, change).await;
        assert!(saved.released);
    }

    pub(crate) async fn save(
        &self,
        name: &str,
        owned: &Owned,
        release: bool,
        change: impl FnOnce(&mut Transition<'_>),
    ) -> Saved {
        let save = self.save_of(name, owned, release, change).await;
        match self.ask(&self.worker, save).await {
            Answer::Saved(saved) => saved,
            other => panic!("not saved: {other:?}"),
        }
    }

    pub(crate) async fn save_of(
        &self,
        name: &str,
        owned: &Owned,
        release: bool,
        change: impl FnOnce(&mut Transition<'_>),
    ) -> Request {
        let mut state = match &owned.body {
            Some(body) => KeyState::decode(body, owned.body_fence).unwrap(),
            None => KeyState::new(1),
        };
        let now = self.now().await;
        let mut transition = Transition::new(&mut state, self.group.policy(), now);
        owned.mail.iter().for_each(|seq| transition.posted(*seq));
        change(&mut transition);
        transition.watch_gap(false);
        let mut save = Save::new(key(name), owned.fence);
        save.changes = transition.changes;
        save.remember = transition.remember;
        let listing = state.listing(self.group.policy(), Listing::default(), now);
        save.listing = Listing::default().change(listing);
        save.taken = owned.mail.len();
        save.body = Some(state.encode(owned.fence));
        save.release = release;
        Request::Save(Box::new(save))
    }

    /// Halts the key at 1, with 2, 3 and 5 behind it.
    pub(crate) async fn halt(&self, name: &str) {
        self.change(name, |transition| {
            for seq in [2, 3, 5] {
                hold(transition, seq);
            }
            fail(transition, 1, |transition, run| transition.halt(run));
        })
        .await;
    }

    pub(crate) async fn now(&self) -> u64 {
        self.store.totals(&self.group).await.unwrap().now
    }

    pub(crate) async fn record(&self, name: &str) -> Record {
        let record = self.store.read(&self.group, &key(name)).await.unwrap();
        record.expect("the key is known")
    }

    pub(crate) async fn state(&self, name: &str) -> KeyState {
        let record = self.record(name).await;
        KeyState::decode(&record.body.unwrap(), record.body_fence).unwrap()
    }

    pub(crate) async fn operate(&self, verb: &Verb) -> Verdict {
        let options = OperateOptions::default();
        self.operate_with(verb, options).await.unwrap()
    }

    /// On the key `key`.
    pub(crate) async fn operate_with(
        &self,
        verb: &Verb,
        options: OperateOptions,
    ) -> Result<Verdict, OperateError> {
        let (key, operator) = (key("key"), ada());
        self.admin
            .operate(&self.group, &key, verb, &operator, options)
            .await
    }
}

async fn join(store: &FaultyStore, group: &Group, worker: &str) -> Session {
    let opened = store.open(group, &WorkerId::new(worker)).await.unwrap();
    store
        .heartbeat(group, &opened.session, LEASE)
        .await
        .unwrap();
    opened.session
}

pub(crate) fn acquire(name: &str, letters: Vec<(Slot, Letter)>) -> Request {
    Request::Acquire(Acquire {
        key: key(name),
        mode: AcquireMode::Ask,
        letters,
        look_up: Vec::new(),
    })
}

pub(crate) fn release(name: &str, fence: Fence) -> Request {
    let mut save = Save::new(key(name), fence);
    save.release = true;
    Request::Save(Box::new(save))
}

pub(crate) fn hold(transition: &mut Transition<'_>, seq: u64) {
    let letter = letter(seq, transition.now, "body");
    transition.hold(seq, letter, PutMode::New);
}

pub(crate) fn fail(
    transition: &mut Transition<'_>,
    seq: u64,
    settle: impl FnOnce(&mut Transition<'_>, FailedRun<'_>),
) {
    let (id, envelope) = (id_of(seq), Envelope::new("body"));
    let run = FailedRun {
        event: Subject {
            seq,
            id: &id,
            stored: transition.state.held.contains(seq),
            replay: false,
        },
        envelope: &envelope,
        attempt: transition.state.next_attempt(),
        error: "it failed",
        worker: "w1",
    };
    settle(transition, run);
}

pub(crate) fn dead_letter(transition: &mut Transition<'_>, seq: u64) {
    fail(transition, seq, |transition, run| {
        transition.dead_letter(run)
    });
}
