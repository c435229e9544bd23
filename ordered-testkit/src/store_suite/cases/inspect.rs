use std::collections::BTreeSet;
use std::time::Duration;

use ordered_core::event::Key;
use ordered_core::protocol::WorkerId;
use ordered_core::store::{
    AuditEntry, Change, Group, Inspect, KeyIndex, Listing, NEVER_DUE, Operator, PutMode, Record,
    Slot, Totals,
};

use crate::store_suite::stage::{A, B, LEASE, START, Stage, key, letter, put, saved};

async fn pages(stage: &Stage<impl Inspect>, index: KeyIndex) -> Vec<Record> {
    let (mut records, mut cursor) = (Vec::new(), None);
    loop {
        let page = stage.store.page(&stage.group, index, cursor).await;
        let page = page.expect("the store is there");
        records.extend(page.records);
        match page.cursor {
            None => return records,
            next => cursor = next,
        }
    }
}

async fn keys(stage: &Stage<impl Inspect>, index: KeyIndex) -> BTreeSet<Key> {
    let records = pages(stage, index).await;
    records.into_iter().map(|record| record.key).collect()
}

async fn totals(stage: &Stage<impl Inspect>) -> Totals {
    let totals = stage.store.totals(&stage.group).await;
    totals.expect("the store is there")
}

pub async fn pages_list_every_key_of_an_index(stage: Stage<impl Inspect>) {
    let (mut all, mut listed, mut owned) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for number in 0..250_u64 {
        let key = key(&format!("k{number}"));
        let due = (number % 3 == 0).then_some(if number % 2 == 0 { NEVER_DUE } else { START });
        let listing = Listing {
            due,
            ..Listing::default()
        };
        stage.list(&key, listing).await;
        all.insert(key.clone());
        if due.is_some() {
            listed.insert(key.clone());
        }
        if number % 5 == 0 {
            stage.own_key(A, &key).await;
            owned.insert(key);
        }
    }
    stage.own(B).await;
    all.insert(stage.key.clone());
    owned.insert(stage.key.clone());
    assert_eq!(keys(&stage, KeyIndex::All).await, all);
    assert_eq!(keys(&stage, KeyIndex::Listed).await, listed);
    assert_eq!(keys(&stage, KeyIndex::Owned).await, owned);
    for record in pages(&stage, KeyIndex::All).await {
        let read = stage.read_key(&record.key).await;
        assert_eq!(read, Some(record), "a page shows what a read shows");
    }
}

pub async fn a_record_says_all_that_is_known(stage: Stage<impl Inspect>) {
    assert_eq!(stage.read().await, None);
    let fence = stage.own(A).await.fence;
    stage.clock.advance(7);
    let record = stage.read().await.expect("the key is known");
    assert_eq!((record.fence, record.now), (fence, START + 7));
    assert_eq!((&record.key, &record.body), (&stage.key, &None));
    let owner = record.owner.expect("it is owned");
    assert_eq!((owner.worker, owner.since), (WorkerId::new(A), START));
    assert_eq!(owner.lease_until, Some(START + LEASE));
    assert_eq!((owner.mail, owner.hand_over), (vec![], false));
    stage.leave(A).await;
    let owner = stage.read().await.expect("the key is known").owner;
    assert_eq!(owner.expect("it is owned").lease_until, None);
}

pub async fn totals_follow_every_change(stage: Stage<impl Inspect>) {
    let empty = Totals {
        now: START,
        ..Totals::default()
    };
    assert_eq!(totals(&stage).await, empty);
    let fence = stage.own(A).await.fence;
    let mut save = stage.changes(
        fence,
        [
            put(Slot::Held(2), letter("b", "12345"), PutMode::New),
            put(Slot::Held(3), letter("c", "123"), PutMode::New),
        ],
    );
    save.body = Some("body".into());
    save.listing = Listing::default().change(Listing {
        due: Some(NEVER_DUE),
        gap: Some(START - 5),
        halted: Some(START),
    });
    saved(stage.save(A, save).await);
    stage.post(B, &[(4, letter("d", "1"))]).await;
    let waits = Listing {
        gap: Some(START - 4),
        ..Listing::default()
    };
    stage.list(&key("order-2"), waits).await;
    let expected = Totals {
        keys: 2,
        owned: 1,
        listed: 1,
        halted: 1,
        gaps: 2,
        oldest_gap: Some((stage.key.clone(), START - 5)),
        held_events: 3,
        held_bytes: 9,
        ..empty
    };
    assert_eq!(totals(&stage).await, expected);
    let mut save = stage.changes(
        fence,
        [
            Change::Delete(Slot::Held(2)),
            put(Slot::Held(3), letter("x", "1234"), PutMode::Replace),
        ],
    );
    save.taken = 1;
    save.listing.gap = Some(None);
    save.listing.halted = Some(None);
    assert!(stage.release(A, save).await.released);
    let expected = Totals {
        keys: 2,
        listed: 1,
        gaps: 1,
        oldest_gap: Some((key("order-2"), START - 4)),
        held_events: 2,
        held_bytes: 5,
        now: START,
        ..Totals::default()
    };
    assert_eq!(totals(&stage).await, expected);
}

