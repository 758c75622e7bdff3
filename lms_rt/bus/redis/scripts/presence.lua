-- Who is on one channel. KEYS: when each connection is forgotten (sorted set of epoch ms), each connection's member
-- (hash of JSON [user_id, full_name, is_staff]), how many connections each user has (hash), facts about users (hash of
-- "user_id name" -> JSON). The scripts after this part begin with who is still there.
local ends, members, users, notes = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)

local function forget_notes(user_id)
  for _, name in ipairs(redis.call('HKEYS', notes)) do
    if string.sub(name, 1, #user_id + 1) == user_id .. ' ' then
      redis.call('HDEL', notes, name)
    end
  end
end

local function forget(connection_id)
  local member = redis.call('HGET', members, connection_id)
  if not member then
    return
  end
  redis.call('ZREM', ends, connection_id)
  redis.call('HDEL', members, connection_id)
  local user_id = cjson.decode(member)[1]
  if redis.call('HINCRBY', users, user_id, -1) <= 0 then
    redis.call('HDEL', users, user_id)
    forget_notes(user_id)
  end
end

local function live_on(life_ms)
  for _, key in ipairs(KEYS) do
    redis.call('PEXPIRE', key, life_ms)
  end
end

for _, connection_id in ipairs(redis.call('ZRANGEBYSCORE', ends, '-inf', now_ms)) do
  forget(connection_id)
end
