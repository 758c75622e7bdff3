"""The lesson player: lessons beside the content, what was done, and Complete, which works without scripts too."""

from __future__ import annotations

from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from handlers.rest.access import SIGNED_IN
from handlers.web.base import PageHandler, Screen, shape
from handlers.web.catalogue import present_enrollment
from handlers.web.chat import CHAT_GROUPS, chat_facts
from handlers.web.lesson_state import lock_of, moments_of, next_lesson, quiz_of, track_of
from lms_rt.contracts.assignments import AssignmentQuery
from lms_rt.contracts.courses import CourseDetailView
from lms_rt.contracts.enrollments import EnrollmentView
from lms_rt.contracts.files import FileView, LinkDraft
from lms_rt.contracts.lessons import LessonView
from lms_rt.errors import Code, Refused
from lms_rt.security.rights import Reach
from lms_rt.services.picture_sizes import sized

_SHEETS = ("pages.css", "learn.css")


class CourseStart(PageHandler):
    """/learn/{slug}: on to the first lesson that is open and not completed."""

    access = SIGNED_IN
    reach = Reach.VISIBLE

    async def get(self, slug: str) -> None:
        """Send the reader to their next lesson, or to the course when there is none."""
        course = await self.services.courses.show(self.actor, slug)
        lesson = next_lesson(course, await present_enrollment(self, course))
        place = f"/learn/{course.slug}/{lesson.slug}" if lesson else f"/courses/{course.slug}"
        self.redirect(place, status=303)


class LessonPage(PageHandler):
    """/learn/{slug}/{lesson}."""

    access = SIGNED_IN
    reach, form_reach = Reach.INSIDE, Reach.LEARNER

    async def get(self, slug: str, name: str) -> None:
        """The lesson, or why it is locked; who may not read it is sent to the course's page."""
        course = await self.services.courses.show(self.actor, slug)
        lesson = _require_lesson(course, name)
        try:
            lesson = await self._opened(course, lesson)
        except Refused as refused:
            if refused.code is not Code.NOT_ENROLLED:
                raise
            self.redirect(f"/courses/{course.slug}", status=303)
            return
        await self._show(course, lesson)

    async def post(self, slug: str, name: str) -> None:
        """Complete, and go on."""
        course = await self.services.courses.show(self.actor, slug)
        lesson = _require_lesson(course, name)
        if course.enrollment_id is None:
            raise Refused(Code.NOT_ENROLLED)
        try:
            await self.services.progress.complete_lesson(self.actor, course.enrollment_id, lesson.id)
        except Refused as refused:
            if refused.code is Code.NOT_ENROLLED:
                raise
            await self._show(course, lesson, refused)
            return
        following = _following(course, lesson)
        self.redirect(f"/learn/{course.slug}/{(following or lesson).slug}", status=303)

    async def _opened(self, course: CourseDetailView, lesson: LessonView) -> LessonView:
        """With its content; a locked one as the course has it, without."""
        try:
            return await self.services.lessons.show(self.actor, lesson.id, course_id=course.id)
        except Refused as refused:
            if refused.code is Code.FORBIDDEN and lesson.is_locked:
                return lesson
            raise

    async def _show(self, course: CourseDetailView, lesson: LessonView, refused: Refused | None = None) -> None:
        enrollment = await present_enrollment(self, course)
        shown = None if enrollment is None else shape(enrollment)
        progress_of: dict[str, Any] = {row["lesson_id"]: row for row in shown["progress"]} if shown else {}
        row = progress_of.get(lesson.id)
        file = await self._file_of(lesson)
        media = await self._media(lesson, file)
        screen = Screen(
            "lesson.html",
            title=(lesson.title, course.title),
            data=self._data(course, lesson, row, enrollment) | {"chat": chat_facts(course)},
            groups=("course", "learn", *CHAT_GROUPS),
            scripts=("shell.js", "learn.js", *(("chat.js",) if enrollment else ())),
            sheets=(*_SHEETS, "chat.css"),
        )
        self.show(
            screen,
            course=shape(course),
            lesson=shape(lesson) | {"content_html": await sized(lesson.content_html)},
            lock=lock_of(course, lesson),
            has_chat=enrollment is not None,
            media=media,
            captions=await self._captions(lesson) if media is not None and media["kind"] == "video" else [],
            file=None if file is None else shape(file),
            quiz=quiz_of(lesson, enrollment),
            assignments=await self._assignments(lesson),
            enrollment=shown,
            own=row,
            progress_of=progress_of,
            following=_following(course, lesson),
            refusal=refused.code.code if refused else "",
        )

    def _data(
        self,
        course: CourseDetailView,
        lesson: LessonView,
        row: dict[str, Any] | None,
        enrollment: EnrollmentView | None,
    ) -> dict[str, Any]:
        """What the player's script gets."""
        return {
            "course_id": course.id,
            "lesson_id": lesson.id,
            "enrollment_id": None if enrollment is None else enrollment.id,
            "is_completed": bool(row) and row["status"] == "completed" if row else False,
            "is_locked": lesson.is_locked,
            "position_seconds": row["last_position_seconds"] if row else 0,
            "file_id": lesson.file_id,
            "moments": moments_of(course),
        }

    async def _file_of(self, lesson: LessonView) -> FileView | None:
        """The lesson's file, if it holds one that is there."""
        if lesson.file_id is None:
            return None
        try:
            return await self.services.files.show(self.actor, lesson.file_id)
        except Refused:
            return None

    async def _captions(self, lesson: LessonView) -> list[dict[str, Any]]:
        """What is shown below the film, that in the page's language first; by addresses that do not end while it plays."""
        tracks = []
        for file_id in lesson.caption_file_ids or ():
            with suppress(Refused):
                tracks.append(track_of(await self.services.files.show(self.actor, file_id), self.t.language))
        tracks.sort(key=lambda track: track["language"] != self.t.language)
        return [{**track, "is_first": place == 0} for place, track in enumerate(tracks)]

    async def _assignments(self, lesson: LessonView) -> list[dict[str, Any]]:
        """The lesson's assignments, and how they stand for the reader."""
        if not lesson.assignment_ids or lesson.is_locked:
            return []
        asked = AssignmentQuery(course_id=lesson.course_id, lesson_id=lesson.id, is_published=True, sort="due_date")
        return list(shape(await self.services.assignments.list(self.actor, asked))["items"])

    async def _media(self, lesson: LessonView, file: FileView | None) -> dict[str, str] | None:
        """What the player plays, by a link that needs no header; films elsewhere are opened: pages load from nowhere else."""
        if file is not None and file.file_type in {"video", "audio"}:
            draft = LinkDraft(disposition="inline")
            link = await self.services.file_downloads.link(self.actor, file.id, draft)
            return {"kind": file.file_type, "src": link.url}
        parts = urlsplit(lesson.video_url or "")
        is_own = not parts.netloc or parts.netloc == self.request.host
        return {"kind": "video", "src": lesson.video_url} if lesson.video_url and is_own else None


def _require_lesson(course: CourseDetailView, name: str) -> LessonView:
    for lesson in course.lessons:
        if name in {lesson.slug, lesson.id}:
            return lesson
    raise Refused(Code.NOT_FOUND)


def _following(course: CourseDetailView, lesson: LessonView) -> LessonView | None:
    ids = [other.id for other in course.lessons]
    place = ids.index(lesson.id) + 1 if lesson.id in ids else len(ids)
    return course.lessons[place] if place < len(ids) else None


PAGES = [(r"/learn/([^/]+)/?", CourseStart), (r"/learn/([^/]+)/([^/]+)", LessonPage)]
