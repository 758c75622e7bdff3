// What differs by type in the editor of a question: rows of options, accepted answers, pairs. Each part can `draw` the
// stored question, `read` {options, correct_answer, partial_credit}, and say what is `shown` in the preview.

import { Problem } from "./api.js";
import { westernDigits } from "./forms.js";
import { fill, html, make } from "./html.js";
import { t } from "./i18n.js";
import { nextId, plain, rowList, rowsOf, textInput, valueOf } from "./question-rows.js";
import { rubricPart } from "./question-rubric.js";

/** Options keep their ids and weights, so that answers given before still mean the same. */
function optionsOf(place) {
  return rowsOf(place).map((row, index) => {
    const option = { id: row.querySelector("[data-id]").dataset.id || `o${index + 1}-${Math.random().toString(36).slice(2, 8)}`, text: valueOf(row, "text") };
    row.querySelector("[data-id]").dataset.id = option.id;
    const [weight, feedback] = [valueOf(row, "weight"), valueOf(row, "feedback")];
    if (weight) option.weight = westernDigits(weight);
    if (feedback) option.feedback = feedback;
    return option;
  });
}

const nothing = { list: [], left: [], right: [] };
const texts = (place) => ({ ...nothing, list: rowsOf(place).map((row) => valueOf(row, "text")) });

/** Part of the points for part of the answer: of pairs and sequences that is the rule, unless an author says otherwise. */
function addPartial(place, isChecked) {
  place.append(make(html`<label class="tick"><input type="checkbox" id="partial"${isChecked ? html` checked` : ""}>${t("question.partial")}</label>`));
}

const isPartial = (place) => place.querySelector("#partial").checked;

function noKey() {
  return new Problem({ code: "validation_failed", errors: [{ field: "correct_answer", code: "no_right_option", message: "" }] }, 422);
}

// ----------------------------------------------------------------- parts

const MARKS = {
  multiple_choice: { input: "radio", isRight: (key, id) => id !== undefined && key?.option_id === id },
  multiple_select: { input: "checkbox", isRight: (key, id) => key?.option_ids?.includes(id) ?? false },
};

function choicePart(type) {
  const mark = MARKS[type];
  const name = nextId();
  return {
    draw(place, stored) {
      const items = stored ? stored.options : [{}, {}, {}, {}];
      const rowOf = (option) => html`<label class="tick" data-id="${option.id ?? ""}"><input type="${mark.input}" name="${name}" data-right${mark.isRight(stored?.correct_answer, option.id) ? html` checked` : ""} data-label="question.right_option"><span class="option-letter" data-letter aria-hidden="true"></span></label>
        <span class="edit-fields">${textInput("text", "question.option_text", option.text)}${textInput("feedback", "question.option_feedback", option.feedback)}${textInput("weight", "question.option_weight", plain(option.weight), { wide: false, direction: "ltr", mode: "decimal" })}</span>`;
      rowList(place, { legend: t("question.options"), hint: t(`question.hint_${type}`), items, rowOf, least: 2, addWords: t("question.add_option") });
      if (type === "multiple_select") {
        addPartial(place, stored?.partial_credit);
      }
    },
    read(place) {
      const options = optionsOf(place);
      const right = rowsOf(place).flatMap((row, index) => (row.querySelector("[data-right]").checked ? [options[index].id] : []));
      const hasShares = options.some((option) => Number(option.weight) > 0);
      if (!right.length && !hasShares) throw noKey();
      if (type === "multiple_choice") return { options, correct_answer: right.length ? { option_id: right[0] } : null };
      return { options, correct_answer: { option_ids: right }, partial_credit: isPartial(place) };
    },
    shown: texts,
  };
}

