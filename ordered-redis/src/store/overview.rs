use std::collections::{BTreeMap, HashMap, HashSet};

use ordered_core::store::{Group, GroupView, KeyCounts, StoreError, WorkerView};
use redis::cmd;

use super::agree::Enrolled;
use super::{RedisStore, number, text};
use crate::answer::Answer;
use crate::script::{OWNERS, Operation, SUMMARY, SURVEY};

/// How many keys one call looks at; Redis takes it as a hint.
const PAGE: u64 = 500;

impl RedisStore {
    pub(super) async fn look_over(&self, group: &Group) -> Result<GroupView, StoreError> {
        let buckets = self.buckets_of(group).await?;
        let mut view = GroupView {
            name: group.name().to_owned(),
            paused: true,
            keys: KeyCounts::default(),
            held_events: 0,
            held_bytes: 0,
            dead_events: 0,
            oldest_gap: None,
            workers: Vec::new(),
            now: 0,
        };
        let calls: Vec<_> = (0..buckets)
            .map(|bucket| self.call(&SUMMARY, group, bucket, vec![number(self.given_time())]))
            .collect();
        for answer in self.run(&calls).await? {
            add_bucket(&mut view, Answer::new(answer)?)?;
        }
        for bucket in 0..buckets {
            self.add_noted(group, bucket, &mut view).await?;
        }
        self.add_workers(group, buckets, &mut view).await?;
        Ok(view)
    }

    /// All pages of a scan that a script makes.
    async fn pages<T>(
        &self,
        operation: &'static Operation,
        group: &Group,
        bucket: u32,
        mut read: impl FnMut(&mut Answer) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let (mut cursor, mut found) = ("0".to_owned(), Vec::new());
        loop {
            let call = self.call(operation, group, bucket, vec![text(&cursor), number(PAGE)]);
            let mut answer = Answer::new(self.run(&[call]).await?.remove(0))?;
            cursor = answer.text()?;
            while !answer.is_empty() {
                found.push(read(&mut answer)?);
            }
            if cursor == "0" {
                return Ok(found);
            }
        }
    }

    async fn add_noted(
        &self,
        group: &Group,
        bucket: u32,
        view: &mut GroupView,
    ) -> Result<(), StoreError> {
        let noted = self.pages(&SURVEY, group, bucket, |answer| {
            let name = answer.text()?;
            let held = answer.number()?;
            let backing_off = answer.number()?;
            let paused = answer.number()?;
            Ok((name, [held, backing_off, paused, answer.number()?]))
        });
        // A scan may tell of a key twice.
        let noted: HashMap<String, [u64; 4]> = noted.await?.into_iter().collect();
        for [held, backing_off, paused, dead] in noted.into_values() {
            view.keys.held += held;
            view.keys.backing_off += backing_off;
            view.keys.paused += paused;
            view.dead_events += dead;
        }
        Ok(())
    }

    async fn add_workers(
        &self,
        group: &Group,
        buckets: u32,
        view: &mut GroupView,
    ) -> Result<(), StoreError> {
        let mut read = cmd("HGETALL");
        read.arg(self.shared.names.workers(group.name()));
        let enrolled: BTreeMap<String, String> =
            Answer::members(self.ask(vec![read]).await?.remove(0))?
                .chunks_exact(2)
                .map(|pair| (pair[0].clone(), pair[1].clone()))
                .collect();
        let mut owned: HashMap<String, u64> = HashMap::new();
        for bucket in 0..buckets {
            let owners = self.pages(&OWNERS, group, bucket, |answer| {
                Ok((answer.text()?, answer.text()?))
            });
            let owners: HashSet<(String, String)> = owners.await?.into_iter().collect();
            for (_, worker) in owners {
                *owned.entry(worker).or_default() += 1;
            }
        }
        for worker in &mut view.workers {
            let told = enrolled.get(&worker.id);
            let told = told.and_then(|json| serde_json::from_str::<Enrolled>(json).ok());
            worker.version = told.map(|told| told.version).unwrap_or_default();
            worker.keys = owned.get(&worker.id).copied().unwrap_or(0);
        }
        Ok(())
    }
}

fn add_bucket(view: &mut GroupView, mut answer: Answer) -> Result<(), StoreError> {
    let is_first = view.now == 0;
    view.now = answer.number()?;
    view.keys.all += answer.number()?;
    view.keys.active += answer.number()?;
    view.keys.gap += answer.number()?;
    view.keys.halted += answer.number()?;
    view.held_events += answer.number()?;
    view.held_bytes += answer.number()?;
    view.paused &= answer.flag()?;
    let (since, key) = (answer.number()?, answer.text()?);
    let oldest = view.oldest_gap.as_ref();
    if since > 0 && oldest.is_none_or(|(_, oldest)| since < *oldest) {
        view.oldest_gap = Some((key, since));
    }
    while !answer.is_empty() {
        let (id, lease_until) = (answer.text()?, answer.number()?);
        // Every worker has a lease in every bucket, as good as at the same time.
        if is_first {
            view.workers.push(WorkerView {
                id,
                lease_until,
                alive: lease_until > view.now,
                version: String::new(),
                keys: 0,
            });
        }
    }
    view.workers.sort_by(|one, other| one.id.cmp(&other.id));
    Ok(())
}
