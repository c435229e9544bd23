-- Part of the operations by which a hash of short values grows, or is found. Redis keeps a hash of up to 512 short fields as one
-- list (hash-max-listpack-entries), and finds a field by going through it: with some hundred keys, or some hundred events that
-- are held, that is most of what an event costs. A single long value makes a table of it, which it stays when the value is gone
-- again, until Redis is started anew. Where that is refused, nothing is lost but time.
local function make_table(hash)
  local coding = redis.pcall('OBJECT', 'ENCODING', hash)
  if coding == 'listpack' or coding == 'ziplist' then
    redis.pcall('HSET', hash, '', string.rep(' ', 1000))
    redis.pcall('HDEL', hash, '')
  end
end
