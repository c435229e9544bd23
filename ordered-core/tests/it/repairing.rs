//! Events of producers that have not come, and are asked for.

use std::error::Error;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ordered_core::event::Envelope;
use ordered_core::logical::VectorClock;
use ordered_core::protocol::GapPolicy;
use ordered_core::transport::{Faults, MemoryBroker, Publish};
use ordered_core::worker::{Control, MissingEvents, Repair};

use crate::bench::World;
use crate::orders::{Comments, comment};

/// Sends again what is asked for of an author, or says that it will never come.
struct Archive {
    broker: MemoryBroker,
    /// What ada wrote, as far as it is kept.
    kept: Vec<Envelope>,
    asked: Arc<Mutex<Vec<String>>>,
    knows_producers: bool,
}

#[async_trait::async_trait]
impl Repair for Archive {
    async fn ask(&self, missing: MissingEvents) -> Result<(), Box<dyn Error + Send + Sync>> {
        let (from, to) = (missing.from.get(), missing.to.get());
        let producer = missing.producer.ok_or("it is not said whose")?;
        let asked = format!("{from}-{to} of {producer}");
        self.asked.lock().unwrap().push(asked);
        let answer = if producer == "ada" {
            let kept = (1..).zip(&self.kept);
            let wanted = kept.filter(|(seq, _)| (from..=to).contains(seq));
            wanted.map(|(_, event)| event.clone()).collect()
        } else {
            let fill = Control::GapFillOf {
                producer,
                from: missing.from,
                to: missing.to,
            };
            vec![fill.envelope(&missing.key)]
        };
        Ok(self.broker.publish(answer).await?)
    }

    fn knows_producers(&self) -> bool {
        self.knows_producers
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_missing_of_a_producer_is_asked_for_and_sent_again_or_filled() {
    let world = World::new(Faults::default());
    let (mut ada, mut bob, mut eve) = <(VectorClock, VectorClock, VectorClock)>::default();
    let of_ada: Vec<Envelope> = (0..2)
        .map(|_| comment("p", "ada", &ada.send("ada").unwrap()))
        .collect();
    bob.merge(&ada).unwrap();
    let reply = comment("p", "bob", &bob.send("bob").unwrap());
    let [_, second] = [(); 2].map(|()| comment("p", "eve", &eve.send("eve").unwrap()));
    world.broker.publish(vec![reply, second]).await.unwrap();
    let (comments, asked) = (Comments::default(), Arc::default());
    let archive = |knows_producers| Archive {
        broker: world.broker.clone(),
        kept: of_ada.clone(),
        asked: Arc::clone(&asked),
        knows_producers,
    };
    let after = Duration::from_secs(30);
    let repairing = |archive| {
        let worker = comments.worker(&world).on_gap(GapPolicy::Repair { after });
        worker.repair(archive)
    };
    let error = repairing(archive(false))
        .build()
        .err()
        .expect("it is refused")
        .to_string();
    assert!(
        error.contains("the order `causal`") && error.contains("knows_producers"),
        "{error}"
    );
    let worker = repairing(archive(true)).build().unwrap();
    let until = tokio::time::sleep(Duration::from_secs(300));
    worker.run_until(until).await.unwrap();
    let mut ran = comments.of("p");
    let place = |id: &str| ran.iter().position(|ran| ran == id).expect("it ran");
    assert!(
        place("p-ada-1") < place("p-ada-2") && place("p-ada-2") < place("p-bob-1"),
        "{ran:?}"
    );
    ran.sort_unstable();
    assert_eq!(ran, ["p-ada-1", "p-ada-2", "p-bob-1", "p-eve-2"]);
    let mut asked = asked.lock().unwrap().clone();
    asked.sort_unstable();
    assert_eq!(asked, ["1-1 of eve", "1-2 of ada"]);
}
