-- One commit: everything or nothing.
-- KEYS: records (hash), names (sorted set, all of score 0), ends (sorted set, by milliseconds), attempt (string).
-- ARGV: now; its high and low 32 bits; slack and memory in milliseconds; how many preconditions; for each a name and a
-- revision, empty for absent; then for each operation a name, a record, empty to delete, and its end, empty for none.
-- A record begins with a byte (0: stays for ever, 1: ends), eight bytes of revision and eight bytes of end.
local state = redis.call('GET', KEYS[4])
if state then
  return { state }
end
-- A key of another kind fails here, before anything is written: a script is not rolled back.
redis.call('HLEN', KEYS[1])
redis.call('ZCARD', KEYS[2])
redis.call('ZCARD', KEYS[3])

local now, high, low = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local function live(record)
  if not record then
    return false
  end
  if string.byte(record) == 0 then
    return true
  end
  local h, l = struct.unpack('>I4I4', record, 10)
  return h > high or (h == high and l > low)
end

local at = 7
for _ = 1, tonumber(ARGV[6]) do
  local name, revision = ARGV[at], ARGV[at + 1]
  local record = redis.call('HGET', KEYS[1], name)
  local holds
  if revision == '' then
    holds = not live(record)
  else
    holds = live(record) and string.sub(record, 2, 9) == revision
  end
  if not holds then
    return { 'refused', name }
  end
  at = at + 2
end

while at < #ARGV do
  local name, record, ends = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  if record == '' then
    redis.call('HDEL', KEYS[1], name)
    redis.call('ZREM', KEYS[2], name)
    redis.call('ZREM', KEYS[3], name)
  else
    redis.call('HSET', KEYS[1], name, record)
    redis.call('ZADD', KEYS[2], 0, name)
    if ends == '' then
      redis.call('ZREM', KEYS[3], name)
    else
      redis.call('ZADD', KEYS[3], ends, name)
    end
  end
  at = at + 3
end

-- What has expired leaves as fast as anything comes.
local dead = redis.call('ZRANGE', KEYS[3], '-inf', ARGV[1], 'BYSCORE', 'LIMIT', 0, 512)
if #dead > 0 then
  redis.call('HDEL', KEYS[1], unpack(dead))
  redis.call('ZREM', KEYS[2], unpack(dead))
  redis.call('ZREM', KEYS[3], unpack(dead))
end

-- A partition whose records all end goes by itself some time after the last of them.
local count = redis.call('ZCARD', KEYS[2])
if count > 0 then
  if redis.call('ZCARD', KEYS[3]) == count then
    local last = redis.call('ZRANGE', KEYS[3], 0, 0, 'REV', 'WITHSCORES')[2]
    local span = string.format('%.0f', math.max(tonumber(last) - now, 0) + tonumber(ARGV[4]))
    for i = 1, 3 do
      redis.call('PEXPIRE', KEYS[i], span)
    end
  else
    for i = 1, 3 do
      redis.call('PERSIST', KEYS[i])
    end
  end
end
-- Last: a full server allows it after a deletion, and so can be emptied.
redis.call('SET', KEYS[4], 'done', 'PX', ARGV[5])
return { 'done' }
