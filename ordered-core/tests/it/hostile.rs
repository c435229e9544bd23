//! Events and settings that nobody in their right mind would send or choose.

use std::time::Duration;

use ordered_core::event::{Envelope, Key};
use ordered_core::handler::Backoff;
use ordered_core::protocol::Policy;
use ordered_core::store::Group;
use ordered_core::transport::{Faults, Publish, ReasonKind};
use ordered_core::worker::WorkerBuilder;

use crate::support::hooked_store::HookedStore;
use crate::support::world::{Act, World, event};

#[tokio::test(start_paused = true)]
async fn an_event_that_makes_the_reading_panic_is_dead_lettered_and_the_rest_goes_on() {
    let world = World::new(Faults::default());
    let events = vec![event("k", 1), Envelope::new("panic"), event("k", 2)];
    world.broker.publish(events).await.unwrap();
    let worker = world.start("w1", |worker| worker);
    world
        .until("all settled", |world| world.broker.backlog() == 0)
        .await;
    worker.stop().await;
    let dead = world.broker.dead_letters();
    assert_eq!(dead.len(), 1);
    assert_eq!(dead[0].1.kind, ReasonKind::Malformed);
    let words = "the handler panicked while it read the event: asked to";
    assert_eq!(dead[0].1.text, words);
    assert_eq!(world.by_key()["k"], [1, 2]);
}

#[tokio::test(start_paused = true)]
async fn keys_with_anything_in_them_are_keys_of_their_own() {
    let world = World::new(Faults::default());
    let long = "k".repeat(Key::MAX_BYTES);
    let keys = [
        "{a}",
        "a:b",
        "a\nb",
        "a\0",
        "a",
        "\u{1f600}",
        &long,
        &long[1..],
    ];
    let events = keys
        .iter()
        .flat_map(|key| (1..=3).map(|seq| event(key, seq)));
    world.broker.publish(events.collect()).await.unwrap();
    // One byte more than a key may have.
    let beyond = Envelope::new(format!("{long}k 1 id"));
    world.broker.publish(vec![beyond]).await.unwrap();
    let worker = world.start("w1", |worker| worker);
    world
        .until("all settled", |world| world.broker.backlog() == 0)
        .await;
    worker.stop().await;
    world.assert_in_order_once(keys.len(), 3);
    assert_eq!(world.broker.dead_letters().len(), 1);
}

/// Runs a worker with these settings, or not at all.
async fn survives(name: &str, change: impl FnOnce(WorkerBuilder) -> WorkerBuilder) {
    let world = World::new(Faults::default()).script(|context| match context.attempt() {
        1 => Act::Fail,
        _ => Act::Succeed,
    });
    world.publish(2, 3).await;
    let builder = change(world.worker().options(|options| {
        options.backoff.base = Duration::from_millis(1);
    }));
    let worker = match builder.build() {
        Ok(worker) => worker,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    let all = world.until("all handled", |world| world.handled() == 6);
    let run = worker.run_until(all);
    let done = tokio::time::timeout(Duration::from_secs(100_000), run).await;
    done.unwrap_or_else(|_| panic!("{name} stands still"))
        .unwrap();
    world.assert_in_order_once(2, 3);
}

#[tokio::test(start_paused = true)]
async fn no_setting_makes_a_worker_panic_or_stand_still() {
    let durations = [
        Duration::ZERO,
        Duration::from_nanos(1),
        Duration::from_millis(1),
        Duration::from_secs(u64::MAX / 1_000),
        Duration::from_millis(u64::MAX),
        Duration::MAX,
    ];
    for time in durations {
        // A timeout of a nanosecond is never kept, and halts the keys, as it should.
        if time.is_zero() || time >= Duration::from_millis(1) {
            survives("timeout", |worker| worker.timeout(time)).await;
        }
        survives("lease", |worker| worker.lease(time)).await;
        survives("heartbeat", |worker| worker.heartbeat(time)).await;
        survives("both", |worker| worker.heartbeat(time).lease(time)).await;
        survives("sweep", |worker| worker.sweep_interval(time)).await;
        survives("drain", |worker| worker.drain_timeout(time)).await;
        survives("defer", |worker| worker.defer(time)).await;
        survives("dedup_ttl", |worker| worker.dedup_ttl(time)).await;
        let (base, cap) = (Duration::ZERO, time);
        survives("cap", |worker| worker.backoff(Backoff { base, cap })).await;
        let (base, cap) = (time, Duration::from_secs(1));
        survives("base", |worker| worker.backoff(Backoff { base, cap })).await;
    }
    for number in [0, 1, 2, 1 << 20, usize::MAX / 2, usize::MAX] {
        survives("concurrency", |worker| worker.concurrency(number)).await;
        survives("read_ahead", |worker| worker.read_ahead(number)).await;
        survives("max_lanes", |worker| worker.max_lanes(number)).await;
        survives("sweep_limit", |worker| worker.sweep_limit(number)).await;
        survives("batch_commands", |worker| worker.batch_commands(number)).await;
        survives("max_body_bytes", |worker| {
            worker.max_body_bytes(number.max(64))
        })
        .await;
    }
    for number in [0, 1, u64::MAX] {
        survives("batch_bytes", |worker| worker.batch_bytes(number)).await;
        survives("quota", |worker| {
            worker.options(move |options| {
                options.policy.key_quota.bytes = number;
                options.policy.group_quota.bytes = number;
            })
        })
        .await;
    }
    for number in [0, 2, u32::MAX] {
        survives("max_attempts", |worker| worker.max_attempts(number)).await;
        survives("lane", |worker| {
            worker.options(move |options| options.policy.lane_depth = number)
        })
        .await;
        survives("next", |worker| {
            worker.options(move |options| options.policy.next_events = number)
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_does_not_answer_every_command_ends_the_worker() {
    let world = World::new(Faults::default());
    world.publish(1, 2).await;
    let forgetful = HookedStore::new(&world.store).after(|verdicts| {
        verdicts.pop();
    });
    let worker = world.worker().store(forgetful);
    let run = worker.run_until(std::future::pending());
    let ended = tokio::time::timeout(Duration::from_secs(60), run).await;
    let error = ended.expect("it does not stand still").unwrap_err();
    assert!(error.to_string().contains("it is broken"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn what_a_handler_says_is_kept_in_part_where_it_is_long() {
    let world = World::new(Faults::default()).script(|_| Act::Rant);
    world.publish(1, 1).await;
    let worker = world.start("w1", |worker| worker);
    world
        .until("it is halted", |world| world.broker.backlog() == 0)
        .await;
    worker.stop().await;
    let group = Group::new("test", Policy::default());
    let admin = world.admin();
    let view = admin.inspect(&group, &Key::new("k0").unwrap()).await;
    let said = view.unwrap().unwrap().last_error.unwrap().error;
    assert!((1_000..5_000).contains(&said.len()), "{} bytes", said.len());
}
