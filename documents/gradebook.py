"""How the grades of a course come together: categories with weights, which item belongs where, and the letters. No rules.

`_id` is the course's. A course that has none is graded by points alone. What counts is `lms_rt/services/gradebook_rules.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import ClassVar

from pydantic import Field
from pymongo import ASCENDING, IndexModel
from pymongo.errors import DuplicateKeyError

from documents.accommodation import Accommodation
from documents.assignment import Assignment
from documents.attempt import Attempt
from documents.base import Aggregate, Row, with_intents
from documents.enrollment import PRESENT, Enrollment
from documents.enums import AttemptStatus, Grading, QuizType
from documents.grade_override import GradeOverride
from documents.quiz import Quiz
from documents.submission import LIST_FIELDS, Submission

_HEAD: Row = {"outbox": 0, "outbox_at": 0}
_QUIZ = (
    "title",
    "total_points",
    "opens_at",
    "closes_at",
    "time_limit_minutes",
    "grading_policy",
    "course_id",
    "is_marking_anonymous",
)
_MARKS = ("quiz_id", "student_id", "attempt_number", "percentage", "exact_percentage", "grading", "status")
_LEARNER = ("student_id", "status", "expires_ms", "group")
_AT_ONCE = 10

Whose = str | Collection[str] | None
"""Of whom: of one student, of some, or of everybody."""


class Gradebook(Aggregate):
    """The settings of a course's grades. Weights and letters' limits are hundredths of a percent.

    A category is `{id, name, weight, drop_lowest, weighing, takes}`; `placed` says of an item which category it is in
    ("" for none), where that is another than the one that takes items of its kind.
    """

    categories: list[Row] = Field(default_factory=list)
    placed: dict[str, str] = Field(default_factory=dict)
    scale: list[Row] = Field(default_factory=list)
    missing: str = "ignore"

    class Settings(Aggregate.Settings):
        """The collection and its indexes."""

        name = "gradebooks"
        indexes: ClassVar = [IndexModel([("outbox_at", ASCENDING)], sparse=True)]

    @classmethod
    async def find_row(cls, course_id: str) -> Row | None:
        """The settings of a course; None: nobody has set any."""
        return await cls.rows().find_one({"_id": course_id}, dict(_HEAD))

    @classmethod
    async def put_at(
        cls, course_id: str, version: int, fields: Row, *, intents: Sequence[Row] = (), at: datetime
    ) -> bool:
        """Set `fields` and move the version, if it still is `version` (1: there is none yet, or only the first)."""
        update = with_intents({"$set": {**fields, "version": version + 1, "updated_at": at}}, intents, at)
        result = await cls.rows().update_one({"_id": course_id, "version": version}, update)
        if result.matched_count or version > 1:
            return bool(result.matched_count)
        row: Row = {"_id": course_id, "created_at": at, **update["$set"], "outbox": list(intents)}
        try:
            await cls.rows().insert_one(row)
        except DuplicateKeyError:  # somebody was first
            return False
        return True


# --- what the grades are made of ---


async def graded_quizzes(course_id: str) -> list[Row]:
    """The graded quizzes of a course that are published or put away, the oldest first, without their questions."""
    counted = {"$or": [{"is_published": True}, {"is_archived": True}]}
    wanted = {"course_id": course_id, "quiz_type": QuizType.GRADED.value, **counted}
    found = Quiz.rows().find(wanted, dict.fromkeys((*_QUIZ, "is_archived", "created_at"), 1))
    return await found.sort([("created_at", ASCENDING), ("_id", ASCENDING)]).to_list(None)


async def graded_assignments(course_id: str) -> list[Row]:
    """The assignments of a course that are published or put away, the oldest first."""
    wanted = {"course_id": course_id, "$or": [{"is_published": True}, {"is_archived": True}]}
    found = Assignment.rows().find(wanted, {"outbox": 0, "description": 0, "rubric": 0})
    return await found.sort([("created_at", ASCENDING), ("_id", ASCENDING)]).to_list(None)


async def untouched(course_id: str, archived: Collection[str]) -> set[str]:
    """Those of these quizzes and assignments, which were put away, that nobody has anything for: no work and no word by hand."""
    said = {"course_id": course_id, "$or": [{"points": {"$exists": True}}, {"is_excused": True}]}
    found: set[str] = set()
    for item_id in archived:
        handed_in = {"assignment_id": item_id, "submitted_at": {"$exists": True}}
        for rows, wanted in (
            (Attempt.rows(), {"quiz_id": item_id, "is_preview": False}),
            (Submission.rows(), handed_in),
            (GradeOverride.rows(), {**said, "item_id": item_id}),
        ):
            if await rows.find_one(wanted, {"_id": 1}) is not None:
                break
        else:
            found.add(item_id)
    return found


async def is_marked_namelessly(item_id: str, kind: str) -> bool:
    """Does something still wait at a quiz or an assignment that is marked without names?"""
    if kind == "assignment":
        return await Submission.has_waiting(item_id)
    closed = {"status": {"$nin": [AttemptStatus.IN_PROGRESS.value, AttemptStatus.PAUSED.value]}}
    wanted = {"quiz_id": item_id, "is_preview": False, "grading": {"$ne": Grading.DONE.value}, **closed}
    return await Attempt.rows().find_one(wanted, {"_id": 1}) is not None


async def marks_at(quiz_ids: Collection[str], whose: Whose = None) -> list[Row]:
    """The attempts at these quizzes, in few fields. Previews do not count."""
    wanted: Row = {"is_preview": False}
    found: list[Row] = []
    for which in _pieces("quiz_id", quiz_ids, whose):
        found += await Attempt.rows().find({**wanted, **which}, dict.fromkeys(_MARKS, 1)).to_list(None)
        await asyncio.sleep(0)
    return found


async def handed_in_at(assignment_ids: Collection[str], whose: Whose = None) -> list[Row]:
    """What was handed in for these assignments, without the texts."""
    wanted: Row = {"submitted_at": {"$exists": True}}
    found: list[Row] = []
    for which in _pieces("assignment_id", assignment_ids, whose):
        found += await Submission.rows().find({**wanted, **which}, dict(LIST_FIELDS)).to_list(None)
        await asyncio.sleep(0)
    return found


def _of(whose: Whose) -> Row:
    if whose is None:
        return {}
    named = [whose] if isinstance(whose, str) else sorted(whose)
    return {"student_id": named[0] if len(named) == 1 else {"$in": named}}


def _pieces(name: str, ids: Collection[str], whose: Whose) -> list[Row]:
    """Of everybody one question for each item; of those who are named, one for some of them, by the index of students.

    Not all at once: the embedded store answers on the loop, which others wait for.
    """
    if whose is None:
        return [{name: one} for one in sorted(ids)]
    named = [whose] if isinstance(whose, str) else sorted(whose)
    some = [named[begin : begin + _AT_ONCE] for begin in range(0, len(named), _AT_ONCE)] if ids else []
    return [{**_of(one), name: {"$in": sorted(ids)}} for one in some]


async def learners_of(course_id: str, whose: Whose = None) -> list[Row]:
    """Who is in a course, or those of them who are asked for; of one who is, whatever became of them."""
    wanted: Row = {"course_id": course_id, **_of(whose)}
    if not isinstance(whose, str):
        wanted["status"] = {"$in": list(PRESENT)}
    return await Enrollment.rows().find(wanted, dict.fromkeys(_LEARNER, 1)).to_list(None)


async def overrides_in(course_id: str, whose: Whose = None) -> dict[tuple[str, str], Row]:
    """What is said by hand in a course, by (student, item)."""
    return await GradeOverride.in_force(course_id, _of(whose))


async def profiles_in(course_id: str, whose: Whose = None) -> dict[tuple[str, str], Row]:
    """Who has more time in a course or at one of its quizzes, by (place, student)."""
    found = Accommodation.rows().find({"course_id": course_id, **_of(whose)})
    return {(row.get("quiz_id") or row["course_id"], row["student_id"]): row async for row in found}


async def quizzes_of_courses(course_ids: Collection[str]) -> list[Row]:
    """The published quizzes of these courses that open or close at some time, graded or not, without their questions."""
    if not course_ids:
        return []
    timed = {"$or": [{"opens_at": {"$exists": True}}, {"closes_at": {"$exists": True}}]}
    wanted = {"course_id": {"$in": sorted(course_ids)}, "is_published": True, **timed}
    return await Quiz.rows().find(wanted, dict.fromkeys(_QUIZ, 1)).to_list(None)
