"""Switching the second step on and off, by forms that need no scripts. The rules are `services/mfa.py`'s.

A secret and the recovery codes stand in the one answer that they are made for: nothing shows them again.
"""

from __future__ import annotations

from base64 import b64encode
from typing import Any, ClassVar

from pydantic import ValidationError

from handlers.web.base import Screen
from handlers.web.security import PATH, SHEETS, OwnSecurityPage
from lms_rt.contracts.mfa import MfaConfirmation, MfaEnd, MfaRequest, TotpSetupView
from lms_rt.errors import Code, FieldError, Refused
from lms_rt.security.mfa import RECOVERY_CODES, recovery_hash

_GROUP = 4
_MAX_PASSWORD = 1024


class TwoStepsPage(OwnSecurityPage):
    """/me/security/two-steps: begun with the password."""

    limit: ClassVar[str] = "auth"

    async def post(self) -> None:
        """Show the secret of an app, or say that a code is on its way."""
        method = "totp" if self.field("method") == "totp" else "email"
        password = self.field("setup_password")[:_MAX_PASSWORD]
        try:
            draft = MfaRequest.model_validate({"password": password, "method": method})
            setup = await self.services.mfa.request(self.actor, draft, self.device())
        except Refused as refused:
            await self.refuse(refused, "setup_password")
        else:
            self.ask_first_code(setup if isinstance(setup, TotpSetupView) else None, method=method)

    async def refuse(self, refused: Refused, field: str) -> None:
        """The whole page again; who switched it on or off in another tab meanwhile sees how it stands now."""
        if refused.code is Code.CONFLICT:
            self.redirect(PATH, status=303)
        else:
            await self.show_overview(faults=self._named(self.faults_of(refused, field)))

    def ask_first_code(self, setup: TotpSetupView | None, *, method: str, faults: tuple[FieldError, ...] = ()) -> None:
        """The form of the first code. After a wrong one it comes without the secret, which the app has by now."""
        title = self.t("security.set_up")
        self.show(
            Screen("security_setup.html", title=(self.titled(title, faults),), sheets=SHEETS),
            heading=title,
            method=method,
            setup=_shown(setup),
            errors=self.rows_of(faults),
        )

    @staticmethod
    def _named(faults: tuple[FieldError, ...]) -> tuple[FieldError, ...]:
        """Of codes by mail, too many means one a minute."""
        limited = Code.RATE_LIMITED.code
        return tuple(
            FieldError(fault.field, fault.message, "code_rate_limited" if fault.code == limited else fault.code)
            for fault in faults
        )


class ConfirmPage(TwoStepsPage):
    """/me/security/two-steps/confirm."""

    async def post(self) -> None:
        """Switch it on and show the recovery codes, this once."""
        try:
            code = MfaConfirmation(code=self.field("code")).code
            made = await self.services.mfa.confirm(self.actor, code)
        except ValidationError:
            self._ask_again()
        except Refused as refused:
            if refused.code is Code.INVALID_CODE:
                self._ask_again()
            else:
                await self.refuse(refused, "setup_password")
        else:
            title = self.t("security.codes")
            screen = Screen("security_codes.html", title=(title,), sheets=SHEETS, scripts=("shell.js", "codes.js"))
            self.show(screen, heading=title, codes=made.recovery_codes)

    def _ask_again(self) -> None:
        self.set_status(422)
        method = "totp" if self.field("method") == "totp" else "email"
        self.ask_first_code(None, method=method, faults=(FieldError("code", "", Code.INVALID_CODE.code),))


class CodesFilePage(OwnSecurityPage):
    """/me/security/two-steps/codes: the codes as a file, made of what the page that shows them sends back.

    They are kept nowhere as they read, so nobody else can ask for them, nor the same person later.
    """

    async def post(self) -> None:
        """The file. What does not read like recovery codes is not put into one."""
        codes = self.get_body_arguments("codes")[: RECOVERY_CODES + 1]
        if not 0 < len(codes) <= RECOVERY_CODES or not all(_reads_as_code(code) for code in codes):
            raise Refused(Code.NOT_FOUND)
        user = await self.services.accounts.me(self.actor)
        lines = (
            self.services.settings.project_name,
            self.t("security.codes_file", name=user.email),
            self.t("security.codes_file_words"),
            "",
            *codes,
        )
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.set_header("Content-Disposition", 'attachment; filename="recovery-codes.txt"')
        self.finish("\r\n".join(lines) + "\r\n")


class SwitchOffPage(TwoStepsPage):
    """/me/security/two-steps/off: password and code. Where codes come by mail, one is sent first."""

    async def post(self) -> None:
        """Switch it off, or send the code that this needs and ask for it."""
        code = self.field("off_code").strip()[:100]
        try:
            draft = MfaEnd(password=self.field("off_password")[:_MAX_PASSWORD], code=code or None)
            mailed = await self.services.mfa.disable(self.actor, draft, self.device())
        except Refused as refused:
            if refused.code is not Code.INVALID_CODE:
                await self.refuse(refused, "off_password")
                return
            self.set_status(422)
            await self.show_overview(faults=(FieldError("off_code", "", Code.INVALID_CODE.code),))
        else:
            if mailed is None:
                self.redirect(f"{PATH}?done=off", status=303)
            else:
                await self.show_overview(done="code_sent")


def _reads_as_code(text: str) -> bool:
    return text.isascii() and text.replace("-", "").isalnum() and recovery_hash(text) is not None


def _shown(setup: TotpSetupView | None) -> dict[str, Any] | None:
    if setup is None:
        return None
    secret = setup.secret
    return {
        "picture": "data:image/svg+xml;base64," + b64encode(setup.qr_svg.encode()).decode(),
        "secret": " ".join(secret[start : start + _GROUP] for start in range(0, len(secret), _GROUP)),
        "uri": setup.otpauth_uri,
    }


PAGES = [
    (r"/me/security/two-steps", TwoStepsPage),
    (r"/me/security/two-steps/confirm", ConfirmPage),
    (r"/me/security/two-steps/codes", CodesFilePage),
    (r"/me/security/two-steps/off", SwitchOffPage),
]
