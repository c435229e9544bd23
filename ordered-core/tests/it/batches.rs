//! When the worker says what to the store.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use ordered_core::transport::{Faults, Publish};

use crate::support::hooked_store::HookedStore;
use crate::support::world::{Act, World, event};

/// Publishes an event of each of nine keys, and one more while the first batch is on its way; tells what was asked and
/// handled, in order.
async fn told(batch_commands: usize) -> Vec<String> {
    let told = Arc::new(Mutex::new(Vec::new()));
    let (asked, handled) = (Arc::clone(&told), Arc::clone(&told));
    let world = World::new(Faults::default()).script(move |context| {
        let line = format!("{} handled", context.key());
        handled.lock().unwrap().push(line);
        Act::Succeed
    });
    let ask = move |size| asked.lock().unwrap().push(format!("{size} asked"));
    let store = HookedStore::new(&world.store)
        .before(move |commands| ask(commands.len()))
        .takes(Duration::from_millis(20));
    world.publish(9, 1).await;
    let worker = world.start("w1", |worker| {
        worker.store(store).batch_commands(batch_commands)
    });
    let has_asked = |_: &World| !told.lock().unwrap().is_empty();
    world.until("the first batch", has_asked).await;
    world.broker.publish(vec![event("k9", 1)]).await.unwrap();
    world
        .until("all settled", |world| world.broker.backlog() == 0)
        .await;
    worker.stop().await;
    told.lock().unwrap().clone()
}

#[tokio::test(start_paused = true)]
async fn the_next_batch_goes_out_before_the_answer_to_the_last_is_worked_on() {
    let told = told(4).await;
    assert_eq!(told[..3], ["4 asked", "4 asked", "k0 handled"]);
    assert!(told.contains(&"k9 handled".to_owned()), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn a_few_commands_wait_for_those_that_follow_from_the_answer() {
    let told = told(1000).await;
    assert_eq!(told[..2], ["9 asked", "k0 handled"]);
    // Nine commits, and the offer that came meanwhile.
    assert_eq!(told[10], "10 asked");
}
