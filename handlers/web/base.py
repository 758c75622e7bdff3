"""What every page does before and instead of showing itself: who may see it, where its form came from, what a fault looks like.

A page handler declares `access`, asks services for views, and ends with `self.show(Screen(...), name=value)`. It never
parses JSON and never decides a rule. How pages look is `looks.py`, `page_forms.py` and `screens.py`.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Literal

from tornado.web import HTTPError, RequestHandler

from handlers.rest.access import Access, refuse_impersonator
from handlers.rest.errors import problem_of, status_of
from handlers.rest.limits import Limits, limit_headers, refuse_too_many
from handlers.web.acting import ACTING_PATH, find_acting
from handlers.web.paths import KEEP_PATH, is_own_path, sign_in_path
from handlers.web.screens import Screen, ScreenHandler, shape
from lms_rt.contracts.actor import STRANGER, Actor
from lms_rt.errors import Code, Refused
from lms_rt.security.rate_limits import LimitClass
from lms_rt.security.rights import Reach
from lms_rt.storage.faults import translated

__all__ = ["KEEP_PATH", "MissingPage", "PageHandler", "Screen", "is_own_path", "shape", "sign_in_path"]

_VERBS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")
_log = logging.getLogger("lms_rt.web")


class PageHandler(ScreenHandler):
    """One page. Subclasses declare `access` and write `get` (and `post` for forms that work without scripts).

    They also declare whose things they `reach` (`lms_rt/security/rights.py`), and where a form's door or reach is another
    than the page's, `form_access` and `form_reach`; `is_own_alone`, if nobody may see it in another's place, or
    `is_form_own_alone`, if nobody may send its forms so, for whom templates can leave them out (`may_send`); and by `limit` the
    class that its form counts among, as operations do; without one it is auth for strangers, and general for who is signed
    in. `read_limit` is the class that opening the page counts among; else pages.
    """

    access: ClassVar[Access]
    reach: ClassVar[Reach | None] = None
    form_access: ClassVar[Access | None] = None
    form_reach: ClassVar[Reach | None] = None
    is_own_alone: ClassVar[bool] = False
    is_form_own_alone: ClassVar[bool] = False
    is_for_leaving: ClassVar[bool] = False
    limit: ClassVar[str] = ""
    read_limit: ClassVar[str] = ""
    _limit_headers: Mapping[str, str] = MappingProxyType({})

    def set_default_headers(self) -> None:
        """Nothing of a page is kept by anybody. (The guards are on every response: `handlers/headers.py`.)"""
        self.set_header("Cache-Control", "no-store")
        self.set_header("Vary", "Cookie, Accept-Language")
        for name, value in self._limit_headers.items():
            self.set_header(name, value)

    async def prepare(self) -> None:
        """Language, theme, reader, right to be here, and where a form came from; a stranger is sent to sign in."""
        self.choose_looks()
        if self.request.method not in self.allowed:
            raise HTTPError(405)
        if self.request.method == "OPTIONS":
            return
        self.actor = await self.find_actor()
        self.acting = await find_acting(self, self.actor)
        await self._charge()
        if self.actor.is_stranger and not self.door.is_public:
            self.redirect(ACTING_PATH if self.acting else sign_in_path(self.request.uri or "/"), status=303)
            return
        if self.actor.is_leaving and not (self.is_for_leaving or self.door.is_public):
            self.redirect(KEEP_PATH, status=303)
            return
        await self._admit()
        if self.request.method == "POST":
            self.check_form()
        if self.has_bell:
            self.unread = (await self.services.notifications.unread(self.actor)).unread

    @property
    def door(self) -> Access:
        """Who may do what is asked for: its form's rule, where that is another."""
        return self.form_access if self.request.method == "POST" and self.form_access else self.access

    @property
    def is_by_own_hand(self) -> bool:
        """Is what is asked for closed to who acts in somebody's place?"""
        return self.is_own_alone or (self.is_form_own_alone and self.request.method == "POST")

    @property
    def may_send(self) -> bool:
        """May the reader send the page's forms? Not in somebody's place, where each of them is its person's own."""
        return not (self.actor.is_impersonated and (self.is_own_alone or self.is_form_own_alone))

    async def _admit(self) -> None:
        """By the rule of access; what is done in somebody's place is recorded, and kept from what is theirs alone."""
        if self.actor.is_impersonated:
            await self.services.audit.note_use(self.actor, "page", f"{self.request.method} {self.request.path}")
        self.door.check(self.actor)
        if self.is_by_own_hand:
            refuse_impersonator(self.actor)

    def _context(self) -> dict[str, Any]:
        return super()._context() | {"may_send": self.may_send}

    async def _charge(self) -> None:
        """Count the request; refused when it is one too many. A class of thirty opens its pages from one address."""
        limits: Limits = self.settings["limits"]
        is_form = self.request.method == "POST"
        # At the entrance everybody is a stranger: who has ten accounts shall not have ten times the limit there.
        own_class = self.limit if is_form else self.read_limit
        actor = STRANGER if own_class and self.door.is_public else self.actor
        is_stranger = actor.is_stranger
        by_reader = (LimitClass.AUTH if is_form else LimitClass.PAGES) if is_stranger else LimitClass.GENERAL
        charge = await limits.charge(self.request, own_class or by_reader.value, actor)
        self._limit_headers = limit_headers(charge)
        for header, value in self._limit_headers.items():
            self.set_header(header, value)
        refuse_too_many(charge)

    async def find_actor(self) -> Actor:
        """Who the session cookie says it is; a stranger when there is none that is valid."""
        token = self.get_cookie(self.cookie_name("lms_access"))
        if not token:
            return STRANGER
        try:
            actor: Actor = await self.services.sessions.authenticate(token, also_leaving=True)
        except Refused as refused:
            if refused.code is Code.UNAVAILABLE:
                raise
            return STRANGER
        return actor

    # --- when it cannot be shown ---

    def log_exception(self, _typ: Any, value: Any, _tb: Any) -> None:
        """A refusal is an answer, not a fault of ours, nor is a database that is away. Without the address: it may hold a token."""
        if not isinstance(value, Refused | HTTPError) and translated(value) is None:
            _log.error("unexpected fault in the page %s", type(self).__name__, exc_info=value)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """The error page: title, detail, request id, Try again."""
        error = kwargs.get("exc_info", (None, None, None))[1]
        error = error and (translated(error) or error)
        kind = "in_place" if self._is_refused_to_other_hand(error) else _kind_of(error, status_code)
        status = status_of(error.code) if isinstance(error, Refused) else status_code
        self.set_status(status)
        if status == 405:
            self.set_header("Allow", ", ".join(self.allowed))
        if isinstance(error, Refused):
            self.tell_when(error)
        screen = Screen("error.html", title=(self.t(f"fault.{kind}_title"),))
        self.show(screen, kind=kind, request_id=self.request_id, can_retry=self.request.method in {"GET", "HEAD"})

    def _is_refused_to_other_hand(self, error: BaseException | None) -> bool:
        """Is it a page that is closed to who acts in somebody's place, whatever their role?"""
        is_forbidden = isinstance(error, Refused) and error.code is Code.FORBIDDEN
        return is_forbidden and self.is_by_own_hand and self.actor.is_impersonated

    def tell_when(self, refused: Refused) -> None:
        """Where a refusal says when to come again, its page does."""
        if (seconds := refused.data.get("retry_after_seconds")) is not None:
            self.set_header("Retry-After", str(seconds))

    @property
    def allowed(self) -> tuple[str, ...]:
        """The verbs that this page takes: those that it has a method for, HEAD with GET, and OPTIONS."""
        has = {verb: getattr(type(self), verb.lower()) is not getattr(RequestHandler, verb.lower()) for verb in _VERBS}
        return tuple(verb for verb in _VERBS if has["GET" if verb == "HEAD" else verb])

    def options(self, *_: str) -> None:
        """Which verbs there are."""
        self.set_header("Allow", ", ".join(self.allowed))
        self.set_status(204)

    def head(self, *arguments: str) -> Awaitable[None] | None:
        """As GET; Tornado leaves the body out."""
        result: Awaitable[None] | None = self.get(*arguments)
        return result


def _kind_of(
    error: BaseException | None, status: int
) -> Literal["missing", "forbidden", "form", "away", "limited", "broken"]:
    code = error.code if isinstance(error, Refused) else None
    if code is Code.CSRF_FAILED:
        return "form"
    number = status_of(code) if code else status
    known: Mapping[int, Literal["missing", "forbidden", "away", "limited"]] = {
        403: "forbidden",
        404: "missing",
        405: "missing",
        429: "limited",
        503: "away",
    }
    return known.get(number, "broken")


class MissingPage(PageHandler):
    """Whatever has no page."""

    access = Access("anyone", is_public=True)

    def get(self, *_: str) -> None:
        """Say that nothing is here: to people as a page, to programs as a problem document."""
        if "text/html" in self.request.headers.get("Accept", ""):
            raise Refused(Code.NOT_FOUND)
        problem = problem_of(Refused(Code.ROUTE_NOT_FOUND), self.request_id)
        media_type, body = problem.encoded(has_envelope=self.services.settings.api_response_envelope_enabled)
        self.set_status(problem.status)
        self.set_header("Content-Type", media_type)
        self.finish(body)

    post = put = patch = delete = options = get

    def check_form(self) -> None:
        """Nothing is done here, whoever asks."""
