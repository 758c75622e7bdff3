"""How a file is fetched: by who may read it, or by a link; from us piece by piece, or from the cloud itself.

What of it is sent is HTTP's affair, and `handlers/rest/files.py`'s.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlencode

from config.settings import Settings
from documents.base import Row
from documents.course import Course
from documents.enums import Role
from documents.stored_file import FileState, StoredFile
from documents.user import User
from lms_rt.clock import Clock, from_ms
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.files import FILES_URL, Disposition, DownloadQuery, LinkDraft, LinkView
from lms_rt.errors import Code, Refused
from lms_rt.security.access.courses import teaches
from lms_rt.security.file_links import FileLinks, Linked
from lms_rt.security.permissions import permissions_of
from lms_rt.services.download_room import DownloadRoom
from lms_rt.services.file_access import FileAccess, is_open_to_all, nameless
from lms_rt.services.file_names import content_disposition
from lms_rt.storage.files.base import FileMissing, FileStore, Served

_INLINE_TYPES = frozenset(
    {"image/png", "image/jpeg", "image/gif", "image/webp", "text/plain", "text/vtt", "application/pdf"}
)
"""What a browser may show in our place, beside films and sounds: nothing of it runs."""
_PDF = "application/pdf"
"""Browsers' own readers open in no sandbox: to people who are not of the school, none is shown in its place."""
_CLOUD_SECONDS = 60
"""A browser follows at once; what the cloud's own address opens, it opens to whoever has it."""
_TOUCHED_AGAIN = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Download:
    """A file that may be fetched. `cloud_url` is where the cloud gives it itself."""

    mime_type: str
    size_bytes: int
    sha256: str
    disposition: Disposition
    header: str
    blob_id: str
    is_public: bool
    cloud_url: str | None = None


class FileDownloads:
    """Finds what is asked for, and hands it out."""

    def __init__(
        self, *, settings: Settings, clock: Clock, store: FileStore, access: FileAccess, links: FileLinks
    ) -> None:
        self._settings, self._clock, self._store = settings, clock, store
        self._access, self._links, self._room = access, links, DownloadRoom()

    async def find(self, actor: Actor, file_id: str, query: DownloadQuery, *, takes_cloud: bool) -> Download:
        """A file that the actor may read, or that the link opens; 404 else, 403 when the link is over."""
        row = await self._row(actor, file_id, query)
        disposition = _allowed(query.disposition or "attachment", row["mime_type"])
        if actor.is_stranger and is_open_to_all(row) and row["mime_type"] == _PDF:
            disposition = "attachment"
        header = content_disposition(disposition, row["original_filename"])
        await self._touch(actor, row)
        return Download(
            mime_type=_served_type(row),
            size_bytes=row["file_size"],
            sha256=row["sha256"],
            disposition=disposition,
            header=header,
            blob_id=row["blob_id"],
            is_public=is_open_to_all(row),
            cloud_url=await self._cloud_url(row, header) if takes_cloud else None,
        )

    async def read(self, download: Download, *, reader: str, start: int, size: int) -> AsyncGenerator[bytes, None]:
        """So much of it, piece by piece; 429 while too many run for this reader, by id or address.

        404 when its bytes are gone: between the look and the first piece somebody deleted it.
        """
        async with self._room.taken(reader):
            pieces = self._store.read(download.blob_id, start=start, size=size)
            try:
                async for piece in pieces:
                    yield piece
            except FileMissing:
                raise Refused(Code.NOT_FOUND) from None

    async def link(self, actor: Actor, file_id: str, draft: LinkDraft) -> LinkView:
        """A link to a file that the actor may read.

        Who neither uploaded it nor teaches its course gives it away for no longer than usual; and what is shown to them for
        the sake of an attempt or of their work, not at all.
        """
        row = await self._access.require(actor, file_id, now_ms=self._clock.now_ms())
        usual = self._settings.file_download_url_expire_seconds
        seconds = draft.expires_in_seconds or usual
        is_theirs = await _is_theirs(actor, row)
        if not is_theirs and row.get("is_withheld"):
            raise Refused(Code.FORBIDDEN, "This file is not to be handed on.")
        if not is_theirs or actor.is_impersonated or row.get("is_withheld"):
            seconds = min(seconds, usual)
        disposition = _allowed(draft.disposition, row["mime_type"])
        expires = self._clock.now_ms() // 1000 + seconds
        linked = Linked(file_id, disposition, expires, row.get("access_epoch", 0))
        signature = self._links.sign(linked, signer_id=actor.user_id)
        told = urlencode({"disposition": disposition, "expires": expires, "signature": signature})
        return LinkView(url=f"{FILES_URL}/{file_id}/download?{told}", expires_at=from_ms(expires * 1000))

    async def _row(self, actor: Actor, file_id: str, query: DownloadQuery) -> Row:
        """By the link, if one is given that was made here; else by who asks."""
        if query.signature is None or query.expires is None or query.disposition is None:
            return await self._access.require(actor, file_id, now_ms=self._clock.now_ms())
        row = await StoredFile.find_row(file_id)
        epoch = 0 if row is None else row.get("access_epoch", 0)
        linked = Linked(file_id, query.disposition, query.expires, epoch)
        signer_id = self._links.signer_of(linked, query.signature)
        if signer_id is None:
            return await self._access.require(actor, file_id, now_ms=self._clock.now_ms())
        if query.expires * 1000 <= self._clock.now_ms():
            raise Refused(Code.FORBIDDEN, "The link has expired.")
        return await self._row_of_link(actor, file_id, signer_id)

    async def _row_of_link(self, actor: Actor, file_id: str, signer_id: str) -> Row:
        """As whose link it is sees it now: who lost the file, or the account, opens nothing by it any more."""
        user = await User.find_by_id(signer_id)
        if user is None or not user.is_active:
            raise Refused(Code.NOT_FOUND)
        role = Role(user.role)
        signer = Actor(user.id, role, permissions_of(role, user.permissions))
        row = await self._access.require(signer, file_id, now_ms=self._clock.now_ms())
        if row["state"] != FileState.READY:
            raise Refused(Code.NOT_FOUND)
        return await nameless(actor, row)

    async def _cloud_url(self, row: Row, header: str) -> str | None:
        """None for what is shown for the sake of an attempt: it does not leave by another door."""
        if row.get("is_withheld"):
            return None
        return await self._store.signed_url(row["blob_id"], Served(_served_type(row), header, _CLOUD_SECONDS))

    async def _touch(self, actor: Actor, row: Row) -> None:
        """Its uploader has looked: it is not forgotten yet."""
        at = self._clock.now()
        if row["uploader_id"] == actor.user_id and not row["uses"] and row["touched_at"] < at - _TOUCHED_AGAIN:
            await StoredFile.change(row["_id"], {}, {"$set": {"touched_at": at}})


async def _is_theirs(actor: Actor, row: Row) -> bool:
    """Did they upload it, or do they teach its course?"""
    if actor.is_admin or row["uploader_id"] == actor.user_id:
        return True
    course = None if row.get("course_id") is None else await Course.find_head(row["course_id"])
    return course is not None and teaches(actor, course)


def _served_type(row: Row) -> str:
    """With the encoding of a text, where that is known."""
    charset = row.get("charset")
    return str(row["mime_type"]) if charset is None else f"{row['mime_type']}; charset={charset}"


def _allowed(asked: Disposition, mime_type: str) -> Disposition:
    """In the page only what nothing runs of."""
    is_shown = mime_type in _INLINE_TYPES or mime_type.startswith(("video/", "audio/"))
    return "inline" if asked == "inline" and is_shown else "attachment"
