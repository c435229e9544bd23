//! The Lua scripts of the sequencer.

use crate::script::{Operation, operation};

operation!(STAGE on "meta", "last", "first", "kept", "due" = "lua/stage.lua");
operation!(TAKE on "meta", "last", "first", "kept", "due", "claims" = "lua/take.lua");
operation!(SETTLE on "meta", "last", "first", "kept", "due", "claims" = "lua/settle.lua");
operation!(RAISE on "meta", "last", "first" = "lua/raise.lua");

pub(super) static ALL: [&Operation; 4] = [&STAGE, &TAKE, &SETTLE, &RAISE];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::header;

    #[test]
    fn headers_say_which_structures_the_scripts_are_given() {
        let files = [
            (&STAGE, include_str!("lua/stage.lua")),
            (&TAKE, include_str!("lua/take.lua")),
            (&SETTLE, include_str!("lua/settle.lua")),
            (&RAISE, include_str!("lua/raise.lua")),
        ];
        for (operation, file) in files {
            let keys = header(file, "KEYS");
            let keys = keys.split(',').next().unwrap_or_default();
            assert_eq!(keys, operation.structures.join(" "));
            assert!(!header(file, "ARGV").is_empty() && !header(file, "Returns").is_empty());
        }
    }
}
