"""Lines of students that are cut while time runs: what the server measures, what it gives back, and who is told. By sockets."""

from __future__ import annotations

import json
import math
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from lms_rt.clock import Clock
from tests.clients import Visitor
from tests.conftest import settings_on
from tests.house import House, open_house
from tests.live.hurt_school import sooner_or_later
from tests.live.test_exam import Exam, at, open_exam, raw_line, reply_to

AWAY_SECONDS = 40


class JumpingClock(Clock):
    """Goes like any other, and jumps ahead when it is told to."""

    jumped_ms = 0
    cut_ms = 0
    """When a line was cut."""

    @property
    def away_seconds(self) -> int:
        """How long it is since a line was cut, at the most: the machine of the tests takes some time of its own."""
        return math.ceil((self.now_ms() - self.cut_ms) / 1000)

    def now_ms(self) -> int:
        return super().now_ms() + self.jumped_ms


@pytest.fixture(scope="module")
def clock() -> JumpingClock:
    return JumpingClock()


@pytest.fixture(scope="module", params=["embedded", pytest.param("real", marks=pytest.mark.real)])
async def house(
    clock: JumpingClock, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[House]:
    folder: Path = tmp_path_factory.mktemp("house")
    async with open_house(settings_on(str(request.param), request, folder), clock=clock) as made:
        yield made


async def cut_off(exam: Exam, clock: JumpingClock) -> dict[str, Any]:
    """An attempt that begins on a line, which is cut without a word, and is away for so long; as it began."""
    async with raw_line(exam) as socket:
        command = {"id": 1, "type": "attempt.start", "quiz_id": exam.quiz["id"], "device_id": "laptop"}
        began: dict[str, Any] = (await reply_to(socket, json.dumps(command)))["result"]
        clock.cut_ms = clock.now_ms()
        socket.transport.abort()

    async def away() -> dict[str, Any] | None:
        shown = await exam.student.ok("GET", f"/attempts/{began['id']}")
        return shown["offline"] if shown["offline"]["away_since"] else None

    await sooner_or_later(away)
    clock.jumped_ms += AWAY_SECONDS * 1000
    return began


async def ledger(visitor: Visitor, attempt_id: str, **wanted: Any) -> dict[str, Any]:
    """The ledger, once it says this."""

    async def shown() -> dict[str, Any] | None:
        offline: dict[str, Any] = (await visitor.ok("GET", f"/attempts/{attempt_id}"))["offline"]
        return offline if all((offline[name] is not None) == holds for name, holds in wanted.items()) else None

    return await sooner_or_later(shown)


async def kinds(visitor: Visitor, attempt_id: str) -> list[str]:
    log = await visitor.ok("GET", f"/attempts/{attempt_id}/integrity")
    rows = log["items"]
    assert [row["n"] for row in rows] == list(range(1, len(rows) + 1))
    assert log["total"] >= len(rows)  # what is noted between the two readings is counted already
    return [row["kind"] for row in rows]


async def test_a_cut_line_is_measured_and_given_back_to_who_returns(house: House, clock: JumpingClock) -> None:
    async with open_exam(house, time_limit_minutes=30, connection_loss_policy="automatic") as exam:
        began = await cut_off(exam, clock)
        attempt_id, laptop = began["id"], await exam.screen("laptop")
        await laptop.enter("attempt.resume", attempt_id=attempt_id)
        told = (await laptop.hears("quiz_extended"))["data"]
        assert AWAY_SECONDS <= told["seconds"] <= clock.away_seconds
        assert (told["reason"], told["control_id"][:4]) == ("connection_loss", "ctl_")
        assert told["deadline_at"] > began["deadline_at"]
        credited = (await ledger(exam.student, attempt_id, away_since=False))["credited_seconds"]
        assert credited in {0, told["seconds"]}  # it is told first, and then written down
        await laptop.live.command("attempt.page", attempt_id=attempt_id, state="hidden")

        async def noted() -> dict[str, Any] | None:
            seen = await kinds(exam.student, attempt_id)
            return {"kinds": seen} if {"page_hidden", "time_credited"} <= set(seen) else None

        found = (await sooner_or_later(noted))["kinds"]
        assert found[:3] == ["connected", "disconnected", "connected"]
        assert sorted(found[3:]) == ["page_hidden", "time_credited"]
        assert await kinds(exam.teacher, attempt_id) == found
        other = await house.student()
        await other.refused(404, "GET", f"/attempts/{attempt_id}/integrity")


async def test_a_teacher_is_asked_and_decides(house: House, clock: JumpingClock) -> None:
    async with open_exam(house, time_limit_minutes=30, connection_loss_policy="approval") as exam:
        attempt_id = (await cut_off(exam, clock))["id"]
        laptop = await exam.screen("laptop")
        await laptop.enter("attempt.resume", attempt_id=attempt_id)
        asked = (await ledger(exam.student, attempt_id, asked_seconds=True, away_since=False))["asked_seconds"]
        assert AWAY_SECONDS <= asked <= clock.away_seconds

        async def shown() -> dict[str, Any] | None:
            """The teacher's row, once all is asked for: some of it may have been while the student was away."""
            (row,) = (await exam.teacher.ok("GET", f"/quizzes/{exam.quiz['id']}/live"))["students"]
            return dict(row) if row["credit_asked_seconds"] == asked else None

        assert (await sooner_or_later(shown))["flags"] == ["credit"]
        path, body = f"/attempts/{attempt_id}/time-credit", {"approve": True, "reason": "The router failed"}
        await exam.student.refused(403, "POST", path, json=body)
        await (await house.teacher()).refused(404, "POST", path, json=body)
        await exam.teacher.refused(422, "POST", path, json={"approve": True, "seconds": 0})
        once = {"Idempotency-Key": "once"}
        decided = await exam.teacher.ok("POST", path, json=body, headers=once)
        assert await exam.teacher.ok("POST", path, json=body, headers=once) == decided, "its reply was lost"
        assert (decided["asked_seconds"], decided["credited_seconds"] - asked in {0, 1}) == (None, True)
        told = (await laptop.hears("quiz_extended"))["data"]
        assert (told["seconds"], told["reason"]) == (decided["credited_seconds"], "The router failed")
        await exam.teacher.refused(409, "POST", path, json=body)


async def test_a_student_sees_their_own_times_and_starts_by_them(house: House) -> None:
    async with open_exam(house, time_limit_minutes=60) as exam:
        body = {"student_id": exam.student.user_id, "factor": "1.25", "break_minutes": 5}
        course_id = exam.quiz["course_id"]
        granted = await exam.teacher.ok("POST", f"/courses/{course_id}/accommodations", json=body)
        assert (granted["factor"], granted["factor_percent"], granted["is_in_force"]) == ("1.25", 125, True)
        shown = (await exam.student.ok("GET", f"/quizzes/{exam.quiz['id']}"))["your_time"]
        assert (shown["limit_seconds"], shown["accommodation"]["break_minutes"]) == (80 * 60, 5)
        (listed,) = (await exam.student.ok("GET", "/quizzes", params={"course_id": course_id}))["items"]
        assert listed["your_time"] == shown
        await exam.teacher.ok(
            "POST", f"/courses/{course_id}/groups", json={"group": "A", "student_ids": [body["student_id"]]}
        )
        (row,) = (await exam.teacher.ok("GET", f"/courses/{course_id}/students", params={"group": "A"}))["items"]
        assert row["group"] == "A"
        laptop = await exam.started()
        given = at(laptop.attempt["deadline_at"]) - at(laptop.attempt["started_at"])
        assert (given, laptop.attempt["accommodation"]) == (timedelta(minutes=80), shown["accommodation"])
        await exam.teacher.ok(
            "DELETE", f"/courses/{course_id}/accommodations", params={"student_id": body["student_id"]}
        )
        assert (await exam.student.ok("GET", f"/quizzes/{exam.quiz['id']}"))["your_time"]["accommodation"] is None
