//! What the application hangs in, and what the worker says in the log.

use std::io;
use std::sync::{Arc, Mutex};

use ordered_core::transport::{Faults, Publish};
use tracing_subscriber::filter::LevelFilter;

use crate::support::world::{Act, World, event};

#[tokio::test(start_paused = true)]
async fn a_hook_that_panics_ends_neither_the_worker_nor_a_run() {
    let world = World::new(Faults::default()).script(|context| match context.seq().get() {
        4 => Act::FailPermanently,
        _ => Act::Succeed,
    });
    world.publish(3, 5).await;
    let worker = world.start("w1", |worker| {
        worker
            .observe(|_| panic!("the observer"))
            .on_span(|_, _| panic!("the hook of spans"))
            .on_stuck(|_| panic!("the hook of stuck keys"))
    });
    let done = |world: &World| world.handled() == 9 && world.broker.backlog() == 0;
    world.until("what comes before is handled", done).await;
    worker.stop().await;
    world.assert_in_order_once(3, 3);
}

/// What is written to the log.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_cannot_forge_a_line_of_the_log() {
    let written = Written::default();
    let to = written.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(LevelFilter::TRACE)
        .with_ansi(false)
        .with_writer(move || to.clone())
        .finish();
    let _here = tracing::subscriber::set_default(subscriber);
    let world = World::new(Faults::default()).script(|context| match context.seq().get() {
        2 if context.attempt() == 1 => Act::Fail,
        3 => Act::FailPermanently,
        _ => Act::Succeed,
    });
    let key = "k\nFORGED";
    let mut events: Vec<_> = [1, 1, 2, 3, 5].map(|seq| event(key, seq)).into();
    events.push(ordered_core::event::Envelope::new(format!(
        "{key} 1 another"
    )));
    world.broker.publish(events).await.unwrap();
    let worker = world.start("w1", |worker| worker);
    let settled = |world: &World| world.handled() >= 2 && world.broker.backlog() == 0;
    world.until("all is settled", settled).await;
    worker.stop().await;
    let written = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
    assert!(written.contains("k\\nFORGED"), "{written}");
    assert!(!written.contains("\nFORGED"), "{written}");
}
