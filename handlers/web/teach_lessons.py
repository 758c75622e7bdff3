"""The tab of a course's lessons: the list, and the form of the one that the address names. The other tabs are `teaching.py`'s."""

from __future__ import annotations

from typing import Any

from handlers.web.base import PageHandler, shape
from lms_rt.contracts.courses import CourseDetailView
from lms_rt.errors import Code, Refused

SCRIPTS = ("file-picker.js", "teach-lesson.js")
GROUPS = ("files", "stats")
SHEETS = ("files.css",)


async def values_of(page: PageHandler, course: CourseDetailView) -> dict[str, Any]:
    """What the tab shows; `?lesson=` opens the form of one, or ("new") of another one."""
    wanted = page.get_query_argument("lesson", "")
    chosen = next((lesson for lesson in course.lessons if lesson.id == wanted), None)
    if wanted and wanted != "new" and chosen is None:
        raise Refused(Code.NOT_FOUND)
    file = None if chosen is None else await _file_of(page, chosen.file_id)
    captions = [] if chosen is None else [await _file_of(page, one) for one in chosen.caption_file_ids or ()]
    return {
        "chosen": None if chosen is None else shape(chosen),
        "is_new": wanted == "new",
        "files": [] if file is None else [file],
        "captions": [one for one in captions if one is not None],
    }


async def _file_of(page: PageHandler, file_id: str | None) -> dict[str, Any] | None:
    """A file of the lesson, if it has one that is there."""
    if file_id is None:
        return None
    try:
        return shape(await page.services.files.show(page.actor, file_id))
    except Refused:
        return None
