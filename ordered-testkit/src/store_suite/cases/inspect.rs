use std::collections::BTreeSet;
use std::time::Duration;

use ordered_core::event::Key;
use ordered_core::protocol::WorkerId;
use ordered_core::store::{
    AuditEntry, Change, Group, Inspect, KeyIndex, Listing, NEVER_DUE, Operator, PutMode, Record,
    Slot, Totals,
};

use crate::store_suite::fixture::{A, B, LEASE, START, StoreFixture, key, letter, put, saved};

async fn pages(fixture: &StoreFixture<impl Inspect>, index: KeyIndex) -> Vec<Record> {
    let (mut records, mut cursor) = (Vec::new(), None);
    loop {
        let page = fixture.store.page(&fixture.group, index, cursor).await;
        let page = page.expect("the store is there");
        records.extend(page.records);
        match page.cursor {
            None => return records,
            next => cursor = next,
        }
    }
}

async fn keys(fixture: &StoreFixture<impl Inspect>, index: KeyIndex) -> BTreeSet<Key> {
    let records = pages(fixture, index).await;
    records.into_iter().map(|record| record.key).collect()
}

async fn totals(fixture: &StoreFixture<impl Inspect>) -> Totals {
    let totals = fixture.store.totals(&fixture.group).await;
    totals.expect("the store is there")
}

pub async fn pages_list_every_key_of_an_index(fixture: StoreFixture<impl Inspect>) {
    let (mut all, mut listed, mut owned) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for number in 0..250_u64 {
        let key = key(&format!("k{number}"));
        let due = (number % 3 == 0).then_some(if number % 2 == 0 { NEVER_DUE } else { START });
        let listing = Listing {
            due,
            ..Listing::default()
        };
        fixture.list(&key, listing).await;
        all.insert(key.clone());
        if due.is_some() {
            listed.insert(key.clone());
        }
        if number % 5 == 0 {
            fixture.own_key(A, &key).await;
            owned.insert(key);
        }
    }
    fixture.own(B).await;
    all.insert(fixture.key.clone());
    owned.insert(fixture.key.clone());
    assert_eq!(keys(&fixture, KeyIndex::All).await, all);
    assert_eq!(keys(&fixture, KeyIndex::Listed).await, listed);
    assert_eq!(keys(&fixture, KeyIndex::Owned).await, owned);
    for record in pages(&fixture, KeyIndex::All).await {
        let read = fixture.read_key(&record.key).await;
        assert_eq!(read, Some(record), "a page shows what a read shows");
    }
}

pub async fn a_record_says_all_that_is_known(fixture: StoreFixture<impl Inspect>) {
    assert_eq!(fixture.read().await, None);
    let fence = fixture.own(A).await.fence;
    fixture.clock.advance(7);
    let record = fixture.read().await.expect("the key is known");
    assert_eq!((record.fence, record.now), (fence, START + 7));
    assert_eq!((&record.key, &record.body), (&fixture.key, &None));
    let owner = record.owner.expect("it is owned");
    assert_eq!((owner.worker, owner.since), (WorkerId::new(A), START));
    assert_eq!(owner.lease_until, Some(START + LEASE));
    assert_eq!((owner.mail, owner.hand_over), (vec![], false));
    fixture.leave(A).await;
    let owner = fixture.read().await.expect("the key is known").owner;
    assert_eq!(owner.expect("it is owned").lease_until, None);
}

