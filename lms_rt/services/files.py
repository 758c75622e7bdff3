"""Files as people have them: reserved, settled, put to use, listed, deleted. Their bytes come and go through the store.

Who may read which is `file_access.py`'s, how one is fetched `file_downloads.py`'s, what is left over `file_sweep.py`'s, and what
an upload has to be `uploads.py`'s.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from config.settings import Settings
from documents.base import Row
from documents.stored_file import FileState, FileUse, StoredFile, use_of
from lms_rt.clock import Clock
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.base import Page, page_of
from lms_rt.contracts.files import FileChange, FileQuery, FileView, QuotaView
from lms_rt.errors import Code, Refused, invalid
from lms_rt.ids import new_id
from lms_rt.security.access.courses import require_course, require_taught_course, teaches
from lms_rt.services.audit import Audit
from lms_rt.services.file_access import SHARED_USES, FileAccess, may_be_shared, plain_name
from lms_rt.services.file_changes import change_file, note_change, own_at, refuse_public
from lms_rt.services.file_quotas import FileQuotas, counted_bytes
from lms_rt.services.file_views import file_view
from lms_rt.storage.files.base import FileStore, SavedFile
from lms_rt.undoing import undoing, whole

PREFIX = "fil"
BLOB_PREFIX = "blb"


@dataclass(frozen=True, slots=True)
class NewFile:
    """What is known of a file before its first byte."""

    original_filename: str
    extension: str = ""
    folder: str = ""
    is_public: bool = False
    course_id: str | None = None


@dataclass(frozen=True, slots=True)
class FileKind:
    """What a file turned out to be. What `is_processing` is its uploader's alone until `replace` was called."""

    mime_type: str
    file_type: str
    is_processing: bool = False
    charset: str | None = None


@dataclass(frozen=True, slots=True)
class Produced:
    """A file that the school makes itself: whose it is, what for, and under which id (the same one again is the same file)."""

    file_id: str
    owner_id: str
    use: FileUse
    subject_id: str
    original_filename: str
    kind: FileKind
    course_id: str | None = None


@dataclass(frozen=True, slots=True)
class Replacement:
    """Other bytes in place of those that were `seen`: an image without what it told of its camera."""

    seen_blob_id: str
    blob_id: str
    saved: SavedFile
    kind: FileKind
    extension: str
    more: Mapping[str, Any] = field(default_factory=dict)


