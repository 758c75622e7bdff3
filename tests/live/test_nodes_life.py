"""People between node processes: who is there, whose authority ended, whose time is up, and nodes that go, gently or not."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from lms_rt.realtime.node import NodeLimits
from lms_rt.services.health import MAX_CLOCK_ERROR_MS
from tests import factories
from tests.clients import Visitor
from tests.house import PASSWORD
from tests.live.live_node import closed
from tests.live.node_school import Frame, NodeSchool, Watcher, node_school, socket_of, watching

pytestmark = pytest.mark.real
LIFE_SECONDS = 30
LOOKS_OFTEN: dict[str, Any] = {"limits": {"presence_seconds": LIFE_SECONDS}, "renewals_in_a_life": 5 * LIFE_SECONDS}
"""However slow this machine is nobody is forgotten who is there; and this node soon counts anew."""
WORDS_ALONE: dict[str, Any] = {"goes_by_words": True}
"""What ends a line, or lets it hear no more, is the word of who did it: nobody looks at everybody every few seconds."""
AHEAD: dict[str, Any] = {"clock_skew_ms": 3_000, "leave_after_ms": 4_000}
"""And who leaves it has time to come back at another one, on a slow machine too."""


@pytest.fixture(scope="module")
async def school(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[NodeSchool]:
    """Two nodes; the wall clock of the second is 3 s ahead."""
    folder = tmp_path_factory.mktemp("school")
    nodes = (LOOKS_OFTEN | WORDS_ALONE, AHEAD | WORDS_ALONE)
    async with node_school(request, folder, *nodes, attempt_grace_seconds=0) as made:
        yield made


@pytest.fixture
async def teachers(school: NodeSchool) -> list[Visitor]:
    """A new teacher, at every node."""
    return await school.everywhere(await school.person("instructor"))


@pytest.fixture
async def course(teachers: list[Visitor]) -> dict[str, Any]:
    """A published course of that teacher."""
    return await factories.course(teachers[0])


async def student_at(school: NodeSchool, node: int, course: dict[str, Any]) -> Visitor:
    """Somebody new at this node, in the course."""
    student = await school.person(address=school.addresses[node])
    await factories.enrolled(student, course["id"])
    return student


async def counts(watcher: Watcher, count: int) -> None:
    """Return once the channel's count is told to be so many."""

    def told() -> list[Frame]:
        frames = [frame for frame in watcher.frames if frame.get("event") == "presence"]
        return [frame for frame in frames[-1:] if frame["data"]["count"] == count]

    await watcher.until(told)


class TestAuthority:
    async def test_a_session_ends_on_all_nodes_at_once(self, school: NodeSchool) -> None:
        """Signed out at the first node, in the middle of lines to both; another session of the same person goes on."""
        somebody = await school.person()
        other = await school.visitor(school.addresses[1])
        other.take(await other.ok("POST", "/auth/login", json=credentials(somebody)))
        async with AsyncExitStack() as stack:
            lines = [await stack.enter_async_context(watching(somebody, at)) for at in school.addresses]
            spared = await stack.enter_async_context(watching(other))
            await somebody.ok("POST", "/auth/logout", json={})
            assert [await line.closed() for line in lines] == [4501, 4501]
            assert (await spared.ask("ping"))["ok"]

    async def test_a_token_that_was_signed_out_opens_nothing_anywhere(self, school: NodeSchool) -> None:
        somebody = await school.person()
        elsewhere = await school.at(somebody, school.addresses[1])
        async with watching(elsewhere) as line:
            await elsewhere.ok("GET", "/auth/me")
            await somebody.ok("POST", "/auth/logout", json={})
            assert await line.closed() == 4501  # the word of it has come there
        problem = await elsewhere.refused(401, "GET", "/auth/me")
        assert problem["code"] == "token_revoked"

    async def test_all_sessions_end_on_all_nodes(self, school: NodeSchool) -> None:
        somebody = await school.person()
        other = await school.visitor(school.addresses[1])
        other.take(await other.ok("POST", "/auth/login", json=credentials(somebody)))
        async with watching(somebody) as here, watching(other) as there:
            await somebody.ok("POST", "/auth/logout", json={"everywhere": True})
            assert [await here.closed(), await there.closed()] == [4501, 4501]

    async def test_who_leaves_a_course_hears_no_more_of_it_anywhere(
        self, school: NodeSchool, teachers: list[Visitor], course: dict[str, Any]
    ) -> None:
        student = await school.person()
        enrollment = await factories.enrolled(student, course["id"])
        channel = f"course:{course['id']}"
        async with watching(student, school.addresses[1]) as line:
            await line.ok("subscribe", channel=channel)
            await student.ok("DELETE", f"/enrollments/{enrollment['id']}")
            (notice,) = await line.is_told("unsubscribed")
            assert (notice["channel"], notice["code"]) == (channel, "not_found")
            await teachers[0].ok("PATCH", f"/courses/{course['id']}", json={"title": "Not for who left"})
            await line.ok("ping")
            assert line.events(channel) == []
            assert (await line.ask("subscribe", channel=channel))["error"]["code"] == "not_found"


