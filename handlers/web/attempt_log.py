"""An attempt's own log: what the server noted around it, the same for its student and its teachers. Facts, and no verdict."""

from __future__ import annotations

from typing import Any

from handlers.rest.access import SIGNED_IN
from handlers.web.base import PageHandler, Screen, shape
from lms_rt.contracts.integrity import IntegrityQuery
from lms_rt.security.rights import Reach

PAGE_SIZE = 50
_ICONS = {
    "connected": "here",
    "disconnected": "away",
    "page_hidden": "empty",
    "page_shown": "eye",
    "take_over": "device",
    "late_message": "late",
    "time_credited": "clock",
    "time_refused": "clock",
}
"""What stands for which kind of fact; others have a plain mark."""


class AttemptLog(PageHandler):
    """/attempts/{id}/log."""

    access = SIGNED_IN
    reach = Reach.SHARED

    async def get(self, attempt_id: str) -> None:
        """The facts in the server's order, and the time without a connection with what was credited for it."""
        attempt = await self.services.attempts.show(self.actor, attempt_id)
        query = IntegrityQuery(page=self._page(), page_size=PAGE_SIZE)
        listed = shape(await self.services.integrity.show(self.actor, attempt_id, query))
        screen = Screen("attempt_log.html", title=(self.t("log.title"), attempt.quiz_title), sheets=("pages.css",))
        self.show(
            screen,
            attempt=shape(attempt),
            listed=listed,
            lengths=("connected", "late_message"),
            facts=[self._fact(row) for row in listed["items"]],
            is_own=attempt.student_id == self.actor.user_id,
            is_open=attempt.status in {"in_progress", "paused"},
        )

    def _page(self) -> int:
        asked = self.get_query_argument("page", "1")
        return max(1, int(asked)) if asked.isascii() and asked.isdigit() and len(asked) <= 6 else 1

    def _fact(self, row: dict[str, Any]) -> dict[str, Any]:
        """A fact in words, with the time that belongs to it."""
        kind, data = row["kind"], row["data"]
        words = self.t(f"log.kind_{kind}") if self.t.knows(f"log.kind_{kind}") else kind
        why = f"log.why_{data.get('why')}"
        if self.t.knows(why):
            words = f"{words} ({self.t(why)})"
        return row | {"words": words, "icon": _ICONS.get(kind, "info"), "seconds": _seconds_of(data)}


def _seconds_of(data: dict[str, Any]) -> int | None:
    """How long somebody was away, how late something came, or how much was given or refused; None: less than a second."""
    lengths = [data[name] / 1000 for name in ("away_ms", "late_ms", "lost_ms") if isinstance(data.get(name), int)]
    if isinstance(data.get("seconds"), int):
        lengths.append(data["seconds"])
    return int(lengths[0]) or None if lengths else None


PAGES = [(r"/attempts/([^/]+)/log", AttemptLog)]
