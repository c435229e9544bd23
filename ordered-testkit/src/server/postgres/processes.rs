//! The processes of a server. Each has a group of its own, so that a signal to the group of the first one does not
//! reach the others.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::TIMEOUT;
use crate::server::process::ServerProcess;

/// SIGKILL to all of them; returns when they are gone.
pub(super) fn kill(server: &mut ServerProcess) {
    // They would end by themselves soon, and until then keep the memory that a new server needs. The first one is
    // stopped, so that it starts no more of them meanwhile.
    server.signal_group(Signal::STOP);
    let children = children(server);
    server.kill();
    for child in &children {
        let _ = kill_process(*child, Signal::KILL);
    }
    let deadline = Instant::now() + TIMEOUT;
    while !children.iter().all(|child| is_gone(*child)) && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Sends a signal to all of them.
pub(super) fn signal(server: &ServerProcess, signal: Signal) {
    server.signal_group(signal);
    for child in children(server) {
        // The only failure is that it has ended meanwhile.
        let _ = kill_process(child, signal);
    }
}

/// The processes that serve connections and the background workers.
fn children(server: &ServerProcess) -> Vec<Pid> {
    server.leader().map(children_of).unwrap_or_default()
}

fn children_of(parent: Pid) -> Vec<Pid> {
    let parent = parent.as_raw_nonzero().get().to_string();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter(|entry| parent_of(&entry.path()).as_deref() == Some(&parent))
        .filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?))
        .collect()
}

fn parent_of(process: &Path) -> Option<String> {
    state_and_parent(process).map(|(_, parent)| parent)
}

/// Whether it has ended, although nobody may have asked how.
fn is_gone(process: Pid) -> bool {
    let folder = Path::new("/proc").join(process.as_raw_nonzero().to_string());
    state_and_parent(&folder).is_none_or(|(state, _)| state == "Z" || state == "X")
}

/// The third and fourth field of `stat`, behind the name in parentheses.
fn state_and_parent(process: &Path) -> Option<(String, String)> {
    let stat = fs::read_to_string(process.join("stat")).ok()?;
    let (_, behind) = stat.rsplit_once(')')?;
    let mut fields = behind.split_whitespace().map(str::to_owned);
    Some((fields.next()?, fields.next()?))
}
