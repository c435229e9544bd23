use async_trait::async_trait;

use super::{Bucket, MemoryStore};
use crate::event::{Envelope, Key, Seq};
use crate::protocol::{Action, KeyState, KeyView, Phase, Verb, Verdict, WorkerId, decide};
use crate::store::{
    Admin, AuditEntry, Group, GroupView, KeyCounts, KeyFilter, KeyPage, Operator, StoreError,
    WorkerView,
};

#[async_trait]
impl Admin for MemoryStore {
    async fn groups(&self) -> Result<Vec<String>, StoreError> {
        Ok(self.lock().keys().cloned().collect())
    }

    async fn group(&self, name: &str) -> Result<Option<Group>, StoreError> {
        Ok(self.lock().get(name).map(|state| state.group.clone()))
    }

    async fn overview(&self, group: &Group) -> Result<GroupView, StoreError> {
        let now = self.clock.now();
        Ok(self.with_buckets(group, |buckets| {
            let mut view = GroupView {
                name: group.name().to_owned(),
                paused: buckets.iter().all(|bucket| bucket.state.paused),
                keys: KeyCounts::default(),
                held_events: buckets.iter().map(|bucket| bucket.state.held_events).sum(),
                held_bytes: buckets.iter().map(|bucket| bucket.state.held_bytes).sum(),
                dead_events: 0,
                oldest_gap: None,
                workers: workers(buckets, now),
                now,
            };
            for (key, state) in buckets.iter().flat_map(|bucket| &bucket.keys) {
                view.keys.count(state);
                view.dead_events += state.dead.len() as u64;
                if let Some(since) = state.gap_since.filter(|since| {
                    view.oldest_gap
                        .as_ref()
                        .is_none_or(|(_, oldest)| since < oldest)
                }) {
                    view.oldest_gap = Some((key.to_string(), since));
                }
            }
            view
        }))
    }

    async fn keys(
        &self,
        group: &Group,
        filter: KeyFilter,
        _: Option<String>,
    ) -> Result<KeyPage, StoreError> {
        let now = self.clock.now();
        Ok(self.with_buckets(group, |buckets| {
            let mut keys: Vec<KeyView> = buckets
                .iter()
                .flat_map(|bucket| {
                    let wanted = move |(_, state): &(&Key, &KeyState)| {
                        filter == KeyFilter::All || is_stuck(bucket, state)
                    };
                    let view = move |(key, state): (&Key, &KeyState)| {
                        KeyView::of(key.as_str(), &bucket.state, state, now)
                    };
                    bucket.keys.iter().filter(wanted).map(view)
                })
                .collect();
            keys.sort_by(|one, other| one.key.cmp(&other.key));
            KeyPage { keys, cursor: None }
        }))
    }

    async fn inspect(&self, group: &Group, key: &Key) -> Result<Option<KeyView>, StoreError> {
        let now = self.clock.now();
        Ok(self.with_buckets(group, |buckets| {
            let bucket = &buckets[self.place(key)];
            bucket
                .keys
                .get(key)
                .map(|state| KeyView::of(key.as_str(), &bucket.state, state, now))
        }))
    }

    async fn event(
        &self,
        group: &Group,
        key: &Key,
        seq: Seq,
    ) -> Result<Option<Envelope>, StoreError> {
        Ok(self.with_buckets(group, |buckets| {
            let state = buckets[self.place(key)].keys.get(key)?;
            let held = state.held.get(&seq.get()).map(|held| &held.envelope);
            let aside = || {
                let here = state.dead_at(seq.get());
                here.map(|(_, dead)| &dead.envelope).or_else(|| {
                    let epoch = state.older_dead(seq.get())?;
                    state
                        .dead
                        .get(&(epoch, seq.get()))
                        .map(|dead| &dead.envelope)
                })
            };
            held.or_else(aside).cloned()
        }))
    }

    async fn operate(
        &self,
        group: &Group,
        key: &Key,
        verb: &Verb,
        operator: &Operator,
        dry_run: bool,
    ) -> Result<Verdict, StoreError> {
        let nobody = WorkerId::new(format!("operator:{}", operator.who));
        let situation = self.situation(group, &nobody);
        let place = self.place(key);
        Ok(self.with_group(group, |state| {
            let bucket = &mut state.buckets[place];
            let fresh = || KeyState::new(group.policy().first_seq);
            let (mut shared, mut own) = (
                bucket.state.clone(),
                bucket.keys.get(key).cloned().unwrap_or_else(fresh),
            );
            let verdict = decide(
                &mut shared,
                &mut own,
                situation,
                &Action::Operate(verb.clone()),
            );
            if let (Verdict::Operated(effect), false) = (&verdict, dry_run) {
                bucket.state = shared;
                if own == fresh() {
                    bucket.keys.remove(key);
                } else {
                    bucket.keys.insert(key.clone(), own);
                }
                state.audit.push(AuditEntry {
                    at: situation.now,
                    operator: operator.clone(),
                    key: Some(key.to_string()),
                    verb: verb.to_string(),
                    outcome: effect.to_string(),
                });
            }
            verdict
        }))
    }

    async fn pause_group(
        &self,
        group: &Group,
        paused: bool,
        operator: &Operator,
    ) -> Result<bool, StoreError> {
        let at = self.clock.now();
        Ok(self.with_group(group, |state| {
            let changes = state
                .buckets
                .iter()
                .any(|bucket| bucket.state.paused != paused);
            state
                .buckets
                .iter_mut()
                .for_each(|bucket| bucket.state.paused = paused);
            if changes {
                let verb = if paused { Verb::Pause } else { Verb::Resume };
                state.audit.push(AuditEntry {
                    at,
                    operator: operator.clone(),
                    key: None,
                    verb: verb.to_string(),
                    outcome: "the whole group".into(),
                });
            }
            changes
        }))
    }

    async fn audit(&self, group: &Group, limit: usize) -> Result<Vec<AuditEntry>, StoreError> {
        Ok(self.with_group(group, |state| {
            state.audit.iter().rev().take(limit).cloned().collect()
        }))
    }
}

fn is_stuck(bucket: &Bucket, state: &KeyState) -> bool {
    let waits = state.paused || bucket.state.paused && !state.held.is_empty();
    waits || state.phase != Phase::Open || state.gap_since.is_some() || !state.dead.is_empty()
}

fn workers(buckets: &[Bucket], now: u64) -> Vec<WorkerView> {
    let leases = buckets
        .first()
        .map(|bucket| &bucket.state.leases)
        .into_iter()
        .flatten();
    let view = |(worker, expiry): (&WorkerId, &u64)| WorkerView {
        id: worker.as_str().to_owned(),
        lease_until: *expiry,
        alive: *expiry > now,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        keys: buckets
            .iter()
            .flat_map(|bucket| bucket.keys.values())
            .filter(|state| {
                state
                    .claim
                    .as_ref()
                    .is_some_and(|claim| claim.worker == *worker)
            })
            .count() as u64,
    };
    leases.map(view).collect()
}

impl KeyCounts {
    fn count(&mut self, key: &KeyState) {
        self.all += 1;
        self.active += u64::from(key.claim.is_some());
        self.held += u64::from(!key.held.is_empty());
        self.gap += u64::from(key.gap_since.is_some());
        self.backing_off += u64::from(matches!(key.phase, Phase::BackingOff { .. }));
        self.halted += u64::from(key.phase == Phase::Halted);
        self.paused += u64::from(key.paused);
    }
}
