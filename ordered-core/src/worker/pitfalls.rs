//! Mistakes that nothing else tells of, because all goes on as it should: each is told once by a worker, with what to
//! do.

use std::collections::{BTreeMap, BTreeSet};
use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::warn;

use super::conflicts::{Conflicts, Suspicion};
use super::similar_keys::SimilarKeys;
use crate::event::{EventId, Key};
use crate::handler::{Context, HandlerOptions};
use crate::readable::span;

/// A handler that keeps its thread for so long in one step has not been written for an async runtime.
const BLOCKED_AFTER: Duration = Duration::from_secs(1);
/// Events come again later than this in the ordinary course of things: after a deployment, a lease, a pause of the
/// broker.
const SHORT_MEMORY: Duration = Duration::from_secs(60);
/// From the first seq on that is a time in seconds since 2001; no key has had so many events.
const LOOKS_LIKE_A_TIME: u64 = 1_000_000_000;

/// So many keys that all wait for what came before them, each at another seq, are no accident.
const WAITING_KEYS: usize = 32;
/// With one numbering over all keys, one key gets the first event of all; of a stream from its start most keys do.
const FEW_COMMITS: u64 = 1;

/// How it is with a worker where nothing of a key has come.
#[derive(Debug, Clone, Copy)]
pub(super) struct AtStart {
    /// How many events the worker has committed.
    pub(super) commits: u64,
    /// The seq that a key begins with.
    pub(super) first_seq: u64,
}

/// What was logged already.
#[derive(Debug, Default)]
pub(super) struct Pitfalls {
    blocked: AtomicBool,
    time_as_seq: AtomicBool,
    /// Looked at, and logged if it was so.
    all_wait: AtomicBool,
    // A std mutex: held for an access to a small map, and not at all once `all_wait` is set.
    waiting: Mutex<BTreeMap<Key, u64>>,
    similar_keys: SimilarKeys,
    twins_logged: AtomicBool,
    conflicts: Conflicts,
    same_seq: AtomicBool,
    seq_after_seq: AtomicBool,
}

/// Whether this is the first time.
fn first(logged: &AtomicBool) -> bool {
    !logged.load(Ordering::Relaxed) && !logged.swap(true, Ordering::Relaxed)
}

impl Pitfalls {
    /// An event came.
    pub(super) fn received(&self, key: &Key) {
        if !self.twins_logged.load(Ordering::Relaxed) {
            self.similar_keys.note(key);
        }
    }

    /// An event came under a seq that is another one's.
    pub(super) fn conflict(&self, group: &str, (key, seq, id): (&Key, u64, &EventId)) {
        match self.conflicts.note(key, seq, id) {
            Some(Suspicion::SameSeq) if first(&self.same_seq) => warn!(
                group,
                key = key.as_str(),
                seq,
                event_id = id.as_str(),
                "events with different ids come again and again under one seq of a key, and all but the first are \
                 dead-lettered: their producer does not count, or the handler reads the seq from the wrong place"
            ),
            Some(Suspicion::SeqAfterSeq) if first(&self.seq_after_seq) => warn!(
                group,
                key = key.as_str(),
                seq,
                event_id = id.as_str(),
                "seq after seq of a key is in conflict: two producers number it, each by itself, or its producer began \
                 to number anew. Let one place number each key, such as the outbox, or give each producer keys of its \
                 own; a producer that begins anew says so with a reset"
            ),
            _ => {}
        }
    }

    fn two_forms(&self, group: &str, (key, seq, id): (&Key, u64, &EventId)) {
        if self.twins_logged.load(Ordering::Relaxed) {
            return;
        }
        if let Some(other) = self.similar_keys.other_form(key)
            && first(&self.twins_logged)
        {
            warn!(
                group,
                key = key.as_str(),
                other_key = other.as_str(),
                seq,
                event_id = id.as_str(),
                "two keys differ only in case or in their Unicode form, and one waits for events that have not come: \
                 they are two keys, each with its own numbering. Where they mean the same, let all producers write it \
                 in one form"
            );
        }
    }

