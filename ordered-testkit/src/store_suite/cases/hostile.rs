use std::time::Duration;

use ordered_core::event::{EventId, Key};
use ordered_core::store::{
    Acquire, Answer, Group, Inspect, Posted, Previous, PutMode, Request, Save, Slot,
};

use crate::store_suite::fixture::{
    A, B, StoreFixture, ask, broad, id, key, letter, owned, put, saved, session,
};
use crate::texts::TEXTS;
use crate::unique;

/// Gives each key a body, letters and an id of its own, and finds nothing of another's.
async fn share_nothing(fixture: &StoreFixture<impl Inspect>, keys: &[Key]) {
    let texts = |place: usize| {
        let text = TEXTS[(place + 7) % TEXTS.len()];
        (format!("{place}"), letter(text, &format!("data-{place}")))
    };
    for (place, key) in keys.iter().enumerate() {
        let (body, letter) = texts(place);
        let grant = fixture.own_key(A, key).await;
        assert_eq!(
            (grant.previous, grant.body),
            (Previous::Nobody, None),
            "{key:?}"
        );
        let seq = place as u64 % 3;
        let save = Save {
            body: Some(body.into()),
            remember: vec![letter.id.clone()],
            changes: vec![put(Slot::Held(seq), letter, PutMode::New)],
            ..Save::new(key.clone(), grant.fence)
        };
        assert!(fixture.release(A, save).await.released, "{key:?}");
    }
    for (place, key) in keys.iter().enumerate() {
        let (body, letter) = texts(place);
        let look_up: Vec<EventId> = TEXTS.iter().map(|text| id(text)).collect();
        let acquire = Acquire {
            look_up: look_up.clone(),
            ..ask(key)
        };
        let grant = owned(fixture.acquire(B, acquire).await);
        assert_eq!(grant.body, Some(body.into()), "{key:?}");
        for (looked_up, seen) in look_up.iter().zip(&grant.seen) {
            assert_eq!(*seen, *looked_up == letter.id, "{key:?} {looked_up:?}");
        }
        let slots = [0, 1, 2].map(Slot::Held);
        let found = fixture.store.letters(&fixture.group, key, &slots).await;
        let mut expected = [None, None, None];
        expected[place % 3] = Some(letter);
        assert_eq!(found.expect("the store is there"), expected, "{key:?}");
    }
}

pub async fn no_key_or_id_is_taken_for_another(fixture: StoreFixture<impl Inspect>) {
    let keys: Vec<Key> = TEXTS.iter().map(|text| key(text)).collect();
    share_nothing(&fixture, &keys).await;
    fixture.crash(B).await;
    let mut orphaned = fixture.sweep(&broad()).await.orphaned;
    let mut all = keys;
    all.sort();
    orphaned.sort();
    assert_eq!(orphaned, all);
}

pub async fn keys_that_differ_in_one_byte_share_nothing(fixture: StoreFixture<impl Inspect>) {
    let long = "k".repeat(Key::MAX_BYTES - 1);
    let mut keys: Vec<Key> = (0..=127_u8)
        .map(|byte| key(&format!("a{}b", char::from(byte))))
        .collect();
    keys.extend(["a", "ab", "aa", "b"].map(key));
    for (first, last) in [("x", ""), ("y", ""), ("", "x"), ("", "y"), ("", "")] {
        keys.push(key(&format!("{first}{long}{last}")));
    }
    share_nothing(&fixture, &keys).await;
}

