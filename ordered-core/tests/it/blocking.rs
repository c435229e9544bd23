//! Handlers that keep their thread, on a runtime with several.

use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use ordered_core::transport::{Faults, Publish};

use crate::support::world::{Act, World, event};

/// How many runs have to be at work at the same time.
const TOGETHER: usize = 3;
const PATIENCE: Duration = Duration::from_secs(30);

/// Lets those through that wait for one another, once there are enough.
#[derive(Default)]
struct Gate {
    waiting: Mutex<usize>,
    enough: Condvar,
}

impl Gate {
    /// Blocks the thread.
    fn pass(&self) -> Act {
        let mut waiting = self.waiting.lock().unwrap();
        *waiting += 1;
        self.enough.notify_all();
        let are_few = |waiting: &mut usize| *waiting < TOGETHER;
        let waited = self.enough.wait_timeout_while(waiting, PATIENCE, are_few);
        if waited.unwrap().1.timed_out() {
            Act::Fail
        } else {
            Act::Succeed
        }
    }
}

fn first_of(keys: impl Iterator<Item = String>) -> Vec<ordered_core::event::Envelope> {
    keys.map(|key| event(&key, 1)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn runs_that_block_their_threads_are_at_work_together_and_hold_up_no_other() {
    let gate = Arc::<Gate>::default();
    let world = World::new(Faults::default()).script(move |context| {
        if context.key().as_str().starts_with("gate") {
            gate.pass()
        } else {
            Act::Succeed
        }
    });
    let worker = world.start("w1", |worker| {
        worker
            .concurrency(64)
            .lease(Duration::from_secs(30))
            .heartbeat(Duration::from_millis(100))
    });
    // By these the worker learns that runs are quick.
    world.publish(50, 10).await;
    world
        .until("the quick ones", |world| world.handled() == 500)
        .await;
    let gates = (0..TOGETHER).map(|number| format!("gate{number}"));
    let behind = (0..50).map(|number| format!("behind{number}"));
    let events = first_of(gates.chain(behind));
    let all = 500 + events.len();
    world.broker.publish(events).await.unwrap();
    world
        .until("those behind them", |world| world.handled() == all)
        .await;
    worker.stop().await;
    assert!(world.by_key().values().all(|seqs| seqs.is_sorted()));
    assert_eq!(world.handled(), all);
}
