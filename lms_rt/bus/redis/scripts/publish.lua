-- Publish an event: fence, offset, history and fan-out in one atomic step.
--
-- KEYS: top, history, pub/sub channel; for an event of record also the fence of its aggregate.
-- ARGV: fresh epoch, now (ms), PUBLISH or SPUBLISH, the event; for an event of record also its version and n.
-- Returns {epoch, offset}, or nil: it is not newer than the newest of its aggregate.

local HISTORY_EVENTS = 1000
local HISTORY_SECONDS = 24 * 3600
local FENCE_SECONDS = 24 * 3600

-- Is it newer than what was seen of its aggregate? Then it is what was seen. A repeat keeps the fence up, so that a
-- relay that repeats for days cannot outlive it.
local function passes(fence, epoch, version, n)
  local of_epoch, seen_version, seen_n = string.match(redis.call('GET', fence) or '', '^(%S+) (%d+) (%d+)$')
  if of_epoch == epoch then
    seen_version, seen_n = tonumber(seen_version), tonumber(seen_n)
    if version < seen_version or (version == seen_version and n <= seen_n) then
      redis.call('EXPIRE', fence, FENCE_SECONDS)
      return false
    end
  end
  redis.call('SET', fence, epoch .. ' ' .. version .. ' ' .. n, 'EX', FENCE_SECONDS)
  return true
end

local top, history, channel, fence = unpack(KEYS)
local fresh, now_ms, command, event, version, n = unpack(ARGV)
local epoch, offset, server = settle(top, history, fresh)
if fence and not passes(fence, epoch, tonumber(version), tonumber(n)) then
  return nil
end
offset = offset + 1
keep_top(top, epoch, offset, server)
local message = 'e' .. epoch .. ' ' .. offset .. ' ' .. now_ms .. ' ' .. event
if redis.call('RPUSH', history, message) > HISTORY_EVENTS then
  redis.call('LPOP', history)
end
redis.call('EXPIRE', history, HISTORY_SECONDS)
redis.call(command, channel, message)
return {epoch, offset}
