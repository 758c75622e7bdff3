"""What every page shares: who reads it, in which language and theme, how it is shown, and what it says when it cannot.

A page handler declares `access`, asks services for views, and ends with `self.show(Screen(...), name=value)`. It never
parses JSON and never decides a rule.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Literal
from urllib.parse import parse_qsl, quote, urlencode, urlsplit
from zoneinfo import ZoneInfo

from pydantic import BaseModel
from tornado.web import HTTPError, RequestHandler

from handlers.exchange import this_exchange
from handlers.origins import Origins
from handlers.rest.access import Access, refuse_impersonator
from handlers.rest.calls import Cookie
from handlers.rest.errors import problem_of, status_of
from handlers.rest.limits import Limits, limit_headers, refuse_too_many
from handlers.web.assets import assets
from handlers.web.navigation import home_path_of, links_of
from handlers.web.presentation import Reader, csrf_input, environment
from handlers.web.translation import DIRECTIONS, LANGUAGES, Language, Translator, chosen_language
from lms_rt.contracts.actor import STRANGER, Actor
from lms_rt.errors import Code, Refused
from lms_rt.security.csrf import STRANGERS
from lms_rt.security.rate_limits import LimitClass

if TYPE_CHECKING:
    from lms_rt.bootstrap import Services

YEAR_DAYS = 365
THEMES = ("system", "light", "dark")
_VERBS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")
_ELSEWHERE = frozenset({"cross-site", "same-site"})
_SHEETS = ("app.css", "components.css")
_log = logging.getLogger("lms_rt.web")


@dataclass(frozen=True, slots=True)
class Screen:
    """One page to show: its template, the parts of its title ("Page", "Course"; the site follows), what its scripts get.

    `data` becomes `page.data` in scripts; `groups` are the groups of the catalogue whose words they need (besides
    "client"); `scripts` and `sheets` are names in static/.
    """

    template: str
    title: tuple[str, ...] = ()
    data: Mapping[str, Any] = field(default_factory=dict)
    groups: tuple[str, ...] = ()
    scripts: tuple[str, ...] = ("shell.js",)
    sheets: tuple[str, ...] = ()


def shape(view: BaseModel) -> dict[str, Any]:
    """A view as REST shows it: what templates and page data are written against (`15-shapes`)."""
    return view.model_dump(mode="json")


def is_own_path(path: str) -> bool:
    """Is it a path on this site, which somebody may be sent on to?"""
    parts = urlsplit(path)
    return path.startswith("/") and not path.startswith(("//", "/\\")) and not parts.netloc and path.isprintable()


def sign_in_path(path: str) -> str:
    """Where to sign in and come back to a path."""
    return "/signin" if path in {"", "/"} else f"/signin?next={quote(path, safe='/')}"


KEEP_PATH = "/me/keep"
"""Where whoever has closed their account is sent."""


class PageHandler(RequestHandler):
    """One page. Subclasses declare `access` and write `get` (and `post` for forms that work without scripts).

    They also declare `is_own_alone`, if nobody may see it in another's place, and by `limit` the class that its form
    counts among, as operations do; without one it is auth for strangers, and general for who is signed in.
    """

    access: ClassVar[Access]
    is_own_alone: ClassVar[bool] = False
    is_for_leaving: ClassVar[bool] = False
    limit: ClassVar[str] = ""
    actor: Actor = STRANGER
    language: Language = "en"
    theme: str = "system"
    unread: int = 0
    has_shell: ClassVar[bool] = True
    _csrf_token: str = ""
    _limit_headers: Mapping[str, str] = MappingProxyType({})

    @property
    def services(self) -> Services:
        """The services of this process."""
        services: Services = self.settings["services"]
        return services

    @property
    def t(self) -> Translator:
        """Words in the page's language."""
        wants_arabic = self.get_cookie("lms_digits") == "arab" and self.language == "ar"
        return Translator(self.language, "arab" if wants_arabic else "latn")

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
        await self._charge()
        if self.actor.is_stranger and not self.access.is_public:
            self.redirect(sign_in_path(self.request.uri or "/"), status=303)
            return
        if self.actor.is_leaving and not (self.is_for_leaving or self.access.is_public):
            self.redirect(KEEP_PATH, status=303)
            return
        await self._admit()
        if self.request.method == "POST":
            self.check_form()
        if self.has_bell:
            self.unread = (await self.services.notifications.unread(self.actor)).unread

    async def _admit(self) -> None:
        """By the rule of access; what is done in somebody's place is recorded, and kept from what is theirs alone."""
        if self.actor.is_impersonated:
            await self.services.audit.note_use(self.actor, "page", f"{self.request.method} {self.request.path}")
        self.access.check(self.actor)
        if self.is_own_alone:
            refuse_impersonator(self.actor)

    async def _charge(self) -> None:
        """Count the request; refused when it is one too many. A class of thirty opens its pages from one address."""
        limits: Limits = self.settings["limits"]
        is_form, is_stranger = self.request.method == "POST", self.actor.is_stranger
        by_reader = (LimitClass.AUTH if is_form else LimitClass.PAGES) if is_stranger else LimitClass.GENERAL
        name = self.limit if is_form and self.limit else by_reader.value
        charge = await limits.charge(self.request, name, self.actor)
        self._limit_headers = limit_headers(charge)
        for header, value in self._limit_headers.items():
            self.set_header(header, value)
        refuse_too_many(charge)

    @property
    def has_bell(self) -> bool:
        """Is there a shell, and somebody to be told something?"""
        return self.has_shell and not (self.actor.is_stranger or self.actor.is_leaving)

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

    def cookie_name(self, name: str) -> str:
        """The name of a session cookie, which over HTTPS carries a prefix that pins it to this host."""
        return f"__Host-{name}" if self.services.settings.cookie_secure else name

    def choose_looks(self) -> None:
        """Language and theme, by the query, else the cookie, else the browser."""
        wish, theme = self.get_query_argument("lang", ""), self.get_query_argument("theme", "")
        self.language = chosen_language(
            wish, self.get_cookie("lms_lang", "") or "", self.request.headers.get("Accept-Language", "")
        )
        if wish in DIRECTIONS:
            self.keep("lms_lang", wish)
        if theme in THEMES:
            self.keep("lms_theme", theme)
        chosen = theme or self.get_cookie("lms_theme", "") or ""
        self.theme = chosen if chosen in THEMES else "system"
        self.set_header("Content-Language", self.language)

    def keep(self, name: str, value: str) -> None:
        """Remember a wish of this browser for a year, where scripts may change it."""
        is_secure = self.request.protocol == "https"
        self.set_cookie(name, value, expires_days=YEAR_DAYS, samesite="Lax", secure=is_secure)

    def write_cookie(self, cookie: Cookie) -> None:
        """Set a cookie as REST describes it."""
        self.set_cookie(**cookie.arguments())

    # --- forms without scripts ---

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
        return self.get_body_argument(name, "", strip=False)[:10_000]

    # --- showing ---

    def show(self, screen: Screen, **values: Any) -> None:
        """Render and send the page."""
        title = " · ".join(part for part in (*screen.title, self.services.settings.project_name) if part)
        scripts = (*screen.scripts, "bell.js") if self.has_bell else screen.scripts
        context = self._context() | {
            "page_title": title,
            "page_data": self._page_data(screen),
            "scripts": scripts,
            "modules": assets().imports_of(scripts),
            "sheets": (*_SHEETS, *screen.sheets),
        }
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.finish(environment().get_template(screen.template).render(context | values))

    def with_query(self, **changes: str | int | None) -> str:
        """The same address with other values in its query; None takes one out."""
        pairs = dict(parse_qsl(self.request.query))
        for name in ("lang", "theme"):
            pairs.pop(name, None)
        pairs.update({name: str(value) for name, value in changes.items() if value is not None})
        kept = {name: value for name, value in pairs.items() if changes.get(name, "") is not None and value}
        return self.request.path + (f"?{urlencode(kept)}" if kept else "")

    def _context(self) -> dict[str, Any]:
        others = [code for code, _ in LANGUAGES if code != self.language]
        return {
            "t": self.t,
            "language": self.language,
            "other_language": others[0],
            "languages": LANGUAGES,
            "direction": DIRECTIONS[self.language],
            "theme": self.theme,
            "reader": Reader(self.t, self._zone()),
            "actor": self.actor,
            "unread": self.unread,
            "links": links_of(self.actor, self.request.path),
            "home_path": home_path_of(self.actor),
            "sign_in_path": sign_in_path(self.request.uri or "/"),
            "is_sign_in_page": False,
            "site_name": self.services.settings.project_name,
            "asset": assets().path,
            "with_query": self.with_query,
            "csrf_field": lambda: csrf_input(self.form_token),
        }

    def _zone(self) -> tzinfo:
        try:
            return ZoneInfo(self.get_cookie("lms_zone", "") or "UTC")
        except (ValueError, OSError, KeyError):
            return UTC

    def _page_data(self, screen: Screen) -> dict[str, Any]:
        actor = self.actor
        role = actor.role.value if actor.role else None
        user = None if actor.is_stranger else {"id": actor.user_id, "full_name": actor.full_name, "role": role}
        return {
            "language": self.language,
            "direction": DIRECTIONS[self.language],
            "digits": self.t.digits,
            "release": assets().release,
            "assets": f"/static/{assets().release}/",
            "user": user,
            "site_name": self.services.settings.project_name,
            "server_time_ms": self.services.clock.now_ms(),
            "csrf_cookie": self.cookie_name("lms_csrf"),
            "messages": self.t.groups(("client", *screen.groups)),
            "data": dict(screen.data),
        }

    # --- when it cannot be shown ---

    def log_exception(self, _typ: Any, value: Any, _tb: Any) -> None:
        """A refusal is an answer, not a fault of ours. Without the address: it may hold a token."""
        if not isinstance(value, Refused | HTTPError):
            _log.error("unexpected fault in the page %s", type(self).__name__, exc_info=value)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """The error page: title, detail, request id, Try again."""
        error = kwargs.get("exc_info", (None, None, None))[1]
        kind = _kind_of(error, status_code)
        status = status_of(error.code) if isinstance(error, Refused) else status_code
        self.set_status(status)
        if status == 405:
            self.set_header("Allow", ", ".join(self.allowed))
        if isinstance(error, Refused):
            self.tell_when(error)
        screen = Screen("error.html", title=(self.t(f"fault.{kind}_title"),))
        self.show(screen, kind=kind, request_id=self.request_id, can_retry=self.request.method in {"GET", "HEAD"})

    def tell_when(self, refused: Refused) -> None:
        """Where a refusal says when to come again, its page does."""
        if (seconds := refused.data.get("retry_after_seconds")) is not None:
            self.set_header("Retry-After", str(seconds))

    @property
    def request_id(self) -> str:
        """The id under which the log knows this request."""
        return this_exchange().request_id

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
