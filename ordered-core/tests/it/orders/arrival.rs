//! `arrival`: the owner of a key numbers its events as they come.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use ordered_core::event::{Key, Seq};
use ordered_core::protocol::{Order, Refusal, Verb, Verdict};
use ordered_core::transport::{Faults, Publish};
use ordered_core::worker::Control;

use super::Outcomes;
use crate::support::operator::{group_in, operate_in, view_in};
use crate::support::world::{Act, World, event};

#[tokio::test(start_paused = true)]
async fn events_run_as_they_arrive_whatever_numbers_are_in_them() {
    let world = World::new(Faults::default());
    let told = Outcomes::default();
    let sent = [3, 1, 3, 2, 1];
    let events = sent.map(|seq| event("k0", seq));
    world.broker.publish(events.to_vec()).await.unwrap();
    let worker = world.start("w", |worker| told.record(worker.order(Order::Arrival)));
    world
        .until("all done", |world| world.broker.backlog() == 0)
        .await;
    worker.stop().await;
    assert_eq!(told.all("done"), ["k0-3", "k0-1", "k0-2"]);
    let mut again = told.all("again");
    again.sort_unstable();
    assert_eq!(again, ["k0-1", "k0-3"]);
    let seqs: Vec<u64> = world.by_key()["k0"].clone();
    assert_eq!(
        seqs,
        [Seq::UNNUMBERED.get(); 3],
        "the handler is told no number"
    );
}

#[tokio::test(start_paused = true)]
async fn many_keys_run_as_they_arrive_on_several_workers_though_handlers_fail() {
    let failing = Arc::new(Mutex::new(HashSet::new()));
    let world = World::new(Faults {
        seed: 3,
        duplicate: 30,
        ..Faults::default()
    })
    .script(move |context| {
        let id = context.event_id().to_string();
        let first = failing.lock().unwrap().insert(id.clone());
        if first && id.ends_with('3') {
            Act::Fail
        } else {
            Act::Succeed
        }
    });
    let told = Outcomes::default();
    world.publish(10, 20).await;
    let workers = ["w1", "w2", "w3"]
        .map(|name| world.start(name, |worker| told.record(worker.order(Order::Arrival))));
    world
        .until("all done", |_| told.all("done").len() >= 200)
        .await;
    world
        .until("all settled", |world| world.broker.backlog() == 0)
        .await;
    for worker in workers {
        worker.stop().await;
    }
    let mut done = told.all("done");
    done.sort_unstable();
    done.dedup();
    assert_eq!(done.len(), 200, "each once");
    assert_eq!(world.handled(), 200);
}

#[tokio::test(start_paused = true)]
async fn operators_see_and_do_what_they_see_and_do_in_any_order() {
    let world = World::new(Faults::default()).script(|context| {
        if context.event_id().as_str() == "k0-2" {
            Act::FailPermanently
        } else {
            Act::Succeed
        }
    });
    world.publish(1, 4).await;
    let told = Outcomes::default();
    let worker = world.start("w", |worker| told.record(worker.order(Order::Arrival)));
    world
        .until("all taken in", |world| world.broker.backlog() == 0)
        .await;
    let group = group_in(Order::Arrival);
    let view = view_in(&world, &group, "k0").await;
    let held: Vec<_> = view
        .held
        .iter()
        .map(|held| (held.seq, &held.id[..]))
        .collect();
    assert_eq!(held, [(2, "k0-2"), (3, "k0-3"), (4, "k0-4")]);
    assert_eq!((view.phase.as_str(), view.last_seq), ("halted", 1));
    for verb in [
        Verb::SetLast { to: 7 },
        Verb::Import {
            epoch: None,
            last: 7,
        },
    ] {
        let verdict = operate_in(&world, &group, "k0", &verb).await;
        assert_eq!(verdict, Verdict::Refused(Refusal::NoNumbers));
    }
    let Verdict::Operated(effect) =
        operate_in(&world, &group, "k0", &Verb::Skip { to: None }).await
    else {
        panic!("it is halted");
    };
    assert_eq!((effect.removed, effect.released), (vec![2], vec![3, 4]));
    world
        .until("the rest", |_| told.all("done").len() == 3)
        .await;
    assert_eq!(told.all("done"), ["k0-1", "k0-3", "k0-4"]);
    worker.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_a_producer_says_about_seqs_is_acknowledged_where_it_means_nothing() {
    let world = World::new(Faults::default());
    let key = Key::new("k0").unwrap();
    let seq = |seq| Seq::new(seq).unwrap();
    let fill = Control::GapFill {
        from: seq(1),
        to: seq(3),
    };
    let reset = Control::Reset {
        at: seq(9),
        epoch: None,
    };
    let said = vec![fill.envelope(&key), reset.envelope(&key), event("k0", 1)];
    world.broker.publish(said).await.unwrap();
    let told = Outcomes::default();
    let worker = world.start("w", |worker| told.record(worker.order(Order::Arrival)));
    world
        .until("all done", |world| world.broker.backlog() == 0)
        .await;
    worker.stop().await;
    assert_eq!(told.all("done"), ["k0-1"]);
    assert!(world.broker.dead_letters().is_empty());
}
