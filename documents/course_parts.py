"""What belongs to a course besides its own document, as far as it goes along when the course is copied. No rules.

Who puts a course together writes its parts first, and the course last: until then nobody finds them by it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from pymongo import ASCENDING
from pymongo.errors import DuplicateKeyError

from documents.assignment import Assignment
from documents.base import Record, Row
from documents.certificate_template import CertificateTemplate
from documents.course import Course
from documents.gradebook import Gradebook
from documents.quiz import Quiz
from documents.stored_file import FileState, FileUse, StoredFile, uses_of

CARRIED = frozenset({
    FileUse.LESSON, FileUse.QUESTION, FileUse.QUESTION_KEY, FileUse.ASSIGNMENT, FileUse.COURSE_IMAGE,
    FileUse.CERTIFICATE_LOGO,
})  # fmt: skip
"""What a file of a course is used for that goes along; what people handed in, or were given, does not."""


@dataclass(frozen=True, slots=True)
class Outline:
    """A course and what belongs to it, but for the quizzes, which may be large: of those the ids, questions by quiz."""

    course: Course
    questions: dict[str, list[str]]
    assignments: list[Row]
    gradebook: Row | None
    certificate: Row | None
    files: list[Row] = field(default_factory=list)


async def outline_of(course_id: str) -> Outline | None:
    """The outline of a course; None: there is no such course."""
    course = await Course.find_whole(course_id)
    if course is None:
        return None
    quizzes = Quiz.rows().find({"course_id": course.id}, {"question_ids": 1, "created_at": 1})
    rows = await quizzes.sort([("created_at", ASCENDING), ("_id", ASCENDING)]).to_list(length=None)
    files = [row async for row in StoredFile.walk_of({"course_id": course.id}) if _is_carried(row)]
    found = await Assignment.find_all_of_course(course.id)
    return Outline(
        course=course,
        questions={row["_id"]: row["question_ids"] for row in rows},
        assignments=sorted(found, key=lambda row: (row["created_at"], row["_id"])),
        gradebook=await Gradebook.find_row(course.id),
        certificate=await CertificateTemplate.find_row(course.id),
        files=sorted(files, key=lambda row: (row["created_at"], row["_id"])),
    )


def _is_carried(row: Row) -> bool:
    """What its parts use, and what stands in it without a use: only who teaches it puts files there."""
    is_ready, uses = row["state"] == FileState.READY.value, uses_of(row)
    return is_ready and (any(use in CARRIED for use, _ in uses) or not (uses or row.get("is_withheld")))


class ForeignPartError(Exception):
    """The id of a part is that of something else in the school."""


async def put_row(document: type[Record], row: Row) -> None:
    """Store a part; one that a try before stored is replaced, if it is of the same course. Raises `ForeignPartError`."""
    try:
        await document.rows().insert_one(dict(row))
    except DuplicateKeyError:
        which: Row = {name: row[name] for name in ("_id", "course_id") if name in row}
        if not (await document.rows().replace_one(which, dict(row))).matched_count:
            raise ForeignPartError(row["_id"]) from None


async def withdraw_course(course_id: str) -> None:
    """Remove a course of which nobody was told: its run had ended when it was written."""
    await Course.rows().delete_one({"_id": course_id, "version": 1})


async def parts_there(course_id: str) -> list[str]:
    """The ids of the files of a course."""
    return [row["_id"] async for row in StoredFile.walk_of({"course_id": course_id})]


async def remove_parts(course_id: str) -> None:
    """Remove what was written for a course that never came to be. Its files are `files.py`'s to remove."""
    for document in (Quiz, Assignment):
        await document.rows().delete_many({"course_id": course_id})
    for single in (Gradebook, CertificateTemplate):
        await single.rows().delete_one({"_id": course_id})
