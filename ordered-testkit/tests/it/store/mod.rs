mod planted;

use ordered_core::clock::Clock;
use ordered_core::store::MemoryStore;
use ordered_testkit::store_suite;
use ordered_testkit::store_suite::{equals_memory, sequences};

use self::planted::{Mistake, Planted};

async fn memory(clock: Clock) -> MemoryStore {
    MemoryStore::with_clock(clock)
}

store_suite!(memory);

#[tokio::test]
async fn the_store_in_memory_equals_itself() {
    let store = |clock| MemoryStore::with_clock(clock).buckets(2);
    equals_memory(store, 2, 0..sequences(500)).await;
}

/// Each mistake is made by a store that is right otherwise.
#[tokio::test]
async fn every_planted_mistake_is_found() {
    for mistake in Mistake::ALL {
        let store = move |clock| Planted {
            store: MemoryStore::with_clock(clock).buckets(2),
            mistake,
        };
        let found = tokio::spawn(equals_memory(store, 2, 0..1_000)).await;
        let panic = found.expect_err(&format!("{mistake:?} is not found"));
        let panic = panic.into_panic();
        let report = panic.downcast_ref::<String>().expect("it is a text");
        assert!(report.starts_with("seed "), "{mistake:?}: {report}");
    }
}

#[tokio::test]
#[should_panic(expected = "differs from the store in memory")]
async fn a_store_with_other_buckets_is_told_from_the_one_in_memory() {
    let store = |clock| MemoryStore::with_clock(clock).buckets(7);
    equals_memory(store, 2, 0..1_000).await;
}
