"""Steps of the ledger that are stored in one command: each has its own answer, and nobody waits for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from pymongo.errors import AutoReconnect, BulkWriteError

from documents import attempt_records
from documents.attempt import Attempt, LedgerWrite
from documents.attempt_records import COMMANDS_AT_ONCE, AttemptRecords
from lms_rt.services import ledger_memory
from lms_rt.services.leases import Device
from tests.services.exam import Exam, refused

_LEASE = "lease"
_NOW_MS = 1_790_000_000_000


def _write(revision: int = 0, op_id: str = "op", lease: str = _LEASE) -> LedgerWrite:
    answer = {"value": "b", "op_id": op_id, "seq": 1, "device_id": "laptop", "revision": revision + 1, "saved_at_ms": 1}
    mark = [revision + 1, "digest", _NOW_MS, False, "q1"]
    return LedgerWrite(revision, lease, {"q1": answer}, {op_id: mark}, _NOW_MS)


async def _attempts(count: int, **fields: Any) -> list[str]:
    ids = [f"att_{number}" for number in range(count)]
    plain = {
        "status": "in_progress",
        "revision": 0,
        "ops_count": 0,
        "writer": {"lease": _LEASE},
        "answers": {},
        "ops": {},
    }
    rows = [
        {"_id": one, "open_key": one, "student_id": one, "quiz_id": "quz_1", "attempt_number": 1, **plain, **fields}
        for one in ids
    ]
    await Attempt.rows().insert_many(rows)
    return ids


@pytest.mark.real
async def test_each_step_has_its_own_answer(exam: Exam, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some come late, some with an old lease, and one twice; what is told is what is stored."""
    if exam.settings.is_embedded:
        pytest.skip("the embedded store takes one update at a time")
    ids = await _attempts(120)
    together: list[int] = []
    stored_of = attempt_records.stored_of

    async def noted(records: Sequence[Any]) -> list[bool]:
        together.append(len(records))
        return await stored_of(records)

    monkeypatch.setattr(attempt_records, "stored_of", noted)
    records = AttemptRecords()
    writes = [_write(revision=1 if n % 10 == 3 else 0, lease="old" if n % 10 == 7 else _LEASE) for n in range(len(ids))]
    told = await asyncio.gather(
        *(records.record(one, write) for one, write in zip(ids, writes, strict=True)), records.record(ids[0], writes[0])
    )
    expected = [n % 10 not in (3, 7) for n in range(len(ids))]
    assert told[:-1] == expected
    assert told[-1] is True, "a repeat finds its own mark"
    rows = {row["_id"]: row async for row in Attempt.rows().find({})}
    assert [rows[one]["revision"] == 1 and "op" in rows[one]["ops"] for one in ids] == expected
    assert max(together) == attempt_records.MOST_AT_ONCE
    assert len(together) <= 5


