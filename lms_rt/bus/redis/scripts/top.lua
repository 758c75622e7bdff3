-- A channel's newest place.
--
-- KEYS: top, history. ARGV: fresh epoch.
-- Returns {epoch, offset}.

local epoch, offset = settle(KEYS[1], KEYS[2], ARGV[1])
return {epoch, offset}
