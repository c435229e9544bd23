use std::time::Duration;

use ordered_core::admin::{OPERATOR_LEASE, OperateError, OperateOptions};
use ordered_core::internal::Phase;
use ordered_core::protocol::{Refusal, Verb, Verdict, WorkerId};
use ordered_core::store::{AcquireMode, Answer, Previous, Request, Slot, Store};
use tokio::time::{Instant, advance, sleep};

use crate::support::faulty_store::Fault;
use crate::support::stage::{
    LEASE, Stage, acquire, ada, dry_run, force, hold, key, letter, release,
};

fn post(seq: u64) -> Request {
    acquire("key", vec![(Slot::Held(seq), letter(seq, 0, "posted"))])
}

fn is_operated(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Operated(_))
}

#[tokio::test(start_paused = true)]
async fn a_living_owner_gives_the_key_up_after_the_event_at_work() {
    let stage = Stage::new().await;
    let owned = stage.acquire(&stage.worker, "key").await;
    let operator = stage.clone();
    let operating = tokio::spawn(async move { operator.operate(&Verb::Pause).await });
    sleep(Duration::from_secs(1)).await;
    assert!(!operating.is_finished());
    let saved = stage
        .save("key", &owned, false, |transition| hold(transition, 2))
        .await;
    assert!(saved.hand_over);
    sleep(Duration::from_secs(1)).await;
    assert!(!operating.is_finished());
    let answer = stage.ask(&stage.worker, release("key", owned.fence)).await;
    assert!(matches!(answer, Answer::Saved(saved) if saved.released));
    let begun = Instant::now();
    assert!(is_operated(&operating.await.unwrap()));
    assert!(begun.elapsed() <= Duration::from_millis(100));
    let state = stage.state("key").await;
    assert!(state.paused.is_on() && state.held.contains(2));
}