const truthPart = {
  draw(place, stored) {
    const value = stored?.correct_answer?.value ?? true;
    const key = stored?.correct_answer ?? {};
    const remark = (name) => html`<div class="field"><label for="${name}">${t(`question.${name}`)}</label><input class="input" id="${name}" dir="auto" value="${key[name] ?? ""}"></div>`;
    const choice = (truth) => html`<label class="option"><input type="radio" name="truth" value="${truth}"${value === truth ? html` checked` : ""}><span class="option-text">${t(truth ? "question.true" : "question.false")}</span></label>`;
    fill(place, html`<fieldset class="options"><legend class="label">${t("question.right_answer")}</legend>${choice(true)}${choice(false)}</fieldset>${remark("feedback_true")}${remark("feedback_false")}`);
  },
  read(place) {
    const value = place.querySelector("input:checked").value === "true";
    const remark = (name) => place.querySelector(`#${name}`).value.trim() || null;
    return { correct_answer: { value, feedback_true: remark("feedback_true"), feedback_false: remark("feedback_false") } };
  },
  shown: () => ({ ...nothing, list: [t("question.true"), t("question.false")] }),
};

const shortPart = {
  draw(place, stored) {
    const key = stored?.correct_answer ?? { accepted: [{}], ignore_case: true, fold_arabic: true };
    const rowOf = (row) => html`<span class="edit-fields" data-wildcard="${row.is_wildcard ? "yes" : ""}">${textInput("text", "question.accepted_text", row.text)}${textInput("feedback", "question.option_feedback", row.feedback)}${textInput("weight", "question.option_weight", plain(row.weight ?? "100"), { wide: false, direction: "ltr", mode: "decimal" })}</span>`;
    rowList(place, { legend: t("question.accepted"), hint: t("question.hint_short_answer"), items: key.accepted.length ? key.accepted : [{}], rowOf, least: 1, addWords: t("question.add_accepted") });
    place.append(
      make(html`<div class="row"><label class="tick"><input type="checkbox" id="ignore-case"${key.ignore_case ? html` checked` : ""}>${t("question.ignore_case")}</label>
        <label class="tick"><input type="checkbox" id="fold-arabic"${key.fold_arabic ? html` checked` : ""}>${t("question.fold_arabic")}</label></div>`),
      make(html`<div class="field"><label for="pattern">${t("question.pattern")}</label><p class="hint" id="pattern-hint">${t("question.pattern_hint")}</p><input class="input" id="pattern" dir="ltr" value="${key.pattern ?? ""}" aria-describedby="pattern-hint"></div>`),
    );
  },
  read(place) {
    const accepted = rowsOf(place)
      .map((row) => ({
        text: valueOf(row, "text"),
        weight: westernDigits(valueOf(row, "weight") || "100"),
        feedback: valueOf(row, "feedback") || null,
        is_wildcard: row.querySelector("[data-wildcard]").dataset.wildcard === "yes",
      }))
      .filter((row) => row.text);
    return {
      correct_answer: {
        accepted,
        ignore_case: place.querySelector("#ignore-case").checked,
        fold_arabic: place.querySelector("#fold-arabic").checked,
        pattern: place.querySelector("#pattern").value || null,
      },
    };
  },
  shown: () => nothing,
};

const TOLERANCES = ["absolute", "relative", "significant_figures"];

const numericPart = {
  draw(place, stored) {
    const key = stored?.correct_answer ?? {};
    const items = key.accepted ?? [{ value: key.value, tolerance: key.tolerance, tolerance_type: key.tolerance_type }];
    const rowOf = (row) => html`<span class="edit-fields">${textInput("value", "question.accepted_value", row.value, { direction: "ltr", mode: "decimal" })}${textInput("tolerance", "question.tolerance", plain(row.tolerance), { wide: false, direction: "ltr", mode: "decimal" })}
      <select class="input" data-name="tolerance_type" data-label="question.tolerance_type">${TOLERANCES.map((name) => html`<option value="${name}"${row.tolerance_type === name ? html` selected` : ""}>${t(`question.tolerance_${name}`)}</option>`)}</select>${textInput("feedback", "question.option_feedback", row.feedback)}${textInput("weight", "question.option_weight", plain(row.weight ?? "100"), { wide: false, direction: "ltr", mode: "decimal" })}</span>`;
    rowList(place, { legend: t("question.accepted_numbers"), hint: t("question.hint_numeric"), items, rowOf, least: 1, addWords: t("question.add_accepted") });
    place.append(make(html`<div class="field"><label for="otherwise">${t("question.feedback_otherwise")}</label><input class="input" id="otherwise" dir="auto" value="${key.feedback_otherwise ?? ""}"></div>`));
  },
  read(place) {
    const accepted = rowsOf(place).map((row) => ({
      value: westernDigits(valueOf(row, "value")),
      tolerance: westernDigits(valueOf(row, "tolerance") || "0"),
      tolerance_type: valueOf(row, "tolerance_type"),
      weight: westernDigits(valueOf(row, "weight") || "100"),
      feedback: valueOf(row, "feedback") || null,
    }));
    const otherwise = place.querySelector("#otherwise").value.trim();
    return { correct_answer: { accepted, ...(otherwise ? { feedback_otherwise: otherwise } : {}) } };
  },
  shown: () => nothing,
};

