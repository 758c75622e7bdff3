"""The six rules of the ledger, one by one and in their order, without any database."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lms_rt.services.ledger import LedgerRules, Operation, Verdict, applied, decide, write_of

RULES = LedgerRules(grace_ms=2_000, max_operations=10)
DEADLINE = 100_000
OP = Operation("q1", "b", "op-9", seq=5, device_id="laptop", lease="key", base_revision=3)
STORED = {"value": "a", "op_id": "op-1", "seq": 4, "device_id": "laptop", "revision": 3, "saved_at_ms": 10}


def row(**fields: Any) -> dict[str, Any]:
    plain = {
        "_id": "att_1",
        "status": "in_progress",
        "deadline_ms": DEADLINE,
        "revision": 7,
        "writer": {"device_id": "laptop", "lease": "key", "wrote_at_ms": 0},
        "ops_count": 2,
        "answers": {"q1": STORED},
        "ops": {},
    }
    return {**plain, **fields}


def verdict(state: dict[str, Any], op: Operation = OP, received_ms: int = 50_000) -> Verdict:
    return decide(state, op, received_ms=received_ms, rules=RULES).verdict


def known(op: Operation = OP, *, superseded: bool = False) -> dict[str, Any]:
    return {op.op_id: [4, op.digest, 20, superseded, op.question_id]}


CLOSED = {"status": "submitted"}
PAUSED = {"status": "paused"}
FOREIGN = replace(OP, lease="other")
ELSEWHERE = replace(OP, device_id="phone", base_revision=2)
OVERTAKEN = replace(OP, seq=4, base_revision=2)


@pytest.mark.parametrize("state", [{}, CLOSED, PAUSED, {"ops_count": 10}, {"writer": None}])
@pytest.mark.parametrize("op", [OP, replace(OP, lease=None), replace(OP, seq=0, base_revision=0)])
def test_1_a_known_operation_gets_its_first_ack_whatever_has_become_of_the_attempt(
    state: dict[str, Any], op: Operation
) -> None:
    decision = decide(row(**state, ops=known()), op, received_ms=DEADLINE * 2, rules=RULES)
    assert (decision.verdict, decision.revision, decision.saved_at_ms) == (Verdict.REPEATED, 4, 20)
    assert not decision.is_superseded
    assert decide(row(ops=known(superseded=True)), op, received_ms=0, rules=RULES).is_superseded


@pytest.mark.parametrize("op", [replace(OP, value="c"), replace(OP, value=None), replace(OP, question_id="q2")])
@pytest.mark.parametrize("state", [{}, CLOSED, PAUSED])
def test_1_a_known_operation_with_another_value_or_question_is_reused(state: dict[str, Any], op: Operation) -> None:
    assert verdict(row(**state, ops=known()), op) is Verdict.OP_ID_REUSED


@pytest.mark.parametrize("op", [OP, FOREIGN, ELSEWHERE, OVERTAKEN])
@pytest.mark.parametrize("received_ms", [50_000, DEADLINE * 2])
def test_2_paused_comes_before_late(op: Operation, received_ms: int) -> None:
    assert verdict(row(**PAUSED), op, received_ms) is Verdict.PAUSED


@pytest.mark.parametrize("op", [OP, FOREIGN, ELSEWHERE, OVERTAKEN])
@pytest.mark.parametrize("status", ["submitted", "graded", "abandoned"])
def test_2_closed_comes_before_all_but_a_known_operation(op: Operation, status: str) -> None:
    assert verdict(row(status=status), op) is Verdict.CLOSED


def test_2_late_begins_after_the_grace() -> None:
    assert verdict(row(), received_ms=DEADLINE + 2_000) is Verdict.WRITE
    assert verdict(row(), received_ms=DEADLINE + 2_001) is Verdict.CLOSED
    untimed = row()
    del untimed["deadline_ms"]
    assert verdict(untimed, received_ms=DEADLINE * 9) is Verdict.WRITE


@pytest.mark.parametrize("op", [FOREIGN, replace(FOREIGN, seq=1, base_revision=0), replace(ELSEWHERE, lease=None)])
def test_3_only_the_writer_writes(op: Operation) -> None:
    decision = decide(row(), op, received_ms=0, rules=RULES)
    assert (decision.verdict, decision.is_me) == (Verdict.NOT_WRITER, False)
    assert verdict(row(writer=None), OP) is Verdict.NOT_WRITER


def test_4_an_operation_that_a_later_one_of_its_device_overtook_is_superseded() -> None:
    for op in (OVERTAKEN, replace(OVERTAKEN, seq=1), replace(OVERTAKEN, base_revision=0)):
        decision = decide(row(), op, received_ms=60, rules=RULES)
        assert (decision.verdict, decision.revision, decision.is_superseded) == (Verdict.OVERTAKEN, 3, True)
    assert verdict(row(), replace(OVERTAKEN, base_revision=3)) is Verdict.WRITE, "it knew of the stored one"
    assert verdict(row(), replace(OVERTAKEN, seq=5)) is Verdict.WRITE, "it is the newer one"


def test_5_nothing_is_overwritten_unseen() -> None:
    decision = decide(row(), ELSEWHERE, received_ms=0, rules=RULES)
    assert (decision.verdict, decision.stored) == (Verdict.CONFLICT, STORED)
    assert verdict(row(), replace(ELSEWHERE, base_revision=3)) is Verdict.WRITE
    assert verdict(row(answers={}), ELSEWHERE) is Verdict.WRITE


def test_6_a_write_takes_the_next_revision() -> None:
    state = row()
    decision = decide(state, OP, received_ms=60, rules=RULES)
    assert (decision.verdict, decision.revision, decision.saved_at_ms) == (Verdict.WRITE, 8, 60)
    after = applied(state, OP, decision)
    assert after["revision"] == 8
    assert after["answers"]["q1"]["value"] == "b"
    assert after["ops"] == {"op-9": [8, OP.digest, 60, False, "q1"]}
    assert state["ops"] == {}
    assert verdict(after) is Verdict.REPEATED


@pytest.mark.parametrize("op", [OP, OVERTAKEN])
def test_what_would_be_stored_counts_against_the_limit(op: Operation) -> None:
    assert verdict(row(ops_count=9), op) is not Verdict.TOO_MANY
    assert verdict(row(ops_count=10), op) is Verdict.TOO_MANY
    assert verdict(row(ops_count=10), ELSEWHERE) is Verdict.CONFLICT


def test_a_write_filters_on_what_it_was_decided_by() -> None:
    state = row()
    decision = decide(state, OP, received_ms=60, rules=RULES)
    write = write_of(state, applied(state, OP, decision), [OP], now_ms=61)
    assert write is not None
    assert write.filter("att_1") == {
        "_id": "att_1",
        "status": "in_progress",
        "revision": 7,
        "writer.lease": "key",
        "ops.op-9": {"$exists": False},
    }
    assert write.update()["$set"]["revision"] == 8
    assert write.update()["$inc"] == {"ops_count": 1}


def test_an_overtaken_operation_leaves_a_mark_and_nothing_else() -> None:
    state = row()
    decision = decide(state, OVERTAKEN, received_ms=60, rules=RULES)
    write = write_of(state, applied(state, OVERTAKEN, decision), [OVERTAKEN], now_ms=61)
    assert write is not None
    assert write.update() == {
        "$set": {"ops.op-9": [3, OVERTAKEN.digest, 60, True, "q1"]},
        "$inc": {"ops_count": 1},
    }


def test_operations_of_one_write_build_on_each_other() -> None:
    state = row()
    first, second = OP, replace(OP, op_id="op-10", value="c", seq=6, base_revision=8)
    after = state
    for op in (first, second):
        after = applied(after, op, decide(after, op, received_ms=60, rules=RULES))
    write = write_of(state, after, [first, second], now_ms=61)
    assert write is not None
    assert {answer["value"] for answer in write.answers.values()} == {"c"}
    assert [mark[0] for mark in write.marks.values()] == [8, 9]
    assert write.update()["$set"]["revision"] == 9
