-- A token bucket, kept as the moment (epoch µs) at which it would be full again. KEYS: the bucket.
-- ARGV: µs for one token, how many it holds, how many are taken. Taken (1, 0), tokens left (floor), wait (ms, ceiling).
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local each, burst, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local full = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now)
local tokens = burst - (full - now) / each
if tokens < cost then
  return {0, math.floor(tokens), math.ceil((cost - tokens) * each / 1000)}
end
full = math.floor(full + cost * each) -- what a division loses is the taker's gain
redis.call('SET', KEYS[1], string.format('%.0f', full), 'PX', math.ceil((full - now) / 1000) + 1)
return {1, math.floor(tokens - cost), 0}
