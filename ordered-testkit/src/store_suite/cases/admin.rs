use std::collections::BTreeSet;
use std::time::Duration;

use ordered_core::event::{Envelope, Key, Seq};
use ordered_core::protocol::{Action, GapPolicy, Obstacle, Policy, Refusal, Verb, Verdict};
use ordered_core::store::{Admin, Group, KeyFilter, Operator, Store};

use crate::store_suite::stage::{A, B, LEASE, Stage, claimed, early, held, key, plain, run};
use crate::unique;

fn ada() -> Operator {
    Operator {
        who: "ada".into(),
        why: "a \"test\"\nof it".into(),
    }
}

async fn operate(stage: &Stage<impl Store + Admin>, verb: &Verb, dry_run: bool) -> Verdict {
    let (group, key) = (&stage.group, &stage.key);
    let verdict = stage.store.operate(group, key, verb, &ada(), dry_run).await;
    verdict.expect("the store is there")
}

/// The seqs that a verb released, and those that it removed.
fn effect(verdict: Verdict) -> (Vec<u64>, Vec<u64>) {
    match verdict {
        Verdict::Operated(effect) => (effect.released, effect.removed),
        other => panic!("not done: {other:?}"),
    }
}

async fn halted(stage: &Stage<impl Store + Admin>) {
    stage.offer(A, 1).await;
    stage.hold(B, 2).await;
    let halt = Action::Halt(stage.attempt(1, 1).await, Envelope::new("poison"));
    assert_eq!(stage.say(A, halt).await, Verdict::Halted);
}

async fn names(stage: &Stage<impl Store + Admin>, filter: KeyFilter) -> BTreeSet<String> {
    let (mut names, mut cursor) = (BTreeSet::new(), None);
    loop {
        let page = stage.store.keys(&stage.group, filter, cursor).await;
        let page = page.expect("the store is there");
        names.extend(page.keys.into_iter().map(|view| view.key));
        cursor = page.cursor;
        if cursor.is_none() {
            return names;
        }
    }
}

pub async fn a_group_is_found_with_the_rules_it_was_opened_with(stage: Stage<impl Store + Admin>) {
    let name = unique("rules{}:%");
    let mut policy = Policy::default();
    let after = Duration::from_millis(1_500);
    policy.on_gap = GapPolicy::Skip { after };
    policy.max_attempts = 9;
    let group = Group::new(&name, policy);
    let worker = ordered_core::protocol::WorkerId::new(A);
    assert_eq!(stage.store.group(&name).await.expect("it is there"), None);
    let opened = stage.store.open(&group, &worker).await;
    opened.expect("the group opens");
    let found = stage.store.group(&name).await.expect("it is there");
    assert_eq!(found, Some(group));
    let groups = stage.store.groups().await.expect("the store is there");
    assert!(groups.contains(&name) && groups.is_sorted());
}

pub async fn a_dry_run_says_the_same_and_changes_nothing(stage: Stage<impl Store + Admin>) {
    halted(&stage).await;
    let before = stage.view().await;
    let discard = Verb::Discard {
        seq: Seq::new(2).expect("it is in bounds"),
    };
    for verb in [Verb::Retry, Verb::Skip { to: None }, discard, Verb::Pause] {
        let said = operate(&stage, &verb, true).await;
        assert!(matches!(said, Verdict::Operated(_)), "{verb}: {said:?}");
        assert_eq!(stage.view().await, before, "{verb}");
    }
    let told = operate(&stage, &Verb::Retry, true).await;
    assert_eq!(operate(&stage, &Verb::Retry, false).await, told);
    assert_eq!(effect(told), (vec![1, 2], vec![]));
}

pub async fn a_verb_that_cannot_be_done_says_why(stage: Stage<impl Store + Admin>) {
    stage.process(A, 1).await;
    let seq = Seq::new(1).expect("it is in bounds");
    let cases = [
        (Verb::Retry, Refusal::NotStopped),
        (Verb::Skip { to: None }, Refusal::NothingToSkip),
        (Verb::Skip { to: Some(seq) }, Refusal::NotAhead),
        (Verb::Discard { seq }, Refusal::NoSuchEvent),
        (Verb::SetLast { to: 1 }, Refusal::Already),
        (Verb::Resume, Refusal::Already),
        (Verb::Replay { seq: None }, Refusal::NoSuchEvent),
    ];
    for (verb, refusal) in cases {
        let verdict = operate(&stage, &verb, false).await;
        assert_eq!(verdict, Verdict::Refused(refusal), "{verb}");
    }
    stage.offer(A, 2).await;
    let (seq, body) = (Seq::new(2).expect("it is in bounds"), "x".into());
    let edit = operate(&stage, &Verb::Edit { seq, body }, false).await;
    assert_eq!(edit, Verdict::Refused(Refusal::Running));
}

pub async fn what_was_skipped_is_kept_and_replayed_with_another_body(
    stage: Stage<impl Store + Admin>,
) {
    halted(&stage).await;
    let skipped = operate(&stage, &Verb::Skip { to: None }, false).await;
    assert_eq!(effect(skipped), (vec![2], vec![1]));
    let seq = Seq::new(1).expect("it is in bounds");
    let body = "mended\0".into();
    effect(operate(&stage, &Verb::Edit { seq, body }, false).await);
    let event = stage.store.event(&stage.group, &stage.key, seq).await;
    let event = event.expect("the store is there").expect("it is aside");
    assert_eq!(event.body, "mended\0");
    let dead = stage.view().await.dead;
    assert_eq!((dead[0].cause.as_str(), dead[0].attempts), ("skipped", 1));
    let replay = operate(&stage, &Verb::Replay { seq: None }, false).await;
    assert_eq!(effect(replay), (vec![1, 2], vec![]));
    let verdict = stage.say(B, Action::Claim).await;
    assert_eq!(claimed(&verdict), (vec![1, 2], 1));
    let Verdict::Claimed { next, .. } = verdict else {
        unreachable!("it was claimed");
    };
    assert_eq!(next[0].envelope, event);
}

