"""Signing in, registering and signing out by forms that need no scripts. The rules are `services/accounts.py`'s."""

from __future__ import annotations

from pydantic import ValidationError

from handlers.rest.access import PUBLIC
from handlers.rest.errors import status_of
from handlers.rest.session_cookies import (
    cleared_cookies,
    cleared_way_back,
    cookie_names,
    device_cookie,
    session_cookies,
)
from handlers.web.base import PageHandler, Screen, is_own_path
from handlers.web.navigation import home_path_by, home_path_of
from lms_rt.contracts.accounts import RegistrationDraft, SignInDraft, TokensView
from lms_rt.contracts.base import field_errors
from lms_rt.contracts.mfa import MfaRequiredView, required_of
from lms_rt.errors import Code, FieldError, Refused
from lms_rt.security.permissions import permissions_of
from lms_rt.security.sessions import Device

_SHEETS = ("pages.css",)
_TRY_LATER = frozenset({Code.BUSY, Code.RATE_LIMITED, Code.ACCOUNT_LOCKED})


class EntrancePage(PageHandler):
    """What signing in and registering share: where to go on, the cookies, and a refused form with its input kept."""

    access = PUBLIC
    template = ""
    heading = ""
    scripts: tuple[str, ...] = ("shell.js",)

    def get(self) -> None:
        """The empty form; who is signed in already goes on."""
        if self.actor.is_stranger:
            self._show_form({}, ())
        else:
            self.redirect(self._next_path(), status=303)

    def _next_path(self) -> str:
        path = self.get_argument("next", "")
        return path if is_own_path(path) else home_path_of(self.actor)

    def _device(self) -> Device:
        program, address = self.request.headers.get("User-Agent", "")[:300], str(self.request.remote_ip)
        return Device(program, address, mark=self.get_cookie(cookie_names(self.services.settings).device) or "")

    def _enter(self, tokens: TokensView) -> None:
        """Set the cookies of the session and go on."""
        sessions = self.services.sessions
        csrf_token = sessions.csrf.issue(sessions.session_of(tokens.refresh_token))
        for cookie in session_cookies(self.services.settings, tokens, csrf_token):
            self.write_cookie(cookie)
        marks, since_ms = self.services.device_marks, tokens.marks_since_ms
        mark = marks.renewed(self._device().mark, tokens.user.id, since_ms=since_ms)
        self.write_cookie(device_cookie(self.services.settings, mark))
        if self.get_cookie(cookie_names(self.services.settings).own):  # of a session before this one
            self.write_cookie(cleared_way_back(self.services.settings))
        if "nu-arab" in tokens.user.locale:
            self.keep("lms_digits", "arab")
        path = self.get_argument("next", "")
        home = home_path_by(permissions_of(tokens.user.role, tokens.user.permissions))
        self.redirect(path if is_own_path(path) else home, status=303)

    def _show_form(
        self, values: dict[str, str], errors: tuple[FieldError, ...], refused: Refused | None = None
    ) -> None:
        prefix = (f"{self.t('client.error_title')} {self.t(self.heading)}",) if errors else (self.t(self.heading),)
        rows = [(error.field, self._words_of(error)) for error in errors]
        if errors:
            self.set_status(status_of(refused.code) if refused and refused.code in _TRY_LATER else 422)
        if refused:
            self.tell_when(refused)
        screen = Screen(self.template, title=prefix, sheets=_SHEETS, scripts=self.scripts)
        path = self.get_argument("next", "")
        following = path if is_own_path(path) else ""
        self.show(screen, values=values, errors=rows, next_path=following, is_sign_in_page=True)

    def ask_code(
        self, required: MfaRequiredView, *, kind: str = "", refused: Refused | None = None, said: str = ""
    ) -> None:
        """Show the form of the second step. Its token stands in the form alone: never in an address, never in a cookie."""
        errors = () if refused is None else (FieldError("code", "", refused.code.code),)
        if refused is not None:
            self.set_status(status_of(refused.code) if refused.code in _TRY_LATER else 422)
            self.tell_when(refused)
        title = self.t("accounts.second_step")
        prefix = f"{self.t('client.error_title')} {title}" if errors else title
        path = self.get_argument("next", "")
        self.show(
            Screen("signin_code.html", title=(prefix,), sheets=_SHEETS),
            required=required,
            kind=kind or required.methods[0],
            errors=[(error.field, self._words_of(error)) for error in errors],
            said=said,
            next_path=path if is_own_path(path) else "",
            is_sign_in_page=True,
        )

    def _words_of(self, error: FieldError) -> str:
        for key in (f"errors.{error.field}_{error.code}", f"errors.{error.code}"):
            if self.t.knows(key):
                return self.t(key)
        return error.message


