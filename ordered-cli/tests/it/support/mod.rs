//! What a test runs against: a store in Redis under names of its own, a broker, workers, and the command line.

pub(crate) mod broker_queue;
pub(crate) mod halted_keys;

use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ordered_core::admin::Admin;
use ordered_core::event::{Envelope, EventId, Key, Seq};
use ordered_core::handler::{
    Backoff, Context, Decoded, Handler, HandlerError, HandlerOptions, Malformed,
};
use ordered_core::protocol::{KeyView, Policy};
use ordered_core::store::Group;
use ordered_core::transport::{MemoryBroker, Publish};
use ordered_core::worker::{Worker, WorkerBuilder, WorkerError};
use ordered_redis::RedisStore;
use ordered_testkit::server::RedisServer;
use ordered_testkit::{eventually, unique};
use serde_json::Value;
use tokio::process::Command;
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;

pub(crate) const GROUP: &str = "orders";

/// What the handler does with an event.
pub(crate) enum HandlerAction {
    Succeed,
    Fail,
    FailPermanently,
    FailWith(&'static str),
    Hang,
    /// Succeeds after this time.
    Pause(Duration),
    /// Succeeds once it is let.
    Wait(Arc<Notify>),
}

type Script = Arc<dyn Fn(&Context, &str) -> HandlerAction + Send + Sync>;

/// Handles `key seq id and more`, and writes down what it did, with what came behind the id.
#[derive(Clone)]
struct ScriptedHandler {
    log: Arc<Mutex<Vec<(String, u64, String)>>>,
    script: Script,
}

impl Handler for ScriptedHandler {
    type Event = String;

    fn options(&self) -> HandlerOptions {
        let mut options = HandlerOptions::new(GROUP);
        options.backoff = Backoff {
            base: Duration::from_millis(1),
            cap: Duration::from_millis(2),
        };
        options
    }

    fn decode(&self, envelope: &Envelope) -> Result<Decoded<String>, Malformed> {
        let text = str::from_utf8(&envelope.body).map_err(|error| Malformed(error.to_string()))?;
        let mut words = text.splitn(4, ' ');
        let (Some(key), Some(seq), Some(id)) = (words.next(), words.next(), words.next()) else {
            return Err(Malformed("not `key seq id`".into()));
        };
        let seq: u64 = seq
            .parse()
            .map_err(|_| Malformed("seq is not a number".into()))?;
        Ok(Decoded {
            key: Key::new(key)?,
            seq: Seq::new(seq)?,
            id: EventId::new(id)?,
            event: words.next().unwrap_or_default().to_owned(),
        })
    }

    async fn call(&self, event: String, context: Context) -> Result<(), HandlerError> {
        match (self.script)(&context, &event) {
            HandlerAction::Succeed => {}
            HandlerAction::Fail => return Err(HandlerError::transient("no luck")),
            HandlerAction::FailPermanently => return Err(HandlerError::permanent("never")),
            HandlerAction::FailWith(error) => return Err(HandlerError::permanent(error)),
            HandlerAction::Pause(time) => tokio::time::sleep(time).await,
            HandlerAction::Hang => std::future::pending().await,
            HandlerAction::Wait(let_go) => let_go.notified().await,
        }
        let done = (context.key().to_string(), context.seq().get(), event);
        self.log.lock().unwrap().push(done);
        Ok(())
    }
}

pub(crate) struct Fixture {
    pub(crate) broker: MemoryBroker,
    pub(crate) store: RedisStore,
    pub(crate) admin: Admin,
    pub(crate) group: Group,
    url: String,
    prefix: String,
    handler: ScriptedHandler,
}

/// The output of the command line.
#[derive(Debug)]
pub(crate) struct CommandOutput {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl CommandOutput {
    pub(crate) fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        Self {
            code: output.status.code().expect("no signal"),
            out: text(output.stdout).trim_end().to_owned(),
            err: text(output.stderr).trim_end().to_owned(),
        }
    }

    /// The output of a command that did what it was to do.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!((self.code, self.err.as_str()), (0, ""), "{}", self.out);
        self.out
    }

    #[track_caller]
    pub(crate) fn json(self) -> Value {
        let out = self.ok();
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}"))
    }

    /// The message of one that did not.
    #[track_caller]
    pub(crate) fn fails(self, code: i32) -> String {
        assert_eq!((self.code, self.out.as_str()), (code, ""), "{}", self.err);
        self.err
    }
}

impl Fixture {
    pub(crate) async fn new(
        script: impl Fn(&Context, &str) -> HandlerAction + Send + Sync + 'static,
    ) -> Self {
        Self::at(RedisServer::shared().await.unwrap().url(), script).await
    }

    /// The same on a server of its own.
    pub(crate) async fn at(
        url: String,
        script: impl Fn(&Context, &str) -> HandlerAction + Send + Sync + 'static,
    ) -> Self {
        let prefix = unique("cli");
        let store = RedisStore::builder(&url).prefix(&prefix);
        let store = store.connect().await.unwrap();
        Self {
            broker: MemoryBroker::new(),
            admin: Admin::new(Arc::new(store.clone())),
            store,
            group: Group::new(GROUP, Policy::default()),
            url,
            prefix,
            handler: ScriptedHandler {
                log: Arc::default(),
                script: Arc::new(script),
            },
        }
    }

