//! A hundred random verbs, from a seed, while three workers are busy.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use ordered_core::worker::WorkerEvent;
use ordered_testkit::eventually_within;
use ordered_testkit::server::RedisServer;
use serde_json::Value;

use crate::support::{Fixture, HandlerAction, Running, TempFile};

const KEYS: u64 = 8;
const VERBS: u64 = 100;

/// An event of a key: the key's number, and the seq.
type Which = (String, u64);

#[derive(Default)]
struct Seen {
    /// What was committed, and under which fence, in the order in which workers heard of it.
    committed: Vec<(Which, u64)>,
    /// What operators took out, whether it came back or not.
    removed: BTreeSet<Which>,
    /// How the verbs ended.
    codes: BTreeMap<i32, u32>,
}

struct Race {
    fixture: Fixture,
    random: fastrand::Rng,
    seen: Arc<Mutex<Seen>>,
    /// When each run of a handler got done, by event and fence.
    runs: Arc<Mutex<Vec<(Which, u64)>>>,
    calmed: Arc<AtomicBool>,
    /// What ends the last pause: the next thing to say, so that workers are busy most of the time.
    resume: Option<Vec<String>>,
    // Gone with the race.
    _server: RedisServer,
}

fn seed() -> u64 {
    let given = std::env::var("ORDERED_SEED").ok();
    let seed = given.map_or_else(
        || fastrand::u64(..1_000_000),
        |given| given.parse().expect("a number"),
    );
    eprintln!("repeat with ORDERED_SEED={seed}");
    seed
}

fn number(key: &str) -> u64 {
    key[1..].parse().expect("a key is k and a number")
}

fn key(number: u64) -> String {
    format!("k{number}")
}

impl Race {
    async fn new(seed: u64) -> Self {
        let calmed = Arc::new(AtomicBool::new(false));
        let runs = Arc::new(Mutex::new(Vec::new()));
        let (is_calm, log) = (Arc::clone(&calmed), Arc::clone(&runs));
        let script = move |context: &ordered_core::handler::Context, text: &str| {
            let (key, seq) = (context.key().to_string(), context.seq().get());
            let luck = fastrand::Rng::with_seed(seed ^ (seq << 32) ^ number(&key)).u32(..20);
            if !is_calm.load(Ordering::SeqCst) && text != "edited" && luck == 0 {
                return HandlerAction::FailPermanently;
            }
            if luck < 3 && context.attempt() == 1 {
                return HandlerAction::Fail;
            }
            log.lock().unwrap().push(((key, seq), context.fence().0));
            HandlerAction::Succeed
        };
        // It is order that is at stake here, not what outlives the server; and the disk would set the pace.
        let server = RedisServer::builder().no_persistence().start();
        let server = server.await.unwrap();
        Self {
            fixture: Fixture::at(server.url(), script).await,
            resume: None,
            _server: server,
            random: fastrand::Rng::with_seed(seed),
            seen: Arc::default(),
            runs,
            calmed,
        }
    }

    fn start(&self, name: &str) -> Running {
        let seen = Arc::clone(&self.seen);
        // The last run of an event on this worker is the one that it commits.
        let started = Mutex::new(BTreeMap::<Which, u64>::new());
        self.fixture.start(name, |worker| {
            worker.concurrency(4).observe(move |worker_event| {
                let mut started = started.lock().unwrap();
                match worker_event {
                    WorkerEvent::Started { event, fence, .. } => {
                        let which = (event.key.to_string(), event.seq.get());
                        started.insert(which, fence.0);
                    }
                    WorkerEvent::Committed { event, .. } => {
                        let which = (event.key.to_string(), event.seq.get());
                        let fence = started[&which];
                        seen.lock().unwrap().committed.push((which, fence));
                    }
                    _ => {}
                }
            })
        })
    }

    /// The next two events of each key, in any order.
    async fn publish(&mut self, step: u64) {
        let mut keys: Vec<u64> = (0..KEYS).collect();
        self.random.shuffle(&mut keys);
        for number in keys {
            let (earlier, later) = (step - 1, step);
            let pair = if self.random.bool() {
                [later, earlier]
            } else {
                [earlier, later]
            };
            self.fixture.publish(&key(number), pair).await;
        }
    }

