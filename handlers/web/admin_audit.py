"""/admin/audit: what administrators did, newest first, and whether the log still is what was written."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any

from handlers.rest.access import needs
from handlers.web.base import PageHandler, Screen, shape
from lms_rt.contracts.audit import ACTIONS, AuditQuery, AuditView
from lms_rt.security.rights import Reach

PAGE_SIZE = 50
_SHEETS = ("pages.css", "teach.css", "admin.css")
_TEXTS = ("actor_id", "impersonator_id", "target_id", "request_id")
_MAX_LENGTH = 128


class AuditPage(PageHandler):
    """Filters in the address, older ones behind a cursor, and the state of the chain above them."""

    access = needs("audit:view")
    reach = Reach.ALL

    async def get(self) -> None:
        """A stretch of the log."""
        asked = self._asked()
        page = await self.services.audit_log.list(self.actor, AuditQuery.model_validate(asked | self._times()))
        names = await self.services.audit_log.names(self.actor, page.items)
        self.show(
            Screen("admin_audit.html", title=(self.t("admin.audit"),), sheets=_SHEETS),
            tab="audit",
            state=shape(await self.services.audit_log.state(self.actor)),
            records=[self._row(record, names) for record in page.items],
            older=page.next,
            actions=ACTIONS,
            asked={name: self.get_query_argument(name, "") for name in (*_TEXTS, "action", "from", "to", "after")},
            is_checked=bool(self.get_query_argument("checked", "")),
        )

    async def post(self) -> None:
        """Follow all of it now, and show what that came to."""
        await self.services.audit_log.check(self.actor)
        self.redirect("/admin/audit?checked=1", status=303)

    def _asked(self) -> dict[str, Any]:
        """The filters that can be used; others are as if they were not there."""
        given = {name: self.get_query_argument(name, "")[:_MAX_LENGTH] for name in _TEXTS}
        action, after = self.get_query_argument("action", ""), self.get_query_argument("after", "")
        given |= {"action": action if action in ACTIONS else ""}
        given |= {"after": after if after.isascii() and after.isdigit() and len(after) <= 18 else ""}
        return {name: value for name, value in given.items() if value} | {"limit": PAGE_SIZE}

    def _times(self) -> dict[str, datetime]:
        """Days of the reader's own calendar as moments; the last one counts whole."""
        days = {"from": _day(self.get_query_argument("from", "")), "to": _day(self.get_query_argument("to", ""))}
        later = {"from": timedelta(0), "to": timedelta(days=1)}
        return {
            name: datetime.combine(day + later[name], time(), tzinfo=self.zone())
            for name, day in days.items()
            if day is not None
        }

    def _row(self, record: AuditView, names: dict[str, str]) -> dict[str, Any]:
        """A record in words. Who is gone has no name: the id is left."""
        words = f"audit.act_{record.action.replace('.', '-')}"
        return shape(record) | {
            "words": self.t(words) if self.t.knows(words) else record.action,
            "actor_name": names.get(record.actor_id),
            "impersonator_name": names.get(record.impersonator_id or ""),
            "target_name": names.get(record.target_id),
        }


def _day(text: str) -> date | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if 1970 < day.year < 9998 else None


PAGES = [(r"/admin/audit/?", AuditPage)]
"""The rows of this page."""
