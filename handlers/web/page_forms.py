"""Forms that work without scripts: the token that proves which page a form came from, and what was typed into it."""

from __future__ import annotations

from handlers.origins import Origins
from handlers.web.looks import LooksHandler
from lms_rt.errors import Code, Refused
from lms_rt.security.csrf import STRANGERS

_ELSEWHERE = frozenset({"cross-site", "same-site"})
_MOST_TYPED = 10_000


class FormHandler(LooksHandler):
    """A page that may hold forms."""

    _csrf_token: str = ""

    @property
    def form_token(self) -> str:
        """The token of this page's forms: bound to the session, sent back in the form and in its own cookie."""
        if not self._csrf_token:
            sent = self.get_cookie("lms_form") or ""
            csrf, session = self.services.sessions.csrf, self._form_session
            is_good = csrf.is_valid(session, cookie=sent, sent=sent)
            self._csrf_token = sent if is_good else csrf.issue(session)
            if not is_good:
                is_secure = self.request.protocol == "https"
                self.set_cookie("lms_form", self._csrf_token, httponly=True, samesite="Lax", secure=is_secure)
        return self._csrf_token

    @property
    def _form_session(self) -> str:
        return self.actor.session_id or STRANGERS

    def check_form(self) -> None:
        """Refuse a form that did not come from a page of this session."""
        self.refuse_other_site()
        sent, cookie = self.get_body_argument("csrf", ""), self.get_cookie("lms_form")
        if not self.services.sessions.csrf.is_valid(self._form_session, cookie=cookie, sent=sent):
            raise Refused(Code.CSRF_FAILED)

    def refuse_other_site(self) -> None:
        """Refuse what a page of another site posts: a sibling domain could toss in a cookie that fits its form's token."""
        site, origin = self.request.headers.get("Sec-Fetch-Site", ""), self.request.headers.get("Origin", "null")
        is_foreign = origin != "null" and not Origins(self.services.settings).is_allowed(self.request)
        if site in _ELSEWHERE or (not site and is_foreign):
            raise Refused(Code.CSRF_FAILED)

    def field(self, name: str) -> str:
        """A field of a posted form, or the empty text."""
        return self.get_body_argument(name, "", strip=False)[:_MOST_TYPED]
