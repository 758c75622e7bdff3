"""The server dies by `kill -9` at random moments while a class answers: nothing acknowledged is lost, all is graded once."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

from lms_rt.console.simulate.proof import Proof, prove
from lms_rt.console.simulate.room import Room
from lms_rt.console.simulate.school import School
from lms_rt.console.simulate.student import Manner
from tests import factories
from tests.clients import Visitor
from tests.conftest import settings_on
from tests.house import PASSWORD
from tests.servers.lms_server import LmsServer

STUDENTS, KILLS = 8, 4
SOAK_STUDENTS, SOAK_KILLS = 30, 50
LIFE_SECONDS = (0.2, 2.5)
EARLY = 4
WORK_SECONDS = 60
THINK_SECONDS = (0.02, 0.25)
TEACHER = "teacher@example.org"

_log = logging.getLogger(__name__)


@pytest.fixture
def server(engine: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LmsServer]:
    settings = settings_on(engine, request, tmp_path, allow_public_role_registration=True)
    with LmsServer(settings, "--no-demo", log=tmp_path / "server.log") as running:
        yield running


async def make_quiz(address: str) -> str:
    async with Visitor.of(address) as teacher:
        await teacher.register(TEACHER, PASSWORD, "Tamar Teacher", "instructor")
        course = await factories.course(teacher)
        return str((await factories.quiz(teacher, course["id"]))["id"])


class Mortal(Protocol):
    """What can be killed and started again."""

    def kill(self) -> None: ...

    def start(self) -> object: ...


class Killer:
    """Kills the server again and again, each time at a moment that is drawn, and starts it again.

    The moment counts from the first answer that the server took in this life: clients come back spread over seconds, and
    a server that dies before hits nobody at work. Every `EARLY`th life counts from its start, so that the way back is
    hit, too.
    """

    def __init__(self, server: Mortal, kills: int) -> None:
        self._server, self._kills = server, kills
        self._draw = random.Random(7)  # noqa: S311 - no secret
        self.done = 0
        self.acknowledged: list[int] = []

    async def run(self, room: Room) -> None:
        await room.begun.wait()
        while self.done < self._kills:
            if self.done % EARLY:
                await self._work_of(room)
            await asyncio.sleep(self._draw.uniform(*LIFE_SECONDS))  # not to wait for anything: the moment is drawn
            self._server.kill()
            self.acknowledged.append(_acknowledged(room))
            await asyncio.to_thread(self._server.start)
            self.done += 1

    async def _work_of(self, room: Room) -> None:
        """Return when something was acknowledged in this life."""
        async with asyncio.timeout(WORK_SECONDS):
            while _acknowledged(room) == self.acknowledged[-1]:  # noqa: ASYNC110 - one of many diaries, nobody tells
                await asyncio.sleep(0.01)

    def manner_of(self, _: int) -> Manner:
        """Hand-ins are spread over the kills, so that some of them are hit, too."""
        last = self._draw.uniform(0.2, 1.1) * self._kills
        return Manner(0.2, THINK_SECONDS, goes_on=lambda: self.done < min(last, self._kills))


def _acknowledged(room: Room) -> int:
    return sum(len(student.diary.acknowledged) for student in room.students)


async def sat_through(server: LmsServer, *, students: int, kills: int) -> tuple[Proof, Room, Killer]:
    """A class sits a quiz while the server is killed so many times; what was proved in the end."""
    quiz_id, killer = await make_quiz(server.address), Killer(server, kills)
    async with School.open(server.address, students=students) as school:
        reader = await school.sign_in(TEACHER, PASSWORD)
        quiz = await reader.get(f"/quizzes/{quiz_id}")
        room = Room(school, quiz, reader, seed=kills, manner_of=killer.manner_of)
        async with asyncio.TaskGroup() as group:
            group.create_task(killer.run(room))
            group.create_task(room.sit(students, say=_log.info))
        proof = await prove(room, has_restarted=True)
        proof.settle("the version of each attempt moved once, by its grade", await graded_otherwise(room))
    for fact in [*proof.facts, *room.latencies.lines(), f"acknowledged at each kill: {killer.acknowledged}"]:
        _log.warning("%d kills: %s", killer.done, fact)
    return proof, room, killer


async def graded_otherwise(room: Room) -> list[str]:
    """Attempts whose version says that they were not graded exactly once: 1 is the start, each grade adds one."""
    attempts = [await room.reader.get(f"/attempts/{student.diary.attempt_id}") for student in room.students]
    return [f"{attempt['id']} is at version {attempt['version']}" for attempt in attempts if attempt["version"] != 2]


def check(proof: Proof, room: Room, killer: Killer, *, students: int) -> None:
    assert proof.faults == []
    assert len(room.students) == students
    lives = [after - before for before, after in zip([0, *killer.acknowledged], killer.acknowledged, strict=False)]
    assert sum(life > 0 for life in lives) > len(lives) / 2, f"most kills hit nobody at work: {lives}"


async def test_nothing_acknowledged_is_lost_to_kills_of_the_server(server: LmsServer) -> None:
    check(*await sat_through(server, students=STUDENTS, kills=KILLS), students=STUDENTS)


@pytest.mark.soak
@pytest.mark.timeout(1800)
async def test_nothing_acknowledged_is_lost_to_many_kills_of_the_server(server: LmsServer) -> None:
    check(*await sat_through(server, students=SOAK_STUDENTS, kills=SOAK_KILLS), students=SOAK_STUDENTS)
