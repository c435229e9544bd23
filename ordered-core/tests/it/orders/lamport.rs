//! `lamport`: bookings on accounts by several branches, each with the time of its branch's clock.

use std::time::Duration;

use ordered_core::event::{Envelope, Key};
use ordered_core::handler::Malformed;
use ordered_core::logical::{LamportClock, VectorClock};
use ordered_core::protocol::{Order, Stamp, Verb, Verdict};
use ordered_core::transport::{Faults, Publish};
use ordered_core::worker::Control;
use serde_json::{from_value, json};

use crate::support::by_producers::ByProducers;
use crate::support::operator::{group_in, operate_in, view_in};
use crate::support::world::World;

const BRANCHES: [&str; 3] = ["north", "south", "west"];

/// An event with the time 0 has the stamp of another order.
fn handler() -> ByProducers {
    ByProducers::new(Order::Lamport, |_, event| {
        let branch = event["producer"].as_str().unwrap_or_default();
        let number = |name: &str| event[name].as_u64().unwrap_or_default();
        if number("time") == 0 {
            let clock: VectorClock =
                from_value(json!({ branch: 1 })).map_err(|error| Malformed(error.to_string()))?;
            return Ok(Stamp::causal(branch, clock)?);
        }
        Ok(Stamp::lamport(branch, number("seq"), number("time"))?)
    })
}

fn booking(account: &str, branch: &str, seq: u64, time: u64) -> Envelope {
    let id = format!("{account}-{time}-{branch}");
    let body = json!({"key": account, "producer": branch, "seq": seq, "time": time, "id": id});
    Envelope::new(body.to_string())
}

fn say(account: &str, control: &Control) -> Envelope {
    control.envelope(&Key::new(account).unwrap())
}

fn shows(account: &str, branch: &str, after: u64, time: u64) -> Envelope {
    let producer = branch.to_owned();
    let control = Control::Clock {
        producer,
        after,
        time,
    };
    say(account, &control)
}

/// Bookings of the branches, each of which has heard of some of the others', their ids in the order of their times, and
/// what the branches say in the end.
fn bookings(account: &str, events: usize) -> (Vec<Envelope>, Vec<String>, Vec<Envelope>) {
    let mut clocks = [LamportClock::default(); 3];
    let (mut seqs, mut sent, mut order) = ([0; 3], Vec::new(), Vec::new());
    for number in 0..events {
        let (branch, other) = (number * 7 % 3, number * 5 % 3);
        if number % 4 == 0 {
            let known = clocks[other].time();
            clocks[branch].receive(known);
        }
        seqs[branch] += 1;
        let (name, time) = (BRANCHES[branch], clocks[branch].send());
        sent.push(booking(account, name, seqs[branch], time));
        order.push((time, name));
    }
    order.sort_unstable();
    let ids = order
        .iter()
        .map(|(time, name)| format!("{account}-{time}-{name}"));
    let leaves = BRANCHES.iter().zip(seqs).zip(clocks);
    let leaves = leaves.map(|((branch, after), clock)| {
        let leave = Control::Leave {
            producer: (*branch).to_owned(),
            after,
            time: clock.time(),
        };
        say(account, &leave)
    });
    (sent, ids.collect(), leaves.collect())
}