pub async fn sizes_and_letters_are_read_without_owning_the_key(stage: Stage<impl Inspect>) {
    let fence = stage.own(A).await.fence;
    let dead = Slot::Dead { epoch: 1, seq: 2 };
    let changes = [
        put(Slot::Held(2), letter("b", "\0\n12"), PutMode::New),
        put(dead, letter("c", ""), PutMode::New),
    ];
    saved(stage.save(A, stage.changes(fence, changes)).await);
    let slots = [dead, Slot::Held(1), Slot::Held(2)];
    let sizes = stage.store.sizes(&stage.group, &stage.key, &slots).await;
    assert_eq!(sizes.expect("the store is there"), [Some(5), None, Some(9)]);
    let letters = stage.letters(&slots).await;
    assert_eq!(
        letters,
        [Some(letter("c", "")), None, Some(letter("b", "\0\n12"))]
    );
    let elsewhere = stage.store.sizes(&stage.group, &key("other"), &slots).await;
    assert_eq!(elsewhere.expect("the store is there"), [None; 3]);
}

pub async fn workers_are_listed_with_their_leases(stage: Stage<impl Inspect>) {
    stage.clock.advance(LEASE / 4);
    stage.beat(B).await;
    let workers = stage.store.workers(&stage.group).await;
    let workers = workers.expect("the store is there");
    let told: Vec<_> = workers
        .iter()
        .map(|worker| (worker.worker.as_str(), worker.lease_until, worker.alive))
        .collect();
    let of_b = START + LEASE / 4 + LEASE;
    assert_eq!(told, [(A, START + LEASE, true), (B, of_b, true)]);
    assert!(workers.iter().all(|worker| !worker.version.is_empty()));
    stage.leave(A).await;
    let workers = stage.store.workers(&stage.group).await;
    assert_eq!(workers.expect("the store is there").len(), 1);
}

pub async fn a_group_is_found_with_the_rules_it_was_opened_with(stage: Stage<impl Inspect>) {
    let groups = stage.store.groups().await.expect("the store is there");
    assert!(groups.is_sorted());
    assert!(groups.iter().any(|name| name == stage.group.name()));
    let mut policy = stage.group.policy().clone();
    policy.max_attempts = Some(17);
    policy.dedup_ttl = Duration::from_secs(5);
    let changed = Group::new(stage.group.name(), policy);
    for group in [&stage.group, &changed] {
        let opened = stage.store.open(group, &WorkerId::new(B)).await;
        opened.expect("the group opens");
        let found = stage.store.group(group.name()).await;
        assert_eq!(found.expect("the store is there").as_ref(), Some(group));
    }
}

pub async fn a_paused_group_is_told_with_every_answer(stage: Stage<impl Inspect>) {
    let lease = Duration::from_millis(LEASE);
    for (paused, changes) in [(false, false), (true, true), (true, false), (false, true)] {
        let set = stage.store.set_paused(&stage.group, paused).await;
        assert_eq!(set.expect("the store is there"), changes);
        let session = stage.session(A);
        let exchange = stage.store.exchange(&stage.group, session, &[]).await;
        assert_eq!(exchange.expect("the store is there").paused, paused);
        let beat = stage.store.heartbeat(&stage.group, session, lease).await;
        assert_eq!(beat.expect("the store is there").paused, paused);
        assert_eq!(totals(&stage).await.paused, paused);
        // Whether a paused group takes keys is the workers' decision.
        stage.own(A).await;
    }
}

pub async fn what_operators_did_is_written_down(stage: Stage<impl Inspect>) {
    let entry = |number: u64| AuditEntry {
        at: START + number,
        operator: Operator {
            who: format!("ada {number}"),
            why: "\0 why\n".into(),
        },
        key: number.is_multiple_of(2).then(|| "order-1".into()),
        verb: "skip".into(),
        outcome: "skipped 1 to 3".into(),
    };
    for number in 0..5 {
        let unset = AuditEntry {
            at: 0,
            ..entry(number)
        };
        let logged = stage.store.log(&stage.group, unset).await;
        logged.expect("the store is there");
        stage.clock.advance(1);
    }
    let newest = stage.store.audit(&stage.group, 3).await;
    assert_eq!(newest.expect("the store is there"), [4, 3, 2].map(entry));
    let all = stage.store.audit(&stage.group, 100).await;
    assert_eq!(all.expect("the store is there").len(), 5);
    // Several at once are written in order, at the same time.
    let together = [5, 6].map(|number| AuditEntry {
        at: START + 5,
        ..entry(number)
    });
    let logged = stage.store.log_all(&stage.group, together.to_vec()).await;
    logged.expect("the store is there");
    let [fifth, sixth] = together;
    let newest = stage.store.audit(&stage.group, 2).await;
    assert_eq!(newest.expect("the store is there"), [sixth, fifth]);
    let none = stage.store.log_all(&stage.group, Vec::new()).await;
    none.expect("nothing to write is no failure");
}
