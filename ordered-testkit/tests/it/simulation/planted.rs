//! Mistakes, planted between the workers and what they work with. Each must be found.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use ordered_core::event::Key;
use ordered_core::internal::KeyState;
use ordered_core::protocol::{Fence, WorkerId};
use ordered_core::store::{
    Answer, Change, Exchange, Group, Heartbeat, Opened, Posted, Request, Save, Session, Slot,
    Store, StoreError, Sweep, Swept,
};
use ordered_core::transport::{
    ConsumeOptions, Delivery, Disposition, Settlement, Transport, TransportError,
};
use ordered_testkit::simulation::{App, Failure, Faults, Simulation};

use super::dead_letters::{failing, hasty, impatient};
use super::{keeper, stream};

/// What the store is made to do wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mistake {
    /// A save counts whoever sends it.
    NoFence,
    /// What is put into a mailbox is said to be stored, and is not.
    HoldsNothing,
    /// A worker's lease ends as soon as it has begun.
    NoLease,
    /// A sweep finds nothing.
    NoSweep,
    /// A dead letter is not kept.
    KeepsNothingDead,
    /// A body without a dead letter of the key is saved.
    ForgetsDeadLetters,
    /// What was skipped is not remembered.
    ForgetsSkipped,
    /// No id is remembered.
    ForgetsIds,
}

/// To whom each key was granted last, and under which fence.
type Grants = Arc<Mutex<HashMap<Key, (Fence, Session)>>>;

struct Mistaken {
    inner: Arc<dyn Store>,
    mistake: Mistake,
    grants: Grants,
}

impl Mistaken {
    fn note_grant(&self, key: &Key, session: &Session, answer: &Answer) {
        if let Answer::Owned(owned) = answer {
            let mut grants = self.grants.lock().unwrap();
            grants.insert(key.clone(), (owned.fence, session.clone()));
        }
    }

    fn spoil(&self, save: &mut Save, session: &mut Session) {
        let is_dead = |slot: &Slot| matches!(slot, Slot::Dead { .. });
        match self.mistake {
            Mistake::NoFence => {
                let grants = self.grants.lock().unwrap();
                if let Some(last) = grants.get(&save.key) {
                    (save.fence, *session) = last.clone();
                }
            }
            Mistake::HoldsNothing => save.changes.retain(|change| {
                !matches!(
                    change,
                    Change::Put {
                        slot: Slot::Held(_),
                        ..
                    }
                )
            }),
            Mistake::KeepsNothingDead => {
                for change in &mut save.changes {
                    match change {
                        Change::Put { slot, .. } if is_dead(slot) => {
                            *change = Change::Delete(*slot)
                        }
                        Change::Move { from, to, .. } if is_dead(to) => {
                            *change = Change::Delete(*from);
                        }
                        _ => {}
                    }
                }
            }
            Mistake::ForgetsDeadLetters => change_body(save, |state| state.dead.clear()),
            Mistake::ForgetsSkipped => change_body(save, |state| state.skipped.clear()),
            Mistake::ForgetsIds => save.remember.clear(),
            Mistake::NoLease | Mistake::NoSweep => {}
        }
    }
}

fn change_body(save: &mut Save, change: impl FnOnce(&mut KeyState)) {
    if let Some(body) = &mut save.body {
        let mut state = KeyState::decode(body, save.fence).unwrap();
        change(&mut state);
        *body = state.encode(save.fence);
    }
}

#[async_trait]
impl Store for Mistaken {
    async fn open(&self, group: &Group, worker: &WorkerId) -> Result<Opened, StoreError> {
        self.inner.open(group, worker).await
    }

    async fn exchange(
        &self,
        group: &Group,
        session: &Session,
        requests: &[Request],
    ) -> Result<Exchange, StoreError> {
        let [request] = requests else {
            panic!("the simulation sends one request at a time");
        };
        let (mut request, mut session) = (request.clone(), session.clone());
        let mut posted = 0;
        match &mut request {
            Request::Save(save) => self.spoil(save, &mut session),
            Request::Acquire(acquire) if self.mistake == Mistake::HoldsNothing => {
                posted = std::mem::take(&mut acquire.letters).len();
            }
            Request::Acquire(_) => {}
        }
        let requests = std::slice::from_ref(&request);
        let mut exchange = self.inner.exchange(group, &session, requests).await?;
        self.note_grant(request.key(), &session, &exchange.answers[0]);
        if let Answer::Busy(busy) = &mut exchange.answers[0]
            && posted > 0
        {
            busy.posted = vec![Posted::Stored; posted];
        }
        Ok(exchange)
    }

