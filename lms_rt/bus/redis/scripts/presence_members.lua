-- Connection ids and members by turns, then names and values of notes by turns.
return {redis.call('HGETALL', members), redis.call('HGETALL', notes)}