def credentials(somebody: Visitor) -> dict[str, str]:
    return {"email": somebody.user["email"], "password": PASSWORD}


class TestClocks:
    """The second node's wall clock is 3 s ahead. Redis, and this process, have the time that all nodes go by."""

    async def test_the_stated_error_is_true(self, school: NodeSchool) -> None:
        for visitor in await school.everywhere(await school.person()):
            async with watching(visitor) as line:
                for _ in range(5):
                    before_ms = time.time() * 1000
                    reply = await line.ok("time.sync", t0=before_ms)
                    after_ms = time.time() * 1000
                    error_ms = reply["clock_error_ms"]
                    assert 0 < error_ms <= MAX_CLOCK_ERROR_MS
                    assert before_ms - error_ms - 1 <= reply["t1"] <= reply["t2"] <= after_ms + error_ms + 1

    async def test_a_deadline_is_the_same_moment_at_both(
        self, school: NodeSchool, teachers: list[Visitor], course: dict[str, Any]
    ) -> None:
        """An attempt that starts at the node that is ahead may be answered to its last moment, and is closed after it."""
        quiz = await factories.quiz(teachers[0], course["id"])
        student = await student_at(school, 1, course)

        sittings = await school.everywhere(student)
        async with watching(student) as line:

            async def begin() -> list[dict[str, Any]] | None:
                """Begun and listened to, and what both nodes say of it while it goes on."""
                if (begun := await factories.attempt(student, quiz["id"])) is None:
                    return None
                await line.ok("subscribe", channel=f"attempt:{begun['id']}")
                seen = [await one.ok("GET", f"/attempts/{begun['id']}") for one in sittings]
                return seen if all(one["remaining_ms"] for one in seen) else None

            closes_at, seen = await factories.begun_before_closing(2, teachers[0], quiz["id"], begin)
            assert len({one["deadline_at"] for one in seen}) == 1
            for one in seen:
                told_ms = (parsed(one["deadline_at"]) - parsed(one["server_time"])) / timedelta(milliseconds=1)
                assert abs(told_ms - one["remaining_ms"]) <= 1
            await line.until(lambda: line.events(f"attempt:{seen[0]['id']}"))
        assert datetime.now(UTC) >= closes_at
        closed = await student.ok("GET", f"/attempts/{seen[0]['id']}")
        assert closed["status"] == "graded"
        assert parsed(closed["submitted_at"]) >= closes_at - timedelta(milliseconds=1)

    async def test_both_call_their_clocks_right(self, school: NodeSchool) -> None:
        async with httpx.AsyncClient() as http:
            for address in school.addresses:
                ready = (await http.get(f"{address}/ready")).json()
                assert (ready["status"], ready["checks"]["clock"]["state"]) == ("ok", "ok")


def parsed(instant: str) -> datetime:
    return datetime.fromisoformat(instant)


def a_life_goes_by(school: NodeSchool) -> None:
    """As if so much time had gone by that whoever is present and is not renewed is forgotten."""
    for key in school.redis.do("KEYS", "*}:presence"):
        for name in school.redis.do("ZRANGE", key, 0, -1):
            school.redis.do("ZADD", key, "XX", "INCR", -1000 * LIFE_SECONDS, name)


class TestPresence:
    async def test_people_of_all_nodes_are_counted_and_leave(
        self, school: NodeSchool, teachers: list[Visitor], course: dict[str, Any]
    ) -> None:
        channel = f"course:{course['id']}"
        students = [await student_at(school, node, course) for node in (0, 1, 1)]
        async with watching(teachers[0]) as teacher, AsyncExitStack() as leaving:
            await teacher.ok("subscribe", channel=channel)
            for student in students:
                line = await leaving.enter_async_context(watching(student))
                await line.ok("subscribe", channel=channel)
            await counts(teacher, 4)
            named = await teacher.ok("presence", channel=channel)
            assert {user["user_id"] for user in named["users"]} == {
                teachers[0].user_id,
                *(student.user_id for student in students),
            }
            assert (await line.ok("presence", channel=channel)) == {"count": 4, "users": []}
            await leaving.aclose()
            await counts(teacher, 1)

    async def test_who_comes_back_at_another_node_has_not_left(
        self, school: NodeSchool, teachers: list[Visitor], course: dict[str, Any]
    ) -> None:
        channel = f"course:{course['id']}"
        student = await student_at(school, 0, course)
        async with watching(teachers[0]) as teacher:
            await teacher.ok("subscribe", channel=channel)
            async with watching(student, school.addresses[1]) as line:
                await line.ok("subscribe", channel=channel)
                await counts(teacher, 2)
            async with watching(student, school.addresses[0]) as line:
                await line.ok("subscribe", channel=channel)
                third = await student_at(school, 1, course)
                async with watching(third) as other:
                    await other.ok("subscribe", channel=channel)
                    await counts(teacher, 3)
            told = [frame["data"]["count"] for frame in teacher.frames if frame.get("event") == "presence"]
            assert told[told.index(2) :] == sorted(told[told.index(2) :])

    async def test_the_lines_of_a_person_are_counted_over_all_nodes(self, school: NodeSchool) -> None:
        somebody = await school.person()
        async with AsyncExitStack() as stack:
            for number in range(NodeLimits().connections_per_user):
                await stack.enter_async_context(watching(somebody, school.addresses[number % 2]))
            async with socket_of(somebody, school.addresses[1]) as one_too_many:
                assert await closed(one_too_many) == 4509


