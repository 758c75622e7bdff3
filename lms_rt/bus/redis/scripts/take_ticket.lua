-- Take a ticket out; false: there is none. KEYS: the ticket.
--
-- An older dump, or a replica that was promoted, may have one that was used already: another server's ticket is none.
local kept = redis.call('GET', KEYS[1])
if not kept then
  return false
end
redis.call('DEL', KEYS[1])
local server = this_server()
if string.sub(kept, 1, #server) ~= server then
  return false
end
return string.sub(kept, #server + 2)