const matchingPart = {
  draw(place, stored) {
    const right = new Map((stored?.options.right ?? []).map((item) => [item.id, item]));
    const pairs = stored?.correct_answer?.pairs ?? {};
    const items = (stored?.options.left ?? [{}, {}, {}]).map((item) => ({ left: item, right: right.get(pairs[item.id]) ?? {} }));
    const used = new Set(Object.values(pairs));
    const rest = [...right.values()].filter((item) => !used.has(item.id)).map((item) => ({ left: {}, right: item }));
    const rowOf = ({ left = {}, right: other = {} }) => html`<span class="edit-fields edit-pair" data-left="${left.id ?? ""}" data-right-id="${other.id ?? ""}">${textInput("left", "question.pair_left", left.text)}${textInput("right", "question.pair_right", other.text)}</span>`;
    rowList(place, { legend: t("question.pairs"), hint: t("question.hint_matching"), items: [...items, ...rest], rowOf, least: 2, addWords: t("question.add_pair") });
    addPartial(place, stored?.partial_credit ?? true);
  },
  read(place) {
    const options = { left: [], right: [] };
    const pairs = {};
    const rights = new Map();
    rowsOf(place).forEach((row, index) => {
      const ids = row.querySelector(".edit-pair").dataset;
      const [left, right] = [valueOf(row, "left"), valueOf(row, "right")];
      if (right && !rights.has(right)) {
        const id = ids.rightId || `r${index + 1}-${Math.random().toString(36).slice(2, 8)}`;
        rights.set(right, id);
        options.right.push({ id, text: right });
      }
      if (!left) return;
      const leftId = ids.left || `l${index + 1}-${Math.random().toString(36).slice(2, 8)}`;
      options.left.push({ id: leftId, text: left });
      if (right) pairs[leftId] = rights.get(right);
    });
    return { options, correct_answer: { pairs }, partial_credit: isPartial(place) };
  },
  shown: (place) => ({ list: [], left: rowsOf(place).map((row) => valueOf(row, "left")).filter(Boolean), right: rowsOf(place).map((row) => valueOf(row, "right")) }),
};

const orderingPart = {
  draw(place, stored) {
    const byId = new Map((stored?.options ?? []).map((option) => [option.id, option]));
    const items = stored ? stored.correct_answer.sequence.map((id) => byId.get(id)) : [{}, {}, {}];
    const rowOf = (option) => html`<span class="edit-fields" data-id="${option.id ?? ""}">${textInput("text", "question.option_text", option.text)}</span>`;
    rowList(place, { legend: t("question.sequence"), hint: t("question.hint_ordering"), items, rowOf, least: 2, addWords: t("question.add_option") });
    addPartial(place, stored?.partial_credit ?? true);
  },
  read(place) {
    const options = optionsOf(place);
    return { options, correct_answer: { sequence: options.map((option) => option.id) }, partial_credit: isPartial(place) };
  },
  shown: texts,
};

const emptyPart = { draw() {}, read: () => ({}), shown: () => nothing };

/** The part of a type. */
export function partOf(type) {
  if (type in MARKS) return choicePart(type);
  const parts = { true_false: truthPart, short_answer: shortPart, numeric: numericPart, matching: matchingPart, ordering: orderingPart, essay: rubricPart };
  return parts[type] ?? emptyPart;
}
