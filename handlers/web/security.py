"""/me/security: one's own password, sign-ins and data, by forms that need no scripts. The second step is `two_steps.py`'s.

Each form posts to an address of its own; what is refused shows the whole page again, the fault at its field.
"""

from __future__ import annotations

from typing import Any, ClassVar

from handlers.rest.access import SIGNED_IN
from handlers.rest.errors import status_of
from handlers.rest.session_cookies import cleared_cookies, cookie_names
from handlers.web.base import KEEP_PATH, PageHandler, Screen, shape
from handlers.web.devices import device_words
from handlers.web.exporting import own_export, watching
from lms_rt.contracts.actor import STRANGER
from lms_rt.contracts.base import PageQuery, read_model
from lms_rt.contracts.privacy import EXPORT_URL, LeaveDraft
from lms_rt.contracts.sessions import PasswordChangeDraft
from lms_rt.errors import Code, FieldError, Refused
from lms_rt.security.rights import Reach
from lms_rt.security.sessions import Device
from lms_rt.services.chosen_passwords import least_length

PATH = "/me/security"
SHEETS = ("pages.css",)
_DONE = frozenset({"password", "ended", "ended_others", "export", "off"})
_MOST = 100
"""More sign-ins than anybody may have."""
_TRY_LATER = frozenset({Code.ACCOUNT_LOCKED, Code.RATE_LIMITED, Code.BUSY})


class OwnSecurityPage(PageHandler):
    """What the pages share: theirs alone who is signed in, the device that asks, and the whole page with its faults."""

    access = SIGNED_IN
    reach = Reach.SELF
    is_own_alone: ClassVar[bool] = True

    def get(self) -> Any:
        """An address that somebody typed or reloaded."""
        self.redirect(PATH, status=303)

    def device(self) -> Device:
        """What is asked from, as the guard of passwords counts it."""
        program, address = self.request.headers.get("User-Agent", "")[:300], str(self.request.remote_ip)
        return Device(program, address, mark=self.get_cookie(cookie_names(self.services.settings).device) or "")

    async def show_overview(self, *, done: str = "", faults: tuple[FieldError, ...] = ()) -> None:
        """All that there is: password, second step, sign-ins, data."""
        title = self.t("security.title")
        services = self.services
        sessions = await services.own_sessions.list(self.actor, PageQuery(page_size=_MOST))
        export = await own_export(self)
        user = await services.accounts.me(self.actor)
        self.show(
            watching(Screen("security.html", title=(self.titled(title, faults),), sheets=SHEETS), export),
            user=user,
            least=least_length(services.settings, user.role),
            method=await services.mfa.find_method(self.actor),
            sessions=[shape(one) | {"device": device_words(one.device)} for one in sessions.items],
            export=export,
            own_path=PATH,
            grace_days=services.settings.erasure_grace_days,
            done=done,
            errors=self.rows_of(faults),
        )

    def titled(self, title: str, faults: tuple[FieldError, ...]) -> str:
        """The title says first that something is wrong."""
        return f"{self.t('client.error_title')} {title}" if faults else title

    def rows_of(self, faults: tuple[FieldError, ...]) -> list[tuple[str, str]]:
        """Faults as fields and words."""
        return [(fault.field, self._words_of(fault)) for fault in faults]

    def faults_of(self, refused: Refused, field: str) -> tuple[FieldError, ...]:
        """What a form can say of a refusal, with its status; what it cannot is raised again."""
        self.tell_when(refused)
        if refused.fields:
            self.set_status(422)
            return tuple(refused.fields)
        if refused.code is Code.INVALID_CREDENTIALS:
            self.set_status(422)
            return (FieldError(field, "", "wrong_password"),)
        if refused.code not in _TRY_LATER:
            raise refused
        self.set_status(status_of(refused.code))
        return (FieldError(field, refused.detail, refused.code.code),)

    def _words_of(self, fault: FieldError) -> str:
        for key in (f"security.{fault.code}", f"errors.{fault.code}"):
            if self.t.knows(key):
                return self.t(key)
        return fault.message


