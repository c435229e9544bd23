use std::collections::BTreeMap;

use ordered_core::event::{Envelope, EventId, Key};
use ordered_core::protocol::{Action, Command, Event, Fence, Obstacle, Verdict};
use ordered_core::store::{Admin, Group, Store};

use crate::store_suite::stage::{A, B, Stage, event, held, key, plain, run};
use crate::texts::TEXTS;
use crate::unique;

pub async fn no_key_or_id_is_taken_for_another(stage: Stage<impl Store + Admin>) {
    let keys: Vec<Key> = TEXTS.iter().map(|text| key(text)).collect();
    let mut events = BTreeMap::new();
    let mut commands = Vec::new();
    for (place, key) in keys.iter().enumerate() {
        // Each key holds another text as the id of its second event, and gets as many events as its place says.
        let id = EventId::new(TEXTS[(place + 7) % TEXTS.len()]).expect("it is not empty");
        let envelope = Envelope::new(key.as_str().to_owned());
        let hold = |seq: u64| {
            let id = if seq == 2 { id.clone() } else { plain(seq).id };
            let seq = plain(seq).seq;
            Action::Hold(
                Event {
                    seq,
                    id,
                    epoch: None,
                },
                envelope.clone(),
            )
        };
        for seq in 2..4 + (place as u64 % 3) {
            let action = hold(seq);
            commands.push(Command {
                key: key.clone(),
                action,
            });
        }
        events.insert(key.clone(), (id.clone(), envelope.clone()));
    }
    let verdicts = stage.batch(B, &commands).await;
    assert!(
        verdicts
            .iter()
            .all(|verdict| *verdict == held(1, Obstacle::Gap))
    );
    for (place, key) in keys.iter().enumerate() {
        let view = stage.view_of(key).await.expect("the key is known");
        assert_eq!(view.held.len(), 2 + place % 3, "{key:?}");
        assert_eq!(view.held[0].id, events[key].0.as_str(), "{key:?}");
        assert_eq!(
            stage.say_of(key, A, Action::Offer(plain(1))).await,
            run(1, 1)
        );
        let (event, fence) = (plain(1), Fence(1));
        let commit = Action::Commit {
            event,
            fence,
            have: 1,
        };
        let Verdict::Committed { next, .. } = stage.say_of(key, A, commit).await else {
            panic!("{key:?} is committed");
        };
        assert_eq!(next.len(), 2 + place % 3);
        assert_eq!(
            (&next[0].id, &next[0].envelope),
            (&events[key].0, &events[key].1)
        );
    }
    stage.crash(A).await;
    let mut all = keys.clone();
    all.sort();
    assert_eq!(stage.swept().await, all);
    for key in &keys {
        assert_eq!(
            stage.say_of(key, B, Action::Offer(plain(1))).await,
            Verdict::Duplicate
        );
        let other = Action::Offer(event(1, "another"));
        assert!(matches!(
            stage.say_of(key, B, other).await,
            Verdict::Conflict { .. }
        ));
    }
}

pub async fn the_longest_key_and_id_are_kept(stage: Stage<impl Store + Admin>) {
    let (long, longer) = (
        "é".repeat(Key::MAX_BYTES / 2),
        "x".repeat(EventId::MAX_BYTES),
    );
    let key = key(&long);
    let hold = Action::Hold(event(2, &longer), Envelope::new("x"));
    assert_eq!(stage.say_of(&key, B, hold).await, held(1, Obstacle::Gap));
    let imposter = Action::Offer(event(2, &longer[1..]));
    let recorded = EventId::new(&longer).expect("it is as long as may be");
    assert_eq!(
        stage.say_of(&key, B, imposter).await,
        Verdict::Conflict { recorded }
    );
    let view = stage.view_of(&key).await.expect("the key is known");
    assert_eq!(view.held[0].id, longer);
}

pub async fn no_group_is_taken_for_another(stage: Stage<impl Store + Admin>) {
    let own = unique("g");
    for text in TEXTS {
        for name in [format!("{own}{text}"), format!("{text}{own}")] {
            let group = Group::new(&name, stage.group.policy().clone());
            stage
                .store
                .open(&group, &ordered_core::protocol::WorkerId::new(A))
                .await
                .expect("the group opens");
            let command = Command {
                key: key("k"),
                action: Action::Offer(plain(1)),
            };
            let worker = ordered_core::protocol::WorkerId::new(A);
            let verdicts = stage.store.apply(&group, &worker, &[command]).await;
            assert_eq!(
                verdicts.expect("the store is there"),
                [run(1, 1)],
                "{name:?}"
            );
        }
    }
}

/// Each key with as many events as its place says, and nothing of another's.
pub async fn keys_that_differ_in_one_byte_share_nothing(stage: Stage<impl Store + Admin>) {
    let long = "k".repeat(Key::MAX_BYTES - 1);
    let mut keys: Vec<Key> = (0..=127_u8)
        .map(|byte| key(&format!("a{}b", char::from(byte))))
        .collect();
    keys.extend(["a", "ab", "aa", "b"].map(key));
    for (first, last) in [("x", ""), ("y", ""), ("", "x"), ("", "y"), ("", "")] {
        keys.push(key(&format!("{first}{long}{last}")));
    }
    let count = |place: usize| place as u64 % 3 + 1;
    for (place, key) in keys.iter().enumerate() {
        for seq in 1..=count(place) {
            let offered = stage.say_of(key, A, Action::Offer(plain(seq))).await;
            assert!(matches!(offered, Verdict::Run(_)), "{key:?}: {offered:?}");
            let (event, fence, have) = (plain(seq), Fence(seq), seq);
            let commit = Action::Commit { event, fence, have };
            let committed = stage.say_of(key, A, commit).await;
            let is_committed = matches!(committed, Verdict::Committed { .. });
            assert!(is_committed, "{key:?}: {committed:?}");
        }
    }
    for (place, key) in keys.iter().enumerate() {
        let view = stage.view_of(key).await.expect("the key is known");
        assert_eq!(view.last_seq, count(place), "{key:?}");
        assert_eq!((view.fence, view.held.len()), (count(place), 0), "{key:?}");
        let beyond = Action::Offer(plain(count(place)));
        let verdict = stage.say_of(key, B, beyond).await;
        assert_eq!(verdict, Verdict::Duplicate, "{key:?}");
    }
}

/// The same id in another key is another event, also where key and id joined are the same text.
pub async fn an_id_is_remembered_for_its_own_key_alone(stage: Stage<impl Store + Admin>) {
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
    for (name, id) in pairs {
        let (key, first) = (key(name), event(1, id));
        let offered = stage.say_of(&key, A, Action::Offer(first.clone())).await;
        assert_eq!(offered, run(1, 1), "{name:?} {id:?}");
        let (event, fence, have) = (first, Fence(1), 1);
        let commit = Action::Commit { event, fence, have };
        assert!(matches!(
            stage.say_of(&key, A, commit).await,
            Verdict::Committed { .. }
        ));
    }
    for (name, id) in pairs {
        let key = key(name);
        let again = stage.say_of(&key, B, Action::Offer(event(1, id))).await;
        assert_eq!(again, Verdict::Duplicate, "{name:?} {id:?}");
        for (_, other) in pairs.iter().filter(|(_, other)| *other != id) {
            let verdict = stage.say_of(&key, B, Action::Offer(event(1, other))).await;
            let recorded = EventId::new(id).expect("it is not empty");
            assert_eq!(
                verdict,
                Verdict::Conflict { recorded },
                "{name:?} {other:?}"
            );
        }
    }
}
