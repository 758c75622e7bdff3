// What the quiz room does when the server speaks: time, pause, end, another writer, announcements. Each needs no more than
// its event; who sends them does not matter here.

import { isControl } from "./room-controls.js";

/** Handlers of `attempt:{id}`: events in order, states, and what to do when events were missed for good. */
export function channelHandlers(room, presence) {
  const acts = {
    attempt_graded: () => room.isClosed || presence.ask().catch(() => {}),
    writer_changed: (data) => {
      if (data.device_id !== room.line.deviceId) presence.setReadOnly(true, "taken_over");
    },
    answer_saved: (data) => {
      if (data.device_id !== room.line.deviceId) presence.lookSoon();
    },
  };
  return {
    onEvent: (frame) => {
      if (isControl(frame.event)) room.controls.hear(frame);
      else acts[frame.event]?.(frame.data);
    },
    onState: (frame) => frame.event === "quiz_timer" && timer(room, frame.data),
    onReset: () => presence.askAnew(),
    onRefused: () => {},
  };
}

function timer(room, data) {
  if (room.isClosed) return;
  room.live.clock.confirm(Date.parse(data.server_time));
  room.setTime(data);
  if (data.announce && data.remaining_ms !== null) room.clock.announce(data.remaining_ms);
}

/** Handler of the reader's own channel and of `system`. */
export function ownHandlers(room, presence) {
  return ({ event, data }) => {
    if (event === "announcement" || event === "maintenance") room.controls.announce(data.text ?? data.message ?? "");
    if (event === "attempt_graded" && data.attempt_id === room.attempt.id && !room.isClosed) presence.ask().catch(() => {});
  };
}
