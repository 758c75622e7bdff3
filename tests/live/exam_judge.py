"""The judge of a random exam: which order of a burst explains what was answered, and what is stored after it?"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from tests.clients import Visitor
from tests.live.exam_reference import CLOSED, OPEN, Answer, Mark, Op, Sheet, closed, control
from tests.live.exam_requests import Circumstances, Request, Screen

GRACE_MS, SLACK_MS, IDLE_MS = 1_000, 1_000, 15_000
CLOCK_ERROR_MS = 50
"""Nodes and this judge ask one machine's clock; what they say of a moment differs by less."""
Row = dict[str, Any]


@dataclass
class Sitting:
    """A student's attempt with the screens that are open on it."""

    visitors: list[Visitor]
    attempt_id: str
    sheet: Sheet
    row: Row
    screens: list[Screen]
    ops: dict[str, list[Op]] = field(default_factory=dict)
    """Every operation that was made, by its id; a reused id has more than one."""


class Judge:
    """Holds every burst against the reference. `controls` are those of the quiz, in their order."""

    def __init__(self) -> None:
        self.controls: list[Row] = []

    def hold(
        self, sitting: Sitting, requests: list[Request], before: Row, row: Row, *, between: tuple[int, int]
    ) -> None:
        begun_ms, ended_ms = between
        for request in requests:
            for op in getattr(request, "ops", ()):
                sitting.ops.setdefault(op.op_id, []).append(op)
        deadlines = [one["deadline_ms"] for one in (before, row)]
        assert deadlines[0] <= deadlines[1], "a deadline moved back"
        late = {
            begun_ms - CLOCK_ERROR_MS > deadlines[1] + GRACE_MS,
            ended_ms + CLOCK_ERROR_MS > deadlines[0] + GRACE_MS,
        }
        now = Circumstances(
            lateness=tuple(sorted(late)),
            may_be_idle=ended_ms - (before.get("writer") or {}).get("wrote_at_ms", 0) >= IDLE_MS - CLOCK_ERROR_MS,
            is_for_nobody=any((one["kind"], one["scope"]["kind"]) == ("pause", "all") for one in self.controls),
            is_contended=True,
        )
        may_close = ended_ms + CLOCK_ERROR_MS >= deadlines[0] + GRACE_MS + SLACK_MS
        found = next(self._explained(sitting, requests, row, now, may_close=may_close), None)
        assert found is not None, self._story(sitting, requests, before, row)
        self._check(sitting, row, found)
        writer = row.get("writer") or {}  # whether a hand-out without a reply gave another lease, only this tells
        sitting.sheet = replace(found, device=writer.get("device_id"), lease=writer.get("lease"))
        sitting.row = row

    def _explained(
        self, sitting: Sitting, requests: list[Request], row: Row, now: Circumstances, *, may_close: bool
    ) -> Iterator[Sheet]:
        """Sheets that some order of these requests leads to, and that are what is stored."""
        seen = set[tuple[Any, ...]]()
        waiting: list[tuple[Sheet, tuple[int, ...]]] = [(sitting.sheet, tuple(range(len(requests))))]
        while waiting:
            sheet, left = waiting.pop()
            key = sheet.shape(), left
            if key in seen:
                continue
            seen.add(key)
            if not left and self._is_stored(sheet, row, sitting):
                yield sheet
            waiting += [(after, left) for after in self._by_itself(sheet, row, may_close=may_close)]
            for place in left:
                rest = tuple(one for one in left if one != place)
                waiting += [(after, rest) for after in requests[place].outcomes(sheet, now)]

    def _by_itself(self, sheet: Sheet, row: Row, *, may_close: bool) -> Iterator[Sheet]:
        """The next control, and the closing."""
        if sheet.status == CLOSED:
            return
        for one in self.controls:
            if one["n"] == sheet.live_version + 1:
                yield control(sheet, one["n"], one["kind"], is_meant=is_meant_for(one, row["_id"]))
        if may_close and sheet.status == OPEN:
            yield closed(sheet)

    def _is_stored(self, sheet: Sheet, row: Row, sitting: Sitting) -> bool:
        stored = sheet_of(row, sitting.ops, explained=sheet)
        if sheet.lease is not None and sheet.lease.startswith("lost-") and sheet.device == stored.device:
            sheet = replace(sheet, lease=stored.lease)
        return sheet.shape() == stored.shape()

    def _check(self, sitting: Sitting, row: Row, sheet: Sheet) -> None:
        """What holds in every state, whatever led to it."""
        for question_id, answer in row["answers"].items():
            written = [
                (mark[0], one)
                for one, mark in row["ops"].items()
                if not mark[3] and sheet.ops[one].question_id == question_id
            ]
            assert (answer["revision"], answer["op_id"]) == max(written), "not the highest operation is stored"
            assert answer["saved_at_ms"] <= row["deadline_ms"] + GRACE_MS + CLOCK_ERROR_MS, "a late answer counts"
        assert row["ops_count"] == len(row["ops"])
        if sheet.status != CLOSED:
            return
        submitted_ms = round(row["submitted_at"].timestamp() * 1000)
        if row["submitted_by"] == "deadline":
            assert submitted_ms >= row["deadline_ms"] + GRACE_MS + SLACK_MS, "closed before its deadline"
        assert "open_key" not in row
        if sitting.sheet.status == CLOSED:
            assert row["answers"] == sitting.row["answers"], "an answer was taken after the close"
            assert row["ops"].keys() == sitting.row["ops"].keys()

    def _story(self, sitting: Sitting, requests: list[Request], before: Row, row: Row) -> str:
        lines = ["nothing explains it; from", str(sitting.sheet), "by"]
        for one in requests:
            body = {name: kept for name, kept in (one.body or {}).items() if name not in ("questions", "receipt")}
            lines.append(f"  {type(one).__name__} { ({**vars(one), 'body': body or None}) }")
        lines += [f"controls {[(one['n'], one['kind'], one['scope']) for one in self.controls]}", "before and after"]
        left_out = ("outbox", "receipt", "metadata")
        lines += [json.dumps({k: v for k, v in one.items() if k not in left_out}, default=str) for one in (before, row)]
        return "\n".join(lines)


def sheet_of(row: Row, ops: dict[str, list[Op]], explained: Sheet | None = None) -> Sheet:
    """What is stored, as a sheet. Which of two values an operation had, only digests tell: the explanation says it."""
    known = {} if explained is None else explained.ops
    marks = {}
    for op_id, mark in row["ops"].items():
        made = known.get(op_id) or Mark(0, ops[op_id][0].question_id, ops[op_id][0].value)
        marks[op_id] = Mark(mark[0], made.question_id, made.value, is_superseded=mark[3])
    answers = {
        one: Answer(kept["value"], kept["op_id"], kept["seq"], kept["device_id"], kept["revision"])
        for one, kept in row["answers"].items()
    }
    status = row["status"] if row["status"] in ("in_progress", "paused") else CLOSED
    writer = row.get("writer") or {}
    controls = tuple(row.get("controls", ()))
    return Sheet(
        status,
        row["revision"],
        writer.get("device_id"),
        writer.get("lease"),
        answers,
        marks,
        controls,
        row["live_version"],
    )


def is_meant_for(given: Row, attempt_id: str) -> bool:
    """Does a control concern this attempt?"""
    return given["scope"]["kind"] == "all" or attempt_id in given["scope"].get("attempt_ids", ())
