"""`python -m tests.perf.certifying URL REDIS FOLDER`: gives out certificates on a store of its own, as workers do.

Orders come on standard input, each answered by a line of JSON:

    issue N    so many who completed a course are given theirs at once, by four writers that share nothing but the store
    print N    so many sheets with the same words, drawn and thrown away
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

from config.settings import Settings
from documents.certificate import Certificate
from documents.course import Course
from documents.enrollment import Enrollment
from documents.user import User
from lms_rt.bootstrap import Services, open_services
from lms_rt.ids import new_id
from lms_rt.printing.certificate import print_certificate
from lms_rt.services.certificate_issuing import CertificateIssuing
from lms_rt.services.certificate_words import printed
from tests.perf.exam_place import DATABASE, KEY, SIGNING_KEY

WRITERS = 4
_NAMES = ("Sara Saleh", "محمد عبد الرحمن", "Zoë Åberg", "ليلى حسن (أم خالد)")


class Office:
    """Those who have completed the course, and who gives them theirs."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._course_id = ""

    async def open(self) -> None:
        """A course."""
        at, self._course_id = self._services.clock.now(), new_id("crs")
        course = Course(
            id=self._course_id, title="الجبر الخطي – Linear algebra", title_key="x", slug=self._course_id,
            instructor_id="usr_teacher", is_published=True, created_at=at, updated_at=at,
        )  # fmt: skip
        assert await course.insert_new()

    async def issue(self, count: int) -> dict[str, Any]:
        """All at once; how many numbers there are then that are missing or there twice."""
        enrollments = [await self._completed(place) for place in range(count)]
        writers = [self._writer() for _ in range(WRITERS)]

        async def one(place: int, enrollment: Enrollment) -> None:
            row = await writers[place % WRITERS].issue(enrollment)
            assert row is not None
            await writers[place % WRITERS].make(row["_id"])

        began = time.monotonic()
        await asyncio.gather(*(one(place, each) for place, each in enumerate(enrollments)))
        seconds = time.monotonic() - began
        numbers = [row["sequence"] async for row in Certificate.rows().find({}, {"sequence": 1})]
        missing = set(range(1, len(numbers) + 1)) - set(numbers)
        return {"seconds": seconds, "missing": len(missing), "double": len(numbers) - len(set(numbers))}

    async def draw(self, count: int) -> dict[str, Any]:
        """Sheets alone."""
        row = await Certificate.rows().find_one({})
        assert row is not None
        began = time.monotonic()
        for place in range(count):
            await asyncio.to_thread(print_certificate, printed({**row, "student_name": _NAMES[place % 4]}, None))
        return {"seconds": time.monotonic() - began}

    async def _completed(self, place: int) -> Enrollment:
        at, user_id = self._services.clock.now(), new_id("usr")
        name = _NAMES[place % len(_NAMES)]
        user = User(
            id=user_id, email=f"{user_id}@x.org", email_key=f"{user_id}@x.org", password_hash="none", full_name=name,
            role="student", locale="ar" if place % 2 else "en", created_at=at, updated_at=at,
        )  # fmt: skip
        assert await User.add(user)
        enrollment = Enrollment(
            id=f"{user_id}:{self._course_id}", student_id=user_id, course_id=self._course_id, status="completed",
            enrolled_at=at, completed_at=at, created_at=at, updated_at=at,
        )  # fmt: skip
        assert await enrollment.insert_new()
        return enrollment

    def _writer(self) -> CertificateIssuing:
        services = self._services
        return CertificateIssuing(
            settings=services.settings,
            clock=services.clock,
            relay=services.relay,
            files=services.files,
            signing=services.attempt_clock.signing,
        )


def _tell(told: dict[str, Any]) -> None:
    sys.stdout.write(f"{json.dumps(told)}\n")
    sys.stdout.flush()


async def main(mongodb_url: str, redis_url: str, folder: str) -> None:
    settings = Settings(
        _env_file=None, mongodb_url=mongodb_url, redis_url=redis_url, mongodb_database=DATABASE, secret_key=KEY,
        password_pepper=KEY[::-1], signing_key=SIGNING_KEY, lms_data_dir=Path(folder),
    )  # fmt: skip
    async with open_services(settings, is_worker=True) as services:
        office = Office(services)
        await office.open()
        orders = {"issue": office.issue, "print": office.draw}
        _tell({})
        while line := (await asyncio.to_thread(sys.stdin.readline)).split():
            _tell(await orders[line[0]](int(line[1])))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