class SignInPage(EntrancePage):
    """/signin. With scripts, `signin.js` first tries to go on with the session that the browser may still have."""

    template, heading, scripts = "signin.html", "accounts.sign_in", ("shell.js", "signin.js")
    limit = "sign_in"

    async def post(self) -> None:
        """Sign in, or show the form again with the address kept."""
        email = self.field("email")
        try:
            draft = SignInDraft(email=email, password=self.field("password"))
            tokens = await self.services.accounts.login(draft, self._device())
        except ValidationError:
            self._refuse(email, "invalid_credentials")
        except Refused as refused:
            if refused.code is Code.MFA_REQUIRED:
                self.ask_code(required_of(refused))
                return
            if refused.code not in {Code.INVALID_CREDENTIALS, Code.EMAIL_NOT_VERIFIED, *_TRY_LATER}:
                raise
            self._refuse(email, refused.code.code, refused)
        else:
            self._enter(tokens)

    def _refuse(self, email: str, code: str, refused: Refused | None = None) -> None:
        values = {"email": email, "is_unverified": "1" if code == Code.EMAIL_NOT_VERIFIED.code else ""}
        self._show_form(values, (FieldError("email", "", code),), refused)


class RegisterPage(EntrancePage):
    """/register. Students only: others get their accounts from the school."""

    template, heading = "register.html", "accounts.register"
    limit = "auth"

    def get(self) -> None:
        """The empty form; or that the mailbox has the rest, where an address is to be proved first."""
        if self.get_query_argument("sent", "") != "1":
            super().get()
            return
        screen = Screen("link_end.html", title=(self.t("recovery.sent_title"),), sheets=_SHEETS)
        said = {"heading": self.t("recovery.sent_title"), "words": self.t("recovery.registered"), "tone": "ok"}
        self.show(screen, **said, onward=None, is_sign_in_page=True)

    async def post(self) -> None:
        """Make the account and sign in, or show the form again with name and address kept."""
        values = {name: self.field(name) for name in ("full_name", "email")}
        try:
            draft = RegistrationDraft.model_validate({**values, "password": self.field("password")})
            tokens = await self.services.registration.register(draft, self._device())
        except ValidationError as error:
            self._show_form(values, tuple(field_errors(error)))
        except Refused as refused:
            self._show_form(values, _faults_of(refused), refused)
        else:
            if tokens is None:
                self.redirect("/register?sent=1", status=303)
            else:
                self._enter(tokens)


def _faults_of(refused: Refused) -> tuple[FieldError, ...]:
    if refused.fields:
        return refused.fields
    if refused.code in {Code.EMAIL_TAKEN, *_TRY_LATER}:
        return (FieldError("email", refused.detail, refused.code.code),)
    raise refused


class SignOutPage(PageHandler):
    """/signout: the form of the account menu."""

    access = PUBLIC

    def get(self) -> None:
        """An address that somebody typed: nothing to see."""
        self.redirect("/", status=303)

    async def post(self) -> None:
        """End the session and forget its cookies."""
        if not self.actor.is_stranger:
            await self.services.sessions.sign_out(self.actor)
        if way_back := self.get_cookie(cookie_names(self.services.settings).own):
            await self.services.impersonation.sign_out(way_back)
        for cookie in cleared_cookies(self.services.settings):
            self.write_cookie(cookie)
        self.redirect("/", status=303)

    def check_form(self) -> None:
        """Whose access token has run out in the meantime is let go all the same, if it is they who ask."""
        self.refuse_other_site()
        if not self.actor.is_stranger:
            super().check_form()


PAGES = [(r"/signin", SignInPage), (r"/register", RegisterPage), (r"/signout", SignOutPage)]
