use std::time::Duration;

use ordered_core::transport::{Faults, Publish, ReasonKind};

use crate::support::operator::view;
use crate::support::world::{Act, World, event};

#[tokio::test(start_paused = true)]
async fn a_failing_event_is_tried_again_in_its_place() {
    for act in [|| Act::Fail, || Act::Panic, || Act::Hang] {
        let world = World::new(Faults::default()).script(move |context| {
            if context.seq().get() == 2 && context.attempt() < 3 {
                act()
            } else {
                Act::Succeed
            }
        });
        world.publish(3, 4).await;
        let worker = world.start("w1", |worker| worker.timeout(Duration::from_secs(1)));
        world
            .until("all handled", |world| {
                world.handled() == 12 && world.broker.backlog() == 0
            })
            .await;
        worker.stop().await;
        world.assert_in_order_once(3, 4);
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_is_halted_when_its_attempts_are_used_up() {
    let world = World::new(Faults::default()).script(|context| {
        if context.key().as_str() == "k0" && context.seq().get() == 2 {
            Act::Fail
        } else {
            Act::Succeed
        }
    });
    world.publish(2, 5).await;
    let worker = world.start("w1", |worker| worker.max_attempts(3));
    world
        .until("all settled", |world| world.broker.backlog() == 0)
        .await;
    worker.stop().await;
    assert_eq!(world.by_key()["k0"], [1]);
    assert_eq!(world.by_key()["k1"], [1, 2, 3, 4, 5]);
    let halted = view(&world, "k0").await;
    assert_eq!(
        (halted.phase.as_str(), halted.attempts, halted.last_seq),
        ("halted", 3, 1)
    );
    assert_eq!(halted.last_error.unwrap().error, "no luck");
    assert_eq!(
        halted.held.iter().map(|held| held.seq).collect::<Vec<_>>(),
        [2, 3, 4, 5]
    );
}

#[tokio::test(start_paused = true)]
async fn a_permanent_failure_halts_at_once() {
    let world = World::new(Faults::default()).script(|_| Act::FailPermanently);
    world.publish(1, 3).await;
    let worker = world.start("w1", |worker| worker);
    world
        .until("all settled", |world| world.broker.backlog() == 0)
        .await;
    worker.stop().await;
    let halted = view(&world, "k0").await;
    assert_eq!(
        (halted.phase.as_str(), halted.attempts, halted.held.len()),
        ("halted", 1, 3)
    );
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_is_dead_lettered_and_the_rest_goes_on() {
    let world = World::new(Faults::default());
    let mut large = event("k", 2);
    large.body = vec![b'x'; 5 << 20].into();
    world
        .broker
        .publish(vec![
            ordered_core::event::Envelope::new("nonsense"),
            large,
            event("k", 1),
        ])
        .await
        .unwrap();
    let worker = world.start("w1", |worker| worker);
    world
        .until("all settled", |world| world.broker.backlog() == 0)
        .await;
    worker.stop().await;
    let reasons: Vec<_> = world
        .broker
        .dead_letters()
        .into_iter()
        .map(|(_, reason)| reason)
        .collect();
    assert!(
        reasons
            .iter()
            .all(|reason| reason.kind == ReasonKind::Malformed),
        "{reasons:?}"
    );
    assert_eq!(reasons[0].text, "not `key seq id`");
    assert!(
        reasons[1]
            .text
            .starts_with("the body has 5242880 bytes, and may have 1048576 at most"),
        "{reasons:?}"
    );
    assert_eq!(world.by_key()["k"], [1]);
}

#[tokio::test(start_paused = true)]
async fn two_events_with_one_seq_conflict() {
    let world = World::new(Faults::default());
    let other = ordered_core::event::Envelope::new("k 1 other");
    world
        .broker
        .publish(vec![event("k", 1), other, event("k", 2)])
        .await
        .unwrap();
    let worker = world.start("w1", |worker| worker);
    world
        .until("all settled", |world| {
            world.broker.backlog() == 0 && world.handled() == 2
        })
        .await;
    worker.stop().await;
    let dead = world.broker.dead_letters();
    assert_eq!(dead.len(), 1);
    assert_eq!(dead[0].1.kind, ReasonKind::Conflict);
    assert!(
        dead[0].1.text.contains("k-1") && dead[0].1.text.contains("other"),
        "{}",
        dead[0].1.text
    );
}

#[tokio::test(start_paused = true)]
async fn an_id_that_comes_back_under_a_new_seq_moves_the_key_on_unhandled() {
    let world = World::new(Faults::default());
    let again = ordered_core::event::Envelope::new("k 2 k-1");
    world
        .broker
        .publish(vec![event("k", 1), again, event("k", 3)])
        .await
        .unwrap();
    let worker = world.start("w1", |worker| worker);
    world
        .until("all settled", |world| {
            world.broker.backlog() == 0 && world.handled() == 2
        })
        .await;
    worker.stop().await;
    assert_eq!(world.by_key()["k"], [1, 3]);
    assert_eq!(view(&world, "k").await.last_seq, 3);
}
