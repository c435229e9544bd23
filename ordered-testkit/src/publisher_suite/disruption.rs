use std::time::Duration;

use tokio::time::sleep;

use super::load::{Load, Run, all_confirmed, builder};
use super::queue::Queue;
use super::{Cuts, Restarts};

/// One restart for so many events.
const EVENTS_A_RESTART: usize = 25_000;

/// A broker that ends and comes back while events are published loses none that was confirmed, and none is overtaken.
pub async fn goes_on_after_restarts(fixture: &impl Restarts) {
    let load = Load::asked();
    let queue = Queue::of(fixture, load).await;
    let publisher = builder(fixture, load)
        .await
        .max_in_flight(load.total() / 4 + 1);
    let publisher = publisher.build().expect("the settings are good");
    let first = Run::start_with(&publisher, &queue, 1..=1);
    all_confirmed(&first.ended().await, load.keys);
    fixture.before_restart().await;
    let run = Run::start_with(&publisher, &queue, 2..=load.of_each);
    let restarts = load.total().div_ceil(EVENTS_A_RESTART);
    for restart in 0..restarts {
        run.reached(load.total() / 4 + restart * load.total() / 2 / restarts)
            .await;
        fixture.restart().await;
    }
    all_confirmed(&run.ended().await, load.total() - load.keys);
    let content = queue.content(fixture).await;
    println!(
        "{} events, {restarts} restarts, {} came twice",
        load.total(),
        content.repeats()
    );
    if fixture.keeps_order() {
        content.is_in_order();
    }
}

/// Connections that break in the middle of it lose nothing, and nothing is overtaken.
pub async fn goes_on_after_cut_connections(fixture: &impl Cuts) {
    const CUTS: usize = 10;
    let load = Load::asked();
    let queue = Queue::of(fixture, load).await;
    let publisher = builder(fixture, load)
        .await
        .max_in_flight(load.total() / 10 + 1);
    let publisher = publisher.build().expect("the settings are good");
    let run = Run::start(&publisher, &queue);
    for cut in 1..=CUTS {
        run.reached(load.total() * cut / (CUTS + 2)).await;
        // Somewhere in the next attempt, wherever that is by then.
        sleep(Duration::from_micros(fastrand::u64(..3_000))).await;
        fixture.cut();
    }
    all_confirmed(&run.ended().await, load.total());
    let content = queue.content(fixture).await;
    println!(
        "{} events, {CUTS} cuts, {} came twice",
        load.total(),
        content.repeats()
    );
    if fixture.keeps_order() {
        content.is_in_order();
    }
}
