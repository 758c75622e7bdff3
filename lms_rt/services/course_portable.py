"""A course without its school: parts as JSON in the words of the API, from which the same course is made again. Pure.

What people did in it is no part of it. Ids stand as they are: whoever takes a course somewhere else exchanges them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, cast
from zoneinfo import ZoneInfo

import orjson
from pydantic import BaseModel

from documents.base import Row
from documents.course import Course, Lesson
from lms_rt.contracts.assignments import AssignmentDraft
from lms_rt.contracts.base import encode, hundredths_text, read_model
from lms_rt.contracts.certificates import CertificateTemplateChange
from lms_rt.contracts.courses import CourseDraft
from lms_rt.contracts.gradebook import GradebookChange
from lms_rt.contracts.lessons import MAX_LESSONS, LessonDraft
from lms_rt.contracts.questions import QuestionDraft, draft_of, stored_question
from lms_rt.contracts.quizzes import MAX_QUESTIONS, QuizDraft, QuizFields
from lms_rt.contracts.rubrics import RubricDraft, rubric_json
from lms_rt.errors import Code, Refused, invalid
from lms_rt.ids import derived_id, looks_like_id, random_token
from lms_rt.services.certificate_templates import LEAST_CONTRAST, LEAST_LARGE_CONTRAST, contrast
from lms_rt.services.course_edits import MAX_CONTENT_BYTES
from lms_rt.services.course_search import derived_fields
from lms_rt.services.folding import slug as slug_of
from lms_rt.services.lesson_rules import prerequisite_faults
from lms_rt.services.quiz_views import counted_fields, missing_for_publishing, quiz_view, stored_fields

Part = dict[str, Any]
_MOMENTS = ("opens_at", "closes_at", "release_at", "due_date")
"""What moves when a course is held again at another time."""
_OF_THE_COURSE = ("course_id", "order", "overrides")


@dataclass(frozen=True, slots=True)
class Shift:
    """By how many days everything moves, by the wall clock of a place: nine in the morning stays nine in the morning."""

    days: int = 0
    timezone: str = "UTC"

    def moved(self, at: datetime) -> datetime:
        """The same time of day, so many days later."""
        if not self.days:
            return at
        zone = ZoneInfo(self.timezone)
        wall = at.astimezone(zone).replace(tzinfo=None) + timedelta(days=self.days)
        return wall.replace(tzinfo=zone).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Landing:
    """Where a course is to come to be: whose it is, when, and which lessons and files it has there."""

    course_id: str
    owner_id: str
    at: datetime
    shift: Shift
    lesson_ids: Collection[str] = frozenset()
    file_ids: Collection[str] = frozenset()

    def later(self, places: int) -> Landing:
        """For the part that comes after so many: things of a course are in the order in which they were made."""
        return replace(self, at=self.at + timedelta(milliseconds=places))


# --- out of the school ---


def course_part(course: Course) -> Part:
    """What a course says of itself."""
    names = CourseDraft.model_fields.keys() - {"is_published"}
    return _plain({name: getattr(course, name) for name in names})


def lesson_parts(course: Course) -> list[Part]:
    """Its lessons, in their order."""
    names = {*LessonDraft.model_fields, "slug"} - set(_OF_THE_COURSE)
    return [_plain({"id": one.id, **{name: getattr(one, name) for name in names}}) for one in course.ordered_lessons]


def quiz_part(row: Row) -> Part:
    """A quiz with its questions, keys included."""
    shown = orjson.loads(encode(quiz_view(row)))
    fields = {name: shown[name] for name in (*QuizFields.model_fields, "title")}
    questions = [{"id": one, **_plain(draft_of(row["questions"][one]))} for one in row["question_ids"]]
    return {"id": row["_id"], **_said(fields | _state_of(row)), "questions": questions}


def assignment_part(row: Row) -> Part:
    """An assignment, without the dates that are some students' own."""
    names = AssignmentDraft.model_fields.keys() - {*_OF_THE_COURSE, "points", "late_penalty_percentage", "rubric"}
    fields = {name: row.get(name) for name in names}
    fields |= {
        "points": hundredths_text(row["points"]),
        "late_penalty_percentage": hundredths_text(row.get("late_penalty", 0)),
        "rubric": rubric_json(row.get("rubric")),
    }
    return _plain({"id": row["_id"], **fields, **_state_of(row)})


def _state_of(row: Row) -> Part:
    """What was put away says so."""
    return {"is_archived": True} if row.get("is_archived") else {}


def _is_put_away(part: Part) -> bool:
    return part.get("is_archived") is True


