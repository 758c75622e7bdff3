-- What every script of a channel does first: settle which epoch it is, and forget what is too old.
--
-- Offsets belong to the server that began counting them. After a restart, a fail-over, a flush or an older dump nobody
-- can say what was published meanwhile: so another server, or no top at all, begins a new epoch at 0. A fence says which
-- epoch it is of, and means nothing in another.

local HISTORY_MS = 24 * 3600 * 1000
local TOP_SECONDS = 30 * 24 * 3600

-- The server that runs this. The run id alone would not do: a master that was a replica for a while keeps it.
local function this_server()
  local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
  local replication = string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)')
  return run .. replication
end

local function keep_top(top, epoch, offset, server)
  redis.call('SET', top, epoch .. ' ' .. offset .. ' ' .. server, 'EX', TOP_SECONDS)
end

-- The epoch, the offset and this server. `fresh` names the new epoch, if one has to begin.
local function settle(top, history, fresh)
  local server = this_server()
  local kept = redis.call('GET', top)
  if kept then
    local epoch, offset, began = string.match(kept, '^(%S+) (%d+) (%S+)$')
    if began == server then
      return epoch, tonumber(offset), server
    end
  end
  keep_top(top, fresh, 0, server)
  redis.call('DEL', history)
  return fresh, 0, server
end

-- Drop the events that are older than a day; oldest first, and most often there is none.
local function forget_old(history, now_ms)
  local oldest = redis.call('LINDEX', history, 0)
  while oldest and tonumber(string.match(oldest, '^e%S+ %d+ (%d+)')) <= now_ms - HISTORY_MS do
    redis.call('LPOP', history)
    oldest = redis.call('LINDEX', history, 0)
  end
end
