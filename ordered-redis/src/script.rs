//! The Lua operations and how they are called.

use std::sync::LazyLock;

use bytes::Bytes;
use redis::{Cmd, Script, cmd};

/// One operation: a script, and what its header says of it.
pub(crate) struct Operation {
    /// The structures of the bucket that it is given as `KEYS`, in order.
    pub(crate) keys: &'static [&'static str],
    /// What it is given as `ARGV`, in order; the last may stand for any number.
    #[cfg_attr(not(test), expect(dead_code, reason = "held against the header"))]
    pub(crate) arguments: &'static [&'static str],
    text: &'static str,
    sha: LazyLock<String>,
}

macro_rules! operation {
    ($name:ident($($argument:literal),*) on $($key:literal),* = $($file:literal),*) => {
        pub(crate) static $name: Operation = {
            const TEXT: &str = concat!($(include_str!($file), "\n"),*);
            Operation {
                keys: &[$($key),*],
                arguments: &[$($argument),*],
                text: TEXT,
                sha: LazyLock::new(|| Script::new(TEXT).get_hash().to_owned()),
            }
        };
    };
}

operation!(APPLY("situation", "names", "ids", "commands", "payload...")
    on "k", "c", "h", "p", "q", "e", "w", "m", "due", "d0", "d1", "d2", "a", "late",
        "x", "xq", "g", "halt", "n", "log", "s"
    = "lua/request.lua", "lua/done.lua", "lua/table.lua", "lua/plain.lua", "lua/inner.lua", "lua/policy.lua", "lua/base.lua",
        "lua/codec.lua", "lua/places.lua", "lua/past.lua", "lua/inner.lua", "lua/state.lua", "lua/guards.lua", "lua/held.lua",
        "lua/offer.lua", "lua/commit.lua", "lua/rare_begin.lua", "lua/aside.lua", "lua/holes.lua",
        "lua/claim.lua", "lua/failure.lua", "lua/control.lua", "lua/rare_end.lua", "lua/rest.lua", "lua/save.lua",
        "lua/audit.lua", "lua/apply.lua", "lua/inner_end.lua", "lua/inner_end.lua");
operation!(PAUSE("paused", "said", "changed", "given_time")
    on "m", "log"
    = "lua/base.lua", "lua/audit.lua", "lua/pause.lua");
operation!(HEARTBEAT("worker", "lease", "given_time")
    on "w", "k"
    = "lua/base.lua", "lua/table.lua", "lua/heartbeat.lua");
operation!(SWEEP("limit", "cursor", "count", "stuck_after", "gap_after", "max_attempts", "given_time")
    on "k", "c", "w", "m", "due", "xq", "g", "halt", "s"
    = "lua/base.lua", "lua/codec.lua", "lua/places.lua", "lua/sweep.lua");
operation!(INSPECT("key", "most", "given_time")
    on "k", "c", "h", "q", "e", "w", "m", "a", "x", "xq"
    = "lua/base.lua", "lua/codec.lua", "lua/places.lua", "lua/inspect.lua");
operation!(EVENT("key", "seq")
    on "k", "p", "x", "xq"
    = "lua/base.lua", "lua/codec.lua", "lua/places.lua", "lua/event.lua");
operation!(STORED("key", "aside", "epoch", "seq", "most", "bytes")
    on "k", "h", "p", "q", "x", "xq"
    = "lua/base.lua", "lua/codec.lua", "lua/places.lua", "lua/stored.lua");
operation!(SUMMARY("given_time")
    on "k", "c", "w", "m", "g", "halt"
    = "lua/base.lua", "lua/summary.lua");
operation!(SURVEY("cursor", "count")
    on "k", "n"
    = "lua/base.lua", "lua/codec.lua", "lua/survey.lua");
operation!(OWNERS("cursor", "count")
    on "c"
    = "lua/base.lua", "lua/owners.lua");

pub(crate) static ALL: [&Operation; 10] = [
    &APPLY, &PAUSE, &HEARTBEAT, &SWEEP, &INSPECT, &EVENT, &STORED, &SUMMARY, &SURVEY, &OWNERS,
];

/// About: to have room for the names of the structures.
const LONGEST_STRUCTURE: usize = 4;

/// One operation on one bucket.
pub(crate) struct Call {
    pub(crate) operation: &'static Operation,
    /// The bucket's hash tag.
    pub(crate) tag: String,
    pub(crate) arguments: Vec<Bytes>,
}

impl Operation {
    pub(crate) fn load(&self) -> Cmd {
        let mut load = cmd("SCRIPT");
        load.arg("LOAD").arg(self.text);
        load
    }
}

impl Call {
    /// By its hash: the text goes to the server once, not with every call.
    pub(crate) fn command(&self) -> Cmd {
        let (keys, mut name) = (self.operation.keys, format!("{}:", self.tag));
        let start = name.len();
        let sent: usize = self.arguments.iter().map(Bytes::len).sum();
        let names = keys.len() * (start + LONGEST_STRUCTURE);
        let mut command =
            Cmd::with_capacity(3 + keys.len() + self.arguments.len(), 64 + names + sent);
        command
            .arg("EVALSHA")
            .arg(self.operation.sha.as_str())
            .arg(keys.len());
        for structure in keys {
            name.push_str(structure);
            command.arg(&name);
            name.truncate(start);
        }
        for argument in &self.arguments {
            command.arg(argument.as_ref());
        }
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header<'a>(file: &'a str, title: &str) -> Vec<&'a str> {
        let line = file.lines().find_map(|line| {
            line.strip_prefix("-- ")?
                .strip_prefix(title)?
                .strip_prefix(": ")
        });
        line.unwrap_or_else(|| panic!("no `-- {title}:` in the header"))
            .split(' ')
            .collect()
    }

    #[test]
    fn headers_say_what_the_wrappers_send() {
        let files = [
            (&APPLY, include_str!("lua/apply.lua")),
            (&PAUSE, include_str!("lua/pause.lua")),
            (&HEARTBEAT, include_str!("lua/heartbeat.lua")),
            (&SWEEP, include_str!("lua/sweep.lua")),
            (&INSPECT, include_str!("lua/inspect.lua")),
            (&EVENT, include_str!("lua/event.lua")),
            (&STORED, include_str!("lua/stored.lua")),
            (&SUMMARY, include_str!("lua/summary.lua")),
            (&SURVEY, include_str!("lua/survey.lua")),
            (&OWNERS, include_str!("lua/owners.lua")),
        ];
        for (operation, file) in files {
            assert_eq!(header(file, "KEYS"), operation.keys);
            assert_eq!(header(file, "ARGV"), operation.arguments);
            assert!(!header(file, "Returns").is_empty());
        }
    }

    #[test]
    fn every_structure_of_a_call_has_the_hash_tag_of_its_bucket() {
        let call = Call {
            operation: &SWEEP,
            tag: "{a:b:3}".into(),
            arguments: Vec::new(),
        };
        let command = String::from_utf8(call.command().get_packed_command()).unwrap();
        assert_eq!(command.matches("{a:b:3}:").count(), SWEEP.keys.len());
        assert!(command.contains("{a:b:3}:due\r\n"));
    }
}
