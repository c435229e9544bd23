//! What keys that wait for their next attempt cost the others: nothing.

use std::time::Duration;

use ordered_core::handler::Backoff;
use ordered_core::transport::{Faults, Publish};
use ordered_core::worker::WorkerBuilder;

use crate::support::world::{Act, World, event};

const TROUBLED: u64 = 1_000;
const OTHERS: u64 = 40;
const EVENTS: u64 = 50;
const WORK: Duration = Duration::from_millis(10);
const CONCURRENCY: u64 = 8;

/// How long the others take, in virtual time, while the first events of so many keys fail and wait. Behind each of
/// those are more events.
async fn time_of_the_others(
    troubled: u64,
    backoff: Duration,
    change: impl FnOnce(WorkerBuilder) -> WorkerBuilder,
) -> Duration {
    let mut world = World::new(Faults::default()).script(|context| {
        if context.key().as_str().starts_with('t') {
            Act::Fail
        } else {
            Act::Succeed
        }
    });
    world.handler.work = WORK;
    let trouble =
        (1..=5).flat_map(|seq| (0..troubled).map(move |key| event(&format!("t{key}"), seq)));
    world.broker.publish(trouble.collect()).await.unwrap();
    let worker = world.start("w1", |worker| {
        let (base, cap) = (backoff, backoff);
        change(
            worker
                .backoff(Backoff { base, cap })
                .give_up_after(None)
                // The others shall not wait for the first of them to succeed.
                .breaker_runs(0),
        )
    });
    // All of it has been taken in, or waits behind what a key waits for; and then the others come.
    tokio::time::sleep(Duration::from_secs(20)).await;
    let begun = tokio::time::Instant::now();
    world.publish(OTHERS, EVENTS).await;
    let all = usize::try_from(OTHERS * EVENTS).unwrap();
    world
        .until("the others are done", |world| world.handled() == all)
        .await;
    let took = begun.elapsed();
    world.assert_in_order_once(usize::try_from(OTHERS).unwrap(), EVENTS);
    worker.kill().await;
    took
}

/// What the slots allow, and a few rounds more than that.
fn is_near_the_ideal(took: Duration) -> bool {
    let ideal = WORK * u32::try_from(OTHERS * EVENTS / CONCURRENCY).unwrap();
    ideal <= took && took <= ideal + 5 * WORK
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[tokio::test(start_paused = true)]
async fn a_thousand_keys_that_wait_in_the_store_cost_the_others_no_time() {
    let alone = time_of_the_others(0, DAY, |worker| worker).await;
    assert!(is_near_the_ideal(alone), "{alone:?}");
    let beside = time_of_the_others(TROUBLED, DAY, |worker| worker).await;
    assert!(is_near_the_ideal(beside), "{beside:?}, and {alone:?} alone");
}

#[tokio::test(start_paused = true)]
async fn keys_that_wait_in_their_lanes_cost_the_others_no_time() {
    // So long that no lane ever gets done waiting: half of the slots' worth of keys do, and the rest goes to the store.
    let in_lanes = |worker: WorkerBuilder| worker.lane_backoff(2 * DAY);
    let beside = time_of_the_others(TROUBLED, DAY, in_lanes).await;
    assert!(is_near_the_ideal(beside), "{beside:?}");
}

#[tokio::test(start_paused = true)]
async fn keys_that_wait_in_their_lanes_leave_room_to_read_ahead() {
    let in_lanes = |worker: WorkerBuilder| worker.lane_backoff(2 * DAY).read_ahead(8);
    let beside = time_of_the_others(TROUBLED, DAY, in_lanes).await;
    assert!(is_near_the_ideal(beside), "{beside:?}");
}

#[tokio::test(start_paused = true)]
async fn what_fails_three_times_and_then_works_stays_in_order() {
    for lane_backoff in [Duration::ZERO, DAY] {
        let world = World::new(Faults::default()).script(|context| {
            let fails = context.seq().get().is_multiple_of(3) && context.attempt() <= 3;
            if fails { Act::Fail } else { Act::Succeed }
        });
        world.publish(20, 10).await;
        let worker = world.start("w1", |worker| worker.lane_backoff(lane_backoff));
        world
            .until("all handled", |world| {
                world.handled() == 200 && world.broker.backlog() == 0
            })
            .await;
        worker.stop().await;
        world.assert_in_order_once(20, 10);
    }
}
