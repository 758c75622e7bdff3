"""`python -m tests.perf.gradebook_desk SETTINGS STUDENTS ITEMS`: a course with so many students and graded quizzes, and its gradebook.

The rows are written straight into the database. Prints "ready" then takes orders, each answered by a line of JSON
`{cpu_ms, wall_ms, peak_mib, kib}`: "json", "csv", "xlsx" make the answer as the service does; "bare" reads the same rows, adds up the
points of each student, and writes them as JSON: what it costs at the very least. "own" is what one student sees of it, "page" a page of
50 students as the teacher's table shows it, "moved" one student anew when a grade of theirs moves: each the mean of some.
"""

from __future__ import annotations

import asyncio
import json
import random
import resource
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from config.settings import Settings
from documents.attempt import Attempt
from documents.course import Course
from documents.enrollment import Enrollment
from documents.enums import Role
from documents.gradebook import graded_quizzes, learners_of, marks_at
from documents.quiz import Quiz
from documents.user import User
from lms_rt.bootstrap import Services, open_services
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.base import encode
from lms_rt.security.permissions import permissions_of

COURSE = "crs_bench"
_TEACHER = Actor("usr_teacher", Role.INSTRUCTOR, permissions_of(Role.INSTRUCTOR), full_name="Tamar")
_STUDENT = Actor("usr_00007", Role.STUDENT, permissions_of(Role.STUDENT), full_name="Sara")
_AT_ONCE = 5_000
_PAGE = 50
_TURNS = 5


class Desk:
    """The course and what is asked of it."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self.orders: dict[str, Callable[[], Awaitable[int]]] = {
            "json": self._json,
            "csv": self._csv,
            "xlsx": self._xlsx,
            "bare": self._bare,
            "own": lambda: _some(self._own),
            "page": lambda: _some(self._page),
            "moved": lambda: _some(self._moved),
        }

    async def furnish(self, students: int, items: int) -> None:
        """One attempt of every student at every quiz; every fifth time two."""
        now = self._services.clock.now()
        stamps = {"version": 1, "created_at": now, "updated_at": now}
        course = {
            "title": "Bench",
            "title_key": "bench",
            "slug": "bench",
            "instructor_id": _TEACHER.user_id,
            "tags": [],
        }
        lists = {"lesson_ids": [], "published_lesson_ids": [], "price": 0, "currency": "USD", "is_archived": False}
        await Course.rows().insert_one({"_id": COURSE, **course, **lists, **stamps, "is_published": True})
        people = [f"usr_{number:05}" for number in range(students)]
        names = [
            {"_id": one, "full_name": f"Student {one}", "email": f"{one}@example.org", "email_key": one}
            for one in people
        ]
        await User.rows().insert_many([{**row, "role": "student", **stamps} for row in names])
        await Enrollment.rows().insert_many(
            [
                {
                    "_id": f"{one}:{COURSE}",
                    "student_id": one,
                    "course_id": COURSE,
                    "status": "active",
                    "enrolled_at": now,
                    **stamps,
                }
                for one in people
            ]
        )
        await self._sat(people, items, stamps)

    @staticmethod
    async def _sat(people: list[str], items: int, stamps: dict[str, Any]) -> None:
        draw = random.Random(7)  # noqa: S311 - the same rows each time
        quizzes = [f"quz_{number:03}" for number in range(items)]
        shown = {"course_id": COURSE, "quiz_type": "graded", "is_published": True, "is_archived": False}
        rules = {"grading_policy": "best", "total_points": 2_000}
        await Quiz.rows().insert_many([{"_id": one, "title": one, **shown, **rules, **stamps} for one in quizzes])
        rows = [
            {
                "_id": f"att_{quiz}_{student}_{number}",
                "quiz_id": quiz,
                "student_id": student,
                "attempt_number": number,
                "is_preview": False,
                "grading": "done",
                "status": "graded",
                "percentage": 5_000,
                "exact_percentage": f"{draw.randrange(70_000)}/7",
                **stamps,
            }
            for quiz in quizzes
            for student in people
            for number in range(1, 3 if draw.randrange(5) == 0 else 2)
        ]
        for begin in range(0, len(rows), _AT_ONCE):
            await Attempt.rows().insert_many(rows[begin : begin + _AT_ONCE])

    async def _json(self) -> int:
        return len(encode(await self._services.gradebooks.show(_TEACHER, COURSE)))

    async def _csv(self) -> int:
        return sum([len(piece) async for piece in self._services.gradebook_export.csv(_TEACHER, COURSE)])

    async def _xlsx(self) -> int:
        return sum([len(piece) async for piece in self._services.gradebook_export.xlsx(_TEACHER, COURSE)])

    async def _own(self) -> int:
        return len(encode(await self._services.gradebooks.explain_own(_STUDENT, COURSE)))

    async def _page(self) -> int:
        books = self._services.gradebooks
        shown = (await books.find_students(_TEACHER, COURSE, ""))[:_PAGE]
        return len(encode(await books.show(_TEACHER, COURSE, student_ids=shown)))

    async def _moved(self) -> int:
        return len(encode(await self._services.gradebooks.show(_TEACHER, COURSE, student_ids=[_STUDENT.user_id])))

    @staticmethod
    async def _bare() -> int:
        learners, quizzes = await learners_of(COURSE), await graded_quizzes(COURSE)
        best: dict[str, dict[str, float]] = {row["student_id"]: {} for row in learners}
        for row in await marks_at([quiz["_id"] for quiz in quizzes]):
            got = best[row["student_id"]]
            got[row["quiz_id"]] = max(got.get(row["quiz_id"], 0), row["percentage"] / 100)
        return len(encode([{"student_id": one, "grades": got, "sum": sum(got.values())} for one, got in best.items()]))


async def _some(work: Callable[[], Awaitable[int]]) -> int:
    return [await work() for _ in range(_TURNS)][-1]


def _reset_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def _peak_kib(name: str) -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1])


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def _measured(work: Callable[[], Awaitable[int]]) -> dict[str, Any]:
    _reset_peak()
    before, cpu, began = _peak_kib("VmRSS"), _cpu_s(), time.perf_counter()
    size = await work()
    wall, spent = time.perf_counter() - began, _cpu_s() - cpu
    return {
        "cpu_ms": spent * 1000,
        "wall_ms": wall * 1000,
        "peak_mib": max(0, _peak_kib("VmHWM") - before) / 1024,
        "kib": size / 1024,
    }


async def _obey(settings: Settings, students: int, items: int) -> None:
    async with open_services(settings) as services:
        desk = Desk(services)
        await desk.furnish(students, items)
        orders = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
        print("ready", flush=True)  # noqa: T201 - whoever gave the order reads it
        while words := (await orders.readline()).decode().split():
            print(json.dumps(await _measured(desk.orders[words[0]])), flush=True)  # noqa: T201 - the same


if __name__ == "__main__":
    asyncio.run(_obey(Settings(_env_file=None, **json.loads(sys.argv[1])), int(sys.argv[2]), int(sys.argv[3])))
