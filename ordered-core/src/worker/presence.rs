//! Mistakes that only those who share a store can see: two groups on one queue, two processes under one name.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tracing::{debug, error, warn};

use crate::clock::wall_clock;
use crate::protocol::{Millis, WorkerId};
use crate::readable::moment;
use crate::store::{Group, OtherConsumerGroup, OtherConsumers, Store, WorkerPresence};

/// How often a process notes itself. What is seen is told after two or three of these.
const INTERVAL: Duration = Duration::from_secs(5);

/// After so many looks without a sign of it another group counts as gone.
const LOOKS: u32 = 3;

/// Notes this process in the store, and logs each mistake that it sees once.
pub(super) struct PresenceWatch {
    store: Arc<dyn Store>,
    group: Group,
    me: WorkerPresence,
    /// The group had no state before this worker opened it.
    is_new: bool,
    name_is_logged: bool,
    others: HashMap<String, Seen>,
}

/// What is known of another group on the same source.
struct Seen {
    at: Millis,
    looks: u32,
    is_logged: bool,
}

impl PresenceWatch {
    pub(super) fn new(
        store: Arc<dyn Store>,
        group: Group,
        worker: WorkerId,
        source: Option<String>,
        is_new: bool,
    ) -> Self {
        let me = WorkerPresence {
            worker,
            process: fastrand::u64(..),
            source,
            is_first: true,
        };
        Self {
            store,
            group,
            me,
            is_new,
            name_is_logged: false,
            others: HashMap::new(),
        }
    }

    /// Goes on for as long as it is polled.
    pub(super) async fn run(mut self) {
        loop {
            let Some(presence) = self.store.presence() else {
                return;
            };
            match presence.note(&self.group, &self.me).await {
                Ok(others) => {
                    self.me.is_first = false;
                    self.log_mistakes(others);
                }
                Err(error) => debug!(%error, "could not look who else consumes"),
            }
            tokio::time::sleep(INTERVAL).await;
        }
    }

    fn log_mistakes(&mut self, others: OtherConsumers) {
        if others.same_name && !self.name_is_logged {
            self.name_is_logged = true;
            error!(
                group = self.group.name(),
                worker = self.me.worker.as_str(),
                "another live process works under the name of this worker: they take each other's keys away, and \
                 events run again and again. Leave `.id(…)` out, or give each process a name of its own"
            );
        }
        for OtherConsumerGroup { name, seen_at } in others.groups {
            let new = Seen {
                at: seen_at,
                looks: 0,
                is_logged: false,
            };
            let seen = self.others.entry(name.clone()).or_insert(new);
            seen.looks += 1;
            if seen.is_logged {
                continue;
            }
            // What was written before this process looked may be of one that has ended since.
            if seen_at > seen.at {
                seen.is_logged = true;
                self.two_groups(&name);
            } else if self.is_new && seen.looks > LOOKS {
                seen.is_logged = true;
                self.renamed(&name, seen_at);
            }
        }
    }

    fn two_groups(&self, other_group: &str) {
        error!(
            group = self.group.name(),
            other_group,
            source = self.me.source.as_deref(),
            "two groups consume one queue: each gets a part of the events, and its keys wait for the others. Give each \
             group a queue of its own"
        );
    }

    fn renamed(&self, other_group: &str, seen_at: Millis) {
        warn!(
            group = self.group.name(),
            other_group,
            source = self.me.source.as_deref(),
            last_seen = moment(seen_at, wall_clock()),
            "the group is new, and another one consumed its queue before: if it was renamed, it begins without the \
             progress of the old one, and its keys wait for events that were handled. Take the old name, or `ordered \
             export --positions` of the old group and `ordered import` into this one"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Policy;
    use crate::store::MemoryStore;

    fn watch(is_new: bool) -> PresenceWatch {
        PresenceWatch::new(
            Arc::new(MemoryStore::new()),
            Group::new("billing", Policy::default()),
            WorkerId::new("w"),
            Some("q".into()),
            is_new,
        )
    }

    fn with(seen_at: Millis) -> OtherConsumers {
        OtherConsumers {
            same_name: false,
            groups: vec![OtherConsumerGroup {
                name: "orders".into(),
                seen_at,
            }],
        }
    }

    fn is_logged(watch: &PresenceWatch) -> bool {
        watch.others["orders"].is_logged
    }

    #[test]
    fn a_group_that_goes_on_consuming_is_told_of_at_the_second_look() {
        let mut watch = watch(false);
        watch.log_mistakes(with(5));
        assert!(!is_logged(&watch));
        watch.log_mistakes(with(6));
        assert!(is_logged(&watch));
    }

    #[test]
    fn a_group_that_has_stopped_is_told_of_by_a_new_one_alone() {
        for is_new in [true, false] {
            let mut watch = watch(is_new);
            for _ in 0..LOOKS {
                watch.log_mistakes(with(5));
                assert!(!is_logged(&watch));
            }
            watch.log_mistakes(with(5));
            assert_eq!(is_logged(&watch), is_new);
        }
    }
}
