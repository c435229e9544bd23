//! Mistakes, planted between the workers and what they work with. Each must be found.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use ordered_core::event::Key;
use ordered_core::protocol::{Action, Command, Fence, Verb, Verdict, WorkerId};
use ordered_core::store::{Group, Store, StoreError, StoreReport, Swept};
use ordered_core::transport::{Delivery, Fate, Intake, Settlement, Transport, TransportError};
use ordered_testkit::simulation::{App, Failure, Faults, Simulation};

use super::aside::{failing, hasty, impatient};
use super::{keeper, stream};

/// What the store is made to do wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mistake {
    /// A commit counts whoever says it.
    NoFence,
    /// What came too early is said to be held, and is not.
    HoldsNothing,
    /// A worker's lease ends as soon as it has begun.
    NoLease,
    /// A sweep finds nothing.
    NoSweep,
    /// What is put aside is not kept.
    KeepsNothingAside,
    /// What is put aside is committed.
    CommitsFailed,
    /// What came after it was skipped is acknowledged.
    DropsLate,
}

/// To whom each key was granted last, and under which fence.
type Grants = Arc<Mutex<HashMap<Key, (Fence, WorkerId)>>>;

struct Mistaken {
    inner: Arc<dyn Store>,
    mistake: Mistake,
    grants: Grants,
}

impl Mistaken {
    fn note(&self, key: &Key, worker: &WorkerId, verdict: &Verdict) {
        let fence = match verdict {
            Verdict::Run(grant) => grant.fence,
            Verdict::Claimed { fence, .. } => *fence,
            _ => return,
        };
        let mut grants = self.grants.lock().unwrap();
        grants.insert(key.clone(), (fence, worker.clone()));
    }

    async fn apply_one(
        &self,
        group: &Group,
        worker: &WorkerId,
        command: &Command,
    ) -> Result<Vec<Verdict>, StoreError> {
        let said = self
            .inner
            .apply(group, worker, std::slice::from_ref(command));
        let said = said.await?;
        let verb = match (&command.action, self.mistake) {
            (Action::DeadLetter { attempt, .. }, Mistake::KeepsNothingAside) => Verb::Discard {
                seq: attempt.event.seq,
            },
            _ => return Ok(said),
        };
        let key = command.key.clone();
        let action = Action::Operate(verb);
        self.inner
            .apply(group, worker, &[Command { key, action }])
            .await?;
        Ok(said)
    }
}

#[async_trait]
impl Store for Mistaken {
    async fn open(&self, group: &Group, worker: &WorkerId) -> Result<StoreReport, StoreError> {
        self.inner.open(group, worker).await
    }

    async fn apply(
        &self,
        group: &Group,
        worker: &WorkerId,
        commands: &[Command],
    ) -> Result<Vec<Verdict>, StoreError> {
        let mut verdicts = Vec::new();
        for command in commands {
            let (mut command, mut worker) = (command.clone(), worker.clone());
            match &mut command.action {
                Action::Commit { fence, .. } if self.mistake == Mistake::NoFence => {
                    let grants = self.grants.lock().unwrap();
                    if let Some(last) = grants.get(&command.key) {
                        (*fence, worker) = last.clone();
                    }
                }
                Action::Hold(event, _) if self.mistake == Mistake::HoldsNothing => {
                    command.action = Action::Offer(event.clone());
                }
                Action::DeadLetter { attempt, have, .. }
                    if self.mistake == Mistake::CommitsFailed =>
                {
                    command.action = Action::Commit {
                        event: attempt.event.clone(),
                        fence: attempt.fence,
                        have: *have,
                    };
                }
                _ => {}
            }
            let said = self.apply_one(group, &worker, &command).await?;
            self.note(&command.key, &worker, &said[0]);
            verdicts.extend(said.into_iter().map(|verdict| match verdict {
                Verdict::Early(waiting) if self.mistake == Mistake::HoldsNothing => {
                    Verdict::Held(waiting)
                }
                Verdict::Late if self.mistake == Mistake::DropsLate => Verdict::Stale,
                verdict => verdict,
            }));
        }
        Ok(verdicts)
    }

    async fn heartbeat(
        &self,
        group: &Group,
        worker: &WorkerId,
        lease: Duration,
    ) -> Result<(), StoreError> {
        let lease = if self.mistake == Mistake::NoLease {
            Duration::ZERO
        } else {
            lease
        };
        self.inner.heartbeat(group, worker, lease).await
    }

    async fn leave(&self, group: &Group, worker: &WorkerId) -> Result<(), StoreError> {
        self.inner.leave(group, worker).await
    }

    async fn sweep(&self, group: &Group, limit: usize) -> Result<Swept, StoreError> {
        let swept = self.inner.sweep(group, limit).await?;
        Ok(if self.mistake == Mistake::NoSweep {
            Swept::default()
        } else {
            swept
        })
    }
}

/// Acknowledges everything as soon as it comes.
struct Hasty(Arc<dyn Transport>);

#[async_trait]
impl Transport for Hasty {
    async fn start(&self, intake: Intake) -> Result<(), TransportError> {
        self.0.start(intake).await
    }

    async fn receive(&self, max: usize) -> Result<Vec<Delivery>, TransportError> {
        let deliveries = self.0.receive(max).await?;
        let acks = deliveries.iter().map(|delivery| Settlement {
            token: delivery.token,
            fate: Fate::Ack,
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
    failure.troubles[0].to_string()
}

#[test]
fn a_store_without_fences_is_found() {
    let trouble = mistaken(Mistake::NoFence);
    // The first thing that goes wrong is that a worker goes on where another is.
    assert!(!trouble.contains("stalled"), "{trouble}");
}

#[test]
fn a_store_that_holds_nothing_is_found() {
    let trouble = mistaken(Mistake::HoldsNothing);
    assert!(trouble.contains("stalled"), "{trouble}");
}

#[test]
fn a_store_without_leases_is_found() {
    let trouble = mistaken(Mistake::NoLease);
    assert!(trouble.contains("no overlap"), "{trouble}");
}

#[test]
fn a_store_that_finds_nothing_in_a_sweep_is_found() {
    let trouble = mistaken(Mistake::NoSweep);
    assert!(trouble.contains("stalled"), "{trouble}");
}

#[test]
fn an_acknowledgement_before_the_commit_is_found() {
    let failure = hunt(
        || keeper().wrap_transport(|inner| Arc::new(Hasty(inner))),
        Faults::all(),
    );
    let trouble = failure.troubles[0].to_string();
    assert!(trouble.contains("stalled"), "{trouble}");
}

#[test]
fn a_store_that_keeps_nothing_aside_is_found() {
    let trouble = mistaken_in(impatient, failing(), Mistake::KeepsNothingAside);
    assert!(!trouble.contains("stalled"), "{trouble}");
}

#[test]
fn a_store_that_commits_what_failed_is_found() {
    let trouble = mistaken_in(impatient, failing(), Mistake::CommitsFailed);
    assert!(trouble.contains("order"), "{trouble}");
}

#[test]
fn a_store_that_drops_what_is_late_is_found() {
    let trouble = mistaken_in(hasty, Faults::all(), Mistake::DropsLate);
    assert!(trouble.contains("nothing lost"), "{trouble}");
}
