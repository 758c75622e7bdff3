"""What the reader was told, and what they wish to be told. Works without scripts; with them it moves live."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from handlers.rest.access import SIGNED_IN
from handlers.web.base import PageHandler, Screen, shape
from lms_rt.contracts.base import read_model
from lms_rt.contracts.notifications import (
    KINDS,
    KINDS_BY_PERMISSION,
    KINDS_OF_MAILS,
    KindName,
    NotificationPage,
    NotificationQuery,
    NotificationStretch,
    PreferencesChange,
)
from lms_rt.errors import Refused
from lms_rt.security.rights import Reach

PAGE_SIZE = 20
_SHEETS = ("pages.css",)
_FILTERS = {"unread": False, "read": True}


class NotificationsPage(PageHandler):
    """/notifications."""

    access = SIGNED_IN
    reach, form_reach = Reach.SELF, Reach.OWN

    async def get(self) -> None:
        """The list, newest first; the filter and the page stand in the address."""
        chosen = self.get_query_argument("show", "")
        chosen = chosen if chosen in _FILTERS else "all"
        counted = await self._listed(NotificationQuery(page_size=1))  # before what is shown: none is missed between
        page = await self._listed(self._query(chosen))
        self.unread = page.unread
        screen = Screen(
            "notifications.html",
            title=(self.t("notifications.title"),),
            data={"total": shape(counted)["total"]},
            groups=("notifications",),
            scripts=("shell.js", "notifications.js"),
            sheets=_SHEETS,
        )
        self.show(screen, listed=shape(page), filters=("all", *_FILTERS), chosen=chosen)

    async def post(self) -> None:
        """One was read, or all."""
        if notification_id := self.field("read"):
            await self.services.notifications.read(self.actor, notification_id)
        else:
            await self.services.notifications.read_all(self.actor)
        self.redirect(self.with_query(), status=303)

    async def _listed(self, query: NotificationQuery) -> NotificationPage | NotificationStretch:
        return await self.services.notifications.list(self.actor, query, language=self.language)

    def _query(self, chosen: str) -> NotificationQuery:
        """The page of the address; what cannot be read counts as not said."""
        asked: dict[str, Any] = {"page_size": PAGE_SIZE, "is_read": _FILTERS.get(chosen)}
        try:
            return NotificationQuery.model_validate({**asked, "page": self.get_query_argument("page", "1")})
        except ValidationError:
            return NotificationQuery.model_validate(asked)


class PreferencesPage(PageHandler):
    """/notifications/preferences."""

    access = SIGNED_IN
    reach = Reach.SELF

    async def get(self) -> None:
        """The form, as things stand."""
        await self._show(has_saved=self.get_query_argument("saved", "") == "1")

    async def post(self) -> None:
        """Take the form: what has no tick is switched off."""
        try:
            await self.services.preferences.change(self.actor, read_model(PreferencesChange, self._wishes()))
        except Refused as refused:
            self.set_status(422)
            await self._show(faults={fault.field.partition(".")[0] for fault in refused.fields})
            return
        self.redirect("/notifications/preferences?saved=1", status=303)

    def _wishes(self) -> dict[str, Any]:
        ticked = set(self.get_body_arguments("on"))
        begin, end = self.field("quiet_from"), self.field("quiet_to")
        return {
            "channels": {channel: f"{channel}:all" in ticked for channel in ("live", "email")},
            "kinds": {
                kind: {channel: f"{channel}:{kind}" in ticked for channel in _channels_of(kind)}
                for kind in self._shown_kinds()
            },
            "quiet_hours": {"from": begin, "to": end} if begin or end else None,
            "digest": "daily" if "digest" in ticked else "none",
        }

    def _shown_kinds(self) -> list[KindName]:
        needed = KINDS_BY_PERMISSION
        return [kind for kind in KINDS if kind not in needed or self.actor.has_permission(needed[kind])]

    async def _show(self, *, has_saved: bool = False, faults: set[str] | None = None) -> None:
        preferences = shape(await self.services.preferences.show(self.actor))
        if faults:
            preferences["quiet_hours"] = {"from": self.field("quiet_from"), "to": self.field("quiet_to")}
        title = self.t("notifications.preferences")
        parts = (f"{self.t('client.error_title')} {title}",) if faults else (title,)
        screen = Screen("notification_preferences.html", title=parts, sheets=_SHEETS)
        rows = [("all", self.t("notifications.all_kinds"), preferences["channels"], True)]
        for kind in self._shown_kinds():
            words = self.t(f"notifications.kind_{kind.replace('.', '-')}")
            rows.append((kind, words, preferences["kinds"][kind], "live" in _channels_of(kind)))
        self.show(screen, preferences=preferences, wishes=rows, has_saved=has_saved, faults=faults or set())


def _channels_of(kind: str) -> tuple[str, ...]:
    return ("email",) if kind in KINDS_OF_MAILS else ("live", "email")


PAGES = [(r"/notifications/?", NotificationsPage), (r"/notifications/preferences/?", PreferencesPage)]
