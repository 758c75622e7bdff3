// The logo of a course's certificates: uploaded when it is chosen, named in the form that is saved. Not the form itself.

import { call } from "./api.js";
import { t } from "./i18n.js";
import { page } from "./page.js";

const UPLOAD_MS = 120000;

const picker = document.getElementById("logo");
const field = document.getElementById("logo_file_id");
const state = document.getElementById("logo-state");

picker.addEventListener("change", async () => {
  const [file] = picker.files;
  if (!file) return;
  state.textContent = t("certificates.uploading");
  try {
    const form = new FormData();
    form.set("course_id", page.data.course_id);
    form.set("file", file);
    const made = await call("POST", "/files/upload", form, { timeoutMs: UPLOAD_MS });
    field.value = made.id;
    state.textContent = t("certificates.logo_there");
  } catch (problem) {
    picker.value = "";
    state.textContent = problem.message;
  }
});

document.getElementById("no-logo")?.addEventListener("click", () => {
  field.value = "";
  picker.value = "";
  state.textContent = t("certificates.logo_gone");
});