pub async fn totals_follow_every_change(fixture: StoreFixture<impl Inspect>) {
    let empty = Totals {
        now: START,
        ..Totals::default()
    };
    assert_eq!(totals(&fixture).await, empty);
    let fence = fixture.own(A).await.fence;
    let mut save = fixture.changes(
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
    saved(fixture.save(A, save).await);
    fixture.post(B, &[(4, letter("d", "1"))]).await;
    let waits = Listing {
        gap: Some(START - 4),
        ..Listing::default()
    };
    fixture.list(&key("order-2"), waits).await;
    let expected = Totals {
        keys: 2,
        owned: 1,
        listed: 1,
        halted: 1,
        gaps: 2,
        oldest_gap: Some((fixture.key.clone(), START - 5)),
        held_events: 3,
        held_bytes: 9,
        ..empty
    };
    assert_eq!(totals(&fixture).await, expected);
    let mut save = fixture.changes(
        fence,
        [
            Change::Delete(Slot::Held(2)),
            put(Slot::Held(3), letter("x", "1234"), PutMode::Replace),
        ],
    );
    save.taken = 1;
    save.listing.gap = Some(None);
    save.listing.halted = Some(None);
    assert!(fixture.release(A, save).await.released);
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
    assert_eq!(totals(&fixture).await, expected);
}

pub async fn sizes_and_letters_are_read_without_owning_the_key(
    fixture: StoreFixture<impl Inspect>,
) {
    let fence = fixture.own(A).await.fence;
    let dead = Slot::Dead { epoch: 1, seq: 2 };
    let changes = [
        put(Slot::Held(2), letter("b", "\0\n12"), PutMode::New),
        put(dead, letter("c", ""), PutMode::New),
    ];
    saved(fixture.save(A, fixture.changes(fence, changes)).await);
    let slots = [dead, Slot::Held(1), Slot::Held(2)];
    let sizes = fixture
        .store
        .sizes(&fixture.group, &fixture.key, &slots)
        .await;
    assert_eq!(sizes.expect("the store is there"), [Some(5), None, Some(9)]);
    let letters = fixture.letters(&slots).await;
    assert_eq!(
        letters,
        [Some(letter("c", "")), None, Some(letter("b", "\0\n12"))]
    );
    let elsewhere = fixture
        .store
        .sizes(&fixture.group, &key("other"), &slots)
        .await;
    assert_eq!(elsewhere.expect("the store is there"), [None; 3]);
}

pub async fn workers_are_listed_with_their_leases(fixture: StoreFixture<impl Inspect>) {
    fixture.clock.advance(LEASE / 4);
    fixture.beat(B).await;
    let workers = fixture.store.workers(&fixture.group).await;
    let workers = workers.expect("the store is there");
    let answer: Vec<_> = workers
        .iter()
        .map(|worker| (worker.worker.as_str(), worker.lease_until, worker.alive))
        .collect();
    let of_b = START + LEASE / 4 + LEASE;
    assert_eq!(answer, [(A, START + LEASE, true), (B, of_b, true)]);
    assert!(workers.iter().all(|worker| !worker.version.is_empty()));
    fixture.leave(A).await;
    let workers = fixture.store.workers(&fixture.group).await;
    assert_eq!(workers.expect("the store is there").len(), 1);
}

pub async fn a_group_is_found_with_the_rules_it_was_opened_with(
    fixture: StoreFixture<impl Inspect>,
) {
    let groups = fixture.store.groups().await.expect("the store is there");
    assert!(groups.is_sorted());
    assert!(groups.iter().any(|name| name == fixture.group.name()));
    let mut policy = fixture.group.policy().clone();
    policy.max_attempts = Some(17);
    policy.dedup_ttl = Duration::from_secs(5);
    let changed = Group::new(fixture.group.name(), policy);
    for group in [&fixture.group, &changed] {
        let opened = fixture.store.open(group, &WorkerId::new(B)).await;
        opened.expect("the group opens");
        let found = fixture.store.group(group.name()).await;
        assert_eq!(found.expect("the store is there").as_ref(), Some(group));
    }
}

pub async fn a_paused_group_is_told_with_every_answer(fixture: StoreFixture<impl Inspect>) {
    let lease = Duration::from_millis(LEASE);
    for (paused, changes) in [(false, false), (true, true), (true, false), (false, true)] {
        let set = fixture.store.set_paused(&fixture.group, paused).await;
        assert_eq!(set.expect("the store is there"), changes);
        let session = fixture.session(A);
        let exchange = fixture.store.exchange(&fixture.group, session, &[]).await;
        assert_eq!(exchange.expect("the store is there").paused, paused);
        let beat = fixture
            .store
            .heartbeat(&fixture.group, session, lease)
            .await;
        assert_eq!(beat.expect("the store is there").paused, paused);
        assert_eq!(totals(&fixture).await.paused, paused);
        // Whether a paused group takes keys is the workers' decision.
        fixture.own(A).await;
    }
}

pub async fn what_operators_did_is_written_down(fixture: StoreFixture<impl Inspect>) {
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
        let logged = fixture.store.log(&fixture.group, unset).await;
        logged.expect("the store is there");
        fixture.clock.advance(1);
    }
    let newest = fixture.store.audit(&fixture.group, 3).await;
    assert_eq!(newest.expect("the store is there"), [4, 3, 2].map(entry));
    let all = fixture.store.audit(&fixture.group, 100).await;
    assert_eq!(all.expect("the store is there").len(), 5);
    // Several at once are written in order, at the same time.
    let together = [5, 6].map(|number| AuditEntry {
        at: START + 5,
        ..entry(number)
    });
    let logged = fixture
        .store
        .log_all(&fixture.group, together.to_vec())
        .await;
    logged.expect("the store is there");
    let [fifth, sixth] = together;
    let newest = fixture.store.audit(&fixture.group, 2).await;
    assert_eq!(newest.expect("the store is there"), [sixth, fifth]);
    let none = fixture.store.log_all(&fixture.group, Vec::new()).await;
    none.expect("nothing to write is no failure");
}
