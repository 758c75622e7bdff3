// What the projector's window of the same browser shows, told and heard by BroadcastChannel: which question, revealed or
// not. Either side may come later or load anew: it asks, and the other answers. Not for figures: each reads its own.

/** Which channel the windows of a quiz share. */
export const screenChannel = (quizId) => `lms-screen-${quizId}`;

const PULSE_MS = 5000;

/** The dashboard's side: {state, show(questionId), reveal(), onChange(listener)}. Showing what is shown takes it away. */
export function followScreen(quizId) {
  const channel = new BroadcastChannel(screenChannel(quizId));
  const listeners = new Set();
  const screen = { state: { isThere: false, shown: null, isRevealed: false } };
  let timer = 0;

  function take(state) {
    if (JSON.stringify(state) === JSON.stringify(screen.state)) return;
    screen.state = state;
    for (const listener of listeners) listener();
  }

  channel.addEventListener("message", ({ data }) => {
    clearTimeout(timer);
    if (data.kind === "gone") return take({ isThere: false, shown: null, isRevealed: false });
    if (data.kind !== "state") return undefined;
    timer = setTimeout(() => take({ ...screen.state, isThere: false }), 3 * PULSE_MS);
    return take({ isThere: true, shown: data.shown, isRevealed: data.isRevealed });
  });
  channel.postMessage({ kind: "ask" });

  screen.onChange = (listener) => listeners.add(listener);
  screen.show = (questionId) => channel.postMessage({ kind: "show", shown: screen.state.shown === questionId ? null : questionId });
  screen.reveal = () => channel.postMessage({ kind: "reveal", isRevealed: !screen.state.isRevealed });
  return screen;
}

/** The projector's side: tells its state at each change, when asked, and now and then; obeys what it hears. */
export function beScreen(quizId, { onShow, onReveal }) {
  const channel = new BroadcastChannel(screenChannel(quizId));
  let state = { shown: null, isRevealed: false };
  const tell = () => channel.postMessage({ kind: "state", ...state });
  channel.addEventListener("message", ({ data }) => {
    if (data.kind === "show") onShow(data.shown);
    else if (data.kind === "reveal") onReveal(data.isRevealed);
    else if (data.kind === "ask") tell();
  });
  setInterval(tell, PULSE_MS);
  addEventListener("pagehide", () => channel.postMessage({ kind: "gone" }));
  addEventListener("pageshow", tell);
  return (next) => {
    state = next;
    tell();
  };
}