def gradebook_part(row: Row | None) -> Part | None:
    """How the course is graded."""
    if row is None:
        return None
    categories = [{**one, "weight": hundredths_text(one["weight"])} for one in row.get("categories", ())]
    scale = [{**one, "minimum": hundredths_text(one["minimum"])} for one in row.get("scale", ())]
    placed = [{"item_id": one, "category_id": place or None} for one, place in row.get("placed", {}).items()]
    told = {"categories": categories, "scale": scale, "placed": placed}
    return _plain({**_settings(row, GradebookChange), **told})


def certificate_part(row: Row | None) -> Part | None:
    """How its certificates look."""
    return None if row is None else _plain(_settings(row, CertificateTemplateChange))


def _settings(row: Row, words: type[BaseModel]) -> Part:
    return {name: row[name] for name in words.model_fields if name in row}


def _plain(fields: Mapping[str, Any]) -> Part:
    """As JSON reads it again, in the order of names: the same thing is always the same text."""
    return _said(cast("Part", orjson.loads(encode(dict(sorted(fields.items()))))))


def _said(part: Mapping[str, Any]) -> Part:
    """Nothing stands for nothing."""
    return {name: value for name, value in sorted(part.items()) if value is not None}


# --- into a school ---


def course_of(part: Part, lessons: list[Part], landing: Landing, *, title: str | None, slug: str) -> Course:
    """The course with its lessons, unpublished. Refused where a part is not what the API would take."""
    draft = read_model(CourseDraft, {**part, **({"title": title} if title else {})})
    course = Course(
        id=landing.course_id, title_key="", slug=slug, instructor_id=landing.owner_id, created_at=landing.at,
        updated_at=landing.at, **{**draft.model_dump(exclude={"is_published"}), "category": draft.category or None},
    )  # fmt: skip
    if len(lessons) > MAX_LESSONS:
        raise invalid("lessons", f"A course has {MAX_LESSONS} lessons at most.", "too_many")
    for lesson in lessons:
        _add_lesson(course, lesson, landing)
    faults = [fault for lesson in course.ordered_lessons for fault in prerequisite_faults(course.lessons, lesson)]
    if faults:
        raise Refused(Code.VALIDATION_FAILED, fields=faults)
    texts = [course.description, *(lesson.content for lesson in course.lessons.values())]
    if sum(len((text or "").encode()) for text in texts) > MAX_CONTENT_BYTES:
        raise Refused(Code.TOO_LARGE, "The texts of a course and its lessons may have 2 MiB together.")
    for name, value in derived_fields(course).items():
        setattr(course, name, value)
    return course


def _add_lesson(course: Course, part: Part, landing: Landing) -> None:
    lesson_id, fields = _id_of(part, "les"), _without(part, "id", "slug")
    draft = read_model(LessonDraft, fields)
    if lesson_id in course.lessons:
        raise invalid("lessons", "Two lessons have the same id.", "duplicate")
    given: Row = {name: getattr(draft, name) for name in LessonDraft.model_fields.keys() - {"course_id", "order"}}
    given["file_id"] = _known(draft.file_id, landing.file_ids)
    given["caption_file_ids"] = [one for one in draft.caption_file_ids if one in landing.file_ids]
    lesson = Lesson(
        id=lesson_id, slug=_free_slug(course, part.get("slug"), draft.title), created_at=landing.at, updated_at=landing.at,
        **_moved(given, landing.shift),
    )  # fmt: skip
    course.lessons[lesson_id] = lesson
    course.lesson_ids.append(lesson_id)


def quiz_of(part: Part, landing: Landing) -> Row:
    """The row of a quiz. It is published as it was, if it is fit for that."""
    questions = part.get("questions")
    if not isinstance(questions, list) or len(questions) > MAX_QUESTIONS:
        raise invalid("questions", f"A quiz has {MAX_QUESTIONS} questions at most.", "too_many")
    draft = read_model(QuizDraft, {**_without(part, "id", "questions", "is_archived"), "course_id": landing.course_id})
    fields = stored_fields({name: getattr(draft, name) for name in QuizDraft.model_fields})
    fields["lesson_id"] = _known(draft.lesson_id, landing.lesson_ids)
    row: Row = {
        **{name: value for name, value in _moved(fields, landing.shift).items() if value is not None},
        "_id": _id_of(part, "quz"),
        "is_archived": _is_put_away(part),
        "questions": {},
        "version": 1,
        "created_at": landing.at,
        "updated_at": landing.at,
        "outbox": [],
    }
    for one in questions:
        question_id = _id_of(one, "qst")
        if question_id in row["questions"]:
            raise invalid("questions", "Two questions have the same id.", "duplicate")
        question = read_model(QuestionDraft, _without(one, "id"))
        row["questions"][question_id] = stored_question(question, question_id=question_id, at=landing.at)
    row["question_ids"] = list(row["questions"])
    row |= counted_fields(row)
    if row["is_archived"] or (row["is_published"] and missing_for_publishing(row)):
        row["is_published"] = False
    return row


