//! Sweeps: which keys need an owner now.
//!
//! One script looks at the leases. The rest are plain reads: a sweep changes no key, and whoever acquires what it found
//! finds out how things stand then.

use std::collections::{HashMap, HashSet};

use futures_util::future::try_join_all;
use ordered_core::event::Key;
use ordered_core::protocol::Millis;
use ordered_core::store::{Group, NEVER_DUE, StoreError};
use ordered_core::store::{Session, StuckRecord, Sweep, Swept};
use redis::{Cmd, Value, cmd};

use super::encode::millis;
use super::read::command;
use super::record::{holder, split_record};
use super::reply::{Reply, key, maybe_bytes};
use super::script::LOOK;
use super::session::{BucketState, GroupState};
use super::wire::{ALIVE, code};
use super::{RedisStore, state_lost};

/// How many entries one command reads, about.
const PAGE: usize = 512;
/// How many pages of one structure a sweep reads.
const PAGES: usize = 8;

/// Where the scan over the owners of one bucket stands, which finds the keys of workers that are dead or gone.
///
/// There is one while Redis has the lease of such a worker. A worker that was dead when a scan began, that had no
/// heartbeat since, and of which the whole scan found no key, has none: its lease is removed, and later sweeps need
/// not scan.
#[derive(Debug, Default, Clone)]
pub(super) struct Scan {
    /// Where to go on; empty at the beginning.
    cursor: String,
    /// The workers that were dead or gone when this scan began, with their leases, and that were not seen to own a key.
    idle: HashMap<Vec<u8>, Vec<u8>>,
    /// A whole scan was made: this process knows that only workers with leases own keys.
    is_known: bool,
}

/// What was found in one bucket.
struct BucketSwept {
    now: Millis,
    /// When each was due, which is later than now where the clock stepped back.
    due: Vec<(Millis, Key)>,
    orphaned: Vec<Key>,
    stuck: Vec<StuckRecord>,
    halted: u64,
    oldest_gap: Option<Millis>,
    scan: Scan,
}

/// What a look at the leases of a bucket found.
pub(super) struct Leases {
    now: Millis,
    alive: HashSet<Vec<u8>>,
    /// Those that are dead or gone, with their leases.
    unreachable: HashMap<Vec<u8>, Vec<u8>>,
}

impl RedisStore {
    pub(super) async fn sweep_all(
        &self,
        group: &Group,
        session: &Session,
        sweep: &Sweep,
    ) -> Result<Swept, StoreError> {
        let state = self.state(group, session).await?;
        let buckets = state.buckets.iter();
        let found = buckets.map(|bucket| self.sweep_bucket(group, &state, bucket, sweep));
        let found = try_join_all(found).await?;
        let mut swept = Swept::default();
        let mut due = Vec::new();
        // Not always from the same bucket, since the first ones fill the limit.
        let first = fastrand::usize(..state.buckets.len());
        let mut found: Vec<_> = state.buckets.iter().zip(found).collect();
        found.rotate_left(first);
        for (bucket, found) in found {
            swept.now = swept.now.max(found.now);
            due.extend(found.due);
            swept.stuck.extend(found.stuck);
            swept.halted += found.halted;
            let oldest = [swept.oldest_gap, found.oldest_gap];
            swept.oldest_gap = oldest.into_iter().flatten().min();
            let room = sweep.limit.saturating_sub(swept.orphaned.len());
            // What there is no room for is found again: the scan stays where it is.
            if found.orphaned.len() <= room {
                *bucket.scan() = found.scan;
            }
            swept.orphaned.extend(found.orphaned.into_iter().take(room));
        }
        // Those of a clock that stepped back have the highest scores.
        due.sort_unstable();
        due.truncate(sweep.limit);
        swept.due = due.into_iter().map(|(_, key)| key).collect();
        // A scan may name a key twice.
        swept.orphaned.sort_unstable();
        swept.orphaned.dedup();
        let stuck = |record: &StuckRecord| (record.since, record.key.clone());
        swept.stuck.sort_by_cached_key(stuck);
        swept.stuck.truncate(sweep.limit);
        Ok(swept)
    }

