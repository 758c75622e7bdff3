"""The room: students come in, sit the quiz at once, and the teacher watches. Keeps every diary for the proof."""

from __future__ import annotations

import asyncio
import random
import secrets
from collections import Counter
from collections.abc import Callable
from typing import Any

from lms_rt.client.ear import Ear
from lms_rt.client.live import LiveClient
from lms_rt.console.simulate.school import Person, School
from lms_rt.console.simulate.student import Manner, Student
from lms_rt.console.simulate.watcher import Latencies

_TELL_SECONDS = 1.0


class Room:
    """One simulation."""

    def __init__(
        self, school: School, quiz: dict[str, Any], reader: Person, *, seed: int, manner_of: Callable[[int], Manner]
    ) -> None:
        """`manner_of` says how the student at a place, counted from 0, behaves."""
        self.school, self.quiz, self.reader = school, quiz, reader
        self.latencies = Latencies()
        self.students: list[Student] = []
        self.faults: list[str] = []
        self._seed, self._manner_of = seed, manner_of
        self.begun = asyncio.Event()
        self._counts: Counter[str] = Counter()

    async def sit(self, number: int, *, say: Callable[[str], None]) -> None:
        """Let so many students sit the quiz at once; returns when the last one has ended."""
        run = secrets.token_hex(4)
        async with LiveClient(self.school.live_url, ticket=self.reader.ticket) as teacher:
            channel = f"quiz:{self.quiz['id']}:live"
            await teacher.subscribe(Ear(channel, on_state=self.latencies.shown))
            telling = asyncio.create_task(self._tell(number, say))
            everybody = asyncio.Barrier(number)
            try:
                async with asyncio.TaskGroup() as group:
                    for place in range(number):
                        group.create_task(self._one(run, place, everybody))
                await asyncio.sleep(_TELL_SECONDS)  # the last frames of the dashboard are on their way
            finally:
                telling.cancel()
            say(self._words(number))

    async def _one(self, run: str, place: int, everybody: asyncio.Barrier) -> None:
        """One student; a fault of theirs is a fault of the run, and stops nobody else."""
        try:
            student = await self._come_in(run, place)
        except Exception as error:  # noqa: BLE001 - told in the proof
            self.faults.append(f"student {place + 1} could not come in: {type(error).__name__}: {error}")
            await everybody.wait()
            return
        await everybody.wait()
        self.begun.set()
        try:
            await student.sit(self.quiz["id"], self._stepped)
            self._counts["done"] += 1
        except Exception as error:  # noqa: BLE001 - told in the proof
            self.faults.append(f"student {place + 1} could not go on: {type(error).__name__}: {error}")

    async def _come_in(self, run: str, place: int) -> Student:
        """Register and enrol; the quiz begins when everybody is here."""
        name = f"Student {place + 1} ({run})"
        person = await self.school.register(f"sim-{run}-{place + 1}@example.org", secrets.token_urlsafe(12), name)
        await person.call("POST", "/enrollments", json={"course_id": self.quiz["course_id"]}, also=(409,))
        student = Student(
            self.school,
            person,
            draw=random.Random(f"{self._seed}:{place}"),  # noqa: S311 - a play, no secret
            manner=self._manner_of(place),
            latencies=self.latencies,
        )
        self.students.append(student)
        self._counts["enrolled"] += 1
        return student

    def _stepped(self) -> None:
        self._counts["answers"] += 1

    async def _tell(self, number: int, say: Callable[[str], None]) -> None:
        while True:
            say(self._words(number))
            await asyncio.sleep(_TELL_SECONDS)

    def _words(self, number: int) -> str:
        drops = sum(student.diary.drops for student in self.students)
        saved = sum(len(student.diary.acknowledged) for student in self.students)
        return (
            f"{self._counts['enrolled']} of {number} in the room · {saved} answers acknowledged · "
            f"{drops} lines dropped · {self._counts['done']} through"
        )
