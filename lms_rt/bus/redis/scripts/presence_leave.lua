-- ARGV: connection ids.
for _, connection_id in ipairs(ARGV) do
  forget(connection_id)
end
return redis.status_reply('OK')
