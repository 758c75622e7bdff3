// When typed text becomes a save: 700 ms after the last key, not sooner than 2 s after the save before, every 5 s while the
// keys do not rest, and at once when the field is left. Choices do not come here.

const REST_MS = 700;
const APART_MS = 2000;
const AT_LEAST_EVERY_MS = 5000;

/** `save(key, value)` is called when it is time. */
export class Drafts {
  constructor(save) {
    this.save = save;
    this.drafts = new Map();
  }

  /** A key was pressed: this is the text now. */
  type(key, value) {
    const now = performance.now();
    const draft = this.drafts.get(key) ?? { savedAt: -Infinity, since: 0, timer: 0 };
    clearTimeout(draft.timer);
    if (!draft.isDirty) draft.since = now;
    Object.assign(draft, { value, isDirty: true });
    const rest = Math.min(now + REST_MS, draft.since + AT_LEAST_EVERY_MS);
    draft.timer = setTimeout(() => this.flush(key), Math.max(rest, draft.savedAt + APART_MS) - now);
    this.drafts.set(key, draft);
  }

  /** Save it now, if there is something. */
  flush(key) {
    const draft = this.drafts.get(key);
    if (!draft?.isDirty) return;
    clearTimeout(draft.timer);
    draft.isDirty = false;
    draft.savedAt = performance.now();
    this.save(key, draft.value);
  }

  /** Save all of them now. */
  flushAll() {
    for (const key of this.drafts.keys()) this.flush(key);
  }

  /** What is typed and not yet saved, or undefined. */
  peek(key) {
    const draft = this.drafts.get(key);
    return draft?.isDirty ? draft.value : undefined;
  }
}
