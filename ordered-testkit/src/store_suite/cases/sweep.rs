use std::time::Duration;

use ordered_core::event::Key;
use ordered_core::store::{Inspect, Listing, NEVER_DUE, Save, StuckRecord, Sweep};

use crate::store_suite::fixture::{A, B, LEASE, START, StoreFixture, broad, key};

/// Lists a key as due.
async fn list_due(fixture: &StoreFixture<impl Inspect>, name: &str, due: u64) -> Key {
    let (key, due) = (key(name), Some(due));
    let listing = Listing {
        due,
        ..Listing::default()
    };
    fixture.list(&key, listing).await;
    key
}

pub async fn a_sweep_finds_what_is_due_longest_due_first(fixture: StoreFixture<impl Inspect>) {
    let late = list_due(&fixture, "late", START + 10).await;
    let early = list_due(&fixture, "early", START - 10).await;
    let same = list_due(&fixture, "also-early", START - 10).await;
    list_due(&fixture, "never", NEVER_DUE).await;
    let swept = fixture.sweep(&broad()).await;
    assert_eq!(
        (swept.now, &swept.due),
        (START, &vec![same.clone(), early.clone()])
    );
    fixture.clock.advance(9);
    assert_eq!(fixture.sweep(&broad()).await.due.len(), 2);
    fixture.clock.advance(1);
    assert_eq!(fixture.sweep(&broad()).await.due, [same, early, late]);
}

pub async fn what_was_listed_before_the_clock_stepped_back_is_due_last(
    fixture: StoreFixture<impl Inspect>,
) {
    let longest = 60_000;
    let beyond = list_due(&fixture, "beyond", START + longest + 1).await;
    list_due(&fixture, "in-time", START + longest).await;
    let due = list_due(&fixture, "due", START).await;
    list_due(&fixture, "never", NEVER_DUE).await;
    assert_eq!(fixture.sweep(&broad()).await.due, [due.clone(), beyond]);
    fixture.clock.step_back(1);
    let swept = fixture.sweep(&broad()).await;
    assert_eq!(swept.due.len(), 2, "both lie too far ahead now: {swept:?}");
    assert!(!swept.due.contains(&due));
}

pub async fn a_key_with_a_living_owner_is_not_swept(fixture: StoreFixture<impl Inspect>) {
    let key = list_due(&fixture, "due", START).await;
    fixture.own_key(A, &key).await;
    let swept = fixture.sweep(&broad()).await;
    assert!(swept.due.is_empty() && swept.orphaned.is_empty());
    fixture.crash(A).await;
    let swept = fixture.sweep(&broad()).await;
    assert_eq!((swept.due, swept.orphaned), (vec![key.clone()], vec![key]));
}

pub async fn a_sweep_finds_what_dead_workers_and_those_that_left_own(
    fixture: StoreFixture<impl Inspect>,
) {
    let keys = ["k1", "k2", "k3"].map(key);
    for key in &keys {
        fixture.own_key(A, key).await;
    }
    assert!(fixture.sweep(&broad()).await.orphaned.is_empty());
    fixture.crash(A).await;
    let mut orphaned = fixture.sweep(&broad()).await.orphaned;
    orphaned.sort();
    assert_eq!(orphaned, keys);
    fixture.beat(A).await;
    assert!(fixture.sweep(&broad()).await.orphaned.is_empty());
    fixture.leave(A).await;
    assert_eq!(fixture.sweep(&broad()).await.orphaned.len(), 3);
}

pub async fn a_sweep_finds_a_dead_worker_in_two_looks(fixture: StoreFixture<impl Inspect>) {
    fixture.own(A).await;
    fixture.clock.advance(10 * LEASE);
    assert!(fixture.sweep(&broad()).await.orphaned.is_empty());
    fixture.clock.advance(LEASE / 2);
    assert_eq!(fixture.sweep(&broad()).await.orphaned.len(), 1);
}

pub async fn a_sweep_finds_what_waits_too_long(fixture: StoreFixture<impl Inspect>) {
    let gap = |since| Listing {
        gap: Some(since),
        ..Listing::default()
    };
    let (old, new) = (key("old"), key("new"));
    fixture.list(&new, gap(START - 1)).await;
    fixture.list(&old, gap(START - 10_001)).await;
    let swept = fixture.sweep(&broad()).await;
    let record = fixture.read_key(&old).await.expect("the key is known");
    let stuck = StuckRecord {
        key: old,
        since: START - 10_001,
        fence: record.body_fence,
        body: "old".into(),
    };
    assert_eq!(swept.stuck, [stuck]);
    assert_eq!(swept.oldest_gap, Some(START - 10_001));
    assert!(swept.due.is_empty() && swept.orphaned.is_empty());
}

pub async fn a_sweep_counts_what_is_halted(fixture: StoreFixture<impl Inspect>) {
    for name in ["k1", "k2"] {
        let halted = Listing {
            halted: Some(START),
            due: Some(NEVER_DUE),
            gap: None,
        };
        fixture.list(&key(name), halted).await;
    }
    fixture.list(&key("k3"), Listing::default()).await;
    let swept = fixture.sweep(&broad()).await;
    assert_eq!((swept.halted, swept.oldest_gap), (2, None));
    fixture.list(&key("k1"), Listing::default()).await;
    assert_eq!(
        fixture.sweep(&broad()).await.halted,
        2,
        "an index is left as it is"
    );
}

pub async fn a_sweep_changes_no_key(fixture: StoreFixture<impl Inspect>) {
    let due = list_due(&fixture, "due", START).await;
    fixture.own(A).await;
    fixture.crash(A).await;
    let before = (fixture.read_key(&due).await, fixture.read().await);
    let first = fixture.sweep(&broad()).await;
    assert_eq!(fixture.sweep(&broad()).await, first);
    assert_eq!((fixture.read_key(&due).await, fixture.read().await), before);
}

/// What was found is taken out, as a worker would do.
pub async fn a_sweep_finds_about_its_limit_and_in_the_end_all(fixture: StoreFixture<impl Inspect>) {
    let count = 40;
    for number in 0..count {
        list_due(&fixture, &format!("due-{number}"), START - number).await;
        fixture.own_key(A, &key(&format!("owned-{number}"))).await;
    }
    fixture.crash(A).await;
    fixture.beat(A).await;
    fixture.leave(A).await;
    let limited = Sweep {
        limit: 4,
        longest_wait: Duration::from_secs(60),
        stuck_after: Duration::from_secs(10),
    };
    let (mut due, mut orphaned) = (0, 0);
    while due + orphaned < 2 * count {
        let swept = fixture.sweep(&limited).await;
        // Each of many buckets may find one more.
        let most = (count / 2) as usize;
        assert!(swept.due.len() <= most && swept.orphaned.len() <= most);
        assert!(!swept.due.is_empty() || !swept.orphaned.is_empty());
        for key in swept.due.iter().chain(&swept.orphaned) {
            let owned = fixture.own_key(B, key).await;
            let mut save = Save::new(key.clone(), owned.fence);
            save.listing.due = Some(None);
            fixture.release(B, save).await;
        }
        due += swept.due.len() as u64;
        orphaned += swept.orphaned.len() as u64;
    }
    assert_eq!((due, orphaned), (count, count));
}
