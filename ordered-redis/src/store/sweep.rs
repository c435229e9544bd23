//! Sweeps: which keys need an owner now.

use std::collections::HashSet;

use ordered_core::event::Key;
use ordered_core::protocol::Millis;
use ordered_core::store::{Group, StoreError};
use ordered_core::store::{Session, StuckRecord, Sweep, Swept};
use redis::{Cmd, Value};

use super::encode::millis;
use super::record::split_record;
use super::reply::{Reply, misshaped};
use super::script::SWEEP;
use super::session::{BucketState, GroupState};
use super::wire::code;
use super::{RedisStore, state_lost};

/// Where the scan over the owners of one bucket stands, which finds the keys of workers that are dead or gone.
///
/// There is one while Redis has the lease of such a worker. A worker that was dead when a scan began, that had no
/// heartbeat since, and of which the whole scan found no key, has none: its lease is removed, and later sweeps need
/// not scan.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// Where the next call goes on; empty at the beginning.
    cursor: String,
    /// The workers that were dead or gone when this scan began, with their leases.
    candidates: HashSet<(Vec<u8>, Vec<u8>)>,
    /// Those of them that were seen to own a key.
    holders: HashSet<Vec<u8>>,
    /// Those that own nothing.
    forget: Vec<(Vec<u8>, Vec<u8>)>,
    /// A whole scan was made: this process knows that only workers with leases own keys.
    is_known: bool,
}

/// What was found in one bucket.
struct BucketSwept {
    due: Vec<(u64, Key)>,
    orphaned: Vec<Key>,
    stuck: Vec<StuckRecord>,
    halted: u64,
    oldest_gap: Option<Millis>,
}

impl Scan {
    fn arguments(&mut self, call: &mut Cmd) {
        let cursor = if self.cursor.is_empty() {
            "0"
        } else {
            &self.cursor
        };
        call.arg(i32::from(!self.is_known)).arg(cursor);
        for (worker, lease) in self.forget.drain(..) {
            call.arg(worker).arg(lease);
        }
    }

    fn advance(
        &mut self,
        cursor: String,
        unreachable: HashSet<(Vec<u8>, Vec<u8>)>,
        holders: impl Iterator<Item = Vec<u8>>,
    ) {
        if self.cursor.is_empty() {
            self.candidates.clone_from(&unreachable);
            self.holders.clear();
        }
        self.holders.extend(holders);
        if cursor.is_empty() {
            let idle = self.candidates.intersection(&unreachable);
            let idle = idle.filter(|(worker, _)| !self.holders.contains(worker));
            self.forget = idle.cloned().collect();
            self.is_known = true;
        }
        self.cursor = if cursor == "0" { String::new() } else { cursor };
    }
}

impl RedisStore {
    pub(super) async fn sweep_all(
        &self,
        group: &Group,
        session: &Session,
        sweep: &Sweep,
    ) -> Result<Swept, StoreError> {
        let state = self.state(group, session).await?;
        let share = sweep.limit.div_ceil(state.buckets.len()).max(1);
        let buckets = state.buckets.iter();
        let calls = buckets.map(|bucket| self.sweep_call(&state, bucket, sweep, share));
        let answers = self.run(calls.collect()).await?;
        let mut swept = Swept::default();
        let mut due = Vec::new();
        for (bucket, answer) in state.buckets.iter().zip(answers) {
            let (now, found) = read(answer, group, bucket, share)?;
            swept.now = swept.now.max(now);
            due.extend(found.due);
            swept.orphaned.extend(found.orphaned);
            swept.stuck.extend(found.stuck);
            swept.halted += found.halted;
            swept.oldest_gap = [swept.oldest_gap, found.oldest_gap]
                .into_iter()
                .flatten()
                .min();
        }
        // Each bucket has them in order; those of a clock that stepped back have the highest scores.
        due.sort_by_key(|(score, _)| *score);
        due.truncate(sweep.limit);
        swept.due = due.into_iter().map(|(_, key)| key).collect();
        swept.stuck.sort_by_key(|stuck| stuck.since);
        swept.stuck.truncate(sweep.limit);
        Ok(swept)
    }

    fn sweep_call(
        &self,
        state: &GroupState,
        bucket: &BucketState,
        sweep: &Sweep,
        share: usize,
    ) -> Cmd {
        let structures = ["M", "W", "O", "K", "due", "gap", "halted"];
        let mut call = SWEEP.call(structures.len(), 16, 512);
        for structure in structures {
            call.arg(bucket.name(structure));
        }
        call.arg(state.incarnation_text())
            .arg(self.given_time())
            .arg(sweep.limit)
            .arg(share)
            .arg(millis(sweep.longest_wait).min(1 << 51))
            .arg(millis(sweep.stuck_after));
        bucket.scan().arguments(&mut call);
        call
    }
}

fn read(
    answer: Value,
    group: &Group,
    bucket: &BucketState,
    share: usize,
) -> Result<(Millis, BucketSwept), StoreError> {
    let mut answer = Reply::new(answer)?;
    let (code, now) = (answer.number()?, answer.number()?);
    if code != code::DONE {
        return Err(state_lost(group));
    }
    let mut found = BucketSwept {
        due: Vec::new(),
        orphaned: Vec::new(),
        stuck: Vec::new(),
        halted: 0,
        oldest_gap: None,
    };
    let mut due = answer.list()?;
    while due.len() > 0 {
        let key = due.key()?;
        found.due.push((due.number()?, key));
    }
    let mut orphaned = answer.list()?;
    while orphaned.len() > 0 && found.orphaned.len() < share {
        found.orphaned.push(orphaned.key()?);
    }
    let mut stuck = answer.list()?;
    while stuck.len() > 0 {
        found.stuck.extend(read_stuck(stuck.list()?)?);
    }
    found.halted = answer.number()?;
    let mut oldest = answer.list()?;
    if oldest.len() > 0 {
        oldest.next()?;
        found.oldest_gap = Some(oldest.number()?);
    }
    let cursor = answer.text()?;
    let mut pairs = answer.list()?;
    let mut unreachable = HashSet::new();
    while pairs.len() > 0 {
        unreachable.insert((pairs.bytes()?, pairs.bytes()?));
    }
    let mut names = answer.list()?;
    let mut holders = Vec::with_capacity(names.len());
    while names.len() > 0 {
        holders.push(names.bytes()?);
    }
    bucket
        .scan()
        .advance(cursor, unreachable, holders.into_iter());
    Ok((now, found))
}

/// `None` for a key that has no body, of which nothing can be said.
fn read_stuck(mut answer: Reply) -> Result<Option<StuckRecord>, StoreError> {
    let (key, since) = (answer.key()?, answer.number()?);
    let Some(record) = answer.maybe_bytes()? else {
        return Ok(None);
    };
    if record.is_empty() {
        return Err(misshaped("record"));
    }
    let (fence, body) = split_record(record)?;
    Ok(Some(StuckRecord {
        key,
        since,
        fence,
        body,
    }))
}
