-- Keep a ticket, and which server it is of. KEYS: the ticket. ARGV: what it stands for, how long it holds (ms).
return redis.call('SET', KEYS[1], this_server() .. ' ' .. ARGV[1], 'PX', ARGV[2])