    /// A verb near where its key is.
    async fn verb(&mut self) -> (String, Vec<String>, TempFile) {
        let key = key(self.random.u64(..KEYS));
        let last = self
            .fixture
            .view(&key)
            .await
            .map_or(0, |view| view.last_seq);
        let near = (last + self.random.u64(..4)).max(1).to_string();
        let body = TempFile::new(&format!("{key} {near} {key}-{near} edited"));
        if let Some(words) = self.resume.take() {
            return (key, words, body);
        }
        let words: Vec<&str> = match self.random.u32(..11) {
            0..=2 => vec!["retry", &key],
            3 => vec!["skip", &key, "--yes"],
            4 => vec!["skip", &key, "--to", &near, "--yes"],
            5 | 6 => vec!["discard", &key, &near, "--yes"],
            7 => vec!["edit", &key, &near, "--payload", body.path(), "--yes"],
            8 => vec!["pause", &key],
            9 => vec!["pause"],
            _ => vec!["replay", &key],
        };
        let words: Vec<String> = words.iter().map(ToString::to_string).collect();
        if words[0] == "pause" {
            let mut resume = words.clone();
            resume[0] = "resume".into();
            self.resume = Some(resume);
        }
        (key.clone(), words, body)
    }

    async fn operate(&mut self) {
        let (key, mut words, _body) = self.verb().await;
        words.push("--json".into());
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let output = self.fixture.run(&words).await;
        assert!([0, 1].contains(&output.code), "{words:?}: {output:?}");
        let mut seen = self.seen.lock().unwrap();
        *seen.codes.entry(output.code).or_default() += 1;
        if output.code == 0 {
            let document: Value = serde_json::from_str(&output.out).unwrap();
            let removed = document["removed"].as_array().into_iter().flatten();
            seen.removed
                .extend(removed.map(|seq| (key.clone(), seq.as_u64().unwrap())));
        }
    }

    /// Lets everything go on, and waits until all is at rest.
    async fn settle(&self) {
        self.calmed.store(true, Ordering::SeqCst);
        self.fixture.ordered("resume").await;
        for number in 0..KEYS {
            self.fixture.run(&["resume", &key(number)]).await;
        }
        let limit = std::time::Duration::from_secs(60);
        eventually_within(limit, "all keys at rest", async || {
            let mut at_rest = self.fixture.broker.backlog() == 0;
            for number in 0..KEYS {
                let key = key(number);
                let Some(view) = self.fixture.view(&key).await else {
                    continue;
                };
                if view.phase == "halted" {
                    self.fixture.run(&["retry", &key]).await;
                }
                let replays = view
                    .dead
                    .iter()
                    .any(|dead| dead.replay && dead.seq <= view.last_seq);
                at_rest &= view.held_events == 0 && view.claim.is_none() && !replays;
            }
            at_rest
        })
        .await;
    }

    /// The promises: once, in order, and nothing lost.
    async fn check(&self) {
        let seen = self.seen.lock().unwrap();
        let mut committed = BTreeMap::new();
        for (which, fence) in &seen.committed {
            let before = committed.insert(which.clone(), *fence);
            assert_eq!(before, None, "{which:?} committed twice");
        }
        self.check_order(&committed, &seen.removed);
        let mut accounted: BTreeSet<Which> = committed.into_keys().collect();
        accounted.extend(seen.removed.iter().cloned());
        for (envelope, _) in self.fixture.broker.dead_letters() {
            let text = String::from_utf8(envelope.body.to_vec()).unwrap();
            let mut words = text.split(' ');
            let key = words.next().unwrap().to_owned();
            accounted.insert((key, words.next().unwrap().parse().unwrap()));
        }
        for number in 0..KEYS {
            for seq in 1..=VERBS {
                let which = (key(number), seq);
                assert!(accounted.contains(&which), "{which:?} is lost");
            }
        }
    }

    /// The runs that were committed got done in the order of their seqs, but for what came back.
    fn check_order(&self, committed: &BTreeMap<Which, u64>, removed: &BTreeSet<Which>) {
        let mut last = BTreeMap::<String, u64>::new();
        for (which, fence) in self.runs.lock().unwrap().iter() {
            if committed.get(which) != Some(fence) {
                continue;
            }
            let (key, seq) = which;
            let last = last.entry(key.clone()).or_default();
            assert!(
                *seq > *last || removed.contains(which),
                "{key} {seq} was handled after {last}"
            );
            *last = (*last).max(*seq);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_random_verbs_break_no_promise() {
    let mut race = Race::new(seed()).await;
    let workers = ["w1", "w2", "w3"].map(|name| race.start(name));
    for step in 1..=VERBS {
        if step % 2 == 0 {
            race.publish(step).await;
        }
        race.operate().await;
    }
    let handled = race.runs.lock().unwrap().len();
    eprintln!("{handled} runs of handlers while operators were at it");
    race.settle().await;
    for worker in workers {
        worker.stop().await;
    }
    race.check().await;
    let seen = race.seen.lock().unwrap();
    eprintln!(
        "{} committed, {} taken out, verbs by exit code: {:?}",
        seen.committed.len(),
        seen.removed.len(),
        seen.codes
    );
    assert!(
        seen.codes.get(&0).is_some_and(|done| *done >= 20),
        "hardly a verb was done"
    );
    assert!(seen.committed.len() > 600, "hardly an event was committed");
}
