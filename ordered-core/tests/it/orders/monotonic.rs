//! `monotonic`: versions, of which the newest wins.

use std::time::Duration;

use ordered_core::protocol::Order;
use ordered_core::transport::Faults;

use super::Outcomes;
use crate::support::world::World;

#[tokio::test(start_paused = true)]
async fn the_newest_version_wins_on_several_workers() {
    let world = World::new(Faults {
        seed: 5,
        shuffle: 12,
        duplicate: 20,
        delay: Duration::from_millis(50),
        ..Faults::default()
    });
    for order in [false, true].map(|coalesce| Order::Monotonic { coalesce }) {
        let name = format!("versions-{order:?}");
        let told = Outcomes::default();
        world.publish(6, 30).await;
        world.handler.log.lock().unwrap().clear();
        let workers = ["w1", "w2"].map(|worker| {
            world.start(&format!("{worker}-{name}"), |worker| {
                told.record(worker.order(order).group(&name))
            })
        });
        world
            .until("all settled", |world| world.broker.backlog() == 0)
            .await;
        let newest = |world: &World| {
            let by_key = world.by_key();
            by_key.len() == 6 && by_key.values().all(|seqs| seqs.contains(&30))
        };
        world.until("the newest", newest).await;
        for worker in workers {
            worker.stop().await;
        }
        for (key, versions) in world.by_key() {
            assert!(versions.is_sorted(), "{key}: {versions:?}");
        }
        assert!(!told.all("superseded").is_empty());
    }
}
