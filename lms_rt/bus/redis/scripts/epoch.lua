-- What every script of a channel does first: settle which epoch it is.
--
-- Offsets belong to the server that began counting them. After a restart, a fail-over, a flush or an older dump nobody
-- can say what was published meanwhile: so another server, or no top at all, begins a new epoch at 0. A fence says which
-- epoch it is of, and means nothing in another.

local TOP_SECONDS = 30 * 24 * 3600

-- One of the ids of 40 letters in a section of INFO. A plain find: a pattern would be tried at every letter.
local function id_in(section, name)
  local text = redis.call('INFO', section)
  local _, at = string.find(text, name, 1, true)
  return string.sub(text, at + 1, at + 40)
end

-- The server that runs this. The run id alone would not do: a master that was a replica for a while keeps it.
local function this_server()
  return id_in('server', 'run_id:') .. id_in('replication', 'master_replid:')
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
