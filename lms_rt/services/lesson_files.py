"""The file that a lesson holds, its captions, and those that its text names: hung on it before the lesson names it, taken off after, and read by who may open the lesson.

So no file is left in a lesson without its use. What files are, and how they are fetched, is `files.py`'s.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from documents.course import Course
from documents.enrollment import Enrollment
from documents.stored_file import FileUse
from lms_rt.clock import from_ms
from lms_rt.contracts.actor import Actor
from lms_rt.errors import invalid
from lms_rt.security.access.courses import is_visible
from lms_rt.security.access.lessons import lock_of
from lms_rt.services.file_access import Asked
from lms_rt.services.file_mentions import file_ids_in
from lms_rt.services.files import Files

FILE_FIELDS = ("file_id", "caption_file_ids", "content")
"""By these a lesson names files."""
CAPTIONS_TYPE = "text/vtt"
Load = Callable[[], Awaitable[Course]]


class LessonFiles:
    """Hangs files on lessons; where there are no `files`, lessons hold none."""

    def __init__(self, files: Files | None = None) -> None:
        self._files = files

    @asynccontextmanager
    async def hung_on(self, actor: Actor, lesson_id: str, load: Load, given: Mapping[str, Any]) -> AsyncIterator[None]:
        """Around the write that names a lesson's files: afterwards the lesson's own hang on it, whatever came of the write."""
        for field_name, file_ids in _named(given).items():
            await self._hang(actor, lesson_id, load, file_ids=file_ids, field_name=field_name)
        try:
            yield
        finally:
            await self.take_off(lesson_id)

    async def take_off(self, lesson_id: str) -> None:
        """Take off whatever the lesson does not name any more; all, when it is gone."""
        if self._files is None:
            return
        course = await Course.find_whole_of_lesson(lesson_id)
        named: list[str] = []
        if course is not None:
            lesson = course.lessons[lesson_id]
            given = {name: getattr(lesson, name) for name in FILE_FIELDS}
            named = [file_id for file_ids in _named(given).values() for file_id in file_ids]
        await self._files.detach(FileUse.LESSON, lesson_id, keep=named)

    async def _hang(
        self, actor: Actor, lesson_id: str, load: Load, *, file_ids: Sequence[str], field_name: str
    ) -> None:
        if self._files is None:
            raise invalid(field_name, "There is no such file of yours.", "unknown_file")
        if field_name == "caption_file_ids":
            await self._require_captions(file_ids)
        course = await load()  # who may not change the course hangs nothing on it
        await self._files.attach(
            actor, file_ids, use=FileUse.LESSON, subject_id=lesson_id, course_id=course.id, field_name=field_name
        )

    async def _require_captions(self, file_ids: Sequence[str]) -> None:
        """Whose they are is asked after that: of a file that is none, nothing is told but that."""
        found = {} if self._files is None else await self._files.views(file_ids)
        if any(view.mime_type != CAPTIONS_TYPE for view in found.values()):
            raise invalid("caption_file_ids", "Captions are WebVTT files (.vtt).", "no_captions")


def _named(given: Mapping[str, Any]) -> dict[str, list[str]]:
    """The files that the fields of a lesson name, by field."""
    file_id = given.get("file_id")
    found = {
        "file_id": [] if file_id is None else [file_id],
        "caption_file_ids": list(given.get("caption_file_ids") or ()),
        "content": file_ids_in(given.get("content") or ""),
    }
    return {name: file_ids for name, file_ids in found.items() if file_ids}


async def may_read_of_lesson(asked: Asked) -> bool:
    """The rule for files of lessons: who is in the course, once the lesson is open; of a free one, who may know of the course."""
    head = asked.course
    if head is None or asked.subject_id not in head.published_lesson_ids or not is_visible(asked.actor, head):
        return False
    enrollment = None if asked.actor.is_stranger else await Enrollment.find_of(asked.actor.user_id, head.id)
    if enrollment is None or not enrollment.is_present(asked.now_ms):
        enrollment = None
        course = await Course.find_whole(head.id)
        lesson = None if course is None else course.lessons.get(asked.subject_id)
        if lesson is None or not lesson.is_free:
            return False
    return lock_of(head, asked.subject_id, enrollment, from_ms(asked.now_ms)) is None
