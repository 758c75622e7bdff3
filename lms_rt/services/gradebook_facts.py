"""What grades are made of: read in few queries, and worked out to one grade for each student and item.

What grades come to together is `gradebook_rules.py`. Everything but `gathered` is pure, and runs beside the event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from fractions import Fraction
from typing import Any

from documents import gradebook as stored
from documents.base import Row
from documents.enrollment import is_present_row
from documents.enums import AttemptStatus, Grading
from documents.gradebook import Gradebook
from lms_rt.clock import from_ms, to_ms
from lms_rt.services.accommodations import times_of_quiz
from lms_rt.services.gradebook_rules import WHOLE, Category, Cell, Item, Letter, Policy, State
from lms_rt.services.grading import counted_percentage
from lms_rt.services.late_penalty import Standing as Lateness
from lms_rt.services.late_penalty import standing_of, terms_of

DEFAULT_SCALE: tuple[Row, ...] = (
    {"letter": "A", "minimum": 9_000},
    {"letter": "B", "minimum": 8_000},
    {"letter": "C", "minimum": 7_000},
    {"letter": "D", "minimum": 6_000},
    {"letter": "F", "minimum": 0},
)
_UNSET: Row = {"categories": [], "placed": {}, "scale": list(DEFAULT_SCALE), "missing": "ignore", "version": 1}
_OPEN = frozenset({AttemptStatus.IN_PROGRESS.value, AttemptStatus.PAUSED.value})
_TAKEN_BY = {"quiz": ("quizzes", "all"), "assignment": ("assignments", "all")}


@dataclass(frozen=True, slots=True)
class GradedItem:
    """A quiz or an assignment with its row, and its place in the gradebook."""

    item: Item
    kind: str
    row: Row

    @property
    def id(self) -> str:
        """The quiz's or the assignment's."""
        return self.item.item_id

    @property
    def is_archived(self) -> bool:
        """Put away: then it counts for who has something for it, and nobody misses it."""
        return bool(self.row.get("is_archived"))

    @property
    def due_at(self) -> datetime | None:
        """Until when everybody has time who is given no other."""
        due_at: datetime | None = self.row.get("closes_at" if self.kind == "quiz" else "due_date")
        return due_at


@dataclass(frozen=True, slots=True)
class Worked:
    """One grade, and how it came about. `own` is what it is without the word of a teacher."""

    cell: Cell
    own: Cell
    due_at: datetime | None = None
    attempts: tuple[Row, ...] = ()
    lateness: Lateness | None = None
    submitted_at: datetime | None = None
    override: Row | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """All that was read of a course at a moment."""

    settings: Row
    items: Sequence[GradedItem]
    learners: Sequence[Row]
    overrides: Mapping[tuple[str, str], Row]
    now_ms: int
    profiles: Mapping[tuple[str, str], Row] = field(default_factory=dict)
    marks: Mapping[tuple[str, str], Sequence[Row]] = field(default_factory=dict)
    submissions: Mapping[tuple[str, str], Row] = field(default_factory=dict)

    @property
    def policy(self) -> Policy:
        """The settings as the rules take them."""
        return policy_of(self.settings)

    def grades_of(self, learner: Row) -> dict[str, Worked]:
        """Every grade of one student, by item."""
        return {item.id: self._worked(item, learner) for item in self.items}

    def _worked(self, item: GradedItem, learner: Row) -> Worked:
        override = self.overrides.get((learner["student_id"], item.id))
        made = self._of_quiz(item, learner) if item.kind == "quiz" else self._of_assignment(item, learner)
        if override is None:
            return made
        return Worked(
            cell=_by_hand(override),
            own=made.own,
            due_at=made.due_at,
            attempts=made.attempts,
            lateness=made.lateness,
            submitted_at=made.submitted_at,
            override=override,
        )

    def _of_quiz(self, item: GradedItem, learner: Row) -> Worked:
        student_id = learner["student_id"]
        tried = self.marks.get((item.id, student_id), ())
        profile = self.profiles.get((item.id, student_id)) or self.profiles.get((item.row["course_id"], student_id))
        closes_ms = times_of_quiz(item.row, profile).closes_ms if profile else _ms(item.due_at)
        due_at = None if closes_ms is None else from_ms(closes_ms)
        graded = tuple(row for row in tried if row.get("grading") == Grading.DONE)
        if graded:
            shares = [_fraction(str(row.get("exact_percentage", row["percentage"]))) for row in graded]
            one = shares[0] if len(shares) == 1 else counted_percentage(item.row["grading_policy"], shares)
            counted = one or Fraction(0)
            cell = Cell(State.GRADED, Fraction(counted.numerator * item.item.points, counted.denominator * WHOLE))
            return Worked(cell, cell, due_at, attempts=graded)
        if any(row["status"] not in _OPEN for row in tried):
            cell = Cell(State.WAITING)
        else:
            is_over = not tried and self._is_missed(item, closes_ms)
            cell = Cell(State.MISSING if is_over else State.OPEN)
        return Worked(cell, cell, due_at)

    def _of_assignment(self, item: GradedItem, learner: Row) -> Worked:
        submission = self.submissions.get((item.id, learner["student_id"]))
        terms = terms_of(item.row, learner["student_id"], learner.get("group"))
        if submission is None:
            cell = Cell(State.MISSING if self._is_missed(item, _ms(terms.due_at)) else State.OPEN)
            return Worked(cell, cell, terms.due_at)
        lateness = standing_of(terms, submission.get("submitted_at"), submission.get("raw_grade"))
        cell = Cell(State.WAITING)
        if lateness.grade is not None:
            cell = Cell(State.GRADED, Fraction(lateness.grade))
        return Worked(cell, cell, terms.due_at, lateness=lateness, submitted_at=submission.get("submitted_at"))

    def _is_missed(self, item: GradedItem, until_ms: int | None) -> bool:
        """Is the time over, of an item at which something can still be done by those who have time?"""
        return not item.is_archived and until_ms is not None and until_ms <= self.now_ms

    def of_one(self) -> Facts:
        """Those of one student, without what was put away before they had anything for it."""
        student_id = self.learners[0]["student_id"] if self.learners else ""
        touched = {
            *(item_id for item_id, whose in (*self.marks, *self.submissions) if whose == student_id),
            *(item_id for whose, item_id in self.overrides if whose == student_id),
        }
        return replace(self, items=[one for one in self.items if not one.is_archived or one.id in touched])


async def gathered(course_id: str, *, now_ms: int, whose: stored.Whose = None, is_for_staff: bool = True) -> Facts:
    """What there is in a course, of everybody who is in it, of some of these, or of one student, whatever became of them.

    `is_for_staff`: where work without names still waits, all that was handed in waits: else a grade, or the moment, told whose it is.
    """
    is_one = isinstance(whose, str)
    outline, learners, overrides, profiles = await asyncio.gather(
        outlined(course_id, now_ms=now_ms),
        stored.learners_of(course_id, whose),
        stored.overrides_in(course_id, whose),
        stored.profiles_in(course_id, whose),
    )
    ids = {kind: [one.id for one in outline.items if one.kind == kind] for kind in ("quiz", "assignment")}
    marks = await stored.marks_at(ids["quiz"], whose)
    handed_in = await stored.handed_in_at(ids["assignment"], whose)
    if nameless := await _nameless(outline.items) if is_for_staff else frozenset():
        marks = [row if row["quiz_id"] not in nameless else {**row, "grading": Grading.MANUAL.value} for row in marks]
        handed_in = [row if row["assignment_id"] not in nameless else _unmarked(row) for row in handed_in]
    facts = replace(
        outline,
        learners=[row for row in learners if is_one or is_present_row(row, now_ms)],
        overrides=overrides,
        profiles=profiles,
        marks=_by_sitting(marks),
        submissions={(row["assignment_id"], row["student_id"]): row for row in handed_in},
    )
    return facts.of_one() if is_one else facts


async def _nameless(items: Sequence[GradedItem]) -> frozenset[str]:
    """Those of these that are marked without names, and not all of it yet."""
    asked = [one for one in items if one.row.get("is_marking_anonymous")]
    return frozenset([one.id for one in asked if await stored.is_marked_namelessly(one.id, one.kind)])


def _unmarked(submission: Row) -> Row:
    return {name: value for name, value in submission.items() if name not in ("raw_grade", "submitted_at")}


async def outlined(course_id: str, *, now_ms: int) -> Facts:
    """How a course is graded and what is graded in it, without anybody's grades."""
    settings, quizzes, assignments = await asyncio.gather(
        find_settings(course_id), stored.graded_quizzes(course_id), stored.graded_assignments(course_id)
    )
    archived = [row["_id"] for row in (*quizzes, *assignments) if row.get("is_archived")]
    none = await stored.untouched(course_id, archived)
    rows = ([row for row in found if row["_id"] not in none] for found in (quizzes, assignments))
    return Facts(settings=settings, items=_items(settings, *rows), learners=[], overrides={}, now_ms=now_ms)


