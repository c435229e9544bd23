use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::event::Envelope;
use crate::publish::NotPublishedKind;

const FIRST: Duration = Duration::from_millis(100);
const GIVE_UP: Duration = Duration::from_secs(60);

fn lanes(per_key: usize, fail_key: bool) -> Lanes<u32> {
    let settings = LaneSettings {
        per_key,
        batch: 4,
        backoff: Backoff {
            base: FIRST,
            cap: Duration::from_secs(1),
        },
        give_up_after: GIVE_UP,
        fail_key,
    };
    Lanes::new(settings, fastrand::Rng::with_seed(7))
}

/// The event with this number.
fn push(lanes: &mut Lanes<u32>, key: &str, number: u32, now: Instant) {
    let envelope = Envelope::new(number.to_string());
    let outgoing = Outgoing::new(Key::new(key).unwrap(), envelope);
    lanes.push(Entry::new(outgoing, number, now));
}

fn numbers(batch: &Batch<u32>) -> Vec<u32> {
    batch
        .in_flight
        .iter()
        .map(|in_flight| in_flight.ticket)
        .collect()
}

fn busy() -> Result<(), TransportError> {
    Err(TransportError::busy("full"))
}

fn away() -> Result<(), TransportError> {
    Err(TransportError::unavailable("away"))
}

fn fatal() -> Result<(), TransportError> {
    Err(TransportError::fatal("too large"))
}

