use ordered_core::admin::{Admin, KeyFilter, StoredEvent, StoredKind};
use ordered_core::event::Key;
use ordered_core::internal::{Phase, Transition};
use ordered_core::protocol::{KeyView, Verb};
use ordered_core::store::{Answer, PutMode, Request, Save, StoreErrorKind};

use crate::support::stage::{
    Stage, acquire, ada, dead_letter, fail, hold, id_of, key, letter, seq,
};

async fn all_keys(stage: &Stage, filter: KeyFilter) -> Vec<KeyView> {
    let (mut keys, mut cursor) = (Vec::new(), None);
    loop {
        let page = stage
            .admin
            .keys(&stage.group, filter, cursor)
            .await
            .unwrap();
        assert!(page.keys.len() <= 2);
        keys.extend(page.keys);
        cursor = page.cursor;
        if cursor.is_none() {
            return keys;
        }
    }
}

async fn names(stage: &Stage, filter: KeyFilter) -> Vec<String> {
    let keys = all_keys(stage, filter).await;
    keys.into_iter().map(|view| view.key).collect()
}

async fn view(stage: &Stage, name: &str) -> KeyView {
    let view = stage.admin.inspect(&stage.group, &key(name)).await.unwrap();
    view.expect("the key is known")
}

fn commit(transition: &mut Transition<'_>, seq: u64) {
    let id = id_of(seq);
    let (stored, replay) = (false, false);
    transition.commit(ordered_core::internal::Subject {
        seq,
        id: &id,
        stored,
        replay,
    });
}

/// One key in each state.
async fn crowd() -> Stage {
    let stage = Stage::new().await;
    let wait = std::time::Duration::from_secs(9);
    stage
        .change("idle", |transition| commit(transition, 1))
        .await;
    stage.change("gap", |transition| hold(transition, 3)).await;
    stage.halt("key").await;
    let postpone = |transition: &mut Transition<'_>| {
        fail(transition, 1, |transition, run| {
            transition.postpone(run, wait)
        });
    };
    stage.change("backing-off", postpone).await;
    stage
        .change("dead", |transition| dead_letter(transition, 1))
        .await;
    stage
        .change("paused", |transition| {
            transition.operate(&Verb::Pause, None).unwrap();
        })
        .await;
    stage.acquire(&stage.worker, "owned").await;
    stage
}

/// Writes a body that no version can read.
async fn spoil(stage: &Stage, name: &str) {
    let owned = stage.acquire(&stage.worker, name).await;
    let mut save = Save::new(key(name), owned.fence);
    save.body = Some(vec![9, 9].into());
    save.listing.due = Some(Some(0));
    save.release = true;
    let answer = stage
        .ask(&stage.worker, Request::Save(Box::new(save)))
        .await;
    assert!(matches!(answer, Answer::Saved(_)));
}

#[tokio::test(start_paused = true)]
async fn a_view_tells_all_that_is_known_of_a_key() {
    let stage = Stage::new().await;
    let now = stage.now().await;
    stage.halt("key").await;
    let halted = view(&stage, "key").await;
    assert_eq!((halted.phase.as_str(), halted.last_seq), ("halted", 0));
    assert_eq!((halted.attempts, halted.claim.as_ref()), (1, None));
    assert_eq!(halted.fence, stage.record("key").await.fence.0);
    let trouble = halted.last_error.unwrap();
    assert_eq!(
        (trouble.error.as_str(), trouble.worker.as_str()),
        ("it failed", "w1")
    );
    let seqs: Vec<u64> = halted.held.iter().map(|held| held.seq).collect();
    assert_eq!((seqs, halted.held_events), (vec![1, 2, 3, 5], 4));
    let sizes: u64 = halted.held.iter().map(|held| held.bytes).sum();
    assert_eq!(halted.held_bytes, sizes);
    assert_eq!(
        (halted.held[1].since, halted.held[1].id.as_str()),
        (now, "id-2")
    );
    stage.operate(&Verb::Skip { to: None }).await;
    stage.operate(&Verb::Replay { seq: None }).await;
    let skipped = view(&stage, "key").await;
    let dead = &skipped.dead[0];
    assert_eq!(
        (dead.seq, dead.cause.as_str(), dead.attempts),
        (1, "skipped", 1)
    );
    assert!(dead.replay && dead.error == "it failed" && dead.at == now);
    assert_eq!((skipped.dead_events, skipped.held_events), (1, 3));
}

