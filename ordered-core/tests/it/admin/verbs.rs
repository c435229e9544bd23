use ordered_core::admin::OperateError;
use ordered_core::internal::{Phase, stored_event};
use ordered_core::protocol::{Refusal, Verb, Verdict};
use ordered_core::store::{Inspect, Slot, Store, Sweep};

use crate::support::faulty_store::Fault;
use crate::support::stage::{Stage, ada, dead_letter, dry_run, force, hold, id_of, key, seq};

fn verbs() -> Vec<Verb> {
    vec![
        Verb::Retry,
        Verb::Skip { to: None },
        Verb::Skip { to: Some(seq(4)) },
        Verb::Discard { seq: seq(3) },
        Verb::Discard { seq: seq(1) },
        Verb::Discard { seq: seq(9) },
        Verb::Edit {
            seq: seq(2),
            body: "new".into(),
        },
        Verb::Edit {
            seq: seq(1),
            body: "new".into(),
        },
        Verb::SetLast { to: 3 },
        Verb::SetLast { to: 0 },
        Verb::Pause,
        Verb::Resume,
        Verb::Replay { seq: None },
        Verb::Replay { seq: Some(seq(2)) },
    ]
}

fn released(verdict: Verdict) -> Vec<u64> {
    match verdict {
        Verdict::Operated(effect) => effect.released,
        other => panic!("not done: {other:?}"),
    }
}

