// The bell of the shell: how many notifications are unread, on every page with a shell. Words that come live, of this
// device or another, only make it ask how many there are. The list is notifications.js.

import { read } from "./api.js";
import { digits, t } from "./i18n.js";
import { on, whenMissed } from "./line.js";
import { say } from "./say.js";

const MOST = 99; // what the badge has room for
const TOGETHER_MS = 300; // words that come together cost one question

const bell = document.getElementById("bell");
let asking = 0;

function show(count) {
  bell.dataset.unread = String(count);
  bell.setAttribute("aria-label", t(count ? "client.bell" : "client.bell_none", { count }));
  const badge = bell.querySelector(".bell-count");
  badge.textContent = digits(count > MOST ? `${MOST}+` : count);
  badge.hidden = count === 0;
}

async function recount() {
  asking = 0;
  const page = await read("/notifications?page_size=1", { isQuiet: true });
  show(page.unread);
}

// What cannot be asked stays as it was: the next word, or the next page, puts it right.
const recountIfPossible = () => recount().catch(() => {});

/** Ask how many there are, once for all that came together. */
function ask() {
  asking ||= setTimeout(recountIfPossible, TOGETHER_MS);
}

if (bell) {
  on("notification", (data) => {
    say(t("client.told", { title: data.title }));
    ask();
  });
  on("notification_read", ask);
  on("notifications_read", ask);
  whenMissed(recountIfPossible);
}
