-- How many people are there.
return redis.call('HLEN', users)
