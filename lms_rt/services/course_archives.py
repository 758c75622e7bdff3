"""Courses as one file: written out of the school, and read into it again, both by runs in the background.

What the file looks like is `interchange/course_archive.py`'s; how a course is made of it `course_packages.py`'s.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Collection
from typing import Any

import orjson

from config.settings import VERSION, Settings
from documents.base import Row
from documents.course import CourseHead
from documents.course_parts import CARRIED, Outline, outline_of
from documents.stored_file import FileState
from lms_rt.clock import Clock, rfc3339
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.bulk import RunView
from lms_rt.contracts.course_archives import CourseImportDraft
from lms_rt.errors import Code, Refused, invalid
from lms_rt.interchange import course_archive as form
from lms_rt.interchange.course_archive import PartSum, canonical_id
from lms_rt.security.access.courses import require_taught_course, teaches
from lms_rt.security.permissions import Permission
from lms_rt.services.archive import Entry, archived
from lms_rt.services.archive_parts import PartReader
from lms_rt.services.archive_reading import ReadArchive, open_archive
from lms_rt.services.course_copies import ids_in, options_of, package_of, require_maker
from lms_rt.services.course_packages import CoursePackages, Package
from lms_rt.services.course_portable import Part
from lms_rt.services.file_access import require_own
from lms_rt.services.file_insides import watch_for, watched
from lms_rt.services.file_kinds import HEAD_BYTES, Kind, named, refuse_other
from lms_rt.services.import_runs import Asked, ImportRuns, Run
from lms_rt.services.kept_archives import KeptArchives
from lms_rt.storage.files.base import FileStore

MEBIBYTE = 1 << 20
_USE = re.compile(r"[a-z_]{3,20}:[a-z]{3}_[0-9a-hjkmnp-tv-z]{26}")
_FOLDER = re.compile(r"(?:[\w-]{1,50}(?:/[\w-]{1,50}){0,4})?")


class CourseArchives:
    """Takes courses out, and puts them in."""

    def __init__(
        self, *, settings: Settings, clock: Clock, runs: ImportRuns, packages: CoursePackages, store: FileStore
    ) -> None:
        self._settings, self._clock, self._runs, self._packages, self._store = settings, clock, runs, packages, store
        self._kept = KeptArchives(settings=settings, clock=clock, store=store)
        runs.add_kind("course_export", self.perform_export)
        runs.add_kind("course_import", self.perform_import, clear=packages.clear, landed=packages.landed)

    @property
    def kept(self) -> KeptArchives:
        """Those that may be fetched."""
        return self._kept

    # --- out ---

    async def begin_export(self, actor: Actor, course_id: str) -> RunView:
        """Begin an archive of a course of the actor's own."""
        course = await self._exported(actor, course_id)
        await self._kept.require_room(actor.user_id)
        asked = Asked(
            "course_export",
            "course.export",
            course_id=course.id,
            filename=f"{course.slug}.zip",
            open_key=f"course_export:{actor.user_id}:{course.id}",
        )
        return await self._runs.ask(actor, asked)

    async def perform_export(self, run: Run) -> None:
        """Write the archive, and keep it to be fetched."""
        await self._exported(run.actor, run.row["course_id"])
        outline = await outline_of(run.row["course_id"])
        if outline is None:
            raise Refused(Code.NOT_FOUND, "The course is not there any more.")
        run.until = None  # an archive cannot be gone on with: it is written to its end, or not at all
        saved = await self._store.save(run.file_id, archived(self._entries(run, outline), self._clock.now()))
        try:
            await self._kept.make_room(run, saved.size_bytes)
        except Refused:
            await self._store.remove(run.file_id)
            raise
        run.made |= {"file_id": run.file_id, "size_bytes": saved.size_bytes, "done": run.row["total"]}

    async def _entries(self, run: Run, outline: Outline) -> AsyncIterator[Entry]:
        """All parts, and last the manifest with the sum of each."""
        names = canonical_names(outline)
        if len(names) > form.MAX_IDS:
            raise Refused(Code.TOO_LARGE, f"A course with more than {form.MAX_IDS} parts does not go into one archive.")
        package = await asyncio.to_thread(package_of, outline, names, self._store)
        sums, done = list[PartSum](), 0
        total = len(package.files) + package.quizzes_count + 1
        async for name, value in _texts(package):
            raw, part = await asyncio.to_thread(_written, name, value)
            sums.append(part)
            yield Entry(name, text=raw.decode())
            done += name.startswith("quizzes/")
            await self._go_on(run, done, total)
        for one in package.files:
            name = f"files/{one['id']}"
            sums.append(PartSum(name=name, size_bytes=one["file_size"], sha256=one["sha256"]))
            yield Entry(name, pieces=package.content(one["id"]), size_bytes=one["file_size"])
            done += 1
            await self._go_on(run, done, total)
        manifest = form.Manifest(
            format="lms-course",
            version=form.VERSION,
            title=outline.course.title,
            exported_at=rfc3339(self._clock.now()),
            made_by=VERSION,
            parts=sums,
        )
        yield Entry(form.MANIFEST, text=manifest.model_dump_json(indent=2))

    async def _exported(self, actor: Actor, course_id: str) -> CourseHead:
        """A course of the actor's own whose quizzes are theirs, too: their keys go along."""
        course = await require_taught_course(actor, course_id, Permission.COURSE_UPDATE)
        if not teaches(actor, course, Permission.QUIZZES_MANAGE):
            raise Refused(Code.NOT_FOUND)
        return course

    async def _go_on(self, run: Run, done: int, total: int) -> None:
        """Note how far it is."""
        if not await self._runs.advance(run, {"done": done, "total": total}):
            raise Refused(Code.CONFLICT, "It was cancelled.")

    # --- in ---

    async def begin_import(self, actor: Actor, draft: CourseImportDraft) -> RunView:
        """Begin a course out of an archive that the actor uploaded. What cannot be one is refused at once."""
        row = await self._uploaded(actor, draft.file_id)
        await self._open(row)
        options = {**await options_of(actor, draft), "file_id": draft.file_id}
        asked = Asked(
            "course_import",
            "course.import",
            options=options,
            filename=row["original_filename"],
            open_key=f"course_import:{actor.user_id}:{draft.file_id}",
        )
        return await self._runs.ask(actor, asked)

    async def perform_import(self, run: Run) -> None:
        """Make the course."""
        require_maker(run.actor)
        row = await self._uploaded(run.actor, run.options["file_id"])
        package = await self._package(run, await self._open(row))
        await self._packages.make(run, package, action="course.import")

    async def _uploaded(self, actor: Actor, file_id: str) -> Row:
        try:
            row = await require_own(actor, file_id)
        except Refused:
            raise invalid("file_id", "There is no such file of yours.", "unknown_file") from None
        if row["state"] != FileState.READY.value:
            raise invalid("file_id", "The file is not there yet.", "unknown_file")
        return row

    async def _open(self, row: Row) -> ReadArchive:
        limit = self._settings.max_storage_mb_per_course * MEBIBYTE
        return await open_archive(self._store, row["blob_id"], size_bytes=row["file_size"], max_bytes=limit)

    async def _package(self, run: Run, archive: ReadArchive) -> Package:
        """An archive as a package under ids that follow from the run."""
        reader = PartReader(archive, run.run_id)
        parts = await reader.parts(form.FILES, list)
        own_ids = frozenset(reader.names.values())
        files = [self._file(one, archive, own_ids) for one in parts]
        quiz_names = sorted(name for name in archive.names if name.startswith("quizzes/"))
        if {f"files/{one['archived_id']}" for one in files} != {one for one in archive.names if one[:6] == "files/"}:
            raise invalid("file_id", "The archive holds other files than its list names.", "missing_part")
        by_id = {one["id"]: one for one in files}

        async def quizzes() -> AsyncIterator[Part]:
            for name in quiz_names:
                yield await reader.parts(name, dict)

        def content(file_id: str) -> AsyncIterator[bytes]:
            one = by_id[file_id]
            chunks = watched(archive.chunks(f"files/{one['archived_id']}"), watch_for(one["extension"]))
            return _looked_at(chunks, one["kind"])

        return Package(
            course=await reader.parts(form.COURSE, dict),
            lessons=await reader.parts(form.LESSONS, list),
            assignments=await reader.parts(form.ASSIGNMENTS, list),
            gradebook=await reader.some(form.GRADEBOOK),
            certificate=await reader.some(form.CERTIFICATE),
            files=files,
            quizzes=quizzes,
            quizzes_count=len(quiz_names),
            content=content,
        )

    def _file(self, part: Any, archive: ReadArchive, own_ids: Collection[str]) -> Part:
        """A file of the list, with what it has to be by its name: what the archive says of its kind is not asked."""
        told = archive.told
        is_fit = isinstance(part, dict) and all(isinstance(part.get(name), str) for name in ("id", "original_filename"))
        sums = told.get(f"files/{part['archived_id']}") if is_fit else None
        uses = part.get("uses") if is_fit else None
        if (
            sums is None
            or not isinstance(uses, list)
            or not all(isinstance(u, str) and _USE.fullmatch(u) for u in uses)
        ):
            raise invalid("file_id", "The list of files in the archive cannot be read.", "malformed_part")
        name = named(part["original_filename"], frozenset(self._settings.allowed_upload_extensions))
        folder = part.get("folder") or ""
        return {
            "id": part["id"],
            "archived_id": part["archived_id"],
            "original_filename": name.original_filename,
            "extension": name.extension,
            "mime_type": name.kind.mime_type,
            "file_type": name.kind.file_type,
            "kind": name.kind,
            "file_size": sums.size_bytes,
            "sha256": sums.sha256,
            "folder": folder if isinstance(folder, str) and _FOLDER.fullmatch(folder) else "",
            "is_public": part.get("is_public") is True,
            "charset": part.get("charset"),
            "uses": sorted(
                one for one in uses if one.partition(":")[0] in CARRIED and one.partition(":")[2] in own_ids
            ),
            "state": (FileState.PROCESSING if name.kind.is_image else FileState.READY).value,
        }


