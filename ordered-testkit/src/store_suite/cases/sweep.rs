use std::time::Duration;

use ordered_core::event::Key;
use ordered_core::store::{Inspect, Listing, NEVER_DUE, Save, StuckRecord, Sweep};

use crate::store_suite::stage::{A, B, LEASE, START, Stage, broad, key};

/// Lists a key as due.
async fn list_due(stage: &Stage<impl Inspect>, name: &str, due: u64) -> Key {
    let (key, due) = (key(name), Some(due));
    let listing = Listing {
        due,
        ..Listing::default()
    };
    stage.list(&key, listing).await;
    key
}

pub async fn a_sweep_finds_what_is_due_longest_due_first(stage: Stage<impl Inspect>) {
    let late = list_due(&stage, "late", START + 10).await;
    let early = list_due(&stage, "early", START - 10).await;
    let same = list_due(&stage, "also-early", START - 10).await;
    list_due(&stage, "never", NEVER_DUE).await;
    let swept = stage.sweep(&broad()).await;
    assert_eq!(
        (swept.now, &swept.due),
        (START, &vec![same.clone(), early.clone()])
    );
    stage.clock.advance(9);
    assert_eq!(stage.sweep(&broad()).await.due.len(), 2);
    stage.clock.advance(1);
    assert_eq!(stage.sweep(&broad()).await.due, [same, early, late]);
}

pub async fn what_was_listed_before_the_clock_stepped_back_is_due_last(stage: Stage<impl Inspect>) {
    let longest = 60_000;
    let beyond = list_due(&stage, "beyond", START + longest + 1).await;
    list_due(&stage, "in-time", START + longest).await;
    let due = list_due(&stage, "due", START).await;
    list_due(&stage, "never", NEVER_DUE).await;
    assert_eq!(stage.sweep(&broad()).await.due, [due.clone(), beyond]);
    stage.clock.step_back(1);
    let swept = stage.sweep(&broad()).await;
    assert_eq!(swept.due.len(), 2, "both lie too far ahead now: {swept:?}");
    assert!(!swept.due.contains(&due));
}

pub async fn a_key_with_a_living_owner_is_not_swept(stage: Stage<impl Inspect>) {
    let key = list_due(&stage, "due", START).await;
    stage.own_key(A, &key).await;
    let swept = stage.sweep(&broad()).await;
    assert!(swept.due.is_empty() && swept.orphaned.is_empty());
    stage.crash(A).await;
    let swept = stage.sweep(&broad()).await;
    assert_eq!((swept.due, swept.orphaned), (vec![key.clone()], vec![key]));
}

pub async fn a_sweep_finds_what_dead_workers_and_those_that_left_own(stage: Stage<impl Inspect>) {
    let keys = ["k1", "k2", "k3"].map(key);
    for key in &keys {
        stage.own_key(A, key).await;
    }
    assert!(stage.sweep(&broad()).await.orphaned.is_empty());
    stage.crash(A).await;
    let mut orphaned = stage.sweep(&broad()).await.orphaned;
    orphaned.sort();
    assert_eq!(orphaned, keys);
    stage.beat(A).await;
    assert!(stage.sweep(&broad()).await.orphaned.is_empty());
    stage.leave(A).await;
    assert_eq!(stage.sweep(&broad()).await.orphaned.len(), 3);
}

pub async fn a_sweep_finds_a_dead_worker_in_two_looks(stage: Stage<impl Inspect>) {
    stage.own(A).await;
    stage.clock.advance(10 * LEASE);
    assert!(stage.sweep(&broad()).await.orphaned.is_empty());
    stage.clock.advance(LEASE / 2);
    assert_eq!(stage.sweep(&broad()).await.orphaned.len(), 1);
}

pub async fn a_sweep_finds_what_waits_too_long(stage: Stage<impl Inspect>) {
    let gap = |since| Listing {
        gap: Some(since),
        ..Listing::default()
    };
    let (old, new) = (key("old"), key("new"));
    stage.list(&new, gap(START - 1)).await;
    stage.list(&old, gap(START - 10_001)).await;
    let swept = stage.sweep(&broad()).await;
    let record = stage.read_key(&old).await.expect("the key is known");
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

pub async fn a_sweep_counts_what_is_halted(stage: Stage<impl Inspect>) {
    for name in ["k1", "k2"] {
        let halted = Listing {
            halted: Some(START),
            due: Some(NEVER_DUE),
            gap: None,
        };
        stage.list(&key(name), halted).await;
    }
    stage.list(&key("k3"), Listing::default()).await;
    let swept = stage.sweep(&broad()).await;
    assert_eq!((swept.halted, swept.oldest_gap), (2, None));
    stage.list(&key("k1"), Listing::default()).await;
    assert_eq!(
        stage.sweep(&broad()).await.halted,
        2,
        "an index is left as it is"
    );
}

pub async fn a_sweep_changes_no_key(stage: Stage<impl Inspect>) {
    let due = list_due(&stage, "due", START).await;
    stage.own(A).await;
    stage.crash(A).await;
    let before = (stage.read_key(&due).await, stage.read().await);
    let first = stage.sweep(&broad()).await;
    assert_eq!(stage.sweep(&broad()).await, first);
    assert_eq!((stage.read_key(&due).await, stage.read().await), before);
}

/// What was found is taken out, as a worker would do.
pub async fn a_sweep_finds_about_its_limit_and_in_the_end_all(stage: Stage<impl Inspect>) {
    let count = 40;
    for number in 0..count {
        list_due(&stage, &format!("due-{number}"), START - number).await;
        stage.own_key(A, &key(&format!("owned-{number}"))).await;
    }
    stage.crash(A).await;
    stage.beat(A).await;
    stage.leave(A).await;
    let limited = Sweep {
        limit: 4,
        longest_wait: Duration::from_secs(60),
        stuck_after: Duration::from_secs(10),
    };
    let (mut due, mut orphaned) = (0, 0);
    while due + orphaned < 2 * count {
        let swept = stage.sweep(&limited).await;
        // Each of many buckets may find one more.
        let most = (count / 2) as usize;
        assert!(swept.due.len() <= most && swept.orphaned.len() <= most);
        assert!(!swept.due.is_empty() || !swept.orphaned.is_empty());
        for key in swept.due.iter().chain(&swept.orphaned) {
            let owned = stage.own_key(B, key).await;
            let mut save = Save::new(key.clone(), owned.fence);
            save.listing.due = Some(None);
            stage.release(B, save).await;
        }
        due += swept.due.len() as u64;
        orphaned += swept.orphaned.len() as u64;
    }
    assert_eq!((due, orphaned), (count, count));
}
