//! What does not fit an order: another order for a group that exists, options, events without a seq.

use std::time::Duration;

use ordered_core::event::{Envelope, EventId, Key, Seq};
use ordered_core::handler::{
    Context, Decoded, Handler, HandlerError, HandlerOptions, Malformed, OnRepeat, OnStateLoss,
};
use ordered_core::protocol::{GapPolicy, Order, Start};
use ordered_core::transport::Faults;
use ordered_core::worker::{Worker, WorkerError};

use crate::support::world::World;

const VERSIONS: Order = Order::Monotonic { coalesce: false };

#[tokio::test(start_paused = true)]
async fn a_worker_that_asks_for_another_order_does_not_start() {
    let world = World::new(Faults::default());
    let worker = world.start("w", |worker| worker.order(Order::Arrival));
    world.publish(1, 1).await;
    world.until("it works", |world| world.handled() == 1).await;
    for order in [Order::Sequence, VERSIONS, Order::Causal] {
        let other = world.worker().id("other").order(order);
        let error = other.run_until(std::future::pending()).await.unwrap_err();
        assert!(matches!(error, WorkerError::Store(_)), "{error}");
        let text = error.to_string();
        assert!(
            text.contains("keeps its keys in the order `arrival`"),
            "{text}"
        );
        assert!(
            text.contains(&format!("group = \"test-{order}\"")),
            "{text}"
        );
    }
    worker.stop().await;
    let kept = world.admin().group("test").await.unwrap().unwrap();
    assert_eq!(kept.policy().order, Order::Arrival);
}

#[test]
fn an_order_is_refused_with_options_that_it_has_no_use_for() {
    type Change = fn(&mut HandlerOptions);
    let world = World::new(Faults::default());
    let refused: [(Order, &str, Change); 13] = [
        (Order::Lamport, "producer_lease", |options| {
            options.policy.producer_lease = Duration::ZERO;
        }),
        (Order::Lamport, "max_delay", |options| {
            options.policy.max_delay = Some(Duration::ZERO);
        }),
        (Order::Causal, "max_delay", |options| {
            options.policy.max_delay = Some(Duration::from_secs(1));
        }),
        (Order::Causal, "on_state_loss", |options| {
            options.on_state_loss = OnStateLoss::Adopt;
        }),
        (Order::Causal, "start", |options| {
            options.policy.start = Start::FirstSeen {
                settle: Start::SETTLE,
            };
        }),
        (Order::Causal, "first_seq", |options| {
            options.policy.first_seq = 5
        }),
        (Order::Causal, "max_producers", |options| {
            options.policy.max_producers = 0
        }),
        (Order::Arrival, "on_gap", |options| {
            options.policy.on_gap = GapPolicy::Skip {
                after: Duration::from_secs(1),
            };
        }),
        (Order::Arrival, "first_seq", |options| {
            options.policy.first_seq = 5
        }),
        (Order::Arrival, "on_repeat", |options| {
            options.on_repeat = OnRepeat::Conflict
        }),
        (VERSIONS, "first_seq", |options| {
            options.policy.first_seq = 5
        }),
        (VERSIONS, "batch", |options| options.set_batch(5)),
        (VERSIONS, "batch", |options| options.set_commit_window(5)),
    ];
    for (order, option, change) in refused {
        let built = world.worker().order(order).options(change).build();
        let error = built.err().expect("it is refused").to_string();
        assert!(error.contains(option), "{error}");
        assert!(error.contains(&format!("`order` is `{order}`")), "{error}");
    }
    assert!(
        world
            .worker()
            .order(Order::Arrival)
            .batch(5)
            .build()
            .is_ok()
    );
}

/// Reads every event as one without a seq.
struct Unnumbered;

impl Handler for Unnumbered {
    type Event = ();

    fn options(&self) -> HandlerOptions {
        HandlerOptions::new("test")
    }

    fn decode(&self, envelope: &Envelope) -> Result<Decoded<()>, Malformed> {
        let key = Key::new("k0")?;
        Ok(Decoded {
            id: EventId::of_body(&key, &envelope.body),
            seq: Seq::UNNUMBERED,
            key,
            event: (),
        })
    }

    async fn call(&self, (): (), _: Context) -> Result<(), HandlerError> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_without_a_seq_is_refused_where_seqs_count() {
    for (order, refused) in [(Order::Sequence, 1), (VERSIONS, 1), (Order::Arrival, 0)] {
        let world = World::new(Faults::default());
        world.publish(1, 1).await;
        let worker = Worker::builder()
            .store(world.store.clone())
            .transport(world.broker.consumer())
            .handler(Unnumbered)
            .order(order)
            .build()
            .unwrap();
        let settled = world.until("it is settled", |world| world.broker.backlog() == 0);
        worker.run_until(settled).await.unwrap();
        let dead = world.broker.dead_letters();
        assert_eq!(dead.len(), refused, "{order}");
        for (_, reason) in dead {
            assert!(reason.text.contains("the event has no seq"), "{reason}");
        }
    }
}
