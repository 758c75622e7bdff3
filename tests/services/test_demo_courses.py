"""The demo school's courses: made once, complete, in both languages, with the class in them."""

from __future__ import annotations

from config.settings import Settings
from lms_rt.contracts.actor import STRANGER
from lms_rt.contracts.courses import CourseQuery
from lms_rt.contracts.enrollments import RosterQuery
from lms_rt.services.demo_courses import DemoCourses
from lms_rt.storage.mongo import OpenDatabase
from tests.services.people import open_people
from tests.services.school import ADMIN, School, open_school


def demo_of(school: School) -> DemoCourses:
    return DemoCourses(
        courses=school.courses, lessons=school.lessons, enrollments=school.enrollments, progress=school.progress
    )


async def test_the_courses_are_made_once(settings: Settings, database: OpenDatabase) -> None:
    async with open_people(settings) as people, open_school() as school:
        assert await demo_of(school).ensure() == ()
        await people.demo.ensure()
        made = await demo_of(school).ensure()
        assert await demo_of(school).ensure() == ()
        page = await school.courses.list(STRANGER, CourseQuery())
        assert [view.title for view in page.items if view.lessons_count and view.description] == [
            view.title for view in page.items
        ]
        assert {one.key for one in made if one.quiz_lesson_id} == {"algebra", "statistics"}
        assert [view.title for view in page.items if "أ" in view.title] == ["أساسيات الإحصاء"]
        assert {view.instructor_name for view in page.items} == {"Tamar Teacher"}
        algebra = next(one for one in made if one.key == "algebra")
        roster = await school.enrollments.list_students(ADMIN, algebra.course_id, RosterQuery(page_size=100))
        assert roster.total == 30
        assert {row.status for row in roster.items} == {"active"}
        shown = await school.courses.show(ADMIN, algebra.course_id)
        assert shown.enrollments_count == 30
        assert {lesson.content_type for lesson in shown.lessons} == {"text", "video", "document", "quiz"}
        assert all(lesson.content_html for lesson in shown.lessons)
