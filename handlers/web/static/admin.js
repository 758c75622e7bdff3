// How the school stands, asked again every ten seconds while somebody looks: figures change in place, nothing is spoken.
// Without a line what is shown stays, and says of when it is.

import { QUIET, age, at, keepAsking, set, showCheck, stateTag } from "./admin-figures.js";
import { read } from "./api.js";
import { fill, html } from "./html.js";
import { hasWords, moment, number, t } from "./i18n.js";
import { tag } from "./states.js";

function showQueues(shown) {
  for (const queue of shown.queues) {
    const row = document.querySelector(`tr[data-queue="${queue.queue}"]`);
    for (const place of row?.querySelectorAll("[data-figure]") ?? []) {
      const name = place.dataset.figure;
      set(place, name === "oldest" ? age(queue.oldest_seconds) : number(queue[name]));
    }
  }
  at("as-of").dataset.kind = "fresh";
  set(at("as-of-time"), moment(shown.as_of, "time-seconds"));
}

function queueWords(name) {
  const key = `admin.queue_${name}`;
  return hasWords(key) ? t(key) : name;
}

function workerRow(worker) {
  const state = worker.is_silent ? tag(t("admin.silent"), "bad", "lost") : tag(t("admin.working"), "ok", "live");
  const figures = ["running", "done", "failed"].map(
    (name) => html`<td class="number" data-label="${t(`admin.${name}`)}">${number(worker[name])}</td>`,
  );
  return html`<tr>
    <th scope="row"><span class="stack stack-4"><bdi dir="ltr">${worker.host} · ${worker.pid}</bdi><bdi class="small muted" dir="ltr">${worker.version}</bdi></span></th>
    <td data-label="${t("admin.worker_state")}">${state}</td>
    <td data-label="${t("admin.worker_queues")}">${worker.queues.map(queueWords).join(t("admin.comma"))}</td>
    ${figures}
    <td data-label="${t("admin.since")}"><time datetime="${worker.started_at}">${moment(worker.started_at)}</time></td>
  </tr>`;
}

function showWorkers(listed) {
  fill(at("worker-rows"), html`${listed.items.map(workerRow)}`);
  at("worker-table").hidden = listed.items.length === 0;
  at("no-workers").hidden = listed.items.length > 0;
}

function showChecks(ready) {
  for (const [name, check] of Object.entries(ready.checks)) showCheck(name, check);
  fill(at("status"), stateTag("status", ready.status));
}

/** A node that is down answers 503 with the same view. */
async function readiness() {
  try {
    return await read("/ready", QUIET);
  } catch (problem) {
    if (problem.data?.checks) return problem.data;
    throw problem;
  }
}

async function refresh() {
  const [ready, queues, workers] = await Promise.allSettled([
    readiness(),
    read("/admin/tasks", QUIET),
    read("/admin/tasks/workers?page_size=100", QUIET),
  ]);
  if (ready.status === "fulfilled") showChecks(ready.value);
  if (workers.status === "fulfilled") showWorkers(workers.value);
  if (queues.status === "fulfilled") showQueues(queues.value);
  else at("as-of").dataset.kind = "stale";
}

keepAsking(refresh);
