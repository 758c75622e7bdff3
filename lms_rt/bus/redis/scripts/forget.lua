-- Forget what a channel told: its events, and its epoch, so that whoever knows a place of it begins anew.
--
-- KEYS: top, history. A fence says of which epoch it is, and means nothing in the next.

redis.call('DEL', KEYS[1], KEYS[2])
