use std::collections::BTreeMap;

use ordered_core::event::{Envelope, EventId, Key};
use ordered_core::protocol::{Action, Command, Event, Fence, Obstacle, Verdict};
use ordered_core::store::{Admin, Group, Store};

use crate::store_suite::stage::{A, B, Stage, event, held, key, plain, run};
use crate::unique;

/// Texts that a careless join of names, a pattern, a line or a C string would mix up.
const TEXTS: [&str; 24] = [
    "a", "1:a", "a:1", "1", "1:1", "2:1:1", "{a}", "{", "}", "}:{", ":", "::", "a\nb", "\n",
    "\r\n", "\0", "a\0", "a\0b", "😀", "%7B", "*", "a 1", " ", "\u{202e}",
];

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
