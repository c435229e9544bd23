//! A process that takes part.

use std::fs::OpenOptions;
use std::io::{self, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use crate::Servers;

pub(crate) struct Process(Child);

impl Process {
    /// Starts this program in another role. What it says goes to a file.
    pub(crate) fn start(servers: &Servers, role: &[&str], log: &Path) -> io::Result<Self> {
        let log = OpenOptions::new().create(true).append(true).open(log)?;
        Command::new(std::env::current_exe()?)
            .args(role)
            .args(["--postgres", &servers.postgres])
            .args(["--rabbit", &servers.rabbit])
            .args(["--redis", &servers.redis])
            .args(["--queue", &servers.queue])
            // The process ends when this pipe does: nothing is left behind.
            .stdin(Stdio::piped())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .map(Self)
    }

    /// kill -9: it has no time for anything more.
    pub(crate) fn kill(mut self) -> io::Result<()> {
        self.0.kill()?;
        self.0.wait()?;
        Ok(())
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.0.try_wait()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Ends this process when the one that started it is gone.
pub(crate) fn end_with_the_starter() {
    std::thread::spawn(|| {
        let mut input = io::stdin();
        while !matches!(input.read(&mut [0; 64]), Ok(0) | Err(_)) {}
        std::process::exit(3);
    });
}
