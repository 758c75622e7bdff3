"""A student in a course: status, progress per lesson, summaries of the attempts. `_id` is "<student>:<course>". No rules.

`revision` counts every write and is the compare-and-set of all of them; `version` moves only with what others hear of,
and never goes back: who enrols again goes on from the old one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

from pydantic import BaseModel, Field
from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.errors import DuplicateKeyError

from documents.base import Aggregate, Row, by_ids, with_intents
from documents.enums import CourseAccess, EnrollmentStatus, ProgressStatus

Sorting = Sequence[tuple[str, int]]

PRESENT = (EnrollmentStatus.ACTIVE.value, EnrollmentStatus.COMPLETED.value)
"""The statuses in which a student is in the course."""
BOUGHT = (CourseAccess.PAYMENT.value, CourseAccess.SUBSCRIPTION.value)
"""What lets an enrolment live as long as it is paid for."""
STUDENTS_AT_ONCE = 2_000


class LessonProgress(BaseModel):
    """How far a student is in one lesson, stored under `progress.<lesson_id>`. `watched` are merged ranges in seconds."""

    status: str = ProgressStatus.NOT_STARTED.value
    started_at: datetime | None = None
    completed_at: datetime | None = None
    time_spent_seconds: int = 0
    last_position_seconds: int = 0
    completion_percentage: int = 0
    attempts_count: int = 0
    watched: list[list[int]] = Field(default_factory=list)


class AttemptSummary(BaseModel):
    """What an enrolment tells of one attempt. `attempt_version` keeps a late word from replacing a newer one."""

    attempt_id: str
    quiz_id: str
    attempt_number: int
    status: str
    percentage: int | None = None
    is_passed: bool | None = None
    submitted_at: datetime | None = None
    attempt_version: int = 0


class Enrollment(Aggregate):
    """A student's enrolment in a course. `request_seed` names the request that last brought the student in.

    `access` says what it lives by, `payment_id` or `subscription_id` which one; what is older than that has none of them.
    `is_put_out`: it was not the student who had it dropped. `review_version` counts the changes of the review alone.
    """

    student_id: str
    course_id: str
    status: str = EnrollmentStatus.ACTIVE.value
    progress: dict[str, LessonProgress] = Field(default_factory=dict)
    attempts: list[AttemptSummary] = Field(default_factory=list)
    passed_quiz_ids: list[str] = Field(default_factory=list)
    total_time_spent_seconds: int = 0
    last_accessed_at: datetime | None = None
    rating: int | None = None
    review: str | None = None
    reviewed_at: datetime | None = None
    review_hidden_at: datetime | None = None
    review_hidden_reason: str | None = None
    review_version: int | None = None
    review_created_at: datetime | None = None
    review_updated_at: datetime | None = None
    certificate_issued_at: datetime | None = None
    access: str | None = None
    payment_id: str | None = None
    subscription_id: str | None = None
    enrolled_at: datetime
    started_at: datetime | None = None
    completed_at: datetime | None = None
    expires_ms: int | None = None
    watched_until_ms: int | None = None
    request_seed: str | None = None
    is_put_out: bool = False
    group: str | None = None
    revision: int = 1

    class Settings(Aggregate.Settings):
        """Where enrolments are kept, and how they are found."""

        name = "enrollments"
        indexes: ClassVar[list[IndexModel]] = [
            IndexModel([("student_id", ASCENDING), ("enrolled_at", DESCENDING)]),
            IndexModel([("course_id", ASCENDING), ("enrolled_at", DESCENDING)]),
            IndexModel([("course_id", ASCENDING), ("status", ASCENDING)]),
            IndexModel([("course_id", ASCENDING), ("_id", ASCENDING)]),
            IndexModel([("course_id", ASCENDING), ("reviewed_at", DESCENDING)]),
            IndexModel([("expires_ms", ASCENDING)], sparse=True),
            IndexModel([("access", ASCENDING), ("_id", ASCENDING)]),
            IndexModel([("outbox_at", ASCENDING)], sparse=True),
        ]

    def is_over(self, now_ms: int) -> bool:
        """Is it active still, though its time is over?"""
        return self.status == EnrollmentStatus.ACTIVE and self.expires_ms is not None and self.expires_ms <= now_ms

    def is_present(self, now_ms: int) -> bool:
        """Is the student in the course at this time?"""
        return self.status in PRESENT and not self.is_over(now_ms)

    def progress_in(self, lesson_id: str) -> LessonProgress:
        """How far the student is in a lesson, begun or not."""
        return self.progress.get(lesson_id) or LessonProgress()

    @classmethod
    async def find_one_by_id(cls, enrollment_id: str) -> Enrollment | None:
        """The enrolment of this id."""
        row = await cls.rows().find_one({"_id": enrollment_id}, {"outbox": 0})
        return None if row is None else cls.model_validate(row)

    @classmethod
    async def find_of(cls, student_id: str, course_id: str) -> Enrollment | None:
        """A student's enrolment in a course."""
        return await cls.find_one_by_id(enrollment_id_of(student_id, course_id))

    @classmethod
    async def page(cls, filter_: Row, sorting: Sorting, *, skip: int, limit: int) -> tuple[list[Enrollment], int]:
        """Enrolments for a list, and how many match in all."""
        total = await cls.rows().count_documents(filter_)
        found = cls.rows().find(filter_, {"outbox": 0}).sort([*sorting, ("_id", sorting[0][1])]).skip(skip).limit(limit)
        return [cls.model_validate(row) for row in await found.to_list(length=limit)], total

    @classmethod
    async def count_present(cls, course_id: str) -> int:
        """How many students are in a course now."""
        return await cls.rows().count_documents({"course_id": course_id, "status": {"$in": list(PRESENT)}})

    @classmethod
    async def present_course_ids(cls, student_id: str, now_ms: int) -> list[str]:
        """The courses that a student is in at this time."""
        filter_ = {"student_id": student_id, "status": {"$in": list(PRESENT)}}
        found = cls.rows().find(filter_, ["course_id", "status", "expires_ms"])
        return [row["course_id"] for row in await found.to_list(length=None) if _is_in_time(row, now_ms)]

    @classmethod
    async def find_present(cls, enrollment_ids: Collection[str], now_ms: int) -> set[str]:
        """Those of these enrolments whose student is in the course at this time."""
        if not enrollment_ids:
            return set()
        filter_ = {**by_ids(enrollment_ids), "status": {"$in": list(PRESENT)}}
        return {
            row["_id"] async for row in cls.rows().find(filter_, ["status", "expires_ms"]) if _is_in_time(row, now_ms)
        }

    @classmethod
    async def find_dropped(cls, enrollment_id: str) -> Row | None:
        """How this enrolment was dropped, if it is: by its student, or by somebody else."""
        which = {"_id": enrollment_id, "status": EnrollmentStatus.DROPPED.value}
        return await cls.rows().find_one(which, {"is_put_out": 1})

    @classmethod
    async def page_of_present(cls, course_id: str, *, after: str, limit: int, now_ms: int) -> list[tuple[str, str]]:
        """The next enrolments of a course by id, each with its student, or "" where the time is over."""
        filter_ = {"course_id": course_id, "status": {"$in": list(PRESENT)}, "_id": {"$gt": after}}
        found = cls.rows().find(filter_, ["student_id", "status", "expires_ms"]).sort("_id", ASCENDING).limit(limit)
        rows = await found.to_list(length=limit)
        return [(row["_id"], row["student_id"] if _is_in_time(row, now_ms) else "") for row in rows]

    @classmethod
    async def find_overdue(cls, now_ms: int, limit: int) -> list[Enrollment]:
        """Active enrolments whose time is over."""
        filter_ = {"expires_ms": {"$lte": now_ms}, "status": EnrollmentStatus.ACTIVE.value}
        rows = await cls.rows().find(filter_, {"outbox": 0}).limit(limit).to_list(length=limit)
        return [cls.model_validate(row) for row in rows]

    @classmethod
    async def bought_course_ids(cls, student_id: str) -> list[str]:
        """The courses in which somebody's enrolment lives, or lived last, by a payment or a subscription."""
        filter_ = {"student_id": student_id, "access": {"$in": list(BOUGHT)}}
        return [row["course_id"] async for row in cls.rows().find(filter_, {"course_id": 1})]

    @classmethod
    async def page_of_bought(cls, access: str, *, after: str, limit: int) -> list[Row]:
        """The next enrolments by id in which a student is by this access, each with its student and course."""
        filter_: Row = {"access": access, "status": {"$in": list(PRESENT)}, "_id": {"$gt": after}}
        found = cls.rows().find(filter_, ["student_id", "course_id", "payment_id", "subscription_id"])
        return await found.sort("_id", ASCENDING).limit(limit).to_list(length=limit)

    @classmethod
    async def rows_of_students(cls, student_ids: Collection[str], statuses: Collection[str]) -> list[Row]:
        """Their enrolments in these statuses, as far as it is told how somebody gets on."""
        which = {**_of_students(student_ids), "status": {"$in": sorted(statuses)}}
        return await cls.rows().find(which, _STANDING).to_list(length=None)

    @classmethod
    async def rows_rested(cls, student_ids: Collection[str], spans: Sequence[tuple[datetime, datetime]]) -> list[Row]:
        """The same of active ones that were last opened (never: that began) in one of these spans of time."""
        last = [{"last_accessed_at": {"$gte": begin, "$lt": end}} for begin, end in spans]
        begun = [
            {"last_accessed_at": {"$exists": False}, "enrolled_at": {"$gte": begin, "$lt": end}} for begin, end in spans
        ]
        which = {**_of_students(student_ids), "status": EnrollmentStatus.ACTIVE.value, "$or": [*last, *begun]}
        return await cls.rows().find(which, _STANDING).to_list(length=None)

    @classmethod
    async def page_of_course(
        cls, course_id: str, *, status: str | None = None, after: str = "", limit: int
    ) -> list[Row]:
        """A course's enrolments with progress and outbox, by id, those after this one."""
        which: Row = {"course_id": course_id, "_id": {"$gt": after}}
        if status is not None:
            which["status"] = status
        fields = {**_STANDING, "total_time_spent_seconds": 1, "outbox": 1}
        return await cls.rows().find(which, fields).sort("_id", ASCENDING).limit(limit).to_list(length=limit)

    @classmethod
    async def students_of(cls, course_ids: Collection[str]) -> AsyncIterator[list[str]]:
        """Everybody who ever was in one of these courses, once, some at a time."""
        page: list[str] = []
        if course_ids:
            async for row in cls.rows().aggregate(_each_student(course_ids, ())):
                page.append(row["_id"])
                if len(page) == STUDENTS_AT_ONCE:
                    yield page
                    page = []
        if page:
            yield page

    @classmethod
    async def count_students(cls, course_ids: Collection[str], statuses: Collection[str]) -> int:
        """How many people there are who are in one of these courses in one of these statuses."""
        if not course_ids:
            return 0
        counted = cls.rows().aggregate([*_each_student(course_ids, statuses), {"$count": "count"}])
        return sum([int(row["count"]) async for row in counted])

    @classmethod
    async def find_known(cls, enrollment_ids: Collection[str]) -> set[str]:
        """Those of these ids that are an enrolment's."""
        return {row["_id"] async for row in cls.rows().find(by_ids(enrollment_ids), {"_id": 1})}

    @classmethod
    async def count_groups(cls, course_id: str) -> dict[str | None, int]:
        """How many students who are in a course now are in each of its groups, or (None) in none."""
        present = {"$match": {"course_id": course_id, "status": {"$in": list(PRESENT)}}}
        counted = cls.rows().aggregate([present, {"$group": {"_id": "$group", "count": {"$sum": 1}}}])
        return {row.get("_id"): int(row["count"]) async for row in counted}

    @classmethod
    async def groups_of(cls, course_id: str, student_ids: Collection[str]) -> dict[str, str]:
        """The group of each of these students in a course; who is in none is not in it."""
        if not student_ids:
            return {}
        which = {**by_ids([enrollment_id_of(one, course_id) for one in student_ids]), "group": {"$exists": True}}
        return {row["student_id"]: row["group"] async for row in cls.rows().find(which, ["student_id", "group"])}

    @classmethod
    async def has_group(cls, course_id: str, group: str) -> bool:
        """Is, or was, somebody of the course in this group?"""
        return await cls.rows().find_one({"course_id": course_id, "group": group}, {"_id": 1}) is not None

    @classmethod
    async def put_into_group(
        cls, enrollment_ids: Collection[str], group: str | None, *, intents: Sequence[Row] = (), at: datetime
    ) -> None:
        """Set the group of these, or (None) take it away; each says what follows. No edit that others hear of: the version stays."""
        named: Row = {"$unset": {"group": ""}} if group is None else {"$set": {"group": group}}
        update = with_intents({**named, "$inc": {"revision": 1}}, intents, at)
        await cls.rows().update_many(by_ids(enrollment_ids), update)

    async def insert_new(self) -> bool:
        """Store a new enrolment; False when there is one already."""
        try:
            await self.rows().insert_one(self.as_row())
        except DuplicateKeyError:
            return False
        return True

    def as_row(self) -> Row:
        """The document as it is stored, without nulls."""
        return {"_id": self.id, **self.model_dump(exclude={"id"}, exclude_none=True)}

    @classmethod
    async def write(cls, enrollment_id: str, revision: int, update: Mapping[str, Any]) -> bool:
        """One write, if nobody else was first; it moves `revision`. False: read and decide again."""
        counted = {**update.get("$inc", {}), "revision": 1}
        result = await cls.rows().update_one({"_id": enrollment_id, "revision": revision}, {**update, "$inc": counted})
        return result.matched_count == 1