class Files:
    """What can be done with files."""

    def __init__(self, *, settings: Settings, clock: Clock, store: FileStore, audit: Audit) -> None:
        self._settings, self._clock, self._store, self._audit = settings, clock, store, audit
        self.quotas = FileQuotas(settings=settings, clock=clock)
        self.access = FileAccess()

    # --- for people ---

    async def list_own(self, actor: Actor, query: FileQuery) -> Page[FileView]:
        """The actor's own files."""
        which: Row = {"uploader_id": actor.user_id}
        asked = {"folder": query.folder, "course_id": query.course_id, "file_type": query.file_type}
        which |= {name: value for name, value in asked.items() if value is not None}
        name, direction = query.sort.removeprefix("-"), -1 if query.sort.startswith("-") else 1
        rows, total = await StoredFile.page(which, [(name, direction)], skip=query.skip, limit=query.page_size)
        return page_of([file_view(row) for row in rows], query, total)

    async def show(self, actor: Actor, file_id: str) -> FileView:
        """One file that the actor may read."""
        return file_view(await self.access.require(actor, file_id, now_ms=self._clock.now_ms()))

    async def remove(self, actor: Actor, file_id: str, *, expected_version: int | None = None) -> None:
        """Delete a file of one's own (administrators: any) that is used for nothing; 409 while it is."""
        row = await own_at(actor, file_id, expected_version)
        if row["uses"]:
            raise Refused(Code.CONFLICT, "The file is in use; take it away there first.")
        await note_change(self._audit, actor, "file.remove", row)
        seen: Row = {} if expected_version is None else {"version": row.get("version")}
        if not await self.drop(row, {"uses": [], **seen}):
            await own_at(actor, file_id, expected_version)
            raise Refused(Code.CONFLICT, "The file is in use; take it away there first.")

    async def change(
        self, actor: Actor, file_id: str, change: FileChange, *, expected_version: int | None = None
    ) -> FileView:
        """Put a file of one's own (administrators: any) into another folder, or make it public or no more."""
        await note_change(self._audit, actor, "file.change", await own_at(actor, file_id, expected_version))
        return file_view(await change_file(actor, file_id, change, self._clock, expected_version=expected_version))

    async def quota(self, actor: Actor) -> QuotaView:
        """How much room the actor's files take."""
        return await self.quotas.of_user(actor.user_id)

    # --- for uploads ---

    async def reserve(self, actor: Actor, new: NewFile, *, size_bytes: int) -> Row:
        """Begin a file, with room for so many bytes. The row: `_id`, and `blob_id` under which its bytes are to be saved.

        403 or 404 for a course that the actor does not teach, 413 where there is no room.
        """
        if new.is_public:
            refuse_public(actor)
        course_id = await self._course_of(actor, new)
        at, file_id = self._clock.now(), new_id(PREFIX)
        row = self._row_of(file_id, actor.user_id, new.original_filename)
        row |= {
            "extension": new.extension,
            "folder": new.folder,
            "is_public": new.is_public,
            "reserved_bytes": size_bytes,
            "state": FileState.UPLOADING.value,
        }
        if course_id is not None:
            row["course_id"] = course_id
        row |= {"created_at": at, "updated_at": at, "touched_at": at}
        return await whole(self._reserved(row), undo=lambda: self.release(row))

    async def settle(self, row: Row, saved: SavedFile, kind: FileKind) -> FileView:
        """The bytes of a file that was reserved are in the store: from now on it is there. 409 when it was given up meanwhile."""
        at = self._clock.now()
        state = FileState.PROCESSING if kind.is_processing else FileState.READY
        fields = {
            "file_size": saved.size_bytes,
            "sha256": saved.sha256,
            "mime_type": kind.mime_type,
            "file_type": kind.file_type,
            "state": state.value,
            "reserved_bytes": 0,
            "updated_at": at,
            "touched_at": at,
        } | ({} if kind.charset is None else {"charset": kind.charset})
        which = {"state": FileState.UPLOADING.value, "blob_id": row["blob_id"]}
        done = await whole(self._changed(row["_id"], which, fields, row["reserved_bytes"] - saved.size_bytes))
        if done is None:
            present = await StoredFile.find_row(row["_id"])
            if present is not None and present["blob_id"] == row["blob_id"]:
                return file_view(present)
            await self._store.remove(row["blob_id"])
            raise Refused(Code.CONFLICT, "The upload was given up.")
        return file_view(done)

    async def release(self, row: Row) -> None:
        """A file that was reserved comes to nothing; again does nothing."""
        await self.drop(row, {"state": FileState.UPLOADING.value})

    async def replace(self, file_id: str, new: Replacement) -> bool:
        """Put other bytes, which are in the store already, in place of those seen; False (and they are gone) when those changed."""
        at = self._clock.now()
        fields = {
            "blob_id": new.blob_id,
            "file_size": new.saved.size_bytes,
            "sha256": new.saved.sha256,
            "mime_type": new.kind.mime_type,
            "file_type": new.kind.file_type,
            "extension": new.extension,
            "state": (FileState.PROCESSING if new.kind.is_processing else FileState.READY).value,
            "updated_at": at,
            **new.more,
        }
        before = await StoredFile.find_row(file_id)
        freed = 0 if before is None else before["file_size"] - new.saved.size_bytes
        is_replaced = before is not None and before["blob_id"] == new.seen_blob_id
        if not is_replaced or await whole(self._changed(file_id, {"blob_id": new.seen_blob_id}, fields, freed)) is None:
            await self._store.remove(new.blob_id)
            return False
        await self._store.remove(new.seen_blob_id)
        return True

    # --- for what files are used for ---

    async def attach(
        self,
        actor: Actor,
        file_ids: Sequence[str],
        *,
        use: FileUse,
        subject_id: str,
        course_id: str | None = None,
        field_name: str = "file_ids",
    ) -> None:
        """Let these files be used for this, all or none: the actor's own, or ones of the course that they teach; else 422.

        A file without a course becomes one of `course_id`. Those that are used for it already may be among them.
        """
        wanted = sorted(set(file_ids))
        if not wanted:
            return
        rows = await self._attachable(actor, wanted, use_of(use, subject_id), course_id)
        if len(rows) != len(wanted):
            raise invalid(field_name, "There is no such file of yours.", "unknown_file")
        at, once = self._clock.now(), use_of(use, subject_id)
        fields: Row = {"updated_at": at, "touched_at": at}
        if use not in SHARED_USES:
            fields["is_withheld"] = True
        if use is FileUse.SUBMISSION:
            fields["is_work"] = True
        await whole(self._join_course(rows, course_id))
        if await StoredFile.put_to_use(wanted, {}, once, fields) != len(wanted):
            new_ones = [row["_id"] for row in rows if once not in row["uses"]]
            if new_ones:
                await StoredFile.release(once, at, only=new_ones)
            raise invalid(field_name, "One of these files has just been deleted.", "unknown_file")

    async def detach(self, use: FileUse, subject_id: str, *, keep: Collection[str] = ()) -> None:
        """Let them be used for this no more: all but those to `keep`. They stay their uploader's, and go some days after."""
        await StoredFile.release(use_of(use, subject_id), self._clock.now(), keep=keep)

    async def attached(self, use: FileUse, subject_id: str) -> list[FileView]:
        """The files that are used for this, oldest first. Who may know of them was decided by whoever asks."""
        return [file_view(row) for row in await StoredFile.find_used(use_of(use, subject_id))]

    async def views(self, file_ids: Collection[str], *, is_nameless: bool = False) -> dict[str, FileView]:
        """These files, by id. Who may know of them, and of whose they are, was decided by whoever asks."""
        rows = await StoredFile.find_rows(file_ids)
        none = {"uploader_id": None, "folder": ""}
        return {
            file_id: file_view({**row, **none, "original_filename": plain_name(row)} if is_nameless else row)
            for file_id, row in rows.items()
        }

    async def content(self, file_id: str, *, may_be_raw: bool = False) -> AsyncIterator[bytes]:
        """The bytes of a file, for who was allowed them before: `FileMissing` where there are none.

        An image that is not drawn anew yet is missing, unless it `may_be_raw`: it leaves the house for nobody.
        """
        row = await StoredFile.find_row(file_id)
        is_there = row is not None and (may_be_raw or row["state"] == FileState.READY)
        async for piece in self._store.read(row["blob_id"] if row is not None and is_there else "blb_none"):
            yield piece

    async def produce(self, produced: Produced, chunks: AsyncIterator[bytes]) -> FileView:
        """Keep a file that the school made; made again after a crash, it is the same one. It counts against no quota."""
        present = await StoredFile.find_row(produced.file_id)
        if present is not None:
            return file_view(present)
        blob_id = new_id(BLOB_PREFIX)
        saved = await self._store.save(blob_id, chunks)
        at = self._clock.now()
        row = self._row_of(produced.file_id, produced.owner_id, produced.original_filename) | {
            "blob_id": blob_id,
            "extension": produced.original_filename.rpartition(".")[2].lower()[:8],
            "file_type": produced.kind.file_type,
            "mime_type": produced.kind.mime_type,
            "file_size": saved.size_bytes,
            "sha256": saved.sha256,
            "state": FileState.READY.value,
            "uses": [use_of(produced.use, produced.subject_id)],
            "version": 1,
            "is_counted": False,
            "created_at": at,
            "updated_at": at,
            "touched_at": at,
        }
        if produced.course_id is not None:
            row["course_id"] = produced.course_id
        if not await StoredFile.add(row):
            await self._store.remove(blob_id)
            row = await StoredFile.find_row(produced.file_id) or row
        return file_view(row)

    async def discard(self, file_id: str) -> None:
        """Delete a file, whatever it is used for: for those who made it, and for erasures."""
        row = await StoredFile.find_any(file_id)
        if row is not None:
            await self.drop(row, {})

    # --- within ---

    def _row_of(self, file_id: str, uploader_id: str, name: str) -> Row:
        return {
            "_id": file_id,
            "uploader_id": uploader_id,
            "original_filename": name,
            "extension": "",
            "file_type": "other",
            "mime_type": "application/octet-stream",
            "file_size": 0,
            "sha256": "",
            "folder": "",
            "storage_provider": self._store.provider,
            "is_public": False,
            "uses": [],
            "blob_id": new_id(BLOB_PREFIX),
            "is_counted": True,
            "reserved_bytes": 0,
            "version": 0,
        }

    async def _course_of(self, actor: Actor, new: NewFile) -> str | None:
        """The id of the course that the file is to be one of."""
        if new.course_id is None:
            return None
        return (await require_taught_course(actor, new.course_id)).id

    async def _attachable(self, actor: Actor, file_ids: Sequence[str], use: str, course_id: str | None) -> list[Row]:
        """Their own; or ones of the course, to who teaches it, for such a use. None of another course."""
        rows = await StoredFile.find_rows(file_ids)
        is_staff = course_id is not None and await _is_staff(actor, course_id)
        return [
            row
            for row in rows.values()
            if row.get("course_id") in (None, course_id)
            and (row["uploader_id"] == actor.user_id or (is_staff and row.get("course_id") and may_be_shared(row, use)))
        ]

    async def _join_course(self, rows: Sequence[Row], course_id: str | None) -> None:
        """Let those that are of no course be of this one, and count there; 413 where there is no room for all of them."""
        joining = [row for row in rows if course_id is not None and row.get("course_id") is None]
        if course_id is None or not joining:
            return
        which, update = {"course_id": {"$exists": False}}, {"$set": {"course_id": course_id}, "$inc": {"version": 1}}
        ahead = sum(map(counted_bytes, joining))  # counted for those that did not join yet
        await self.quotas.take_for_course(course_id, ahead)
        async with undoing(lambda: self.quotas.give_back_for_course(course_id, ahead)):
            for row in joining:
                joined = await StoredFile.change(row["_id"], which, update)
                ahead -= counted_bytes(row)
                counted = 0 if joined is None else counted_bytes(joined)  # an image may be another one by now
                await self.quotas.give_back_for_course(course_id, counted_bytes(row) - counted)

    async def drop(self, row: Row, which: Row) -> bool:
        """For clean-ups: remove the row if it is so, then what it counted, then its bytes: what a crash leaves of those, the sweep finds."""
        gone = await whole(self._taken_away(row["_id"], which))
        if gone is None:
            return False
        for blob_id in (gone["blob_id"], gone.get("thumbnail_blob_id")):
            if blob_id is not None:
                await self._store.remove(blob_id)
        return True

    async def _reserved(self, row: Row) -> Row:
        """The row comes first: who counts anew sees by it that a count is on its way."""
        await StoredFile.add(row)
        async with undoing(lambda: StoredFile.take_away(row["_id"], {"state": FileState.UPLOADING.value})):
            await self.quotas.take(row["reserved_bytes"], user_id=row["uploader_id"], course_id=row.get("course_id"))
        return row

    async def _changed(self, file_id: str, which: Row, fields: Row, freed_bytes: int) -> Row | None:
        """The row after this change, with so much less counted, if it still was so."""
        done = await StoredFile.change(file_id, which, {"$set": fields, "$inc": {"version": 1}})
        if done is not None:
            await self._give_back(done, freed_bytes)
        return done

    async def _taken_away(self, file_id: str, which: Row) -> Row | None:
        gone = await StoredFile.take_away(file_id, which)
        if gone is not None:
            await self._give_back(gone, gone["file_size"] + gone["reserved_bytes"])
        return gone

    async def _give_back(self, row: Row, size_bytes: int) -> None:
        if row["is_counted"]:
            await self.quotas.give_back(size_bytes, user_id=row["uploader_id"], course_id=row.get("course_id"))


async def _is_staff(actor: Actor, course_id: str) -> bool:
    try:
        return teaches(actor, await require_course(actor, course_id))
    except Refused:
        return False