fn kinds(settled: &Settled<u32>) -> Vec<(u32, Option<NotPublishedKind>)> {
    let kind = |outcome: &Result<(), NotPublished>| outcome.as_ref().err().map(NotPublished::kind);
    settled
        .done
        .iter()
        .map(|(number, outcome)| (*number, kind(outcome)))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn an_event_that_failed_holds_back_its_key_and_no_other() {
    let (mut lanes, now) = (lanes(1, false), Instant::now());
    for number in 1..=3 {
        push(&mut lanes, "a", number, now);
    }
    push(&mut lanes, "b", 11, now);
    push(&mut lanes, "b", 12, now);
    let batch = lanes.take(now).unwrap();
    assert_eq!(numbers(&batch), [1, 11]);
    assert!(lanes.take(now).is_none(), "one of a key at a time");
    let settled = lanes.settle(batch, vec![busy(), Ok(())], now);
    assert_eq!(kinds(&settled), [(11, None)]);
    assert_eq!(settled.again, 1);
    let batch = lanes.take(now).unwrap();
    assert_eq!(numbers(&batch), [12]);
    lanes.settle(batch, vec![Ok(())], now);
    assert!(lanes.take(now).is_none());
    let due = lanes.due().unwrap();
    assert!((now + FIRST / 2..=now + FIRST).contains(&due));
    for number in 1..=3 {
        let batch = lanes.take(due).unwrap();
        assert_eq!(numbers(&batch), [number]);
        lanes.settle(batch, vec![Ok(())], due);
    }
    assert!(lanes.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_takes_nothing_is_not_asked_by_each_key() {
    let (mut lanes, now) = (lanes(1, false), Instant::now());
    push(&mut lanes, "a", 1, now);
    let first = lanes.take(now).unwrap();
    push(&mut lanes, "b", 2, now);
    let second = lanes.take(now).unwrap();
    lanes.settle(first, vec![away()], now);
    lanes.settle(second, vec![away()], now);
    push(&mut lanes, "c", 3, now);
    assert!(lanes.take(now).is_none());
    let due = lanes.due().unwrap();
    assert!(
        due <= now + FIRST,
        "attempts that were under way together count once"
    );
    let batch = lanes.take(due).unwrap();
    assert_eq!(numbers(&batch).len(), 3);
    lanes.settle(batch, vec![Ok(()), Ok(()), Ok(())], due);
    assert!(lanes.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_is_reported_at_once_and_what_passes_after_the_time() {
    let (mut lanes, now) = (lanes(1, false), Instant::now());
    for number in 1..=3 {
        push(&mut lanes, "a", number, now);
    }
    let batch = lanes.take(now).unwrap();
    let settled = lanes.settle(batch, vec![fatal()], now);
    assert_eq!(kinds(&settled), [(1, Some(NotPublishedKind::Refused))]);
    let batch = lanes.take(now).unwrap();
    assert!(lanes.settle(batch, vec![busy()], now).done.is_empty());
    push(&mut lanes, "a", 4, now + GIVE_UP);
    let batch = lanes.take(now + GIVE_UP).unwrap();
    let settled = lanes.settle(batch, vec![busy()], now + GIVE_UP);
    let gave_up = Some(NotPublishedKind::GaveUp);
    assert_eq!(kinds(&settled), [(2, gave_up), (3, gave_up)]);
    assert_eq!(numbers(&lanes.take(now + GIVE_UP).unwrap()), [4]);
}

#[tokio::test(start_paused = true)]
async fn a_key_may_stop_at_an_event_that_is_reported() {
    let (mut lanes, now) = (lanes(2, true), Instant::now());
    for number in 1..=4 {
        push(&mut lanes, "a", number, now);
    }
    let batch = lanes.take(now).unwrap();
    assert_eq!(numbers(&batch), [1, 2]);
    let settled = lanes.settle(batch, vec![fatal(), busy()], now);
    let held_back = Some(NotPublishedKind::HeldBack);
    let expected = [
        (1, Some(NotPublishedKind::Refused)),
        (2, held_back),
        (3, held_back),
        (4, held_back),
    ];
    assert_eq!(kinds(&settled), expected);
    assert!(lanes.is_empty());
    push(&mut lanes, "a", 5, now);
    assert_eq!(numbers(&lanes.take(now).unwrap()), [5]);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_has_as_many_events_as_it_may() {
    let (mut lanes, now) = (lanes(3, false), Instant::now());
    for number in 1..=5 {
        push(&mut lanes, "a", number, now);
        push(&mut lanes, "b", 10 + number, now);
    }
    let first = lanes.take(now).unwrap();
    assert_eq!(numbers(&first), [1, 2, 3, 11]);
    assert!(lanes.take(now).is_none());
    lanes.settle(first, vec![Ok(()), Ok(()), Ok(()), Ok(())], now);
    assert_eq!(numbers(&lanes.take(now).unwrap()), [4, 5, 12, 13]);
}

proptest! {
    /// Whatever fails: each event ends once, in the order of its key, and none goes out before those ahead of it have
    /// ended.
    #[test]
    fn keys_stay_in_order(
        events in proptest::collection::vec(0..4_u8, 1..60),
        fates in proptest::collection::vec(0..10_u8, 1..200),
        fail_key: bool,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().start_paused(true).enable_time().build().unwrap();
        let _guard = runtime.enter();
        let (mut lanes, mut now) = (lanes(1, fail_key), Instant::now());
        let (mut fates, mut in_flight) = (fates.into_iter().cycle(), VecDeque::new());
        let mut waiting: BTreeMap<u8, VecDeque<u32>> = BTreeMap::new();
        let (mut ended, count) = (BTreeSet::new(), u32::try_from(events.len()).unwrap());
        let mut events = (0..).zip(events);
        for _ in 0..10_000 {
            if let Some((number, key)) = events.next() {
                waiting.entry(key).or_default().push_back(number);
                push(&mut lanes, &key.to_string(), number, now);
            } else if lanes.is_empty() {
                break;
            }
            if let Some(batch) = lanes.take(now) {
                for number in numbers(&batch) {
                    let first = waiting.values().any(|queue| queue.front() == Some(&number));
                    prop_assert!(first, "{number} goes out before its turn");
                }
                in_flight.push_back(batch);
            } else if let Some(batch) = in_flight.pop_front() {
                let outcomes = batch.events.iter().map(|_| match fates.next() {
                    Some(0) => fatal(),
                    Some(1..4) => busy(),
                    Some(4..6) => away(),
                    _ => Ok(()),
                });
                let outcomes = outcomes.collect();
                for (number, _) in lanes.settle(batch, outcomes, now).done {
                    let queue = waiting.values_mut().find(|queue| queue.front() == Some(&number));
                    prop_assert!(queue.is_some(), "{number} ends before its turn");
                    queue.unwrap().pop_front();
                    prop_assert!(ended.insert(number));
                }
            } else if let Some(due) = lanes.due() {
                now = now.max(due);
            }
        }
        prop_assert_eq!(ended.len(), count as usize, "all end");
    }
}