_STANDING: dict[str, int] = dict.fromkeys(
    ("student_id", "course_id", "status", "progress", "enrolled_at", "last_accessed_at", "completed_at", "expires_ms"),
    1,
)


def _each_student(course_ids: Collection[str], statuses: Collection[str]) -> list[Row]:
    """The stages that find the students of these courses, once each."""
    which: Row = {"course_id": {"$in": sorted(course_ids)}}
    if statuses:
        which["status"] = {"$in": sorted(statuses)}
    return [{"$match": which}, {"$group": {"_id": "$student_id"}}]


def _of_students(student_ids: Collection[str]) -> Row:
    return {"student_id": next(iter(student_ids)) if len(student_ids) == 1 else {"$in": sorted(student_ids)}}


def is_present_row(row: Row, now_ms: int) -> bool:
    """Is the student of this row in the course at this time?"""
    return row["status"] in PRESENT and _is_in_time(row, now_ms)


def _is_in_time(row: Row, now_ms: int) -> bool:
    """Is the time of an enrolment, which is one of those in the course, not over?"""
    return row["status"] != EnrollmentStatus.ACTIVE.value or (row.get("expires_ms") or now_ms + 1) > now_ms


def enrollment_id_of(student_id: str, course_id: str) -> str:
    """The one id that a student's enrolment in a course can have."""
    return f"{student_id}:{course_id}"
