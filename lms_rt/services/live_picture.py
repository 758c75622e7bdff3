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
from lms_rt.clock import from_ms, to_ms
from lms_rt.contracts.dashboards import LiveQuestionView, LiveStudentView, LiveTotalsView
from lms_rt.services.rendering import plain_line

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

    def __init__(self, questions: Iterable[Row]) -> None:
        self.step = 0
        self.newest_ms = 0
        self.sittings: dict[str, Sitting] = {}
        """By attempt; the one that changed last is the last."""
        self._students: Counter[str] = Counter()
        self._tallies = {question["id"]: _Tally(question, order) for order, question in enumerate(questions, 1)}
        self._totals: Counter[str] = Counter()

    # --- what goes in ---

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
            sitting = Sitting(row, following, _seconds_before(row), known.presence if known else Presence())
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

    def totals(self) -> LiveTotalsView:
        """The figures above the table."""
        names = ("connected", "in_progress", "paused", "submitted", "graded", "answers_saved")
        return LiveTotalsView(students=len(self._students), **{name: self._totals[name] for name in names})


def _state_of(row: Row) -> tuple[Any, ...]:
    """What tells two states of one attempt apart: grading moves the version, answering the revision."""
    return row["revision"], row["version"], row["status"], row.get("deadline_ms")


def _seconds_before(row: Row) -> dict[str, int]:
    """For each answer, the seconds since the one saved before it, or since the start."""
    before, spent = to_ms(row["started_at"]), {}
    for question_id, answer in sorted(row["answers"].items(), key=lambda item: item[1]["saved_at_ms"]):
        spent[question_id] = max(0, answer["saved_at_ms"] - before) // 1000
        before = answer["saved_at_ms"]
    return spent


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
    deadline_ms = row.get("deadline_ms")
    remaining_ms = max(0, deadline_ms - now_ms) if deadline_ms is not None and sitting.is_open else None
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
        remaining_ms=remaining_ms,
        status=row["status"],
        score=row.get("score"),
        max_score=row.get("max_score"),
        flags=["hidden"] if presence.is_hidden and presence.devices else [],
        revision=row["revision"],
    )


def _question(tally: _Tally) -> LiveQuestionView:
    return LiveQuestionView(
        question_id=tally.question["id"],
        order=tally.order,
        title=plain_line(tally.question["question_text"], _TITLE_LENGTH),
        question_type=tally.question["question_type"],
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
