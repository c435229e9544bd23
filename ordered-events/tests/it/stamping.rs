//! What the clock of its producer says, in the fields of an event.

use std::collections::{BTreeMap, HashMap};

use ordered_events::core::clock::wall_clock;
use ordered_events::core::event::Envelope;
use ordered_events::core::handler::Handler;
use ordered_events::core::logical::{
    HybridClock, HybridTime, LamportClock, LamportProducer, VectorClock,
};
use ordered_events::{OrderedEvent, StampedEvent, ordered_handler};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, OrderedEvent)]
#[ordered(key = "post", producer = "author", clock = "vector")]
struct Comment {
    post: String,
    author: String,
    vector: VectorClock,
}

#[ordered_handler(key = "post", order = "causal", producer = "author", clock = "vector")]
async fn show(comment: Comment) {
    drop(comment);
}

#[derive(Default, Serialize, Deserialize, OrderedEvent)]
#[ordered(key = "account", producer = "branch", seq = "seq", time = "time")]
struct Booking {
    account: String,
    branch: String,
    seq: u32,
    time: i64,
}

#[ordered_handler(
    key = "account",
    order = "lamport",
    producer = "branch",
    seq = "seq",
    time = "time"
)]
async fn book(booking: Booking) {
    drop(booking);
}

/// Generic, and of a tuple, with its clock in a field of a field.
#[derive(Default, Serialize)]
struct Meta {
    who: u8,
    counts: HashMap<String, u64>,
}

#[derive(Serialize, OrderedEvent)]
#[ordered(
    key = "0",
    aggregate_type = "thing",
    producer = "1.who",
    clock = "1.counts",
    crate = "ordered_events"
)]
struct Plain<T>(u64, Meta, T)
where
    T: Serialize;

#[derive(Default, Serialize, OrderedEvent)]
#[ordered(key = "order_id", time = "at")]
struct Readable {
    order_id: String,
    at: HybridTime,
}

#[derive(Default, Serialize, OrderedEvent)]
#[ordered(key = "order_id", time = "at")]
struct Timed {
    order_id: String,
    at: u64,
}

fn comment(author: &str) -> Comment {
    Comment {
        post: "p".into(),
        author: author.into(),
        vector: VectorClock::default(),
    }
}

fn body(event: &impl Serialize) -> Envelope {
    Envelope::new(serde_json::to_vec(event).unwrap())
}

#[test]
fn a_handler_finds_in_the_event_what_the_clock_said() {
    let mut clock: VectorClock = serde_json::from_str(r#"{"ada": 4}"#).unwrap();
    let mut event = comment("bob");
    event.stamp(&mut clock).unwrap();
    event.stamp(&mut clock).unwrap();
    assert_eq!(event.vector, clock);
    let stamp = show.stamp(&body(&event), None).unwrap().unwrap();
    assert_eq!((stamp.producer(), stamp.seq()), ("bob", 2));
    assert_eq!(stamp.vector().of("ada"), 4);

    let mut north = LamportProducer::at(6, 40);
    north.receive(99);
    let mut event = Booking {
        account: "a".into(),
        branch: "north".into(),
        ..Booking::default()
    };
    event.stamp(&mut north).unwrap();
    assert_eq!((event.seq, event.time), (7, 101));
    assert_eq!((north.seq(), north.time()), (7, 101));
    let stamp = book.stamp(&body(&event), None).unwrap().unwrap();
    assert_eq!((stamp.seq(), stamp.time()), (7, Some(101)));
}

#[test]
fn the_type_of_a_time_says_of_which_clock_it_is() {
    let (mut one, mut two) = (Timed::default(), Readable::default());
    let mut lamport = LamportClock::at(8);
    one.stamp(&mut lamport).unwrap();
    assert_eq!((one.at, lamport.time()), (9, 9));
    let before = wall_clock();
    let mut hybrid = HybridClock::default();
    two.stamp(&mut hybrid).unwrap();
    assert!((before..=wall_clock()).contains(&two.at.millis()));
    let first = two.at;
    two.stamp(&mut hybrid).unwrap();
    assert!(two.at > first && hybrid.time() == two.at);
}

#[test]
fn the_fields_may_lie_deeper_and_have_other_types() {
    let mut event = Plain(
        1,
        Meta {
            who: 7,
            ..Meta::default()
        },
        "text",
    );
    let old = ("old".to_owned(), 5);
    event.1.counts.extend([old]);
    let mut clock = VectorClock::default();
    event.stamp(&mut clock).unwrap();
    assert_eq!(event.1.counts, HashMap::from([("7".to_owned(), 1)]));
    assert!(event.to_event().is_ok());
    let mut map = BTreeMap::new();
    ordered_events::__private::ClockField::set_clock(&mut map, clock);
    assert_eq!(map, BTreeMap::from([("7".to_owned(), 1)]));
}

#[test]
fn what_no_consumer_takes_is_not_stamped_and_counts_nothing() {
    let (long, mut clock) = ("x".repeat(129), VectorClock::default());
    for author in ["", &long] {
        let error = comment(author).stamp(&mut clock).unwrap_err().to_string();
        assert!(
            error.contains("must have a name of 1 to 128 bytes"),
            "{error}"
        );
    }
    assert_eq!(clock, VectorClock::default());
    let mut full = VectorClock::default();
    for producer in 0..VectorClock::MAX_PRODUCERS {
        full.send(&producer.to_string()).unwrap();
    }
    let (before, error) = (full.clone(), comment("bob").stamp(&mut full));
    assert!(error.unwrap_err().to_string().contains("`bob`"));
    assert_eq!(full, before);

    let mut event = Booking {
        branch: "north".into(),
        ..Booking::default()
    };
    for most in [
        LamportProducer::at(0, 1 << 53),
        LamportProducer::at(1 << 32, 0),
    ] {
        let mut producer = most;
        let error = event.stamp(&mut producer).unwrap_err().to_string();
        assert!(
            error.contains("2^53-1") || error.contains("`u32`"),
            "{error}"
        );
        assert_eq!(producer, most);
    }
}

#[test]
fn an_event_that_was_not_stamped_is_not_published() {
    let text = |event: &dyn OrderedEvent| event.to_event().unwrap_err().to_string();
    let error = text(&comment("bob"));
    assert!(
        error.contains("`bob`") && error.ends_with("before you publish it"),
        "{error}"
    );
    let booking = Booking {
        account: "a".into(),
        branch: "north".into(),
        ..Booking::default()
    };
    let error = text(&booking);
    assert!(error.contains("producer `north` is 0"), "{error}");
    let negative = Booking {
        time: -1,
        ..booking
    };
    assert!(text(&negative).contains("-1"));
}
