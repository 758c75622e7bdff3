-- How long what is locked of a group is so yet, in ms, the longest first. KEYS: as in note_lock.lua.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local left = {}
local found = redis.call('ZREVRANGEBYSCORE', KEYS[1], '+inf', '(' .. string.format('%.0f', now), 'WITHSCORES')
for place = 2, #found, 2 do
  left[#left + 1] = found[place] - now
end
return left