/// Two dead letters, and events that wait behind a gap.
async fn with_dead_letters(stage: &Stage) {
    let change = |transition: &mut ordered_core::internal::Transition<'_>| {
        dead_letter(transition, 1);
        dead_letter(transition, 2);
        hold(transition, 4);
    };
    stage.change("key", change).await;
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_says_what_the_verb_will_do_and_changes_nothing() {
    for verb in verbs() {
        for halted in [true, false] {
            let stage = Stage::new().await;
            if halted {
                stage.halt("key").await;
            } else {
                with_dead_letters(&stage).await;
            }
            let before = stage.record("key").await;
            let said = stage.operate_with(&verb, dry_run()).await.unwrap();
            assert_eq!(stage.record("key").await, before, "{verb}");
            assert_eq!(stage.admin.audit(&stage.group, 9).await.unwrap(), []);
            assert_eq!(stage.operate(&verb).await, said, "{verb}");
            let changed = stage.record("key").await.body != before.body;
            let edits = matches!(verb, Verb::Edit { .. });
            assert!(
                edits || changed == matches!(said, Verdict::Operated(_)),
                "{verb}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_operator_leaves_nothing_behind() {
    for verb in verbs() {
        let stage = Stage::new().await;
        stage.halt("key").await;
        stage.operate(&verb).await;
        assert_eq!(stage.record("key").await.owner, None, "{verb}");
        let workers = stage.admin.workers(&stage.group).await.unwrap().workers;
        let names: Vec<&str> = workers.iter().map(|worker| worker.id.as_str()).collect();
        assert_eq!(names, ["w1"], "{verb}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_sweep_of_a_worker_takes_up_what_an_operator_let_go() {
    let stage = Stage::new().await;
    stage.halt("key").await;
    let sweep = Sweep {
        limit: 10,
        longest_wait: std::time::Duration::from_secs(60),
        stuck_after: std::time::Duration::from_secs(60),
    };
    let due = async || {
        let swept = stage.store.sweep(&stage.group, &stage.worker, &sweep).await;
        swept.unwrap().due
    };
    assert_eq!(due().await, []);
    assert_eq!(released(stage.operate(&Verb::Retry).await), [1, 2, 3]);
    assert_eq!(due().await, [key("key")]);
    stage.operate(&Verb::Pause).await;
    assert_eq!(due().await, []);
    let totals = stage.store.totals(&stage.group).await.unwrap();
    assert_eq!((totals.halted, totals.listed), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn each_verb_changes_the_mailbox_with_the_state() {
    let stage = Stage::new().await;
    stage.halt("key").await;
    stage.operate(&Verb::Skip { to: None }).await;
    let edit = |number, body: &'static str| Verb::Edit {
        seq: seq(number),
        body: body.into(),
    };
    stage.operate(&edit(1, "dead")).await;
    stage.operate(&edit(2, "held")).await;
    stage.operate(&Verb::Discard { seq: seq(3) }).await;
    let slots = [
        Slot::Dead { epoch: 0, seq: 1 },
        Slot::Held(1),
        Slot::Held(2),
        Slot::Held(3),
        Slot::Dead { epoch: 0, seq: 3 },
    ];
    let name = key("key");
    let letters = stage.store.letters(&stage.group, &name, &slots);
    let bodies = letters.await.unwrap().into_iter().map(|letter| {
        letter.map(|letter| String::from_utf8_lossy(&stored_event(&letter).unwrap().body).into())
    });
    let bodies: Vec<Option<String>> = bodies.collect();
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(
        bodies,
        [text("dead"), None, text("held"), None, text("body")]
    );
}

#[tokio::test(start_paused = true)]
async fn a_key_of_which_nothing_is_known_begins_with_the_verb() {
    let stage = Stage::new().await;
    let verb = Verb::SetLast { to: 41 };
    let said = stage.operate_with(&verb, dry_run()).await.unwrap();
    assert!(
        stage
            .store
            .read(&stage.group, &key("key"))
            .await
            .unwrap()
            .is_none()
    );
    assert_eq!(stage.operate(&verb).await, said);
    assert_eq!(stage.state("key").await.head(), 42);
}

#[tokio::test(start_paused = true)]
async fn a_refused_verb_saves_nothing_of_an_unknown_key() {
    let stage = Stage::new().await;
    let verdict = stage.operate(&Verb::Retry).await;
    assert_eq!(verdict, Verdict::Refused(Refusal::NotStopped));
    let read = stage.store.read(&stage.group, &key("key")).await.unwrap();
    assert!(read.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_paused_group_releases_nothing() {
    let stage = Stage::new().await;
    stage.halt("key").await;
    stage
        .admin
        .pause_group(&stage.group, true, &ada())
        .await
        .unwrap();
    let said = stage.operate_with(&Verb::Retry, dry_run()).await.unwrap();
    assert!(released(said).is_empty());
    assert!(released(stage.operate(&Verb::Retry).await).is_empty());
    assert_eq!(stage.state("key").await.phase, Phase::Open);
}

#[tokio::test(start_paused = true)]
async fn what_an_operator_did_is_written_down_and_nothing_else() {
    let stage = Stage::new().await;
    stage.halt("key").await;
    stage.operate(&Verb::Resume).await;
    stage.operate_with(&Verb::Retry, dry_run()).await.unwrap();
    stage.operate(&Verb::Skip { to: None }).await;
    stage.operate_with(&Verb::Pause, force()).await.unwrap();
    let audit = stage.admin.audit(&stage.group, 10).await.unwrap();
    let verbs: Vec<&str> = audit.iter().map(|entry| entry.verb.as_str()).collect();
    assert_eq!(verbs, ["pause --force", "skip"]);
    let skip = &audit[1];
    assert_eq!(skip.outcome, "last seq 1, 2 released, 1 removed");
    assert_eq!((&skip.operator, skip.key.as_deref()), (&ada(), Some("key")));
    assert_eq!(skip.at, stage.now().await);
}

#[tokio::test(start_paused = true)]
async fn a_verb_that_could_not_be_written_down_is_told_as_done() {
    let stage = Stage::new().await;
    stage.halt("key").await;
    stage.store.fail(Fault::NoLog);
    let error = stage
        .operate_with(&Verb::Retry, Default::default())
        .await
        .unwrap_err();
    assert!(matches!(error, OperateError::NotLogged { .. }), "{error}");
    assert!(error.to_string().contains("3 released"), "{error}");
    assert_eq!(stage.state("key").await.phase, Phase::Open);
}

#[tokio::test(start_paused = true)]
async fn ids_of_dead_letters_stay_remembered() {
    let stage = Stage::new().await;
    with_dead_letters(&stage).await;
    stage.operate(&Verb::Discard { seq: seq(1) }).await;
    let view = stage.admin.inspect(&stage.group, &key("key")).await;
    let dead = view.unwrap().unwrap().dead;
    assert_eq!(dead.len(), 1);
    assert_eq!(dead[0].id, id_of(2).as_str());
}
