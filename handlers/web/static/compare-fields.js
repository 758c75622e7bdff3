// The fields of a form that two have changed, one by one: how each is compared, what is said of it, how what is stored is taken.
// When that is asked, and what is shown, is compare.js's.

import { valuesOf } from "./forms.js";
import { moment, t } from "./i18n.js";

const controlsOf = (form, name) => [...form.elements].filter((one) => one.name === name);

const pickerOf = (form, name) => form.querySelector(`[data-file-picker][data-name="${name}"]`);

/** Names of what somebody can fill in, or choose by what stands beside it. */
function ownNames(form) {
  const isSeen = (one) => one.type !== "hidden" || pickerOf(form, one.name) || one.closest(".field");
  const own = [...form.elements].filter((one) => one.name && !one.closest("[data-apart]") && isSeen(one));
  return [...new Set(own.map((one) => one.name))];
}

/** What a value comes to: 60 and 60.00 are one, and so are ticks in whatever order. */
function plain(value, kind) {
  if (kind === "decimal" && value !== null) return String(Number(value));
  if (kind === "member") return JSON.stringify([...value].sort());
  return JSON.stringify(typeof value === "string" ? value.trim() : value);
}

/** {name: its value, as a text to compare}. Not what lies in [data-apart]. */
export function stateOf(form) {
  const values = valuesOf(form);
  return Object.fromEntries(ownNames(form).map((name) => [name, plain(values[name], controlsOf(form, name)[0].dataset.kind)]));
}

// ----------------------------------------------------------------- kinds of fields

/* Each: what it is called, its control, the block that it stands in, the words of what is stored, and taking that over. */

const wordsIn = (element) => element?.textContent.replace(/\s+/g, " ").trim() ?? "";

function copied(element) {
  return document.importNode(element, true);
}

function filesField(picker, theirs) {
  const files = theirs.querySelector("[data-picked]");
  return {
    label: wordsIn(picker.querySelector("label")),
    control: () => picker.querySelector("input[type=file]"),
    holder: picker,
    words: [...files.querySelectorAll(".picked-name")].map(wordsIn).join("\n"),
    take() {
      picker.querySelector("[data-picked]").replaceChildren(...[...files.children].map(copied));
    },
  };
}

/** Several ticks of one name, or one choice among several. */
function ticksField(mine, theirs) {
  const isOn = new Map(theirs.map((one) => [one.value, one.checked]));
  const holder = mine[0].closest("fieldset");
  return {
    label: wordsIn(holder.querySelector("legend")),
    control: () => mine[0],
    holder,
    words: theirs.filter((one) => one.checked).map((one) => wordsIn(one.closest("label"))).join("\n"),
    take() {
      const known = new Set(mine.map((one) => one.value));
      const more = theirs.filter((one) => !known.has(one.value)).map((one) => copied(one.closest("label")));
      mine.at(-1).closest("label").after(...more);
      for (const one of mine) one.checked = isOn.get(one.value) ?? false;
    },
  };
}

function tickField(mine, theirs) {
  return {
    label: wordsIn(mine.closest("label")),
    control: () => mine,
    after: mine.closest("label"),
    words: t(theirs.checked ? "compare.on" : "compare.off"),
    take() {
      mine.checked = theirs.checked;
    },
  };
}

/** A value that nobody sees: its field has a line, [data-said], that says it. */
function hiddenField(mine, theirs) {
  const holder = mine.closest(".field");
  const said = wordsIn(theirs.closest(".field").querySelector("[data-said]"));
  return {
    label: wordsIn(holder.querySelector("label")),
    control: () => holder.querySelector("input:not([type=hidden])"),
    holder,
    words: said,
    take() {
      mine.value = theirs.value;
      holder.querySelector("[data-said]").textContent = said;
    },
  };
}

function selectField(mine, theirs) {
  const chosen = theirs.selectedOptions[0];
  return {
    ...lineField(mine, theirs),
    words: wordsIn(chosen),
    take() {
      if (![...mine.options].some((one) => one.value === chosen.value)) mine.append(copied(chosen));
      mine.value = chosen.value;
    },
  };
}

function lineField(mine, theirs) {
  const isMoment = theirs.type === "datetime-local" && theirs.value;
  return {
    label: wordsIn(mine.labels[0]),
    control: () => mine,
    holder: mine.closest(".field"),
    words: isMoment ? moment(theirs.value) : theirs.value,
    direction: mine.dir === "ltr" ? "ltr" : "auto",
    take() {
      mine.value = theirs.value;
    },
  };
}

function fieldOf(form, fresh, name) {
  const [mine, theirs] = [form, fresh].map((one) => controlsOf(one, name));
  const [first] = mine;
  const [picker, theirPicker] = [form, fresh].map((one) => pickerOf(one, name));
  if (picker) return filesField(picker, theirPicker);
  if (first.type === "radio" || first.dataset.kind === "member") return ticksField(mine, theirs);
  if (first.type === "checkbox") return tickField(first, theirs[0]);
  if (first.type === "hidden") return hiddenField(first, theirs[0]);
  return first.localName === "select" ? selectField(first, theirs[0]) : lineField(first, theirs[0]);
}

/** What one of question-parts.js reads from its place, as a text to compare, also while it is not right yet. */
export function partSaid(part, place) {
  try {
    return JSON.stringify(part.read(place));
  } catch {
    return JSON.stringify([...place.querySelectorAll("input, select, textarea")].map((one) => [one.checked, one.value]));
  }
}

const isTick = (control) => control.type === "checkbox" || control.type === "radio";

function lineOf(control) {
  const label = control.getAttribute("aria-label") ?? wordsIn(control.closest("label") ?? control.closest(".field").querySelector("label"));
  if (isTick(control)) return control.checked ? label : "";
  const value = control.localName === "select" ? wordsIn(control.selectedOptions[0]) : control.value.trim();
  return value && `${label}: ${value}`;
}

/** All that a part holds: a line for each control that holds something, what is ticked of a row after the rest of it. */
function partWords(place) {
  const units = new Map();
  for (const one of place.querySelectorAll("input, select, textarea")) {
    const row = one.closest("li") ?? one;
    units.set(row, [...(units.get(row) ?? []), one]);
  }
  const ordered = [...units.values()].flatMap((row) => [...row.filter((one) => !isTick(one)), ...row.filter(isTick)]);
  return ordered.map(lineOf).filter(Boolean).join("\n");
}

/** A part of a form that is drawn from JSON, as one field. `stored` is what is there now, `base` what `partSaid` gave first. */
export function partField(part, place, stored) {
  const theirs = document.createElement("div");
  part.draw(theirs, stored);
  return {
    theirs: partSaid(part, theirs),
    mine: partSaid(part, place),
    of: {
      label: wordsIn(place.querySelector("legend")),
      control: () => place.querySelector("input, select, textarea, button"),
      after: place,
      words: partWords(theirs),
      take: () => part.draw(place, stored),
    },
  };
}

/** The fields that both forms have, and how each stands: `base` as both began, `mine`, `theirs`. */
export function fieldsOf(form, fresh, base) {
  const [mine, theirs] = [stateOf(form), stateOf(fresh)];
  const shared = Object.keys(mine).filter((name) => name in theirs);
  return shared.map((name) => ({ name, base: base[name], mine: mine[name], theirs: theirs[name], of: fieldOf(form, fresh, name) }));
}
