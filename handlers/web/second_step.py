"""The second step of signing in by forms that need no scripts. What a code opens is `services/second_step.py`'s."""

from __future__ import annotations

from pydantic import ValidationError

from handlers.web.accounts import EntrancePage
from lms_rt.contracts.mfa import CodeKind, MfaAnswer, MfaRequiredView
from lms_rt.errors import Code, FieldError, Refused

_KINDS: tuple[CodeKind, ...] = ("totp", "email", "recovery_code")
_OVER = frozenset({Code.INVALID_TOKEN, Code.TOKEN_EXPIRED})
_AGAIN = frozenset({Code.INVALID_CODE, Code.ACCOUNT_LOCKED, Code.RATE_LIMITED, Code.BUSY})
_MINUTE_SECONDS = 60


class SecondStepPage(EntrancePage):
    """/signin/code: only the answer of a form shows it, since its token stands nowhere else."""

    template, heading, scripts = "signin.html", "accounts.sign_in", ("shell.js",)
    limit = "sign_in"

    def get(self) -> None:
        """An address that somebody typed or reloaded: it begins with the password."""
        self.redirect("/signin" if self.actor.is_stranger else self._next_path(), status=303)

    async def post(self) -> None:
        """Take the code, send another, or ask for one of another kind."""
        act, required = self.field("act"), self._required()
        try:
            if act == "resend":
                await self.services.second_steps.send_again(required.challenge_token)
                self.ask_code(required, said=self.t("accounts.resent"))
            elif act in {"code", "recovery_code"}:
                self.ask_code(required, kind=act if act == "recovery_code" else "")
            else:
                await self._answer(required)
        except Refused as refused:
            self._show_refusal(required, refused)

    async def _answer(self, required: MfaRequiredView) -> None:
        try:
            draft = MfaAnswer(challenge_token=required.challenge_token, code=self.field("code"))
        except ValidationError:
            raise Refused(Code.INVALID_CODE) from None
        self._enter(await self.services.second_steps.enter(draft, self._device()))

    def _required(self) -> MfaRequiredView:
        """What the form carries along; the token alone is believed, and checked by whoever takes it."""
        method: CodeKind = "email" if self.field("method") == "email" else "totp"
        return MfaRequiredView(
            challenge_token=self.field("challenge")[:128], methods=[method, "recovery_code"], expires_in=0
        )

    def _show_refusal(self, required: MfaRequiredView, refused: Refused) -> None:
        if refused.code in _OVER:
            self._show_form({}, (FieldError("email", "", "challenge_over"),))
            return
        if refused.code not in _AGAIN:
            raise refused
        kind = self.field("kind")
        wait = -(-int(refused.data.get("retry_after_seconds", 0)) // _MINUTE_SECONDS)
        said = self.t("accounts.wait_minutes", count=wait) if wait else ""
        self.ask_code(required, kind=kind if kind in _KINDS else "", refused=refused, said=said)


PAGES = [(r"/signin/code", SecondStepPage)]
