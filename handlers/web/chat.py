"""The chat of a course as a page: what was said, and a field to say more, which works without scripts too. Live it is chat.js."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from handlers.rest.access import SIGNED_IN
from handlers.web.base import PageHandler, Screen, shape
from lms_rt.contracts.base import CursorQuery, read_model
from lms_rt.contracts.chat import MAX_TEXT, MessageDraft
from lms_rt.contracts.courses import CourseDetailView
from lms_rt.errors import Code, Refused
from lms_rt.ids import new_id
from lms_rt.security.rights import Reach
from lms_rt.services.chat import EDIT_TIME

SHOWN = 30
CHAT_GROUPS = ("chat", "errors")
"""The words that chat.js needs."""
_SHEETS = ("pages.css", "chat.css")
_LINK = re.compile(r"https?://[^\s<>\"']{1,500}")
_BEHIND = ".,;:!?)]}»”’،؛؟"


class ChatPage(PageHandler):
    """/courses/{slug}/chat."""

    access = SIGNED_IN
    reach = Reach.INSIDE

    async def get(self, slug: str) -> None:
        """The newest of it, the oldest on top; who is not in the course is sent to its page."""
        course = await self.services.courses.show(self.actor, slug)
        try:
            await self._show(course)
        except Refused as refused:
            if refused.code is not Code.NOT_ENROLLED:
                raise
            self.redirect(f"/courses/{course.slug}", status=303)

    async def post(self, slug: str) -> None:
        """Say something, or take something back."""
        course = await self.services.courses.show(self.actor, slug)
        chat = self.services.chat
        try:
            if message_id := self.field("remove"):
                await chat.remove(self.actor, message_id, course_id=course.id)
            else:
                draft = read_model(MessageDraft, {"text": self.field("text"), "op_id": self.field("op_id") or None})
                await chat.send(self.actor, course.id, draft)
        except Refused as refused:
            if refused.code in {Code.NOT_ENROLLED, Code.NOT_FOUND}:
                raise
            self.set_status(422)
            await self._show(course, refused)
            return
        self.redirect(f"/courses/{course.slug}/chat#newest", status=303)

    async def _show(self, course: CourseDetailView, refused: Refused | None = None) -> None:
        query = CursorQuery.model_validate({"limit": SHOWN, "after": self._place()})
        page = await self.services.chat.list(self.actor, course.id, query)
        shown = shape(page)
        screen = Screen(
            "chat.html",
            title=(self.t("chat.title"), course.title),
            data={"chat": chat_facts(course)},
            groups=CHAT_GROUPS,
            scripts=("shell.js", "chat.js"),
            sheets=_SHEETS,
        )
        self.show(
            screen,
            course=shape(course),
            chat=shown | {"items": [one | {"parts": list(parts_of(one["text"]))} for one in shown["items"][::-1]]},
            typed=self.field("text") if refused else "",
            refusal=self._words_of(refused),
            op_id=new_id("op"),
            most=MAX_TEXT,
            changeable_from=self.services.clock.now() - EDIT_TIME,
            is_newest=query.after is None,
        )

    def _place(self) -> str | None:
        """The place in the chat that the address names; what is none counts as not said."""
        after = self.get_query_argument("after", "")
        return after if after.isascii() and after.isdigit() and len(after) < 18 else None

    def _words_of(self, refused: Refused | None) -> str:
        if refused is None:
            return ""
        if "muted_until" in refused.data:
            return self.t("chat.muted_short")
        key = f"errors.{refused.code.code}"
        return self.t(key) if self.t.knows(key) else refused.detail


def chat_facts(course: CourseDetailView) -> dict[str, Any]:
    """What chat.js has to know of the course."""
    return {
        "course_id": course.id,
        "instructor": {"id": course.instructor_id, "name": course.instructor_name},
        "edit_ms": int(EDIT_TIME.total_seconds() * 1000),
        "most": MAX_TEXT,
    }


def parts_of(text: str) -> Iterator[tuple[str, str]]:
    """The text as plain words and links, in their order; a full stop behind a link is none of it."""
    end = 0
    for found in _LINK.finditer(text):
        address = found[0].rstrip(_BEHIND)
        if found.start() > end:
            yield "words", text[end : found.start()]
        yield "link", address
        end = found.start() + len(address)
    if end < len(text):
        yield "words", text[end:]


PAGES = [(r"/courses/([^/]+)/chat/?", ChatPage)]