#[tokio::test(start_paused = true)]
async fn the_owner_of_a_key_is_its_claim_and_its_mail_is_held() {
    let stage = Stage::new().await;
    let other = stage.join("w2").await;
    stage.acquire(&stage.worker, "key").await;
    let letters = vec![(ordered_core::store::Slot::Held(2), letter(2, 7, "posted"))];
    stage.ask(&other, acquire("key", letters)).await;
    let view = view(&stage, "key").await;
    let claim = view.claim.unwrap();
    assert_eq!(claim.worker, "w1");
    assert!(claim.lease_until.unwrap() > view.now);
    assert_eq!((view.held_events, view.held[0].since), (1, 7));
    assert!(
        stage
            .admin
            .inspect(&stage.group, &key("none"))
            .await
            .unwrap()
            .is_none()
    );
}

#[tokio::test(start_paused = true)]
async fn keys_are_listed_page_by_page_as_the_filter_says() {
    let stage = crowd().await;
    let all = names(&stage, KeyFilter::All).await;
    let everybody = [
        "backing-off",
        "dead",
        "gap",
        "idle",
        "key",
        "owned",
        "paused",
    ];
    assert_eq!(all, everybody);
    let stuck = names(&stage, KeyFilter::Stuck).await;
    assert_eq!(stuck, ["backing-off", "dead", "gap", "key", "paused"]);
    let kept = names(&stage, KeyFilter::Kept).await;
    assert_eq!(kept, ["backing-off", "dead", "gap", "key"]);
}

