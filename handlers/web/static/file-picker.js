// Places to choose files (file_picker.html): what is chosen is uploaded at once, one after the other, with progress; each file that is
// there then stands in the form. `picked` on the place tells of every change, `uploaded` of each new file.

import { html, icon, make } from "./html.js";
import { hasWords, percent, t } from "./i18n.js";
import { say } from "./say.js";
import { uploadFile } from "./upload.js";

function wordsOf(problem) {
  const fault = problem.errors?.[0]?.code ?? problem.code;
  const own = `files.fault_${fault}`;
  if (hasWords(own)) return t(own);
  return hasWords(`errors.${fault}`) ? t(`errors.${fault}`) : problem.message;
}

function row(file) {
  return make(html`<li class="picked">
    <span class="picked-name"><bdi>${file.name}</bdi></span>
    <progress max="${file.size || 1}" value="0" aria-label="${t("files.progress", { name: file.name })}"></progress>
    <span class="picked-state small muted">${t("files.waiting")}</span>
    <button type="button" class="button button-small button-quiet" data-drop aria-label="${t("files.take_away", { name: file.name })}">${icon("close")}</button>
  </li>`);
}

class Picker {
  constructor(place) {
    this.place = place;
    this.list = place.querySelector("[data-picked]");
    this.input = place.querySelector("input[type=file]");
    this.queue = Promise.resolve();
    this.underWay = 0;
    place.closest("form")?.addEventListener("submit", (event) => this.hold(event), { capture: true });
    this.input.addEventListener("change", () => this.take([...this.input.files]));
    this.list.addEventListener("click", (event) => this.drop(event.target.closest("[data-drop]")));
    place.addEventListener("dragover", (event) => event.preventDefault());
    place.addEventListener("drop", (event) => {
      event.preventDefault();
      this.take([...event.dataTransfer.files]);
    });
  }

  take(files) {
    if (!this.input.multiple) this.list.replaceChildren();
    for (const file of this.input.multiple ? files : files.slice(0, 1)) {
      const item = row(file);
      item.giveUp = new AbortController();
      this.list.append(item);
      this.underWay += 1;
      this.queue = this.queue.then(() => this.upload(file, item)).finally(() => (this.underWay -= 1));
    }
    this.input.value = "";
  }

  // A form that is sent while files are on their way would leave them behind: it waits until they are there, or refused.
  hold(event) {
    if (this.underWay === 0) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    const { target: form, submitter } = event;
    if (form.isHeld) return;
    form.isHeld = true;
    say(t("files.waiting"));
    const refused = this.list.querySelectorAll(".field-error").length;
    this.queue.then(() => {
      form.isHeld = false;
      if (this.list.querySelectorAll(".field-error").length > refused) this.input.focus();
      else form.requestSubmit(submitter);
    });
  }

  async upload(file, item) {
    if (item.giveUp.signal.aborted) return;
    const [bar, state] = [item.querySelector("progress"), item.querySelector(".picked-state")];
    try {
      const stored = await uploadFile(file, {
        fields: this.place.dataset.course ? { course_id: this.place.dataset.course } : {},
        signal: item.giveUp.signal,
        onProgress: (bytes) => {
          bar.value = bytes;
          state.textContent = percent(Math.floor((100 * bytes) / (file.size || 1)));
        },
        onWait: () => {
          state.textContent = t("files.lost");
        },
      });
      bar.remove();
      state.textContent = t("files.done");
      const input = make(html`<input type="hidden" name="${this.place.dataset.name}" value="${stored.id}">`);
      if (this.place.dataset.kind) input.dataset.kind = this.place.dataset.kind;
      item.append(input);
      say(t("files.is_done", { name: file.name }));
      this.tell("uploaded", stored);
      this.tell("picked", null);
    } catch (problem) {
      if (problem.name === "AbortError") return;
      bar.remove();
      state.className = "picked-state field-error";
      state.textContent = wordsOf(problem);
      say(`${file.name}: ${state.textContent}`);
    }
  }

  drop(button) {
    const item = button?.closest(".picked");
    if (!item) return;
    item.giveUp?.abort();
    item.remove();
    this.input.focus();
    this.tell("picked", null);
  }

  tell(name, detail) {
    this.place.dispatchEvent(new CustomEvent(name, { bubbles: true, detail }));
  }
}

for (const place of document.querySelectorAll("[data-file-picker]")) new Picker(place);
