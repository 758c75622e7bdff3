// Words, plurals, numbers and times in the page's language. The words come with the page, from the same catalogue that
// the server uses (handlers/web/messages); the rules are the browser's Intl. Not for fetching anything.

import { page } from "./page.js";

const rules = new Intl.PluralRules(page.language || "en");
const ARABIC = /\p{Script=Arabic}|\p{Script=Hebrew}/u;
const LATIN = /\p{Script=Latin}/u;
const ARABIC_DIGITS = "٠١٢٣٤٥٦٧٨٩";

/** Digits as the profile wants them: 0–9, or ٠–٩. */
export function digits(value) {
  const text = String(value);
  return page.digits === "arab" ? text.replace(/[0-9]/g, (digit) => ARABIC_DIGITS[digit]) : text;
}

/** Keep a foreign name from turning the sentence around it. */
function isolated(value) {
  if (typeof value === "number") return digits(value);
  const text = String(value);
  const isForeign = page.language === "ar" ? LATIN.test(text) : ARABIC.test(text);
  return isForeign ? `\u2068${text}\u2069` : text;
}

/** The words of a key ("room.saved"), with {names} filled in; `count` chooses among plural forms. */
export function t(key, values = {}) {
  const entry = page.messages[key];
  if (entry === undefined) return key;
  const pattern = typeof entry === "string" ? entry : (entry[rules.select(Number(values.count))] ?? entry.other);
  return pattern.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? isolated(values[name]) : whole));
}

/** Does the page know words for this key? */
export function hasWords(key) {
  return page.messages[key] !== undefined;
}

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

/** 2000 → "2,000", 12 → "١٢" where the profile says so. */
export function number(value) {
  return digits(whole.format(value));
}

/** "70.00" → "70%", "66.67" → "66.67%". */
export function percent(value) {
  return digits(`${Number(value)}%`);
}

/** Points or a score: "2.00" → "2", "1.50" → "1.5". */
export function points(value) {
  return digits(String(Number(value)));
}

const LOCALE = `${page.language === "ar" ? "ar" : "en-GB"}-u-nu-${page.digits === "arab" ? "arab" : "latn"}-ca-gregory`;
const formats = new Map();

function format(name, options) {
  if (!formats.has(name)) formats.set(name, new Intl.DateTimeFormat(LOCALE, options));
  return formats.get(name);
}

const OPTIONS = {
  time: { hour: "2-digit", minute: "2-digit", hourCycle: "h23" },
  "time-seconds": { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" },
  date: { day: "numeric", month: "long", year: "numeric" },
};

/**
 * A moment (RFC 3339 text, epoch ms or Date) in the reader's zone, written as the server writes it (presentation.py);
 * kind: time, time-seconds, date, date-time, date-time-seconds.
 */
export function moment(value, kind = "date-time") {
  if (kind.startsWith("date-")) {
    const comma = page.language === "ar" ? "، " : ", ";
    return moment(value, "date") + comma + moment(value, kind.slice("date-".length));
  }
  return format(kind, OPTIONS[kind]).format(new Date(value));
}

/** 65_000 → "1:05"; hours only when there are some: "1:02:05". Never negative. */
export function countdown(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const [hours, minutes, rest] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  const two = (value) => String(value).padStart(2, "0");
  return digits(hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`);
}

const UNITS = ["B", "KB", "MB", "GB", "TB"];

/** 1234567 → "1.2 MB"; the page has the words of "stats". */
export function size(bytes) {
  let [value, unit] = [bytes, 0];
  for (; value >= 1000 && unit < UNITS.length - 1; unit += 1) value /= 1000;
  return t(`stats.size_${UNITS[unit]}`, { n: Math.round(value * 10) / 10 });
}

/** The letter of an option: A B C, or أ ب ج. */
export function letter(index) {
  const letters = page.language === "ar" ? "أبجدهوزحطيكلمنسعفصقرشتثخذضظغ" : "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
  return index < letters.length ? letters[index] : digits(index + 1);
}
