use std::sync::PoisonError;

use ordered_core::event::Key;
use ordered_core::protocol::GapPolicy;
use ordered_core::store::{Group, StoreError, Stuck, Swept};

use super::{RedisStore, number, text};
use crate::answer::Answer;
use crate::script::{Call, SWEEP};

/// How many claims one sweep of a bucket looks at; Redis takes it as a hint.
const SWEEP_CLAIMS: &str = "512";

/// How far the sweeps of a group have come.
#[derive(Clone)]
pub(super) struct Cursors {
    /// The bucket that the next sweep begins with, so that the limit does not always favour the same ones.
    first: u32,
    /// In each bucket, where the scan over the claims goes on.
    scans: Vec<String>,
}

impl RedisStore {
    fn cursors(&self, group: &Group) -> Cursors {
        let cursors = self.shared.cursors.lock();
        let cursors = cursors.unwrap_or_else(PoisonError::into_inner);
        cursors
            .get(group.name())
            .cloned()
            .unwrap_or_else(|| Cursors {
                first: 0,
                scans: vec!["0".to_owned(); self.buckets() as usize],
            })
    }

    fn keep_cursors(&self, group: &Group, cursors: Cursors) {
        let mut all = self
            .shared
            .cursors
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        all.insert(group.name().to_owned(), cursors);
    }

    pub(super) async fn sweep_all(&self, group: &Group, limit: usize) -> Result<Swept, StoreError> {
        let mut cursors = self.cursors(group);
        let first = cursors.first;
        cursors.first = (first + 1) % self.buckets();
        let order: Vec<u32> = (0..self.buckets())
            .map(|step| (first + step) % self.buckets())
            .collect();
        let calls: Vec<Call> = order
            .iter()
            .map(|bucket| self.sweep_call(group, *bucket, limit, &cursors.scans[*bucket as usize]))
            .collect();
        let mut swept = Swept::default();
        for (bucket, answer) in order.into_iter().zip(self.run(&calls).await?) {
            let mut answer = Answer::new(answer)?;
            let scan = answer.text()?;
            let keys = read(answer, &mut swept, limit)?;
            // What is beyond the limit is found again: the queues still have it, and the scan stays.
            if swept.runnable.is_empty() || swept.runnable.len() + keys.len() <= limit {
                for (key, is_suspect) in keys {
                    if is_suspect {
                        swept.suspects.push(key.clone());
                    }
                    swept.runnable.push(key);
                }
                cursors.scans[bucket as usize] = scan;
            }
        }
        self.keep_cursors(group, cursors);
        Ok(swept)
    }

    fn sweep_call(&self, group: &Group, bucket: u32, limit: usize, scan: &str) -> Call {
        let policy = group.policy();
        let millis = |duration: std::time::Duration| {
            let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
            number(millis.min(1 << 53))
        };
        let arguments = vec![
            number(limit as u64),
            text(scan),
            text(SWEEP_CLAIMS),
            millis(policy.stuck_after),
            match policy.on_gap {
                GapPolicy::Wait => text("-1"),
                GapPolicy::Skip { after } | GapPolicy::Halt { after } => millis(after),
            },
            number(u64::from(policy.max_attempts)),
            number(self.given_time()),
        ];
        self.call(&SWEEP, group, bucket, arguments)
    }
}

/// Adds what one bucket says to what was found, but for the keys that may run: those it returns, with whether they are
/// suspects.
pub(super) fn read(
    mut answer: Answer,
    swept: &mut Swept,
    limit: usize,
) -> Result<Vec<(Key, bool)>, StoreError> {
    swept.halted = swept.halted.saturating_add(answer.number()?);
    let oldest = Some(answer.number()?).filter(|since| *since > 0);
    swept.oldest_gap = [swept.oldest_gap, oldest].into_iter().flatten().min();
    for _ in 0..answer.number()? {
        let (key, seq, since) = (answer.key()?, answer.number()?, answer.number()?);
        if swept.stuck.len() < limit {
            swept.stuck.push(Stuck { key, seq, since });
        }
    }
    let mut keys = Vec::new();
    while !answer.is_empty() {
        keys.push((answer.key()?, answer.number()? == 1));
    }
    Ok(keys)
}
