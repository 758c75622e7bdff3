-- ARGV: connection id, its user's id, its member as JSON, how long it lives (ms). How many connections are there now.
local connection_id, user_id, member, life_ms = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
if redis.call('HSET', members, connection_id, member) == 1 then
  redis.call('HINCRBY', users, user_id, 1)
end
redis.call('ZADD', ends, now_ms + life_ms, connection_id)
live_on(life_ms)
return redis.call('ZCARD', ends)
