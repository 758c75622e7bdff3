"""A course with its lessons, which are embedded: a map by id for the fields, an array for the order. No rules.

`version` moves with every edit and is the compare-and-set of all of them; counters move beside it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, ClassVar

from pydantic import BaseModel, Field
from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.errors import DuplicateKeyError

from documents.base import Aggregate, Row, by_ids
from documents.lesson_rule import NO_RULE, LessonRule

Sorting = Sequence[tuple[str, int]]

COUNTED_INTENTS = 100
"""How many of the newest counted intents a course remembers, so that a repeat counts nothing twice."""


class Lesson(BaseModel):
    """One lesson of a course, stored under `lessons.<id>`; its place is that of its id in `lesson_ids`.

    `completion` is None where the teacher leaves it to what the lesson holds; of two release times the later one counts.
    """

    id: str
    title: str
    slug: str
    content_type: str
    content: str | None = None
    video_url: str | None = None
    file_id: str | None = None
    caption_file_ids: list[str] = Field(default_factory=list)
    duration_seconds: int | None = None
    completion: str | None = None
    prerequisite_lesson_ids: list[str] = Field(default_factory=list)
    release_at: datetime | None = None
    release_after_days: int | None = None
    is_free: bool = False
    is_published: bool = False
    metadata: dict[str, Any] = Field(default_factory=dict)
    version: int = 1
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class CourseHead:
    """What most decisions need of a course, read without its lessons' content."""

    id: str
    title: str
    slug: str
    instructor_id: str
    is_published: bool
    is_archived: bool
    price: int
    currency: str
    lesson_ids: list[str]
    published_lesson_ids: list[str]
    lesson_rules: dict[str, LessonRule]
    minimum_minutes: int | None
    access_days: int | None
    thumbnail_url: str | None
    version: int

    def rule_of(self, lesson_id: str) -> LessonRule:
        """What a lesson asks of who learns it."""
        return self.lesson_rules.get(lesson_id, NO_RULE)


