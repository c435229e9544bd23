use std::time::Duration;

use super::Blocks;
use super::load::{Load, Run, all_confirmed, builder, event};
use super::queue::Queue;
use crate::eventually_within;

/// A broker that takes nothing blocks the application, which can see it; when it takes events again all go on, in
/// order.
pub async fn is_blocked_by_a_broker_that_takes_nothing(fixture: &impl Blocks) {
    const ROOM: usize = 100;
    let load = Load::asked();
    let queue = Queue::of(fixture, load).await;
    let publisher = builder(fixture, load).await.max_in_flight(ROOM);
    let publisher = publisher.build().expect("the settings are good");
    let [before, meanwhile] = load.parts();
    let counts = [&before, &meanwhile].map(|numbers| numbers.clone().count() * load.keys);
    let run = Run::start_with(&publisher, &queue, before);
    all_confirmed(&run.ended().await, counts[0]);
    fixture.block().await;
    let run = Run::start_with(&publisher, &queue, meanwhile);
    let limit = Duration::from_secs(60);
    eventually_within(limit, "the publisher says that it is blocked", async || {
        let status = publisher.status();
        assert!(status.in_flight <= ROOM, "{status:?}");
        status.blocked.is_some() && status.in_flight == ROOM
    })
    .await;
    let refused = publisher.try_enqueue(event(load.keys, 1));
    let refused = refused.expect_err("there is no room");
    assert_eq!(*refused, event(load.keys, 1), "it is given back");
    println!("{:?}", publisher.status());
    fixture.unblock().await;
    all_confirmed(&run.ended().await, counts[1]);
    assert_eq!(publisher.status().blocked, None);
    let content = queue.content(fixture).await;
    println!("{} events, {} came twice", load.total(), content.repeats());
    if fixture.keeps_order() {
        content.is_in_order();
    }
}
