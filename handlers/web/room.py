"""The quiz room: the first view of an attempt, the empty shell for a reload without a line, and its service worker.

What the room does lives in `static/room*.js`; whether an answer counts, the services decide.
"""

from __future__ import annotations

import gzip
from asyncio import Future
from typing import Any

from tornado.web import RequestHandler

from handlers.rest.access import PUBLIC, SIGNED_IN
from handlers.web.assets import assets
from handlers.web.base import PageHandler, Screen, shape
from lms_rt.errors import Code, Refused
from lms_rt.security.rights import Reach

_SCRIPTS = ("shell.js", "room.js")
_SHEETS = ("room.css",)
_GROUPS = ("room", "errors")


class RoomPage(PageHandler):
    """/attempts/{id}: for the student who sits it; those who teach it are sent to what they may see."""

    access = SIGNED_IN
    reach = Reach.SHARED
    has_shell = False

    async def get(self, attempt_id: str) -> None:
        """The attempt with its first question."""
        attempt = await self.services.attempts.show(self.actor, attempt_id)
        if attempt.student_id != self.actor.user_id:
            self.redirect(f"/attempts/{attempt_id}/results", status=303)
            return
        shown = shape(attempt)
        course_title = await self._course_title(attempt.course_id)
        screen = Screen(
            "room.html",
            title=(attempt.quiz_title, course_title),
            data={"attempt": shown, "course_title": course_title, "assets": _shell_assets()},
            groups=_GROUPS,
            scripts=_SCRIPTS,
            sheets=_SHEETS,
        )
        self.show(screen, attempt=shown, course_title=course_title)

    def finish(self, chunk: str | bytes | dict[str, Any] | None = None) -> Future[None]:
        """Compressed, as a long paper needs; there is no secret in this page that its size could give away."""
        if isinstance(chunk, str) and "gzip" in self.request.headers.get("Accept-Encoding", ""):
            self.set_header("Content-Encoding", "gzip")
            self.set_header("Vary", "Cookie, Accept-Language, Accept-Encoding")
            chunk = gzip.compress(chunk.encode(), 6, mtime=0)
        return super().finish(chunk)

    async def _course_title(self, course_id: str) -> str:
        """The course's title; an attempt goes on also where its course can no longer be seen."""
        try:
            return str((await self.services.courses.show(self.actor, course_id)).title)
        except Refused as refused:
            if refused.code is Code.UNAVAILABLE:
                raise
            return ""


class RoomShell(PageHandler):
    """/room-shell: the room without any attempt or reader, which the service worker keeps for a reload without a line."""

    access = PUBLIC
    has_shell = False

    def get(self) -> None:
        """The frame, the scripts and the words; the attempt comes from this device's own store."""
        data: dict[str, Any] = {"attempt": None, "course_title": "", "assets": []}
        screen = Screen(
            "room.html",
            title=(self.t("room.title"),),
            data=data,
            groups=_GROUPS,
            scripts=_SCRIPTS,
            sheets=_SHEETS,
        )
        self.show(screen, attempt=None, course_title="")

    async def prepare(self) -> None:
        """Language and theme only: whoever asks, it is the same, and nobody's name is in it."""
        self.choose_looks()


class ServiceWorker(RequestHandler):
    """/sw.js: at the root, so that it may answer for the room's addresses."""

    def get(self) -> None:
        """The script, looked at again by the browser each time."""
        self.set_header("Content-Type", "text/javascript; charset=utf-8")
        self.set_header("Cache-Control", "no-cache")
        self.finish(assets().files["sw.js"].content)

    head = get


def _shell_assets() -> list[str]:
    """What the shell needs besides itself: its scripts with all that they import, its sheets, its mark."""
    found = assets()
    names = ("early.js", *_SCRIPTS, *found.imports_of(_SCRIPTS), "app.css", "components.css", *_SHEETS, "mark.svg")
    return [found.path(name) for name in dict.fromkeys(names)]


PAGES = [
    (r"/attempts/([^/]+)/?", RoomPage),
    (r"/room-shell", RoomShell),
    (r"/sw\.js", ServiceWorker),
]
