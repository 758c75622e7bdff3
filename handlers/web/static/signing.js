// Signing in without leaving the page: the forms of the dialog that opens when a session has ended, the password's and the
// second step's. Not the sign-in page, which works without scripts.

import { post } from "./api.js";
import { enhance, showProblem } from "./forms.js";
import { fill, html } from "./html.js";
import { t } from "./i18n.js";
import { say } from "./say.js";

/** Put a sign-in form into `place`; `onDone(reply)` once the cookies are set. */
export function signInForm(place, onDone) {
  fill(
    place,
    html`<form class="stack" data-method="POST" data-path="/auth/login-cookie">
      <div class="field"><label for="again-email">${t("client.email")}</label>
        <input class="input" id="again-email" name="email" type="email" autocomplete="username" dir="ltr" required></div>
      <div class="field"><label for="again-password">${t("client.password")}</label>
        <input class="input" id="again-password" name="password" type="password" autocomplete="current-password" dir="ltr" required></div>
      <p><a class="alone" href="/forgot" target="_blank" rel="noopener">${t("client.forgot")}</a></p>
      <div class="dialog-actions"><button type="submit" class="button button-main">${t("client.sign_in")}</button></div>
    </form>`,
  );
  enhance(place.querySelector("form"), (reply) => (reply.mfa_required ? codeForm(place, reply, onDone) : onDone(reply)));
}

/** The second step, in place of the first: any code that the account has, an app's, the mail's, or a recovery code. */
function codeForm(place, required, onDone) {
  const isMailed = required.methods.includes("email");
  fill(
    place,
    html`<form class="stack" data-method="POST" data-path="/auth/login-cookie/mfa">
      <input type="hidden" name="challenge_token" value="${required.challenge_token}">
      <div class="field"><label for="again-code">${t("client.code")}</label>
        <p class="hint" id="again-code-hint">${t(isMailed ? "client.code_email_hint" : "client.code_totp_hint")}</p>
        <input class="input input-medium" id="again-code" name="code" autocomplete="one-time-code" dir="ltr" aria-describedby="again-code-hint" required></div>
      <div class="dialog-actions">
        <button type="button" class="button button-quiet" data-begin>${t("client.begin_again")}</button>
        ${isMailed && html`<button type="button" class="button button-quiet" data-resend>${t("client.resend")}</button>`}
        <button type="submit" class="button button-main">${t("client.sign_in")}</button></div>
    </form>`,
  );
  const form = place.querySelector("form");
  enhance(form, onDone);
  form.querySelector("[data-begin]").addEventListener("click", () => {
    signInForm(place, onDone);
    place.querySelector("#again-email").focus();
  });
  form.querySelector("[data-resend]")?.addEventListener("click", async () => {
    try {
      await post("/auth/login/mfa/resend", { challenge_token: required.challenge_token });
      form.querySelector("#again-code-hint").textContent = t("client.resent");
      say(t("client.resent"));
    } catch (problem) {
      showProblem(form, problem);
    }
  });
  form.querySelector("#again-code").focus();
}
