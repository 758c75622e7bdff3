"""A bad network between a node and its database: refused in words, never half done, never told twice, and well again after."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from tests.clients import Visitor
from tests.live.hurt_school import (
    PATIENCE_SECONDS,
    WAYS,
    HurtSchool,
    channel_of,
    heard,
    lose_patience_soon,
    rename,
    sooner_or_later,
)
from tests.live.node_school import Watcher
from tests.servers.tcp_proxy import Way

pytestmark = pytest.mark.real

ENROLMENT = b"insert\0\x0c\0\0\0enrollments\0"
"""How the driver says that an enrolment is to be written."""


WAYS_IN_CI = [name if name == "silent" else pytest.param(name, marks=pytest.mark.soak) for name in WAYS]
"""To who waits for a reply they are all the same."""


@pytest.fixture(scope="module", autouse=True)
def impatience() -> Iterator[None]:
    """The driver gives up soon; set before the school opens."""
    with pytest.MonkeyPatch.context() as patched:
        lose_patience_soon(patched)
        yield


async def well_again(school: HurtSchool, teacher: Visitor) -> None:
    school.mongo.release()
    await school.mongo.accept()
    await school.is_ready(teacher, 200, "ok")


class TestAway:
    @pytest.mark.parametrize("how", ["gone", *WAYS_IN_CI])
    async def test_requests_are_refused_in_words_and_lines_stay_open(
        self, school: HurtSchool, teacher: Visitor, course: dict[str, Any], *, watcher: Watcher, how: str
    ) -> None:
        if how == "gone":
            await school.mongo.vanish()
        else:
            school.mongo.hold(*WAYS[how])
        problem = await asyncio.wait_for(
            teacher.refused(503, "PATCH", f"/courses/{course['id']}", json={"title": "Lost"}), PATIENCE_SECONDS
        )
        assert problem["code"] == "unavailable"
        await school.is_ready(teacher, 503, "down")
        assert "server_time" in await watcher.ok("ping")
        reply = await watcher.ask("subscribe", channel=channel_of(course))
        assert reply["ok"] or reply["error"]["code"] == "unavailable"
        await well_again(school, teacher)
        await rename(teacher, course, "Well again")
        assert (await watcher.ok("subscribe", channel=channel_of(course)))["channel"]
        await watcher.until(lambda: [e for e in watcher.events(channel_of(course)) if title_of(e) == "Well again"])


def title_of(event: dict[str, Any]) -> str:
    return str(event["data"]["changes"]["title"])


class TestBrokenLines:
    async def test_lines_that_broke_while_nobody_used_them_are_replaced_unseen(
        self, school: HurtSchool, teacher: Visitor, course: dict[str, Any], watcher: Watcher
    ) -> None:
        school.mongo.cut()
        titles = []
        for number in range(5):
            titles.append(f"T{number}")
            await again(teacher, "PATCH", f"/courses/{course['id']}", json={"title": titles[-1]})
        await heard(watcher, course, *titles)

    async def test_a_write_whose_reply_was_lost_is_told_all_the_same(
        self, school: HurtSchool, teacher: Visitor, course: dict[str, Any], watcher: Watcher
    ) -> None:
        """The teacher is told nothing of use; but what the course says is what listeners heard, once."""
        school.mongo.when_asked(b"In doubt", lambda link: link.hold(Way.DOWN))
        await teacher.refused(503, "PATCH", f"/courses/{course['id']}", json={"title": "In doubt"})
        school.mongo.release()
        assert (await again(teacher, "GET", f"/courses/{course['id']}"))["title"] == "In doubt"
        await again(teacher, "PATCH", f"/courses/{course['id']}", json={"title": "After"})
        await heard(watcher, course, "In doubt", "After")

    async def test_a_write_that_never_arrived_is_not_told(
        self, school: HurtSchool, teacher: Visitor, course: dict[str, Any], watcher: Watcher
    ) -> None:
        school.mongo.when_asked(b"Never", lambda link: link.cut())
        await teacher.refused(503, "PATCH", f"/courses/{course['id']}", json={"title": "Never"})
        assert (await again(teacher, "GET", f"/courses/{course['id']}"))["title"] == "Algebra 1"
        await again(teacher, "PATCH", f"/courses/{course['id']}", json={"title": "After"})
        await heard(watcher, course, "After")

    @pytest.mark.parametrize("fate", ["the write was lost", "its reply was lost"])
    async def test_a_request_with_a_key_is_repeated_and_done_once(
        self, school: HurtSchool, course: dict[str, Any], fate: str
    ) -> None:
        student = await school.house.student()
        school.mongo.when_asked(ENROLMENT, lambda link: link.cut() if "write" in fate else link.hold(Way.DOWN))
        options = {"json": {"course_id": course["id"]}, "headers": {"Idempotency-Key": "one of its own"}}
        await student.refused(503, "POST", "/enrollments", **options)
        school.mongo.release()
        made = await again(student, "POST", "/enrollments", **options)
        assert (await again(student, "POST", "/enrollments", **options)) == made
        assert [row["id"] for row in (await student.ok("GET", "/enrollments"))["items"]] == [made["id"]]


async def again(visitor: Visitor, method: str, path: str, **options: Any) -> dict[str, Any]:
    """Ask until it is done: what was refused for a fault may be repeated."""

    async def done() -> dict[str, Any] | None:
        response = await visitor.call(method, path, **options)
        assert response.is_success or response.status_code in (409, 503), response.text
        return response.json() if response.is_success else None

    return await sooner_or_later(done)
