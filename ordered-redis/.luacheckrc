-- The scripts run in Redis, each behind what `src/next/script.rs` puts before it.
std = "lua51"
read_globals = { "redis", "KEYS", "ARGV", "struct" }
max_line_length = 125
