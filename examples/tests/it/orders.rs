//! Worker and producer processes of the example, and the log in which the workers write what they handled.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use ordered_testkit::{eventually_within, unique};

/// How long a run may take on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(150);

/// What the workers and producers of one test have in common.
pub(crate) struct Setting {
    pub(crate) transport: String,
    pub(crate) store: String,
    pub(crate) queue: String,
    pub(crate) group: String,
    pub(crate) log: PathBuf,
    folder: PathBuf,
}

pub(crate) struct Worker {
    pub(crate) id: String,
    child: Child,
}

/// One line of the log.
#[derive(Debug, Clone)]
pub(crate) struct Handled {
    pub(crate) key: String,
    pub(crate) seq: u64,
    pub(crate) worker: String,
}

fn program() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    // target/<profile>/deps/<this test> and target/<profile>/examples/orders
    let program = test.ancestors().nth(2).unwrap().join("examples/orders");
    assert!(
        program.exists(),
        "{} is not built: run `cargo build -p examples --examples`",
        program.display()
    );
    program
}

impl Setting {
    pub(crate) fn new(name: &str, transport: String, store: String) -> Self {
        let queue = unique(name);
        let folder = std::env::temp_dir().join(&queue);
        fs::create_dir_all(&folder).unwrap();
        Self {
            transport,
            store,
            group: queue.clone(),
            log: folder.join("handled"),
            queue,
            folder,
        }
    }

    /// Starts a worker. What it says goes to a file of its own, which a failing test shows.
    pub(crate) fn work(&self, id: &str, more: &[&str]) -> Worker {
        let said = fs::File::create(self.folder.join(format!("{id}.err"))).unwrap();
        let child = Command::new(program())
            .args([
                "work",
                "--transport",
                &self.transport,
                "--queue",
                &self.queue,
                "--store",
                &self.store,
            ])
            .args(["--group", &self.group, "--id", id, "--log"])
            .arg(&self.log)
            .args(more)
            .stdin(Stdio::null())
            .stderr(said)
            .spawn()
            .unwrap();
        Worker {
            id: id.to_owned(),
            child,
        }
    }

    /// Runs the producer to its end.
    pub(crate) fn produce(&self, arguments: &[&str]) {
        let output = Command::new(program())
            .args([
                "produce",
                "--transport",
                &self.transport,
                "--queue",
                &self.queue,
            ])
            .args(arguments)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        print!("{}", String::from_utf8_lossy(&output.stdout));
    }

    /// Runs the Python producer to its end, in the environment that `scripts/install-servers` makes.
    pub(crate) fn produce_with_python(&self, arguments: &[&str]) {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let python = here.join("../target/python/bin/python");
        assert!(
            python.exists(),
            "no Python with pika: run `scripts/install-servers`"
        );
        let output = Command::new(python)
            .arg(here.join("python/produce.py"))
            .args(["--transport", &self.transport, "--queue", &self.queue])
            .args(arguments)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        print!("{}", String::from_utf8_lossy(&output.stdout));
    }

    /// What a worker wrote to its log of messages so far.
    #[cfg(feature = "prometheus")]
    pub(crate) fn said(&self, id: &str) -> String {
        fs::read_to_string(self.folder.join(format!("{id}.err"))).unwrap()
    }

    /// What was handled so far. A line that is being written is left out.
    pub(crate) fn handled(&self) -> Vec<Handled> {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let read = |line: &str| {
            let mut words = line.split(' ');
            let mut word = || words.next().unwrap_or_default().to_owned();
            let (key, seq, _, worker) = (word(), word(), word(), word());
            Handled {
                key,
                seq: seq.parse().unwrap(),
                worker,
            }
        };
        whole.lines().map(read).collect()
    }

    pub(crate) fn by_key(&self) -> BTreeMap<String, Vec<Handled>> {
        let mut by_key = BTreeMap::<String, Vec<Handled>>::new();
        for handled in self.handled() {
            by_key.entry(handled.key.clone()).or_default().push(handled);
        }
        by_key
    }

