-- The scripts run in Redis. `lease.lua` stands before most of them, as `src/store/script.rs` says.
std = "lua51"
read_globals = { "redis", "KEYS", "ARGV", "struct", "call", "pack", "read", "clock", "look" }
max_line_length = 125
files["**/lease.lua"] = { ignore = { "211" } }
