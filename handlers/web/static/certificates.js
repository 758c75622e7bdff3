// One's certificates while they are looked at: what comes, or changes, waits behind a line.

import { read } from "./api.js";
import { fill, html } from "./html.js";
import { t } from "./i18n.js";
import { on, whenMissed } from "./line.js";
import { page } from "./page.js";
import { banner } from "./states.js";

const place = document.getElementById("new-certificates");

function tell(name) {
  return (data) => {
    const words = t(`certificates.${name}`, { number: data.certificate_number });
    fill(place, banner("info", html`<p>${words} <a href="${location.pathname}">${t("certificates.show")}</a></p>`));
    place.hidden = false;
  };
}

on("certificate_issued", tell("came"));
on("certificate_revoked", tell("went"));
on("certificate_replaced", tell("went"));

/** What came, or changed, before the line stood, or while it was lost. */
whenMissed(async () => {
  const { items } = await read(`/certificates?page=${page.data.page}`, { isQuiet: true });
  const other = items.find((one) => document.getElementById(one.id)?.dataset.status !== one.status);
  if (other) tell(other.status === "valid" ? "came" : "went")(other);
});
