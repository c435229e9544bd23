//! A worker that is killed in the middle of its work.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use ordered_testkit::{eventually, eventually_within};

use crate::support::load::Load;
use crate::support::processes::{Setting, TIMEOUT, Worker};

pub(crate) const LEASE: Duration = Duration::from_secs(5);
pub(crate) const SWEEP: Duration = Duration::from_millis(250);

/// What is to happen.
pub(crate) struct Killing {
    pub(crate) load: Load,
    pub(crate) concurrency: usize,
    /// Whether the events come from the producer in Python.
    pub(crate) in_python: bool,
    /// How long after the kill the last of the dead worker's keys may go on.
    pub(crate) within: Duration,
}

/// From the kill to the end at the earliest, when half is handled: a test that is held up for less than this sees what
/// it is about.
const LEFT: Duration = Duration::from_secs(5);

/// Kills the worker that is in the middle of most keys, while three of them work and events come in. Its keys must go
/// on with the others, and nothing be lost or out of order.
pub(crate) async fn one_of_three_workers_may_be_killed(setting: &Setting, killing: &Killing) {
    let load = &killing.load;
    let mut workers = killing.start(setting);
    let workers_are_up = async || workers.iter().all(|worker| setting.is_up(worker));
    eventually("the workers are up", workers_are_up).await;
    let mut producer = if killing.in_python {
        setting.begin_to_produce_with_python(load)
    } else {
        setting.begin_to_produce(load)
    };
    // An event that does not exist yet cannot be handled, so it is better killed when all of them do; but in the
    // middle.
    eventually_within(TIMEOUT, "in the middle", async || {
        let (handled, total) = (setting.log.total(), load.total());
        handled > total / 2 || handled > total / 4 && producer.has_finished()
    })
    .await;

    let mut dying = workers.remove(busiest(setting, load, &workers));
    dying.kill();
    let killed = Instant::now();
    let left_behind: BTreeMap<String, u64> = setting
        .log
        .in_the_middle(load)
        .into_iter()
        .filter(|(_, last)| last.worker == dying.id)
        .map(|(key, last)| (key, last.seq))
        .collect();
    assert!(
        !left_behind.is_empty(),
        "{} was in the middle of keys, and nothing held up this test for {LEFT:?}",
        dying.id
    );
    producer.finished().await;
    let published = Instant::now();
    let lateness = go_on(setting, &left_behind, &dying).await;
    let (took, of_all) = (published.elapsed(), killed.elapsed());
    println!(
        "{} keys of {} went on within {of_all:?} of the kill, {took:?} after the last event was published",
        left_behind.len(),
        dying.id
    );
    assert!(
        took < killing.within + lateness,
        "{took:?} is too long; this test itself was held up for {lateness:?}"
    );

    setting.finished(load).await;
    for worker in workers {
        worker.stop().await;
    }
    setting
        .log
        .assert_repeated_only_by(|worker| worker == dying.id, load);
}

impl Killing {
    /// How long a handler sleeps, so that half of all takes a little more than [`LEFT`] on any machine.
    fn work(&self) -> Duration {
        let (half, slots) = (self.load.total() / 2, 3 * self.concurrency);
        let rounds = u32::try_from(half / slots).unwrap().max(1);
        LEFT * 5 / 4 / rounds
    }

    fn start(&self, setting: &Setting) -> Vec<Worker> {
        let milliseconds = |duration: Duration| duration.as_millis().to_string();
        let options = [
            ("--lease-ms", milliseconds(LEASE)),
            ("--sweep-ms", milliseconds(SWEEP)),
            ("--work-ms", milliseconds(self.work())),
            ("--concurrency", self.concurrency.to_string()),
        ];
        let options: Vec<&str> = options
            .iter()
            .flat_map(|(name, value)| [*name, value])
            .collect();
        let start = |id| setting.work(id, &options);
        ["w1", "w2", "w3"].map(start).into()
    }
}

/// The place of the worker that handled the last event of most keys that are not at their end.
fn busiest(setting: &Setting, load: &Load, workers: &[Worker]) -> usize {
    let mut keys = vec![0; workers.len()];
    for last in setting.log.in_the_middle(load).into_values() {
        let place = workers.iter().position(|worker| worker.id == last.worker);
        keys[place.expect("one of the three")] += 1;
    }
    println!("the workers are in the middle of {keys:?} keys");
    let most = keys.iter().enumerate().max_by_key(|(_, keys)| **keys);
    most.map_or(0, |(place, _)| place)
}

/// Waits until all these keys go on, and says for how long this test was held up meanwhile by a busy machine, which the
/// workers share with it.
async fn go_on(setting: &Setting, left_behind: &BTreeMap<String, u64>, dead: &Worker) -> Duration {
    /// What a look at the log takes, and the pause behind it, when nothing else wants the machine.
    const USUAL: Duration = Duration::from_millis(50);
    let (mut lateness, mut last) = (Duration::ZERO, Instant::now());
    eventually_within(TIMEOUT, "the dead worker's keys go on", async || {
        lateness += last.elapsed().saturating_sub(USUAL);
        last = Instant::now();
        let goes_on = |(key, seq): (&String, &u64)| setting.log.goes_on(key, *seq, &dead.id);
        left_behind.iter().all(goes_on)
    })
    .await;
    lateness
}
