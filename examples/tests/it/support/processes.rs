//! Worker and producer processes of the example.

use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ordered_testkit::server::{RabbitServer, RedisServer};
use ordered_testkit::{eventually_within, unique};

use crate::support::handled_log::HandledLog;
use crate::support::load::Load;

/// How long a run may take on a machine that is busy with other things.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(300);

/// How long a worker without work may take to stop.
const DRAIN: Duration = Duration::from_secs(30);

/// What the workers and producers of one test have in common.
pub(crate) struct Setting {
    pub(crate) transport: String,
    pub(crate) store: String,
    pub(crate) queue: String,
    pub(crate) group: String,
    pub(crate) log: Arc<HandledLog>,
    /// The example that its workers and producers run.
    program: PathBuf,
    folder: PathBuf,
}

pub(crate) struct Worker {
    pub(crate) id: String,
    child: Child,
}

/// A producer at work.
pub(crate) struct Producer(Child);

/// Where cargo puts an example.
pub(crate) fn program_named(example: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    // target/<profile>/deps/<this test> and target/<profile>/examples/orders
    let program = test
        .ancestors()
        .nth(2)
        .unwrap()
        .join("examples")
        .join(example);
    assert!(
        program.exists(),
        "{} is not built: run `cargo build -p examples --examples`",
        program.display()
    );
    program
}

impl Setting {
    pub(crate) fn new(name: &str, transport: String, store: String) -> Self {
        Self::of("orders", name, transport, store)
    }

    /// The same of another example with the same commands.
    pub(crate) fn of(example: &str, name: &str, transport: String, store: String) -> Self {
        let queue = unique(name);
        let folder = std::env::temp_dir().join(&queue);
        fs::create_dir_all(&folder).unwrap();
        Self {
            transport,
            store,
            group: queue.clone(),
            log: Arc::new(HandledLog::new(folder.join("handled"))),
            queue,
            program: program_named(example),
            folder,
        }
    }

    /// The same on the servers that tests share; the parameters are those of the address of RabbitMQ.
    pub(crate) async fn shared(
        example: &str,
        name: &str,
        parameters: &str,
    ) -> (&'static RabbitServer, Self) {
        let (rabbit, redis) = (
            RabbitServer::shared().await.unwrap(),
            RedisServer::shared().await.unwrap(),
        );
        let transport = format!("{}{parameters}", rabbit.url());
        (rabbit, Self::of(example, name, transport, redis.url()))
    }

    /// Starts a worker. What it says goes to a file of its own, which a failing test shows.
    pub(crate) fn work(&self, id: &str, more: &[&str]) -> Worker {
        self.work_as(id, (id, &self.group), more)
    }

    /// The same, under another name or in another group.
    pub(crate) fn work_as(&self, id: &str, (name, group): (&str, &str), more: &[&str]) -> Worker {
        let child = self
            .command(&mut Command::new(&self.program), "work")
            .args(["--store", &self.store, "--group", group])
            .args(["--id", name, "--log"])
            .arg(self.log.path())
            .args(more)
            .stderr(File::create(self.output_file(id)).unwrap())
            .spawn()
            .unwrap();
        Worker {
            id: id.to_owned(),
            child,
        }
    }

    /// Whether the worker has said that it starts.
    pub(crate) fn is_up(&self, worker: &Worker) -> bool {
        let output = fs::read_to_string(self.output_file(&worker.id)).unwrap();
        output.contains("the worker starts")
    }

    /// Runs the producer to its end.
    pub(crate) async fn produce(&self, load: &Load) {
        self.begin_to_produce(load).finished().await;
    }

    /// Starts the producer.
    pub(crate) fn begin_to_produce(&self, load: &Load) -> Producer {
        self.begin_to_produce_with(&load.arguments())
    }

    /// Starts the producer with arguments of the test's own.
    pub(crate) fn begin_to_produce_with(&self, arguments: &[String]) -> Producer {
        self.producer(
            self.command(&mut Command::new(&self.program), "produce"),
            arguments,
        )
    }

    /// Declares the queue, where that is the producer's business.
    pub(crate) async fn declare(&self) {
        let nothing = ["--keys".to_owned(), "0".to_owned()];
        self.begin_to_produce_with(&nothing).finished().await;
    }

    /// Starts the Python producer, in the environment that `scripts/install-servers` makes.
    pub(crate) fn begin_to_produce_with_python(&self, load: &Load) -> Producer {
        self.begin_to_produce_with_python_and(load, &[])
    }

