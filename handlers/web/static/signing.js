// Signing in without leaving the page: the form of the dialog that opens when a session has ended. Not the sign-in page,
// which works without scripts.

import { enhance } from "./forms.js";
import { fill, html } from "./html.js";
import { t } from "./i18n.js";

/** Put a sign-in form into `place`; `onDone(reply)` once the cookies are set. */
export function signInForm(place, onDone) {
  fill(
    place,
    html`<form class="stack" data-method="POST" data-path="/auth/login-cookie">
      <div class="field"><label for="again-email">${t("client.email")}</label>
        <input class="input" id="again-email" name="email" type="email" autocomplete="username" dir="ltr" required></div>
      <div class="field"><label for="again-password">${t("client.password")}</label>
        <input class="input" id="again-password" name="password" type="password" autocomplete="current-password" dir="ltr" required></div>
      <div class="dialog-actions"><button type="submit" class="button button-main">${t("client.sign_in")}</button></div>
    </form>`,
  );
  enhance(place.querySelector("form"), onDone);
}
