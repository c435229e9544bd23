//! What a handler depends on is unavailable for a while, and what is done about it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ordered_core::event::{Envelope, Key, Seq};
use ordered_core::handler::{Backoff, OnPassed, OnRepeat};
use ordered_core::protocol::Verb;
use ordered_core::store::Group;
use ordered_core::transport::{Faults, Publish, REWOUND, ReasonKind};
use ordered_core::worker::{WorkerBuilder, WorkerEvent};
use tokio::time::Instant;

use crate::support::operator::operate;
use crate::support::operator::view;
use crate::support::world::{Act, World, event};

/// A world whose handler fails for so long, and how many runs it saw meanwhile.
fn unavailable_for(outage: Duration) -> (World, Arc<AtomicUsize>) {
    let (begun, runs) = (Instant::now(), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&runs);
    let world = World::new(Faults::default()).script(move |_| {
        if begun.elapsed() >= outage {
            return Act::Succeed;
        }
        counted.fetch_add(1, Ordering::Relaxed);
        Act::Fail
    });
    (world, runs)
}

#[tokio::test(start_paused = true)]
async fn a_database_that_is_unavailable_for_15_s_halts_no_key() {
    let (world, runs) = unavailable_for(Duration::from_secs(15));
    let worker = world.start("w1", |worker| worker.max_lanes(4_096));
    for round in 1..=3 {
        for key in 0..500 {
            let event = event(&format!("k{key}"), round);
            world.broker.publish(vec![event]).await.unwrap();
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    world
        .until("all handled", |world| world.handled() == 1_500)
        .await;
    worker.stop().await;
    world.assert_in_order_once(500, 3);
    let runs = runs.load(Ordering::Relaxed);
    // 20 until it is known, and those that were at work; then one a second.
    assert!((20..80).contains(&runs), "{runs} runs failed");
}

#[tokio::test(start_paused = true)]
async fn without_the_breaker_the_keys_back_off_and_none_is_halted_either() {
    let (world, runs) = unavailable_for(Duration::from_secs(15));
    world.publish(200, 2).await;
    let worker = world.start("w1", |worker| worker.breaker_runs(0));
    world
        .until("all handled", |world| world.handled() == 400)
        .await;
    worker.stop().await;
    world.assert_in_order_once(200, 2);
    assert!(runs.load(Ordering::Relaxed) > 400, "each is tried often");
}

/// The events of one customer whose database is unavailable come first, and are many.
#[tokio::test(start_paused = true)]
async fn many_keys_that_share_a_fault_do_not_hold_up_the_others_behind_them() {
    let world = World::new(Faults::default()).script(|context| {
        let number: usize = context.key().as_str()[1..].parse().unwrap();
        if number < 400 {
            Act::Fail
        } else {
            Act::Succeed
        }
    });
    world.publish(800, 1).await;
    let begun = Instant::now();
    let worker = world.start("w1", |worker| worker.max_lanes(4_096).read_ahead(1_000));
    world
        .until("the others are handled", |world| world.handled() == 400)
        .await;
    let time = begun.elapsed();
    worker.stop().await;
    assert!(time < Duration::from_secs(30), "{time:?}");
}

/// How long an event is tried that always fails, and how often.
async fn tried(change: impl FnOnce(WorkerBuilder) -> WorkerBuilder) -> (Duration, u32) {
    let (world, _) = unavailable_for(Duration::MAX);
    world.publish(1, 2).await;
    let begun = Instant::now();
    let worker = world.start("w1", change);
    let key = Key::new("k0").unwrap();
    let group = Group::new("test", ordered_core::protocol::Policy::default());
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let seen = world.admin().inspect(&group, &key).await.unwrap();
        if let Some(halted) = seen.filter(|view| view.phase == "halted") {
            worker.stop().await;
            return (begun.elapsed(), halted.attempts);
        }
        assert!(begun.elapsed() < Duration::from_secs(100_000), "for ever");
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_that_fails_for_an_hour_is_given_up() {
    let (time, attempts) = tried(|worker| worker).await;
    let hour = Duration::from_secs(3_600);
    assert!(
        (hour..hour + Duration::from_secs(15)).contains(&time),
        "{time:?}"
    );
    assert!((300..2_000).contains(&attempts), "{attempts}");
}

#[tokio::test(start_paused = true)]
async fn how_long_and_how_often_an_event_is_tried_can_be_set() {
    let (time, _) = tried(|worker| worker.give_up_after(Duration::from_secs(100))).await;
    assert!((100..115).contains(&time.as_secs()), "{time:?}");
    let (time, attempts) = tried(|worker| worker.give_up_after(None).max_attempts(4)).await;
    assert!(time < Duration::from_secs(10), "{time:?}");
    assert_eq!(attempts, 4);
}

#[tokio::test(start_paused = true)]
async fn an_error_says_after_which_time_its_event_is_tried_again() {
    let wait = Duration::from_secs(40);
    let world = World::new(Faults::default()).script(move |context| match context.attempt() {
        1 => Act::FailFor(wait),
        _ => Act::Succeed,
    });
    world.publish(1, 1).await;
    let begun = Instant::now();
    let worker = world.start("w1", |worker| {
        let (base, cap) = (Duration::ZERO, Duration::ZERO);
        worker.backoff(Backoff { base, cap })
    });
    world.until("handled", |world| world.handled() == 1).await;
    worker.stop().await;
    let took = begun.elapsed();
    assert!(
        (wait..wait + Duration::from_secs(5)).contains(&took),
        "{took:?}"
    );
}

/// An operator, or a handler that reads its key elsewhere, must not make an event run as another one.
#[tokio::test(start_paused = true)]
async fn an_event_runs_only_as_what_it_is() {
    let runs = AtomicUsize::new(0);
    let world =
        World::new(Faults::default()).script(move |_| match runs.fetch_add(1, Ordering::Relaxed) {
            0 => Act::FailPermanently,
            _ => Act::Succeed,
        });
    world.publish(1, 2).await;
    let worker = world.start("w1", |worker| worker);
    world
        .until("halted", |world| world.broker.backlog() == 0)
        .await;
    let edit = Verb::Edit {
        seq: Seq::new(2).unwrap(),
        body: "other 7 x".into(),
    };
    operate(&world, edit, false).await;
    operate(&world, Verb::Retry, false).await;
    world.until("the first", |world| world.handled() == 1).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    worker.stop().await;
    assert_eq!(world.handled(), 1, "nothing of it was run");
    let halted = view(&world, "k0").await;
    assert_eq!((halted.phase.as_str(), halted.last_seq), ("halted", 1));
    let error = halted.last_error.unwrap().error;
    let both = "says that it is seq 7 of key other, and it is held as seq 2 of key k0";
    assert!(error.contains(both), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_stale_event_is_dead_lettered_or_dropped_as_the_group_says() {
    for (on_stale, letters) in [(OnPassed::DeadLetter, 1), (OnPassed::Drop, 0)] {
        let world = World::new(Faults::default());
        world.publish(1, 2).await;
        let worker = world.start("w1", |worker| {
            worker.on_stale(on_stale).dedup_ttl(Duration::from_secs(10))
        });
        world.until("handled", |world| world.handled() == 2).await;
        tokio::time::sleep(Duration::from_secs(60)).await;
        world.broker.publish(vec![event("k0", 1)]).await.unwrap();
        world
            .until("settled", |world| world.broker.backlog() == 0)
            .await;
        worker.stop().await;
        assert_eq!(world.handled(), 2);
        let dead = world.broker.dead_letters();
        let stale = dead.iter().filter(|(_, why)| why.kind == ReasonKind::Stale);
        assert_eq!((dead.len(), stale.count()), (letters, letters));
    }
}

/// Somebody has set the broker back: what is stale by that is neither a dead letter nor a warning, and counted apart.
#[tokio::test(start_paused = true)]
async fn a_stale_event_that_was_made_to_come_again_is_dropped_and_counted_apart() {
    let world = World::new(Faults::default());
    world.publish(1, 2).await;
    let rewound = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&rewound);
    let worker = world.start("w1", |worker| {
        let worker = worker.dedup_ttl(Duration::from_secs(10));
        worker.observe(move |occurrence| {
            if matches!(occurrence, WorkerEvent::Rewound { .. }) {
                counted.fetch_add(1, Ordering::Relaxed);
            }
        })
    });
    world.until("handled", |world| world.handled() == 2).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    let again = |seq| {
        let mut again = event("k0", seq);
        let header = (REWOUND.to_owned(), "true".to_owned());
        again.headers.extend([header]);
        again
    };
    // The third has not run yet, whatever is said of it.
    let events = [again(1), again(2), again(3)].to_vec();
    world.broker.publish(events).await.unwrap();
    world
        .until("settled", |world| world.broker.backlog() == 0)
        .await;
    worker.stop().await;
    assert_eq!((world.handled(), rewound.load(Ordering::Relaxed)), (3, 2));
    assert_eq!(world.broker.dead_letters(), []);
}

#[tokio::test(start_paused = true)]
async fn an_id_that_comes_again_under_another_seq_is_skipped_or_halts_its_key() {
    for (on_repeat, phase) in [(OnRepeat::Skip, "open"), (OnRepeat::Conflict, "halted")] {
        let world = World::new(Faults::default());
        let bodies = ["k0 1 same", "k0 2 same", "k0 3 other"];
        let events = bodies.map(Envelope::new).to_vec();
        world.broker.publish(events).await.unwrap();
        let worker = world.start("w1", |worker| worker.on_repeat(on_repeat));
        world
            .until("settled", |world| world.broker.backlog() == 0)
            .await;
        worker.stop().await;
        let after = view(&world, "k0").await;
        assert_eq!(after.phase, phase);
        match on_repeat {
            OnRepeat::Skip => assert_eq!(world.by_key()["k0"], [1, 3]),
            _ => {
                assert_eq!(
                    (world.by_key()["k0"].as_slice(), after.last_seq),
                    (&[1][..], 1)
                );
                let error = after.last_error.unwrap().error;
                assert!(error.contains("committed under another seq"), "{error}");
            }
        }
    }
}