class SecurityPage(OwnSecurityPage):
    """/me/security."""

    async def get(self) -> None:
        """Everything as it stands."""
        done = self.get_query_argument("done", "")
        await self.show_overview(done=done if done in _DONE else "")


class ChangePasswordPage(OwnSecurityPage):
    """/me/security/password."""

    async def post(self) -> None:
        """The new password; this session goes on, all others end."""
        values = {name: self.field(name) for name in ("current_password", "new_password")}
        try:
            draft = read_model(PasswordChangeDraft, values)
            await self.services.own_passwords.change(self.actor, draft, self.device())
        except Refused as refused:
            await self.show_overview(faults=self.faults_of(refused, "current_password"))
        else:
            self.redirect(f"{PATH}?done=password", status=303)


class EndSessionsPage(OwnSecurityPage):
    """/me/security/sessions."""

    async def post(self) -> None:
        """End one, or all others. One that has ended meanwhile is ended."""
        session_id, own_sessions = self.field("end"), self.services.own_sessions
        if not session_id:
            await own_sessions.end_others(self.actor)
            self.redirect(f"{PATH}?done=ended_others", status=303)
            return
        try:
            await own_sessions.end(self.actor, session_id)
        except Refused as refused:
            if refused.code is not Code.NOT_FOUND:
                raise
        if session_id == self.actor.session_id:
            _forget_session(self)
            self.redirect("/", status=303)
        else:
            self.redirect(f"{PATH}?done=ended", status=303)


class ExportPage(OwnSecurityPage):
    """/me/security/export: asked for by the button, fetched by the link, which first sees that one is signed in."""

    is_for_leaving: ClassVar[bool] = True

    def get(self) -> None:
        """On to the file."""
        self.redirect(EXPORT_URL, status=303)

    async def post(self) -> None:
        """A new one, or the one that is being made. Back to where it was asked for: who has closed their account has one page."""
        await self.services.exports.ask(self.actor)
        self.redirect(f"{KEEP_PATH}#data" if self.actor.is_leaving else f"{PATH}?done=export", status=303)


class LeavePage(OwnSecurityPage):
    """/me/security/leave."""

    async def post(self) -> None:
        """Close the account, once its address and its password were typed; what follows is said here and now."""
        user = await self.services.accounts.me(self.actor)
        if self.field("leave_address").strip().casefold() != user.email.casefold():
            self.set_status(422)
            await self.show_overview(faults=(FieldError("leave_address", "", "wrong_address"),))
            return
        try:
            draft = LeaveDraft(password=self.field("leave_password")[:1024])
            leaving = await self.services.erasure.leave(self.actor, draft, self.device())
        except Refused as refused:
            await self.show_overview(faults=self._faults_of_leaving(refused))
            return
        _forget_session(self)
        self.actor = STRANGER
        title = self.t("keeping.title")
        self.show(
            Screen("security_left.html", title=(title,), sheets=SHEETS),
            heading=title,
            erase_at=leaving.erase_at,
            is_sign_in_page=True,
        )

    def _faults_of_leaving(self, refused: Refused) -> tuple[FieldError, ...]:
        if refused.code is not Code.CONFLICT:
            return self.faults_of(refused, "leave_password")
        self.set_status(status_of(refused.code))
        code = "has_courses" if "course_ids" in refused.data else "is_needed"
        return (FieldError("leave_address", refused.detail, code),)


def _forget_session(page: PageHandler) -> None:
    for cookie in cleared_cookies(page.services.settings):
        page.write_cookie(cookie)


PAGES = [
    (r"/me/security/?", SecurityPage),
    (r"/me/security/password", ChangePasswordPage),
    (r"/me/security/sessions", EndSessionsPage),
    (r"/me/security/export", ExportPage),
    (r"/me/security/leave", LeavePage),
]