class Course(Aggregate):
    """A course. The `…_key` fields are folded copies for look-ups and sorting."""

    title: str
    title_key: str
    slug: str
    old_slugs: list[str] = Field(default_factory=list)
    description: str | None = None
    short_description: str | None = None
    instructor_id: str
    category: str | None = None
    category_key: str | None = None
    tags: list[str] = Field(default_factory=list)
    tag_keys: list[str] = Field(default_factory=list)
    difficulty_level: str | None = None
    price: int = 0
    currency: str = "USD"
    is_published: bool = False
    is_archived: bool = False
    thumbnail_url: str | None = None
    estimated_duration_minutes: int | None = None
    minimum_minutes: int | None = None
    access_days: int | None = None
    metadata: dict[str, Any] = Field(default_factory=dict)
    lessons: dict[str, Lesson] = Field(default_factory=dict)
    lesson_ids: list[str] = Field(default_factory=list)
    published_lesson_ids: list[str] = Field(default_factory=list)
    lesson_rules: dict[str, LessonRule] = Field(default_factory=dict)
    enrollments_count: int = 0
    counted: list[str] = Field(default_factory=list)
    rating_average: int | None = None
    ratings_count: int = 0
    ratings: dict[str, int] = Field(default_factory=dict)
    rating_moves: int = 0
    rated: list[str] = Field(default_factory=list)
    rated_ms: list[int] = Field(default_factory=list)
    chat_floor: int = 0
    search_tokens: list[str] = Field(default_factory=list)

    class Settings(Aggregate.Settings):
        """Where courses are kept, and how they are found."""

        name = "courses"
        indexes: ClassVar[list[IndexModel]] = [
            IndexModel([("slug", ASCENDING)], unique=True),
            IndexModel([("old_slugs", ASCENDING)]),
            IndexModel([("is_published", ASCENDING), ("created_at", DESCENDING)]),
            IndexModel([("instructor_id", ASCENDING), ("created_at", DESCENDING)]),
            IndexModel([("category_key", ASCENDING)]),
            IndexModel([("difficulty_level", ASCENDING)]),
            IndexModel([("lesson_ids", ASCENDING)]),
            IndexModel([("search_tokens", ASCENDING)]),
            IndexModel([("outbox_at", ASCENDING)], sparse=True),
        ]

    @property
    def ordered_lessons(self) -> list[Lesson]:
        """The lessons in their order."""
        return [self.lessons[lesson_id] for lesson_id in self.lesson_ids if lesson_id in self.lessons]

    def rule_of(self, lesson_id: str) -> LessonRule:
        """What a lesson asks of who learns it."""
        return self.lesson_rules.get(lesson_id, NO_RULE)

    @classmethod
    async def find_whole(cls, id_or_slug: str) -> Course | None:
        """The course of this id, slug or former slug, with all its lessons."""
        row = await cls._find_named(id_or_slug, {"outbox": 0})
        return None if row is None else _whole(row)

    @classmethod
    async def find_whole_of_lesson(cls, lesson_id: str) -> Course | None:
        """The course that holds this lesson."""
        row = await cls.rows().find_one({"lesson_ids": lesson_id}, {"outbox": 0})
        return None if row is None else _whole(row)

    @classmethod
    async def find_head(cls, id_or_slug: str) -> CourseHead | None:
        """The head of the course of this id, slug or former slug."""
        row = await cls._find_named(id_or_slug, _HEAD)
        return None if row is None else _head(row)

    @classmethod
    async def id_of(cls, name: str) -> str:
        """The id of the course of this id, slug or former slug; where there is none, the name itself, which is nobody's id."""
        row = await cls._find_named(name, ["_id"])
        return name if row is None else str(row["_id"])

    @classmethod
    async def ids_by_name(cls, names: Collection[str]) -> dict[str, str]:
        """The ids of those of these courses that exist, by the id, slug or former slug that they were named by."""
        words = {name: unicodedata.normalize("NFC", name) for name in names}
        slugs = sorted({word for word in words.values() if "_" not in word})
        ids = {word for word in words.values() if "_" in word}
        found: dict[str, str] = {}
        if slugs:
            which = {"$or": [{"slug": {"$in": slugs}}, {"old_slugs": {"$in": slugs}}]}
            rows = await cls.rows().find(which, ["slug", "old_slugs"]).to_list(length=None)
            found = {slug: row["_id"] for row in rows for slug in row.get("old_slugs", ())}
            found |= {row["slug"]: row["_id"] for row in rows}
        if ids:
            found |= {row["_id"]: row["_id"] async for row in cls.rows().find(by_ids(ids), ["_id"])}
        return {name: found[word] for name, word in words.items() if word in found}

    @classmethod
    async def _find_named(cls, id_or_slug: str, fields: Row | list[str]) -> Row | None:
        """By as many looks when there is none as when there is one: the time it takes says nothing of hidden courses."""
        found = [await cls.rows().find_one(filter_, fields) for filter_ in _by_name(id_or_slug)]
        return next((row for row in found if row is not None), None)

    @classmethod
    async def find_row(cls, course_id: str) -> Row | None:
        """The course of this id as a list has it: without its lessons."""
        return await cls.rows().find_one({"_id": course_id}, dict.fromkeys(_UNLISTED, 0))

    @classmethod
    async def heads(cls, course_ids: Iterable[str]) -> dict[str, CourseHead]:
        """The heads of those of these courses that exist, by id."""
        wanted = set(course_ids)
        if not wanted:
            return {}
        return {row["_id"]: _head(row) async for row in cls.rows().find(by_ids(wanted), _HEAD)}

    @classmethod
    async def ids_of_instructor(cls, instructor_id: str) -> list[str]:
        """The ids of all courses of an instructor."""
        return [row["_id"] async for row in cls.rows().find({"instructor_id": instructor_id}, {"_id": 1})]

    @classmethod
    async def page(cls, filter_: Row, sorting: Sorting, *, skip: int, limit: int) -> tuple[list[Row], int]:
        """Rows for a list, without lessons and descriptions' search tokens, and how many match in all."""
        total = await cls.rows().count_documents(filter_)
        found = (
            cls.rows()
            .find(filter_, dict.fromkeys(_UNLISTED, 0))
            .sort([*sorting, ("_id", sorting[0][1])])
            .skip(skip)
            .limit(limit)
        )
        return await found.to_list(length=limit), total

    @classmethod
    async def category_counts(cls) -> list[Row]:
        """`{_id: {key, name}, count}` for every spelling of a category among the listed courses."""
        return await (
            cls.rows()
            .aggregate(
                [
                    {"$match": {"is_published": True, "is_archived": False, "category_key": {"$gt": ""}}},
                    {"$group": {"_id": {"key": "$category_key", "name": "$category"}, "count": {"$sum": 1}}},
                ]
            )
            .to_list(length=None)
        )

    @classmethod
    async def is_slug_taken(cls, slug: str, *, but_of: str = "") -> bool:
        """Does another course have this slug, now or formerly?"""
        filter_ = {"_id": {"$ne": but_of}, "$or": [{"slug": slug}, {"old_slugs": slug}]}
        return await cls.rows().find_one(filter_, {"_id": 1}) is not None

    async def insert_new(self) -> bool:
        """Store a new course; False when its slug was taken a moment before."""
        try:
            await self.rows().insert_one(self.as_row())
        except DuplicateKeyError:
            return False
        return True

    def as_row(self) -> Row:
        """The document as it is stored, without nulls."""
        row = self.model_dump(exclude={"id"}, exclude_none=True)
        return {"_id": self.id, **row}

    @classmethod
    async def write(cls, course_id: str, version: int, update: Mapping[str, Any]) -> bool:
        """One edit, if nobody else was first. False: read and decide again. A slug that is taken raises DuplicateSlug."""
        try:
            result = await cls.rows().update_one({"_id": course_id, "version": version}, dict(update))
        except DuplicateKeyError:
            raise DuplicateSlugError from None
        return result.matched_count == 1

    @classmethod
    async def remove(cls, course_id: str, version: int) -> bool:
        """Remove the course, if nobody edited it and nothing waits in its outbox."""
        filter_ = {"_id": course_id, "version": version, "outbox_at": {"$exists": False}}
        return (await cls.rows().delete_one(filter_)).deleted_count == 1

    @classmethod
    async def count_enrollment(cls, course_id: str, intent_id: str, by: int) -> None:
        """Move `enrollments_count` for one intent, once however often it is repeated."""
        await cls.rows().update_one(
            {"_id": course_id, "counted": {"$ne": intent_id}},
            {
                "$inc": {"enrollments_count": by},
                "$push": {"counted": {"$each": [intent_id], "$slice": -COUNTED_INTENTS}},
            },
        )

    @classmethod
    async def find_count(cls, course_id: str) -> Row | None:
        """`enrollments_count` and the intents that it counted last."""
        return await cls.rows().find_one({"_id": course_id}, {"enrollments_count": 1, "counted": 1})

    @classmethod
    async def correct_count(cls, seen: Row, count: int) -> bool:
        """Set `enrollments_count`, if nothing was counted since it was seen (as `find_count` has it)."""
        counted = seen.get("counted", {"$exists": False})
        which = {"_id": seen["_id"], "enrollments_count": seen["enrollments_count"], "counted": counted}
        return bool((await cls.rows().update_one(which, {"$set": {"enrollments_count": count}})).matched_count)

    @classmethod
    async def page_of_ids(cls, *, after: str, limit: int) -> list[str]:
        """The ids of courses, in their order, those after this one."""
        found = cls.rows().find({"_id": {"$gt": after}}, {"_id": 1}).sort("_id", ASCENDING).limit(limit)
        return [row["_id"] for row in await found.to_list(length=limit)]

    @classmethod
    async def is_empty(cls) -> bool:
        """Is there no course at all?"""
        return await cls.rows().find_one({}, {"_id": 1}) is None