    async fn sweep_bucket(
        &self,
        group: &Group,
        state: &GroupState,
        bucket: &BucketState,
        sweep: &Sweep,
    ) -> Result<BucketSwept, StoreError> {
        let leases = self.look(group, state, bucket, &HashMap::new()).await?;
        let now = leases.now;
        let late = now.saturating_sub(millis(sweep.stuck_after));
        let gap = bucket.name("gap");
        let commands = vec![
            command("ZCARD", &[&bucket.name("halted")]),
            command("ZRANGE", &[&gap, "0", "0", "WITHSCORES"]),
            by_score(&gap, "-inf", &late.to_string(), 0, sweep.limit),
        ];
        let mut answers = Reply::of(self.ask(commands).await?)?;
        let halted = answers.number()?;
        let oldest_gap = scored(answers.list()?)?.first().map(|(since, _)| *since);
        let waiting = if millis(sweep.stuck_after) > now {
            Vec::new()
        } else {
            scored(answers.list()?)?
        };
        // Later than any wait: listed before the clock stepped back.
        let latest = now.saturating_add(millis(sweep.longest_wait));
        let mut due = Vec::new();
        for (from, to) in [
            ("-inf".to_owned(), now.to_string()),
            (format!("({latest}"), format!("({NEVER_DUE}")),
        ] {
            self.due(bucket, &leases, (&from, &to), sweep.limit, &mut due)
                .await?;
        }
        let mut scan = bucket.scan().clone();
        let orphaned = self.scan(bucket, &leases, sweep.limit, &mut scan).await?;
        if scan.cursor.is_empty() && !scan.idle.is_empty() {
            let forget = std::mem::take(&mut scan.idle);
            self.look(group, state, bucket, &forget).await?;
        }
        Ok(BucketSwept {
            now,
            due,
            orphaned,
            stuck: self.stuck(bucket, waiting).await?,
            halted,
            oldest_gap,
            scan,
        })
    }

    /// Looks at the leases, after it has forgotten some workers.
    async fn look(
        &self,
        group: &Group,
        state: &GroupState,
        bucket: &BucketState,
        forget: &HashMap<Vec<u8>, Vec<u8>>,
    ) -> Result<Leases, StoreError> {
        let mut call = LOOK.call(&bucket.tag, 0, 2 + 2 * forget.len(), 128);
        call.arg(state.incarnation_text()).arg(self.given_time());
        for (worker, lease) in forget {
            call.arg(worker).arg(lease);
        }
        read(self.run(vec![call]).await?.remove(0), group)
    }

    /// Adds the keys that are due in this range of time and that nobody alive owns.
    async fn due(
        &self,
        bucket: &BucketState,
        leases: &Leases,
        (from, to): (&str, &str),
        limit: usize,
        due: &mut Vec<(Millis, Key)>,
    ) -> Result<(), StoreError> {
        let list = bucket.name("due");
        for page in 0..PAGES {
            if due.len() >= limit {
                break;
            }
            let listed = by_score(&list, from, to, page * PAGE, PAGE);
            let listed = scored(Reply::of(self.ask(vec![listed]).await?)?.list()?)?;
            let is_last = listed.len() < PAGE;
            let owners = self.fields(&bucket.name("O"), &listed).await?;
            for (entry, owner) in listed.into_iter().zip(owners) {
                let owner = owner.as_deref().and_then(holder);
                if owner.is_none_or(|owner| !leases.alive.contains(owner)) {
                    due.push(entry);
                }
            }
            if is_last {
                break;
            }
        }
        due.truncate(limit);
        Ok(())
    }

