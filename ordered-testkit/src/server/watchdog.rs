use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::ServerError;

/// Waits for the end of its input, which comes when the test process ends, even by SIGKILL; then kills the group it
/// was told last and removes the folder.
const SCRIPT: &str = r#"
group=
while read -r line; do group=$line; done
if [ -n "$group" ]; then
    kill -s KILL -- "-$group"
    tries=0
    while kill -s 0 -- "-$group" && [ "$tries" -lt 50 ]; do
        tries=$((tries + 1))
        sleep 0.1
    done
fi 2>/dev/null
rm -rf -- "$1"
"#;

/// A small process that cleans up behind a server when this process no longer can.
#[derive(Debug)]
pub(super) struct Watchdog(Child);

impl Watchdog {
    pub(super) fn start(folder: &Path) -> Result<Self, ServerError> {
        Command::new("sh")
            .args(["-c", SCRIPT, "watchdog"])
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // A group of its own: what a terminal sends to the tests' group must not end it.
            .process_group(0)
            .spawn()
            .map(Self)
            .map_err(ServerError::system("cannot start `sh`"))
    }

    /// From now on this group is the one to kill; `None` when there is nothing to kill.
    pub(super) fn guard(&mut self, group: Option<u32>) -> Result<(), ServerError> {
        let line = group.map_or_else(String::new, |group| group.to_string());
        let Some(input) = &mut self.0.stdin else {
            return Ok(());
        };
        writeln!(input, "{line}").map_err(ServerError::system("the watchdog is gone"))
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        // An error means that it has been waited for already.
        let _ = self.0.wait();
    }
}
