"""Who comes and goes, told to the dashboards, also after a fault of the database."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pymongo.errors import AutoReconnect

from documents.attempt import Attempt
from lms_rt.bus.base import Member
from lms_rt.bus.memory import memory_bus
from lms_rt.clock import FakeClock
from lms_rt.contracts.base import read_model
from lms_rt.contracts.channels import attempt_channel
from lms_rt.contracts.questions import QuestionDraft
from lms_rt.services.dashboards import Dashboards
from tests.services.exam import ESSAY, Exam


async def test_a_fault_of_the_database_does_not_end_the_telling(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[set[str]] = []
    is_asked = asyncio.Event()

    async def find(unknown: set[str]) -> dict[str, tuple[str, str]]:
        asked.append(unknown)
        is_asked.set()
        raise AutoReconnect("the primary is away")

    monkeypatch.setattr(Attempt, "find_sittings", find)
    dashboards = Dashboards(bus=memory_bus(FakeClock()), clock=FakeClock())
    running: asyncio.Task[Any] = asyncio.create_task(dashboards.run())
    try:
        for attempt_id in ("att_1", "att_2"):
            is_asked.clear()
            dashboards.presence_changed(attempt_channel(attempt_id))
            async with asyncio.timeout(20):
                await is_asked.wait()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert asked == [{"att_1"}, {"att_2"}]


async def test_a_teacher_who_learns_is_there_and_one_who_watches_is_not_the_student(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def find(unknown: set[str]) -> dict[str, tuple[str, str]]:
        return dict.fromkeys(unknown, ("quz_1", "usr_learner"))

    monkeypatch.setattr(Attempt, "find_sittings", find)
    bus = memory_bus(FakeClock())
    dashboards = Dashboards(bus=bus, clock=FakeClock())
    left: list[bool] = []
    for attempt_id, user_id, is_staff in (("att_1", "usr_learner", True), ("att_2", "usr_watcher", False)):
        await bus.presence.join(attempt_channel(attempt_id), Member("con_1", user_id, "Tariq", is_staff))
        await dashboards._poke({attempt_id})
        left.append(attempt_id in dashboards._left)
    assert left == [False, True]


async def test_a_snapshot_read_before_the_first_look_at_an_empty_quiz_still_fits(exam: Exam) -> None:
    quiz_id = await exam.quiz()
    dashboards = Dashboards(bus=exam.bus, clock=exam.clock)
    source = dashboards.source_of(quiz_id)
    snapshot = await dashboards.show(exam.teacher, quiz_id)
    exam.clock.advance(0.4)  # the node is busy: its first look comes after the snapshot was read
    seen = await source.refresh()
    standing = source.standing()
    assert standing is not None
    assert standing["follows"] <= snapshot.version
    await exam.begun(await exam.student(), quiz_id)
    exam.clock.advance(0.4)
    await source.refresh()
    frame = source.changes_since(seen)
    assert frame is not None
    assert len(frame["students"]) == 1
    assert frame["follows"] <= snapshot.version


async def test_a_snapshot_of_an_empty_quiz_read_before_it_was_edited_does_not_fit(exam: Exam) -> None:
    quiz_id = await exam.quiz()
    dashboards = Dashboards(bus=exam.bus, clock=exam.clock)
    source = dashboards.source_of(quiz_id)
    snapshot = await dashboards.show(exam.teacher, quiz_id)
    exam.clock.advance(0.4)
    await exam.questions.add_all(exam.teacher, quiz_id, [read_model(QuestionDraft, ESSAY)])
    await source.refresh()
    standing = source.standing()
    assert standing is not None
    assert standing["follows"] > snapshot.version