    /// Goes on with the scan, and returns the keys that it found: more than the limit only where one page has more.
    async fn scan(
        &self,
        bucket: &BucketState,
        leases: &Leases,
        limit: usize,
        scan: &mut Scan,
    ) -> Result<Vec<Key>, StoreError> {
        let mut orphaned = Vec::new();
        if scan.is_known && leases.unreachable.is_empty() {
            *scan = Scan {
                is_known: true,
                ..Scan::default()
            };
            return Ok(orphaned);
        }
        if scan.cursor.is_empty() {
            scan.idle.clone_from(&leases.unreachable);
            "0".clone_into(&mut scan.cursor);
        }
        for _ in 0..PAGES {
            let mut read = cmd("HSCAN");
            read.arg(bucket.name("O"));
            read.arg(&scan.cursor).arg("COUNT").arg(PAGE);
            let mut answer = self.one(read).await?;
            let next = answer.text()?;
            let mut owners = answer.list()?;
            while owners.len() > 0 {
                let (name, owner) = (owners.bytes()?, owners.bytes()?);
                // The empty one is no key: it makes the hash a table.
                let Some(owner) = holder(&owner).filter(|_| !name.is_empty()) else {
                    continue;
                };
                if !leases.alive.contains(owner) {
                    scan.idle.remove(owner);
                    orphaned.push(key(&name)?);
                }
            }
            // A page that has more than there is room for is looked at again.
            if orphaned.len() > limit {
                break;
            }
            let is_end = next == "0";
            scan.cursor = if is_end { String::new() } else { next };
            scan.is_known |= is_end;
            if is_end || orphaned.len() == limit {
                break;
            }
        }
        Ok(orphaned)
    }

    /// What is known of keys that have waited too long. Of one that has no body, nothing can be said.
    async fn stuck(
        &self,
        bucket: &BucketState,
        waiting: Vec<(Millis, Key)>,
    ) -> Result<Vec<StuckRecord>, StoreError> {
        let records = self.fields(&bucket.name("K"), &waiting).await?;
        let mut stuck = Vec::with_capacity(waiting.len());
        for ((since, key), record) in waiting.into_iter().zip(records) {
            let Some(record) = record else { continue };
            let (fence, body) = split_record(record)?;
            stuck.push(StuckRecord {
                key,
                since,
                fence,
                body,
            });
        }
        Ok(stuck)
    }

    /// What a hash has of each of the keys.
    async fn fields(
        &self,
        hash: &str,
        keys: &[(Millis, Key)],
    ) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let mut read = cmd("HMGET");
        read.arg(hash);
        for (_, key) in keys {
            read.arg(key.as_str());
        }
        self.one(read).await?.map(maybe_bytes).collect()
    }
}

fn by_score(list: &str, from: &str, to: &str, skip: usize, count: usize) -> Cmd {
    let mut read = cmd("ZRANGEBYSCORE");
    read.arg(list).arg(from).arg(to).arg("WITHSCORES");
    read.arg("LIMIT").arg(skip).arg(count);
    read
}

/// The keys of an index with their scores.
fn scored(mut list: Reply) -> Result<Vec<(Millis, Key)>, StoreError> {
    let mut scored = Vec::with_capacity(list.len() / 2);
    while list.len() > 0 {
        let key = list.key()?;
        scored.push((list.number()?, key));
    }
    Ok(scored)
}

pub(super) fn read(answer: Value, group: &Group) -> Result<Leases, StoreError> {
    let mut answer = Reply::new(answer)?;
    let (code, now) = (answer.number()?, answer.number()?);
    if code != code::DONE {
        return Err(state_lost(group));
    }
    let mut leases = Leases {
        now,
        alive: HashSet::new(),
        unreachable: HashMap::new(),
    };
    for entry in answer.list()? {
        let mut entry = Reply::new(entry)?;
        let (worker, lease) = (entry.bytes()?, entry.bytes()?);
        if entry.bytes()? == ALIVE {
            leases.alive.insert(worker);
        } else {
            leases.unreachable.insert(worker, lease);
        }
    }
    Ok(leases)
}
