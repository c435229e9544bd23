use std::collections::HashMap;
use std::time::Duration;

use ordered_core::event::Key;
use ordered_core::publish::Outgoing;
use tokio::time::Instant;

/// What is said to Redis about a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) key: Key,
    /// The last seq that the broker has confirmed.
    pub(super) through: u64,
    /// How many events to give next.
    pub(super) wanted: usize,
    /// The key is given up: after this time somebody may take it.
    pub(super) free_after: Option<Duration>,
}

/// What Redis answers.
#[derive(Debug)]
pub(super) enum Answer {
    /// Nothing is kept of the key any more.
    Done,
    /// Another process has the key.
    Lost,
    /// It was given up.
    Free,
    /// The key is ours, and what is kept begins here.
    Ours(u64, Vec<Option<Outgoing>>),
}

/// How soon Redis is told what was confirmed of a key while more of it is under way: what it does not know when this
/// process dies is published again.
const NEWS_AFTER: Duration = Duration::from_millis(25);

/// The keys that this process publishes. Pure: the time comes in.
#[derive(Debug, Default)]
pub(super) struct ClaimedKeys {
    keys: HashMap<Key, ClaimedKey>,
    generation: u64,
    /// Events that are on their way to the broker.
    in_flight: usize,
}

#[derive(Debug)]
struct ClaimedKey {
    /// Tells what is under way since the key was taken from what was under way before.
    generation: u64,
    confirmed: u64,
    /// Up to where Redis knows of it.
    settled: u64,
    in_flight: usize,
    failed: bool,
    renewed: Instant,
}

impl ClaimedKeys {
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight
    }

    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// These many events of a key are sent from now on, the first of which has this seq.
    pub(super) fn sends(&mut self, key: &Key, first: u64, events: usize, now: Instant) -> u64 {
        self.generation += 1;
        let held = ClaimedKey {
            generation: self.generation,
            confirmed: first - 1,
            settled: first - 1,
            in_flight: events,
            failed: false,
            renewed: now,
        };
        if let Some(before) = self.keys.insert(key.clone(), held) {
            self.in_flight -= before.in_flight;
        }
        self.in_flight += events;
        self.generation
    }

    /// What happened to an event that was sent.
    pub(super) fn ended(&mut self, key: &Key, generation: u64, seq: u64, is_confirmed: bool) {
        let held = self.keys.get_mut(key);
        let Some(held) = held.filter(|held| held.generation == generation) else {
            return;
        };
        held.in_flight -= 1;
        self.in_flight -= 1;
        if is_confirmed && seq == held.confirmed + 1 {
            held.confirmed = seq;
        } else {
            held.failed = true;
        }
    }

    /// What is to be said now: of keys of which nothing is under way any more, of those of which something was
    /// confirmed for a while, and of those whose claim would end.
    pub(super) fn requests(
        &self,
        now: Instant,
        renew_after: Duration,
        rest: Duration,
        batch: usize,
    ) -> Vec<Request> {
        let mut requests = Vec::new();
        for (key, held) in &self.keys {
            let is_at_rest = held.in_flight == 0;
            let since = now.saturating_duration_since(held.renewed);
            let has_news = held.confirmed > held.settled && since >= NEWS_AFTER;
            if is_at_rest || has_news || since >= renew_after {
                requests.push(Request {
                    key: key.clone(),
                    through: held.confirmed,
                    wanted: if is_at_rest && !held.failed { batch } else { 0 },
                    free_after: (is_at_rest && held.failed).then_some(rest),
                });
            }
        }
        requests
    }

    /// All keys are given up.
    pub(super) fn farewell(&self) -> Vec<Request> {
        let request = |(key, held): (&Key, &ClaimedKey)| Request {
            key: key.clone(),
            through: held.confirmed,
            wanted: 0,
            free_after: Some(Duration::ZERO),
        };
        self.keys.iter().map(request).collect()
    }

    /// The claim is good for another lease, and Redis knows how far the key is.
    pub(super) fn renewed(&mut self, key: &Key, through: u64, now: Instant) {
        if let Some(held) = self.keys.get_mut(key) {
            held.renewed = now;
            held.settled = held.settled.max(through);
        }
    }

    pub(super) fn forget(&mut self, key: &Key) {
        if let Some(held) = self.keys.remove(key) {
            self.in_flight -= held.in_flight;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const THIRD: Duration = Duration::from_secs(3);
    const REST: Duration = Duration::from_secs(5);

    fn key() -> Key {
        Key::new("k").unwrap()
    }

    fn requests(claimed: &ClaimedKeys, now: Instant) -> Vec<(u64, usize, Option<Duration>)> {
        let requests = claimed.requests(now, THIRD, REST, 32).into_iter();
        requests
            .map(|it| (it.through, it.wanted, it.free_after))
            .collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_asks_for_more_when_all_of_it_is_confirmed_and_renews_its_claim_meanwhile() {
        let (mut claimed, now) = (ClaimedKeys::default(), Instant::now());
        let generation = claimed.sends(&key(), 5, 3, now);
        claimed.ended(&key(), generation, 5, true);
        assert!(requests(&claimed, now).is_empty());
        assert_eq!(requests(&claimed, now + NEWS_AFTER), [(5, 0, None)]);
        claimed.renewed(&key(), 5, now);
        assert!(requests(&claimed, now + NEWS_AFTER).is_empty());
        assert_eq!(requests(&claimed, now + THIRD), [(5, 0, None)]);
        claimed.renewed(&key(), 5, now + THIRD);
        assert!(requests(&claimed, now + THIRD).is_empty());
        claimed.ended(&key(), generation, 6, true);
        claimed.ended(&key(), generation, 7, true);
        assert_eq!(requests(&claimed, now), [(7, 32, None)]);
        assert_eq!(claimed.in_flight(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_of_which_an_event_failed_is_given_up_at_the_event_before() {
        let (mut claimed, now) = (ClaimedKeys::default(), Instant::now());
        let generation = claimed.sends(&key(), 5, 3, now);
        claimed.ended(&key(), generation, 5, true);
        claimed.ended(&key(), generation, 6, false);
        // Should one come after it all the same, it does not count.
        claimed.ended(&key(), generation, 7, true);
        assert_eq!(requests(&claimed, now), [(5, 0, Some(REST))]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_under_way_before_a_key_was_lost_does_not_count() {
        let (mut claimed, now) = (ClaimedKeys::default(), Instant::now());
        let before = claimed.sends(&key(), 5, 1, now);
        claimed.forget(&key());
        let after = claimed.sends(&key(), 5, 2, now);
        claimed.ended(&key(), before, 5, true);
        assert!(requests(&claimed, now).is_empty());
        claimed.ended(&key(), after, 5, true);
        claimed.ended(&key(), after, 6, true);
        assert_eq!(requests(&claimed, now), [(6, 32, None)]);
    }
}
