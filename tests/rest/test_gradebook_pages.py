"""The pages of grades and of one's calendar as a browser without scripts has them. How they look is seen in `tests/browser`."""

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

_CSRF = re.compile(r'name="csrf" value="([^"]+)"')
_VERSION = re.compile(r'name="version" value="(\d*)"')


@pytest.fixture(scope="module")
async def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """A school; where its data lies makes no difference to pages."""
    async with open_house(settings_on("embedded", request, tmp_path_factory.mktemp("grades"))) as opened:
        yield opened


@dataclass
class Desk:
    """A teacher's and a student's browser, and a course with two graded quizzes that the student has sat."""

    teacher: httpx.AsyncClient
    student: httpx.AsyncClient
    mona: Visitor
    course: dict[str, str]
    quiz_ids: list[str]

    @property
    def book(self) -> str:
        return f"/teach/courses/{self.course['id']}/gradebook"

    async def send(self, who: httpx.AsyncClient, path: str, **fields: str) -> httpx.Response:
        page = (await who.get(path)).text
        fields = {"version": next(iter(_VERSION.findall(page)), "")} | fields
        return await who.post(path, data={"csrf": _CSRF.findall(page)[0]} | fields)


@pytest.fixture
async def desk(house: House) -> AsyncIterator[Desk]:
    teacher, mona = await house.teacher(), await house.student("Mona <b>Aziz</b>")
    course = await factories.course(teacher)
    await factories.enrolled(mona, course["id"])
    quiz_ids = []
    for title, right in (("First", 1), ("Second", 0)):
        quiz = await factories.quiz(teacher, course["id"], (factories.TRUE_FALSE,), title=title)
        await sit(mona, quiz["id"], right)
        quiz_ids.append(quiz["id"])
    tokens = [one.tokens["access_token"] for one in (teacher, mona)]
    async with cookie_client(house, tokens[0]) as at_desk, cookie_client(house, tokens[1]) as at_home:
        yield Desk(at_desk, at_home, mona, course, quiz_ids)


def words(reply: httpx.Response) -> str:
    assert reply.status_code == 200, reply.text
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", reply.text)).split())


async def test_a_grade_is_set_by_hand_and_read_by_the_student(desk: Desk) -> None:
    shown = words(await desk.teacher.get(desk.book))
    assert "Mona <b>Aziz</b>" in shown
    assert "50%" in shown
    assert "No student’s name holds this." in words(await desk.teacher.get(desk.book, params={"q": "Zeno"}))
    place = f"{desk.book}/{desk.mona.user_id}"
    wrong = await desk.send(desk.teacher, place, item_id=desk.quiz_ids[1], act="set", points="5", reason="Jury")
    assert (wrong.status_code, "That is more than twice" in wrong.text, 'value="Jury"' in wrong.text) == (
        422,
        True,
        True,
    )
    stale = await desk.send(desk.teacher, place, item_id="total", act="set", points="90", reason="x", version="7")
    assert (stale.status_code, "Somebody else has changed this meanwhile" in stale.text) == (412, True)
    done = await desk.send(
        desk.teacher, place, item_id=desk.quiz_ids[1], act="set", points="0,5", reason="Half right", version=""
    )
    assert done.headers["Location"] == f"{place}?done=set"
    await desk.send(desk.teacher, place, item_id=desk.quiz_ids[0], act="excuse", reason="Ill", version="")
    own = words(await desk.student.get(f"/courses/{desk.course['slug']}/grades"))
    for said in ("50%", "By hand: Half right", "Without that it would be 0.", "Does not count", "By hand: Ill"):
        assert said in own
    await desk.send(desk.teacher, place, item_id=desk.quiz_ids[0], act="take_back", reason="Well again", version="1")
    own = words(await desk.student.get(f"/courses/{desk.course['slug']}/grades"))
    assert "75%" in own
    stranger = await desk.student.get(desk.book)
    assert stranger.status_code == 403


async def test_of_a_large_class_one_page_is_read_and_averages_when_asked(
    desk: Desk, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("handlers.web.gradebook.PAGE_SIZE", 1)
    await factories.enrolled(await house.student("Zeno"), desk.course["id"])
    first, second = [(await desk.teacher.get(f"{desk.book}?page={page}")) for page in (1, 2)]
    assert ("Mona <b>Aziz</b>" in words(first), "Zeno" in words(first)) == (True, False)
    assert ("Mona <b>Aziz</b>" in words(second), "Zeno" in words(second)) == (False, True)
    assert ("2 students" in words(first), "<tfoot>" in first.text) == (True, False)
    (more,) = re.findall(r'href="([^"]*averages=1[^"]*)"', second.text)
    averages = await desk.teacher.get(html.unescape(more))
    assert ("Zeno" in words(averages), "Average 50%" in words(averages)) == (True, True)


async def test_a_course_is_graded_by_categories_letters_and_places(desk: Desk) -> None:
    rules = f"{desk.book}/settings"
    typed = {"categories_count": "2", "letters_count": "2", "missing": "zero"}
    typed |= {"name-0": "Tests", "weight-0": "٧٥", "drop_lowest-0": "1", "weighing-0": "points", "takes-0": "quizzes"}
    typed |= {"letter-0": "P", "minimum-0": "60", "letter-1": "F", "minimum-1": "5"}
    refused = await desk.send(desk.teacher, rules, **typed)
    assert (refused.status_code, "The lowest letter should begin at 0." in refused.text) == (422, True)
    assert 'value="Tests"' in refused.text
    heavy = await desk.send(desk.teacher, rules, **(typed | {"weight-0": "101", "minimum-1": "0"}))
    assert 'href="#weight-0"' in heavy.text
    saved = await desk.send(desk.teacher, rules, **(typed | {"minimum-1": "0"}))
    assert saved.headers["Location"] == f"{rules}?done=saved"
    assert "100% P" in words(await desk.teacher.get(desk.book))  # the lower of two is left out
    page = (await desk.teacher.get(rules)).text
    (category_id,) = re.findall(r'name="id-0" value="(cat_[^"]+)"', page)
    typed |= {"minimum-1": "0", "id-0": category_id, "drop_lowest-0": "0", f"place-{desk.quiz_ids[0]}": "nowhere"}
    await desk.send(desk.teacher, rules, **typed, **{f"place-{desk.quiz_ids[1]}": category_id})
    assert "0% F" in words(await desk.teacher.get(desk.book))
    own = words(await desk.student.get(f"/courses/{desk.course['slug']}/grades"))
    assert "Tests 0 of 1 0% 100%" in own
    stale = await desk.send(desk.teacher, rules, **(typed | {"weight-0": "60", "missing": "ignore", "version": "1"}))
    assert (stale.status_code, 'value="60"' in stale.text) == (412, True)
    stale.status_code = 200
    shown = words(stale)
    assert "Stored now, where it differs: Categories: Tests : Weight 75.00 · Lowest left out 0" in shown
    assert "What is missing: counts as nothing once its time is over" in shown


async def test_one_makes_changes_and_takes_away_the_address_of_ones_calendar(desk: Desk) -> None:
    assert "You have no calendar address yet." in words(await desk.student.get("/me/calendar"))
    address = re.compile(r'value="(http[^"]+token=[^"]+)"')
    seen = []
    for act in ("make", "rotate"):
        reply = await desk.send(desk.student, "/me/calendar", act=act)
        assert reply.status_code == 303
        seen += address.findall((await desk.student.get("/me/calendar")).text)
    assert len(set(seen)) == 2
    await desk.send(desk.student, "/me/calendar", act="remove")
    assert "You have no calendar address yet." in words(await desk.student.get("/me/calendar"))