#[tokio::test(start_paused = true)]
async fn an_overview_counts_each_key_once() {
    let stage = crowd().await;
    let owned = stage.acquire(&stage.worker, "gap").await;
    let overview = stage.admin.overview(&stage.group).await.unwrap();
    let keys = overview.keys;
    assert_eq!((keys.all, keys.active, keys.held, keys.gap), (6, 2, 3, 1));
    assert_eq!((keys.backing_off, keys.halted, keys.paused), (1, 1, 1));
    assert_eq!((overview.held_events, overview.dead_events), (6, 1));
    let gap = overview.oldest_gap.unwrap();
    assert_eq!(gap.0, "gap");
    assert_eq!(overview.workers[0].keys, 2);
    let workers = stage.admin.workers(&stage.group).await.unwrap();
    assert_eq!(workers.workers, overview.workers);
    assert!(!overview.paused && owned.body.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_key_that_cannot_be_read_is_named_and_hides_no_other() {
    let stage = crowd().await;
    spoil(&stage, "bad").await;
    for filter in [KeyFilter::All, KeyFilter::Stuck, KeyFilter::Kept] {
        let keys = all_keys(&stage, filter).await;
        assert!(keys.len() > 3);
        let bad = keys.iter().find(|view| view.key == "bad").unwrap();
        assert_eq!(bad.phase, Admin::UNREADABLE);
        let error = &bad.last_error.as_ref().unwrap().error;
        assert!(
            error.contains("bad") && error.contains("format 9"),
            "{error}"
        );
    }
    let error = stage.admin.inspect(&stage.group, &key("bad")).await;
    let error = error.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Refused);
    assert!(error.to_string().contains("\"bad\""), "{error}");
    assert_eq!(
        stage.admin.overview(&stage.group).await.unwrap().keys.all,
        7
    );
    let (group, name, operator) = (&stage.group, key("bad"), ada());
    let options = Default::default();
    let operated = stage
        .admin
        .operate(group, &name, &Verb::Pause, &operator, options);
    let error = operated.await.unwrap_err();
    assert!(error.to_string().contains("\"bad\""), "{error}");
    let record = stage.record("bad").await;
    assert_eq!(record.body.as_deref(), Some(&[9, 9][..]));
}

async fn pages(stage: &Stage, name: &Key, kind: StoredKind) -> Vec<Vec<StoredEvent>> {
    let (mut pages, mut after) = (Vec::new(), None);
    loop {
        let page = stage
            .admin
            .stored(&stage.group, name, kind, after)
            .await
            .unwrap();
        let Some(last) = page.last() else {
            return pages;
        };
        after = Some(last.place);
        pages.push(page);
    }
}

#[tokio::test(start_paused = true)]
async fn stored_events_come_in_pages_that_are_bounded() {
    let stage = Stage::new().await;
    let large = "x".repeat(400_000);
    stage
        .change("many", |transition| {
            (2..=251).for_each(|seq| hold(transition, seq));
        })
        .await;
    stage
        .change("large", |transition| {
            for seq in 2..=6 {
                transition.hold(seq, letter(seq, 0, &large), PutMode::New);
            }
        })
        .await;
    let lengths = async |name| {
        let pages = pages(&stage, &key(name), StoredKind::Held).await;
        pages.iter().map(Vec::len).collect::<Vec<_>>()
    };
    assert_eq!(lengths("many").await, [100, 100, 50]);
    assert_eq!(lengths("large").await, [3, 2]);
    assert_eq!(lengths("none").await, [0; 0]);
    assert_eq!(view(&stage, "large").await.held.len(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_stored_event_is_told_whole_and_those_of_the_present_epoch_first() {
    let stage = Stage::new().await;
    let (group, name) = (&stage.group, key("key"));
    stage
        .change("key", |transition| dead_letter(transition, 1))
        .await;
    stage.operate(&Verb::SetLast { to: 0 }).await;
    stage
        .change("key", |transition| dead_letter(transition, 1))
        .await;
    let edit = Verb::Edit {
        seq: seq(1),
        body: "new".into(),
    };
    stage.operate(&edit).await;
    stage.operate(&Verb::Replay { seq: None }).await;
    let event = stage.admin.event(group, &name, seq(1)).await.unwrap();
    assert_eq!(event.unwrap().body, "new");
    let dead: Vec<StoredEvent> = pages(&stage, &name, StoredKind::Dead).await.concat();
    let places: Vec<_> = dead.iter().map(|event| event.place).collect();
    assert_eq!(places, [(0, 1), (1, 1)]);
    let replays: Vec<bool> = dead
        .iter()
        .map(|event| event.dead_letter.as_ref().unwrap().replay)
        .collect();
    assert_eq!(replays, [false, true]);
    stage.operate(&Verb::Discard { seq: seq(1) }).await;
    let event = stage.admin.event(group, &name, seq(1)).await.unwrap();
    assert_eq!(event.unwrap().body, "body");
    assert!(
        stage
            .admin
            .event(group, &name, seq(2))
            .await
            .unwrap()
            .is_none()
    );
    assert_eq!(stage.state("key").await.phase, Phase::Open);
}

#[tokio::test(start_paused = true)]
async fn a_group_is_paused_once_and_that_is_written_down() {
    let stage = Stage::new().await;
    stage.change("key", |transition| hold(transition, 1)).await;
    let pause = async |paused| {
        let changed = stage.admin.pause_group(&stage.group, paused, &ada()).await;
        changed.unwrap()
    };
    assert!(pause(true).await);
    assert!(!pause(true).await);
    assert!(view(&stage, "key").await.group_paused);
    assert_eq!(names(&stage, KeyFilter::Stuck).await, ["key"]);
    assert!(pause(false).await);
    let audit = stage.admin.audit(&stage.group, 1).await.unwrap();
    assert_eq!(audit.len(), 1);
    let resume = &audit[0];
    assert_eq!(
        (resume.verb.as_str(), resume.key.as_ref()),
        ("resume", None)
    );
    assert_eq!(stage.admin.groups().await.unwrap(), ["group"]);
    let group = stage.admin.group("group").await.unwrap();
    assert_eq!(group, Some(stage.group.clone()));
    assert_eq!(stage.admin.group("none").await.unwrap(), None);
}
