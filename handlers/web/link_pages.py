"""What the pages behind the links of mails share: the token in the address, which goes nowhere from there, and plain endings.

Opening such a page changes nothing, since programs open links to look at them: only the button does.
"""

from __future__ import annotations

from handlers.rest.access import PUBLIC
from handlers.web.base import PageHandler, Screen
from lms_rt.errors import Code, FieldError, Refused

SHEETS = ("pages.css",)
MAX_TOKEN = 512
OVER = frozenset({Code.INVALID_TOKEN, Code.TOKEN_EXPIRED})
TRY_LATER = frozenset({Code.BUSY, Code.RATE_LIMITED, Code.UNAVAILABLE})


class LinkPage(PageHandler):
    """A page that is opened from a mail, or that has one sent."""

    access = PUBLIC
    limit = "auth"

    def set_default_headers(self) -> None:
        """The address holds a token: it is told to nobody, to ourselves neither."""
        super().set_default_headers()
        self.set_header("Referrer-Policy", "no-referrer")

    @property
    def token(self) -> str:
        """The token of the link, or of the form that came from it."""
        return self.get_argument("token", "", strip=True)[:MAX_TOKEN]

    def show_form(self, template: str, heading: str, errors: tuple[FieldError, ...] = (), **values: object) -> None:
        """A form with one question, its faults said where they are."""
        rows = [(error.field, self._words_of(error)) for error in errors]
        prefix = (f"{self.t('client.error_title')} {heading}",) if errors else (heading,)
        if errors:
            self.set_status(422)
        screen = Screen(template, title=prefix, sheets=SHEETS)
        self.show(screen, heading=heading, errors=rows, token=self.token, is_sign_in_page=True, **values)

    def show_end(self, heading: str, words: str, *, tone: str = "ok", onward: tuple[str, str] | None = None) -> None:
        """Nothing more to ask: what became of it, and where to go on (path and words)."""
        screen = Screen("link_end.html", title=(heading,), sheets=SHEETS)
        self.show(screen, heading=heading, words=words, tone=tone, onward=onward, is_sign_in_page=True)

    def show_over(self, onward: tuple[str, str] | None = None) -> None:
        """The link opens nothing: it was used, its time is over, or it is none of ours."""
        self.set_status(410)
        self.show_end(self.t("recovery.over_title"), self.t("recovery.over"), tone="warn", onward=onward)

    def _words_of(self, error: FieldError) -> str:
        key = f"errors.{error.code}"
        return self.t(key) if self.t.knows(key) else error.message


def faults_of(refused: Refused, field: str) -> tuple[FieldError, ...]:
    """What a form can say of a refusal at this field; what it cannot is raised again."""
    if refused.fields:
        return refused.fields
    if refused.code in TRY_LATER:
        return (FieldError(field, refused.detail, refused.code.code),)
    raise refused
