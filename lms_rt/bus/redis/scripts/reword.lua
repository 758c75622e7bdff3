-- Put other words into kept events: first find those that hold a word, then put each in the place of what it was made from.
--
-- KEYS: history. ARGV: 'find', word: returns the events; or 'put', then pairs of what is kept now and what takes its place.
-- What is kept no longer, or was changed meanwhile, stays as it is.

local history = KEYS[1]
if ARGV[1] == 'find' then
  local found = {}
  for _, event in ipairs(redis.call('LRANGE', history, 0, -1)) do
    if string.find(event, ARGV[2], 1, true) then
      found[#found + 1] = event
    end
  end
  return found
end

local function offset_of(event)
  return tonumber(string.match(event, '^e%S+ (%d+)'))
end

local oldest = redis.call('LINDEX', history, 0)
for i = 2, #ARGV, 2 do
  local place = oldest and offset_of(ARGV[i]) - offset_of(oldest) or -1
  if place >= 0 and redis.call('LINDEX', history, place) == ARGV[i] then
    redis.call('LSET', history, place, ARGV[i + 1])
  end
end
return {}
