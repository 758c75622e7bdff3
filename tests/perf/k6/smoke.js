// k6 run tests/perf/k6/smoke.js
//
// One student of the demo school, or EMAIL with PASSWORD at BASE_URL: signs in, reads, opens the socket and asks. A minute
// after a deployment it says whether everything that a student needs is there.

import http from "k6/http";
import { check } from "k6";
import { Line, call, signIn } from "./school.js";

export const options = {
  vus: 1,
  iterations: Number(__ENV.ITERATIONS || 3),
  thresholds: { checks: ["rate==1"], http_req_failed: ["rate==0"], command_reply_ms: ["p(95)<500"] },
};

export default async function () {
  const token = signIn(__ENV.EMAIL || "student1@demo.school", __ENV.PASSWORD || "demo-school-1");
  const ready = http.get(`${__ENV.BASE_URL || "http://127.0.0.1:8000"}/ready`);
  check(ready, { "the node is ready": (r) => r.status === 200 && r.json().status === "ok" });
  const me = call("GET", "/auth/me", { token });
  const { items } = call("GET", "/courses", { token });
  check(items, { "there are courses": (courses) => courses.length > 0 });

  const line = new Line(token);
  const welcome = await line.welcome;
  check(welcome, { "the socket knows who it is": (frame) => frame.user.id === me.id });
  await line.ask("ping", {});
  const { t0, t1, t2 } = await line.ask("time.sync", { t0: Date.now() });
  check(t1, { "the clocks agree within a minute": () => Math.abs(t1 - t0) < 60000 && t2 >= t1 });
  const place = await line.ask("subscribe", { channel: `user:${me.id}` });
  const again = await line.ask("subscribe", { channel: `user:${me.id}`, since: { epoch: place.epoch, offset: place.offset } });
  check(again, { "a position is recovered": (reply) => reply.recovered && reply.events.length === 0 });
  await line.close();
}