def assignment_of(part: Part, landing: Landing) -> Row:
    """The row of an assignment."""
    assignment_id, places = _id_of(part, "asg"), count()
    draft = read_model(
        AssignmentDraft, {**_without(part, "id", "overrides", "is_archived"), "course_id": landing.course_id}
    )
    fields: Row = {name: getattr(draft, name) for name in AssignmentDraft.model_fields}
    fields["late_penalty"] = fields.pop("late_penalty_percentage")
    if isinstance(draft.rubric, RubricDraft):
        if draft.rubric.points != draft.points:
            raise invalid("rubric", "The best levels come to other points than the assignment has.", "rubric_points")
        fields["rubric"] = draft.rubric.stored(lambda: derived_id("rub", assignment_id, str(next(places))))
    fields["lesson_id"] = _known(draft.lesson_id, landing.lesson_ids)
    fields["timezone"] = draft.timezone or landing.shift.timezone
    fields["is_published"] = draft.is_published and not _is_put_away(part)
    return {
        **{name: value for name, value in _moved(fields, landing.shift).items() if value is not None},
        "_id": assignment_id,
        "instructor_id": landing.owner_id,
        "overrides": [],
        "is_archived": _is_put_away(part),
        "salt": random_token(),
        "version": 1,
        "created_at": landing.at,
        "updated_at": landing.at,
        "outbox": [],
    }


def gradebook_of(part: Part, landing: Landing) -> Row:
    """The row of a course's gradebook settings."""
    change = read_model(GradebookChange, part)
    fields = change.model_dump() | {"placed": {one.item_id: one.category_id or "" for one in change.placed}}
    for place, category in enumerate(fields["categories"]):
        category["id"] = category["id"] or derived_id("cat", landing.course_id, str(place))
    return {**fields, **_marks(landing)}


def certificate_of(part: Part, landing: Landing) -> Row:
    """The row of a course's template of certificates."""
    fields = read_model(CertificateTemplateChange, part).model_dump()
    least = {"ink_color": LEAST_CONTRAST, "accent_color": LEAST_LARGE_CONTRAST}
    for name, wanted in least.items():
        if contrast(fields[name], fields["paper_color"]) < wanted:
            raise invalid(name, "Nobody could read that on this paper.", "low_contrast")
    fields["logo_file_id"] = _known(fields["logo_file_id"], landing.file_ids)
    return {**{name: value for name, value in fields.items() if value is not None}, **_marks(landing)}


def _marks(landing: Landing) -> Row:
    """Of what has the id of its course, and is new."""
    return {"_id": landing.course_id, "version": 1, "created_at": landing.at, "updated_at": landing.at, "outbox": []}


def _moved(fields: Mapping[str, Any], shift: Shift) -> Row:
    at = {name: shift.moved(fields[name]) for name in _MOMENTS if isinstance(fields.get(name), datetime)}
    return {**fields, **at}


def _id_of(part: Any, prefix: str) -> str:
    found = part.get("id") if isinstance(part, dict) else None
    if not isinstance(found, str) or not looks_like_id(found) or not found.startswith(f"{prefix}_"):
        raise invalid("id", f"A part has no id of its kind ({prefix}_…).", "invalid_id")
    return found


def _without(part: Part, *names: str) -> Part:
    return {name: value for name, value in part.items() if name not in names}


def _known(wanted: str | None, there: Collection[str]) -> str | None:
    """What is named, if it came along."""
    return wanted if wanted in there else None


def _free_slug(course: Course, wanted: Any, title: str) -> str:
    """The slug that it had, if it is one: links between lessons go by it."""
    taken = {lesson.slug for lesson in course.lessons.values()}
    is_slug = isinstance(wanted, str) and slug_of(wanted, fallback="") == wanted != ""
    base = wanted if is_slug else slug_of(title, fallback="lesson")
    names = (base if number == 1 else f"{base[:75]}-{number}" for number in range(1, MAX_LESSONS + 2))
    return next(slug for slug in names if slug not in taken)
