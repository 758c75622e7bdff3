"""Far more people sign in at once than passwords can be tried: most are told when to come again, and nobody else feels it.

No clock is asked: passwords are held back, so that whatever is answered meanwhile is answered beside them.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import bcrypt
import pytest

from documents.enums import Role
from documents.user import User
from tests import factories
from tests.clients import Visitor
from tests.conftest import _ENGINES, settings_on
from tests.house import PASSWORD, House, open_house
from tests.live.raw_line import Stranger
from tests.perf.plain_http import HttpLine, Reply
from tests.secrets_used import note_reply

CROWD, PLACES = 400, 53
"""One password is tried, and 52 wait: 12 more places are for browsers that their account knows."""
SECONDS = 60


@pytest.fixture(scope="module", params=_ENGINES)
async def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """A school behind a proxy that is trusted, so that everybody comes from somewhere else."""
    path = tmp_path_factory.mktemp("storm")
    proxies = {"trusted_proxies": ("127.0.0.1/32",)}
    async with open_house(settings_on(str(request.param), request, path, **proxies)) as opened:
        yield opened


@contextmanager
def held_back(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[threading.Event, list[str]]]:
    """No password is tried until the event; where each was tried."""
    go_on, threads, real = threading.Event(), list[str](), bcrypt.checkpw

    def checkpw(password: bytes, stored: bytes) -> bool:
        threads.append(threading.current_thread().name)
        assert go_on.wait(SECONDS)
        return real(password, stored)

    monkeypatch.setattr(bcrypt, "checkpw", checkpw)
    try:
        yield go_on, threads
    finally:
        go_on.set()


async def accounts(house: House) -> list[str]:
    """The addresses of so many people who can sign in."""
    services = house.services
    now, hashed = services.clock.now(), await services.passwords.hash(PASSWORD)
    emails = [f"storm{number}@example.org" for number in range(CROWD)]
    for number, email in enumerate(emails):
        common = {"password_hash": hashed, "full_name": "Sara Storm", "role": Role.STUDENT}
        await User.add(
            User(id=f"usr_storm{number}", email=email, email_key=email, created_at=now, updated_at=now, **common)
        )
    return emails


async def sign_in(house: House, number: int, email: str, mark: str = "") -> Reply:
    """One of them, from an address of their own."""
    line = await HttpLine.dial(int(house.address.rpartition(":")[2]))
    try:
        there = f"X-Forwarded-For: 10.0.{number // 250}.{number % 250}", f"Cookie: lms_device={mark}"
        body = {"email": email, "password": PASSWORD}
        reply = await line.ask("POST", "/api/v1/auth/login", *there, body=body)
        note_reply(reply.body)
        return reply
    finally:
        line.close()


async def sitting(house: House, student: Visitor, stranger: Stranger) -> tuple[str, dict[str, str]]:
    """A course that the student reads, and the first answer of its exam, to be saved over the socket."""
    teacher = await house.teacher()
    course = await factories.course(teacher)
    await factories.enrolled(student, course["id"])
    quiz = await factories.quiz(teacher, course["id"], (factories.CHOICE,))
    line = await stranger.open(f"/ws?ticket={await student.ticket()}")
    began = (await line.ask("attempt.start", quiz_id=quiz["id"], device_id="laptop"))["result"]
    held = {"attempt_id": began["id"], "device_id": "laptop", "lease": began["lease"]}
    return course["id"], {**held, "question_id": began["questions"][0]["id"], "value": "b", "op_id": "op1"}


async def test_strangers_who_find_no_place_are_told_when_to_come_and_nobody_else_waits(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    emails, student = await accounts(house), await house.student()
    with Stranger(int(house.address.rpartition(":")[2])) as stranger, held_back(monkeypatch) as (go_on, threads):
        course_id, answer = await sitting(house, student, stranger)
        crowd = [asyncio.create_task(sign_in(house, number, email)) for number, email in enumerate(emails)]
        answered = asyncio.Queue[Reply]()
        for task in crowd:
            task.add_done_callback(lambda done: answered.put_nowait(done.result()))
        async with asyncio.timeout(SECONDS):
            refused = [await answered.get() for _ in range(CROWD - PLACES)]
            # Not one password has been tried by now.
            assert (await student.ok("GET", f"/courses/{course_id}"))["id"] == course_id
            assert (await stranger._lines[0].ask("answer.save", **answer, seq=1, base_revision=0))["ok"]
            tokens = {"refresh_token": student.tokens["refresh_token"]}
            assert (await student.call("POST", "/auth/refresh", json=tokens)).status_code == 200
        mark = house.services.device_marks.renewed("", "usr_storm0")
        owner, pool = asyncio.create_task(sign_in(house, CROWD, emails[0], mark)), house.services.passwords._pool
        async with asyncio.timeout(SECONDS):
            while not owner.done() and pool._under_way == PLACES:  # noqa: ASYNC110 - it waits for its turn then
                await asyncio.sleep(0)
        assert {reply.status for reply in refused} == {503}
        assert all(b'"busy"' in reply.body for reply in refused)
        told = [reply.retry_after_seconds or 0 for reply in refused]
        assert min(told) >= 1
        assert max(told) - min(told) >= 30, "they do not all come again at the same moment"
        waiting = [task for task in crowd if not task.done()]
        assert (len(waiting), len(threads)) == (PLACES, 1), "one password is being tried"
        go_on.set()
        async with asyncio.timeout(SECONDS):
            assert (await owner).status == 200, "who was here before finds a place"
            assert {reply.status for reply in await asyncio.gather(*waiting)} == {200}
            assert (await sign_in(house, 0, emails[0])).status == 200, "there is room again"
    assert all(name.startswith("bcrypt") for name in threads), "never on the loop"