class DuplicateSlugError(Exception):
    """Another course has the slug that was to be written."""


_HEAD = [field.name for field in fields(CourseHead) if field.name != "id"]  # a list: the mock store adds to a dict
_UNLISTED = ("lessons", "lesson_rules", "search_tokens", "counted", "rated", "rated_ms", "outbox")


def _by_name(id_or_slug: str) -> tuple[Row, ...]:
    """Ids hold a sign that no slug does. A letter and its accent may come in two signs or in one, as slugs have them."""
    id_or_slug = unicodedata.normalize("NFC", id_or_slug)
    return ({"_id": id_or_slug},) if "_" in id_or_slug else ({"slug": id_or_slug}, {"old_slugs": id_or_slug})


def _head(row: Row) -> CourseHead:
    optional: Row = dict.fromkeys(("minimum_minutes", "access_days", "thumbnail_url"))
    known: Row = {name: value for name, value in row.items() if name not in ("_id", "lesson_rules")}
    rules = {lesson_id: LessonRule.model_validate(rule) for lesson_id, rule in row.get("lesson_rules", {}).items()}
    return CourseHead(**{**optional, **known, "id": row["_id"], "lesson_rules": rules})


def _whole(row: Row) -> Course:
    course: Course = Course.model_validate(row)
    return course
