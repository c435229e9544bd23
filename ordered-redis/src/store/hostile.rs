//! Replies that no script of ours gives: an error that says so, never a panic, never an endless loop.

use ordered_core::event::{EventId, Key, Seq};
use ordered_core::protocol::{Action, Command, Event};
use ordered_core::store::{GroupView, KeyCounts, StoreError, Swept};
use ordered_testkit::hostile::{check, text};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use redis::Value;

use super::{apply, overview, sweeping};
use crate::answer::Answer;
use crate::view::key_view;

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        6 => (0..20_i64).prop_map(Value::Int),
        2 => select(&[i64::MAX, i64::MIN, -1, 1 << 53, 1 << 32][..]).prop_map(Value::Int),
        4 => text().prop_map(|text| Value::BulkString(text.into())),
        1 => vec(any::<u8>(), 0..9).prop_map(Value::BulkString),
        1 => Just(Value::BulkString(b"{}\nbody".to_vec())),
        1 => text().prop_map(Value::SimpleString),
        1 => Just(Value::Nil),
        1 => Just(Value::Okay),
        1 => any::<bool>().prop_map(Value::Boolean),
        1 => any::<f64>().prop_map(Value::Double),
    ]
}

fn tree() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(3, 32, 8, |inner| {
        prop_oneof![
            4 => vec(inner.clone(), 0..12).prop_map(Value::Array),
            1 => vec(inner.clone(), 0..4).prop_map(Value::Set),
            1 => vec((inner.clone(), inner), 0..4).prop_map(Value::Map),
        ]
    })
}

/// Lists as the scripts give them, cut off, with pieces of other ones, and with numbers and texts that do not fit.
fn list() -> impl Strategy<Value = Value> {
    let int = Value::Int;
    let text = |text: &str| Value::BulkString(text.as_bytes().to_vec());
    let whole: Vec<Vec<Value>> = vec![
        vec![int(1), int(7), int(1), int(0)],
        vec![int(2), int(5), int(1)],
        vec![int(7), text("another")],
        vec![
            int(8),
            int(0),
            int(2),
            int(4),
            text("id"),
            int(0),
            int(9),
            text("{}\nbody"),
            int(5),
            text("b"),
            int(1),
            int(9),
            text("{}\n"),
        ],
        vec![int(12), int(3), int(1), int(0)],
        vec![int(18), int(7), int(2), int(5), int(6), int(0)],
        vec![
            int(100),
            int(0),
            int(3),
            int(4),
            int(0),
            int(0),
            int(0),
            int(0),
            int(0),
            int(0),
            int(0),
            int(0),
            int(0),
            int(0),
            int(0),
            int(0),
            int(0),
            int(0),
        ],
        vec![
            int(0),
            int(0),
            int(1),
            text("key"),
            int(3),
            int(4),
            text("a"),
            text("b"),
        ],
        vec![text("0"), text("key"), int(1), int(2), int(3), int(4)],
    ];
    let cut = (select(whole), any::<prop::sample::Index>()).prop_map(|(mut list, end)| {
        list.truncate(end.index(list.len() + 1));
        list
    });
    let parts = vec(prop_oneof![3 => cut, 1 => vec(leaf(), 0..3)], 0..4);
    parts.prop_map(|parts| Value::Array(parts.concat()))
}

fn nothing_known() -> GroupView {
    GroupView {
        name: "group".to_owned(),
        paused: true,
        keys: KeyCounts::default(),
        held_events: 0,
        held_bytes: 0,
        dead_events: 0,
        oldest_gap: None,
        workers: Vec::new(),
        now: 0,
    }
}

/// Reads to the end, or to the first thing that is not understood; whatever is read takes something.
fn to_the_end<T>(value: &Value, read: impl Fn(&mut Answer) -> Result<T, StoreError>) {
    let Ok(mut answer) = Answer::new(value.clone()) else {
        return;
    };
    for _ in 0..1_000 {
        if answer.is_empty() {
            return;
        }
        if let Err(error) = read(&mut answer) {
            assert!(!error.to_string().is_empty());
            return;
        }
    }
    panic!("it does not end");
}

#[test]
fn a_reply_in_another_shape_is_an_error() {
    check(1_000, prop_oneof![tree(), list()], |value| {
        to_the_end(&value, |answer| answer.verdict(&offer().action));
        to_the_end(&value, |answer| key_view("key", answer));
        to_the_end(&value, Answer::numbers);
        to_the_end(&value, Answer::envelope);
        to_the_end(&value, Answer::maybe_text);
        let _ = Answer::members(value.clone());
        let _ = Answer::page(value.clone(), 2);
        let _ = Answer::stream(value.clone());
        if let Ok(answer) = Answer::new(value.clone()) {
            let mut swept = Swept::default();
            let _ = sweeping::read(answer, &mut swept, 3);
            assert!(swept.stuck.len() <= 3);
        }
        let mut view = nothing_known();
        for _ in 0..3 {
            if let Ok(answer) = Answer::new(value.clone()) {
                let _ = overview::add_bucket(&mut view, answer);
            }
        }
    });
}

/// Some command, of which a single number can be the whole verdict.
fn offer() -> Command {
    Command {
        key: Key::new("key").unwrap(),
        action: Action::Offer(Event {
            seq: Seq::new(1).unwrap(),
            id: EventId::new("id").unwrap(),
            epoch: None,
        }),
    }
}

#[test]
fn verdicts_for_another_number_of_commands_are_an_error() {
    check(500, (list(), 0..5_usize), |(value, count)| {
        let mut verdicts = vec![None; count];
        let commands = vec![offer(); count];
        if apply::read_verdicts(value, &commands, (0..count).collect(), &mut verdicts).is_ok() {
            assert!(verdicts.iter().all(Option::is_some));
        }
    });
}