    /// An event is held because those before it have not come. Where nothing of its key has come before: how it is with
    /// the others.
    pub(super) fn waits_in_gap(
        &self,
        group: &str,
        (key, seq, id): (&Key, u64, &EventId),
        at_start: Option<AtStart>,
    ) {
        if let Some(at_start) = at_start {
            self.all_wait(group, key, seq, at_start);
        }
        self.two_forms(group, (key, seq, id));
        if seq >= LOOKS_LIKE_A_TIME && first(&self.time_as_seq) {
            warn!(
                group,
                key = key.as_str(),
                seq,
                event_id = id.as_str(),
                "the seq looks like a time or a counter over all keys, and the key waits for all seqs before it: a seq \
                 counts the events of one key, 1, 2, 3, …"
            );
        }
    }

    fn all_wait(&self, group: &str, key: &Key, seq: u64, at_start: AtStart) {
        let AtStart { commits, first_seq } = at_start;
        if self.all_wait.load(Ordering::Relaxed) {
            return;
        }
        if commits > FEW_COMMITS {
            self.all_wait.store(true, Ordering::Relaxed);
            return;
        }
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.entry(key.clone()).or_insert(seq);
        if waiting.len() < WAITING_KEYS {
            return;
        }
        let seqs: BTreeSet<u64> = waiting.values().copied().collect();
        let keys = waiting.len();
        waiting.clear();
        if !first(&self.all_wait) {
            return;
        }
        if let (1, Some(begins_with)) = (seqs.len(), seqs.first()) {
            warn!(
                group,
                keys,
                begins_with,
                first_seq,
                "all keys begin with one seq, and wait for those before it: `first_seq` is not what the producer \
                 begins with. A new group can have it; this one keeps its `first_seq`"
            );
        } else if seqs.len() == keys {
            warn!(
                group,
                keys,
                lowest = seqs.first(),
                highest = seqs.last(),
                "all keys wait for events before their first one, each at another seq: either the producer has one \
                 numbering for all keys, and has to number each by itself; or the stream began before this group did, \
                 and `ordered import` says how far the keys were"
            );
        }
    }

    /// A step of the handler took so long.
    fn blocked(&self, context: &Context, lasted: Duration) {
        if first(&self.blocked) {
            warn!(
                group = context.group(),
                key = context.key().as_str(),
                seq = context.seq().get(),
                event_id = context.event_id().as_str(),
                step = span(u64::try_from(lasted.as_millis()).unwrap_or(u64::MAX)),
                "the handler blocks the runtime: nothing else ran on its thread meanwhile, other keys and heartbeats \
                 included. Put what computes or waits without `.await` into `tokio::task::spawn_blocking`"
            );
        }
    }
}

/// The handler's work; tells of a step that blocks.
pub(super) async fn watched<T>(
    work: impl Future<Output = T>,
    pitfalls: &Pitfalls,
    context: &Context,
) -> T {
    let mut work = pin!(work);
    poll_fn(|task| {
        let begun = Instant::now();
        let polled = work.as_mut().poll(task);
        let lasted = begun.elapsed();
        if lasted >= BLOCKED_AFTER {
            pitfalls.blocked(context, lasted);
        }
        polled
    })
    .await
}

/// Settings that break a promise, told when the worker starts.
pub(super) fn settings(options: &HandlerOptions) {
    let (group, ttl) = (options.group.as_str(), options.policy.dedup_ttl);
    if ttl < SHORT_MEMORY {
        warn!(
            group,
            dedup_ttl = span(u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX)),
            "`dedup_ttl` is short: an event that comes again later than that is not recognised by its id. Set it to \
             longer than the longest time after which something is sent or redelivered again, such as the default of \
             24 hours"
        );
    }
}
