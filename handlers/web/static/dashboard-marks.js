// What the rows mean: who is away, stuck or short of time, who matches a filter, and in which order they stand.
// Not for drawing.

export const LONG_AWAY_MS = 30_000;
export const STUCK_MS = 300_000;
export const SHORT_MS = 300_000;
export const MARKS = ["urgent", "long_away", "conflict", "credit", "stuck"];
const CLOSED = new Set(["submitted", "graded", "abandoned"]);

/** Whether a student may still answer. */
export function isOpen(row) {
  return !CLOSED.has(row.status);
}

/** Milliseconds that an attempt has left: while it is paused they stand still; null when it has no end, or none any more. */
export function leftOf(row, nowMs) {
  return row.deadlineMs === null || !isOpen(row) ? null : Math.max(0, row.deadlineMs - (row.pausedMs ?? nowMs));
}

/** When an attempt ends as things stand: a pause moves it on. */
export function endOf(row, nowMs) {
  return row.deadlineMs === null ? null : row.deadlineMs + (row.pausedMs === null ? 0 : Math.max(0, nowMs - row.pausedMs));
}

/** The marks of one row at a time: {isOpen, away, urgent, long_away, stuck, conflict, credit, isHidden, isTakenOver, leftMs}. */
export function marksOf(row, picture, nowMs) {
  const isRunning = row.status === "in_progress";
  const away = isRunning && !row.is_connected ? picture.awayOf(row, nowMs) : null;
  const leftMs = leftOf(row, nowMs);
  return {
    isOpen: isOpen(row),
    away,
    leftMs,
    isShort: leftMs !== null && leftMs < SHORT_MS,
    isPaused: row.status === "paused",
    isHidden: isRunning && row.flags.includes("hidden"),
    isTakenOver: isOpen(row) && row.flags.includes("taken_over"),
    conflict: isOpen(row) && row.flags.includes("conflict"),
    credit: isOpen(row) && row.flags.includes("credit"),
    long_away: away !== null && away.ms >= LONG_AWAY_MS,
    urgent: away !== null && leftMs !== null && leftMs < SHORT_MS,
    stuck: isRunning && row.is_connected && nowMs - row.progressMs >= STUCK_MS,
  };
}

const FLAGS = ["isHidden", "long_away", "stuck", "urgent", "conflict", "credit", "isTakenOver"];

const MATCHES = {
  all: () => true,
  away: (marks) => marks.away !== null,
  flagged: (marks) => FLAGS.some((name) => marks[name]),
  paused: (marks) => marks.isPaused,
  in: (marks) => !marks.isOpen,
  urgent: (marks) => marks.urgent,
  long_away: (marks) => marks.long_away,
  stuck: (marks) => marks.stuck,
  conflict: (marks) => marks.conflict,
  credit: (marks) => marks.credit,
};
export const FILTERS = Object.keys(MATCHES);

/** How many match each filter, over all students. */
export function countAll(picture, nowMs) {
  const counts = Object.fromEntries(FILTERS.map((name) => [name, 0]));
  let endMs = 0;
  for (const row of picture.students.values()) {
    const marks = marksOf(row, picture, nowMs);
    for (const name of FILTERS) if (MATCHES[name](marks)) counts[name] += 1;
    if (marks.isOpen) endMs = Math.max(endMs, endOf(row, nowMs) ?? Infinity);
  }
  return { counts, endMs: Number.isFinite(endMs) && endMs > 0 ? endMs : null };
}

const FOLDS = [
  [/[\u0640\u064B-\u065F\u0670\u0300-\u036F]/g, ""],
  [/[أإآٱ]/g, "ا"],
  [/ى/g, "ي"],
  [/ة/g, "ه"],
];

/** A name as it is searched: without case, accents and Arabic letter variants. */
export function folded(text) {
  return FOLDS.reduce((all, [what, by]) => all.replace(what, by), text.normalize("NFD").toLowerCase()).normalize("NFC");
}

const collator = new Intl.Collator(document.documentElement.lang || "en", { sensitivity: "base", numeric: true });
const names = new Map();

function nameOf(row) {
  if (!names.has(row.full_name)) names.set(row.full_name, folded(row.full_name));
  return names.get(row.full_name);
}

/** The place of a row by a column; smaller first, null last in both directions. By "now" the away come first. */
const PLACES = {
  where: (row) => (!isOpen(row) ? 3 : row.is_connected ? (row.flags.length ? 1 : 2) : 0),
  question: (row, orders) => (isOpen(row) ? (orders.get(row.question_id) ?? null) : null),
  answered: (row) => row.answered_count,
  left: (row) => (isOpen(row) ? row.deadlineMs : null),
  score: (row) => (row.score === null ? null : Number(row.score)),
};
export const SORTS = ["began", "name", ...Object.keys(PLACES)];

function comparer(sort, picture) {
  const name = sort.replace(/^-/, "");
  const sign = sort === name ? 1 : -1;
  const orders = new Map([...picture.questions.values()].map((row) => [row.question_id, row.order]));
  const began = (a, b) => (a.started_at < b.started_at ? -1 : a.started_at > b.started_at ? 1 : a.attempt_id < b.attempt_id ? -1 : 1);
  const place = PLACES[name];
  if (name === "began") return (a, b) => sign * began(a, b);
  if (name === "name") return (a, b) => sign * collator.compare(a.full_name, b.full_name) || began(a, b);
  return (a, b) => {
    const [one, two] = [place(a, orders), place(b, orders)];
    if (one === null || two === null) return (one === null) - (two === null) || began(a, b);
    return sign * (one - two) || began(a, b);
  };
}

function matcher(picture, { filter, find, group = "" }, nowMs) {
  const words = folded(find).trim();
  if (filter === "all" && !words && !group) return () => true;
  return (row) => (!group || row.group === group) && MATCHES[filter](marksOf(row, picture, nowMs)) && (!words || nameOf(row).includes(words));
}

/** The groups that the students are of, in the order of their names. */
export function groupsOf(picture) {
  const groups = new Set();
  for (const row of picture.students.values()) if (row.group) groups.add(row.group);
  return [...groups].sort(collator.compare);
}

/** The attempts that match, in order. */
export function arranged(picture, chosen, nowMs) {
  const rows = [...picture.students.values()].filter(matcher(picture, chosen, nowMs));
  return rows.sort(comparer(chosen.sort, picture)).map((row) => row.attempt_id);
}

/** How an order that was made before stands now: which attempts are new, and whether the others are still in order. */
export function comparedTo(order, picture, chosen, nowMs) {
  const matches = matcher(picture, chosen, nowMs);
  const compare = comparer(chosen.sort, picture);
  const rows = order.map((attemptId) => picture.students.get(attemptId));
  const isKept = rows.every((row, n) => row && matches(row) && (n === 0 || compare(rows[n - 1], row) < 0));
  const known = new Set(order);
  const added = [];
  for (const row of picture.students.values()) if (!known.has(row.attempt_id) && matches(row)) added.push(row);
  added.sort(compare);
  const isAtEnd = isKept && (!rows.length || !added.length || compare(rows.at(-1), added[0]) < 0);
  return { isKept, isAtEnd, added: added.map((row) => row.attempt_id) };
}
