// SHA-256 and SHA-512 (FIPS 180-4), also where the browser has none: pages over plain http. Public data alone is hashed here,
// so time tells nothing. Not for passwords.

const MASK_64 = (1n << 64n) - 1n;

function primes(count) {
  const found = [];
  for (let one = 2; found.length < count; one += 1) if (found.every((prime) => one % prime)) found.push(one);
  return found;
}

/** The greatest whole number whose power is not above the value. */
function root(value, power) {
  let low = 0n;
  let high = 1n << 140n;
  while (high - low > 1n) {
    const middle = (low + high) >> 1n;
    if (middle ** power <= value) low = middle;
    else high = middle;
  }
  return low;
}

// The standard's constants: the first 64 bits after the point of the roots of the first primes; SHA-256 takes 32 of them.
const ROUNDS_512 = primes(80).map((prime) => root(BigInt(prime) << 192n, 3n) & MASK_64);
const START_512 = primes(8).map((prime) => root(BigInt(prime) << 128n, 2n) & MASK_64);
const ROUNDS_256 = Uint32Array.from(ROUNDS_512.slice(0, 64), (one) => Number(one >> 32n));
const START_256 = Uint32Array.from(START_512, (one) => Number(one >> 32n));

/** The message with a one, zeros and its length in bits, as whole blocks. */
function padded(bytes, block) {
  const size = Math.ceil((bytes.length + 1 + block / 8) / block) * block;
  const filled = new Uint8Array(size);
  filled.set(bytes);
  filled[bytes.length] = 0x80;
  new DataView(filled.buffer).setBigUint64(size - 8, BigInt(bytes.length) * 8n);
  return new DataView(filled.buffer);
}

const turned = (word, by) => (word >>> by) | (word << (32 - by));

function block256(state, view, at, words) {
  for (let i = 0; i < 16; i += 1) words[i] = view.getUint32(at + i * 4);
  for (let i = 16; i < 64; i += 1) {
    const a = words[i - 15];
    const b = words[i - 2];
    const small = turned(a, 7) ^ turned(a, 18) ^ (a >>> 3);
    words[i] = words[i - 16] + small + words[i - 7] + (turned(b, 17) ^ turned(b, 19) ^ (b >>> 10));
  }
  let [a, b, c, d, e, f, g, h] = state;
  for (let i = 0; i < 64; i += 1) {
    const first = h + (turned(e, 6) ^ turned(e, 11) ^ turned(e, 25)) + ((e & f) ^ (~e & g)) + ROUNDS_256[i] + words[i];
    const second = (turned(a, 2) ^ turned(a, 13) ^ turned(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
    [h, g, f, e, d, c, b, a] = [g, f, e, (d + first) | 0, c, b, a, (first + second) | 0];
  }
  [a, b, c, d, e, f, g, h].forEach((word, i) => {
    state[i] += word;
  });
}

/** 32 bytes. */
export function sha256(bytes) {
  const view = padded(bytes, 64);
  const state = Uint32Array.from(START_256);
  const words = new Uint32Array(64);
  for (let at = 0; at < view.byteLength; at += 64) block256(state, view, at, words);
  const out = new DataView(new ArrayBuffer(32));
  state.forEach((word, i) => out.setUint32(i * 4, word));
  return new Uint8Array(out.buffer);
}

const wide = (word, by) => ((word >> BigInt(by)) | (word << BigInt(64 - by))) & MASK_64;

function block512(state, view, at) {
  const words = Array.from({ length: 16 }, (_, i) => view.getBigUint64(at + i * 8));
  for (let i = 16; i < 80; i += 1) {
    const a = words[i - 15];
    const b = words[i - 2];
    const small = wide(a, 1) ^ wide(a, 8) ^ (a >> 7n);
    words[i] = (words[i - 16] + small + words[i - 7] + (wide(b, 19) ^ wide(b, 61) ^ (b >> 6n))) & MASK_64;
  }
  let [a, b, c, d, e, f, g, h] = state;
  for (let i = 0; i < 80; i += 1) {
    const chosen = (e & f) ^ (~e & MASK_64 & g);
    const first = h + (wide(e, 14) ^ wide(e, 18) ^ wide(e, 41)) + chosen + ROUNDS_512[i] + words[i];
    const second = (wide(a, 28) ^ wide(a, 34) ^ wide(a, 39)) + ((a & b) ^ (a & c) ^ (b & c));
    [h, g, f, e, d, c, b, a] = [g, f, e, (d + first) & MASK_64, c, b, a, (first + second) & MASK_64];
  }
  return [a, b, c, d, e, f, g, h].map((word, i) => (word + state[i]) & MASK_64);
}

/** 64 bytes. */
export function sha512(bytes) {
  const view = padded(bytes, 128);
  let state = START_512;
  for (let at = 0; at < view.byteLength; at += 128) state = block512(state, view, at);
  const out = new DataView(new ArrayBuffer(64));
  state.forEach((word, i) => out.setBigUint64(i * 8, word));
  return new Uint8Array(out.buffer);
}

/** Bytes as small hex digits. */
export function hex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
