"""The proof of `simulate` can fail: each way in which an acknowledged answer may be gone is found, and nothing else is."""

from __future__ import annotations

import time
from typing import Any

import pytest

from lms_rt.console.simulate.proof import ledger_faults
from lms_rt.console.simulate.student import Diary, Operation
from lms_rt.console.simulate.watcher import Latencies

FIRST = Operation("q1", "a", "op-1", seq=1, base_revision=0)
SECOND = Operation("q1", "b", "op-2", seq=2, base_revision=1)
OTHER = Operation("q2", True, "op-3", seq=3, base_revision=0)


def diary(*acknowledged: tuple[Operation, int, bool], unanswered: tuple[Operation, ...] = ()) -> Diary:
    return Diary(
        "att_1",
        acknowledged={operation.op_id: (operation, *rest) for operation, *rest in acknowledged},  # type: ignore[misc]
        unanswered=list(unanswered),
    )


def stored(operation: Operation, revision: int, **fields: Any) -> dict[str, Any]:
    answer = {"op_id": operation.op_id, "revision": revision, "value": operation.value, **fields}
    return {"answers": {operation.question_id: answer}}


def faults(seen: Diary, attempt: dict[str, Any]) -> str:
    return "; ".join(ledger_faults(seen, attempt))


def test_the_newest_acknowledged_operation_is_stored() -> None:
    assert faults(diary((FIRST, 1, False), (SECOND, 2, False)), stored(SECOND, 2)) == ""


def test_acks_in_another_order_than_their_revisions_are_no_fault() -> None:
    assert faults(diary((SECOND, 2, False), (FIRST, 1, False)), stored(SECOND, 2)) == ""


def test_a_superseded_operation_need_not_be_stored() -> None:
    assert faults(diary((SECOND, 2, False), (FIRST, 2, True)), stored(SECOND, 2)) == ""


def test_a_later_operation_whose_ack_was_lost_may_be_stored() -> None:
    assert faults(diary((FIRST, 1, False), unanswered=(SECOND,)), stored(SECOND, 2)) == ""


@pytest.mark.parametrize(("kind", "is_fault"), [("multiple_select", False), ("ordering", True)])
def test_a_set_has_no_order(kind: str, is_fault: bool) -> None:
    sent = Operation("q1", ["b", "a"], "op-1", seq=1, base_revision=0)
    attempt = {**stored(sent, 1, value=["a", "b"]), "questions": [{"id": "q1", "question_type": kind}]}
    assert bool(faults(diary((sent, 1, False)), attempt)) is is_fault


@pytest.mark.parametrize(
    ("attempt", "words"),
    [
        ({"answers": {}}, "revision 2 was acknowledged and is not stored"),
        (stored(FIRST, 1), "revision 2 was acknowledged and is not stored"),
        (stored(FIRST, 3), "op-1 is stored, op-2 was the newest"),
        (stored(SECOND, 3), "acknowledged as revision 2 and is stored as 3"),
        (stored(SECOND, 2, value="c"), "'c' is stored, 'b' was sent"),
        (stored(SECOND, 3, op_id="op-9"), "op-9 is stored, op-2 was the newest"),
    ],
)
def test_what_is_wrong_with_a_stored_answer_is_told(attempt: dict[str, Any], words: str) -> None:
    assert words in faults(diary((FIRST, 1, False), (SECOND, 2, False)), attempt)


def test_a_lost_ack_excuses_no_other_value() -> None:
    found = faults(diary((FIRST, 1, False), unanswered=(SECOND,)), stored(SECOND, 2, value="c"))
    assert "'c' is stored, 'b' was sent" in found


def test_every_question_is_looked_at() -> None:
    found = ledger_faults(diary((FIRST, 1, False), (OTHER, 2, False)), stored(FIRST, 1))
    assert [fault.split(":")[0] for fault in found] == ["att_1 q2"]


def test_a_frame_shows_every_answer_up_to_its_revision() -> None:
    waits = Latencies()
    for revision in (1, 2, 3):
        waits.acknowledged("att_1", revision, 0.0)
    waits.shown(
        {"data": {"students": [{"attempt_id": "att_1", "revision": 2}, {"attempt_id": "att_2", "revision": 9}]}}
    )
    assert (len(waits.save_ms), len(waits.dashboard_ms)) == (3, 2)
    waits.shown({"data": {"students": [{"attempt_id": "att_1", "revision": 3}]}})
    assert len(waits.dashboard_ms) == 3


def test_a_frame_that_overtook_the_ack_counts_when_it_came() -> None:
    waits = Latencies()
    waits.shown({"data": {"students": [{"attempt_id": "att_1", "revision": 2}]}})
    sent = time.monotonic()
    waits.shown({"data": {"students": [{"attempt_id": "att_1", "revision": 5}]}})
    waits.acknowledged("att_1", 2, sent)
    assert waits.dashboard_ms[0] <= 0  # an answer of before is not measured by a later frame
    waits.acknowledged("att_1", 5, sent)
    assert waits.dashboard_ms[1] >= 0
