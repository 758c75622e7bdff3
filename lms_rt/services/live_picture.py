"""The picture of a running quiz, kept up to date by reading only what changed: the arithmetic behind the live dashboard.

Rows of attempts go in, views come out; it reads nothing itself. What one attempt adds to a question's figures is taken
back before its newer state is added, and what changed last is found first, so a change costs the same among 2,000
students as among 20.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any

from documents.enums import AttemptStatus, QuestionType
from lms_rt.clock import from_ms
from lms_rt.contracts.dashboards import LiveQuestionView, LiveStudentView, LiveTotalsView
from lms_rt.services.offline import whole_seconds
from lms_rt.services.rendering import plain_line
from lms_rt.services.time_spent import seconds_before

Row = Mapping[str, Any]
_CHOICES = frozenset({QuestionType.MULTIPLE_CHOICE, QuestionType.MULTIPLE_SELECT, QuestionType.TRUE_FALSE})
_CLOSED = (AttemptStatus.GRADED.value, AttemptStatus.ABANDONED.value)
_TITLE_LENGTH = 120


@dataclass(slots=True)
class Presence:
    """Where a student is now, as far as the bus knows."""

    devices: int = 0
    question_id: str | None = None
    is_hidden: bool = False
    left_ms: int | None = None
    conflict_revision: int | None = None
    """Where the attempt stood when two devices last answered a question differently."""


@dataclass(slots=True)
class Sitting:
    """One attempt as the dashboard holds it. `seconds` is the time spent before each answer was saved."""

    row: Row
    changed: int
    seconds: dict[str, int]
    presence: Presence = field(default_factory=Presence)

    @property
    def values(self) -> dict[str, Any]:
        """The answers that are not empty."""
        return {key: answer["value"] for key, answer in self.row["answers"].items() if answer["value"] is not None}

    @property
    def is_open(self) -> bool:
        """May the student still answer?"""
        return self.row["status"] in (AttemptStatus.IN_PROGRESS.value, AttemptStatus.PAUSED.value)


@dataclass(slots=True)
class _Tally:
    """One question's figures."""

    question: Row
    order: int
    changed: int = 0
    answered: int = 0
    viewing: int = 0
    options: Counter[str] = field(default_factory=Counter)
    seconds: list[int] = field(default_factory=list)


class LivePicture:
    """All attempts of one quiz. `step` counts looks that changed something; each part knows the step it changed in."""

    def __init__(self, questions: Iterable[Row], *, asked_ms: int = 0) -> None:
        """`asked_ms`: when the quiz had these questions."""
        self.step = 0
        self.newest_ms, self._asked_ms = 0, asked_ms
        self.sittings: dict[str, Sitting] = {}
        """By attempt; the one that changed last is the last."""
        self._students: Counter[str] = Counter()
        self._tallies = {question["id"]: _Tally(question, order) for order, question in enumerate(questions, 1)}
        self._removed: dict[str, int] = {}
        self._totals: Counter[str] = Counter()

    @property
    def as_of_ms(self) -> int:
        """When what it shows was written last: an attempt, or the quiz. Equal data say the same whenever they are read."""
        return max(self.newest_ms, self._asked_ms)

    # --- what goes in ---

    def renew(self, questions: Iterable[Row], *, asked_ms: int) -> None:
        """Take the quiz's questions as they are now: corrected, edited, added, deleted or in another order."""
        following, known, self._tallies = self.step + 1, self._tallies, {}
        for order, question in enumerate(questions, 1):
            tally = known.pop(question["id"], None)
            if tally is None or tally.question["question_type"] != question["question_type"]:
                tally = self._counted_anew(question, order, following)
            elif (tally.order, tally.question) != (order, question):
                tally.question, tally.order, tally.changed = question, order, following
            self._tallies[question["id"]] = tally
            self._removed.pop(question["id"], None)
        self._removed |= dict.fromkeys(known, following)
        self.step, self._asked_ms = following, asked_ms

    def _counted_anew(self, question: Row, order: int, step: int) -> _Tally:
        tally, question_id = _Tally(question, order, step), question["id"]
        for sitting in self.sittings.values():
            tally.viewing += sitting.presence.devices > 0 and sitting.presence.question_id == question_id
            if (value := sitting.values.get(question_id)) is not None:
                _add(tally, value, sitting.seconds.get(question_id), +1)
        return tally

    def differing(self, states: Iterable[Row]) -> list[str]:
        """Which of these attempts are in another state than the one that is known here, by what tells states apart."""
        known = self.sittings
        return [
            row["_id"]
            for row in states
            if row["_id"] not in known or _state_of(known[row["_id"]].row) != _state_of(row)
        ]

    def take(self, rows: Iterable[Row]) -> list[str]:
        """Take the stored state of attempts that may have changed. Which did?"""
        following, changed = self.step + 1, []
        for row in rows:
            self.newest_ms = max(self.newest_ms, row["updated_ms"])
            known = self.sittings.pop(row["_id"], None)
            if known is not None and _state_of(known.row) == _state_of(row):
                self.sittings[row["_id"]] = known
                continue
            sitting = Sitting(
                row,
                following,
                seconds_before(row["started_at"], row["answers"]),
                known.presence if known else Presence(),
            )
            if known is not None:
                self._count(known, -1, following)
            self._count(sitting, +1, following)
            self.sittings[row["_id"]] = sitting
            changed.append(row["_id"])
        self.step += bool(changed)
        return changed

    def see(self, presences: Mapping[str, Presence]) -> bool:
        """Take where the students of these attempts are now. Has anything changed?"""
        following, has_changed = self.step + 1, False
        for attempt_id, presence in presences.items():
            if self.sittings[attempt_id].presence == presence:
                continue
            sitting = self.sittings[attempt_id] = self.sittings.pop(attempt_id)
            self._count_presence(sitting.presence, -1, following)
            self._count_presence(presence, +1, following)
            sitting.presence, sitting.changed, has_changed = presence, following, True
        self.step += has_changed
        return has_changed

    def _count(self, sitting: Sitting, sign: int, step: int) -> None:
        status = sitting.row["status"]
        self._totals["graded" if status in _CLOSED else status] += sign
        self._students[sitting.row["student_id"]] += sign
        self._totals["answers_saved"] += sign * len(sitting.values)
        for question_id, value in sitting.values.items():
            if (tally := self._tallies.get(question_id)) is not None:
                _add(tally, value, sitting.seconds.get(question_id), sign)
                tally.changed = step

    def _count_presence(self, presence: Presence, sign: int, step: int) -> None:
        self._totals["connected"] += sign * (presence.devices > 0)
        if presence.devices and (tally := self._tallies.get(presence.question_id or "")) is not None:
            tally.viewing += sign
            tally.changed = step

    # --- what comes out ---

    def students(self, since: int, now_ms: int) -> list[LiveStudentView]:
        """The rows that changed after step `since` (-1: all), in the order in which they began."""
        changed = takewhile(lambda sitting: sitting.changed > since, reversed(self.sittings.values()))
        ordered = sorted(changed, key=lambda sitting: (sitting.row["started_at"], sitting.row["_id"]))
        return [_student(sitting, now_ms) for sitting in ordered]

    def questions(self, since: int) -> list[LiveQuestionView]:
        """The questions whose figures changed after step `since` (-1: all)."""
        return [_question(tally) for tally in self._tallies.values() if tally.changed > since]

    def removed(self, since: int) -> list[str]:
        """The questions that were deleted after step `since`."""
        return [question_id for question_id, step in self._removed.items() if step > since]

    def totals(self) -> LiveTotalsView:
        """The figures above the table."""
        names = ("connected", "in_progress", "paused", "submitted", "graded", "answers_saved")
        return LiveTotalsView(students=len(self._students), **{name: self._totals[name] for name in names})


