// The school in figures, asked again every ten seconds while somebody looks.

import { QUIET, age, at, keepAsking, set, showCheck, showFigures } from "./admin-figures.js";
import { read } from "./api.js";
import { fill, html } from "./html.js";
import { moment, number, size, t } from "./i18n.js";
import { page } from "./page.js";
import { tag } from "./states.js";

const SHAPES = {
  storage_bytes: (bytes) => (bytes === null ? t("stats.unknown") : size(bytes)),
  uptime_seconds: (seconds) => age(Math.max(seconds, 60)),
};

/** {a: {b: 1}} → {"a.b": 1}: figures by the names of their places. */
function flat(stats) {
  const inner = ["users_by_role", "queue_lengths"].flatMap((group) =>
    Object.entries(stats[group]).map(([name, value]) => [`${group}.${name}`, value]),
  );
  return { ...stats, ...Object.fromEntries(inner) };
}

function nodeRow(node, own) {
  return html`<tr>
    <th scope="row"><span class="stack stack-4"><span><bdi dir="ltr">${node.host} · ${node.pid}</bdi>${node.id === own ? html` ${tag(t("stats.this_node"))}` : ""}</span><bdi class="small muted" dir="ltr">${node.id}</bdi></span></th>
    <td class="number" data-label="${t("stats.open")}">${number(node.connections)}</td>
    <td data-label="${t("stats.since")}"><time datetime="${node.started_at}">${moment(node.started_at)}</time></td>
    <td data-label="${t("stats.seen")}"><time datetime="${node.seen_at}" dir="ltr">${moment(node.seen_at, "time")}</time></td>
    <td data-label="${t("stats.version")}"><bdi dir="ltr">${node.version}</bdi></td>
  </tr>`;
}

async function refresh() {
  let stats;
  try {
    stats = await read("/admin/stats", QUIET);
  } catch {
    at("as-of").dataset.kind = "stale";
    return;
  }
  showFigures(flat(stats), SHAPES);
  for (const name of ["database", "redis"]) showCheck(name, stats[name]);
  fill(at("node-rows"), html`${stats.nodes.map((node) => nodeRow(node, stats.node))}`);
  set(at("counted-at"), moment(stats.counted_at, "time"));
  at("as-of").dataset.kind = "fresh";
  const here = stats.nodes.find((node) => node.id === stats.node);
  set(at("as-of-time"), moment(here?.seen_at ?? stats.counted_at, "time-seconds"));
}

keepAsking(refresh);
