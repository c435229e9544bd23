//! What a worker says in its log.

use std::time::Duration;

use ordered_core::event::Envelope;
use ordered_core::transport::{Faults, Publish};

use crate::support::log_capture::LogCapture;
use crate::support::world::{Act, World, event};

#[tokio::test(start_paused = true)]
async fn every_line_about_an_event_names_group_key_seq_and_id() {
    let lines = LogCapture::default();
    let guard = lines.start();
    let world = World::new(Faults::default()).script(|context| {
        match (context.key().as_str(), context.seq().get()) {
            ("k0", 2) => Act::FailPermanently,
            ("k1", 1) if context.attempt() == 1 => Act::Fail,
            _ => Act::Succeed,
        }
    });
    let other = Envelope::new("k1 1 another");
    let early = event("k2", 5);
    let mut events: Vec<Envelope> = (1..=3)
        .flat_map(|seq| ["k0", "k1"].map(|key| event(key, seq)))
        .collect();
    events.extend([event("k1", 1), other, early]);
    world.broker.publish(events).await.unwrap();
    let worker = world.start("w1", |worker| worker);
    world
        .until("all settled", |world| world.broker.backlog() == 0)
        .await;
    worker.stop().await;
    drop(guard);
    let of_events: Vec<String> = lines
        .with(" key=")
        .into_iter()
        .filter(|line| line.contains(" seq=") && !line.contains("handle{"))
        .collect();
    for words in [
        "the handler failed, and will be tried again",
        "the key is halted",
        "another one has its seq",
        "held an event",
    ] {
        assert!(
            of_events.iter().any(|line| line.contains(words)),
            "no line: {words}"
        );
    }
    for line in &of_events {
        for field in ["group=\"test\"", "event_id=\""] {
            assert!(line.contains(field), "no {field} in: {line}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_gap_is_told_with_times_for_people() {
    let lines = LogCapture::default();
    let guard = lines.start();
    let world = World::new(Faults::default());
    world.broker.publish(vec![event("k", 2)]).await.unwrap();
    let worker = world.start("w1", |worker| worker.stuck_after(Duration::from_secs(2)));
    world
        .until("the gap is told", |_| {
            !lines.with("a key has waited long").is_empty()
        })
        .await;
    worker.stop().await;
    drop(guard);
    let line = lines.with("a key has waited long").remove(0);
    assert!(line.contains(" UTC\""), "{line}");
    assert!(line.contains("waited=\""), "{line}");
}

#[tokio::test]
async fn a_handler_that_blocks_the_runtime_is_named_once() {
    let lines = LogCapture::default();
    let guard = lines.start();
    let world = World::new(Faults::default()).script(|context| {
        if context.seq().get() <= 2 {
            std::thread::sleep(Duration::from_millis(1_050));
        }
        Act::Succeed
    });
    world.publish(1, 3).await;
    let worker = world.start("w1", |worker| worker);
    world
        .until("all handled", |world| world.handled() == 3)
        .await;
    worker.stop().await;
    drop(guard);
    let told = lines.with("the handler blocks the runtime");
    let [line] = &told[..] else {
        panic!("one line, not {told:?}");
    };
    for field in [
        "group=\"test\"",
        "key=\"k0\"",
        "seq=1",
        "event_id=\"",
        "step=\"1 s\"",
    ] {
        assert!(line.contains(field), "no {field} in: {line}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_a_drain_stops_is_named_with_its_event() {
    let lines = LogCapture::default();
    let guard = lines.start();
    let world = World::new(Faults::default()).script(|_| Act::Hang);
    world.publish(1, 1).await;
    let worker = world.start("w1", |worker| worker.drain_timeout(Duration::ZERO));
    world
        .until("the handler has begun", |_| {
            !lines.with("Started").is_empty()
        })
        .await;
    worker.stop().await;
    drop(guard);
    let stopped = lines.with("stopped a handler that was at work");
    let [line] = &stopped[..] else {
        panic!("one line, not {stopped:?}");
    };
    let place = "group=\"test\" key=\"k0\" seq=1 event_id=\"";
    assert!(line.contains(place), "{line}");
}

#[tokio::test(start_paused = true)]
async fn a_seq_that_looks_like_a_time_is_told_once() {
    let lines = LogCapture::default();
    let guard = lines.start();
    let world = World::new(Faults::default());
    let events = [1_764_366_600_123, 1_764_366_600_456].map(|seq| event("k", seq));
    world.broker.publish(events.to_vec()).await.unwrap();
    let worker = world.start("w1", |worker| worker);
    world
        .until("both are held", |world| world.broker.backlog() == 0)
        .await;
    worker.stop().await;
    drop(guard);
    let told = lines.with("the seq looks like a time");
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].contains("group=\"test\" key=\"k\" seq=1764366600123"),
        "{}",
        told[0]
    );
}

/// Whether the worker tells that all keys wait, when it is given these events.
async fn tells_that_all_wait(events: Vec<Envelope>) -> bool {
    let lines = LogCapture::default();
    let guard = lines.start();
    let world = World::new(Faults::default());
    world.broker.publish(events).await.unwrap();
    let worker = world.start("w1", |worker| worker);
    world
        .until("all settled", |world| world.broker.backlog() == 0)
        .await;
    worker.stop().await;
    drop(guard);
    let told = lines.with("all keys wait for events before their first one");
    assert!(told.len() <= 1, "{told:?}");
    told.iter()
        .all(|line| line.contains("group=\"test\" keys=32"))
        && told.len() == 1
}

#[tokio::test(start_paused = true)]
async fn one_numbering_for_all_keys_is_told() {
    let of_all = (1..=60).map(|seq| event(&format!("k{seq}"), seq));
    assert!(tells_that_all_wait(of_all.collect()).await);
    // Each key from its start, shuffled within.
    let of_each = (1..=60).flat_map(|key| [2, 1].map(|seq| event(&format!("k{key}"), seq)));
    assert!(!tells_that_all_wait(of_each.collect()).await);
}

#[tokio::test(start_paused = true)]
async fn settings_and_stores_that_break_a_promise_are_told_at_the_start() {
    let lines = LogCapture::default();
    let guard = lines.start();
    let world = World::new(Faults::default());
    let worker = world.start("w1", |worker| worker.dedup_ttl(Duration::from_secs(5)));
    world
        .until("it has started", |_| {
            !lines.with("`dedup_ttl` is short").is_empty()
        })
        .await;
    worker.stop().await;
    drop(guard);
    let short = lines.with("`dedup_ttl` is short").remove(0);
    assert!(
        short.contains("WARN") && short.contains("dedup_ttl=\"5 s\""),
        "{short}"
    );
    let store = lines.with("the store keeps nothing when it stops");
    let [store] = &store[..] else {
        panic!("one line, not {store:?}");
    };
    assert!(
        store.contains("WARN") && store.contains("group=\"test\""),
        "{store}"
    );
}

#[tokio::test]
async fn a_second_handler_is_refused_with_the_name_of_the_first() {
    let world = World::new(Faults::default());
    let twice = world.worker().handler(world.handler.clone());
    let error = twice.build().err().expect("it is refused").to_string();
    assert!(
        error.contains("the events of `test` would have been handled by none"),
        "{error}"
    );
}

/// The lines with these words that a worker logs when it is given these events.
async fn told(words: &str, events: Vec<Envelope>) -> Vec<String> {
    let lines = LogCapture::default();
    let guard = lines.start();
    let world = World::new(Faults::default());
    let worker = world.start("w1", |worker| worker);
    for event in events {
        world.broker.publish(vec![event]).await.unwrap();
        world
            .until("it is settled", |world| world.broker.backlog() == 0)
            .await;
    }
    worker.stop().await;
    drop(guard);
    lines.with(words)
}

#[tokio::test(start_paused = true)]
async fn keys_that_differ_only_in_case_or_unicode_form_are_told_once_where_one_waits() {
    let words = "two keys differ only in case or in their Unicode form";
    let composed = "caf\u{e9}";
    let decomposed = "cafe\u{301}";
    for (one, other) in [("Order-7", "order-7"), (composed, decomposed)] {
        let events = [(one, 1), (one, 3), (other, 2), (one, 4), (other, 5)];
        let events = events.map(|(key, seq)| event(key, seq)).to_vec();
        let told = told(words, events).await;
        let [line] = &told[..] else {
            panic!("one line, not {told:?}");
        };
        assert!(
            line.contains("WARN") && line.contains("group=\"test\""),
            "{line}"
        );
        for field in [" key=", " other_key=", " seq=2", " event_id="] {
            assert!(line.contains(field), "no {field} in: {line}");
        }
    }
    // Two keys that are whole are nobody's business.
    let events = [("A", 1), ("a", 1), ("A", 2), ("a", 2)];
    let events = events.map(|(key, seq)| event(key, seq)).to_vec();
    assert_eq!(told(words, events).await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn two_producers_that_number_one_key_independently_are_told_once() {
    let of = |producer: &str, seq: u64| Envelope::new(format!("k {seq} {producer}-{seq}"));
    let events = (1..=6).flat_map(|seq| {
        // Now one is first, and now the other.
        let (first, second) = if seq % 2 == 0 { ("a", "b") } else { ("b", "a") };
        [of(first, seq), of(second, seq)]
    });
    let told = told("seq after seq of a key is in conflict", events.collect()).await;
    let [line] = &told[..] else {
        panic!("one line, not {told:?}");
    };
    let fields = "group=\"test\" key=\"k\" seq=3 event_id=\"a-3\"";
    assert!(line.contains("WARN") && line.contains(fields), "{line}");
}

#[tokio::test(start_paused = true)]
async fn a_seq_that_does_not_count_is_told_once() {
    let events = (1..=6).map(|number| Envelope::new(format!("k 1 id-{number}")));
    let words = "events with different ids come again and again under one seq";
    let told = told(words, events.collect()).await;
    let [line] = &told[..] else {
        panic!("one line, not {told:?}");
    };
    assert!(line.contains("group=\"test\" key=\"k\" seq=1"), "{line}");
}

#[tokio::test(start_paused = true)]
async fn a_first_seq_that_is_not_the_producers_is_told_once() {
    let lines = LogCapture::default();
    let guard = lines.start();
    let world = World::new(Faults::default());
    let first = (1..=40).map(|key| event(&format!("k{key}"), 1));
    world.broker.publish(first.collect()).await.unwrap();
    let worker = world.start("w1", |worker| {
        worker.options(|options| options.policy.first_seq = 0)
    });
    world
        .until("all held", |world| world.broker.backlog() == 0)
        .await;
    worker.stop().await;
    drop(guard);
    let told = lines.with("all keys begin with one seq");
    let [line] = &told[..] else {
        panic!("one line, not {told:?}");
    };
    let fields = "group=\"test\" keys=32 begins_with=1 first_seq=0";
    assert!(line.contains(fields), "{line}");
}

/// People saw: events that were not handled, and no line that said so.
#[tokio::test(start_paused = true)]
async fn an_event_that_is_not_handled_because_of_its_id_is_told() {
    let events = (1..=5).map(|seq| Envelope::new(format!("k {seq} order-created")));
    let words = "an event was not handled, because its id was committed under another seq";
    let told = told(words, events.collect()).await;
    let [line] = &told[..] else {
        panic!("one line in ten seconds, not {told:?}");
    };
    let fields = "group=\"test\" key=\"k\" seq=2 event_id=\"order-created\"";
    assert!(line.contains("WARN") && line.contains(fields), "{line}");
}
