use std::collections::BTreeMap;

use ordered_core::event::Envelope;
use ordered_core::protocol::{Action, DeadCause, Verb, Verdict};
use ordered_core::store::{Admin, KeyFilter, Operator, Shelf, Store, StoredEvent};

use crate::store_suite::stage::{A, B, LEASE, Stage, key, plain};

async fn all(stage: &Stage<impl Store + Admin>, shelf: Shelf) -> Vec<Vec<StoredEvent>> {
    let (mut pages, mut after) = (Vec::new(), None);
    loop {
        let page = stage.store.stored(&stage.group, &stage.key, shelf, after);
        let page = page.await.expect("the store is there");
        let Some(last) = page.last() else {
            return pages;
        };
        after = Some(last.place);
        pages.push(page);
    }
}

fn seqs(events: &[StoredEvent]) -> Vec<u64> {
    events.iter().map(|event| event.place.1).collect()
}

pub async fn what_is_kept_is_read_whole_and_page_by_page(stage: Stage<impl Store + Admin>) {
    assert!(
        all(&stage, Shelf::Held).await.is_empty(),
        "of an unknown key"
    );
    let mut envelope = Envelope::new(vec![0xff, b'\n', 0]);
    envelope.headers = BTreeMap::from([("traceparent".into(), "00-1".into())]);
    stage.say(A, Action::Hold(plain(2), envelope.clone())).await;
    for seq in 3..=250 {
        stage.hold(A, seq).await;
    }
    let pages = all(&stage, Shelf::Held).await;
    assert_eq!(pages.len(), 3);
    let events = pages.concat();
    assert_eq!(seqs(&events), (2..=250).collect::<Vec<_>>());
    assert_eq!((&events[0].envelope, &events[0].aside), (&envelope, &None));
    assert_eq!(
        (events[0].id.as_str(), events[0].since),
        (plain(2).id.as_str(), stage.view().await.held[0].since)
    );

    let skip = Verb::Skip {
        to: ordered_core::event::Seq::new(150).ok(),
    };
    let operator = Operator::default();
    let (group, key) = (&stage.group, &stage.key);
    let verdict = stage.store.operate(group, key, &skip, &operator, false);
    let verdict = verdict.await.expect("the store is there");
    assert!(matches!(verdict, Verdict::Operated(_)));
    // A new numbering: what was put aside before is of the old one.
    let reset = Action::Reset {
        at: ordered_core::event::Seq::new(1).expect("a seq"),
        epoch: Some(3),
    };
    stage.say(A, reset).await;
    assert!(all(&stage, Shelf::Held).await.is_empty());
    let events = all(&stage, Shelf::Dead).await.concat();
    assert_eq!(seqs(&events), (2..=250).collect::<Vec<_>>());
    assert_eq!(events[0].envelope, envelope);
    let causes = |place: usize| events[place].aside.as_ref().map(|aside| aside.cause);
    assert_eq!(causes(0), Some(DeadCause::Skipped));
    assert_eq!(causes(248), Some(DeadCause::Superseded));
}

pub async fn keys_of_which_events_are_kept_are_listed(stage: Stage<impl Store + Admin>) {
    let [at_work, aside, paused, idle] = ["at work", "aside", "paused", "idle"].map(key);
    for key in [&at_work, &aside, &idle] {
        let offer = Action::Offer(plain(1));
        assert!(matches!(stage.say_of(key, A, offer).await, Verdict::Run(_)));
    }
    let hold = Action::Hold(plain(2), Envelope::new("2"));
    stage.say_of(&at_work, B, hold.clone()).await;
    stage.say_of(&aside, B, hold).await;
    let operator = Operator::default();
    for (key, verb) in [(&aside, Verb::SetLast { to: 9 }), (&paused, Verb::Pause)] {
        let done = stage
            .store
            .operate(&stage.group, key, &verb, &operator, false)
            .await;
        assert!(matches!(done, Ok(Verdict::Operated(_))), "{done:?}");
    }
    let (mut kept, mut cursor) = (Vec::new(), None);
    loop {
        let page = stage
            .store
            .keys(&stage.group, KeyFilter::Kept, cursor)
            .await;
        let page = page.expect("the store is there");
        kept.extend(page.keys.into_iter().map(|view| view.key));
        cursor = page.cursor;
        if cursor.is_none() {
            break;
        }
    }
    kept.sort();
    assert_eq!(kept, ["aside", "at work"]);
}

pub async fn the_workers_are_told_by_themselves(stage: Stage<impl Store + Admin>) {
    stage.crash(B).await;
    stage.offer(A, 1).await;
    let workers = stage.store.workers(&stage.group).await;
    let workers = workers.expect("the store is there");
    let told: Vec<(&str, bool, u64)> = workers
        .workers
        .iter()
        .map(|worker| (worker.id.as_str(), worker.alive, worker.keys))
        .collect();
    assert_eq!(told, [(A, true, 1), (B, false, 0)]);
    let view = stage.view().await;
    assert_eq!(workers.workers[0].lease_until, view.now + LEASE);
    let overview = stage.store.overview(&stage.group).await;
    assert_eq!(
        overview.expect("the store is there").workers,
        workers.workers
    );
}
