"""The demo school's courses: made by the services like any others, once, in a school that has none. Quizzes come after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from documents.course import Course
from documents.user import User
from lms_rt.contracts.accounts import find_email_key
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.base import read_model
from lms_rt.contracts.courses import CourseDraft
from lms_rt.contracts.enrollments import EnrollmentDraft
from lms_rt.contracts.lessons import LessonDraft
from lms_rt.security.permissions import permissions_of
from lms_rt.services.courses import Courses
from lms_rt.services.demo import STUDENT_EMAILS, TEACHER_EMAIL
from lms_rt.services.demo_course_texts import DEMO_COURSES, DemoCourse, DemoLesson
from lms_rt.services.enrollments import Enrollments
from lms_rt.services.lessons import Lessons
from lms_rt.services.progress import Progress


@dataclass(frozen=True, slots=True)
class MadeCourse:
    """A demo course that was made just now: its key, its id, and the lesson that waits for a quiz, if one does."""

    key: str
    course_id: str
    quiz_lesson_id: str | None


class DemoCourses:
    """Makes the courses of the demo school, its class already in them."""

    def __init__(self, *, courses: Courses, lessons: Lessons, enrollments: Enrollments, progress: Progress) -> None:
        self._courses, self._lessons = courses, lessons
        self._enrollments, self._progress = enrollments, progress

    async def ensure(self) -> Sequence[MadeCourse]:
        """Make the courses, when there is no course at all and the demo's teacher is there; what was made."""
        teacher = await find_actor(TEACHER_EMAIL)
        if teacher is None or not await Course.is_empty():
            return ()
        students = [one for email in STUDENT_EMAILS if (one := await find_actor(email)) is not None]
        return [await self._make(teacher, students, planned) for planned in DEMO_COURSES]

    async def _make(self, teacher: Actor, students: Sequence[Actor], planned: DemoCourse) -> MadeCourse:
        course = await self._courses.create(teacher, read_model(CourseDraft, dict(planned.fields)))
        lesson_ids = [await self._add(teacher, course.id, lesson) for lesson in planned.lessons]
        await self._courses.publish(teacher, course.id)
        for place, student in enumerate(students[: planned.students]):
            enrolled = await self._enrollments.enroll(student, EnrollmentDraft(course_id=course.id))
            # some are ahead of others, and nobody has finished: there is something left to try
            for lesson_id in lesson_ids[: place % len(lesson_ids)]:
                await self._progress.complete_lesson(student, enrolled.view.id, lesson_id)
        kinds = zip(lesson_ids, planned.lessons, strict=True)
        quiz_lesson_id = next((lesson_id for lesson_id, lesson in kinds if lesson.content_type == "quiz"), None)
        return MadeCourse(planned.key, course.id, quiz_lesson_id)

    async def _add(self, teacher: Actor, course_id: str, planned: DemoLesson) -> str:
        fields = {
            "title": planned.title,
            "content": planned.content,
            "content_type": planned.content_type,
            "duration_minutes": planned.duration_minutes,
            "is_free": planned.is_free,
            "video_url": planned.video_url,
            "is_published": True,
        }
        return (await self._lessons.create(teacher, course_id, read_model(LessonDraft, fields))).id


async def find_actor(email: str) -> Actor | None:
    """Somebody of the demo school, as who acts."""
    key = find_email_key(email)
    user = None if key is None else await User.find_by_email_key(key)
    if user is None:
        return None
    return Actor(user.id, user.role, permissions_of(user.role, user.permissions), full_name=user.full_name)
