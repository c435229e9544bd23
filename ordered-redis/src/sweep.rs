//! The search for keys that have something to run and nobody to run it.

use std::collections::HashMap;
use std::sync::PoisonError;

use ordered_core::event::Key;
use ordered_core::store::{Group, StoreError};

use crate::answer::Answer;
use crate::script::{Call, SWEEP};
use crate::shared::{Shared, number, text};

/// How many claims one sweep of a bucket looks at; Redis takes it as a hint.
const CLAIMS: &str = "512";

/// How far the sweeps have come, by group.
pub(crate) type AllCursors = HashMap<String, Cursors>;

#[derive(Clone)]
pub(crate) struct Cursors {
    /// The bucket that the next sweep begins with, so that the limit does not always favour the same ones.
    first: u32,
    /// In each bucket, where the scan over the claims goes on.
    scans: Vec<String>,
}

impl Shared {
    fn cursors(&self, group: &Group) -> Cursors {
        let all = self.cursors.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(group.name()).cloned().unwrap_or_else(|| Cursors {
            first: 0,
            scans: vec!["0".to_owned(); self.buckets as usize],
        })
    }

    fn keep_cursors(&self, group: &Group, cursors: Cursors) {
        let mut all = self.cursors.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(group.name().to_owned(), cursors);
    }
}

pub(crate) async fn sweep(
    shared: &Shared,
    group: &Group,
    limit: usize,
) -> Result<Vec<Key>, StoreError> {
    let mut cursors = shared.cursors(group);
    let first = cursors.first;
    cursors.first = (first + 1) % shared.buckets;
    let order: Vec<u32> = (0..shared.buckets)
        .map(|step| (first + step) % shared.buckets)
        .collect();
    let call = |bucket: &u32| {
        let scan = &cursors.scans[*bucket as usize];
        let arguments = vec![
            number(limit as u64),
            text(scan),
            text(CLAIMS),
            number(shared.given_time()),
        ];
        shared.call(&SWEEP, group, *bucket, arguments)
    };
    let calls: Vec<Call> = order.iter().map(call).collect();
    let mut found = Vec::new();
    for (bucket, answer) in order.into_iter().zip(shared.run(&calls).await?) {
        let mut answer = Answer::new(answer)?;
        let scan = answer.text()?;
        let mut keys = Vec::new();
        while !answer.is_empty() {
            keys.push(answer.key()?);
        }
        // What is beyond the limit is found again: the queue of due keys still has it, and the scan stays.
        if found.is_empty() || found.len() + keys.len() <= limit {
            found.extend(keys);
            cursors.scans[bucket as usize] = scan;
        }
    }
    shared.keep_cursors(group, cursors);
    Ok(found)
}
