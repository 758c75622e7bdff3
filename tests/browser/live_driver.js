// What the caller of the JavaScript client does and hears in the scenarios of tests/live/client_scenarios.json.

import { Backoff, Ear, LiveClient } from "/live.js";

/** Counts how often a row of failures ended. */
class CountingBackoff extends Backoff {
  rowsEnded = 0;

  reset() {
    super.reset();
    this.rowsEnded += 1;
  }
}

const words = [];
const snapshots = new Map();
let live = null;
let tickets = 0;
let tokens = 0;

/** A queue with a promise for each that is taken. */
function queueOf(channel) {
  if (!snapshots.has(channel)) snapshots.set(channel, { ready: [], takers: [] });
  return snapshots.get(channel);
}

function put(channel, snapshot) {
  const queue = queueOf(channel);
  if (queue.takers.length) queue.takers.shift()(snapshot);
  else queue.ready.push(snapshot);
}

async function take(channel) {
  const queue = queueOf(channel);
  if (queue.ready.length) return queue.ready.shift();
  return new Promise((resolve) => queue.takers.push(resolve));
}

function earOf({ channel }) {
  return new Ear(channel, {
    onEvent: (frame) => words.push(`event ${channel} ${frame.offset}`),
    onState: (frame) => words.push(`state ${channel} ${frame.event}`),
    onReset: async () => {
      words.push(`reset ${channel}`);
      const snapshot = await take(channel);
      if (snapshot === "failed") throw new Error(snapshot);
      return snapshot;
    },
    onRefused: (refusal) => words.push(`refused ${channel} ${refusal.code}`),
  });
}

function told(name, promise) {
  promise.then(
    (result) => words.push(`${name} is ${JSON.stringify(result)}`),
    (refusal) => words.push(`${name} failed ${refusal.code}`),
  );
}

const fieldsOf = ({ fields = {}, size }) => (size ? { ...fields, text: "x".repeat(size) } : fields);

const actions = {
  start({ by = "ticket", refreshes = false, backoff_ms: [firstMs, mostMs] = [1, 5] }) {
    live = new LiveClient({
      url: "/ws",
      ticket: by === "ticket" ? async () => `t${++tickets}` : undefined,
      token: by === "token" ? async () => `token${++tokens}` : undefined,
      refresh: refreshes ? async () => words.push("refreshed") : undefined,
      backoff: new CountingBackoff(firstMs, mostMs),
    });
    live.addEventListener("notice", ({ detail }) => words.push(`notice ${detail.type}`));
    live.addEventListener("ended", ({ detail }) => words.push(`ended ${detail.code}`));
    live.start();
  },
  subscribe: (step) => void live.subscribe(earOf(step)),
  adopt: (step) => live.adopt(earOf(step), step.subscription),
  begin_at(step) {
    const ear = earOf(step);
    ear.beginAt(step.position);
    live.subscribe(ear);
  },
  snapshot: ({ channel, versions, outcome }) => put(channel, versions ?? outcome),
  unsubscribe: ({ channel }) => void live.unsubscribe(channel),
  forget: ({ channel }) => live.forget(channel),
  command: (step) => told(step.name, live.command(step.type, fieldsOf(step), { timeoutMs: step.timeout_ms, isPatient: step.is_patient })),
  insist: (step) => told(step.name, live.insist(step.type, fieldsOf(step))),
  measure_clock: () => void live.measureClock(3),
  drop: () => live.drop(),
  hurry: () => live.hurry(),
  close: () => live.close(),
};

window.driver = {
  do(action, step) {
    for (let turn = 0; turn < (step.times ?? 1); turn += 1) actions[action](step);
  },
  heard: () => words,
  state: () => ({
    is_up: live.isUp,
    is_degraded: live.isDegraded,
    connections: live.connections,
    clock_error_ms: live.clock.errorMs,
    rows_ended: live.backoff.rowsEnded,
  }),
  end: () => live?.close(),
};
