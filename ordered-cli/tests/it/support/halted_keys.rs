//! Keys that are halted, made by hand: as a worker would have left them.

use std::time::Duration;

use ordered_core::event::{Envelope, EventId, Key};
use ordered_core::internal::{FailedRun, HeldNote, KeyState, Subject, Transition};
use ordered_core::protocol::WorkerId;
use ordered_core::store::{
    Acquire, AcquireMode, Answer, Listing, Owned, PutMode, Request, Save, Session, Store,
};

use crate::support::Fixture;

/// How many keys are made at a time.
const AT_A_TIME: usize = 500;
/// For how long a worker that stays is alive.
const LEASE: Duration = Duration::from_secs(60);

/// A fixture with so many keys that are halted: `k00000`, `k00001`, …
pub(crate) async fn halted_fixture(url: String, count: usize) -> Fixture {
    let fixture = Fixture::at(url, |_, _| crate::support::HandlerAction::Succeed).await;
    let session = join(&fixture, "w0").await;
    let names: Vec<String> = (0..count).map(|number| format!("k{number:05}")).collect();
    for names in names.chunks(AT_A_TIME) {
        halt_all(&fixture, &session, names, true).await;
    }
    fixture.store.leave(&fixture.group, &session).await.unwrap();
    fixture
}

/// One more, whose worker keeps it, or gives it up.
pub(crate) async fn halt(fixture: &Fixture, name: &str, release: bool) -> Session {
    let session = join(fixture, &format!("w-{name}")).await;
    halt_all(fixture, &session, &[name.to_owned()], release).await;
    session
}

async fn join(fixture: &Fixture, name: &str) -> Session {
    let (store, group) = (&fixture.store, &fixture.group);
    let worker = WorkerId::new(name);
    let session = store.open(group, &worker).await.unwrap().session;
    store.heartbeat(group, &session, LEASE).await.unwrap();
    session
}

async fn halt_all(fixture: &Fixture, session: &Session, names: &[String], release: bool) {
    let acquires: Vec<Request> = names.iter().map(|name| acquire(name)).collect();
    let exchange = fixture.store.exchange(&fixture.group, session, &acquires);
    let exchange = exchange.await.unwrap();
    let saves: Vec<Request> = names
        .iter()
        .zip(exchange.answers)
        .map(|(name, answer)| match answer {
            Answer::Owned(owned) => save(fixture, name, &owned, exchange.now, release),
            other => panic!("{other:?}"),
        })
        .collect();
    let saved = fixture
        .store
        .exchange(&fixture.group, session, &saves)
        .await;
    for answer in saved.unwrap().answers {
        assert!(matches!(answer, Answer::Saved(_)), "{answer:?}");
    }
}

fn acquire(name: &str) -> Request {
    Request::Acquire(Acquire {
        key: Key::new(name).unwrap(),
        mode: AcquireMode::Ask,
        letters: Vec::new(),
        look_up: Vec::new(),
    })
}

/// Halts it at 1, with 2 behind it.
fn save(fixture: &Fixture, name: &str, owned: &Owned, now: u64, release: bool) -> Request {
    let mut state = KeyState::new(1);
    let policy = fixture.group.policy();
    let mut transition = Transition::new(&mut state, policy, now);
    let (since, checked) = (now, None);
    let envelope = |seq| Envelope::new(format!("{name} {seq} {name}-{seq} as-sent"));
    let id = |seq| EventId::new(format!("{name}-{seq}")).unwrap();
    let letter = HeldNote { since, checked }.letter(&id(2), &envelope(2));
    transition.hold(2, letter, PutMode::New);
    transition.halt(FailedRun {
        event: Subject {
            seq: 1,
            id: &id(1),
            stored: false,
            replay: false,
        },
        envelope: &envelope(1),
        attempt: 1,
        error: "no price for the article 4711",
        worker: "w0",
    });
    let mut save = Save::new(Key::new(name).unwrap(), owned.fence);
    save.changes = transition.changes;
    let listing = state.listing(policy, Listing::default(), now);
    save.listing = Listing::default().change(listing);
    save.body = Some(state.encode(owned.fence));
    save.release = release;
    Request::Save(Box::new(save))
}
