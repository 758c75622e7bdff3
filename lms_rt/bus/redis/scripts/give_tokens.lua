-- Tokens put back into a bucket that is kept as the moment (epoch µs) at which it would be full again. KEYS: the bucket.
-- ARGV: µs for one token, how many come back. A bucket that is full by that is forgotten.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local full = math.floor(tonumber(redis.call('GET', KEYS[1]) or 0) - tonumber(ARGV[1]) * tonumber(ARGV[2]))
if full <= now then
  redis.call('DEL', KEYS[1])
else
  redis.call('SET', KEYS[1], string.format('%.0f', full), 'PX', math.ceil((full - now) / 1000) + 1)
end
