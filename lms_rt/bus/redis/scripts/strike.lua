-- A failure is counted, before it happens. KEYS: the list of the moments (epoch µs) of those within the window.
-- ARGV: how many lock, the window and the time of the lock in µs. Counted (1, how many with it, 0), or locked (0, how
-- many, wait in ms, ceiling). The moments of a lock stay until it ends: it is for so long after the last of them.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local limit, window, lock = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local moments = redis.call('LRANGE', KEYS[1], 0, -1)
local count = #moments
if count >= limit then
  local left = tonumber(moments[count]) + lock - now
  if left > 0 then
    return {0, count, math.ceil(left / 1000)}
  end
  redis.call('DEL', KEYS[1])
  count = 0
else
  for _, at in ipairs(moments) do
    if tonumber(at) <= now - window then
      redis.call('LPOP', KEYS[1])
      count = count - 1
    end
  end
end
redis.call('RPUSH', KEYS[1], string.format('%.0f', now))
redis.call('PEXPIRE', KEYS[1], math.ceil(math.max(window, lock) / 1000) + 1)
return {1, count + 1, 0}
