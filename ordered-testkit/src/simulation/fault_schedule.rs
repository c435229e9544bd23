use std::collections::BTreeSet;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::fleet::{Fleet, LEASE, Process};
use super::recorder::Recorder;

/// What may happen to a worker or to all.
#[derive(Debug, Clone, Copy)]
enum Fault {
    Crash,
    Restart,
    Pause,
    StoreOutage,
    BrokerCut,
}

/// What ends by itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    Store,
    /// Of the pause of this worker, if it is still in this place.
    Pause(usize, String),
}

/// Sends faults until the faults are over. Returns the workers that are still leaving.
pub(super) async fn run(fleet: &mut Fleet, workers: &mut [Process]) -> JoinSet<()> {
    let recorder = fleet.recorder.clone();
    let over = Instant::now() + recorder.faults().duration;
    let mut ends = BTreeSet::<(Instant, End)>::new();
    let mut leaving = JoinSet::new();
    loop {
        let (wait, fault) = next(&recorder);
        let at = (Instant::now() + wait).min(over);
        while let Some((when, end)) = ends.pop_first() {
            if when > at {
                ends.insert((when, end));
                break;
            }
            sleep_until(when).await;
            match end {
                End::Store => recorder.set_store_down(false),
                End::Pause(place, name) if workers[place].name() == name => {
                    workers[place].freeze(false);
                }
                End::Pause(..) => {}
            }
        }
        sleep_until(at).await;
        let Some(fault) = fault.filter(|_| at < over) else {
            break;
        };
        let place = recorder.pick(workers.len());
        match fault {
            Fault::Crash => {
                let fresh = fleet.start();
                std::mem::replace(&mut workers[place], fresh).kill().await;
            }
            Fault::Restart => {
                let fresh = fleet.start();
                let old = std::mem::replace(&mut workers[place], fresh);
                leaving.spawn(old.stop());
            }
            Fault::Pause => {
                workers[place].freeze(true);
                let name = workers[place].name().to_owned();
                ends.insert((at + recorder.up_to(LEASE * 3), End::Pause(place, name)));
            }
            Fault::StoreOutage => {
                recorder.set_store_down(true);
                ends.insert((at + recorder.up_to(LEASE * 2), End::Store));
            }
            Fault::BrokerCut => workers[place].cut().await,
        }
    }
    recorder.end_faults();
    workers.iter().for_each(|worker| worker.freeze(false));
    leaving
}

/// Which fault comes next, and after how long: for each kind a wait is drawn, and the shortest wins.
fn next(recorder: &Recorder) -> (Duration, Option<Fault>) {
    let faults = recorder.faults();
    let kinds = [
        (faults.crashes, Fault::Crash),
        (faults.restarts, Fault::Restart),
        (faults.pauses, Fault::Pause),
        (faults.store_outages, Fault::StoreOutage),
        (faults.broker_cuts, Fault::BrokerCut),
    ];
    let drawn = kinds.into_iter().filter_map(|(interval, fault)| {
        let wait = recorder.up_to(interval? * 2);
        Some((wait, Some(fault)))
    });
    drawn
        .min_by_key(|(wait, _)| *wait)
        .unwrap_or((faults.duration, None))
}
