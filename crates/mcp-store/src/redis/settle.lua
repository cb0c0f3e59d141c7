-- Whether an attempt happened. If it did not, it never will: the answer stays.
-- KEYS: attempt. ARGV: how long a 'fenced' is kept, in milliseconds.
local state = redis.call('GET', KEYS[1])
if state then
  return state
end
redis.call('SET', KEYS[1], 'fenced', 'PX', ARGV[1])
return 'fenced'
