"""Courses put together from parts: a package is read from a course or an archive, and becomes a course of somebody's.

The parts are written first, under ids that follow from the run, and the course last: it is there whole or not at all, and a
run that was cut meets its own work. Which words a part has is `course_portable.py`'s.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from documents.assignment import Assignment
from documents.base import Record, Row
from documents.certificate_template import CertificateTemplate
from documents.course import Course
from documents.course_parts import CARRIED, ForeignPartError, parts_there, put_row, remove_parts, withdraw_course
from documents.gradebook import Gradebook
from documents.quiz import Quiz
from documents.stored_file import FileState, StoredFile
from lms_rt.clock import Clock
from lms_rt.contracts.outbox import Deed, Write
from lms_rt.errors import Code, Refused, invalid
from lms_rt.ids import derived_id, new_id
from lms_rt.services.contended import until_written
from lms_rt.services.course_portable import (
    Landing,
    Part,
    Shift,
    assignment_of,
    certificate_of,
    course_of,
    gradebook_of,
    quiz_of,
)
from lms_rt.services.courses import free_slug
from lms_rt.services.file_charsets import CHARSETS
from lms_rt.services.files import BLOB_PREFIX, Files
from lms_rt.services.import_runs import ImportRuns, Run
from lms_rt.services.jobs import Jobs
from lms_rt.services.relay import Relay
from lms_rt.services.uploads import TASK as DRAW
from lms_rt.storage.files.base import FileStore
from lms_rt.undoing import undoing, whole


@dataclass(frozen=True, slots=True)
class Package:
    """A course as it is to be, under its new ids. `quizzes` come one after the other, `content` gives the bytes of a file."""

    course: Part
    lessons: list[Part]
    assignments: list[Part]
    gradebook: Part | None
    certificate: Part | None
    files: list[Part]
    quizzes: Callable[[], AsyncIterator[Part]]
    quizzes_count: int
    content: Callable[[str], AsyncIterator[bytes]]

    @property
    def total(self) -> int:
        """How many steps it is."""
        return len(self.files) + self.quizzes_count + len(self.assignments) + 1


@dataclass(slots=True)
class _Steps:
    """How far a package is on its way."""

    total: int
    done: int = 0
    counts: dict[str, int] = field(default_factory=dict)

    def count(self, name: str) -> Row:
        """One more."""
        self.done += 1
        self.counts[name] = self.counts.get(name, 0) + 1
        return {"total": self.total, "done": self.done, "counts": dict(self.counts)}


class CoursePackages:
    """Makes courses of packages."""

    def __init__(
        self, *, clock: Clock, relay: Relay, jobs: Jobs, runs: ImportRuns, files: Files, store: FileStore
    ) -> None:
        self._clock, self._relay, self._jobs, self._runs = clock, relay, jobs, runs
        self._files, self._store = files, store

    async def make(self, run: Run, package: Package, *, action: str) -> bool:
        """The course of a run, made or met; False: it was cancelled."""
        course_id = course_id_of(run.run_id)
        run.made["made_course_id"] = course_id
        if await Course.find_row(course_id) is not None:
            return True
        landing = self._landing(run, package)
        title = run.options.get("title")
        course = await asyncio.to_thread(  # refused before all work
            partial(course_of, package.course, package.lessons, landing, title=title, slug="")
        )
        steps = _Steps(package.total)
        if not await self._put_parts(run, package, landing, steps):
            return False
        for kind, single in ((Gradebook, package.gradebook), (CertificateTemplate, package.certificate)):
            if single is not None:
                await _put(kind, _SINGLE[kind](single, landing))
        steps.counts["lessons"] = len(course.lesson_ids)
        if not await self._runs.land(run, steps.count("courses")):
            return False
        await self._put_course(run, course, action)
        return True

    async def landed(self, row: Row) -> Row | None:
        """The course of a run, if it is there."""
        course_id = course_id_of(row["_id"])
        return None if await Course.find_row(course_id) is None else {"made_course_id": course_id}

    async def clear(self, row: Row) -> None:
        """Take back what a run wrote that came to no course."""
        course_id = course_id_of(row["_id"])
        if await Course.find_row(course_id) is not None:
            return
        for file_id in await parts_there(course_id):
            await self._files.discard(file_id)
        await remove_parts(course_id)

    def _landing(self, run: Run, package: Package) -> Landing:
        return Landing(
            course_id_of(run.run_id),
            run.actor.user_id,
            self._clock.now(),
            Shift(run.options.get("shift_days", 0), run.options.get("timezone", "UTC")),
            lesson_ids={one["id"] for one in package.lessons if isinstance(one.get("id"), str)},
            file_ids={one["id"] for one in package.files},
        )

    async def _put_parts(self, run: Run, package: Package, landing: Landing, steps: _Steps) -> bool:
        """What there may be many of; False: it was cancelled."""
        for one in package.files:
            await self._put_file(run, one, package.content(one["id"]), landing.later(steps.done))
            if one.get("state") == FileState.PROCESSING.value:  # an image from outside is drawn anew
                await self._jobs.put(derived_id("job", DRAW, one["id"]), DRAW, {"file_id": one["id"]})
            if not await self._runs.advance(run, steps.count("files")):
                return False
        async for one in package.quizzes():
            await _put(Quiz, await asyncio.to_thread(quiz_of, one, landing.later(steps.done)))
            if not await self._runs.advance(run, steps.count("quizzes")):
                return False
        for one in package.assignments:
            await _put(Assignment, await asyncio.to_thread(assignment_of, one, landing.later(steps.done)))
            if not await self._runs.advance(run, steps.count("assignments")):
                return False
        return True

    async def _put_course(self, run: Run, course: Course, action: str) -> None:
        async def step() -> bool | None:
            if await Course.find_row(course.id) is not None:  # by a try before, or beside
                return True
            course.slug = await free_slug(course.title)
            write = Write(1, course.updated_at)
            after = {"title": course.title, **_from(run)}
            course.outbox = Deed(run.actor, action).intents(write, course.id, after=after)
            course.outbox_at = course.updated_at if course.outbox else None
            return await course.insert_new() or None

        await until_written(step)
        if await self._runs.has_failed(run.run_id):
            await withdraw_course(course.id)  # a try beside failed meanwhile, and took the parts away
            await self.clear(run.row)
            return
        await self._relay.hand_over(Course, course.id)

    async def _put_file(self, run: Run, part: Part, chunks: AsyncIterator[bytes], landing: Landing) -> None:
        """Keep a file under its new id; room is taken before, as for an upload."""
        if await StoredFile.find_any(part["id"]) is not None:
            return
        size, user_id, course_id = part["file_size"], run.actor.user_id, landing.course_id
        quotas = self._files.quotas
        await quotas.take(size, user_id=user_id, course_id=course_id)
        blob_id = new_id(BLOB_PREFIX)

        async def let_go() -> None:
            if not await StoredFile.find_named([blob_id]):  # else it was broken off when all was done
                await quotas.give_back(size, user_id=user_id, course_id=course_id)
                await self._store.remove(blob_id)

        async with undoing(let_go):
            saved = await self._store.save(blob_id, chunks)
            if (saved.size_bytes, saved.sha256) != (size, part["sha256"]):
                raise invalid("file_id", f"{part['original_filename']} is damaged.", "damaged")
            row = {
                **{name: part[name] for name in _FILE_FIELDS},
                "_id": part["id"],
                "uploader_id": user_id,
                "storage_provider": self._store.provider,
                "is_public": bool(part.get("is_public", False)),
                "course_id": course_id,
                "state": part.get("state", FileState.READY.value),
                "blob_id": blob_id,
                "is_counted": True,
                "reserved_bytes": 0,
                "version": 1,
                **dict.fromkeys(("created_at", "updated_at", "touched_at"), landing.at),
            }
            if part.get("charset") in CHARSETS:
                row["charset"] = part["charset"]
            is_first = await whole(StoredFile.add(row))
        if not is_first:  # another try of the same run has counted it, and keeps it
            await whole(let_go())


async def _put(document: type[Record], row: Row) -> None:
    """Store a part. An id that is somebody else's cannot come about; if it did, nothing is passed over in silence."""
    try:
        await put_row(document, row)
    except ForeignPartError:
        raise Refused(Code.CONFLICT, "A part has the id of something else in this school.") from None


_SINGLE: Mapping[type[Record], Callable[[Part, Landing], Row]] = {
    Gradebook: gradebook_of,
    CertificateTemplate: certificate_of,
}
_FILE_FIELDS = ("original_filename", "extension", "file_type", "mime_type", "file_size", "sha256", "folder", "uses")


def course_id_of(run_id: str) -> str:
    """The course that a run makes."""
    return derived_id("crs", run_id)


def file_part(row: Row, carried_ids: Collection[str]) -> Part:
    """What is told of a file that goes along: not whose it was, nor what it is used for besides what goes along."""
    pairs = (use.partition(":") for use in row.get("uses", ()))
    uses = [f"{kind}:{one}" for kind, _, one in pairs if kind in CARRIED and one in carried_ids]
    fields = {name: row.get(name, "") for name in _FILE_FIELDS}
    if (charset := row.get("charset")) is not None:
        fields["charset"] = charset
    return {"id": row["_id"], **fields, "is_public": bool(row.get("is_public")), "uses": sorted(uses)}


def _from(run: Run) -> dict[str, Any]:
    return {"import_id": run.run_id, **({"copy_of": run.row["course_id"]} if run.row.get("course_id") else {})}
