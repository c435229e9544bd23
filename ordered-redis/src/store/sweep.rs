//! Sweeps: which keys need an owner now.

use std::collections::HashSet;

use ordered_core::event::Key;
use ordered_core::protocol::Millis;
use ordered_core::store::{Group, StoreError};
use ordered_core::store::{Session, StuckRecord, Sweep, Swept};
use redis::{Cmd, Value};

use super::encode::millis;
use super::record::split_record;
use super::reply::Reply;
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

/// How far one call brought a scan.
struct Step {
    /// Empty at the end.
    cursor: String,
    unreachable: HashSet<(Vec<u8>, Vec<u8>)>,
    holders: Vec<Vec<u8>>,
}

/// What was found in one bucket.
pub(super) struct BucketSwept {
    now: Millis,
    /// When each was due, which is later than now where the clock stepped back.
    due: Vec<(Millis, Key)>,
    orphaned: Vec<Key>,
    stuck: Vec<StuckRecord>,
    halted: u64,
    oldest_gap: Option<Millis>,
    step: Step,
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

    fn advance(&mut self, step: Step) {
        if self.cursor.is_empty() {
            self.candidates.clone_from(&step.unreachable);
            self.holders.clear();
        }
        self.holders.extend(step.holders);
        if step.cursor.is_empty() {
            let idle = self.candidates.intersection(&step.unreachable);
            let idle = idle.filter(|(worker, _)| !self.holders.contains(worker));
            self.forget = idle.cloned().collect();
            self.is_known = true;
        }
        let is_start = step.cursor == "0";
        self.cursor = if is_start { String::new() } else { step.cursor };
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
        let buckets = state.buckets.iter();
        let calls = buckets.map(|bucket| self.sweep_call(&state, bucket, sweep));
        let answers = self.run(calls.collect()).await?;
        let mut swept = Swept::default();
        let mut due = Vec::new();
        // Not always from the same bucket, since the first ones fill the limit.
        let first = fastrand::usize(..state.buckets.len());
        let mut answers: Vec<_> = state.buckets.iter().zip(answers).collect();
        answers.rotate_left(first);
        for (bucket, answer) in answers {
            let found = read(answer, group)?;
            swept.now = swept.now.max(found.now);
            due.extend(found.due);
            swept.stuck.extend(found.stuck);
            swept.halted += found.halted;
            let oldest = [swept.oldest_gap, found.oldest_gap];
            swept.oldest_gap = oldest.into_iter().flatten().min();
            let room = sweep.limit.saturating_sub(swept.orphaned.len());
            // What there is no room for is found again: the scan stays where it is.
            if found.orphaned.len() <= room {
                bucket.scan().advance(found.step);
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

    fn sweep_call(&self, state: &GroupState, bucket: &BucketState, sweep: &Sweep) -> Cmd {
        let mut call = SWEEP.call(&bucket.tag, 0, 16, 512);
        call.arg(state.incarnation_text())
            .arg(self.given_time())
            .arg(sweep.limit)
            .arg(millis(sweep.longest_wait).min(1 << 51))
            .arg(millis(sweep.stuck_after));
        bucket.scan().arguments(&mut call);
        call
    }
}

pub(super) fn read(answer: Value, group: &Group) -> Result<BucketSwept, StoreError> {
    let mut answer = Reply::new(answer)?;
    let (code, now) = (answer.number()?, answer.number()?);
    if code != code::DONE {
        return Err(state_lost(group));
    }
    Ok(BucketSwept {
        now,
        due: all(answer.list()?, |due| {
            let mut due = due.list()?;
            let key = due.key()?;
            Ok((due.number()?, key))
        })?,
        orphaned: all(answer.list()?, Reply::key)?,
        stuck: {
            let stuck: Vec<_> = all(answer.list()?, |stuck| read_stuck(stuck.list()?))?;
            stuck.into_iter().flatten().collect()
        },
        halted: answer.number()?,
        oldest_gap: {
            let mut oldest = answer.list()?;
            let key = (oldest.len() > 0).then(|| oldest.key()).transpose()?;
            key.map(|_| oldest.number()).transpose()?
        },
        step: Step {
            cursor: answer.text()?,
            unreachable: all(answer.list()?, |pair| {
                let mut pair = pair.list()?;
                Ok((pair.bytes()?, pair.bytes()?))
            })?,
            holders: all(answer.list()?, Reply::bytes)?,
        },
    })
}

/// Reads a list to its end.
fn all<T, C: FromIterator<T>>(
    mut list: Reply,
    read: impl Fn(&mut Reply) -> Result<T, StoreError>,
) -> Result<C, StoreError> {
    std::iter::from_fn(|| (list.len() > 0).then(|| read(&mut list))).collect()
}

/// `None` for a key that has no body, of which nothing can be said.
fn read_stuck(mut answer: Reply) -> Result<Option<StuckRecord>, StoreError> {
    let (key, since) = (answer.key()?, answer.number()?);
    let Some(record) = answer.maybe_bytes()? else {
        return Ok(None);
    };
    let (fence, body) = split_record(record)?;
    Ok(Some(StuckRecord {
        key,
        since,
        fence,
        body,
    }))
}
