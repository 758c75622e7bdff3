// The rubric of an essay: criteria as rows, the levels of each as lines, "4 Excellent". Ids stay with their titles, so that
// marks that were given before still mean the same.

import { westernDigits } from "./forms.js";
import { html } from "./html.js";
import { t } from "./i18n.js";
import { plain, rowList, rowsOf, textInput, valueOf } from "./question-rows.js";

const LEVEL = /^([\d٠-٩۰-۹]+(?:[.,٫][\d٠-٩۰-۹]+)?)\s+(.+)$/;

const knownOf = new WeakMap(); // what each place was drawn of
const lineOf = (level) => `${plain(level.points)} ${level.title}`;
const idsByTitle = (rows) => new Map((rows ?? []).map((row) => [row.title, row]));

function levelOf(line, known) {
  const [, points = "0", title = line] = LEVEL.exec(line) ?? [];
  const before = known.get(title);
  const { id, description } = before ?? {};
  return { title, points: westernDigits(points).replace(/[٫,]/, "."), ...(id ? { id } : {}), ...(description ? { description } : {}) };
}

export const rubricPart = {
  draw(place, stored) {
    knownOf.set(place, idsByTitle(stored?.rubric?.criteria));
    const rowOf = (criterion) => html`<span class="edit-fields">${textInput("criterion", "question.criterion", criterion.title)}${textInput("described", "question.criterion_described", criterion.description)}
      <textarea class="input" rows="3" data-name="levels" data-label="question.levels" dir="auto" placeholder="${t("question.place_levels")}">${(criterion.levels ?? []).map(lineOf).join("\n")}</textarea></span>`;
    rowList(place, { legend: t("question.rubric"), hint: t("question.hint_rubric"), items: stored?.rubric?.criteria ?? [], rowOf, least: 0, addWords: t("question.add_criterion") });
  },
  read(place) {
    const criteria = rowsOf(place)
      .map((row) => {
        const title = valueOf(row, "criterion");
        const before = knownOf.get(place).get(title);
        const lines = valueOf(row, "levels").split("\n").map((line) => line.trim()).filter(Boolean);
        const known = idsByTitle(before?.levels);
        return { title, description: valueOf(row, "described") || null, levels: lines.map((line) => levelOf(line, known)), ...(before ? { id: before.id } : {}) };
      })
      .filter((row) => row.title || row.levels.length);
    return { rubric: criteria.length ? { criteria } : null };
  },
  shown: () => ({ list: [], left: [], right: [] }),
};