    /// One in which all goes well.
    pub(crate) async fn calm() -> Self {
        Self::new(|_, _| HandlerAction::Succeed).await
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ordered"));
        command
            .args(arguments)
            .env("ORDERED_STORE", &self.url)
            .env("ORDERED_PREFIX", &self.prefix)
            .env("USER", "ada")
            .env_remove("ORDERED_GROUP")
            .env_remove("ORDERED_TRANSPORT")
            .env_remove("ORDERED_QUEUE")
            .stdin(Stdio::null());
        command
    }

    /// Runs `ordered` with these words.
    pub(crate) async fn run(&self, arguments: &[&str]) -> CommandOutput {
        CommandOutput::of(self.command(arguments).output().await.unwrap())
    }

    /// The same, with the line split at its spaces.
    pub(crate) async fn ordered(&self, line: &str) -> CommandOutput {
        self.run(&line.split(' ').collect::<Vec<_>>()).await
    }

    pub(crate) fn start(
        &self,
        name: &str,
        change: impl FnOnce(WorkerBuilder) -> WorkerBuilder,
    ) -> Running {
        let worker = Worker::builder()
            .store(self.store.clone())
            .transport(self.broker.consumer())
            .handler(self.handler.clone())
            .id(name)
            .lease(Duration::from_secs(3))
            .sweep_interval(Duration::from_millis(50));
        let worker = change(worker).build().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(worker.run_until(async move {
            let _ = stopped.await;
        }));
        Running { stop, task }
    }

    pub(crate) async fn publish(&self, key: &str, seqs: impl IntoIterator<Item = u64>) {
        let events = seqs
            .into_iter()
            .map(|seq| Envelope::new(format!("{key} {seq} {key}-{seq} as-sent")));
        self.broker.publish(events.collect()).await.unwrap();
    }

    pub(crate) async fn view(&self, key: &str) -> Option<KeyView> {
        let key = Key::new(key).unwrap();
        self.admin.inspect(&self.group, &key).await.unwrap()
    }

    /// Waits until the key is like this.
    pub(crate) async fn until(&self, key: &str, what: &str, holds: impl Fn(&KeyView) -> bool) {
        eventually(&format!("{key} {what}"), async || {
            self.view(key).await.is_some_and(|view| holds(&view))
        })
        .await;
    }

    /// Waits until the key is like this and no worker has it: what it says of itself does not change any more.
    pub(crate) async fn until_at_rest(
        &self,
        key: &str,
        what: &str,
        holds: impl Fn(&KeyView) -> bool,
    ) {
        self.until(key, what, |view| view.claim.is_none() && holds(view))
            .await;
    }

    /// Waits until the key is at rest with this last seq.
    pub(crate) async fn until_done(&self, key: &str, last: u64) {
        self.until_at_rest(key, &format!("done up to {last}"), |view| {
            view.last_seq == last
        })
        .await;
    }

    /// The seqs of a key that the handler got done with, in order.
    pub(crate) fn handled(&self, key: &str) -> Vec<u64> {
        let log = self.handler.log.lock().unwrap();
        let of_key = log.iter().filter(|(done, ..)| done == key);
        of_key.map(|(_, seq, _)| *seq).collect()
    }

    /// What came with an event behind its id, when it was handled.
    pub(crate) fn handled_as(&self, key: &str, seq: u64) -> Option<String> {
        let log = self.handler.log.lock().unwrap();
        let found = log.iter().find(|(of, at, _)| of == key && *at == seq);
        found.map(|(.., text)| text.clone())
    }
}

pub(crate) struct Running {
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), WorkerError>>,
}

impl Running {
    pub(crate) async fn stop(self) {
        let _ = self.stop.send(());
        self.task.await.unwrap().unwrap();
    }

    pub(crate) async fn kill(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
    }
}

/// A file for one test, gone with it.
pub(crate) struct TempFile(pub(crate) PathBuf);

impl TempFile {
    pub(crate) fn new(content: &str) -> Self {
        let path = std::env::temp_dir().join(unique("ordered"));
        std::fs::write(&path, content).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// The text with its times and spans made the same every time: `T` for a moment, `D` for a duration.
pub(crate) fn masked(text: &str) -> String {
    text.lines().map(masked_line).collect::<Vec<_>>().join("\n")
}

fn masked_line(text: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    let is_time = |word: &str| word.len() == 8 && word.split(':').count() == 3;
    let is_date = |word: &str| word.len() == 10 && word.split('-').count() == 3;
    let unit = |word: &str| {
        let word = word.trim_end_matches([')', ',', '.', ';', ':']);
        ["ms", "s", "min", "h", "days"].contains(&word)
    };
    for word in text.split(' ') {
        let before = words.last().cloned().unwrap_or_default();
        let number = before.trim_start_matches('(');
        if is_time(word) {
            if is_date(&before) {
                words.pop();
            }
            words.push("T".into());
        } else if before == "T" && word.starts_with("UTC") {
            words.pop();
            words.push(word.replacen("UTC", "T", 1));
        } else if unit(word) && !number.is_empty() && number.chars().all(|c| c.is_ascii_digit()) {
            let opening = before.starts_with('(');
            let closing = word.trim_start_matches(|c: char| c.is_ascii_alphabetic());
            words.pop();
            words.push(format!("{}D{closing}", if opening { "(" } else { "" }));
        } else {
            words.push(word.into());
        }
    }
    words.join(" ")
}
