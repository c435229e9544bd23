use ordered_core::clock::Clock;
use ordered_core::next::store::MemoryStore;
use ordered_testkit::next_store_suite;
use ordered_testkit::next_suite::{equals_memory, sequences};

async fn memory(clock: Clock) -> MemoryStore {
    MemoryStore::with_clock(clock)
}

next_store_suite!(memory);

#[tokio::test]
async fn the_store_in_memory_equals_itself() {
    let store = |clock| MemoryStore::with_clock(clock).buckets(2);
    equals_memory(store, 2, 0..sequences(500)).await;
}
