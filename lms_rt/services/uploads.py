"""Uploads: what comes of a form with a file in it, streamed into the store and there as a whole or not at all.

Uploads that go on after a break are `upload_sessions.py`'s, what a file has to be `file_kinds.py`'s, and room `files.py`'s.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Protocol

from config.settings import Settings
from documents.base import Row
from documents.stored_file import FileState, StoredFile
from lms_rt.clock import Clock
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.files import FileView
from lms_rt.contracts.uploads import UploadFields
from lms_rt.errors import Code, Refused
from lms_rt.ids import derived_id
from lms_rt.security.access.courses import require_taught_course
from lms_rt.services.file_changes import refuse_public
from lms_rt.services.file_insides import charset_of, watch_for, watched
from lms_rt.services.file_kinds import HEAD_BYTES, Kind, Named, named, refuse_other
from lms_rt.services.files import FileKind, Files, NewFile
from lms_rt.services.jobs import Jobs
from lms_rt.storage.files.base import FileStore, SavedFile
from lms_rt.undoing import undoing, whole

MEBIBYTE = 1 << 20
TASK = "files.thumbnail"
_UNTIL_SETTLED = timedelta(seconds=1)


class Form(Protocol):
    """A form with one file, as it comes: fields may stand before the file and after it."""

    async def file(self) -> str:
        """Read up to the file; what it is called."""

    def chunks(self) -> AsyncIterator[bytes]:
        """The file, piece by piece."""

    def fields_before(self) -> UploadFields:
        """What was said before the file."""

    async def fields(self) -> UploadFields:
        """Read to the end; all that was said."""


class Uploads:
    """Takes them."""

    def __init__(self, *, settings: Settings, clock: Clock, jobs: Jobs, store: FileStore, files: Files) -> None:
        self._settings, self._clock, self._jobs, self._store, self.files = settings, clock, jobs, store, files

    @property
    def limit_bytes(self) -> int:
        """The largest file that is taken."""
        return self._settings.max_upload_mb * MEBIBYTE

    def named(self, filename: str) -> Named:
        """What a file of this name has to be; 422 when such are not taken."""
        return named(filename, frozenset(self._settings.allowed_upload_extensions))

    async def take(self, actor: Actor, form: Form, *, announced_bytes: int | None) -> FileView:
        """Keep the file of a form. Nothing of it stays when the form breaks off, or is refused at its very end."""
        name = self.named(await form.file())
        said = form.fields_before()
        room = self.limit_bytes if announced_bytes is None else min(announced_bytes, self.limit_bytes)
        row = await self.files.reserve(actor, new_file(name, said), size_bytes=room)
        async with undoing(lambda: self.files.release(row)):
            watch = watch_for(name.extension)
            chunks = checked(watched(form.chunks(), watch), name.kind, limit_bytes=self.limit_bytes)
            saved = await self._store.save(row["blob_id"], chunks)
            if (all_said := await form.fields()) != said:
                row = await self._described(actor, row, all_said)
            return await self.settle(row, saved, name.kind, charset=charset_of(watch))

    async def settle(self, row: Row, saved: SavedFile, kind: Kind, *, charset: str | None = None) -> FileView:
        """The bytes of a reserved file are there. What draws an image anew is asked for first: a crash leaves none as it came."""
        if kind.is_image:
            once, due_at = derived_id("job", TASK, row["_id"]), self._clock.now() + _UNTIL_SETTLED
            await self._jobs.put(once, TASK, {"file_id": row["_id"]}, due_at=due_at)
        shown = FileKind(kind.mime_type, kind.file_type, is_processing=kind.is_image, charset=charset)
        return await self.files.settle(row, saved, shown)

    async def _described(self, actor: Actor, row: Row, said: UploadFields) -> Row:
        """What was said after the file counts as if it had been said before."""
        if said.is_public:
            refuse_public(actor)
        fields: Row = {"folder": said.folder, "is_public": said.is_public}
        if said.course_id is not None:
            fields["course_id"] = (await require_taught_course(actor, said.course_id)).id
        changed = await whole(self._moved(row, fields))
        if changed is None:
            raise Refused(Code.CONFLICT, "The upload was given up.")
        return changed

    async def _moved(self, row: Row, fields: Row) -> Row | None:
        """The row with these fields, counted for the course that they name instead of the one before."""
        quotas, size, left = self.files.quotas, row["reserved_bytes"], row.get("course_id")
        joined, which = fields.get("course_id", left), {"state": FileState.UPLOADING.value}
        if joined is None or joined == left:
            return await StoredFile.change(row["_id"], which, {"$set": fields})
        await quotas.take_for_course(joined, size)
        async with undoing(lambda: quotas.give_back_for_course(joined, size)):
            changed = await StoredFile.change(row["_id"], which, {"$set": fields})
        no_more = left if changed is not None else joined
        if no_more is not None:
            await quotas.give_back_for_course(no_more, size)
        return changed


def new_file(name: Named, said: UploadFields) -> NewFile:
    """What is known of a file before its first byte."""
    return NewFile(name.original_filename, name.extension, said.folder, said.is_public, said.course_id)


async def checked(
    chunks: AsyncIterator[bytes], kind: Kind, *, limit_bytes: int, is_whole: bool = True
) -> AsyncIterator[bytes]:
    """What comes, once its beginning is that of its kind, up to the limit; of a piece that is not whole a short one passes."""
    head, size = b"", 0
    async for chunk in chunks:
        size += len(chunk)
        if size > limit_bytes:
            raise Refused(Code.TOO_LARGE, f"The file is larger than {limit_bytes} bytes.", limit_bytes=limit_bytes)
        if size == len(head) + len(chunk) and len(head) < HEAD_BYTES:
            head += chunk
            if len(head) < HEAD_BYTES:
                continue
            refuse_other(kind, head[:HEAD_BYTES])
            chunk = head  # noqa: PLW2901 - what was held back goes first
        yield chunk
    if size < HEAD_BYTES:
        if is_whole:
            refuse_other(kind, head)
        if head:
            yield head
