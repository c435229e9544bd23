use std::time::Duration;

use bytes::Bytes;
use ordered_core::clock::Clock;
use ordered_core::event::{EventId, Key};
use ordered_core::protocol::{Fence, Policy, WorkerId};
use ordered_core::store::{
    Acquire, AcquireMode, Answer, Busy, Change, Group, Inspect, Letter, Listing, ListingChange,
    Owned, PutMode, Record, Request, Save, Saved, Session, Slot, Sweep, Swept,
};

use crate::unique;

/// Two workers of the tests.
pub(crate) const A: &str = "worker-a";
pub(crate) const B: &str = "worker-b";
/// The length of their leases in milliseconds.
pub(crate) const LEASE: u64 = 1_000;
/// The time at which tests begin: the year 2100, so that what a server expires by its own time stays.
pub(crate) const START: u64 = 4_102_444_800_000;

/// A store with a clock, a group of its own, and shorthands to talk to it.
pub struct StoreFixture<S> {
    pub(crate) store: S,
    pub(crate) clock: Clock,
    pub(crate) group: Group,
    pub(crate) key: Key,
    sessions: [Session; 2],
}

pub(crate) fn key(text: &str) -> Key {
    Key::new(text).expect("it is neither empty nor long")
}

pub(crate) fn id(text: &str) -> EventId {
    EventId::new(text).expect("it is neither empty nor long")
}

pub(crate) fn letter(id_text: &str, data: &str) -> Letter {
    Letter {
        id: id(id_text),
        note: Bytes::from_static(b"note"),
        data: Bytes::copy_from_slice(data.as_bytes()),
    }
}

/// An acquisition that asks, and does nothing else.
pub(crate) fn ask(key: &Key) -> Acquire {
    Acquire {
        key: key.clone(),
        mode: AcquireMode::Ask,
        letters: Vec::new(),
        look_up: Vec::new(),
    }
}

pub(crate) fn put(slot: Slot, letter: Letter, mode: PutMode) -> Change {
    Change::Put { slot, letter, mode }
}

/// The change of listing that lists a key as due, and in no other index.
pub(crate) fn due_at(due: u64) -> ListingChange {
    ListingChange {
        due: Some(Some(due)),
        ..ListingChange::default()
    }
}

/// A sweep that finds everything.
pub(crate) fn broad() -> Sweep {
    Sweep {
        limit: 1_000,
        longest_wait: Duration::from_secs(60),
        stuck_after: Duration::from_secs(10),
    }
}

pub(crate) fn owned(answer: Answer) -> Owned {
    match answer {
        Answer::Owned(owned) => *owned,
        other => panic!("not granted: {other:?}"),
    }
}

pub(crate) fn busy(answer: Answer) -> Busy {
    match answer {
        Answer::Busy(busy) => *busy,
        other => panic!("not busy: {other:?}"),
    }
}

pub(crate) fn saved(answer: Answer) -> Saved {
    match answer {
        Answer::Saved(saved) => saved,
        other => panic!("not saved: {other:?}"),
    }
}

impl StoreFixture<()> {
    /// The clock of a test.
    #[must_use]
    pub fn clock() -> Clock {
        Clock::manual(START)
    }
}

impl<S: Inspect> StoreFixture<S> {
    /// A group that is opened, with two workers alive.
    ///
    /// # Panics
    /// When the store does not open.
    pub async fn new(store: S, clock: Clock) -> Self {
        Self::open(store, clock, Policy::default()).await
    }

    async fn open(store: S, clock: Clock, policy: Policy) -> Self {
        let group = Group::new(unique("fixture"), policy);
        let a = session(&store, &group, A).await;
        let b = session(&store, &group, B).await;
        let fixture = Self {
            store,
            clock,
            group,
            key: key("order-1"),
            sessions: [a, b],
        };
        fixture.beat(A).await;
        fixture.beat(B).await;
        fixture
    }

    /// The same with other rules.
    pub(crate) fn with(mut self, change: impl FnOnce(&mut Policy)) -> Self {
        let mut policy = self.group.policy().clone();
        change(&mut policy);
        self.group = Group::new(self.group.name(), policy);
        self
    }

    /// A new group with the same rules, which is opened with them.
    pub(crate) async fn elsewhere(self) -> Self {
        let policy = self.group.policy().clone();
        Self::open(self.store, self.clock, policy).await
    }

    pub(crate) fn session(&self, worker: &str) -> &Session {
        let found = self
            .sessions
            .iter()
            .find(|session| session.worker.as_str() == worker);
        found.expect("it is one of the two")
    }

