-- One step through the keys of a node: which process it is, where to go on, and the keys.
-- A cursor means something only to the process that gave it. ARGV: cursor, pattern, about how many.
local process = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)') or ''
local step = redis.call('SCAN', ARGV[1], 'MATCH', ARGV[2], 'COUNT', ARGV[3])
return { process, step[1], step[2] }