    async fn heartbeat(
        &self,
        group: &Group,
        session: &Session,
        lease: Duration,
    ) -> Result<Heartbeat, StoreError> {
        let lease = if self.mistake == Mistake::NoLease {
            Duration::ZERO
        } else {
            lease
        };
        self.inner.heartbeat(group, session, lease).await
    }

    async fn leave(&self, group: &Group, session: &Session) -> Result<(), StoreError> {
        self.inner.leave(group, session).await
    }

    async fn sweep(
        &self,
        group: &Group,
        session: &Session,
        sweep: &Sweep,
    ) -> Result<Swept, StoreError> {
        let swept = self.inner.sweep(group, session, sweep).await?;
        Ok(if self.mistake == Mistake::NoSweep {
            Swept {
                now: swept.now,
                ..Swept::default()
            }
        } else {
            swept
        })
    }
}

/// Acknowledges everything as soon as it comes.
struct Hasty(Arc<dyn Transport>);

#[async_trait]
impl Transport for Hasty {
    async fn start(&self, options: ConsumeOptions) -> Result<(), TransportError> {
        self.0.start(options).await
    }

    async fn receive(&self, max: usize) -> Result<Vec<Delivery>, TransportError> {
        let deliveries = self.0.receive(max).await?;
        let acks = deliveries.iter().map(|delivery| Settlement {
            token: delivery.token,
            disposition: Disposition::Ack,
        });
        self.0.settle(acks.collect()).await?;
        Ok(deliveries)
    }

    async fn settle(&self, _: Vec<Settlement>) -> Result<(), TransportError> {
        Ok(())
    }

    async fn close(&self) -> Result<(), TransportError> {
        self.0.close().await
    }
}

fn hunt(app: impl Fn() -> App + 'static, faults: Faults) -> Failure {
    let simulation = Simulation::new(app).events(stream(4, 12)).runs(500);
    let simulation = simulation.faults(faults);
    simulation.run().expect_err("a planted mistake is found")
}

fn mistaken(mistake: Mistake) -> String {
    mistaken_in(keeper, Faults::all(), mistake)
}

fn mistaken_in(app: fn() -> App, faults: Faults, mistake: Mistake) -> String {
    let app = move || {
        let grants = Grants::default();
        app().wrap_store(move |inner| {
            Arc::new(Mistaken {
                inner,
                mistake,
                grants: Arc::clone(&grants),
            })
        })
    };
    let failure = hunt(app, faults);
    println!("{mistake:?}: {failure}");
    failure.problems[0].to_string()
}

#[test]
fn a_store_without_fences_is_found() {
    let problem = mistaken(Mistake::NoFence);
    // The first thing that goes wrong is that a worker goes on where another is.
    assert!(!problem.contains("stalled"), "{problem}");
}

#[test]
fn a_store_that_holds_nothing_is_found() {
    let problem = mistaken(Mistake::HoldsNothing);
    assert!(problem.contains("stalled"), "{problem}");
}

#[test]
fn a_store_without_leases_is_found() {
    let problem = mistaken(Mistake::NoLease);
    assert!(problem.contains("no overlap"), "{problem}");
}

#[test]
fn a_store_that_finds_nothing_in_a_sweep_is_found() {
    let problem = mistaken(Mistake::NoSweep);
    assert!(problem.contains("stalled"), "{problem}");
}

#[test]
fn an_acknowledgement_before_the_commit_is_found() {
    let failure = hunt(
        || keeper().wrap_transport(|inner| Arc::new(Hasty(inner))),
        Faults::all(),
    );
    let problem = failure.problems[0].to_string();
    assert!(problem.contains("stalled"), "{problem}");
}

#[test]
fn a_store_that_keeps_no_dead_letters_is_found() {
    let problem = mistaken_in(impatient, failing(), Mistake::KeepsNothingDead);
    assert!(!problem.contains("stalled"), "{problem}");
}

#[test]
fn a_store_that_forgets_dead_letters_is_found() {
    let problem = mistaken_in(impatient, failing(), Mistake::ForgetsDeadLetters);
    assert!(!problem.contains("stalled"), "{problem}");
}

#[test]
fn a_store_that_forgets_what_was_skipped_is_found() {
    let problem = mistaken_in(hasty, Faults::all(), Mistake::ForgetsSkipped);
    assert!(!problem.contains("stalled"), "{problem}");
}

#[test]
fn a_store_that_forgets_ids_is_found() {
    let problem = mistaken(Mistake::ForgetsIds);
    assert!(!problem.contains("stalled"), "{problem}");
}