#[tokio::test(start_paused = true)]
async fn an_owner_that_does_not_give_the_key_up_is_named_in_the_refusal() {
    let stage = Stage::new().await;
    let owned = stage.acquire(&stage.worker, "key").await;
    let begun = Instant::now();
    let error = stage
        .operate_with(&Verb::Pause, OperateOptions::default())
        .await
        .unwrap_err();
    assert_eq!(begun.elapsed().as_secs(), 30);
    let text = error.to_string();
    assert!(matches!(error, OperateError::Busy { .. }), "{text}");
    assert!(text.contains("w1") && text.contains("--force"), "{text}");
    assert!(text.contains("30s"), "{text}");
    let record = stage.record("key").await;
    assert_eq!((record.fence, &record.body), (owned.fence, &None));
    assert!(stage.admin.audit(&stage.group, 9).await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_wait_can_be_none() {
    let stage = Stage::new().await;
    stage.acquire(&stage.worker, "key").await;
    let options = OperateOptions {
        wait: Duration::ZERO,
        ..OperateOptions::default()
    };
    let error = stage.operate_with(&Verb::Pause, options).await;
    assert!(matches!(error, Err(OperateError::Busy { .. })));
}

#[tokio::test(start_paused = true)]
async fn force_takes_the_key_away_and_its_owner_can_commit_nothing() {
    let stage = Stage::new().await;
    let owned = stage.acquire(&stage.worker, "key").await;
    let begin = |transition: &mut ordered_core::internal::Transition<'_>| {
        transition.begin_trial();
    };
    stage.save("key", &owned, false, begin).await;
    let verdict = stage.operate_with(&Verb::Pause, force()).await.unwrap();
    assert!(is_operated(&verdict));
    let answer = stage.ask(&stage.worker, release("key", owned.fence)).await;
    assert_eq!(answer, Answer::Lost);
    let state = stage.state("key").await;
    assert_eq!((state.unfinished, state.crashes), (0, 0));
    assert!(!state.on_trial, "nobody died");
}

#[tokio::test(start_paused = true)]
async fn the_death_of_the_owner_is_noted_and_that_of_an_operator_is_not() {
    let stage = Stage::new().await;
    stage.acquire(&stage.worker, "key").await;
    // In two looks.
    for _ in 0..2 {
        advance(LEASE).await;
        let _ = stage.operate_with(&Verb::Pause, no_wait()).await;
    }
    assert_eq!(stage.state("key").await.unfinished, 1);
    let operator = WorkerId::operator("bob", 1);
    let session = stage.join(operator.as_str()).await;
    stage.acquire(&session, "key").await;
    for _ in 0..2 {
        advance(LEASE).await;
        let _ = stage.operate_with(&Verb::Resume, no_wait()).await;
    }
    let state = stage.state("key").await;
    assert_eq!((state.unfinished, state.paused.is_on()), (1, false));
}

fn no_wait() -> OperateOptions {
    OperateOptions {
        wait: Duration::ZERO,
        ..OperateOptions::default()
    }
}

#[tokio::test(start_paused = true)]
async fn an_operator_that_is_interrupted_leaves_a_lease_that_ends() {
    let stage = Stage::new().await;
    stage.acquire(&stage.worker, "key").await;
    let operator = stage.clone();
    let operating = tokio::spawn(async move { operator.operate(&Verb::Pause).await });
    sleep(Duration::from_secs(5)).await;
    operating.abort();
    assert!(operating.await.unwrap_err().is_cancelled());
    let workers = stage.admin.workers(&stage.group).await.unwrap();
    let until = |view: &ordered_core::admin::WorkersView| {
        let worker = view.workers.iter().find(|worker| worker.id.contains("ada"));
        worker.map(|worker| worker.lease_until)
    };
    let left = until(&workers).expect("it has a lease") - workers.now;
    assert!(Duration::from_millis(left) <= OPERATOR_LEASE);
    assert_eq!(stage.record("key").await.body, None);
}

#[tokio::test(start_paused = true)]
async fn a_long_wait_outlives_the_lease_of_the_operator() {
    let stage = Stage::new().await;
    let owned = stage.acquire(&stage.worker, "key").await;
    let operator = stage.clone();
    let options = OperateOptions {
        wait: 5 * OPERATOR_LEASE,
        ..OperateOptions::default()
    };
    let operating = tokio::spawn(async move {
        let operated = operator.operate_with(&Verb::Pause, options);
        operated.await.unwrap()
    });
    for _ in 0..4 {
        sleep(OPERATOR_LEASE).await;
        let beat = stage
            .store
            .heartbeat(&stage.group, &stage.worker, LEASE)
            .await;
        beat.unwrap();
    }
    stage.ask(&stage.worker, release("key", owned.fence)).await;
    assert!(is_operated(&operating.await.unwrap()));
}

#[tokio::test(start_paused = true)]
async fn mail_that_comes_while_an_operator_decides_is_taken_in() {
    let stage = Stage::new().await;
    stage.halt("key").await;
    let fault = Fault::Behind(stage.worker.clone(), vec![post(4), post(7)]);
    stage.store.fail(fault);
    assert!(is_operated(&stage.operate(&Verb::Retry).await));
    let record = stage.record("key").await;
    assert_eq!(record.owner, None);
    let held: Vec<u64> = stage.state("key").await.held.iter().collect();
    assert_eq!(held, [1, 2, 3, 4, 5, 7]);
}

#[tokio::test(start_paused = true)]
async fn a_refused_verb_takes_in_the_mail_of_the_owner_before() {
    let stage = Stage::new().await;
    let other = stage.join("w2").await;
    stage.acquire(&other, "key").await;
    stage.ask(&stage.worker, post(1)).await;
    stage.store.leave(&stage.group, &other).await.unwrap();
    let view = stage.admin.inspect(&stage.group, &key("key")).await;
    assert_eq!(view.unwrap().unwrap().held_events, 1);
    let verdict = stage.operate(&Verb::Resume).await;
    assert_eq!(verdict, Verdict::Refused(Refusal::Already));
    let state = stage.state("key").await;
    assert!(state.held.contains(1) && state.is_ready());
    assert_eq!(stage.record("key").await.owner, None);
}

#[tokio::test(start_paused = true)]
async fn a_verb_whose_answer_is_lost_is_done_once() {
    for fault in [Fault::LosesAnswer, Fault::LosesSave] {
        let stage = Stage::new().await;
        stage.halt("key").await;
        stage.store.fail(fault);
        let verdict = stage.operate(&Verb::Skip { to: None }).await;
        assert!(is_operated(&verdict));
        let state = stage.state("key").await;
        assert_eq!((state.last_seq, state.phase), (1, Phase::Open));
        assert_eq!(stage.record("key").await.owner, None);
        let audit = stage.admin.audit(&stage.group, 9).await.unwrap();
        assert_eq!(audit.len(), 1);
        assert_eq!(audit[0].operator, ada());
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_that_was_taken_over_meanwhile_is_told() {
    let stage = Stage::new().await;
    stage.halt("key").await;
    let Request::Acquire(mut steal) = acquire("key", Vec::new()) else {
        unreachable!("it is an acquisition");
    };
    steal.mode = AcquireMode::Steal;
    let steal = Request::Acquire(steal);
    stage
        .store
        .fail(Fault::Behind(stage.worker.clone(), vec![steal]));
    let error = stage
        .operate_with(&Verb::Retry, OperateOptions::default())
        .await
        .unwrap_err();
    assert!(matches!(error, OperateError::Lost), "{error}");
    assert!(error.to_string().contains("try again"));
    let owned = stage.acquire(&stage.worker, "key").await;
    assert_eq!(owned.previous, Previous::Myself);
    let state = stage.state("key").await;
    assert!(matches!(state.phase, Phase::Halted { .. }));
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_reckons_with_an_owner_that_is_dead() {
    let stage = Stage::new().await;
    stage
        .change("key", |transition| {
            hold(transition, 1);
            transition.owner_died("w0");
        })
        .await;
    stage.acquire(&stage.worker, "key").await;
    let said = stage.operate_with(&Verb::Retry, dry_run()).await.unwrap();
    assert_eq!(said, Verdict::Refused(Refusal::NotStopped));
    sleep(LEASE).await;
    let said = stage.operate_with(&Verb::Retry, dry_run()).await.unwrap();
    assert!(is_operated(&said), "two deaths make a suspect");
    let options = OperateOptions {
        wait: LEASE,
        ..OperateOptions::default()
    };
    let verdict = stage.operate_with(&Verb::Retry, options).await.unwrap();
    assert_eq!(verdict, said);
}
