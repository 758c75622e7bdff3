// Forms that each send one call of the REST API (`data-send`, `data-path`, `data-version`), then stay or go on (`data-stay`,
// `data-goto`, words for after it in `data-done`); `data-confirm` asks before what cannot be undone.

import { comparisonOf } from "./compare.js";
import { confirmAct } from "./dialog.js";
import { enhance, fillMoments } from "./forms.js";
import { leaving } from "./page.js";
import { toast, toastAfter } from "./toast.js";

function goOn(reply, form) {
  if (form.dataset.stay) {
    if (reply?.version) form.dataset.version = reply.version;
    toast(form.dataset.stay);
    return null;
  }
  if (form.dataset.done) toastAfter(form.dataset.done);
  return leaving(() => location.assign(form.dataset.goto.replace("{id}", encodeURIComponent(reply?.id ?? ""))));
}

function askFirst(form) {
  if (!form.dataset.confirm) return;
  let isAgreed = false;
  form.addEventListener(
    "submit",
    async (event) => {
      if (isAgreed) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      const { confirm: words, confirmTitle: title, confirmAction: action } = form.dataset;
      isAgreed = await confirmAct({ title, words, action });
      if (isAgreed) form.requestSubmit();
    },
    true,
  );
}

for (const form of document.querySelectorAll("form[data-send]")) {
  form.dataset.method = form.dataset.send;
  fillMoments(form);
  askFirst(form);
  enhance(form, goOn, { comparison: form.dataset.version ? comparisonOf(form) : null });
}
