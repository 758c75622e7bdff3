// What the k6 scripts share: the REST API as a student uses it, and one line of the live socket with commands as promises.

import http from "k6/http";
import { check, fail } from "k6";
import { WebSocket } from "k6/websockets";
import { Trend } from "k6/metrics";

const BASE = __ENV.BASE_URL || "http://127.0.0.1:8000";
const COMMAND_MS = 15000;

/** Milliseconds from a command to its reply, by type. */
export const replyMs = new Trend("command_reply_ms", true);

/** A call below /api/v1; the JSON of its reply, which must be a success. `name` groups paths that hold ids. */
export function call(method, path, { token, body, name } = {}) {
  const headers = { "Content-Type": "application/json" };
  if (token) headers.Authorization = `Bearer ${token}`;
  const sent = body === undefined ? null : JSON.stringify(body);
  const reply = http.request(method, `${BASE}/api/v1${path}`, sent, { headers, tags: { name: name || path } });
  if (!check(reply, { "the API answers with success": (r) => r.status >= 200 && r.status < 300 })) {
    fail(`${method} ${path}: ${reply.status} ${reply.body}`);
  }
  return reply.body ? reply.json() : null;
}

/** Sign in; the token. */
export function signIn(email, password) {
  return call("POST", "/auth/login", { body: { email, password } }).access_token;
}

/** A new student; the token. */
export function register(email, password, fullName) {
  return call("POST", "/auth/register", { body: { email, password, full_name: fullName, role: "student" } }).access_token;
}

/** One connection. `ask` sends a command and gives its result; `events` counts what came besides. */
export class Line {
  constructor(token) {
    const { ticket } = call("POST", "/auth/ws-ticket", { token });
    this.events = 0;
    this.waiting = new Map();
    this.next = 1;
    this.socket = new WebSocket(`${BASE.replace(/^http/, "ws")}/ws?ticket=${ticket}`, "lms.v1.json");
    this.welcome = new Promise((resolve, reject) => {
      this.socket.onmessage = (message) => this.take(JSON.parse(message.data), resolve);
      this.socket.onerror = (event) => reject(new Error(`the line broke: ${event.error}`));
    });
    this.closed = new Promise((resolve) => {
      this.socket.onclose = (event) => {
        for (const { reject } of this.waiting.values()) reject(new Error(`closed with ${event.code}`));
        resolve(event.code);
      };
    });
  }

  take(frame, welcomed) {
    if (frame.type === "welcome") {
      welcomed(frame);
    } else if (frame.ok === undefined) {
      this.events += 1;
    } else {
      const { type, sent, resolve, reject, timer } = this.waiting.get(frame.id);
      this.waiting.delete(frame.id);
      clearTimeout(timer);
      replyMs.add(Date.now() - sent, { command: type });
      if (frame.ok) resolve(frame.result);
      else reject(new Error(`${type}: ${frame.error.code}`));
    }
  }

  ask(type, fields) {
    const id = this.next++;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${type}: no reply`)), COMMAND_MS);
      this.waiting.set(id, { type, sent: Date.now(), resolve, reject, timer });
      this.socket.send(JSON.stringify({ id, type, ...fields }));
    });
  }

  async close() {
    this.socket.close();
    await this.closed;
  }
}

/** So many seconds pass; the line is read meanwhile. */
export function pause(seconds) {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1000));
}
