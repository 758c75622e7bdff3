-- The top, and kept events, read in one atomic step.
--
-- KEYS: top, history. ARGV: fresh epoch, now (ms), then what is wanted:
--   'after', offset              all above it
--   'first', offset, limit       the first `limit` above it
--   'last', offset or '', limit  the last `limit` below it, or of all
-- Returns {epoch, offset, how many are kept, events}.

local HISTORY_MS = 24 * 3600 * 1000

-- Drop what is older than a day. Reading is soon enough: a thousand are kept at most, and the list goes with the last.
local function forget_old(history, now_ms)
  local oldest = redis.call('LINDEX', history, 0)
  while oldest and tonumber(string.match(oldest, '^e%S+ %d+ (%d+)')) <= now_ms - HISTORY_MS do
    redis.call('LPOP', history)
    oldest = redis.call('LINDEX', history, 0)
  end
end

local top, history = unpack(KEYS)
local fresh, now_ms, which, bound, limit = unpack(ARGV)
local epoch, offset = settle(top, history, fresh)
forget_old(history, tonumber(now_ms))
local kept = redis.call('LLEN', history)
local before_first = offset - kept

-- Events lie without a hole: what has place i in the list, counted from 0, has the offset before_first + 1 + i.
local from, to = 0, kept - 1
bound, limit = tonumber(bound), tonumber(limit)
if which == 'last' then
  to = math.min(to, (bound or offset + 1) - before_first - 2)
  from = math.max(0, to - limit + 1)
else
  from = math.max(0, bound - before_first)
  to = math.min(to, from + (limit or kept) - 1)
end
if to < from then
  return {epoch, offset, kept, {}}
end
return {epoch, offset, kept, redis.call('LRANGE', history, from, to)}
