"""Uploads that go on after a break, over HTTP: tus 1.0.0 with creation, creation-with-upload, expiration, checksum, termination.

What tus asks of headers is read and told here; what an upload is, `lms_rt/services/upload_sessions.py` knows.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from email.utils import format_datetime

from config.settings import Settings
from handlers.rest.access import SIGNED_IN
from handlers.rest.calls import Call, Reply
from handlers.rest.forms import read_fields
from handlers.rest.incoming import BodyCut, BodyStalled, Incoming
from handlers.rest.operations import Operation
from lms_rt.contracts.uploads import UploadFields, UploadView
from lms_rt.errors import Code, Refused, invalid
from lms_rt.security.rate_limits import LimitClass
from lms_rt.security.rights import Reach
from lms_rt.services.upload_sessions import ALGORITHMS, Begun, Broken, Checksum

VERSION = "1.0.0"
OFFSET_TYPE = "application/offset+octet-stream"
MAX_METADATA_LENGTH = 4096
_PATH = "/files/tus"
_OVERRIDE = "X-HTTP-Method-Override"
_ALWAYS = {"Tus-Resumable": VERSION, "Tus-Version": VERSION}


def told(settings: Settings) -> Mapping[str, str]:
    """What a client that asks first is told."""
    return {
        **_ALWAYS,
        "Tus-Extension": "creation,creation-with-upload,expiration,checksum,termination",
        "Tus-Max-Size": str(settings.max_upload_mb << 20),
        "Tus-Checksum-Algorithm": ",".join(ALGORITHMS),
    }


class _Piece:
    """The body of a request; where the line is cut it ends, and is broken."""

    def __init__(self, incoming: Incoming) -> None:
        self._incoming, self.is_broken = incoming, False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """As it comes."""
        try:
            async for chunk in self._incoming:
                yield chunk
        except (BodyCut, BodyStalled):
            self.is_broken = True


async def begin(call: Call) -> Reply:
    """Begin an upload; its first piece may come along."""
    _require_version(call)
    if (call.find_header(_OVERRIDE) or "POST").strip().upper() != "POST":  # of an upload, not of all of them
        raise Refused(Code.METHOD_NOT_ALLOWED, allow=["OPTIONS", "POST"])
    described = call.find_header("Upload-Metadata") or ""
    metadata = _metadata(described)
    if "filename" not in metadata and "name" not in metadata:
        raise invalid("Upload-Metadata", "Name the file: `filename`, in base64.", "required")
    sessions = call.services.upload_sessions
    begun = Begun(
        filename=metadata.get("filename") or metadata.get("name", ""),
        length=_number(call, "Upload-Length"),
        fields=read_fields({name: text for name, text in metadata.items() if name in UploadFields.model_fields}),
        described=described,
    )
    has_piece = _is_piece(call)
    checksum = _checksum(call)
    upload = await sessions.begin(call.actor, begun)
    if has_piece:
        try:
            upload = await sessions.write(call.actor, upload.id, offset=0, piece=_piece(call), checksum=checksum)
        except Refused:
            with suppress(Refused):  # it may be gone for that very reason
                await sessions.give_up(call.actor, upload.id)
            raise
        except Broken:
            raise BodyCut from None
    return Reply(None, made={"upload_id": upload.id}, headers=_headers(upload))


async def show(call: Call) -> Reply:
    """How far an upload is: the headers are all that a tus client asks for, by HEAD."""
    sessions, upload_id = call.services.upload_sessions, call.path["upload_id"]
    described = await sessions.described(call.actor, upload_id)
    if call.request.method == "HEAD":  # GET is for those who speak no tus
        _require_version(call)
    upload = await sessions.show(call.actor, upload_id)
    more = {"Upload-Metadata": described} if described else {}
    headers = {**_headers(upload), "Upload-Length": str(upload.upload_length), "Cache-Control": "no-store", **more}
    return Reply(upload, headers=headers)


async def write(call: Call) -> Reply:
    """The next piece; or, for clients that can send nothing but POST, what `X-HTTP-Method-Override` says."""
    sessions, upload_id = call.services.upload_sessions, call.path["upload_id"]
    await sessions.described(call.actor, upload_id)  # who may not know of it is told nothing else
    _require_version(call)
    method = str(call.request.method)
    if method == "POST":
        method = (call.find_header(_OVERRIDE) or "").strip().upper()
    if method == "DELETE":
        return await give_up(call)
    if method != "PATCH":
        raise Refused(Code.METHOD_NOT_ALLOWED, allow=["DELETE", "GET", "HEAD", "OPTIONS", "PATCH"])
    if not _is_piece(call):
        raise Refused(Code.UNSUPPORTED_MEDIA_TYPE, f"Send {OFFSET_TYPE}.", taken=[OFFSET_TYPE])
    try:
        upload = await sessions.write(
            call.actor,
            upload_id,
            offset=_number(call, "Upload-Offset"),
            piece=_piece(call),
            checksum=_checksum(call),
        )
    except Broken:
        raise BodyCut from None
    return Reply(None, status=204, headers=_headers(upload))


async def give_up(call: Call) -> Reply:
    """Let go of an upload."""
    sessions, upload_id = call.services.upload_sessions, call.path["upload_id"]
    await sessions.described(call.actor, upload_id)
    _require_version(call)
    await sessions.give_up(call.actor, upload_id)
    return Reply(None, status=204)


def _piece(call: Call) -> _Piece:
    if call.incoming is None:
        raise TypeError("this operation is not streamed")
    return _Piece(call.incoming)


def _headers(upload: UploadView) -> dict[str, str]:
    return {
        "Upload-Offset": str(upload.upload_offset),
        "Upload-Expires": format_datetime(upload.expires_at, usegmt=True),
    }


def _require_version(call: Call) -> None:
    if call.find_header("Tus-Resumable") != VERSION:
        raise Refused(Code.VERSION_MISMATCH, f"Send Tus-Resumable: {VERSION}.", current_version=VERSION)


def _is_piece(call: Call) -> bool:
    return (call.find_header("Content-Type") or "").partition(";")[0].strip().lower() == OFFSET_TYPE


def _number(call: Call, name: str) -> int:
    text = call.find_header(name) or ""
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise Refused(Code.MALFORMED_REQUEST, f"Send {name}, a whole number of bytes.")
    return int(text)


def _metadata(header: str) -> dict[str, str]:
    """`name base64,name base64`, as UTF-8 texts."""
    if len(header) > MAX_METADATA_LENGTH:
        raise Refused(Code.MALFORMED_REQUEST, f"Upload-Metadata is longer than {MAX_METADATA_LENGTH}.")
    told_of: dict[str, str] = {}
    for pair in filter(None, (part.strip() for part in header.split(","))):
        name, _, value = pair.partition(" ")
        try:
            told_of[name] = base64.b64decode(value.strip(), validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            raise Refused(Code.MALFORMED_REQUEST, "Upload-Metadata is not `name base64,name base64`.") from None
    return told_of


def _checksum(call: Call) -> Checksum | None:
    header = call.find_header("Upload-Checksum")
    if header is None:
        return None
    algorithm, _, value = header.strip().partition(" ")
    if algorithm not in ALGORITHMS:
        raise Refused(Code.MALFORMED_REQUEST, f"Upload-Checksum is made by one of {', '.join(ALGORITHMS)}.")
    try:
        return Checksum(algorithm, base64.b64decode(value.strip(), validate=True))
    except binascii.Error:
        raise Refused(Code.MALFORMED_REQUEST, "Upload-Checksum is not `algorithm base64`.") from None


_PIECE_CODES = (Code.CONFLICT, Code.CHECKSUM_MISMATCH, Code.VERSION_MISMATCH)

ROUTES: tuple[Operation, ...] = (
    Operation(
        "POST",
        _PATH,
        begin,
        SIGNED_IN,
        reach=Reach.SELF,
        is_streamed=True,
        takes=(OFFSET_TYPE,),
        always=_ALWAYS,
        tells=told,
        status=201,
        location=f"{_PATH}/{{upload_id}}",
        limit=LimitClass.UPLOADS.value,
        codes=(*_PIECE_CODES, Code.NOT_FOUND, Code.METHOD_NOT_ALLOWED),
        summary="Begin an upload that can be taken up again (tus 1.0.0)",
        description="`Upload-Metadata` names `filename`, and may name `folder`, `is_public` and `course_id`.",
    ),
    Operation(
        "GET",
        f"{_PATH}/{{upload_id}}",
        show,
        SIGNED_IN,
        reach=Reach.OWN,
        reply=UploadView,
        always=_ALWAYS,
        tells=told,
        codes=(Code.VERSION_MISMATCH,),
        summary="How far an upload is, and its file at the end",
    ),
    Operation(
        ("PATCH", "POST"),
        f"{_PATH}/{{upload_id}}",
        write,
        SIGNED_IN,
        reach=Reach.OWN,
        is_streamed=True,
        takes=(OFFSET_TYPE,),
        always=_ALWAYS,
        status=204,
        limit=LimitClass.PIECES.value,
        codes=(*_PIECE_CODES, Code.METHOD_NOT_ALLOWED),
        summary="The next piece of an upload",
    ),
    Operation(
        "DELETE",
        f"{_PATH}/{{upload_id}}",
        give_up,
        SIGNED_IN,
        reach=Reach.OWN,
        always=_ALWAYS,
        status=204,
        codes=(Code.VERSION_MISMATCH,),
        summary="Let go of an upload",
    ),
)
