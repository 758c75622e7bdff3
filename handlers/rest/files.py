"""Files: one's own, what is told of one, fetching it, links to it, and its end. Uploads are `uploads.py` and `tus.py`."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from handlers.rest.access import PUBLIC, SIGNED_IN
from handlers.rest.calls import Call, Reply
from handlers.rest.operations import Operation
from handlers.rest.ranges import Part, asked_part, holds, is_known
from lms_rt.contracts.base import Page
from lms_rt.contracts.files import DownloadQuery, FileChange, FileQuery, FileView, LinkDraft, LinkView, QuotaView
from lms_rt.errors import Code
from lms_rt.security.rights import Reach
from lms_rt.services.file_downloads import Download
from lms_rt.services.file_kinds import KINDS

_TYPES = tuple(sorted({kind.mime_type for kind in KINDS.values()} | {"application/octet-stream"}))
_SANDBOX = "sandbox; default-src 'none'"
_PDF_SANDBOX = "default-src 'none'; object-src 'self'; style-src 'unsafe-inline'"
"""A browser's own reader does not open in a sandbox."""


async def list_files(call: Call) -> Reply:
    """The caller's own."""
    return Reply(await call.services.files.list_own(call.actor, call.query))


async def show(call: Call) -> Reply:
    """One of them, or of a course that they teach."""
    return Reply(await call.services.files.show(call.actor, call.path["file_id"]))


async def quota(call: Call) -> Reply:
    """How much room there is."""
    return Reply(await call.services.files.quota(call.actor))


async def remove(call: Call) -> Reply:
    """Delete one that is used for nothing."""
    await call.services.files.remove(call.actor, call.path["file_id"], expected_version=call.expected_version)
    return Reply(None)


async def change(call: Call) -> Reply:
    """Another folder, or public or not."""
    files, file_id = call.services.files, call.path["file_id"]
    return Reply(await files.change(call.actor, file_id, call.body, expected_version=call.expected_version))


async def link(call: Call) -> Reply:
    """A link that needs no header."""
    return Reply(await call.services.file_downloads.link(call.actor, call.path["file_id"], call.body))


async def download(call: Call) -> Reply:
    """The bytes, or a part of them; from a cloud store: where it gives them itself."""
    found = await call.services.file_downloads.find(
        call.actor, call.path["file_id"], call.query, takes_cloud=_follows(call)
    )
    headers = _headers_of(found)
    if is_known(call.find_header("If-None-Match"), found.sha256):
        return Reply(None, status=304, headers=headers)
    if found.cloud_url is not None:
        return Reply(None, status=302, headers={"Location": found.cloud_url, "Cache-Control": "no-store"})
    part = _part(call, found)
    size = found.size_bytes if part is None else part.size
    headers["Content-Length"] = str(size)
    if part is not None:
        headers["Content-Range"] = f"bytes {part.start}-{part.start + part.size - 1}/{found.size_bytes}"
    return Reply(
        stream=_nothing() if call.request.method == "HEAD" else _pieces(call, found, part),
        content_type=found.mime_type,
        status=200 if part is None else 206,
        headers=headers,
    )


def _part(call: Call, found: Download) -> Part | None:
    """A part is given to GET alone, and only of what the client has the rest of."""
    if call.request.method != "GET" or not holds(call.find_header("If-Range"), found.sha256):
        return None
    return asked_part(call.find_header("Range"), found.size_bytes)


def _follows(call: Call) -> bool:
    """A page's own pictures and films stay with us: our pages allow nothing from elsewhere."""
    return call.find_header("Sec-Fetch-Dest") in (None, "document")


def _headers_of(found: Download) -> dict[str, str]:
    is_pdf = found.mime_type == "application/pdf" and found.disposition == "inline"
    return {
        "ETag": f'"{found.sha256}"',
        "Accept-Ranges": "bytes",
        "Cache-Control": f"{'public' if found.is_public else 'private'}, no-cache",
        "Content-Disposition": found.header,
        "Content-Security-Policy": _PDF_SANDBOX if is_pdf else _SANDBOX,
        "Cross-Origin-Resource-Policy": "cross-origin" if found.is_public else "same-origin",
        "X-Content-Type-Options": "nosniff",
    }


def _pieces(call: Call, found: Download, part: Part | None) -> AsyncGenerator[bytes, None]:
    start, size = (0, found.size_bytes) if part is None else (part.start, part.size)
    reader = call.actor.user_id or call.address
    return call.services.file_downloads.read(found, reader=reader, start=start, size=size)


async def _nothing() -> AsyncGenerator[bytes, None]:
    yield b""


ROUTES: tuple[Operation, ...] = (
    Operation(
        "GET",
        "/files",
        list_files,
        SIGNED_IN,
        reach=Reach.OWN,
        also=("/files/my-files",),
        query=FileQuery,
        reply=Page[FileView],
        summary="My files",
    ),
    Operation(
        "GET",
        "/files/quota",
        quota,
        SIGNED_IN,
        reach=Reach.SELF,
        reply=QuotaView,
        summary="How much room my files take",
    ),
    Operation(
        "GET",
        "/files/{file_id}",
        show,
        SIGNED_IN,
        reach=Reach.SHARED,
        reply=FileView,
        summary="A file",
        description="For its uploader, administrators, who teaches its course, and whoever may read it.",
    ),
    Operation(
        ("PATCH", "PUT"),
        "/files/{file_id}",
        change,
        SIGNED_IN,
        reach=Reach.LEARNING,
        audit="file.change",
        body=FileChange,
        reply=FileView,
        codes=(Code.CONFLICT,),
        summary="Change what is said of a file",
        description="One's own; administrators: any. Who teaches makes files public, but none of attempts or of work (409).",
    ),
    Operation(
        "DELETE",
        "/files/{file_id}",
        remove,
        SIGNED_IN,
        reach=Reach.LEARNING,
        audit="file.remove",
        status=204,
        codes=(Code.CONFLICT,),
        summary="Delete a file",
        description="One's own; administrators: any. 409 while a lesson, a question, a piece of work or a profile uses it.",
    ),
    Operation(
        "GET",
        "/files/{file_id}/download",
        download,
        PUBLIC,
        reach=Reach.SHARED,
        also=("/files/download/{file_id}",),
        query=DownloadQuery,
        reply=bytes,
        gives=_TYPES,
        more_statuses=(206, 302, 304),
        codes=(Code.FORBIDDEN, Code.RANGE_NOT_SATISFIABLE),
        summary="Fetch a file",
        description="`Range` gives a part (206; of several parts at once, the whole), `ETag` is the SHA-256. "
        "With a cloud store: 302 to an address of its own that holds for a minute. "
        "Images, films, sounds, texts and PDFs also `inline`.",
    ),
    Operation(
        "POST",
        "/files/{file_id}/signed-url",
        link,
        SIGNED_IN,
        reach=Reach.SHARED,
        body=LinkDraft,
        reply=LinkView,
        is_secret=True,
        summary="A link to a file that needs no header",
        description="It opens this one file until it expires. Who neither uploaded it nor teaches its course cannot have it "
        "for longer than FILE_DOWNLOAD_URL_EXPIRE_SECONDS, nor at all where it belongs to an attempt or to work.",
    ),
)
