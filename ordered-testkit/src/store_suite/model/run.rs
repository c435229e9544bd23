use std::collections::BTreeMap;
use std::time::Duration;

use ordered_core::clock::Clock;
use ordered_core::event::Key;
use ordered_core::protocol::{Fence, Policy, WorkerId};
use ordered_core::store::{
    Answer, Group, Inspect, MemoryStore, Record, Request, Save, Session, Slot, Store, StoreError,
    Sweep,
};

use super::step::{Ask, Claim, GroupPlace, Step, Who, WorkerPlace};
use crate::unique;

/// The rules of the groups of a sequence.
pub(super) type Groups = [Policy; 2];

/// How many workers there are.
pub(super) const WORKERS: usize = 3;
const NAMES: [&str; WORKERS] = ["w1", "w2", "w:3"];

/// Where the two parted.
pub(super) struct Difference {
    pub(super) at: usize,
    pub(super) expected: String,
    pub(super) actual: String,
}

/// One sequence on both stores.
pub(super) struct Run<'a, S> {
    memory: Side<'a, MemoryStore>,
    store: Side<'a, S>,
    clock: Clock,
    groups: Vec<Group>,
    /// The last two fences that each worker was granted for a key.
    fences: BTreeMap<(GroupPlace, WorkerPlace, Key), [Fence; 2]>,
    /// Whom each key was granted to last.
    owners: BTreeMap<(GroupPlace, Key), WorkerPlace>,
}

/// A store with the sessions of the workers.
struct Side<'a, S> {
    store: &'a S,
    sessions: Vec<Vec<Session>>,
}

impl<'a, S: Inspect> Run<'a, S> {
    pub(super) async fn new(
        memory: &'a MemoryStore,
        store: &'a S,
        clock: Clock,
        rules: &Groups,
    ) -> Self {
        let group = |policy: &Policy| Group::new(unique("model"), policy.clone());
        let groups: Vec<Group> = rules.iter().map(group).collect();
        Self {
            memory: Side::open(memory, &groups).await,
            store: Side::open(store, &groups).await,
            clock,
            groups,
            fences: BTreeMap::new(),
            owners: BTreeMap::new(),
        }
    }

    /// Takes the step on both sides; what each said, where that differs.
    pub(super) async fn step(&mut self, step: &Step) -> Option<(String, String)> {
        match step {
            Step::Advance(millis) => {
                self.clock.advance(*millis);
                return None;
            }
            Step::Back(millis) => {
                self.clock.step_back(*millis);
                return None;
            }
            Step::Exchange(group, who, asks) => return self.exchange(*group, *who, asks).await,
            _ => {}
        }
        let expected = self.memory.answer(step, &self.groups).await;
        let actual = self.store.answer(step, &self.groups).await;
        let expected = expected.expect("the store in memory never fails");
        let actual = actual.unwrap_or_else(|error| format!("{error:?}"));
        (expected != actual).then_some((expected, actual))
    }

    async fn exchange(
        &mut self,
        group: GroupPlace,
        who: Who,
        asks: &[Ask],
    ) -> Option<(String, String)> {
        let worker = match who {
            Who::Worker(worker) => worker,
            Who::Owner => {
                let owner = asks.first().map(|ask| (group, ask.key().clone()));
                let owner = owner.and_then(|key| self.owners.get(&key));
                owner.copied().unwrap_or(0)
            }
        };
        let request = |ask: &Ask| match ask {
            Ask::Acquire(acquire) => Request::Acquire(acquire.clone()),
            Ask::Save(claim, save) => {
                let fence = self.fence(group, worker, &save.key, *claim);
                let save = save.as_ref().clone();
                Request::Save(Box::new(Save { fence, ..save }))
            }
        };
        let requests: Vec<Request> = asks.iter().map(request).collect();
        let (name, memory) = (&self.groups[group], &self.memory);
        let session = &memory.sessions[group][worker];
        let expected = memory.store.exchange(name, session, &requests).await;
        let expected = expected.expect("the store in memory never fails");
        let session = &self.store.sessions[group][worker];
        let actual = self.store.store.exchange(name, session, &requests).await;
        match actual {
            Ok(actual) if actual == expected => {}
            Ok(actual) => return Some((format!("{expected:?}"), format!("{actual:?}"))),
            Err(error) => return Some((format!("{expected:?}"), format!("{error:?}"))),
        }
        for (request, answer) in requests.iter().zip(&expected.answers) {
            if let Answer::Owned(owned) = answer {
                let key = request.key();
                let place = (group, worker, key.clone());
                let fences = self.fences.entry(place).or_default();
                *fences = [owned.fence, fences[0]];
                self.owners.insert((group, key.clone()), worker);
            }
        }
        None
    }

