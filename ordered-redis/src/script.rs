//! The Lua scripts and how they are called.

use std::sync::LazyLock;

use redis::{Cmd, cmd};

/// One script; it goes to the server once, and is called by its hash.
pub(crate) struct Operation {
    /// The structures of the bucket that it is given first as `KEYS`.
    pub(crate) structures: &'static [&'static str],
    pub(crate) text: &'static str,
    pub(crate) sha: LazyLock<String>,
}

macro_rules! operation {
    ($name:ident on $($structure:literal),* = $($file:literal),*) => {
        pub(super) static $name: $crate::script::Operation = {
            const TEXT: &str = concat!($(include_str!($file), "\n"),*);
            $crate::script::Operation {
                structures: &[$($structure),*],
                text: TEXT,
                sha: std::sync::LazyLock::new(|| redis::Script::new(TEXT).get_hash().to_owned()),
            }
        };
    };
}

pub(crate) use operation;

impl Operation {
    pub(crate) fn load(&self) -> Cmd {
        let mut load = cmd("SCRIPT");
        load.arg("LOAD").arg(self.text);
        load
    }

    /// The beginning of a call, with the structures of the bucket that has this tag. Next come so many more keys, and
    /// then the arguments: about so many, with so many bytes.
    pub(crate) fn call(&self, tag: &str, keys: usize, arguments: usize, bytes: usize) -> Cmd {
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

/// What a script says of itself in the line of its header with this title.
#[cfg(test)]
pub(crate) fn header<'a>(file: &'a str, title: &str) -> &'a str {
    let line = file.lines().find_map(|line| {
        let rest = line.strip_prefix("-- ")?.strip_prefix(title)?;
        rest.strip_prefix(": ")
    });
    line.unwrap_or_else(|| panic!("no `-- {title}:` in the header"))
}
