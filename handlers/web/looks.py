"""Who reads a page and how they want it: language, digits, theme, time zone, and the cookies that keep these wishes."""

from __future__ import annotations

from datetime import UTC, tzinfo
from typing import TYPE_CHECKING
from urllib.parse import unquote
from zoneinfo import ZoneInfo

from tornado.web import RequestHandler

from handlers.rest.calls import Cookie
from handlers.web.translation import DIRECTIONS, Language, Translator, chosen_language
from lms_rt.contracts.actor import STRANGER, Actor

if TYPE_CHECKING:
    from lms_rt.bootstrap import Services

YEAR_DAYS = 365
THEMES = ("system", "light", "dark")


class LooksHandler(RequestHandler):
    """A request of a browser: its reader, its wishes, its cookies."""

    actor: Actor = STRANGER
    language: Language = "en"
    theme: str = "system"

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

    def zone(self) -> tzinfo:
        """Where the reader's clock stands, as their browser said; UTC while it has not."""
        try:
            return ZoneInfo(
                unquote(self.get_cookie("lms_zone", "") or "UTC")
            )  # a script writes it as a part of an address
        except (ValueError, OSError, KeyError):
            return UTC