pub async fn the_longest_key_and_id_are_kept(fixture: StoreFixture<impl Inspect>) {
    let mut fixture = fixture;
    fixture.key = key(&"é".repeat(Key::MAX_BYTES / 2));
    let longest = "x".repeat(EventId::MAX_BYTES);
    let fence = fixture.own(A).await.fence;
    let posted = fixture
        .post(B, &[(2, letter(&longest, "data"))])
        .await
        .posted;
    assert_eq!(posted, [Posted::Stored]);
    let imposter = [(2, letter(&longest[1..], "data"))];
    let posted = fixture.post(B, &imposter).await.posted;
    assert_eq!(posted, [Posted::Taken(id(&longest))]);
    let save = Save {
        remember: vec![id(&longest)],
        ..fixture.blank(fence)
    };
    saved(fixture.save(A, save).await);
    let look = Save {
        look_up: vec![id(&longest), id(&longest[1..])],
        ..fixture.blank(fence)
    };
    assert_eq!(saved(fixture.save(A, look).await).seen, [true, false]);
    let stored = fixture.letters(&[Slot::Held(2)]).await;
    assert_eq!(stored, [Some(letter(&longest, "data"))]);
}

/// The same id in another key is another event, also where key and id joined are the same text.
pub async fn a_key_and_an_id_are_not_joined_carelessly(fixture: StoreFixture<impl Inspect>) {
    let pairs = [
        ("a", "bc"),
        ("ab", "c"),
        ("1", "1:x"),
        ("1:1", "x"),
        ("1:", "1x"),
        ("b", "\0b"),
        ("b\0", "b"),
        ("k", "2:k"),
        ("2:k", "k"),
        ("s1", "k"),
        ("i1", "k"),
        ("1.1", "k"),
        (" ", " 1"),
    ];
    for (name, text) in pairs {
        let key = key(name);
        let fence = fixture.own_key(A, &key).await.fence;
        let save = Save {
            remember: vec![id(text)],
            ..Save::new(key, fence)
        };
        assert!(fixture.release(A, save).await.released);
    }
    for (name, own) in pairs {
        let acquire = Acquire {
            look_up: pairs.iter().map(|(_, text)| id(text)).collect(),
            ..ask(&key(name))
        };
        let seen = owned(fixture.acquire(B, acquire).await).seen;
        for ((_, text), seen) in pairs.iter().zip(seen) {
            assert_eq!(seen, *text == own, "{name:?} {text:?}");
        }
    }
}

pub async fn no_group_is_taken_for_another(fixture: StoreFixture<impl Inspect>) {
    let own = unique("g");
    for text in TEXTS {
        for name in [format!("{own}{text}"), format!("{text}{own}")] {
            let group = Group::new(&name, fixture.group.policy().clone());
            let session = session(&fixture.store, &group, A).await;
            let lease = Duration::from_secs(1);
            let beat = fixture.store.heartbeat(&group, &session, lease).await;
            beat.expect("the store is there");
            let requests = [Request::Acquire(ask(&fixture.key))];
            let exchange = fixture.store.exchange(&group, &session, &requests).await;
            let answers = exchange.expect("the store is there").answers;
            let Answer::Owned(grant) = &answers[0] else {
                panic!("{name:?}: {answers:?}");
            };
            assert_eq!(grant.previous, Previous::Nobody, "{name:?}");
            let groups = fixture.store.groups().await.expect("the store is there");
            assert!(groups.contains(&name), "{name:?}");
        }
    }
}

/// Bytes of every value come back as they were.
pub async fn bodies_notes_and_data_are_kept_byte_for_byte(fixture: StoreFixture<impl Inspect>) {
    let bytes: bytes::Bytes = (0..=255).cycle().take(70_000).collect::<Vec<u8>>().into();
    let fence = fixture.own(A).await.fence;
    let mut letter = letter("\0", "");
    letter.note = bytes.slice(..300);
    letter.data = bytes.clone();
    let save = Save {
        body: Some(bytes.slice(1..)),
        fetch: vec![Slot::Held(1)],
        ..fixture.changes(fence, [put(Slot::Held(1), letter.clone(), PutMode::New)])
    };
    let answer = saved(fixture.save(A, save).await);
    assert_eq!(answer.letters, [Some(letter)]);
    assert_eq!(fixture.own(A).await.body, Some(bytes.slice(1..)));
}
