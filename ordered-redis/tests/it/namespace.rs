//! Whatever prefixes, groups, keys, ids and workers are called: what is written stays where it belongs.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::time::Duration;

use ordered_core::event::{Envelope, EventId, Key, Seq};
use ordered_core::protocol::{Action, Command, Event, Fence, Policy, WorkerId};
use ordered_core::store::{Admin, Group, Store};
use ordered_redis::RedisStore;
use ordered_testkit::hostile::TEXTS;
use ordered_testkit::server::RedisServer;

/// As `ARCHITECTURE.md` lists them.
const OF_A_BUCKET: [&str; 21] = [
    "k", "c", "h", "p", "q", "e", "w", "m", "due", "d0", "d1", "d2", "a", "late", "x", "xq", "g",
    "halt", "n", "log", "s",
];
const OF_A_GROUP: [&str; 2] = ["meta", "workers"];
const BUCKETS: u32 = 2;

/// As `ARCHITECTURE.md` says how a name is written.
fn written(name: &str) -> String {
    let mut text = String::new();
    for letter in name.chars() {
        match letter {
            '{' | '}' | ':' | '%' | '\0'..='\u{1f}' | '\u{7f}' => {
                write!(text, "%{:02X}", u32::from(letter)).unwrap();
            }
            letter => text.push(letter),
        }
    }
    text
}

async fn all_names(server: &RedisServer) -> BTreeSet<String> {
    let client = redis::Client::open(server.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let mut keys = redis::cmd("KEYS");
    keys.arg("*").query_async(&mut connection).await.unwrap()
}

fn event(seq: u64, id: &str) -> Event {
    Event {
        seq: Seq::new(seq).unwrap(),
        id: EventId::new(id).unwrap(),
        epoch: None,
    }
}

/// Leaves something in every structure that events alone leave anything in: a committed event, a held one, one that
/// failed for good, a lease, a claim.
async fn use_it(store: &RedisStore, group: &Group, text: &str, events: u64) {
    let worker = WorkerId::new(text);
    store.open(group, &worker).await.unwrap();
    store
        .heartbeat(group, &worker, Duration::from_secs(60))
        .await
        .unwrap();
    let say = |key: &str, action| Command {
        key: Key::new(key).unwrap(),
        action,
    };
    let mut commands = Vec::new();
    for seq in 1..=events {
        let fence = Fence(seq);
        commands.push(say(
            text,
            Action::Offer(event(seq, &format!("{text}{seq}"))),
        ));
        let event = event(seq, &format!("{text}{seq}"));
        let have = seq;
        commands.push(say(text, Action::Commit { event, fence, have }));
    }
    let held = event(events + 2, text);
    commands.push(say(
        text,
        Action::Hold(held, Envelope::new(text.to_owned())),
    ));
    let other = format!("{text}{text}");
    commands.push(say(&other, Action::Offer(event(1, text))));
    store.apply(group, &worker, &commands).await.unwrap();
}

#[tokio::test]
async fn everything_in_redis_has_a_name_of_the_layout_and_no_two_groups_share_one() {
    let server = RedisServer::start().await.unwrap();
    let mut expected = BTreeMap::new();
    let mut groups = Vec::new();
    let prefixes = [
        "ordered",
        "a",
        "a:b",
        "{a}",
        "a%3Ab",
        "*",
        "a\n",
        "\u{1f600}",
        "a:groups",
    ];
    for (place, text) in TEXTS.into_iter().enumerate() {
        let prefix = prefixes[place % prefixes.len()];
        for (prefix, name) in [(prefix, text), ("a", text), (text, "g")] {
            let known = expected.insert((written(prefix), written(name)), (prefix, name));
            if known.is_none() {
                groups.push((prefix, name, text));
            }
            assert!(known.is_none_or(|known| known == (prefix, name)));
        }
    }
    for (place, (prefix, name, text)) in groups.iter().enumerate() {
        let store = RedisStore::builder(server.url())
            .prefix(*prefix)
            .buckets(BUCKETS);
        let store = store.connect().await.unwrap();
        let group = Group::new(name, Policy::default());
        use_it(&store, &group, text, place as u64 % 3).await;
    }
    let mut allowed = BTreeSet::new();
    for (prefix, group) in expected.keys() {
        allowed.insert(format!("{prefix}:groups"));
        for name in OF_A_GROUP {
            allowed.insert(format!("{prefix}:{group}:{name}"));
        }
        for bucket in 0..BUCKETS {
            for name in OF_A_BUCKET {
                allowed.insert(format!("{{{prefix}:{group}:{bucket}}}:{name}"));
            }
        }
    }
    let names = all_names(&server).await;
    let strange: Vec<_> = names.difference(&allowed).collect();
    assert!(strange.is_empty(), "{strange:?}");
    // Each group by itself: what the others did is not seen in it.
    for (place, (prefix, name, text)) in groups.iter().enumerate() {
        let store = RedisStore::builder(server.url())
            .prefix(*prefix)
            .buckets(BUCKETS);
        let store = store.connect().await.unwrap();
        let group = Group::new(name, Policy::default());
        let key = Key::new(text).unwrap();
        let view = store.inspect(&group, &key).await.unwrap().unwrap();
        let events = place as u64 % 3;
        assert_eq!(view.last_seq, events, "{prefix:?} {name:?}");
        let held: Vec<_> = view
            .held
            .iter()
            .map(|held| (held.seq, held.id.as_str()))
            .collect();
        assert_eq!(held, [(events + 2, *text)], "{prefix:?} {name:?}");
    }
}

#[test]
fn what_is_too_long_is_no_key_and_no_id() {
    let long = "k".repeat(10_000);
    assert!(Key::new(&long).is_err() && EventId::new(&long).is_err());
    assert!(Key::new(&long[..Key::MAX_BYTES]).is_ok());
    assert!(Key::new(&long[..=Key::MAX_BYTES]).is_err());
}