    /// The same with arguments of the test's own.
    pub(crate) fn begin_to_produce_with_python_and(&self, load: &Load, more: &[&str]) -> Producer {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let python = here.join("../target/python/bin/python");
        assert!(
            python.exists(),
            "no Python with pika: run `scripts/install-servers`"
        );
        let program = here.join("python/produce.py");
        let program = program.to_str().expect("a path of text");
        let mut arguments = load.arguments();
        arguments.extend(more.iter().map(|argument| (*argument).to_owned()));
        self.producer(self.command(&mut Command::new(python), program), &arguments)
    }

    fn producer(&self, command: &mut Command, arguments: &[String]) -> Producer {
        let output = File::create(self.output_file(&unique("producer"))).unwrap();
        let stdout = output.try_clone().unwrap();
        command.args(arguments).stdout(stdout).stderr(output);
        Producer(command.spawn().unwrap())
    }

    /// What a worker wrote to its log of messages so far.
    pub(crate) fn output(&self, id: &str) -> String {
        fs::read_to_string(self.output_file(id)).unwrap()
    }

    /// The program with what all of them are told.
    fn command<'a>(&self, command: &'a mut Command, verb: &str) -> &'a mut Command {
        command
            .arg(verb)
            .args(["--transport", &self.transport, "--queue", &self.queue])
            .stdin(Stdio::null())
    }

    fn output_file(&self, id: &str) -> PathBuf {
        self.folder.join(format!("{id}.err"))
    }

    /// Kills the workers but the last: one each time so many events were handled, if not all were sooner. Waits for the
    /// end of the load, and stops the last one.
    pub(crate) async fn finished_by_the_last_of(
        &self,
        mut workers: Vec<Worker>,
        marks: &[usize],
        load: &Load,
    ) {
        for mark in marks {
            let is_there = async || self.log.total() > *mark || self.log.is_finished(load);
            eventually_within(TIMEOUT, "in the middle", is_there).await;
            workers.remove(0).kill();
        }
        self.finished(load).await;
        for worker in workers {
            let stopped = tokio::time::timeout(DRAIN, worker.stop());
            stopped.await.expect("it stops");
        }
    }

    /// Waits until every key has come to its last event.
    pub(crate) async fn finished(&self, load: &Load) {
        let begun = Instant::now();
        eventually_within(TIMEOUT, "all events handled", async || {
            self.log.is_finished(load)
        })
        .await;
        println!("handled after {:.1} s", begun.elapsed().as_secs_f64());
    }
}

/// What the processes said is worth reading when a test failed.
impl Drop for Setting {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
                if entry
                    .path()
                    .extension()
                    .is_some_and(|extension| extension == "err")
                {
                    let output = fs::read_to_string(entry.path()).unwrap_or_default();
                    let tail: Vec<&str> = output.lines().rev().take(30).collect();
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

    /// The signal that ended it, if one did.
    pub(crate) fn ended_by(&mut self) -> Option<i32> {
        self.child
            .try_wait()
            .unwrap()
            .and_then(|ended| ended.signal())
    }

    /// As a crash of the machine would.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Sends it a signal, such as `STOP`.
    pub(crate) fn signal(&self, signal: &str) {
        let asked = Command::new("kill")
            .args(["-s", signal])
            .arg(self.child.id().to_string())
            .status()
            .unwrap();
        assert!(asked.success());
    }

    /// Waits until it has ended by itself, and says with which code.
    pub(crate) async fn code(&mut self) -> Option<i32> {
        ended(&mut self.child, "the worker has ended").await.code()
    }

    /// Asks it to stop, and waits until it has.
    pub(crate) async fn stop(mut self) {
        self.signal("TERM");
        let ended = ended(&mut self.child, "the worker has drained").await;
        assert!(ended.success(), "{} ended with {ended:?}", self.id);
    }
}

impl Producer {
    pub(crate) fn has_finished(&mut self) -> bool {
        self.0.try_wait().unwrap().is_some()
    }

    /// Waits until it has published everything.
    pub(crate) async fn finished(mut self) {
        let ended = ended(&mut self.0, "all is published").await;
        assert!(ended.success(), "the producer ended with {ended:?}");
    }
}

async fn ended(child: &mut Child, what: &str) -> ExitStatus {
    let mut status = None;
    eventually_within(TIMEOUT, what, async || {
        status = child.try_wait().unwrap();
        status.is_some()
    })
    .await;
    status.expect("it has ended")
}

impl Drop for Worker {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        end(&mut self.0);
    }
}

fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}
