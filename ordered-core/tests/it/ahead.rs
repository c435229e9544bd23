//! Hot keys: several events of a key together, or ahead of their commits.

use std::time::Duration;

use ordered_core::transport::Faults;
use ordered_core::worker::WorkerBuilder;

use crate::support::operator::view;
use crate::support::world::{Act, World};

type Change = fn(WorkerBuilder) -> WorkerBuilder;

const LEASE: Duration = Duration::from_secs(3);

fn batch(worker: WorkerBuilder) -> WorkerBuilder {
    worker.batch(10).lease(LEASE)
}

fn window(worker: WorkerBuilder) -> WorkerBuilder {
    worker.commit_window(10).lease(LEASE)
}

fn both(worker: WorkerBuilder) -> WorkerBuilder {
    window(batch(worker))
}

const ALL: [Change; 3] = [batch, window, both];

#[tokio::test(start_paused = true)]
async fn every_event_is_handled_in_order_and_once() {
    for change in ALL {
        let world = World::new(Faults::default());
        world.publish(3, 200).await;
        let worker = world.start("w1", change);
        world
            .until("all settled", |world| world.broker.backlog() == 0)
            .await;
        worker.stop().await;
        world.assert_in_order_once(3, 200);
        assert_eq!(view(&world, "k0").await.last_seq, 200);
    }
}

/// The seventh event of `k0` does this; the others do what they should.
fn with_a_seventh(act: impl Fn() -> Act + Send + Sync + 'static) -> World {
    World::new(Faults::default()).script(move |context| {
        if context.key().as_str() == "k0" && context.seq().get() == 7 {
            act()
        } else {
            Act::Succeed
        }
    })
}

#[tokio::test(start_paused = true)]
async fn the_event_that_fails_is_found_and_halted_alone() {
    let acts = [|| Act::Fail, || Act::Panic, || Act::Hang];
    for (change, act) in ALL.into_iter().flat_map(|all| acts.map(|act| (all, act))) {
        let world = with_a_seventh(act);
        world.publish(2, 20).await;
        let worker = world.start("w1", |worker| {
            change(worker)
                .max_attempts(3)
                .timeout(Duration::from_secs(1))
        });
        world
            .until("all settled", |world| world.broker.backlog() == 0)
            .await;
        worker.stop().await;
        let halted = view(&world, "k0").await;
        assert_eq!(
            (halted.phase.as_str(), halted.attempts, halted.last_seq),
            ("halted", 3, 6)
        );
        let after = world.by_key()["k0"].iter().filter(|seq| **seq > 7).count();
        assert_eq!(after, 0, "nothing runs over it");
        assert_eq!(world.by_key()["k1"].last(), Some(&20));
    }
}

#[tokio::test(start_paused = true)]
async fn the_event_that_kills_its_worker_is_found_among_those_that_ran_with_it() {
    for change in ALL {
        let world = with_a_seventh(|| Act::Hang);
        world.publish(1, 20).await;
        let mut deaths = 0;
        while view_or_none(&world)
            .await
            .is_none_or(|phase| phase != "halted")
        {
            assert!(
                deaths <= 6,
                "three attempts alone, two before, and one to find it"
            );
            let worker = world.start(&format!("w{deaths}"), |worker| {
                change(worker).max_crashes(3)
            });
            // Longer than all before the seventh take, shorter than its timeout.
            tokio::time::sleep(2 * LEASE).await;
            worker.kill().await;
            deaths += 1;
        }
        let halted = view(&world, "k0").await;
        assert_eq!((halted.last_seq, halted.attempts), (6, 5));
    }
}

async fn view_or_none(world: &World) -> Option<String> {
    // Before the first worker there is nothing of the key.
    let group = ordered_core::store::Group::new("test", ordered_core::protocol::Policy::default());
    let key = ordered_core::event::Key::new("k0").unwrap();
    world
        .admin()
        .inspect(&group, &key)
        .await
        .ok()?
        .map(|view| view.phase)
}

#[tokio::test(start_paused = true)]
async fn what_runs_ahead_is_limited() {
    let world = World::new(Faults::default());
    let refused = |change: Change| match change(world.worker()).build() {
        Ok(_) => String::new(),
        Err(error) => error.to_string(),
    };
    let cases: [(Change, [&str; 2]); 6] = [
        (|w| w.batch(0), ["`batch`", "from 1 to 1000"]),
        (|w| w.batch(1_001), ["`batch`", "from 1 to 1000"]),
        (
            |w| w.commit_window(1_001),
            ["`commit_window`", "from 0 to 1000"],
        ),
        (
            |w| w.batch(100).options(|o| o.policy.lane_depth = 99),
            ["`lane_depth`", "at least 100"],
        ),
        (
            |w| w.commit_window(9).options(|o| o.policy.lane_depth = 9),
            ["`lane_depth`", "at least 10"],
        ),
        (|w| w.batch(1_000).commit_window(1_000), ["", ""]),
    ];
    for (change, words) in cases {
        let said = refused(change);
        assert!(words.iter().all(|word| said.contains(word)), "{said}");
        assert_eq!(said.is_empty(), words[0].is_empty(), "{said}");
    }
    let deep = world.worker().batch(1_000).build().unwrap();
    assert_eq!(deep.options().policy.lane_depth, 2_000);
}