    fn fence(&self, group: GroupPlace, worker: WorkerPlace, key: &Key, claim: Claim) -> Fence {
        let fences = self.fences.get(&(group, worker, key.clone()));
        let [last, before] = fences.copied().unwrap_or_default();
        match claim {
            Claim::Last => last,
            Claim::Before => before,
            Claim::Never => Fence(last.0 + 1),
        }
    }
}

impl<'a, S: Inspect> Side<'a, S> {
    async fn open(store: &'a S, groups: &[Group]) -> Self {
        let mut sessions = Vec::new();
        for group in groups {
            let mut of_group = Vec::new();
            for name in NAMES {
                let opened = store.open(group, &WorkerId::new(name)).await;
                of_group.push(opened.expect("the group opens").session);
            }
            sessions.push(of_group);
        }
        Self { store, sessions }
    }

    /// What the store answers to a step that is not an exchange.
    async fn answer(&self, step: &Step, groups: &[Group]) -> Result<String, StoreError> {
        let session = |group: &GroupPlace, worker: WorkerPlace| &self.sessions[*group][worker];
        Ok(match step {
            Step::Heartbeat(group, worker, lease) => {
                let (of, session) = (&groups[*group], session(group, *worker));
                let lease = Duration::from_millis(*lease);
                format!("{:?}", self.store.heartbeat(of, session, lease).await?)
            }
            Step::Leave(group, worker) => {
                let (of, session) = (&groups[*group], session(group, *worker));
                format!("{:?}", self.store.leave(of, session).await?)
            }
            Step::Open(group, worker) => {
                let worker = WorkerId::new(NAMES[*worker]);
                let opened = self.store.open(&groups[*group], &worker).await?;
                let is_same = self.sessions[*group].contains(&opened.session);
                format!("created: {}, the same: {is_same}", opened.created)
            }
            Step::Sweep {
                group,
                longest_wait,
                stuck_after,
            } => {
                let sweep = Sweep {
                    limit: 1_000,
                    longest_wait: Duration::from_millis(*longest_wait),
                    stuck_after: Duration::from_millis(*stuck_after),
                };
                let (of, session) = (&groups[*group], session(group, 0));
                let mut swept = self.store.sweep(of, session, &sweep).await?;
                // Only what is due has an order.
                swept.orphaned.sort();
                swept.stuck.sort_by(|one, other| one.key.cmp(&other.key));
                format!("{swept:?}")
            }
            Step::Pause(group, paused) => {
                let changed = self.store.set_paused(&groups[*group], *paused).await?;
                format!("{changed}")
            }
            Step::Compare(group, keys) => self.known(&groups[*group], keys).await?,
            Step::Exchange(..) | Step::Advance(_) | Step::Back(_) => String::new(),
        })
    }

    /// All that the store knows of the keys.
    async fn known(&self, group: &Group, keys: &[Key]) -> Result<String, StoreError> {
        let mut slots: Vec<Slot> = (1..6).map(Slot::Held).collect();
        for epoch in 0..2 {
            slots.extend((1..4).map(|seq| Slot::Dead { epoch, seq }));
        }
        let mut known = format!("{:?}", self.store.totals(group).await?);
        for key in keys {
            let record = self.store.read(group, key).await?;
            let record = record.map(without_lease);
            let sizes = self.store.sizes(group, key, &slots).await?;
            let letters = self.store.letters(group, key, &slots).await?;
            known += &format!("\n{key:?}: {record:?}\n  {sizes:?}\n  {letters:?}");
        }
        Ok(known)
    }
}

/// Until when a lease is good is an estimate for people, and each store makes its own. Whether there is one is not.
fn without_lease(mut record: Record) -> Record {
    if let Some(owner) = &mut record.owner {
        owner.lease_until = owner.lease_until.map(|_| 0);
    }
    record
}
