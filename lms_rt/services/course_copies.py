"""Courses copied within the school: everything but people, under new ids, at other dates if wished; by a run in the background.

A copy is a package read from a course: what becomes of it is `course_packages.py`'s.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import orjson

from documents.base import Row
from documents.course_parts import Outline, outline_of
from documents.quiz import Quiz
from documents.stored_file import StoredFile
from documents.user import User
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.base import encode
from lms_rt.contracts.bulk import RunView
from lms_rt.contracts.course_archives import CourseCopyDraft
from lms_rt.errors import Code, Refused
from lms_rt.ids import derived_id
from lms_rt.interchange.course_archive import renamed
from lms_rt.security.access.courses import require_taught_course
from lms_rt.security.permissions import Permission
from lms_rt.services.course_packages import CoursePackages, Package, course_id_of, file_part
from lms_rt.services.course_portable import (
    Part,
    assignment_part,
    certificate_part,
    course_part,
    gradebook_part,
    lesson_parts,
    quiz_part,
)
from lms_rt.services.files import PREFIX as FILE_PREFIX
from lms_rt.services.import_runs import Asked, ImportRuns, Run
from lms_rt.storage.files.base import FileStore


class CourseCopies:
    """Copies courses of the actor's own."""

    def __init__(self, *, runs: ImportRuns, packages: CoursePackages, store: FileStore) -> None:
        self._runs, self._packages, self._store = runs, packages, store
        runs.add_kind("course_copy", self.perform, clear=packages.clear, landed=packages.landed)

    async def begin(self, actor: Actor, course_id: str, draft: CourseCopyDraft) -> RunView:
        """Begin a copy. Asked for twice, it is made twice, one after the other."""
        course = await require_taught_course(actor, course_id, Permission.QUIZZES_MANAGE)
        options = await options_of(actor, draft)
        asked = Asked(
            "course_copy",
            "course.copy",
            course_id=course.id,
            options=options,
            filename=course.title[:200],
            open_key=f"course_copy:{actor.user_id}:{course.id}",
        )
        return await self._runs.ask(actor, asked)

    async def perform(self, run: Run) -> None:
        """Make the copy."""
        source_id = run.row["course_id"]
        require_maker(run.actor)
        await require_taught_course(run.actor, source_id, Permission.QUIZZES_MANAGE)
        outline = await outline_of(source_id)
        if outline is None:
            raise Refused(Code.NOT_FOUND, "The course is not there any more.")
        names = {one: derived_id(prefix, run.run_id, one) for prefix, one in ids_in(outline)}
        names[outline.course.id] = course_id_of(run.run_id)
        package = await asyncio.to_thread(package_of, outline, names, self._store)
        await self._packages.make(run, package, action="course.copy")


def require_maker(actor: Actor) -> None:
    """May the actor still make courses, now that it is done?"""
    if Permission.COURSE_CREATE not in actor.permissions:
        raise Refused(Code.FORBIDDEN, "Who asked for this may not make courses any more.")


async def options_of(actor: Actor, draft: CourseCopyDraft) -> dict[str, Any]:
    """What a run keeps of what was asked for."""
    timezone = draft.timezone
    if timezone is None:
        user = await User.find_by_id(actor.user_id)
        timezone = "UTC" if user is None else user.timezone
    title = {"title": draft.title} if draft.title else {}
    return {"shift_days": draft.shift_days, "timezone": timezone, **title}


def ids_in(outline: Outline) -> Iterable[tuple[str, str]]:
    """Every id of a course that is exchanged for another one, by kind, in the order of their places."""
    yield from (("les", one) for one in outline.course.lesson_ids)
    yield from (("quz", one) for one in outline.questions)
    yield from (("qst", one) for questions in outline.questions.values() for one in questions)
    yield from (("asg", row["_id"]) for row in outline.assignments)
    yield from ((FILE_PREFIX, row["_id"]) for row in outline.files)


@dataclass(frozen=True, slots=True)
class Renaming:
    """Exchanges ids wherever they stand in a part."""

    names: Mapping[str, str]

    def one(self, part: Part) -> Part:
        """A part under other ids."""
        return cast("Part", orjson.loads(renamed(encode(part), self.names)))

    def all(self, parts: Iterable[Part]) -> list[Part]:
        """The same of many."""
        return [self.one(part) for part in parts]

    def some(self, part: Part | None) -> Part | None:
        """The same of what need not be there."""
        return None if part is None else self.one(part)


def _quiz_as(row: Row, renaming: Renaming) -> Part:
    return renaming.one(quiz_part(row))


def package_of(outline: Outline, names: Mapping[str, str], store: FileStore) -> Package:
    """A course as a package under these ids. Texts of a course may be megabytes: beside the event loop."""
    renaming, blobs = Renaming(names), {names[row["_id"]]: row["_id"] for row in outline.files}

    async def quizzes() -> AsyncIterator[Part]:
        for quiz_id in outline.questions:
            if (row := await Quiz.find_whole(quiz_id)) is not None:
                known = [one for one in row["question_ids"] if one in names]  # what came meanwhile has no new id
                yield await asyncio.to_thread(_quiz_as, {**row, "question_ids": known}, renaming)

    async def content(file_id: str) -> AsyncIterator[bytes]:
        row = await StoredFile.find_row(blobs[file_id])
        async for chunk in store.read("blb_none" if row is None else row["blob_id"]):
            yield chunk

    return Package(
        course=renaming.one(course_part(outline.course)),
        lessons=renaming.all(lesson_parts(outline.course)),
        assignments=renaming.all(assignment_part(row) for row in outline.assignments),
        gradebook=renaming.some(gradebook_part(outline.gradebook)),
        certificate=renaming.some(certificate_part(outline.certificate)),
        files=renaming.all(file_part(row, names) for row in outline.files),
        quizzes=quizzes,
        quizzes_count=len(outline.questions),
        content=content,
    )
