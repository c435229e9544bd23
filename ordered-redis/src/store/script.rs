//! The Lua scripts and how they are called.

use std::sync::LazyLock;

use redis::{Cmd, Script, cmd};

/// One script; it goes to the server once, and is called by its hash.
pub(super) struct Operation {
    /// The structures of the bucket that it is given first as `KEYS`.
    structures: &'static [&'static str],
    text: &'static str,
    sha: LazyLock<String>,
}

macro_rules! operation {
    ($name:ident on $($structure:literal),* = $($file:literal),*) => {
        pub(super) static $name: Operation = {
            const TEXT: &str = concat!($(include_str!($file), "\n"),*);
            Operation {
                structures: &[$($structure),*],
                text: TEXT,
                sha: LazyLock::new(|| Script::new(TEXT).get_hash().to_owned()),
            }
        };
    };
}

operation!(EXCHANGE on "K", "O", "W", "M", "due", "gap", "halted"
    = "lua/lease.lua", "lua/exchange.lua");
operation!(HEARTBEAT on "M", "W" = "lua/lease.lua", "lua/heartbeat.lua");
operation!(LOOK on "M", "W" = "lua/lease.lua", "lua/look.lua");
operation!(SET_IF on = "lua/set_if.lua");

pub(super) static ALL: [&Operation; 4] = [&EXCHANGE, &HEARTBEAT, &LOOK, &SET_IF];

impl Operation {
    pub(super) fn load(&self) -> Cmd {
        let mut load = cmd("SCRIPT");
        load.arg("LOAD").arg(self.text);
        load
    }

    /// The beginning of a call, with the structures of the bucket that has this tag. Next come so many more keys, and then
    /// the arguments: about so many, with so many bytes.
    pub(super) fn call(&self, tag: &str, keys: usize, arguments: usize, bytes: usize) -> Cmd {
        let keys = self.structures.len() + keys;
        let mut call = Cmd::with_capacity(3 + keys + arguments, 64 + bytes);
        call.arg("EVALSHA").arg(self.sha.as_str()).arg(keys);
        let mut name = tag.to_owned();
        for structure in self.structures {
            name.truncate(tag.len());
            name.push_str(structure);
            call.arg(&name);
        }
        call
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header<'a>(file: &'a str, title: &str) -> &'a str {
        let line = file.lines().find_map(|line| {
            let rest = line.strip_prefix("-- ")?.strip_prefix(title)?;
            rest.strip_prefix(": ")
        });
        line.unwrap_or_else(|| panic!("no `-- {title}:` in the header"))
    }

    #[test]
    fn headers_say_which_structures_the_scripts_are_given() {
        let files = [
            (&EXCHANGE, include_str!("lua/exchange.lua")),
            (&HEARTBEAT, include_str!("lua/heartbeat.lua")),
            (&LOOK, include_str!("lua/look.lua")),
        ];
        for (operation, file) in files {
            let keys = header(file, "KEYS");
            let keys = keys.split(',').next().unwrap_or_default();
            assert_eq!(keys, operation.structures.join(" "));
        }
        for file in files
            .iter()
            .map(|(_, file)| *file)
            .chain([include_str!("lua/set_if.lua")])
        {
            assert!(!header(file, "ARGV").is_empty() && !header(file, "Returns").is_empty());
        }
    }
}
