"""/teach: what runs now stands first, and what does not run is not said to."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import httpx
import pytest

from tests import factories
from tests.clients import Visitor
from tests.conftest import settings_on
from tests.house import House, open_house

PAST = "2020-01-01T00:00:00Z"
MOST_OTHERS = 10


@pytest.fixture(scope="module")
async def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """A school; where its data lies makes no difference to pages."""
    async with open_house(settings_on("embedded", request, tmp_path_factory.mktemp("teach"))) as opened:
        yield opened


async def running(house: House, teacher: Visitor) -> list[str]:
    """The quizzes under "Running now" in their order, and what is said beside each."""
    async with httpx.AsyncClient(base_url=house.address, trust_env=False, headers={"Accept-Language": "en"}) as browser:
        browser.cookies.set("lms_access", teacher.tokens["access_token"])
        page = (await browser.get("/teach")).raise_for_status().text
    section = page.partition('aria-labelledby="running"')[2].partition("</section>")[0]
    rows = section.split("<li")[1:]
    return [" ".join(re.sub(r"<[^>]+>", " ", row.partition(">")[2]).split()) for row in rows]


async def test_what_is_being_sat_stands_first_and_what_ended_does_not_run(house: House) -> None:
    teacher, student, other = await house.teacher(), await house.student(), await house.student()
    course_id = (await factories.course(teacher))["id"]
    made = {}
    for title in ("Sat by one", "Sat by two", "Ended"):
        made[title] = (await factories.quiz(teacher, course_id, (factories.CHOICE,), title=title))["id"]
    for number in range(MOST_OTHERS + 1):
        await factories.quiz(teacher, course_id, (factories.CHOICE,), title=f"Practice {number}")
    await factories.quiz(teacher, course_id, (factories.CHOICE,), title="Long over", closes_at=PAST)
    for visitor, titles in ((student, ("Sat by one", "Sat by two", "Ended")), (other, ("Sat by two",))):
        await factories.enrolled(visitor, course_id)
        for title in titles:
            await visitor.ok("POST", f"/quizzes/{made[title]}/attempts")
    await teacher.ok("POST", f"/quizzes/{made['Ended']}/live/end", json={})
    rows = await running(house, teacher)
    assert rows[0].startswith("Sat by two")
    assert "2 answering" in rows[0]
    assert rows[1].startswith("Sat by one")
    assert "1 answering" in rows[1]
    assert len(rows) == 2 + MOST_OTHERS
    assert all(row.startswith("Practice") and "answering" not in row for row in rows[2:])
    assert await running(house, await house.teacher()) == []
