"""Permissions of one's own are worth what the table says: each opens its part of one's own courses, by REST, page and line.

Somebody with the role of a student has made a course, and holds one of the permissions of teachers, then another.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

import httpx
import pytest

from lms_rt.security.permissions import TEACHING, Permission
from tests import factories
from tests.clients import Visitor
from tests.conftest import settings_on
from tests.house import House, open_house
from tests.live.node_school import Watcher, watching

CREATE, UPDATE, DELETE = Permission.COURSE_CREATE, Permission.COURSE_UPDATE, Permission.COURSE_DELETE
FIGURES, STUDENTS, QUIZZES = Permission.ANALYTICS_VIEW, Permission.ENROLLMENTS_MANAGE, Permission.QUIZZES_MANAGE
ANY = frozenset(TEACHING)
OPENED_BY: dict[str, frozenset[str]] = {
    "GET /courses/me": frozenset({CREATE}),
    "GET /courses/{course_id}": ANY,
    "PATCH /courses/{course_id}": frozenset({UPDATE}),
    "GET /courses/{course_id}/students": frozenset({STUDENTS}),
    "GET /users": frozenset({STUDENTS}),
    "GET /enrollments/{enrollment_id}": frozenset({STUDENTS}),
    "GET /enrollments?course_id={course_id}": frozenset({STUDENTS}),
    "GET /quizzes/{quiz_id}": ANY,
    "GET /quizzes?course_id={course_id}": ANY,
    "GET /questions?quiz_id={quiz_id}": frozenset({QUIZZES}),
    "GET /quizzes/{quiz_id}/live": frozenset({FIGURES}),
    "GET /quizzes/{quiz_id}/statistics": frozenset({FIGURES}),
    "GET /attempts/{attempt_id}": frozenset({FIGURES, QUIZZES}),
    "GET /attempts?quiz_id={quiz_id}": frozenset({FIGURES, QUIZZES}),
    "GET /attempts?course_id={course_id}": frozenset({FIGURES, QUIZZES}),
    "GET /instructors/me": frozenset({CREATE, UPDATE}),
    "GET /instructors/me/dashboard": frozenset({FIGURES}),
    "page /teach": ANY,
    "page /teach/courses/{course_id}/details": ANY,
    "page /teach/courses/{course_id}/students": frozenset({STUDENTS}),
    "page /teach/grading/{quiz_id}": frozenset({QUIZZES}),
    "page /teach/quizzes/{quiz_id}": frozenset({QUIZZES}),
    "page /teach/quizzes/{quiz_id}/live": frozenset({FIGURES}),
    "page /teach/quizzes/{quiz_id}/statistics": frozenset({FIGURES}),
    "page /attempts/{attempt_id}/results": frozenset({FIGURES, QUIZZES}),
    "GET /attempts/{attempt_id}/receipt": frozenset({FIGURES, QUIZZES}),
    "line course:{course_id}": ANY,
    "GET /courses/{course_id}/messages": ANY,
    "GET /courses/{course_id}/chat/mutes": frozenset({STUDENTS}),
    "line course:{course_id}:chat": ANY,
    "line course:{course_id}:staff": frozenset({STUDENTS}),
    "line attempt:{attempt_id}": frozenset({FIGURES, QUIZZES}),
    "line quiz:{quiz_id}:live": frozenset({FIGURES}),
}
"""What is asked for, and the permissions of which one opens it, in a course of one's own that is taken back from view."""


@dataclass
class Aide:
    """A student who has made a course, and may do what an administrator lets them."""

    visitor: Visitor
    admin: Visitor
    browser: httpx.AsyncClient
    line: Watcher
    ids: dict[str, str]

    async def hold(self, *permissions: str) -> None:
        """Hold these permissions, and no others."""
        path = f"/admin/users/{self.visitor.user_id}"
        await self.admin.ok("PATCH", path, json={"permissions": sorted(permissions)})

    async def opens(self, what: str, ids: dict[str, str]) -> bool:
        """Is it open to them, and is there something to be seen?"""
        kind, _, asked = what.partition(" ")
        place = asked.format_map(ids)
        if kind == "page":
            return (await self.browser.get(place)).status_code == 200
        if kind == "line":
            return bool((await self.line.ask("subscribe", channel=place))["ok"])
        body = {"json": {"short_description": "Mine."}} if kind == "PATCH" else {}
        reply = await self.visitor.call(kind, place, **body)
        assert reply.status_code in {200, 403, 404}, reply.text
        return reply.status_code == 200 and reply.json().get("items") != []


@pytest.fixture(scope="module")
async def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """A school; where its data lies makes no difference to permissions."""
    async with open_house(settings_on("embedded", request, tmp_path_factory.mktemp("own"))) as opened:
        yield opened


