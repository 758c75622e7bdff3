"""The lesson player: lessons beside the content, what was done, and Complete, which works without scripts too."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from handlers.rest.access import SIGNED_IN
from handlers.web.base import PageHandler, Screen, shape
from handlers.web.catalogue import present_enrollment
from lms_rt.contracts.courses import CourseDetailView
from lms_rt.contracts.lessons import LessonView
from lms_rt.errors import Code, Refused
from lms_rt.security.rights import Reach

_SHEETS = ("pages.css",)


class CourseStart(PageHandler):
    """/learn/{slug}: on to the first lesson that is not completed."""

    access = SIGNED_IN
    reach = Reach.VISIBLE

    async def get(self, slug: str) -> None:
        """Send the reader to their next lesson, or to the course when there is none."""
        course = await self.services.courses.show(self.actor, slug)
        enrollment = await present_enrollment(self, course)
        done = {row.lesson_id for row in enrollment.progress if row.status == "completed"} if enrollment else set()
        waiting = [lesson for lesson in course.lessons if lesson.id not in done] or course.lessons
        place = f"/learn/{course.slug}/{waiting[0].slug}" if waiting else f"/courses/{course.slug}"
        self.redirect(place, status=303)


class LessonPage(PageHandler):
    """/learn/{slug}/{lesson}."""

    access = SIGNED_IN
    reach, form_reach = Reach.INSIDE, Reach.LEARNER

    async def get(self, slug: str, name: str) -> None:
        """The lesson; who may not read it is sent to the course's page."""
        course = await self.services.courses.show(self.actor, slug)
        lesson = _require_lesson(course, name)
        try:
            lesson = await self.services.lessons.show(self.actor, lesson.id, course_id=course.id)
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

    async def _show(self, course: CourseDetailView, lesson: LessonView, refused: Refused | None = None) -> None:
        enrollment = await present_enrollment(self, course)
        shown = None if enrollment is None else shape(enrollment)
        progress_of: dict[str, Any] = {row["lesson_id"]: row for row in shown["progress"]} if shown else {}
        row = progress_of.get(lesson.id)
        screen = Screen(
            "lesson.html",
            title=(lesson.title, course.title),
            data={
                "course_id": course.id,
                "lesson_id": lesson.id,
                "enrollment_id": shown["id"] if shown else None,
                "is_completed": bool(row) and row["status"] == "completed" if row else False,
                "position_seconds": row["last_position_seconds"] if row else 0,
                "is_video": bool(self._own_video(lesson)),
            },
            groups=("course", "learn", "errors"),
            scripts=("shell.js", "learn.js"),
            sheets=_SHEETS,
        )
        self.show(
            screen,
            course=shape(course),
            lesson=shape(lesson),
            video=self._own_video(lesson),
            enrollment=shown,
            progress_of=progress_of,
            following=_following(course, lesson),
            refusal=refused.code.code if refused else "",
        )

    def _own_video(self, lesson: LessonView) -> str:
        """The address of a video that this site serves; others are opened by a link: pages load from nowhere else."""
        parts = urlsplit(lesson.video_url or "")
        is_own = not parts.netloc or parts.netloc == self.request.host
        return lesson.video_url or "" if is_own else ""


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
