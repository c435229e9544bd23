use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::time::{Instant, sleep};

use crate::Error;
use crate::worker::WorkerConfig;

/// A worker process.
pub(crate) struct Process {
    pub(crate) name: String,
    child: Child,
}

/// How the wall clock of a process is moved.
#[derive(Debug, Clone)]
pub(crate) struct WallClock {
    pub(crate) library: PathBuf,
    /// Such as `+5h`.
    pub(crate) offset: String,
}

impl WallClock {
    /// The library that moves it, where it is installed.
    pub(crate) fn library() -> Option<PathBuf> {
        let libraries = std::fs::read_dir("/usr/lib").ok()?;
        libraries
            .filter_map(Result::ok)
            .map(|entry| entry.path().join("faketime/libfaketime.so.1"))
            .find(|path| path.exists())
    }
}

impl Process {
    pub(crate) fn start(
        program: &Path,
        config: &WorkerConfig,
        folder: &Path,
        clock: Option<&WallClock>,
    ) -> Result<Self, Error> {
        let mut command = Command::new(program);
        command.arg("work").arg(serde_json::to_string(config)?);
        if let Some(clock) = clock {
            command
                .env("LD_PRELOAD", &clock.library)
                .env("FAKETIME", &clock.offset)
                .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
                .env("DONT_FAKE_MONOTONIC", "1");
        }
        Self::spawn(command, config.id.clone(), folder)
    }

    /// Starts it; what it says goes into files of its name.
    pub(crate) fn spawn(mut command: Command, name: String, folder: &Path) -> Result<Self, Error> {
        let file = |end: &str| File::create(folder.join(format!("{name}.{end}")));
        command
            .stdin(Stdio::piped())
            .stdout(file("out")?)
            .stderr(file("err")?);
        Ok(Self {
            child: command.spawn()?,
            name,
        })
    }

    pub(crate) fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        // The only failure is that it is not there any more.
        let _ = kill_process(Pid::from_child(&self.child), signal);
    }

    /// As a crash of the machine would.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Asks it to stop, and waits until it has.
    pub(crate) async fn stop(&mut self, limit: Duration) -> Result<ExitStatus, Error> {
        self.signal(Signal::TERM);
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.ended()? {
                return Ok(status);
            }
            if Instant::now() > deadline {
                self.kill();
                return Err(format!("{} did not stop within {limit:?}", self.name).into());
            }
            sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
