-- Part of apply: what stands behind this is a function in a function, called once. To make a function costs a walk through
-- the locals that are around it in the same function (luaF_findupval in Lua's src/lfunc.c), for each of those that it names;
-- what lies further out is handed on, and is out of the walk. Also no function has more than 200 locals.
return (function()
