-- A page of records in the order of their names: names and records in turn.
-- KEYS: records, names. ARGV: first and last name as ZRANGEBYLEX wants them; limit; high and low 32 bits of now.
local from, limit, high, low = ARGV[1], tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local page = {}
while #page < 2 * limit do
  local names = redis.call('ZRANGE', KEYS[2], from, ARGV[2], 'BYLEX', 'LIMIT', 0, limit)
  for _, name in ipairs(names) do
    local record = redis.call('HGET', KEYS[1], name)
    if record and #page < 2 * limit then
      local is_live = string.byte(record) == 0
      if not is_live then
        local h, l = struct.unpack('>I4I4', record, 10)
        is_live = h > high or (h == high and l > low)
      end
      if is_live then
        page[#page + 1] = name
        page[#page + 1] = record
      end
    end
  end
  if #names < limit then
    break
  end
  from = '(' .. names[#names]
end
return page
