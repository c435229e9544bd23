//! The Lua scripts and how they are called.

use std::sync::LazyLock;

use redis::{Cmd, Script, cmd};

/// One script; it goes to the server once, and is called by its hash.
pub(super) struct Operation {
    text: &'static str,
    sha: LazyLock<String>,
}

macro_rules! operation {
    ($name:ident = $($file:literal),*) => {
        pub(super) static $name: Operation = {
            const TEXT: &str = concat!($(include_str!($file), "\n"),*);
            Operation {
                text: TEXT,
                sha: LazyLock::new(|| Script::new(TEXT).get_hash().to_owned()),
            }
        };
    };
}

operation!(EXCHANGE = "lua/lease.lua", "lua/exchange.lua");
operation!(HEARTBEAT = "lua/lease.lua", "lua/heartbeat.lua");
operation!(SWEEP = "lua/lease.lua", "lua/sweep.lua");
operation!(SET_IF = "lua/set_if.lua");

pub(super) static ALL: [&Operation; 4] = [&EXCHANGE, &HEARTBEAT, &SWEEP, &SET_IF];

impl Operation {
    pub(super) fn load(&self) -> Cmd {
        let mut load = cmd("SCRIPT");
        load.arg("LOAD").arg(self.text);
        load
    }

    /// The beginning of a call with so many keys, which come next, and then the arguments.
    pub(super) fn call(&self, keys: usize, arguments: usize, bytes: usize) -> Cmd {
        let mut call = Cmd::with_capacity(3 + keys + arguments, 64 + bytes);
        call.arg("EVALSHA").arg(self.sha.as_str()).arg(keys);
        call
    }
}
