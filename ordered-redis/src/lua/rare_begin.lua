-- Part of apply: from here to the end of `make_rare` (rare_end.lua) stands what is seldom needed; see guards.lua.
make_rare = function()
