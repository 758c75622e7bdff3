"""Workers that die by `kill -9` in the middle of a regrade: the next one goes on, and everybody is graded again exactly once."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from config.settings import Settings
from documents import attempt_closing
from documents.attempt import Attempt
from tests import factories
from tests.conftest import settings_on
from tests.house import House, open_house
from tests.servers.lms_server import environment_of
from tests.servers.processes import run_forked
from tests.working import idle, working

SECONDS = 60
STUDENTS = 5
GRADES = (2, 1)
"""So many each of them gives before it dies."""


async def killed(settings: Settings, regrade_id: str, grades: int) -> None:
    command = [sys.executable, "-m", "tests.workers.regrading_main", regrade_id, str(grades)]
    done = await asyncio.to_thread(run_forked, command, env=environment_of(settings), timeout=SECONDS)
    assert done.returncode == -signal.SIGKILL, done.stderr


async def a_wrong_key(house: House) -> tuple[str, str]:
    """A class that failed by it, and the correction that nobody carried out yet: quiz and regrade."""
    teacher = await house.teacher()
    course = await factories.course(teacher)
    quiz = await factories.quiz(teacher, course["id"], (factories.CHOICE,), passing_score="60.00")
    for _ in range(STUDENTS):
        student = await house.student()
        await factories.enrolled(student, course["id"])
        attempt = await student.ok("POST", "/attempts", json={"quiz_id": quiz["id"], "device_id": "laptop"})
        question_id = attempt["questions"][0]["id"]
        body = {"answers": [{"question_id": question_id, "value": "a"}], "device_id": "laptop"}
        await student.ok("POST", f"/attempts/{attempt['id']}/submit", json=body | {"lease": attempt["lease"]})
    fix = {"action": "fix", "question": {"correct_answer": {"option_id": "a"}}, "reason": "A was right."}
    regrade = await teacher.ok("POST", f"/quizzes/{quiz['id']}/questions/{question_id}/correct", json=fix)
    return quiz["id"], regrade["id"]


async def nobody(**_: Any) -> list[str]:
    """What a node finds to grade by itself, which would be sooner done than a worker is killed."""
    return []


async def scores(quiz_id: str) -> list[Any]:
    """What they have now, in hundredths."""
    return sorted([row["score"] async for row in Attempt.rows().find({"quiz_id": quiz_id})])


async def ended(house: House, quiz_id: str) -> None:
    """What the killed ones did stands, and a worker that lives does the rest."""
    again = sum(GRADES)
    assert await scores(quiz_id) == [0] * (STUDENTS - again) + [200] * again
    async with working(house):
        await idle(house.services)
    assert await scores(quiz_id) == [200] * STUDENTS
    rows = [row async for row in Attempt.rows().find({"quiz_id": quiz_id})]
    assert {(row["grading"], row["version"]) for row in rows} == {("done", 3)}
    admin = await house.admin()
    told = (await admin.ok("GET", "/events", params={"type": "attempt.regraded"}))["items"]
    assert sorted(one["data"]["id"] for one in told) == sorted(row["_id"] for row in rows)


@pytest.fixture(autouse=True)
def graded_by_workers_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempt_closing, "find_ungraded", nobody)


async def test_the_next_worker_goes_on_where_one_was_killed(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    settings = settings_on("embedded", request, tmp_path)
    async with open_house(settings) as house:
        quiz_id, regrade_id = await a_wrong_key(house)
    for grades in GRADES:
        await killed(settings, regrade_id, grades)
    async with open_house(settings) as house:
        await ended(house, quiz_id)


@pytest.mark.real
async def test_beside_a_node_as_well(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    settings = settings_on("real", request, tmp_path)
    async with open_house(settings) as house:
        quiz_id, regrade_id = await a_wrong_key(house)
        for grades in GRADES:
            await killed(settings, regrade_id, grades)
        await ended(house, quiz_id)
