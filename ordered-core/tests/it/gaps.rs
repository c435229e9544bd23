use std::error::Error;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ordered_core::event::{Envelope, Key, Seq};
use ordered_core::handler::OnPassed;
use ordered_core::protocol::{GapPolicy, Start};
use ordered_core::transport::{Faults, MemoryBroker, Publish, ReasonKind};
use ordered_core::worker::{Control, MissingEvents, Repair, StuckReason, WorkerBuilder};

use crate::support::operator::view;
use crate::support::world::{World, event};

fn seq(number: u64) -> Seq {
    Seq::new(number).unwrap()
}

fn said(control: &Control) -> Envelope {
    control.envelope(&Key::new("k").unwrap())
}

fn fill(from: u64, to: u64) -> Envelope {
    said(&Control::GapFill {
        from: seq(from),
        to: seq(to),
    })
}

async fn publish(world: &World, events: Vec<Envelope>) {
    world.broker.publish(events).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_gap_is_waited_for_and_reported() {
    let world = World::new(Faults::default());
    let reported = Arc::new(Mutex::new(Vec::new()));
    let hook = Arc::clone(&reported);
    publish(&world, vec![event("k", 1), event("k", 3)]).await;
    let worker = world.start("w1", |worker| {
        worker.on_stuck(move |stuck| {
            if let StuckReason::Gap { .. } = stuck.why {
                hook.lock()
                    .unwrap()
                    .push((stuck.key.to_string(), stuck.seq));
            }
        })
    });
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(*reported.lock().unwrap(), [("k".to_owned(), 2)], "once");
    assert_eq!(world.by_key()["k"], [1]);
    publish(&world, vec![event("k", 2)]).await;
    world
        .until("all handled", |world| world.handled() == 3)
        .await;
    worker.stop().await;
    world.assert_in_order_once(1, 3);
}

#[tokio::test(start_paused = true)]
async fn a_gap_is_skipped_after_its_time_and_what_comes_later_is_late() {
    for (on_late, dead) in [(OnPassed::DeadLetter, 1), (OnPassed::Drop, 0)] {
        let world = World::new(Faults::default());
        publish(&world, vec![event("k", 1), event("k", 4), event("k", 5)]).await;
        let after = Duration::from_secs(30);
        let worker = world.start("w1", |worker| {
            worker.on_gap(GapPolicy::Skip { after }).on_late(on_late)
        });
        tokio::time::sleep(Duration::from_secs(25)).await;
        assert_eq!(world.by_key()["k"], [1], "not before its time");
        world.until("skipped", |world| world.handled() == 3).await;
        publish(&world, vec![event("k", 2), event("k", 6)]).await;
        world
            .until("the next handled", |world| {
                world.handled() == 4 && world.broker.backlog() == 0
            })
            .await;
        worker.stop().await;
        assert_eq!(world.by_key()["k"], [1, 4, 5, 6]);
        let letters = world.broker.dead_letters();
        assert_eq!(letters.len(), dead);
        assert!(
            letters
                .iter()
                .all(|(_, reason)| reason.kind == ReasonKind::Late)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_gap_halts_its_key_after_its_time() {
    let world = World::new(Faults::default());
    publish(&world, vec![event("k", 1), event("k", 3)]).await;
    let after = Duration::from_secs(30);
    let worker = world.start("w1", |worker| worker.on_gap(GapPolicy::Halt { after }));
    tokio::time::sleep(Duration::from_secs(40)).await;
    let halted = view(&world, "k").await;
    assert_eq!(
        (
            halted.phase.as_str(),
            halted.last_error.unwrap().error.as_str()
        ),
        ("halted", "seq 2 has not come for 30s")
    );
    worker.stop().await;
}

/// Publishes again what is asked for, from the second time on; first it is not to be had.
struct Archive {
    broker: MemoryBroker,
    asked: Arc<Mutex<Vec<(u64, u64)>>>,
}

#[async_trait::async_trait]
impl Repair for Archive {
    async fn ask(&self, missing: MissingEvents) -> Result<(), Box<dyn Error + Send + Sync>> {
        let (from, to) = (missing.from.get(), missing.to.get());
        let first = {
            let mut asked = self.asked.lock().unwrap();
            asked.push((from, to));
            asked.len() == 1
        };
        if first {
            return Err("the archive is closed".into());
        }
        let events = (from..=to).map(|seq| event(missing.key.as_str(), seq));
        Ok(self.broker.publish(events.collect()).await?)
    }
}

#[tokio::test(start_paused = true)]
async fn missing_events_are_asked_for_until_they_come() {
    let world = World::new(Faults::default());
    publish(&world, vec![event("k", 1), event("k", 4)]).await;
    let asked = Arc::default();
    let archive = Archive {
        broker: world.broker.clone(),
        asked: Arc::clone(&asked),
    };
    let after = Duration::from_secs(30);
    let worker = world.start("w1", |worker| {
        worker.on_gap(GapPolicy::Repair { after }).repair(archive)
    });
    tokio::time::sleep(Duration::from_secs(25)).await;
    assert_eq!(*asked.lock().unwrap(), [], "not before its time");
    tokio::time::sleep(Duration::from_secs(10)).await;
    let repair = view(&world, "k").await.repair.unwrap();
    assert_eq!((repair.times, world.handled()), (1, 1));
    world
        .until("all handled", |world| world.handled() == 4)
        .await;
    worker.stop().await;
    world.assert_in_order_once(1, 4);
    assert_eq!(*asked.lock().unwrap(), [(2, 3), (2, 3)]);
    assert_eq!(view(&world, "k").await.repair, None);
}

#[tokio::test(start_paused = true)]
async fn a_gap_fill_lets_the_key_go_on() {
    let world = World::new(Faults::default());
    publish(
        &world,
        vec![
            event("k", 1),
            event("k", 5),
            fill(2, 3),
            fill(4, 4),
            fill(2, 3),
        ],
    )
    .await;
    let worker = world.start("w1", |worker| worker);
    world
        .until("all handled", |world| {
            world.handled() == 2 && world.broker.backlog() == 0
        })
        .await;
    worker.stop().await;
    assert_eq!(world.by_key()["k"], [1, 5]);
}

#[tokio::test(start_paused = true)]
async fn control_events_may_come_shuffled_twice_and_early() {
    for seed in 0..50 {
        println!("seed {seed}");
        let faults = Faults {
            seed,
            shuffle: 40,
            duplicate: 50,
            delay: Duration::from_millis(30),
            ..Faults::default()
        };
        let world = World::new(faults);
        let reset = Control::Reset {
            at: seq(21),
            epoch: None,
        };
        let mut events = vec![fill(4, 6), fill(7, 7), fill(15, 20), said(&reset)];
        events.extend(
            (1..=30)
                .filter(|seq| ![4, 5, 6, 7].contains(seq) && !(15..=20).contains(seq))
                .map(|seq| event("k", seq)),
        );
        publish(&world, events).await;
        let workers = ["w1", "w2"].map(|name| world.start(name, |worker| worker));
        world
            .until("the last handled", |world| {
                world.broker.backlog() == 0
                    && world
                        .by_key()
                        .get("k")
                        .is_some_and(|seqs| seqs.last() == Some(&30))
            })
            .await;
        for worker in workers {
            worker.stop().await;
        }
        let mut in_order = world.by_key()["k"].clone();
        in_order.dedup();
        assert_eq!(in_order, world.by_key()["k"], "once");
        in_order.sort_unstable();
        assert_eq!(in_order, world.by_key()["k"], "in order");
        // What the reset overtook is late, and nothing else is lost.
        let late = world.broker.dead_letters().len();
        let distinct: std::collections::BTreeSet<_> = world
            .broker
            .dead_letters()
            .into_iter()
            .map(|(letter, _)| letter.body)
            .collect();
        assert_eq!(in_order.len() + distinct.len(), 20, "{late} late");
    }
}

#[tokio::test(start_paused = true)]
async fn a_reset_with_an_epoch_begins_again_below() {
    let world = World::new(Faults::default());
    publish(&world, vec![event("k", 1), event("k", 2), event("k", 4)]).await;
    let worker = world.start("w1", |worker| worker);
    world
        .until("some handled", |world| {
            world.handled() == 2 && world.broker.backlog() == 0
        })
        .await;
    let mut again = Envelope::new("k 1 again-1");
    again.headers.insert("x-ordered-epoch".into(), "1".into());
    publish(&world, vec![again]).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(
        world.handled(),
        2,
        "an event of a numbering that has not begun stays with the broker"
    );
    publish(
        &world,
        vec![said(&Control::Reset {
            at: seq(1),
            epoch: Some(1),
        })],
    )
    .await;
    world
        .until("begun again", |world| {
            world.handled() == 3 && world.broker.backlog() == 0
        })
        .await;
    worker.stop().await;
    let after = view(&world, "k").await;
    assert_eq!((after.last_seq, after.epoch, after.dead_events), (1, 1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_control_event_that_makes_no_sense_is_dead_lettered() {
    let world = World::new(Faults::default());
    let mut nonsense = fill(2, 3);
    nonsense
        .headers
        .insert("x-ordered-control".into(), "dance".into());
    let mut backwards = fill(2, 3);
    backwards.headers.insert("x-ordered-to".into(), "1".into());
    let (from, to, why) = (seq(2), seq(3), "it was removed".to_owned());
    let mut lost = said(&Control::Lost { from, to, why });
    lost.headers.remove("x-ordered-from");
    publish(&world, vec![nonsense, backwards, lost]).await;
    let worker = world.start("w1", |worker| worker);
    world
        .until("settled", |world| world.broker.backlog() == 0)
        .await;
    worker.stop().await;
    let texts: Vec<_> = world
        .broker
        .dead_letters()
        .into_iter()
        .map(|(_, reason)| reason.text)
        .collect();
    assert_eq!(
        texts[0],
        "the header x-ordered-control is \"dance\", and may be \"gap-fill\", \"reset\", \"lost\", \"clock\" or \
         \"leave\""
    );
    assert_eq!(
        texts[1],
        "the header x-ordered-to is 1, and lies before x-ordered-from, which is 2"
    );
    assert_eq!(
        texts[2],
        "a control event needs the header x-ordered-from, and this one has none"
    );
}

/// People saw: a group that begins in the middle of a stream, in which every key waits for its first 56 events.
#[tokio::test(start_paused = true)]
async fn a_group_that_begins_in_the_middle_of_a_stream_goes_on_with_what_it_sees() {
    let world = World::new(Faults::default());
    let of = |key: &str, seqs: &[u64]| -> Vec<Envelope> {
        seqs.iter().map(|seq| event(key, *seq)).collect()
    };
    let settle = Duration::from_secs(10);
    let start = |worker: WorkerBuilder| worker.start(Start::FirstSeen { settle });
    let worker = world.start("w1", start);
    publish(&world, of("a", &[58, 57, 60])).await;
    publish(&world, of("new", &[1, 2])).await;
    tokio::time::sleep(Duration::from_secs(8)).await;
    // What begins with the first seq waits for nothing.
    assert_eq!(world.by_key()["new"], [1, 2]);
    assert!(!world.by_key().contains_key("a"));
    publish(&world, of("a", &[56])).await;
    tokio::time::sleep(Duration::from_secs(8)).await;
    assert_eq!(world.by_key()["a"], [56, 57, 58]);
    publish(&world, of("a", &[59, 12])).await;
    world
        .until("the rest", |world| {
            world.handled() == 7 && world.broker.backlog() == 0
        })
        .await;
    assert_eq!(world.by_key()["a"], [56, 57, 58, 59, 60]);
    let dead = world.broker.dead_letters();
    assert_eq!((dead.len(), dead[0].1.kind), (1, ReasonKind::Stale));
    // A later gap is a gap, and a worker that comes later knows where the key is.
    worker.stop().await;
    let worker = world.start("w2", start);
    publish(&world, of("a", &[63])).await;
    tokio::time::sleep(Duration::from_secs(100)).await;
    assert_eq!(view(&world, "a").await.last_seq, 60);
    worker.stop().await;
}
