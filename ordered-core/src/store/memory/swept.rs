use std::time::Duration;

use super::state::{Bucket, GroupState};
use crate::event::Key;
use crate::protocol::Millis;
use crate::store::{Listing, NEVER_DUE, StuckRecord, Sweep, Swept};

/// A key that is listed as due, and where it stands among the others.
type Due = (IsFromAhead, u64, Key);
/// The key was listed before the clock stepped back. Such keys come last.
type IsFromAhead = bool;

impl GroupState {
    pub(super) fn sweep(&mut self, sweep: &Sweep, now: Millis) -> Swept {
        let mut due: Vec<Due> = Vec::new();
        let mut swept = Swept {
            now,
            ..Swept::default()
        };
        for bucket in &mut self.buckets {
            let dead = bucket.leases.look_at_all(now);
            due.extend(bucket.due(sweep, now));
            swept.orphaned.extend(bucket.orphaned(now));
            swept.stuck.extend(bucket.stuck(sweep, now));
            for worker in dead {
                if bucket.owners.values().all(|owner| owner.worker != worker) {
                    bucket.leases.remove(&worker);
                }
            }
            for listing in bucket.listings.values() {
                swept.halted += u64::from(listing.halted.is_some());
                let oldest = [swept.oldest_gap, listing.gap];
                swept.oldest_gap = oldest.into_iter().flatten().min();
            }
        }
        due.sort_unstable();
        swept.due = due.into_iter().map(|(.., key)| key).collect();
        swept.orphaned.sort_unstable();
        swept
            .stuck
            .sort_unstable_by(|one, other| (one.since, &one.key).cmp(&(other.since, &other.key)));
        swept.due.truncate(sweep.limit);
        swept.orphaned.truncate(sweep.limit);
        swept.stuck.truncate(sweep.limit);
        swept
    }
}

impl Bucket {
    fn due(&mut self, sweep: &Sweep, now: Millis) -> Vec<Due> {
        let latest = now.saturating_add(millis(sweep.longest_wait));
        let mut due: Vec<Due> = Vec::new();
        for (key, listing) in &self.listings {
            let at = listing.due.filter(|at| *at < NEVER_DUE);
            if let Some(at) = at.filter(|at| *at <= now || *at > latest) {
                due.push((at > now, at, key.clone()));
            }
        }
        due.retain(|(.., key)| !self.has_living_owner(key, now));
        due
    }

    fn orphaned(&mut self, now: Millis) -> Vec<Key> {
        let mut keys: Vec<Key> = self.owners.keys().cloned().collect();
        keys.retain(|key| !self.has_living_owner(key, now));
        keys
    }

    fn stuck(&self, sweep: &Sweep, now: Millis) -> Vec<StuckRecord> {
        let stuck = |(key, listing): (&Key, &Listing)| {
            let waited = |since: &u64| since.saturating_add(millis(sweep.stuck_after)) <= now;
            let since = listing.gap.filter(waited)?;
            let body = self.bodies.get(key)?;
            Some(StuckRecord {
                key: key.clone(),
                since,
                fence: body.fence,
                body: body.bytes.clone(),
            })
        };
        self.listings.iter().filter_map(stuck).collect()
    }
}

fn millis(duration: Duration) -> Millis {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
