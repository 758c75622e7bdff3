"""`python -m tests.perf.ours SETTINGS`: the product as it is served, with a course in it, for the benchmarks to load.

SETTINGS are JSON. It prints "ready PORT", then takes orders as the peers do, and three more: "people COUNT FILE" makes so
many students of the course, each with a session of their own, and writes the paths by which they open the socket;
"sign-ins COUNT FILE" lets so many of them sign in with the password of all, writes their addresses, and makes a quiz;
"exam QUESTIONS" makes a quiz of so many questions.
Accounts are written straight into the database, and have a password only where its cost is what is measured.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
from collections.abc import Sequence
from itertools import count
from pathlib import Path

from tornado.netutil import bind_sockets

from config.logging import set_up_logging
from config.settings import Settings
from documents.enrollment import Enrollment, enrollment_id_of
from documents.enums import Role
from documents.user import User
from handlers.door import BACKLOG
from handlers.serve import serving
from lms_rt.bootstrap import Services, open_services
from lms_rt.contracts.channels import course_channel
from lms_rt.contracts.events import LiveEvent
from lms_rt.ids import new_id
from lms_rt.security.sessions import UNKNOWN_DEVICE
from tests import factories
from tests.clients import Visitor
from tests.house import PASSWORD
from tests.perf.peers.event import ready

_TEXT = "Slopes and lines, with examples."
_TEACHER = "teacher@example.org"


class School:
    """One course and the people in it."""

    def __init__(self, services: Services, address: str) -> None:
        self._services, self._address = services, address
        self._versions = count(1_000)
        self._numbers = count(1)
        self.course_id = ""

    async def found(self) -> None:
        """Make the course, as its teacher would."""
        async with Visitor.of(self._address) as teacher:
            await teacher.register(_TEACHER, PASSWORD, "Tamar Teacher", "instructor")
            self.course_id = (await factories.course(teacher))["id"]

    async def publish(self, events: int, stamp: int, size: int) -> None:
        """So many events of record on the course's channel, in one turn of the loop."""
        for _ in range(events):
            changes = {"short_description": _TEXT, "t": stamp} | ({"description": "x" * size} if size else {})
            event = LiveEvent(
                event_id=new_id("evt"),
                name="course_updated",
                data={"course_id": self.course_id, "changes": changes},
                at_ms=self._services.clock.now_ms(),
                aggregate=self.course_id,
                version=next(self._versions),
                n=0,
            )
            await self._services.bus.fan_out.publish(course_channel(self.course_id), event)

    async def take_in(self, number: int) -> list[str]:
        """So many new students, enrolled and signed in; the paths by which they open the socket."""
        now, now_ms = self._services.clock.now(), self._services.clock.now_ms()
        users = [self._user(next(self._numbers)) for _ in range(number)]
        enrollments = [
            Enrollment(
                id=enrollment_id_of(user.id, self.course_id),
                student_id=user.id,
                course_id=self.course_id,
                enrolled_at=now,
                created_at=now,
                updated_at=now,
            )
            for user in users
        ]
        for model, made in ((User, users), (Enrollment, enrollments)):
            rows = [{"_id": one.id, **one.model_dump(exclude={"id"}, exclude_none=True)} for one in made]
            await model.rows().insert_many(rows)
        tokens = [await self._services.sessions.begin(user, UNKNOWN_DEVICE, proved_ms=now_ms) for user in users]
        return [f"/ws?token={token.access_token}" for token in tokens]

    async def let_sign_in(self, number: int) -> list[str]:
        """Give so many students the password of all, at the cost that holds; their addresses."""
        hashed = await self._services.passwords.hash(PASSWORD)
        found = User.rows().find({"role": Role.STUDENT.value}, {"email": 1}).limit(number)
        rows = [row async for row in found]
        which = {"_id": {"$in": [row["_id"] for row in rows]}}
        await User.rows().update_many(which, {"$set": {"password_hash": hashed}})
        return [row["email"] for row in rows]

    async def new_quiz(self, questions: int = 1) -> str:
        """A quiz of so many questions, made by the teacher; its id."""
        async with Visitor.of(self._address) as teacher:
            await teacher.sign_in(_TEACHER, PASSWORD)
            return str((await factories.quiz(teacher, self.course_id, (factories.CHOICE,) * questions))["id"])

    def _user(self, number: int) -> User:
        now, email = self._services.clock.now(), f"student{number}@example.org"
        return User(
            id=new_id("usr"),
            email=email,
            email_key=email,
            password_hash="-",
            full_name=f"Student {number}",
            role=Role.STUDENT,
            created_at=now,
            updated_at=now,
        )


async def _obey(school: School) -> None:
    orders = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    while words := (await orders.readline()).decode().split():
        match words:
            case ["publish", events, stamp, size]:
                await school.publish(int(events), int(stamp), int(size))
            case ["people", number, file]:
                await _reply(await school.take_in(int(number)), file, course_id=school.course_id)
            case ["sign-ins", number, file]:
                await _reply(await school.let_sign_in(int(number)), file, quiz_id=await school.new_quiz())
            case ["exam", questions]:
                _tell(quiz_id=await school.new_quiz(int(questions)))


async def _reply(lines: Sequence[str], file: str, **told: str) -> None:
    """The lines go into a file, what is told goes out as JSON."""
    await asyncio.to_thread(Path(file).write_text, "".join(f"{line}\n" for line in lines))
    _tell(**told)


def _tell(**told: str) -> None:
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()


async def _serve(settings: Settings, *, joins_course: str) -> None:
    sockets = bind_sockets(0, "127.0.0.1", backlog=BACKLOG)
    async with open_services(settings) as services, serving(services, sockets) as address:
        school = School(services, address)
        if joins_course:
            school.course_id = joins_course
        else:
            await school.found()
        gc.collect()
        gc.freeze()  # as `handlers/serve.py` does
        gc.set_threshold(10_000, 50, 1000)
        ready(sockets[0].getsockname()[1])
        await _obey(school)


def main() -> None:
    """Serve until the input ends."""
    given = json.loads(sys.argv[1])
    joins_course = given.pop("joins_course", "")
    settings = Settings(_env_file=None, **given)
    set_up_logging(settings)
    asyncio.run(_serve(settings, joins_course=joins_course))


if __name__ == "__main__":
    main()