class TestAlarms:
    async def test_every_attempt_is_closed_and_graded_once_though_both_nodes_look(
        self, school: NodeSchool, teachers: list[Visitor], course: dict[str, Any]
    ) -> None:
        quiz = await factories.quiz(teachers[0], course["id"])
        channel = f"quiz:{quiz['id']}:live"
        async with watching(teachers[0]) as one, watching(teachers[1]) as two:
            for line in (one, two):
                await line.ok("subscribe", channel=channel)
            students = [await student_at(school, node, course) for node in (0, 1, 0, 1, 0, 1)]
            made: dict[str, str] = {}

            async def begin() -> list[str] | None:
                """Everybody at their node, which sets the alarm."""
                left = [student for student in students if student.user_id not in made]
                begun = await asyncio.gather(*(factories.attempt(student, quiz["id"]) for student in left))
                made.update({who.user_id: one["id"] for who, one in zip(left, begun, strict=True) if one is not None})
                return None if None in begun else list(made.values())

            _, attempts = await factories.begun_before_closing(2, teachers[0], quiz["id"], begin)
            for line in (one, two):
                await all_submitted(line, channel, len(attempts))
            await asyncio.gather(*(self.is_graded(teachers[0], attempt) for attempt in attempts))
            assert sorted(submitted(one, channel)) == sorted(submitted(two, channel)) == sorted(attempts)

    async def is_graded(self, teacher: Visitor, attempt_id: str) -> None:
        """1 is the start; a grade adds one, a second one would add another."""
        attempt = await teacher.ok("GET", f"/attempts/{attempt_id}")
        assert (attempt["status"], attempt["version"]) == ("graded", 2)


def submitted(line: Watcher, channel: str) -> list[str]:
    """The attempts that the channel called submitted, as often as it did."""
    return [event["data"]["attempt_id"] for event in line.events(channel) if event["event"] == "attempt_submitted"]


async def all_submitted(line: Watcher, channel: str, count: int) -> None:
    """Return once so many were called submitted."""
    await line.until(lambda: len(submitted(line, channel)) >= count)


class TestNodesThatGo:
    """Last here: the second node ends, comes back, and is killed."""

    async def test_a_node_that_is_asked_to_stop_sends_everybody_away_spread_out(
        self, school: NodeSchool, teachers: list[Visitor], course: dict[str, Any]
    ) -> None:
        channel = f"course:{course['id']}"
        students = [await student_at(school, 1, course) for _ in range(8)]
        async with watching(teachers[0]) as teacher, AsyncExitStack() as stack:
            await teacher.ok("subscribe", channel=channel)
            lines = [await stack.enter_async_context(watching(student)) for student in students]
            for line in lines:
                await line.ok("subscribe", channel=channel)
            await counts(teacher, 9)
            assert await asyncio.to_thread(school.nodes[1].stop) == 0
            assert [await line.closed() for line in lines] == [1012] * 8
            after_ms = [notice["after_ms"] for line in lines for notice in line.notices("reconnect")]
            assert len(after_ms) == 8
            assert len(set(after_ms)) > 4
            assert all(0 <= one <= 10_000 for one in after_ms)
            assert max(after_ms) - min(after_ms) > 1_000
            await counts(teacher, 1)
        school.nodes[1].given = AHEAD | LOOKS_OFTEN
        await asyncio.to_thread(school.nodes[1].start)

    async def test_what_a_killed_node_leaves_behind_is_tidied_by_the_other(
        self, school: NodeSchool, teachers: list[Visitor], course: dict[str, Any]
    ) -> None:
        """Its people vanish, its attempts are closed, and what it wrote is told."""
        quiz = await factories.quiz(teachers[0], course["id"])
        room, channel = f"quiz:{quiz['id']}:live", f"course:{course['id']}"
        student = await student_at(school, 1, course)
        async with watching(teachers[0]) as teacher, watching(student) as line:
            await teacher.ok("subscribe", channel=room)
            await teacher.ok("subscribe", channel=channel)
            await line.ok("subscribe", channel=channel)
            await counts(teacher, 2)

            async def begin() -> dict[str, Any] | None:
                return await factories.attempt(student, quiz["id"])

            _, attempt = await factories.begun_before_closing(2, teachers[0], quiz["id"], begin)
            await asyncio.to_thread(school.nodes[1].kill)
            a_life_goes_by(school)
            await counts(teacher, 1)
            await all_submitted(teacher, room, 1)
            assert submitted(teacher, room) == [attempt["id"]]