def canonical_names(outline: Outline) -> dict[str, str]:
    """What each id of a course becomes in an archive: its place among those of its kind."""
    names, places = dict[str, str](), dict[str, int]()
    for prefix, one in ids_in(outline):
        places[prefix] = places.get(prefix, 0) + 1
        names[one] = canonical_id(prefix, places[prefix])
    return names | {outline.course.id: canonical_id("crs", 1)}


async def _texts(package: Package) -> AsyncIterator[tuple[str, Any]]:
    yield form.COURSE, package.course
    yield form.LESSONS, package.lessons
    async for quiz in package.quizzes():
        yield f"quizzes/{quiz['id']}.json", quiz
    yield form.ASSIGNMENTS, package.assignments
    for name, value in ((form.GRADEBOOK, package.gradebook), (form.CERTIFICATE, package.certificate)):
        if value is not None:
            yield name, value
    shown = ("id", "original_filename", "file_size", "sha256", "folder", "uses", "is_public")
    yield form.FILES, [{name: one[name] for name in shown} for one in package.files]


def _written(name: str, value: Any) -> tuple[bytes, PartSum]:
    raw = orjson.dumps(value, option=orjson.OPT_INDENT_2)
    return raw, PartSum(name=name, size_bytes=len(raw), sha256=hashlib.sha256(raw).hexdigest())


async def _looked_at(chunks: AsyncIterator[bytes], kind: Kind) -> AsyncIterator[bytes]:
    """The bytes of a file, refused when their first are not those of its kind."""
    held, is_seen = b"", False
    async for chunk in chunks:
        if is_seen:
            yield chunk
            continue
        held += chunk
        if len(held) >= HEAD_BYTES:
            refuse_other(kind, held[:HEAD_BYTES])
            is_seen = True
            yield held
    if not is_seen:
        refuse_other(kind, held[:HEAD_BYTES])
        yield held
