use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::time::{Instant, sleep, timeout};

use super::ServerError;
use super::watchdog::Watchdog;
use crate::unique;

const POLL: Duration = Duration::from_millis(20);
const LOG_TAIL: usize = 4_000;

/// The processes of one server, its folder and its log; all of it goes with this value.
#[derive(Debug)]
pub(super) struct ServerProcess {
    folder: PathBuf,
    /// The first is the one that decides: the server has ended when it has. All are in its group.
    children: Vec<Child>,
    watchdog: Watchdog,
}

impl ServerProcess {
    pub(super) fn new(name: &str) -> Result<Self, ServerError> {
        let folder = std::env::temp_dir().join(unique(&format!("ordered-{name}")));
        fs::create_dir_all(&folder).map_err(ServerError::system("no temporary folder"))?;
        let watchdog = Watchdog::start(&folder)?;
        Ok(Self {
            folder,
            children: Vec::new(),
            watchdog,
        })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Starts the server's main program in a group of its own.
    pub(super) fn spawn(
        &mut self,
        command: &mut Command,
        install: &'static str,
    ) -> Result<(), ServerError> {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.log())
            .map_err(ServerError::system("no log file"))?;
        let errors = log
            .try_clone()
            .map_err(ServerError::system("no log file"))?;
        let group = self.group().map_or(0, |group| group.as_raw_nonzero().get());
        let child = command
            .process_group(group)
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .spawn()
            .map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => ServerError::NotInstalled {
                    program: command.get_program().to_string_lossy().into_owned(),
                    install,
                },
                _ => ServerError::system("cannot start the server")(error),
            })?;
        self.children.push(child);
        self.watchdog.guard(self.children.first().map(Child::id))
    }

    /// Asks the server until it answers.
    pub(super) async fn ready(
        &mut self,
        limit: Duration,
        answers: impl AsyncFn() -> io::Result<()>,
    ) -> Result<(), ServerError> {
        let deadline = Instant::now() + limit;
        let mut last = String::from("it did not answer");
        while Instant::now() < deadline {
            if let Some(status) = self.ended() {
                return Err(self.not_ready(format!("it ended at once with {status}")));
            }
            match timeout(Duration::from_secs(2), answers()).await {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(error)) => last = error.to_string(),
                Err(_) => "it did not answer".clone_into(&mut last),
            }
            sleep(POLL).await;
        }
        Err(self.not_ready(format!("not ready after {limit:?}: {last}")))
    }

    /// Whether it was started, and has not ended.
    pub(super) fn is_running(&mut self) -> bool {
        !self.children.is_empty() && self.ended().is_none()
    }

    fn ended(&mut self) -> Option<String> {
        self.children
            .iter_mut()
            .find_map(|child| child.try_wait().ok().flatten())
            .map(|status| status.to_string())
    }

    fn not_ready(&self, what: String) -> ServerError {
        let log = fs::read(self.log()).unwrap_or_default();
        let tail = &log[log.len().saturating_sub(LOG_TAIL)..];
        ServerError::NotReady {
            what,
            log: String::from_utf8_lossy(tail).into_owned(),
        }
    }

    fn log(&self) -> PathBuf {
        self.folder.join("output.log")
    }

    /// The process that was started first.
    pub(super) fn leader(&self) -> Option<Pid> {
        self.group()
    }

    fn group(&self) -> Option<Pid> {
        self.children.first().map(Pid::from_child)
    }

    pub(super) fn signal_group(&self, signal: Signal) {
        if let Some(group) = self.group() {
            // The only failure is that nobody is there any more.
            let _ = kill_process_group(group, signal);
        }
    }

    /// SIGKILL to the whole group; returns when its members are gone.
    pub(super) fn kill(&mut self) {
        self.signal_group(Signal::KILL);
        for mut child in self.children.drain(..) {
            let _ = child.wait();
        }
        // Should the watchdog be gone, it has nothing left to do.
        let _ = self.watchdog.guard(None);
    }

    /// SIGTERM to the program started last, which is the server proper; then the rest of the group is killed.
    pub(super) async fn stop(&mut self, limit: Duration) -> Result<(), ServerError> {
        if let Some(server) = self.children.last() {
            let _ = kill_process(Pid::from_child(server), Signal::TERM);
        }
        let deadline = Instant::now() + limit;
        while let Some(server) = self.children.last_mut() {
            if matches!(server.try_wait(), Ok(Some(_))) {
                break;
            }
            if Instant::now() >= deadline {
                let error = self.not_ready(format!("it did not stop within {limit:?}"));
                self.kill();
                return Err(error);
            }
            sleep(POLL).await;
        }
        self.kill();
        Ok(())
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        self.kill();
    }
}
