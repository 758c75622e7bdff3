-- Tell all nodes a word, numbered, so that each can see whether it has heard them all.
--
-- KEYS: top, history (there is none), pub/sub channel. ARGV: fresh epoch, PUBLISH or SPUBLISH, the word.

local top, history, channel = unpack(KEYS)
local fresh, command, word = unpack(ARGV)
local epoch, number, server = settle(top, history, fresh)
number = number + 1
keep_top(top, epoch, number, server)
redis.call(command, channel, 'w' .. epoch .. ' ' .. number .. ' ' .. word)
return {epoch, number}