    /// Waits until every key has come to its last event.
    pub(crate) async fn finished(&self, keys: usize, events: u64) {
        let begun = Instant::now();
        eventually_within(PATIENCE, "all events handled", async || {
            self.is_finished(keys, events)
        })
        .await;
        println!("handled after {:.1} s", begun.elapsed().as_secs_f64());
    }

    fn is_finished(&self, keys: usize, events: u64) -> bool {
        let by_key = self.by_key();
        by_key.len() == keys
            && by_key
                .values()
                .all(|handled| handled.iter().any(|one| one.seq == events))
    }

    /// For every key exactly 1..=events, in order, once.
    pub(crate) fn assert_in_order_once(&self, keys: usize, events: u64) {
        let by_key = self.by_key();
        assert_eq!(by_key.len(), keys);
        for (key, handled) in by_key {
            let seqs: Vec<u64> = handled.iter().map(|one| one.seq).collect();
            assert_eq!(seqs, (1..=events).collect::<Vec<_>>(), "{key}: {handled:?}");
        }
    }

    /// Waits until every key that the killed worker had at that moment goes on with others, and says how long that took.
    pub(crate) async fn go_on_without(&self, dead: &str, killed: Instant, events: u64) -> Duration {
        let left_behind: BTreeMap<String, u64> = self
            .by_key()
            .into_iter()
            .filter_map(|(key, handled)| {
                Some((key, handled.last().filter(|last| last.worker == dead)?.seq))
            })
            .filter(|(_, seq)| *seq < events)
            .collect();
        assert!(!left_behind.is_empty(), "the killed worker had keys");
        eventually_within(
            Duration::from_secs(60),
            "the dead worker's keys go on",
            async || {
                let by_key = self.by_key();
                let goes_on = |(key, seq): (&String, &u64)| {
                    by_key[key]
                        .iter()
                        .any(|handled| handled.seq > *seq && handled.worker != dead)
                };
                left_behind.iter().all(goes_on)
            },
        )
        .await;
        let took = killed.elapsed();
        println!(
            "{} keys went on within {took:?} of the kill",
            left_behind.len()
        );
        took
    }

    /// For every key 1..=events in order, nothing missing; an event that was handled twice was in flight in the killed
    /// worker.
    pub(crate) fn assert_repeated_only_by(&self, killed: &str, events: u64) {
        let mut repeated = 0;
        for (key, handled) in self.by_key() {
            let mut next = 1;
            for (place, one) in handled.iter().enumerate() {
                if one.seq == next {
                    next += 1;
                } else {
                    assert_eq!(one.seq, next - 1, "{key} is out of order: {handled:?}");
                    assert_eq!(
                        handled[place - 1].worker,
                        killed,
                        "{key}: only what was in flight is repeated"
                    );
                    repeated += 1;
                }
            }
            assert_eq!(next, events + 1, "{key}: nothing is lost");
        }
        println!("{repeated} events were in flight in the killed worker");
    }
}

/// What the workers said is worth reading when a test failed.
impl Drop for Setting {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
                if entry
                    .path()
                    .extension()
                    .is_some_and(|extension| extension == "err")
                {
                    let said = fs::read_to_string(entry.path()).unwrap_or_default();
                    let tail: Vec<&str> = said.lines().rev().take(30).collect();
                    eprintln!("{}:", entry.path().display());
                    tail.into_iter()
                        .rev()
                        .for_each(|line| eprintln!("  {line}"));
                }
            }
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl Worker {
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// As a crash of the machine would.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to stop, and waits until it has.
    pub(crate) async fn stop(mut self) {
        let asked = Command::new("kill")
            .arg(self.child.id().to_string())
            .status()
            .unwrap();
        assert!(asked.success());
        let mut ended: Option<ExitStatus> = None;
        eventually_within(
            Duration::from_secs(40),
            "the worker has drained",
            async || {
                ended = self.child.try_wait().unwrap();
                ended.is_some()
            },
        )
        .await;
        assert!(
            ended.is_some_and(|status| status.success()),
            "{} ended with {ended:?}",
            self.id
        );
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