@pytest.fixture(scope="module")
async def aide(house: House) -> AsyncIterator[Aide]:
    async with AsyncExitStack() as stack:
        visitor, admin, student = await house.student("Aida Aide"), await house.admin(), await house.student()
        browser = httpx.AsyncClient(base_url=house.address, trust_env=False, timeout=30)
        browser.cookies.set("lms_access", visitor.tokens["access_token"])
        line = await stack.enter_async_context(watching(visitor))
        made = Aide(visitor, admin, await stack.enter_async_context(browser), line, {})
        await made.hold(*TEACHING)
        made.ids |= await _taught(visitor, student)
        yield made


async def _taught(teacher: Visitor, student: Visitor) -> dict[str, str]:
    """A course with a student who sits its quiz, taken back from view."""
    course = await factories.course(teacher, title="Aided")
    quiz = await factories.quiz(teacher, course["id"], (factories.TRUE_FALSE,))
    enrollment = await factories.enrolled(student, course["id"])
    attempt = await student.ok("POST", "/attempts", json={"quiz_id": quiz["id"], "device_id": "laptop"})
    body = {"lease": attempt["lease"], "device_id": "laptop"}
    await student.ok("POST", f"/attempts/{attempt['id']}/submit", json=body)
    await _talked(teacher, student, course["id"])
    await teacher.ok("POST", f"/courses/{course['id']}/unpublish")
    named = {"course_id": course["id"], "quiz_id": quiz["id"]}
    return named | {"enrollment_id": enrollment["id"], "attempt_id": attempt["id"]}


async def _talked(teacher: Visitor, student: Visitor, course_id: str) -> None:
    """Something is said in the course's chat, and whoever said it may not write for a while."""
    await student.ok("POST", f"/courses/{course_id}/messages", json={"text": "Hello"})
    muted = {"student_id": student.user_id, "minutes": 60, "reason": "To be kind."}
    await teacher.ok("POST", f"/courses/{course_id}/chat/mutes", json=muted)


@pytest.mark.parametrize("held", [*sorted(TEACHING), ""], ids=lambda name: name or "none")
async def test_each_permission_opens_its_part_and_no_other(aide: Aide, held: str) -> None:
    await aide.hold(*filter(None, [held]))
    opened = {what for what in OPENED_BY if await aide.opens(what, aide.ids)}
    assert opened == {what for what, by in OPENED_BY.items() if held in by}


async def test_all_of_them_together_open_nothing_of_anybody_else(house: House, aide: Aide) -> None:
    await aide.hold(*TEACHING)
    others = await _taught(await house.teacher(), await house.student())
    assert {what for what in OPENED_BY if "{" in what and await aide.opens(what, others)} == set()


async def test_who_lost_the_role_and_holds_nothing_is_a_visitor_of_their_own_course(house: House) -> None:
    teacher, admin = await house.teacher(), await house.admin()
    course = await factories.course(teacher, title="Left behind")
    draft = await teacher.ok("POST", "/courses", json={"title": "Never shown"})
    await admin.ok("PATCH", f"/admin/users/{teacher.user_id}", json={"role": "student"})
    assert (await teacher.ok("GET", f"/courses/{course['id']}"))["lessons"][0]["content"] is None
    await teacher.refused(404, "GET", f"/courses/{draft['id']}")
    await teacher.refused(403, "PATCH", f"/courses/{course['id']}", json={"title": "Mine"})
    await teacher.refused(404, "GET", f"/instructors/{teacher.user_id}")


async def test_who_may_teach_finds_the_way_there_whatever_their_role(aide: Aide) -> None:
    for held, home in (((), "/home"), ((QUIZZES,), "/home"), ((CREATE,), "/teach")):
        await aide.hold(*held)
        start = await aide.browser.get("/signin")
        assert (start.status_code, start.headers["Location"]) == (303, home)
        navigation = (await aide.browser.get("/home")).text.partition("</nav>")[0]
        assert ('href="/teach"' in navigation) == bool(held)


async def test_who_sees_to_webhooks_chooses_how_to_hear_of_them(aide: Aide) -> None:
    for held in ((), (Permission.WEBHOOKS_MANAGE,)):
        await aide.hold(*held)
        shown = await aide.browser.get("/notifications/preferences")
        assert ("webhook.disabled" in shown.text) == bool(held)


async def test_a_teacher_may_learn_in_the_course_of_another(house: House) -> None:
    course = await factories.course(await house.teacher(), title="For all")
    learner = await house.teacher()
    async with httpx.AsyncClient(base_url=house.address, trust_env=False) as browser:
        browser.cookies.set("lms_access", learner.tokens["access_token"])
        shown = await browser.get(f"/courses/{course['slug']}")
        assert f'<form method="post" action="/courses/{course["slug"]}">' in shown.text
        await factories.enrolled(learner, course["id"])
        assert "For all" not in (await browser.get("/teach")).text