#[tokio::test(start_paused = true)]
async fn two_groups_run_bookings_in_one_order_on_several_workers() {
    let mut ran = Vec::new();
    for seed in [5, 11] {
        let world = World::new(Faults {
            seed,
            shuffle: 40,
            duplicate: 20,
            delay: Duration::from_millis(50),
            ..Faults::default()
        });
        let accounts: Vec<String> = (0..6).map(|account| format!("a{account}")).collect();
        let handler = handler();
        let run = |name: &str| {
            let worker = handler.worker(&world).id(name).build().unwrap();
            tokio::spawn(worker.run_until(tokio::time::sleep(Duration::from_secs(120))))
        };
        let workers = ["w1", "w2", "w3"].map(run);
        for account in &accounts {
            let joins = BRANCHES.map(|branch| shows(account, branch, 0, 0));
            world.broker.publish(joins.into()).await.unwrap();
        }
        world
            .until("all are known", |world| world.broker.backlog() == 0)
            .await;
        let (mut sent, mut left) = (Vec::new(), Vec::new());
        for account in &accounts {
            let (bookings, _, leaves) = bookings(account, 20);
            sent.extend(bookings);
            left.extend(leaves);
        }
        sent.extend(left);
        world.broker.publish(sent).await.unwrap();
        world
            .until("all done", |world| {
                handler.count() >= 120 && world.broker.backlog() == 0
            })
            .await;
        for worker in workers {
            worker.await.unwrap().unwrap();
        }
        for account in &accounts {
            assert_eq!(handler.of(account), bookings(account, 20).1);
        }
        assert!(world.broker.dead_letters().is_empty());
        ran.push(
            accounts
                .iter()
                .map(|account| handler.of(account))
                .collect::<Vec<_>>(),
        );
    }
    assert_eq!(ran[0], ran[1]);
}

#[tokio::test(start_paused = true)]
async fn operators_see_who_holds_a_key_and_what_is_late_is_dead_lettered() {
    let world = World::new(Faults::default());
    let handler = handler();
    let worker = handler
        .worker(&world)
        .producer_lease(Duration::from_secs(20));
    let worker = worker.build().unwrap();
    let running = tokio::spawn(worker.run_until(tokio::time::sleep(Duration::from_secs(90))));
    let sent = vec![
        shows("a0", "south", 0, 3),
        booking("a0", "north", 1, 5),
        booking("a0", "west", 1, 0),
    ];
    world.broker.publish(sent).await.unwrap();
    world
        .until("it waits", |world| world.broker.backlog() == 0)
        .await;
    let dead = world.broker.dead_letters();
    assert_eq!(dead.len(), 1, "that without a time");
    assert!(
        dead[0].1.text.contains("a `seq` and a `time`"),
        "{}",
        dead[0].1
    );
    let group = group_in(Order::Lamport);
    let view = view_in(&world, &group, "a0").await;
    let waiting: Vec<_> = view.waiting.iter().map(|event| &event.id[..]).collect();
    assert_eq!(waiting, ["a0-5-north"]);
    let holders = view.holders.iter();
    let holders: Vec<_> = holders
        .map(|holder| (&holder.producer[..], holder.time))
        .collect();
    assert_eq!(holders, [("south", 3)]);
    assert!(view.causes.is_empty() && view.release_at.is_some_and(|at| at > view.now));
    let times = view.producers.iter();
    let times: Vec<_> = times
        .map(|known| (&known.producer[..], known.time))
        .collect();
    assert_eq!(times, [("south", Some(3)), ("north", Some(0))]);

    // Nothing is heard of it, and it is given up.
    world
        .until("it runs", |_| handler.of("a0").len() == 1)
        .await;
    let view = view_in(&world, &group, "a0").await;
    assert_eq!(view.producers[0].gone.as_deref(), Some("silent"));
    let late = booking("a0", "south", 1, 4);
    world.broker.publish(vec![late]).await.unwrap();
    world
        .until("it is late", |world| world.broker.dead_letters().len() == 2)
        .await;
    let (_, reason) = &world.broker.dead_letters()[1];
    assert!(reason.text.contains("came after its turn"), "{reason}");
    // It is there again, and the next one has to wait for it.
    world
        .broker
        .publish(vec![booking("a0", "north", 2, 6)])
        .await
        .unwrap();
    world
        .until("it waits", |world| world.broker.backlog() == 0)
        .await;
    assert_eq!(handler.of("a0"), ["a0-5-north"]);
    let verdict = operate_in(&world, &group, "a0", &Verb::Skip { to: None }).await;
    assert!(matches!(verdict, Verdict::Operated(_)), "{verdict:?}");
    world
        .until("the rest", |_| handler.of("a0").len() == 2)
        .await;
    running.await.unwrap().unwrap();
}
