// Checking a receipt in the browser: what does not hold, and where. The rules are in docs/receipts.md and, name by name, in
// lms_rt/services/receipt_check.py; a test holds the two to each other. Asks nobody, shows nothing.

import { isSigned } from "./receipt-ed25519.js";
import { hex, sha256 } from "./receipt-sha.js";

const MOST = 5000;
const encoder = new TextEncoder();
const hashOf = (text) => hex(sha256(encoder.encode(text)));

function byCodePoint(one, other) {
  const [a, b] = [one, other].map((text) => Array.from(text, (character) => character.codePointAt(0)));
  const at = a.findIndex((code, i) => code !== b[i]);
  return at < 0 ? a.length - b.length : a[at] - (b[at] ?? -1);
}

/** The one JSON of a value. */
export function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  const names = Object.keys(value).sort(byCodePoint);
  return `{${names.map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`).join(",")}}`;
}

/** SHA-256 of an answer's canonical JSON, in hex. */
export const valueDigest = (value) => hashOf(canonical(value));

function nextHash(before, { op_id, question_id, value_sha256, saved_at_ms }) {
  return hashOf(`${before}\n${op_id}\n${question_id}\n${value_sha256}\n${saved_at_ms}`);
}

function bytesOf(text) {
  if (!/^[A-Za-z0-9_-]*$/.test(text)) return new Uint8Array();
  try {
    return Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (one) => one.charCodeAt(0));
  } catch {
    return new Uint8Array();
  }
}

// --- shape ---

const isText = (value) => typeof value === "string";
const isFlag = (value) => typeof value === "boolean";
const isTime = (value) => isText(value) && value.includes("T") && !Number.isNaN(Date.parse(value));
const isHash = (value) => isText(value) && /^[0-9a-f]{64}$/.test(value);
const isKeyId = (value) => isText(value) && /^[0-9a-f]{16}$/.test(value);
const isName = (value) => isText(value) && /^[A-Za-z0-9_-]{1,64}$/.test(value);
const isWhole = (least, most) => (value) => Number.isInteger(value) && value >= least && value <= most;
const isOneOf = (...values) => (value) => values.includes(value);
const OPERATION = {
  n: isWhole(1, MOST),
  op_id: isName,
  question_id: isName,
  value_sha256: isHash,
  saved_at_ms: isWhole(0, 2 ** 53),
  hash: isHash,
};
const RECEIPT = {
  format: isOneOf("lms-receipt/1"),
  attempt: { id: isText, number: isWhole(1, 2 ** 53), is_preview: isFlag, started_at: isTime },
  student: { id: isText, full_name: isText },
  quiz: { id: isText, title: isText, version: isWhole(-(2 ** 53), 2 ** 53) },
  operations_count: isWhole(0, MOST),
  operations: [OPERATION],
  head: isHash,
  closed_at: isTime,
  closed_by: isOneOf("student", "deadline", "instructor"),
  key_id: isKeyId,
  signature: isText,
};

const under = (place, name) => (place ? `${place}.${name}` : String(name));

/** Where a value is not of this shape; null: it is. */
function misfit(value, shape, place) {
  if (typeof shape === "function") return shape(value) ? null : place;
  if (Array.isArray(shape)) {
    if (!Array.isArray(value) || value.length > MOST * 2) return place;
    return firstOf(value.keys(), (i) => misfit(value[i], shape[0], under(place, i)));
  }
  if (value === null || typeof value !== "object" || Array.isArray(value)) return place;
  const inner = firstOf(Object.keys(shape), (name) =>
    Object.hasOwn(value, name) ? misfit(value[name], shape[name], under(place, name)) : under(place, name),
  );
  const more = Object.keys(value).find((name) => !Object.hasOwn(shape, name));
  return inner ?? (more === undefined ? null : under(place, more));
}

function firstOf(names, look) {
  for (const name of names) {
    const found = look(name);
    if (found !== null) return found;
  }
  return null;
}

// --- check ---

const finding = (kind, first = 0, last = first, place = "") => ({ kind, first, last, place });

function* walked(receipt) {
  const there = new Set(receipt.operations.map((operation) => operation.n));
  let before = hashOf(receipt.attempt.id);
  let due = 1;
  for (const operation of receipt.operations) {
    const { n } = operation;
    if (n < due) {
      yield finding("moved", n);
      continue;
    }
    const gap = [];
    for (let one = due; one < n; one += 1) if (!there.has(one)) gap.push(one);
    if (gap.length) yield finding("missing", gap[0], gap.at(-1));
    if (n === due && operation.hash !== nextHash(before, operation)) yield finding("changed", n);
    before = operation.hash;
    due = n + 1;
  }
}

function chain(receipt) {
  const found = [...walked(receipt)];
  const { operations, operations_count: count } = receipt;
  const highest = operations.reduce((most, operation) => Math.max(most, operation.n), 0);
  if (highest < count) found.push(finding("tail_missing", highest + 1, count));
  else if (highest > count) found.push(finding("surplus", count + 1, highest));
  const end = operations.length ? operations.at(-1).hash : hashOf(receipt.attempt.id);
  if (!found.length && end !== receipt.head) found.push(finding("head_differs"));
  return found;
}

function signature(receipt, keys) {
  const key = keys.get(receipt.key_id);
  if (!key) return [finding("key_unknown", 0, 0, receipt.key_id)];
  const { operations: _, signature: sent, ...statement } = receipt;
  return isSigned(key, encoder.encode(canonical(statement)), bytesOf(sent)) ? [] : [finding("signature")];
}

/** The receipt itself, also where the API puts its replies into an envelope. */
export function unwrapped(value) {
  const isWrapped = value !== null && typeof value === "object" && "success" in value && "data" in value;
  return isWrapped ? value.data : value;
}

/** The public keys of /.well-known/lms-receipt-keys.json by name; one under another's name is left out. */
export function keysOf(listed) {
  const keys = new Map(listed.keys.map((row) => [row.key_id, bytesOf(row.public_key)]));
  for (const [id, key] of keys) if (hex(sha256(key)).slice(0, 16) !== id) keys.delete(id);
  return keys;
}

/** Everything that does not hold, [{kind, first, last, place}]; nothing: it is whole, and signed by a known key. */
export function findingsOf(given, keys, attemptId = null) {
  const receipt = unwrapped(given);
  const place = misfit(receipt, RECEIPT, "");
  if (place !== null) return [finding("not_receipt", 0, 0, place)];
  const isOther = attemptId !== null && receipt.attempt.id !== attemptId;
  const other = isOther ? [finding("other_attempt", 0, 0, receipt.attempt.id)] : [];
  return [...other, ...chain(receipt), ...signature(receipt, keys)];
}

/** The questions whose answer is another than the receipt says, or is missing: a Map from question to the kind. */
export function answerFindings(receipt, answers) {
  const last = new Map(receipt.operations.map((operation) => [operation.question_id, operation.value_sha256]));
  const found = new Map();
  for (const id of last.keys()) if (!Object.hasOwn(answers, id)) found.set(id, "answer_missing");
  for (const [id, value] of Object.entries(answers)) {
    if (last.get(id) !== valueDigest(value)) found.set(id, "answer_differs");
  }
  return found;
}
