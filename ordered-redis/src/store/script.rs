//! The Lua scripts of the store.

use crate::script::{Operation, operation};

operation!(EXCHANGE on "K", "O", "W", "M", "due", "gap", "halted"
    = "lua/lease.lua", "lua/exchange.lua");
operation!(HEARTBEAT on "M", "W" = "lua/lease.lua", "lua/heartbeat.lua");
operation!(LOOK on "M", "W" = "lua/lease.lua", "lua/look.lua");
operation!(SET_IF on = "lua/set_if.lua");

pub(super) static ALL: [&Operation; 4] = [&EXCHANGE, &HEARTBEAT, &LOOK, &SET_IF];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::header;

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
