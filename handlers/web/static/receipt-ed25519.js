// Checking Ed25519 signatures (RFC 8032), also where the browser cannot. Only what is public comes in, so time tells nothing.
// Not for signing.

import { sha512 } from "./receipt-sha.js";

const P = 2n ** 255n - 19n;
const ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;

function mod(value) {
  const rest = value % P;
  return rest < 0n ? rest + P : rest;
}

function power(base, exponent) {
  let result = 1n;
  let square = mod(base);
  for (let left = exponent; left > 0n; left >>= 1n) {
    if (left & 1n) result = (result * square) % P;
    square = (square * square) % P;
  }
  return result;
}

const inverse = (value) => power(value, P - 2n);
const D = mod(-121665n * inverse(121666n));
const ROOT_OF_MINUS_ONE = power(2n, (P - 1n) / 4n);
const ZERO = { x: 0n, y: 1n, z: 1n, t: 0n };

/** Bytes, the lowest first, as a number. */
function numberOf(bytes) {
  return bytes.reduceRight((all, byte) => (all << 8n) | BigInt(byte), 0n);
}

function pointOf(bytes) {
  const all = numberOf(bytes);
  const isOdd = all >> 255n;
  const y = all & ((1n << 255n) - 1n);
  if (y >= P) return null;
  const square = mod((y * y - 1n) * inverse(D * y * y + 1n));
  let x = power(square, (P + 3n) / 8n);
  if (mod(x * x) !== square) x = mod(x * ROOT_OF_MINUS_ONE);
  if (mod(x * x) !== square || (x === 0n && isOdd)) return null;
  if ((x & 1n) !== isOdd) x = P - x;
  return { x, y, z: 1n, t: mod(x * y) };
}

function bytesOf(point) {
  const back = inverse(point.z);
  const y = mod(point.y * back) | ((mod(point.x * back) & 1n) << 255n);
  return Uint8Array.from({ length: 32 }, (_, i) => Number((y >> BigInt(i * 8)) & 255n));
}

function sum(one, other) {
  const a = mod((one.y - one.x) * (other.y - other.x));
  const b = mod((one.y + one.x) * (other.y + other.x));
  const c = mod(2n * D * one.t * other.t);
  const d = mod(2n * one.z * other.z);
  const [e, f, g, h] = [b - a, d - c, d + c, b + a];
  return { x: mod(e * f), y: mod(g * h), z: mod(f * g), t: mod(e * h) };
}

function times(point, factor) {
  let result = ZERO;
  let doubled = point;
  for (let left = factor; left > 0n; left >>= 1n) {
    if (left & 1n) result = sum(result, doubled);
    doubled = sum(doubled, doubled);
  }
  return result;
}

const BASE = pointOf(Uint8Array.from({ length: 32 }, (_, i) => (i ? 0x66 : 0x58)));

/** Did the owner of this public key (32 bytes) sign the message? */
export function isSigned(publicKey, message, signature) {
  if (publicKey.length !== 32 || signature.length !== 64) return false;
  const key = pointOf(publicKey);
  const factor = numberOf(signature.slice(32));
  if (key === null || factor >= ORDER) return false;
  const said = numberOf(sha512(Uint8Array.from([...signature.slice(0, 32), ...publicKey, ...message]))) % ORDER;
  const minusKey = { ...key, x: mod(-key.x), t: mod(-key.t) };
  const expected = bytesOf(sum(times(BASE, factor), times(minusKey, said)));
  return expected.every((byte, i) => byte === signature[i]);
}
