// The editor of a lesson: how long a film or a sound lasts is read from it, so that 90 % of it can be watched; and a file says
// what kind of lesson it makes. Sending is sending.js's, choosing files file-picker.js's.

const KINDS = { video: "video", audio: "video", document: "document" };
const duration = document.getElementById("duration_minutes");
const kind = document.getElementById("content_type");
const address = document.getElementById("video_url");

/** How long what lies at an address of ours lasts, in minutes as the field has them; "" when that cannot be told. */
function minutesOf(path) {
  return new Promise((resolve) => {
    const player = document.createElement("video");
    player.preload = "metadata";
    player.muted = true;
    const tell = () => resolve(Number.isFinite(player.duration) ? String(Number((player.duration / 60).toFixed(2))) : "");
    player.addEventListener("loadedmetadata", tell, { once: true });
    player.addEventListener("error", () => resolve(""), { once: true });
    player.src = path;
  });
}

async function fillDuration(path) {
  const minutes = await minutesOf(path);
  if (minutes) duration.value = minutes;
}

document.querySelector('[data-file-picker][data-name="file_id"]')?.addEventListener("uploaded", ({ detail: file }) => {
  if (kind.value === "text" && KINDS[file.file_type]) kind.value = KINDS[file.file_type];
  if (KINDS[file.file_type] === "video") fillDuration(`${file.file_url}?disposition=inline`);
});
address?.addEventListener("change", () => {
  if (address.value.startsWith("/") && duration.value === "") fillDuration(address.value);
});