    pub(crate) async fn batch(&self, worker: &str, requests: &[Request]) -> Vec<Answer> {
        let session = self.session(worker);
        let exchange = self.store.exchange(&self.group, session, requests).await;
        let exchange = exchange.expect("the store is there");
        assert_eq!(exchange.answers.len(), requests.len());
        exchange.answers
    }

    pub(crate) async fn acquire(&self, worker: &str, acquire: Acquire) -> Answer {
        let requests = [Request::Acquire(acquire)];
        self.batch(worker, &requests).await.remove(0)
    }

    pub(crate) async fn save(&self, worker: &str, save: Save) -> Answer {
        let requests = [Request::Save(Box::new(save))];
        self.batch(worker, &requests).await.remove(0)
    }

    /// Asks for the key of the test.
    pub(crate) async fn ask(&self, worker: &str) -> Answer {
        self.acquire(worker, ask(&self.key)).await
    }

    /// Asks for the key of the test, which must be granted.
    pub(crate) async fn own(&self, worker: &str) -> Owned {
        owned(self.ask(worker).await)
    }

    pub(crate) async fn own_key(&self, worker: &str, key: &Key) -> Owned {
        owned(self.acquire(worker, ask(key)).await)
    }

    /// Asks for the key of the test with letters, while another worker owns it.
    pub(crate) async fn post(&self, worker: &str, letters: &[(u64, Letter)]) -> Busy {
        let held = |(seq, letter): &(u64, Letter)| (Slot::Held(*seq), letter.clone());
        let letters = letters.iter().map(held).collect();
        let acquire = Acquire {
            letters,
            ..ask(&self.key)
        };
        busy(self.acquire(worker, acquire).await)
    }

    /// A save of the key of the test, under a fence.
    pub(crate) fn blank(&self, fence: Fence) -> Save {
        Save::new(self.key.clone(), fence)
    }

    /// A save that changes the mailbox alone.
    pub(crate) fn changes(&self, fence: Fence, changes: impl Into<Vec<Change>>) -> Save {
        Save {
            changes: changes.into(),
            ..self.blank(fence)
        }
    }

    /// Carries out the save, and gives the key up.
    pub(crate) async fn release(&self, worker: &str, save: Save) -> Saved {
        let save = Save {
            release: true,
            ..save
        };
        saved(self.save(worker, save).await)
    }

    /// Makes a key known that nobody owns, with a body and this place in the indexes.
    pub(crate) async fn list(&self, key: &Key, listing: Listing) {
        let fence = self.own_key(A, key).await.fence;
        let save = Save {
            body: Some(Bytes::copy_from_slice(key.as_str().as_bytes())),
            listing: Listing::default().change(listing),
            ..Save::new(key.clone(), fence)
        };
        assert!(self.release(A, save).await.released);
    }

    pub(crate) async fn read(&self) -> Option<Record> {
        self.read_key(&self.key).await
    }

    pub(crate) async fn read_key(&self, key: &Key) -> Option<Record> {
        let record = self.store.read(&self.group, key).await;
        record.expect("the store is there")
    }

    pub(crate) async fn letters(&self, slots: &[Slot]) -> Vec<Option<Letter>> {
        let letters = self.store.letters(&self.group, &self.key, slots).await;
        letters.expect("the store is there")
    }

    pub(crate) async fn beat(&self, worker: &str) {
        let lease = Duration::from_millis(LEASE);
        let session = self.session(worker);
        let beat = self.store.heartbeat(&self.group, session, lease).await;
        beat.expect("the store is there");
    }

    pub(crate) async fn leave(&self, worker: &str) {
        let left = self.store.leave(&self.group, self.session(worker)).await;
        left.expect("the store is there");
    }

    pub(crate) async fn sweep(&self, sweep: &Sweep) -> Swept {
        let swept = self.store.sweep(&self.group, self.session(B), sweep).await;
        swept.expect("the store is there")
    }

    /// The worker sends no heartbeat until two looks have found it dead; the other one lives on.
    pub(crate) async fn crash(&self, worker: &str) {
        let other = if worker == A { B } else { A };
        for _ in 0..2 {
            self.clock.advance(LEASE / 2);
            self.beat(other).await;
            self.sweep(&broad()).await;
        }
    }
}

pub(crate) async fn session(store: &impl Inspect, group: &Group, worker: &str) -> Session {
    let opened = store.open(group, &WorkerId::new(worker)).await;
    opened.expect("the group opens").session
}
