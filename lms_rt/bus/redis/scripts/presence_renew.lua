-- ARGV: how long they live (ms), then connection ids. Those that nobody knows here (any more).
local life_ms, unknown = tonumber(ARGV[1]), {}
for place = 2, #ARGV do
  if redis.call('ZSCORE', ends, ARGV[place]) then
    redis.call('ZADD', ends, now_ms + life_ms, ARGV[place])
  else
    unknown[#unknown + 1] = ARGV[place]
  end
end
if #unknown < #ARGV - 1 then
  live_on(life_ms)
end
return unknown
