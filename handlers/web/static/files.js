// One's own files: what was just uploaded comes into the list at its head.

import "./file-picker.js";
import { icon, html, make } from "./html.js";
import { t } from "./i18n.js";

const place = document.querySelector("[data-file-picker]");

place?.addEventListener("uploaded", ({ detail: file }) => {
  const list = document.getElementById("file-list");
  if (!list || document.getElementById(file.id)) return;
  const isWaiting = file.status === "processing";
  list.prepend(
    make(html`<li class="file-row" id="${file.id}">
      <span class="file-sign">${icon("text")}</span>
      <div class="file-words stack stack-4">
        <h2 class="file-name"><a href="${file.file_url}" download><bdi>${file.original_filename}</bdi></a></h2>
        ${isWaiting ? html`<p class="small muted"><span class="tag" data-tone="hold">${icon("saving")}${t("files.processing")}</span></p>` : ""}
      </div>
    </li>`),
  );
});
