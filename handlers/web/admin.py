"""Pages of administrators: how the school stands, and the jobs that nobody could do."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from handlers.rest.access import Access, needs
from handlers.web.base import PageHandler, Screen, shape
from lms_rt.contracts.base import PageQuery
from lms_rt.contracts.jobs import QUEUES
from lms_rt.contracts.tasks import DeadLetterQuery
from lms_rt.errors import Code, Refused
from lms_rt.security.rights import Reach

OPERATORS: Access = needs("settings:manage")
POLL_MS = 10_000
PAGE_SIZE = 20
_MAX_PAGE_DIGITS = 6
_SHEETS = ("pages.css", "teach.css", "admin.css")


class AdminPage(PageHandler):
    """/admin: what the school leans on, queues, workers. A script asks again every ten seconds."""

    access = OPERATORS
    reach = Reach.ALL

    async def get(self) -> None:
        """Everything as it stands now."""
        queues = await self.services.task_figures.show_queues(self.actor)
        workers = await self.services.task_figures.list_workers(self.actor, PageQuery(page_size=100))
        ready = await self.services.health.ready()
        screen = Screen(
            "admin_overview.html",
            title=(self.t("admin.overview"),),
            data={"poll_ms": POLL_MS},
            groups=("admin", "shell"),
            scripts=("shell.js", "admin.js"),
            sheets=_SHEETS,
        )
        self.show(screen, tab="overview", ready=shape(ready), queues=shape(queues), workers=shape(workers))


class DeadLettersPage(PageHandler):
    """/admin/dead-letters: error, send again, discard."""

    access = OPERATORS
    reach = Reach.ALL

    async def get(self) -> None:
        """The latest first, of one queue or of all."""
        queue, done = self.get_query_argument("queue", ""), self.get_query_argument("done", "")
        query = DeadLetterQuery(queue=queue if queue in QUEUES else None, page=self._page(), page_size=PAGE_SIZE)
        listed = await self.services.dead_letters.list(self.actor, query)
        self.show(
            _screen("admin_dead_letters.html", self.t("admin.dead_letters")),
            tab="dead_letters",
            listed=shape(listed),
            paths={letter.id: letter_path(letter.id) for letter in listed.items},
            queue=query.queue,
            queues=QUEUES,
            done=done if done in _ACTS else "",
        )

    def _page(self) -> int:
        text = self.get_query_argument("page", "1")
        return max(1, int(text)) if text.isdecimal() and len(text) <= _MAX_PAGE_DIGITS else 1


class DeadLetterPage(PageHandler):
    """/admin/dead-letters/{id}: all that is known of one."""

    access = OPERATORS
    reach = Reach.ALL

    async def get(self, job_id: str) -> None:
        """What it was to do, and why it could not be done."""
        letter = shape(await self.services.dead_letters.show(self.actor, job_id))
        screen = _screen("admin_dead_letter.html", letter["task"], self.t("admin.dead_letters"))
        self.show(screen, tab="dead_letters", letter=letter, path=letter_path(job_id), facts=_facts(letter["args"]))


class DeadLetterAct(PageHandler):
    """What the buttons do without scripts."""

    access = OPERATORS
    reach = Reach.ALL

    async def post(self, job_id: str, act: str) -> None:
        """Send it again, or discard it; then back to the others."""
        if act not in _ACTS:
            raise Refused(Code.NOT_FOUND)
        letters = self.services.dead_letters
        await (letters.retry(self.actor, job_id) if act == "retry" else letters.discard(self.actor, job_id))
        self.redirect(f"/admin/dead-letters?done={act}", status=303)


_ACTS = ("retry", "discard")


def letter_path(job_id: str) -> str:
    """Where a dead letter is, in pages and below /api/v1 alike; ids may hold a timezone's slash."""
    return f"/admin/dead-letters/{quote(job_id, safe='')}"


def _screen(template: str, *title: str) -> Screen:
    return Screen(template, title=title, groups=("errors",), scripts=("shell.js", "sending.js"), sheets=_SHEETS)


def _facts(value: Any, name: str = "") -> list[tuple[str, str]]:
    """The arguments as rows: dotted name and value."""
    if isinstance(value, dict):
        return [row for key, inner in value.items() for row in _facts(inner, f"{name}.{key}" if name else str(key))]
    if isinstance(value, list):
        return [row for place, inner in enumerate(value) for row in _facts(inner, f"{name}.{place}")]
    return [(name, "–" if value is None else str(value))]


PAGES = [
    (r"/admin/?", AdminPage),
    (r"/admin/dead-letters/?", DeadLettersPage),
    (r"/admin/dead-letters/([^/]+)/?", DeadLetterPage),
    (r"/admin/dead-letters/([^/]+)/([a-z]+)", DeadLetterAct),
]