class _Store:
    """Stores when it is let; says what came together."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self._free = asyncio.Semaphore(0)
        self.error: Exception | None = None

    async def stored_of(self, records: Sequence[Any]) -> list[bool]:
        self.asked.append([one.attempt_id for one in records])
        await self._free.acquire()
        if self.error is not None:
            raise self.error
        return [one.attempt_id != "late" for one in records]

    def let(self, commands: int = 1) -> None:
        for _ in range(commands):
            self._free.release()


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> _Store:
    made = _Store()
    monkeypatch.setattr(attempt_records, "stored_of", made.stored_of)
    return made


async def _begin(records: AttemptRecords, *names: str) -> list[asyncio.Task[bool]]:
    tasks = [asyncio.create_task(records.record(name, _write())) for name in names]
    for _ in range(5):
        await asyncio.sleep(0)
    return tasks


async def test_what_arrives_meanwhile_goes_along_with_the_next(store: _Store) -> None:
    assert COMMANDS_AT_ONCE == 2
    tasks = await _begin(AttemptRecords(), "a", "b", "c", "late", "d")
    assert store.asked == [["a"], ["b"]]
    store.let()
    assert await tasks[0]
    store.let(2)
    assert await asyncio.gather(*tasks) == [True, True, True, False, True]
    assert store.asked == [["a"], ["b"], ["c", "late", "d"]]
    (again,) = await _begin(records := AttemptRecords(), "a")
    store.let()
    assert await again
    assert records._sending == 0


async def test_who_goes_away_does_not_hold_up_the_others(store: _Store) -> None:
    records = AttemptRecords()
    first, second, third, fourth, fifth = await _begin(records, "a", "b", "c", "d", "e")
    fourth.cancel()
    first.cancel()  # while its command is under way: the next one sends what waits
    for _ in range(5):
        await asyncio.sleep(0)
    assert store.asked == [["a"], ["b"], ["c", "e"]]
    third.cancel()
    for _ in range(5):
        await asyncio.sleep(0)
    assert await fifth is False, "nobody knows whether it was stored: it is read, and decided again"
    store.let(4)
    assert await second
    (later,) = await _begin(records, "f")
    assert await later
    assert records._sending == 0


async def test_one_who_goes_as_its_turn_comes_hands_it_on(store: _Store) -> None:
    class HandsOn(AttemptRecords):
        def _hand_on(self) -> None:
            super()._hand_on()
            third.cancel()  # it was told to send a moment ago, and has not begun

    records = HandsOn()
    first, second, third, fourth = await _begin(records, "a", "b", "c", "d")
    store.let()
    await first
    for _ in range(5):
        await asyncio.sleep(0)
    store.let(3)
    assert await second
    assert await fourth
    assert records._sending == 0


async def test_a_fault_is_everybodys(store: _Store) -> None:
    records = AttemptRecords()
    tasks = await _begin(records, "a", "b", "c", "d")
    store.error = AutoReconnect("cut")
    store.let(4)
    faults = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(one) for one in faults] == [AutoReconnect] * 4
    store.error = None
    (later,) = await _begin(records, "e")
    store.let()
    assert await later


async def test_where_too_many_wait_one_is_stored_alone(store: _Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempt_records, "MOST_WAITING", 1)
    alone: list[str] = []

    async def record(attempt_id: str, _: LedgerWrite) -> bool:
        alone.append(attempt_id)
        return True

    monkeypatch.setattr(Attempt, "record", record)
    tasks = await _begin(AttemptRecords(), "a", "b", "c", "d")
    assert alone == ["d"]
    store.let(3)
    assert await asyncio.gather(*tasks) == [True] * 4


async def test_one_that_cannot_be_stored_leaves_the_others_to_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    class Rows:
        async def bulk_write(self, *_: Any, **__: Any) -> None:
            raise BulkWriteError({})

    async def record(attempt_id: str, _: LedgerWrite) -> bool:
        return attempt_id == "a"

    monkeypatch.setattr(Attempt, "rows", Rows)
    monkeypatch.setattr(Attempt, "record", record)
    both = [attempt_records._Record(one, _write(), asyncio.get_running_loop().create_future()) for one in ("a", "b")]
    assert await attempt_records.stored_of(both) == [True, False]


async def test_what_is_remembered_can_be_wrong_and_no_answer_changes(exam: Exam) -> None:
    """Another node writes in between, from another device: the old memory stores nothing, and a conflict is found."""
    student = await exam.student()
    attempt = await exam.begun(student, await exam.quiz())
    await exam.save(student, attempt, "b")
    other = exam.node()
    taken = await other.take_over(student, attempt.id, Device("phone"))
    row = exam.row("c", base_revision=1)
    await other.save(student, attempt.id, row, device_id="phone", lease=taken.lease or "")
    assert (await exam.stored(attempt.id))["answers"][exam.question_ids[0]]["value"] == "c"
    back = await exam.attempts.take_over(student, attempt.id, Device("laptop"))
    conflict = await refused(exam.save(student, back, "a", base_revision=1))
    assert conflict.data["stored"].value == "c"
    stored = await exam.stored(attempt.id)
    assert (stored["revision"], stored["ops_count"], len(stored["ops"])) == (2, 2, 2)


async def test_only_a_row_with_all_its_answers_is_remembered(exam: Exam, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is read again after somebody was faster has one answer: by it, another's would be overwritten unseen."""
    student = await exam.student()
    attempt = await exam.begun(student, await exam.quiz(), device_id="phone")
    second = exam.question_ids[1]
    await exam.save(student, attempt, True, question_id=second)
    taken = await exam.attempts.take_over(student, attempt.id, Device("laptop"))
    record, missed = Attempt.record, [attempt.id]

    async def missing_once(attempt_id: str, write: LedgerWrite) -> bool:
        if missed:
            missed.pop()
            return False
        return await record(attempt_id, write)

    node = exam.node()
    monkeypatch.setattr(node._answers._ledger, "_record", missing_once)
    await node.save(student, attempt.id, exam.row("b"), device_id="laptop", lease=taken.lease or "")
    row = exam.row(False, question_id=second)
    conflict = await refused(node.save(student, attempt.id, row, device_id="laptop", lease=taken.lease or ""))
    assert conflict.data["stored"].value is True


async def test_little_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_memory, "KEPT", 2)
    memory = ledger_memory.LedgerMemory()
    answer = {"value": "x" * 1_000, "op_id": "op", "seq": 1, "device_id": "laptop", "revision": 1, "saved_at_ms": 1}
    for one in ("a", "b", "c"):
        memory.keep({"_id": one, "answers": {"q": answer}, "ops": {"op": [1]}})
    assert memory.find("a") is None
    kept = memory.find("c")
    assert kept is not None
    assert (kept["ops"], "value" in kept["answers"]["q"]) == ({}, False)
    memory.forget("c")
    assert memory.find("c") is None
