//! Verbs to many keys.

use std::time::Duration;

use ordered_core::admin::{Admin, TaskOutcome};
use ordered_core::admin::{Bulk, BulkVerb, KeyTask, OperateError, OperateOptions, Plan, Selection};
use ordered_core::event::Key;
use ordered_core::internal::Phase;
use ordered_core::protocol::{Refusal, Verb};
use ordered_core::store::Group;

use crate::support::faulty_store::Fault;
use crate::support::stage::{Stage, acquire, ada, dead_letter, fail, hold, key, release, seq};

fn by_name(names: &[&str]) -> Selection {
    Selection {
        keys: names.iter().map(|name| key(name)).collect(),
        ..Selection::default()
    }
}

async fn plan(stage: &Stage, selection: &Selection, verb: BulkVerb) -> Plan {
    let plan = stage.admin.plan(&stage.group, selection, verb).await;
    plan.unwrap()
}

fn keys(plan: &Plan) -> Vec<&str> {
    let keys = plan.tasks.iter().map(|planned| planned.task.key.as_str());
    keys.collect()
}

fn tasks(plan: Plan) -> Vec<KeyTask> {
    plan.tasks.into_iter().map(|planned| planned.task).collect()
}

async fn carry_out(
    stage: &Stage,
    tasks: Vec<KeyTask>,
    options: OperateOptions,
) -> Vec<(Key, TaskOutcome)> {
    through(&stage.admin, &stage.group, tasks, options).await
}

async fn through(
    admin: &Admin,
    group: &Group,
    tasks: Vec<KeyTask>,
    options: OperateOptions,
) -> Vec<(Key, TaskOutcome)> {
    let operator = ada();
    let mut bulk = admin.bulk(group, tasks, &operator, options).await.unwrap();
    let mut all = Vec::new();
    while let Some(results) = bulk.advance().await.unwrap() {
        all.extend(results);
    }
    assert_eq!(bulk.left(), 0);
    bulk.leave().await;
    all
}

/// So many keys that are halted.
async fn halted(count: usize) -> Stage {
    let stage = Stage::new().await;
    for number in 0..count {
        stage.halt(&format!("k{number:04}")).await;
    }
    stage
}

fn is_done(outcome: &TaskOutcome) -> bool {
    matches!(outcome, TaskOutcome::Done(_))
}

#[tokio::test(start_paused = true)]
async fn every_key_is_done_and_written_down() {
    let count = Bulk::BATCH + 3;
    let stage = halted(count).await;
    let plan = plan(&stage, &Selection::default(), BulkVerb::Retry).await;
    assert_eq!(plan.tasks.len(), count);
    assert_eq!(plan.tasks[0].effect.released, [1, 2, 3]);
    let results = carry_out(&stage, tasks(plan), OperateOptions::default()).await;
    assert_eq!(results.len(), count);
    assert!(results.iter().all(|(_, outcome)| is_done(outcome)));
    for name in ["k0000", "k0252"] {
        assert_eq!(stage.state(name).await.phase, Phase::Open);
        assert!(stage.record(name).await.owner.is_none(), "it is given up");
    }
    let audit = stage.admin.audit(&stage.group, 1_000).await.unwrap();
    assert_eq!(audit.len(), count);
    assert_eq!(audit[0].verb, "retry");
}

