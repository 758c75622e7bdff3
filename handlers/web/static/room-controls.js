// What the teacher does to a running attempt: more time, a pause, its end, an announcement, a corrected question. Each is told
// once, whether an event or a view of the attempt brings it, stays in Messages, and is confirmed as soon as it was on a page
// that is looked at. Not for the time itself (room-clock.js), nor for answers (room-ledger.js).

import { read } from "./api.js";
import { moment, number, t } from "./i18n.js";
import { isUnreached } from "./room-line.js";
import { say } from "./say.js";

const CHANGED_MS = 20_000;
const ANNOUNCED_MS = 30_000;
const LINE_LENGTH = 64; // the rest stands in Messages
const OF_TIME = new Set(["extend", "pause", "resume"]);
const CORRECTIONS = ["changed", "void", "full_credit"];
const KINDS = {
  quiz_extended: "extend",
  quiz_paused: "pause",
  quiz_resumed: "resume",
  quiz_ended: "end",
  exam_announcement: "announce",
  question_corrected: "correct",
};

/** Is this event a word of the teacher to this attempt? */
export const isControl = (name) => name in KINDS;

const clipped = (words) => (words.length > LINE_LENGTH ? `${words.slice(0, LINE_LENGTH - 1).trimEnd()}…` : words);

/** "5 more minutes.", with its new end while that is known. */
function moreTime(seconds, end = "") {
  const [unit, count] = seconds % 60 === 0 ? ["extended", seconds / 60] : ["extended_seconds", seconds];
  return end ? t(`room.${unit}`, { count, end }) : t(`room.message_${unit}`, { count });
}

/** The teacher's words to this attempt, as its room tells them. */
export class Controls {
  constructor(room) {
    Object.assign(this, { room, known: new Set(), unconfirmed: new Set(), reason: "", version: 0 });
    document.addEventListener("visibilitychange", () => this.confirm());
  }

  /** What a view of the attempt says of them: what its reader has not seen is told. */
  take(view) {
    if (view.messages) this.version = Math.max(this.version, view.live_version ?? 0);
    if (view.questions) this.room.renewQuestions(view.questions);
    for (const message of view.messages ?? []) {
      this.#note({ ...message, id: message.control_id }, { isSeen: message.is_seen, deadlineAt: view.deadline_at });
    }
    this.confirm();
  }

  /** The server's number of the teacher's acts: a higher one means that something was said and not heard here. */
  async catchUp(version) {
    if (version > this.version) await this.look();
  }

  /** One event of the attempt's channel. */
  hear({ event, id, at, data }) {
    const kind = KINDS[event];
    this.version = Math.max(this.version, data.live_version ?? 0);
    const message = { ...data, kind, id: data.control_id ?? id, at: data.server_time ?? at };
    const note = () => this.#note(message, { isSeen: false, deadlineAt: data.deadline_at });
    if (kind === "correct") this.look().then(note).then(() => this.confirm()); // its words follow from the questions as they are then
    else note();
    if (kind === "pause" || kind === "resume") this.room.pause(kind === "pause", data);
    else if (kind === "end") this.room.presence.ask().catch(() => {});
    else if (data.server_time) this.room.setTime(data, { isTold: true });
    this.confirm();
  }

  /** Ask for the attempt as it stands: its questions and what was said to it. */
  async look() {
    const view = await read(this.room.line.path, { isQuiet: true }).catch(() => null);
    if (!view || this.room.isClosed) return;
    this.take(view);
    this.room.setTime(view, { isTold: true });
  }

  /** The end was moved, and no word of the teacher has come: it may still be on its way, or be missed for good. */
  async explain(movedMs, deadlineAt) {
    const before = this.known.size;
    await this.look();
    if (this.known.size > before || this.room.isClosed) return;
    const end = moment(deadlineAt, "time");
    const minutes = Math.round(movedMs / 60_000);
    const words = minutes >= 1 ? t("room.extended", { count: minutes, end }) : t("room.new_end", { end });
    this.room.messages.add(words);
    this.#tellTime(words);
  }

  /** Said by this page or to everybody: in the line and in Messages. */
  announce(words) {
    this.room.messages.add(words);
    this.#tell(words);
  }

  #note(message, { isSeen, deadlineAt }) {
    const { id, kind, seconds, question_ids: questionIds, reason, at } = message;
    if (this.known.has(id)) return;
    this.known.add(id);
    if (!isSeen) this.unconfirmed.add(id);
    if (kind === "pause" || kind === "end") this.reason = reason ?? "";
    const why = reason ? ` ${t("room.reason", { reason })}` : "";
    const more = seconds && deadlineAt ? moreTime(seconds, moment(deadlineAt, "time")) : "";
    const words = this.#words(message);
    const shown = (questionIds ?? []).filter((questionId) => this.room.byId.get(questionId)?.correction);
    const places = this.#places(shown);
    this.room.messages.add(`${kind === "extend" && !isSeen && more ? more : words}${why}`, { at, isRead: isSeen, places });
    if (OF_TIME.has(kind)) this.room.clock.noteChange(`${moment(at, "time")} ${words}`);
    if (isSeen) return;
    if (kind === "announce" || kind === "correct") this.#tell(words);
    if (more && (kind === "extend" || kind === "correct")) this.#tellTime(more);
  }

  #words({ kind, text, seconds, question_ids: questionIds }) {
    if (kind === "announce") return text ?? "";
    if (kind === "extend") return moreTime(seconds ?? 0);
    if (kind !== "correct") return t(`room.message_${kind}`);
    const words = this.#correction(questionIds ?? []);
    return seconds ? `${words} ${moreTime(seconds)}` : words;
  }

  /** What became of the questions, as far as it is to be seen: a new key is named with no question. */
  #correction(questionIds) {
    const of = (word) => this.#places(questionIds.filter((id) => this.room.byId.get(id)?.correction === word));
    const parts = CORRECTIONS.map((word) => [word, of(word)]).filter(([, places]) => places.length > 0);
    const numbers = (places) => places.map(number).join(t("room.comma"));
    if (parts.length === 0) return t("room.message_correct");
    return parts.map(([word, places]) => t(`room.message_${word}`, { count: places.length, numbers: numbers(places) })).join(" ");
  }

  #places(questionIds) {
    return questionIds.map((id) => this.room.byId.get(id)?.place).filter((place) => place !== undefined);
  }

  #tell(words) {
    this.room.status.set("announcement", clipped(words), { forMs: ANNOUNCED_MS });
    say(words);
  }

  #tellTime(words) {
    this.room.status.set("changed", words, { forMs: CHANGED_MS });
    say(words);
  }

  /** Tell the teacher what was shown, once it truly was; what does not arrive is told again when there is a line. */
  async confirm() {
    if (document.hidden || this.isConfirming) return;
    this.isConfirming = true;
    for (const id of this.unconfirmed) {
      try {
        await this.room.line.seen(id);
        this.unconfirmed.delete(id);
      } catch (error) {
        if (isUnreached(error)) break;
        this.unconfirmed.delete(id); // it has no use for it
      }
    }
    this.isConfirming = false;
  }
}