pub async fn what_an_operator_did_is_written_down(stage: Stage<impl Store + Admin>) {
    halted(&stage).await;
    operate(&stage, &Verb::Skip { to: None }, true).await;
    effect(operate(&stage, &Verb::Retry, false).await);
    operate(&stage, &Verb::Retry, false).await;
    stage.clock.advance(5);
    let paused = stage.store.pause_group(&stage.group, true, &ada()).await;
    assert!(paused.expect("the store is there"));
    let again = stage.store.pause_group(&stage.group, true, &ada()).await;
    assert!(!again.expect("the store is there"));
    let audit = stage.store.audit(&stage.group, 10).await;
    let audit = audit.expect("the store is there");
    let told: Vec<_> = audit
        .iter()
        .map(|entry| (entry.verb.as_str(), entry.key.as_deref()))
        .collect();
    assert_eq!(told, [("pause", None), ("retry", Some("order-1"))]);
    assert_eq!(audit[0].operator, ada());
    assert_eq!(audit[0].at, stage.clock.now());
    assert_eq!(audit[1].outcome, "last seq 0, 2 released, 0 removed");
    let newest = stage.store.audit(&stage.group, 1).await;
    assert_eq!(newest.expect("the store is there"), audit[..1]);
}

pub async fn a_paused_group_grants_nothing_until_it_is_resumed(stage: Stage<impl Store + Admin>) {
    stage.offer(A, 1).await;
    stage.hold(B, 2).await;
    let nobody = Operator::default();
    let pause = |paused| stage.store.pause_group(&stage.group, paused, &nobody);
    let paused = pause(true).await;
    assert!(paused.expect("the store is there"));
    let verdict = stage.commit(A, 1).await;
    assert!(matches!(verdict, Verdict::Committed { front: None, .. }));
    assert_eq!(stage.offer(A, 2).await, held(2, Obstacle::Paused));
    let other = key("another");
    let offer = Action::Offer(plain(1));
    let verdict = stage.say_of(&other, A, offer.clone()).await;
    assert_eq!(verdict, early(1, Obstacle::Paused));
    assert_eq!(stage.swept().await, []);
    let resumed = pause(false).await;
    assert!(resumed.expect("the store is there"));
    assert_eq!(stage.swept().await, vec![stage.key.clone()]);
    assert_eq!(stage.say_of(&other, A, offer).await, run(1, 1));
}

pub async fn an_overview_counts_the_keys_by_what_they_do(stage: Stage<impl Store + Admin>) {
    halted(&stage).await;
    let say = async |name: &str, action: Action| stage.say_of(&key(name), A, action).await;
    say("running", Action::Offer(plain(1))).await;
    let since = stage.clock.now();
    say("gap", Action::Hold(plain(3), Envelope::new("four"))).await;
    stage.clock.advance(10);
    say("younger", Action::Hold(plain(2), Envelope::new("four"))).await;
    say("paused", Action::Operate(Verb::Pause)).await;
    say("idle", Action::Offer(plain(1))).await;
    let fence = ordered_core::protocol::Fence(1);
    say("idle", Action::Release { fence }).await;
    let view = stage.store.overview(&stage.group).await;
    let view = view.expect("the store is there");
    let keys = view.keys;
    assert_eq!((keys.all, keys.active, keys.held, keys.gap), (6, 1, 3, 2));
    assert_eq!((keys.backing_off, keys.halted, keys.paused), (0, 1, 1));
    assert_eq!((view.held_events, view.held_bytes), (4, 24));
    assert_eq!(view.oldest_gap, Some(("gap".into(), since)));
    let workers: Vec<_> = view
        .workers
        .iter()
        .map(|worker| (worker.id.as_str(), worker.alive, worker.keys))
        .collect();
    assert_eq!(workers, [(A, true, 1), (B, true, 0)]);
    assert_eq!(view.workers[0].lease_until, since + LEASE);
    let stuck = ["gap", "order-1", "paused", "younger"];
    let stuck = stuck.map(str::to_owned).into();
    assert_eq!(names(&stage, KeyFilter::Stuck).await, stuck);
    assert_eq!(names(&stage, KeyFilter::All).await.len(), 6);
}

pub async fn pages_list_every_key_once_or_more(stage: Stage<impl Store + Admin>) {
    let keys: Vec<Key> = (0..1_500).map(|n| key(&format!("key {n}"))).collect();
    let commands: Vec<_> = keys
        .iter()
        .map(|key| ordered_core::protocol::Command {
            key: key.clone(),
            action: Action::Hold(plain(2), Envelope::new("x")),
        })
        .collect();
    stage.batch(A, &commands).await;
    let all: BTreeSet<String> = keys.iter().map(Key::to_string).collect();
    assert_eq!(names(&stage, KeyFilter::All).await, all);
    assert_eq!(names(&stage, KeyFilter::Stuck).await, all);
}