#[tokio::test(start_paused = true)]
async fn a_second_time_is_harmless() {
    let stage = halted(3).await;
    let skips = tasks(plan(&stage, &Selection::default(), BulkVerb::Skip).await);
    let first = carry_out(&stage, skips.clone(), OperateOptions::default()).await;
    assert!(first.iter().all(|(_, outcome)| is_done(outcome)));
    let before = stage.state("k0000").await;
    for (_, outcome) in carry_out(&stage, skips, OperateOptions::default()).await {
        assert!(
            matches!(outcome, TaskOutcome::Refused(Refusal::NotAhead)),
            "{outcome:?}"
        );
    }
    assert_eq!(stage.state("k0000").await, before);
    assert!(
        plan(&stage, &Selection::default(), BulkVerb::Retry)
            .await
            .tasks
            .is_empty()
    );
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_has_a_key_holds_up_no_other() {
    let stage = halted(3).await;
    let owned = stage.acquire(&stage.worker, "k0001").await;
    let selection = by_name(&["k0000", "k0001", "k0002"]);
    let tasks = tasks(plan(&stage, &selection, BulkVerb::Retry).await);
    let options = OperateOptions {
        wait: Duration::from_secs(2),
        ..OperateOptions::default()
    };
    let operator = ada();
    let bulk = stage
        .admin
        .bulk(&stage.group, tasks.clone(), &operator, options);
    let mut bulk = bulk.await.unwrap();
    let first = bulk.advance().await.unwrap().unwrap();
    assert_eq!(first.len(), 2);
    assert_eq!((bulk.left(), bulk.owners()), (1, vec!["w1".to_owned()]));
    // The worker hands it over.
    stage
        .ask(&stage.worker, release("k0001", owned.fence))
        .await;
    let second = bulk.advance().await.unwrap().unwrap();
    assert!(is_done(&second[0].1), "{second:?}");
    assert!(bulk.advance().await.unwrap().is_none());
    bulk.leave().await;

    stage.acquire(&stage.worker, "k0001").await;
    let results = carry_out(&stage, tasks, options).await;
    let busy = |(key, outcome): &&(Key, TaskOutcome)| {
        key.as_str() == "k0001" && matches!(outcome, TaskOutcome::Failed(OperateError::Busy { .. }))
    };
    assert_eq!(results.iter().filter(busy).count(), 1, "{results:?}");
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_found_out_and_nothing_is_done_twice() {
    for (fault, name) in [(Fault::LosesAnswer, "answer"), (Fault::LosesSave, "save")] {
        let stage = halted(3).await;
        let tasks = tasks(plan(&stage, &Selection::default(), BulkVerb::Skip).await);
        stage.store.fail(fault);
        let results = carry_out(&stage, tasks, OperateOptions::default()).await;
        assert_eq!(results.len(), 3, "{name}");
        assert!(
            results.iter().all(|(_, outcome)| is_done(outcome)),
            "{name} {results:?}"
        );
        let record = stage.record("k0002").await;
        assert!(record.owner.is_none(), "{name}: it is given up");
        assert_eq!(stage.state("k0002").await.last_seq, 1, "{name}");
        let audit = stage.admin.audit(&stage.group, 10).await.unwrap();
        assert_eq!(audit.len(), 3, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_could_not_be_written_down_is_told_as_done() {
    let stage = halted(2).await;
    let tasks = tasks(plan(&stage, &Selection::default(), BulkVerb::Retry).await);
    stage.store.fail(Fault::NoLog);
    for (_, outcome) in carry_out(&stage, tasks, OperateOptions::default()).await {
        let not_logged = matches!(outcome, TaskOutcome::Failed(OperateError::NotLogged { .. }));
        assert!(not_logged, "{outcome:?}");
    }
    assert_eq!(stage.state("k0000").await.phase, Phase::Open);
}

#[tokio::test(start_paused = true)]
async fn a_selection_takes_what_it_says() {
    let stage = halted(1).await;
    stage.change("gap", |transition| hold(transition, 3)).await;
    stage
        .change("dead", |transition| {
            dead_letter(transition, 1);
            dead_letter(transition, 2);
        })
        .await;
    stage
        .change("other", |transition| {
            fail(transition, 1, |transition, mut run| {
                run.error = "no price for 4711";
                transition.halt(run);
            });
        })
        .await;
    let of = |change: fn(&mut Selection)| {
        let mut selection = Selection::default();
        change(&mut selection);
        selection
    };
    let all = Selection::default();
    for (selection, verb, expected) in [
        (all.clone(), BulkVerb::Retry, &["k0000", "other"][..]),
        (all.clone(), BulkVerb::Skip, &["gap", "k0000", "other"]),
        (all.clone(), BulkVerb::Resume, &[]),
        (all.clone(), BulkVerb::Replay, &["dead"]),
        (of(|it| it.gap = true), BulkVerb::Skip, &["gap"]),
        (
            of(|it| it.halted = true),
            BulkVerb::Skip,
            &["k0000", "other"],
        ),
        (
            of(|it| (it.halted, it.gap) = (true, true)),
            BulkVerb::Skip,
            &["gap", "k0000", "other"],
        ),
        (
            of(|it| it.error = Some("no price for …".into())),
            BulkVerb::Retry,
            &["other"],
        ),
        (
            of(|it| it.error = Some("47".into())),
            BulkVerb::Retry,
            &["other"],
        ),
        (
            of(|it| it.error = Some("none".into())),
            BulkVerb::Retry,
            &[],
        ),
        (
            of(|it| it.pattern = Some("k*".into())),
            BulkVerb::Retry,
            &["k0000"],
        ),
        (of(|it| it.limit = Some(1)), BulkVerb::Retry, &["k0000"]),
        (
            of(|it| it.older_than = Some(Duration::from_secs(60))),
            BulkVerb::Retry,
            &[],
        ),
        (
            of(|it| it.error = Some("it failed".into())),
            BulkVerb::Discard,
            &["dead"],
        ),
        (
            of(|it| it.error = Some("price".into())),
            BulkVerb::Discard,
            &[],
        ),
    ] {
        let found = plan(&stage, &selection, verb).await;
        assert_eq!(keys(&found), expected, "{selection:?} {verb:?}");
        assert_eq!(found.more, selection.limit.is_some());
    }
    tokio::time::advance(Duration::from_secs(61)).await;
    let old = of(|it| it.older_than = Some(Duration::from_secs(60)));
    assert_eq!(
        keys(&plan(&stage, &old, BulkVerb::Retry).await),
        ["k0000", "other"]
    );
}

#[tokio::test(start_paused = true)]
async fn keys_that_were_named_are_answered_each() {
    let stage = halted(1).await;
    stage.change("gap", |transition| hold(transition, 3)).await;
    let selection = by_name(&["k0000", "gap", "nobody"]);
    let found = plan(&stage, &selection, BulkVerb::Retry).await;
    assert_eq!(keys(&found), ["k0000"]);
    assert_eq!(found.refused, [(key("gap"), Refusal::NotStopped)]);
    assert_eq!(found.unknown, [key("nobody")]);
}

#[tokio::test(start_paused = true)]
async fn dead_letters_are_replayed_and_deleted_by_their_error() {
    let stage = Stage::new().await;
    stage
        .change("key", |transition| {
            dead_letter(transition, 1);
            fail(transition, 2, |transition, mut run| {
                run.error = "no stock";
                transition.dead_letter(run);
            });
            dead_letter(transition, 3);
        })
        .await;
    let selection = Selection {
        error: Some("stock".into()),
        ..Selection::default()
    };
    let found = plan(&stage, &selection, BulkVerb::Replay).await;
    assert_eq!(
        found.tasks[0].task.verbs,
        [Verb::Replay { seq: Some(seq(2)) }]
    );
    assert_eq!(found.tasks[0].effect.marked, [2]);
    carry_out(&stage, tasks(found), OperateOptions::default()).await;
    let state = stage.state("key").await;
    assert_eq!(state.replays.keys().copied().collect::<Vec<_>>(), [2]);

    let selection = Selection {
        error: Some("it failed".into()),
        ..Selection::default()
    };
    let found = plan(&stage, &selection, BulkVerb::Discard).await;
    assert_eq!(found.tasks[0].effect.removed, [1, 3]);
    carry_out(&stage, tasks(found), OperateOptions::default()).await;
    let left: Vec<_> = stage.state("key").await.dead_letters().collect();
    assert_eq!(left, [(0, 2)]);
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_is_never_mistaken_for_another_of_its_seq() {
    let stage = Stage::new().await;
    stage
        .change("key", |transition| dead_letter(transition, 1))
        .await;
    stage.operate(&Verb::SetLast { to: 0 }).await;
    stage
        .change("key", |transition| {
            fail(transition, 1, |transition, mut run| {
                run.error = "another";
                transition.dead_letter(run);
            });
        })
        .await;
    // The older one cannot be reached before the newer one.
    let of = |error: &str| Selection {
        error: Some(error.into()),
        ..Selection::default()
    };
    assert!(
        plan(&stage, &of("it failed"), BulkVerb::Discard)
            .await
            .tasks
            .is_empty()
    );
    let found = plan(&stage, &Selection::default(), BulkVerb::Discard).await;
    assert_eq!(found.tasks[0].effect.removed, [1, 1]);
    carry_out(&stage, tasks(found), OperateOptions::default()).await;
    assert!(stage.state("key").await.dead.is_empty());
}

#[tokio::test(start_paused = true)]
async fn with_force_keys_are_taken_from_their_workers() {
    let stage = halted(2).await;
    stage.ask(&stage.worker, acquire("k0001", Vec::new())).await;
    let tasks = tasks(plan(&stage, &by_name(&["k0000", "k0001"]), BulkVerb::Retry).await);
    let options = OperateOptions {
        force: true,
        ..OperateOptions::default()
    };
    let results = carry_out(&stage, tasks, options).await;
    assert!(results.iter().all(|(_, outcome)| is_done(outcome)));
    let audit = stage.admin.audit(&stage.group, 2).await.unwrap();
    assert_eq!(audit[0].verb, "retry --force");
}
