"""Acting in somebody's place by a browser: begun from their account with a reason, ended by the button of the banner.

One's own session is kept aside meanwhile: its refresh cookie stays where no page and no script reads it, and a mark leads
back. Who may, and what it is, `services/impersonation.py` says.
"""

from __future__ import annotations

from typing import ClassVar

from handlers.rest.access import PUBLIC, needs
from handlers.rest.errors import status_of
from handlers.rest.session_cookies import acting_cookies, cleared_cookies, cookie_names, own_cookies
from handlers.web.acting import ACTING_PATH
from handlers.web.admin_users import AccountPage, person_path
from handlers.web.base import PageHandler, Screen
from handlers.web.navigation import home_path_of
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.base import read_model
from lms_rt.contracts.users import ImpersonationDraft
from lms_rt.errors import Code, Refused
from lms_rt.security.permissions import Permission
from lms_rt.security.rights import Reach
from lms_rt.security.sessions import Device

_FAULTS = {Code.VALIDATION_FAILED: "reason", Code.CONFLICT: "nobody_to_be"}


class ImpersonatePage(AccountPage):
    """/admin/users/{id}/impersonate: the form beside an account."""

    access = needs("impersonate")
    reach = Reach.GOVERNED
    is_own_alone: ClassVar[bool] = True

    def get(self, user_id: str) -> None:
        """An address that is left of a form: back to the account."""
        self.redirect(person_path(user_id), status=303)

    async def post(self, user_id: str) -> None:
        """Go on as that person; or say at the account why not."""
        device = Device(self.request.headers.get("User-Agent", "")[:300], str(self.request.remote_ip))
        try:
            draft = read_model(ImpersonationDraft, {"reason": self.field("reason")})
            begun = await self.services.impersonation.begin_in_browser(self.actor, user_id, draft, device)
        except Refused as refused:
            fault = _FAULTS.get(refused.code)
            if fault is None:
                raise
            self.set_status(status_of(refused.code))
            await self.show_account(user_id, fault=fault)
        else:
            csrf_token = self.services.sessions.csrf.issue(begun.actor.session_id)
            for cookie in acting_cookies(self.services.settings, begun, csrf_token):
                self.write_cookie(cookie)
            self.redirect(home_path_of(begun.actor), status=303)


class ActingPage(PageHandler):
    """/acting: that one acts, or that it is over, and the one button that there is then."""

    access = PUBLIC

    def get(self) -> None:
        """How it stands; who acts as nobody has nothing to see here."""
        if self.acting is None:
            self.redirect(home_path_of(self.actor), status=303)
            return
        kind = "over" if self.acting.is_over else "now"
        title = self.t(f"acting.{kind}_title")
        self.show(Screen("acting_page.html", title=(title,), sheets=("pages.css",)), heading=title, kind=kind)

    async def post(self) -> None:
        """Back into one's own session, to the account of the person. Where that session has ended as well, to its door."""
        settings = self.services.settings
        own = await self.services.impersonation.go_back(self._mark)
        if own is None:
            for cookie in cleared_cookies(settings):
                self.write_cookie(cookie)
            self.redirect("/signin", status=303)
            return
        csrf_token = self.services.sessions.csrf.issue(own.actor.session_id)
        for cookie in own_cookies(settings, own, csrf_token):
            self.write_cookie(cookie)
        self.redirect(_path_after(own.actor, own.person_id), status=303)

    def check_form(self) -> None:
        """The time may have run out while the page was open: its form is that of the session that was then, and does no more."""
        self.refuse_other_site()
        way = self.services.impersonation.read_way_back(self._mark)
        sent, cookie, csrf = self.field("csrf"), self.get_cookie("lms_form"), self.services.sessions.csrf
        held = [self.actor.session_id, way.acting_id] if way is not None else [self.actor.session_id]
        if not any(session and csrf.is_valid(session, cookie=cookie, sent=sent) for session in held):
            super().check_form()

    @property
    def _mark(self) -> str:
        return self.get_cookie(cookie_names(self.services.settings).own) or ""


def _path_after(actor: Actor, person_id: str) -> str:
    """To whom one was just now, where one may look at accounts."""
    is_known = bool(person_id) and actor.has_permission(Permission.USERS_MANAGE)
    return person_path(person_id) if is_known else home_path_of(actor)


PAGES = [
    (ACTING_PATH, ActingPage),
    (r"/admin/users/([^/]+)/impersonate", ImpersonatePage),
]
"""The rows of these pages: before those of accounts, whose forms have addresses of the same shape."""
