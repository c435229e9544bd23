use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ordered_core::event::Seq;
use ordered_core::handler::OnExhausted;
use ordered_core::protocol::{Policy, Refusal, Verb, Verdict};
use ordered_core::store::Group;
use ordered_core::transport::Faults;

use crate::support::operator::{operate, view};
use crate::support::world::{Act, RunningWorker, World};

/// A world whose event `k0` #2 fails permanently until it is fixed.
fn poisoned() -> (World, Arc<AtomicBool>) {
    let fixed = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&fixed);
    let world = World::new(Faults::default()).script(move |context| {
        let poison = context.key().as_str() == "k0" && context.seq().get() == 2;
        if poison && !seen.load(Ordering::SeqCst) {
            Act::FailPermanently
        } else {
            Act::Succeed
        }
    });
    (world, fixed)
}

fn released(verdict: Verdict) -> Vec<u64> {
    match verdict {
        Verdict::Operated(effect) => effect.released,
        other => panic!("{other:?}"),
    }
}

async fn halted() -> (World, RunningWorker, Arc<AtomicBool>) {
    let (world, fixed) = poisoned();
    world.publish(2, 52).await;
    let worker = world.start("w1", |worker| worker);
    world
        .until("all settled", |world| world.broker.backlog() == 0)
        .await;
    assert_eq!(view(&world, "k0").await.held_events, 51);
    (world, worker, fixed)
}

#[tokio::test(start_paused = true)]
async fn retry_lets_a_halted_key_and_its_followers_go_in_order() {
    let (world, worker, fixed) = halted().await;
    fixed.store(true, Ordering::SeqCst);
    let all: Vec<u64> = (2..=52).collect();
    assert_eq!(
        released(operate(&world, Verb::Retry, true).await),
        all,
        "what would be released"
    );
    assert_eq!(
        view(&world, "k0").await.phase,
        "halted",
        "a dry run changes nothing"
    );
    assert_eq!(released(operate(&world, Verb::Retry, false).await), all);
    world
        .until("all handled", |world| world.handled() == 104)
        .await;
    worker.stop().await;
    world.assert_in_order_once(2, 52);
}

#[tokio::test(start_paused = true)]
async fn skip_passes_over_the_poison_and_replay_brings_it_back() {
    let (world, worker, fixed) = halted().await;
    operate(&world, Verb::Skip { to: None }, false).await;
    world
        .until("the others handled", |world| world.handled() == 103)
        .await;
    assert_eq!(view(&world, "k0").await.dead_events, 1);
    fixed.store(true, Ordering::SeqCst);
    operate(&world, Verb::Replay { seq: None }, false).await;
    world
        .until("all handled", |world| world.handled() == 104)
        .await;
    worker.stop().await;
    let seqs = world.by_key()["k0"].clone();
    assert_eq!(seqs.last(), Some(&2));
    let after = view(&world, "k0").await;
    assert_eq!((after.dead_events, after.last_seq), (0, 52));
}

#[tokio::test(start_paused = true)]
async fn discard_and_edit_change_one_event() {
    let (world, worker, _) = halted().await;
    let seq = |seq| Seq::new(seq).unwrap();
    operate(&world, Verb::Discard { seq: seq(4) }, false).await;
    operate(
        &world,
        Verb::Edit {
            seq: seq(3),
            body: "k0 3 edited".into(),
        },
        false,
    )
    .await;
    operate(&world, Verb::Discard { seq: seq(2) }, false).await;
    world
        .until("the others handled", |world| world.handled() == 102)
        .await;
    worker.stop().await;
    let expected: Vec<u64> = (1..=52).filter(|seq| ![2, 4].contains(seq)).collect();
    assert_eq!(world.by_key()["k0"], expected);
}

#[tokio::test(start_paused = true)]
async fn with_dead_letter_the_key_goes_on() {
    let (world, fixed) = poisoned();
    world.publish(2, 20).await;
    let worker = world.start("w1", |worker| worker.on_exhausted(OnExhausted::DeadLetter));
    world
        .until("all others handled", |world| {
            world.handled() == 39 && world.broker.backlog() == 0
        })
        .await;
    let after = view(&world, "k0").await;
    assert_eq!(
        (
            after.dead[0].seq,
            after.dead[0].cause.as_str(),
            after.last_seq
        ),
        (2, "failed", 20)
    );
    fixed.store(true, Ordering::SeqCst);
    operate(
        &world,
        Verb::Replay {
            seq: Some(Seq::new(2).unwrap()),
        },
        false,
    )
    .await;
    world
        .until("all handled", |world| world.handled() == 40)
        .await;
    worker.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_paused_key_stands_still_until_it_is_resumed() {
    let mut world = World::new(Faults::default());
    world.handler.work = Duration::from_millis(10);
    world.publish(2, 40).await;
    let worker = world.start("w1", |worker| worker);
    world
        .until("under way", |world| world.handled() >= 20)
        .await;
    operate(&world, Verb::Pause, false).await;
    assert_eq!(
        operate(&world, Verb::Pause, false).await,
        Verdict::Refused(Refusal::Already)
    );
    world
        .until("the other key done", |world| {
            world.by_key()["k1"].len() == 40
        })
        .await;
    assert!(
        world.by_key()["k0"].len() < 15,
        "{}",
        world.by_key()["k0"].len()
    );
    operate(&world, Verb::Resume, false).await;
    world
        .until("all handled", |world| {
            world.handled() == 80 && world.broker.backlog() == 0
        })
        .await;
    worker.stop().await;
    world.assert_in_order_once(2, 40);
}

#[tokio::test(start_paused = true)]
async fn set_last_moves_a_key_both_ways() {
    let (world, worker, _) = halted().await;
    operate(&world, Verb::SetLast { to: 50 }, false).await;
    world
        .until("the rest handled", |world| {
            world.by_key()["k0"].last() == Some(&52)
        })
        .await;
    assert_eq!(
        view(&world, "k0").await.dead_events,
        49,
        "what was passed over is dead-lettered, not lost"
    );
    operate(&world, Verb::SetLast { to: 0 }, false).await;
    let after = view(&world, "k0").await;
    assert_eq!((after.last_seq, after.epoch), (0, 1));
    worker.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_an_operator_did_is_written_down() {
    let (world, worker, _) = halted().await;
    operate(&world, Verb::Skip { to: None }, true).await;
    operate(&world, Verb::Skip { to: None }, false).await;
    worker.stop().await;
    let audit = world
        .admin()
        .audit(&Group::new("test", Policy::default()), 10)
        .await
        .unwrap();
    assert_eq!(audit.len(), 1);
    assert_eq!(
        (audit[0].verb.as_str(), audit[0].operator.who.as_str()),
        ("skip", "ada")
    );
}