async def find_settings(course_id: str) -> Row:
    """How a course is graded; as nobody has said otherwise, by points alone."""
    row = await Gradebook.find_row(course_id)
    return {"_id": course_id, **_UNSET} if row is None else row


def policy_of(settings: Row) -> Policy:
    """The settings as the rules take them."""
    return Policy(
        categories=tuple(
            Category(one["id"], one["weight"], one["drop_lowest"], is_equal=one["weighing"] == "equal")
            for one in settings["categories"]
        ),
        counts_missing=settings["missing"] == "zero",
        scale=tuple(Letter(one["letter"], one["minimum"]) for one in settings["scale"]),
    )


def place_of(settings: Row, item_id: str, kind: str) -> str | None:
    """The category of an item: the one that it was put into, else the one that takes items of its kind."""
    ids = {one["id"] for one in settings["categories"]}
    placed = settings["placed"].get(item_id)
    if placed is not None and (placed in ids or not placed):
        return placed or None
    return next((one["id"] for one in settings["categories"] if one["takes"] in _TAKEN_BY[kind]), None)


def _items(settings: Row, quizzes: Sequence[Row], assignments: Sequence[Row]) -> list[GradedItem]:
    """By category, in the order of these, and there the oldest first; those in none come last."""
    found: list[GradedItem] = []
    for kind, rows, points in (("quiz", quizzes, "total_points"), ("assignment", assignments, "points")):
        for row in rows:
            place = place_of(settings, row["_id"], kind)
            found.append(GradedItem(Item(row["_id"], row[points], place), kind, row))
    order = {one["id"]: number for number, one in enumerate(settings["categories"])}
    return sorted(found, key=lambda one: _rank(one, order))


def _rank(one: GradedItem, order: Mapping[str, int]) -> tuple[Any, ...]:
    category_id = one.item.category_id
    return (order.get(category_id, len(order)) if category_id else len(order), one.row["created_at"], one.id)


def _by_sitting(marks: Sequence[Row]) -> dict[tuple[str, str], list[Row]]:
    found: dict[tuple[str, str], list[Row]] = {}
    for row in sorted(marks, key=lambda row: int(row["attempt_number"])):
        found.setdefault((row["quiz_id"], row["student_id"]), []).append(row)
    return found


def _by_hand(override: Row) -> Cell:
    if override.get("is_excused"):
        return Cell(State.EXCUSED)
    return Cell(State.GRADED, Fraction(override["points"]))


def _fraction(stored: str) -> Fraction:
    """As it is stored, "n/d" or a whole number. Fraction's own reading takes three times as long, and there are many."""
    numerator, _, denominator = stored.partition("/")
    return Fraction(int(numerator), int(denominator or 1))


def _ms(at: datetime | None) -> int | None:
    return None if at is None else to_ms(at)
