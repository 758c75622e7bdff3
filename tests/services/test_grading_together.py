"""A class whose time is over in one moment: graded some at a time, told afterwards, each exactly once."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from typing import Any

import pytest
from pymongo.errors import ConnectionFailure

from documents.attempt import Attempt
from documents.enums import Grading
from lms_rt.services import attempt_clock, attempt_grading
from tests.services.exam import Exam


async def _class_at_the_end(exam: Exam, count: int) -> list[str]:
    quiz_id = await exam.quiz()
    begun = []
    for _ in range(count):
        student = await exam.student()
        attempt = await exam.begun(student, quiz_id)
        await exam.save(student, attempt, "b")
        begun.append(attempt.id)
    exam.clock.advance(31 * 60)
    await exam.attempt_clock.closing.close_due(is_grading=False)
    return begun


async def _graded_all(exam: Exam) -> None:
    await exam.attempt_clock._grade_all()


async def test_each_is_graded_once_and_told_once(exam: Exam, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempt_grading, "READ_TOGETHER", 3)
    begun = await _class_at_the_end(exam, 8)
    versions = {one: (await exam.stored(one))["version"] for one in begun}
    await asyncio.gather(_graded_all(exam), _graded_all(exam))
    rows = [await exam.stored(one) for one in begun]
    assert [(row["grading"], row["score"], row["version"] - versions[row["_id"]]) for row in rows] == [
        ("done", 200, 1)
    ] * 8
    told = [effect["attempt_id"] for effect in exam.effects if effect["status"] == "graded"]
    assert sorted(told) == sorted(begun)
    assert not [row["_id"] for row in rows if row.get("outbox")]


async def test_one_that_is_damaged_does_not_hold_up_the_others(exam: Exam, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = await _class_at_the_end(exam, 4)
    await Attempt.rows().update_one({"_id": begun[1]}, {"$set": {"key_version": "none"}})
    await _graded_all(exam)
    gradings = [(await exam.stored(one))["grading"] for one in begun]
    assert gradings == [Grading.DONE, Grading.PENDING, Grading.DONE, Grading.DONE]


async def test_grades_of_who_was_cut_off_are_told_all_the_same(exam: Exam, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = await _class_at_the_end(exam, 3)
    grade = Attempt.grade
    made: list[str] = []

    async def and_stop(seen: dict[str, Any], *args: Any, **options: Any) -> bool:
        if len(made) == 2:
            raise asyncio.CancelledError
        made.append(seen["_id"])
        return await grade(seen, *args, **options)

    monkeypatch.setattr(Attempt, "grade", and_stop)
    with suppress(asyncio.CancelledError):
        await _graded_all(exam)
    monkeypatch.undo()
    told = [effect["attempt_id"] for effect in exam.effects if effect["status"] == "graded"]
    assert sorted(told) == sorted(made)
    await _graded_all(exam)
    assert [(await exam.stored(one))["grading"] for one in begun] == [Grading.DONE] * 3


async def test_everybody_has_a_turn_between_any_two_grades(exam: Exam, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = await _class_at_the_end(exam, 6)
    grade, turns, graded_in = Attempt.grade, [0], list[int]()

    async def noted(*args: Any, **options: Any) -> bool:
        graded_in.append(turns[0])
        return await grade(*args, **options)

    async def somebody_else() -> None:
        while True:
            turns[0] += 1
            await asyncio.sleep(0)

    monkeypatch.setattr(attempt_grading, "READ_TOGETHER", 2)
    monkeypatch.setattr(attempt_clock, "GRADED_AT_ONCE", 2)
    monkeypatch.setattr(Attempt, "grade", noted)
    other = asyncio.create_task(somebody_else())
    await _graded_all(exam)
    other.cancel()
    assert len(graded_in) == len(begun)
    # answers of a server arrive in one turn for all who wait for one, and each grader waits for its own
    most = 1 if exam.settings.is_embedded else 2
    assert max(Counter(graded_in).values()) <= most


async def test_damaged_ones_in_front_are_left_alone_for_a_while(
    exam: Exam, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(attempt_clock, "GRADED_IN_A_ROW", 2)
    begun = await _class_at_the_end(exam, 5)
    damaged, others = begun[:2], begun[2:]
    key = {"_id": {"$in": damaged}}
    early = exam.clock.now_ms() - 1_000
    await Attempt.rows().update_many(key, {"$set": {"key_version": "none", "updated_ms": early}})
    await _graded_all(exam)
    assert [(await exam.stored(one))["grading"] for one in others] == [Grading.DONE] * 3
    assert len(_said(caplog)) == 2
    exam.clock.advance(60)
    await _graded_all(exam)
    await exam.attempt_clock.sweep()
    assert len(_said(caplog)) == 2, "they are left alone"
    await Attempt.rows().update_many(key, {"$set": {"key_version": 0}})
    exam.clock.advance(10 * 60)
    await _graded_all(exam)
    assert [(await exam.stored(one))["grading"] for one in damaged] == [Grading.DONE] * 2


async def test_while_the_store_is_away_nobody_is_left_alone(exam: Exam, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = await _class_at_the_end(exam, 2)

    async def away(*_: Any, **__: Any) -> bool:
        raise ConnectionFailure("away")

    with monkeypatch.context() as patch:
        patch.setattr(Attempt, "grade", away)
        await _graded_all(exam)
    await _graded_all(exam)
    assert [(await exam.stored(one))["grading"] for one in begun] == [Grading.DONE] * 2


def _said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if "could not be graded" in record.getMessage()]
