-- ARGV: user id, then names and JSON values by turns. Nothing is noted of who is not there.
if redis.call('HEXISTS', users, ARGV[1]) == 0 then
  return 0
end
for place = 2, #ARGV, 2 do
  redis.call('HSET', notes, ARGV[1] .. ' ' .. ARGV[place], ARGV[place + 1])
end
redis.call('PEXPIRE', notes, redis.call('PTTL', users))
return 1
