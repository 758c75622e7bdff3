"""What a page shows, and how: its template, its scripts, and what every template and every script is given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlencode

from pydantic import BaseModel

from handlers.exchange import this_exchange
from handlers.web.acting import Acting
from handlers.web.assets import assets
from handlers.web.navigation import home_path_of, links_of
from handlers.web.page_forms import FormHandler
from handlers.web.paths import sign_in_path
from handlers.web.presentation import Reader, csrf_input, environment
from handlers.web.translation import DIRECTIONS, LANGUAGES

_SHEETS = ("app.css", "components.css")


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


class ScreenHandler(FormHandler):
    """A page that can be shown."""

    has_shell: ClassVar[bool] = True
    unread: int = 0
    acting: Acting | None = None

    @property
    def has_bell(self) -> bool:
        """Is there a shell, and somebody to be told something?"""
        return self.has_shell and not (self.actor.is_stranger or self.actor.is_leaving)

    def show(self, screen: Screen, **values: Any) -> None:
        """Render and send the page."""
        title = " · ".join(part for part in (*screen.title, self.services.settings.project_name) if part)
        scripts = (*screen.scripts, *self._more_scripts())
        context = self._context() | {
            "page_title": title,
            "page_data": self._page_data(screen),
            "scripts": scripts,
            "modules": assets().imports_of(scripts),
            "sheets": (*_SHEETS, *screen.sheets),
        }
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.finish(environment().get_template(screen.template).render(context | values))

    def _more_scripts(self) -> tuple[str, ...]:
        """What every page of this reader needs besides its own."""
        bell = ("bell.js",) if self.has_bell else ()
        return (*bell, "acting.js") if self.actor.is_impersonated else bell

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
            "reader": Reader(self.t, self.zone()),
            "actor": self.actor,
            "acting": self.acting,
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
        } | ({"acting": {"until_ms": actor.expires_at_ms}} if actor.is_impersonated else {})

    @property
    def request_id(self) -> str:
        """The id under which the log knows this request."""
        return this_exchange().request_id
