"""What is noted around an attempt: facts in one order, for the student and the teacher alike, and nothing of previews."""

from __future__ import annotations

import asyncio
from typing import Literal

import pytest

from config.settings import Settings
from documents.attempt import Attempt
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.attempts import Signal
from lms_rt.contracts.integrity import IntegrityQuery
from lms_rt.errors import Code
from lms_rt.services.leases import Device
from lms_rt.storage.mongo import OpenDatabase
from tests.services.exam import code_of
from tests.services.room import LIMIT, Room, opened_room, sat


@pytest.fixture
def engine() -> str:
    return "embedded"


@pytest.fixture
async def exam(database: OpenDatabase, settings: Settings) -> Room:
    del database
    return await opened_room(settings)


async def test_what_is_noted_around_an_attempt(exam: Room, student: Actor) -> None:
    attempt = await sat(exam, student)
    for state in ("hidden", "hidden", "shown"):
        await exam.attempts.signal(student, attempt.id, [Signal(kind="page", state=state)])
    phone = await exam.attempts.take_over(student, attempt.id, Device("phone"))
    exam.clock.advance(LIMIT.total_seconds() + 2.5)
    assert await code_of(exam.save(student, phone, "b", device_id="phone")) is Code.ATTEMPT_CLOSED
    late = {"question_ids": exam.question_ids[:1], "answers": 1, "late_ms": 2_500}
    assert (await exam.facts(attempt))[1:] == [
        ("page_hidden", {}),
        ("page_shown", {}),
        ("take_over", {"device_id": "phone"}),
        ("late_message", late),
    ]
    integrity = exam.attempts.integrity
    own = await integrity.show(student, attempt.id, IntegrityQuery(sort="-n", page_size=2))
    assert ([one.kind for one in own.items], own.total) == (["late_message", "take_over"], 5)
    assert await integrity.show(exam.teacher, attempt.id, IntegrityQuery(sort="-n", page_size=2)) == own
    other = await exam.student("Other")
    assert await code_of(integrity.show(other, attempt.id, IntegrityQuery())) is Code.NOT_FOUND
    told = await exam.events(attempt, "integrity")
    assert [event.event.data["number"] for event in told] == [1, 2, 3, 4, 5]


async def test_of_previews_nothing_is_noted(exam: Room) -> None:
    preview = await exam.begun(exam.teacher, await exam.quiz(connection_loss_policy="automatic"))
    await exam.comes(exam.teacher, preview)
    await exam.away(exam.teacher, preview, 60)
    await exam.attempts.signal(exam.teacher, preview.id, [Signal(kind="page", state="hidden")])
    assert await exam.facts(preview) == []
    assert "offline" not in (await Attempt.find_state(preview.id) or {})


@pytest.mark.parametrize("engine", ["embedded", pytest.param("real", marks=pytest.mark.real)])
async def test_many_facts_at_once_have_an_order_without_gaps(exam: Room, student: Actor) -> None:
    attempt = await exam.begun(student, await exam.quiz())
    row, integrity = await exam.stored(attempt.id), exam.attempts.integrity
    await asyncio.gather(*(integrity.note(row, "late_message", {"number": number}) for number in range(12)))
    noted = await exam.facts(attempt)  # holds them to 1, 2, 3 …
    assert sorted(data["number"] for _, data in noted) == list(range(12))


async def test_a_screen_that_flickers_does_not_fill_the_store(
    exam: Room, student: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lms_rt.services.integrity.MAX_FACTS", 5)
    attempt = await exam.begun(student, await exam.quiz())
    for state in ("hidden", "shown") * 5:
        await exam.attempts.signal(student, attempt.id, [Signal(kind="page", state=state)])
    assert [kind for kind, _ in await exam.facts(attempt)][3:] == ["page_shown", "log_full"]


async def test_signals_that_come_together_are_facts_one_by_one(exam: Room, student: Actor) -> None:
    attempt = await exam.begun(student, await exam.quiz())
    states: tuple[Literal["hidden", "shown"], ...] = ("hidden", "shown", "hidden")
    await exam.attempts.signal(student, attempt.id, [Signal(kind="page", state=state) for state in states])
    assert [kind for kind, _ in await exam.facts(attempt)] == ["page_hidden", "page_shown", "page_hidden"]


async def test_what_a_client_tells_leaves_room_for_what_the_server_sees(
    exam: Room, student: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lms_rt.services.integrity.MAX_FACTS", 9)
    monkeypatch.setattr("lms_rt.services.integrity.MAX_TOLD", 3)
    attempt = await sat(exam, student)
    for state in ("hidden", "shown") * 10:
        await exam.attempts.signal(student, attempt.id, [Signal(kind="page", state=state)])
    await exam.attempts.take_over(student, attempt.id, Device("phone"))
    await exam.goes(attempt)
    kinds = [kind for kind, _ in await exam.facts(attempt)]
    assert kinds == ["connected", "page_hidden", "page_shown", "told_full", "take_over", "disconnected"]


async def test_that_nothing_can_be_noted_costs_nobody_an_answer(
    exam: Room, student: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt = await exam.begun(student, await exam.quiz())

    async def away(*_: object) -> None:
        raise OSError("the database is away")

    monkeypatch.setattr("documents.integrity.IntegrityRecord.add", away)
    phone = await exam.attempts.take_over(student, attempt.id, Device("phone"))
    assert phone.lease is not None
