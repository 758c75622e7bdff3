"""Work that has no points, and what nobody has graded: pages and notifications say so in words, never "0 of 0"."""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
import pytest

from tests import factories
from tests.clients import Visitor
from tests.conftest import settings_on
from tests.house import House, open_house
from tests.rest.test_gradebook import sit
from tests.rest.test_own_pages import cookie_client
from tests.working import idle, working

_NOTHING_OF_NOTHING = re.compile(r"\b0 ?(of|/|من) ?0\b")
_CATEGORIES = [
    {"name": "Tests", "weight": 50, "takes": "quizzes"},
    {"name": "Work", "weight": 50, "takes": "assignments"},
]
_SAID = {
    "en": {
        "/assignments": "Essay",
        "/courses/{slug}/grades": "Tests – – 0%",
        "/quizzes/{quiz_id}": "Not graded",
        "/attempts/{attempt_id}/results": "There are no points to be had in this quiz.",
        "/assignments/{assignment_id}": "There are no points to be had here.",
        "/teach/courses/{course_id}/gradebook": "Essay Not graded",
        "/teach/courses/{course_id}/assignments": "Nothing handed in yet",
    },
    "ar": {
        "/courses/{slug}/grades": "بلا درجات",
        "/quizzes/{quiz_id}": "بلا درجات",
        "/attempts/{attempt_id}/results": "لا درجات في هذا الاختبار.",
        "/assignments/{assignment_id}": "لا درجات في هذا الواجب.",
        "/teach/courses/{course_id}/gradebook": "بلا درجات",
        "/teach/courses/{course_id}/assignments": "لم يُسلَّم شيء بعد",
    },
}


@pytest.fixture(scope="module")
async def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """A school; where its data lies makes no difference to pages."""
    async with open_house(settings_on("embedded", request, tmp_path_factory.mktemp("no_points"))) as opened:
        yield opened


@dataclass
class Course:
    """A course whose quiz and whose assignment, both done and graded, have no points."""

    teacher: Visitor
    student: Visitor
    slug: str
    ids: dict[str, str]

    @property
    def pages(self) -> dict[str, Visitor]:
        """Every page that tells of grades, and who looks at it."""
        own = ("/home", "/assignments", "/courses/{slug}", "/courses/{slug}/grades", "/quizzes/{quiz_id}")
        done = ("/attempts/{attempt_id}/results", "/assignments/{assignment_id}")
        taught = ("gradebook", "gradebook/{student_id}", "assignments")
        desk = ("/teach/assignments/{assignment_id}?state=all", "/teach/quizzes/{quiz_id}/live")
        staff = (*(f"/teach/courses/{{course_id}}/{page}" for page in taught), *desk)
        return dict.fromkeys((*own, *done), self.student) | dict.fromkeys(staff, self.teacher)

    def path(self, page: str) -> str:
        return page.format_map({**self.ids, "slug": self.slug})


@pytest.fixture(scope="module")
async def course(house: House) -> Course:
    teacher, student = await house.teacher(), await house.student("Mona Aziz")
    made = await factories.course(teacher)
    await factories.enrolled(student, made["id"])
    await teacher.ok("PATCH", f"/courses/{made['id']}/gradebook", json={"categories": _CATEGORIES})
    quiz = await factories.quiz(teacher, made["id"], ({**factories.TRUE_FALSE, "points": 0},))
    attempt_id = await sit(student, quiz["id"], 1)
    work = await factories.handed_in(teacher, student, made["id"], points=0)
    await teacher.ok("POST", "/assignments", json={"course_id": made["id"], "title": "Nobody's", "is_published": True})
    mark = {"grade": 0, "feedback": "Well argued."}
    await teacher.ok("POST", f"/assignments/submissions/{work['submission_id']}/grade", json=mark)
    await house.services.relay.sweep(minimum_age_ms=0)
    async with working(house):
        await idle(house.services)
    ids = {**work, "course_id": made["id"], "quiz_id": quiz["id"], "attempt_id": attempt_id}
    return Course(teacher, student, made["slug"], ids | {"student_id": student.user_id})


def words(reply: httpx.Response) -> str:
    assert reply.status_code == 200, reply.text
    shown = re.sub(r"<script\b.*?</script>|<[^>]+>", " ", reply.text, flags=re.DOTALL)
    return " ".join(html.unescape(shown).split())


@pytest.mark.parametrize("language", ["en", "ar"])
async def test_no_page_shows_nothing_of_nothing(house: House, course: Course, language: str) -> None:
    for page, visitor in course.pages.items():
        async with cookie_client(house, visitor.tokens["access_token"]) as browser:
            shown = words(await browser.get(course.path(page), headers={"Accept-Language": language}))
        assert not _NOTHING_OF_NOTHING.search(shown), f"{page}: {shown}"
        assert _SAID[language].get(page, "") in shown, f"{page}: {shown}"


async def test_a_course_whose_lessons_are_all_drafts_has_none_to_be_done(house: House) -> None:
    teacher, student = await house.teacher(), await house.student()
    made = await factories.course(teacher)
    await factories.enrolled(student, made["id"])
    (lesson,) = (await teacher.ok("GET", f"/courses/{made['id']}/lessons"))["items"]
    await teacher.ok("PATCH", f"/lessons/{lesson['id']}", json={"is_published": False})
    async with cookie_client(house, student.tokens["access_token"]) as browser:
        for path in ("/home", f"/courses/{made['slug']}"):
            shown = words(await browser.get(path))
            assert ("No lesson is published yet." in shown, _NOTHING_OF_NOTHING.search(shown)) == (True, None), path


async def test_who_is_told_of_such_work_is_named_no_grade(course: Course) -> None:
    told = (await course.student.ok("GET", "/notifications"))["items"]
    (notice,) = [one for one in told if one["kind"] == "assignment.graded"]
    assert (notice["title"], notice["body"]) == ("Essay is graded", "Your teacher has looked at your work.")
