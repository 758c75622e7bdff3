// What the peers on Node share: the event and the answer that they send, and the orders that they take.

import { createInterface } from "node:readline";

let offset = 0;

/** One event, of the shape and size that ours has. */
export function event(stamp, size) {
  offset += 1;
  const changes = { short_description: "Slopes and lines, with examples.", t: stamp };
  if (size) changes.description = "x".repeat(size);
  return {
    type: "event",
    channel: "course:crs_01kaj3v9f0q5t8w2x4y6z8a0b2",
    event: "course_updated",
    epoch: "p3Jm0aVxQ1uQd4yT",
    offset,
    id: "evt_01kaj3v9f0q5t8w2x4y6z8a0b2",
    at: new Date().toISOString(),
    data: {
      course_id: "crs_01kaj3v9f0q5t8w2x4y6z8a0b2",
      changes,
      version: offset,
      n: 0,
    },
  };
}

/** The reply to a command. */
export function answer(command) {
  return { id: command.id, ok: true, result: { server_time: new Date().toISOString() } };
}

/** Listen on a free port, tell which, and take orders until the input ends. */
export function serve(server, publish) {
  server.listen(0, "127.0.0.1", 4096, () => console.log(`ready ${server.address().port}`));
  const orders = createInterface({ input: process.stdin });
  orders.on("line", (line) => {
    const [, count, stamp, size] = line.split(" ");
    for (let n = 0; n < Number(count); n += 1) publish(event(Number(stamp), Number(size)));
  });
  orders.on("close", () => process.exit(0));
}