def _state_of(row: Row) -> tuple[Any, ...]:
    """What tells two states of one attempt apart: grading moves the version, answering the revision."""
    told = (row["revision"], row["version"], row["status"], row.get("deadline_ms"), row.get("take_overs"))
    return *told, _credit_asked_ms(row)


def _credit_asked_ms(row: Row) -> int | None:
    """The lost time that waits for the teacher's word."""
    asked: int | None = (row.get("offline") or {}).get("asked_ms")
    return asked or None


def _add(tally: _Tally, value: Any, seconds: int | None, sign: int) -> None:
    tally.answered += sign
    if tally.question["question_type"] in _CHOICES:
        for option in value if isinstance(value, list) else [value]:
            tally.options[str(option).lower() if isinstance(option, bool) else str(option)] += sign
    if seconds is None:
        return
    if sign > 0:
        insort(tally.seconds, seconds)
    else:
        tally.seconds.pop(bisect_left(tally.seconds, seconds))


def _student(sitting: Sitting, now_ms: int) -> LiveStudentView:
    row, presence = sitting.row, sitting.presence
    deadline_ms, paused_ms = row.get("deadline_ms"), row.get("paused_at_ms")
    at_ms = now_ms if paused_ms is None else paused_ms  # while paused no time runs
    remaining_ms = max(0, deadline_ms - at_ms) if deadline_ms is not None and sitting.is_open else None
    asked_ms = _credit_asked_ms(row)
    last_saved_ms = max((answer["saved_at_ms"] for answer in row["answers"].values()), default=None)
    return LiveStudentView(
        attempt_id=row["_id"],
        student_id=row["student_id"],
        full_name=row["student_name"],
        attempt_number=row["attempt_number"],
        started_at=row["started_at"],
        last_saved_at=None if last_saved_ms is None else from_ms(last_saved_ms),
        is_connected=presence.devices > 0,
        away_since=None if presence.left_ms is None or presence.devices else from_ms(presence.left_ms),
        devices=presence.devices,
        question_id=presence.question_id if presence.devices else None,
        answered_count=len(sitting.values),
        deadline_at=None if deadline_ms is None else from_ms(deadline_ms),
        paused_at=None if paused_ms is None else from_ms(paused_ms),
        remaining_ms=remaining_ms,
        group=row.get("group"),
        take_overs=row.get("take_overs") or 0,
        credit_asked_seconds=None if asked_ms is None else whole_seconds(asked_ms),
        status=row["status"],
        score=row.get("score"),
        max_score=row.get("max_score"),
        flags=_flags(sitting),
        revision=row["revision"],
    )


def _flags(sitting: Sitting) -> list[str]:
    """What a teacher may want to look at."""
    row, presence = sitting.row, sitting.presence
    flags = {
        "hidden": presence.is_hidden and presence.devices > 0,
        "conflict": sitting.is_open and presence.conflict_revision == row["revision"],
        "taken_over": bool(row.get("take_overs")),
        "credit": _credit_asked_ms(row) is not None,
    }
    return [name for name, holds in flags.items() if holds]


def _question(tally: _Tally) -> LiveQuestionView:
    return LiveQuestionView(
        question_id=tally.question["id"],
        order=tally.order,
        title=plain_line(tally.question["question_text"], _TITLE_LENGTH),
        question_type=tally.question["question_type"],
        version=tally.question.get("version", 1),
        viewing=tally.viewing,
        answered=tally.answered,
        options={option: count for option, count in tally.options.items() if count},
        median_seconds=_median(tally.seconds),
    )


def _median(ordered: list[int]) -> int | None:
    """The middle of an ordered list, the mean of the middle two cut to whole seconds."""
    if not ordered:
        return None
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) // 2
