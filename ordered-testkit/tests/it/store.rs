use ordered_core::clock::Clock;
use ordered_core::store::MemoryStore;
use ordered_testkit::store_suite;
use ordered_testkit::store_suite::equals_the_model;

async fn memory(clock: Clock) -> MemoryStore {
    MemoryStore::with_clock(clock)
}

store_suite!(memory);

#[tokio::test]
async fn the_model_equals_itself() {
    equals_the_model(|clock| MemoryStore::with_clock(clock).buckets(2), 2, 0..200).await;
}

#[tokio::test]
#[should_panic(expected = "the store differs from the model")]
async fn a_store_with_other_buckets_is_told_from_the_model() {
    equals_the_model(
        |clock| MemoryStore::with_clock(clock).buckets(7),
        2,
        0..2_000,
    )
    .await;
}
