use super::PublisherFixture;
use super::load::{Load, Run, all_confirmed, builder};
use super::queue::Queue;

/// Where nothing fails, each event is confirmed, and in the queue once, in the order of its key.
pub async fn publishes_each_once_and_in_order(fixture: &impl PublisherFixture) {
    let load = Load::asked();
    let queue = Queue::of(fixture, load).await;
    let publisher = builder(fixture, load)
        .await
        .build()
        .expect("the settings are good");
    let begun = tokio::time::Instant::now();
    let outcomes = Run::start(&publisher, &queue).ended().await;
    println!(
        "{} events are confirmed after {:?}",
        outcomes.len(),
        begun.elapsed()
    );
    all_confirmed(&outcomes, load.total());
    let content = queue.content(fixture).await;
    assert_eq!(content.repeats(), 0);
    if fixture.keeps_order() {
        content.is_in_order();
    }
    assert_eq!(publisher.status().in_flight, 0);
    assert_eq!(publisher.status().blocked, None);
}
