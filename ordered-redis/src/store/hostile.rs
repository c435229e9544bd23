//! Replies that no script of ours gives: an error that says so, never a panic, never an endless loop.

use hostile_input::{check, text};
use ordered_core::protocol::{Fence, Policy, WorkerId};
use ordered_core::store::Group;
use ordered_core::store::{Acquire, AcquireMode, Change, Request, Save, Slot};
use ordered_core::{event, store};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use redis::Value;

use super::decode::{Outcome, decode};
use super::encode::{Context, Portion};
use super::ids::Generations;
use super::record::{Lease, Owner, read_letter, split_record};
use super::session::{BucketState, GroupState};
use super::sweep;

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        6 => (0..20_i64).prop_map(Value::Int),
        2 => select(&[i64::MAX, i64::MIN, -1, 1 << 53][..]).prop_map(Value::Int),
        4 => text().prop_map(|text| Value::BulkString(text.into())),
        4 => vec(any::<u8>(), 0..40).prop_map(Value::BulkString),
        2 => select(&["", "0", "1", "B", "U", "M", "Bworker"][..])
            .prop_map(|text| Value::BulkString(text.into())),
        1 => text().prop_map(Value::SimpleString),
        1 => Just(Value::Nil),
        1 => Just(Value::Okay),
        1 => any::<bool>().prop_map(Value::Boolean),
        1 => any::<f64>().prop_map(Value::Double),
    ]
}

fn tree() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(4, 48, 10, |inner| {
        prop_oneof![
            4 => vec(inner.clone(), 0..12).prop_map(Value::Array),
            1 => vec((inner.clone(), inner), 0..4).prop_map(Value::Map),
        ]
    })
}

/// The shape of an answer of the script for exchanges, with other things in its places.
fn answer() -> impl Strategy<Value = Value> {
    let list = || vec(leaf(), 0..3).prop_map(Value::Array);
    let lists = vec(prop_oneof![4 => list(), 1 => tree()], 9);
    lists.prop_map(|mut parts| {
        parts[0] = Value::Int(0);
        parts[1] = Value::Int(7);
        parts[2] = Value::Int(0);
        parts[7] = Value::BulkString(b"1".to_vec());
        Value::Array(parts)
    })
}

fn requests() -> [Request; 2] {
    let key = |text: &str| event::Key::new(text).unwrap();
    let letter = store::Letter {
        id: event::EventId::new("id").unwrap(),
        note: bytes::Bytes::new(),
        data: bytes::Bytes::new(),
    };
    let acquire = Acquire {
        key: key("a"),
        mode: AcquireMode::Ask,
        letters: vec![(Slot::Held(1), letter)],
        look_up: vec![event::EventId::new("id").unwrap()],
    };
    let mut save = Save::new(key("b"), Fence(7));
    save.changes.push(Change::Delete(Slot::Held(1)));
    save.fetch.push(Slot::Held(2));
    [Request::Acquire(acquire), Request::Save(Box::new(save))]
}

#[test]
fn a_reply_in_another_shape_is_an_error() {
    let group = Group::new("group", Policy::default());
    let state = GroupState {
        incarnation: 1,
        secret: [0; 16],
        buckets: vec![BucketState::new("{t}", Generations::first(0, 1))],
    };
    let session = store::Session {
        worker: WorkerId::new("worker"),
        incarnation: store::Incarnation(1),
    };
    let context = Context {
        group: &group,
        session: &session,
        state: &state,
        number: 1,
        given_time: 0,
    };
    let requests = requests();
    let mut portion = Portion::new(0);
    for (place, request) in requests.iter().enumerate() {
        portion.push(place, request);
    }
    let encoded = portion.encode(&context).unwrap();
    check(1_000, prop_oneof![tree(), answer()], |value| {
        let decoded = decode(value.clone(), &portion, &encoded);
        if let Ok(Outcome::Done { answers, .. }) = decoded {
            assert_eq!(answers.len(), requests.len());
        }
        let _ = sweep::read(value, &group);
    });
}

#[test]
fn damaged_values_are_errors_or_nothing() {
    check(5_000, vec(any::<u8>(), 0..60), |bytes| {
        let _ = Owner::parse(&bytes);
        let _ = read_letter(bytes.clone());
        let _ = split_record(bytes.clone());
        let _ = Lease::parse(&bytes).map(|lease| (lease.until(), lease.is_alive(u64::MAX)));
        let _ = Generations::parse(&String::from_utf8_lossy(&bytes));
    });
}
