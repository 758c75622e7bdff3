"""Uploads over HTTP: a form whose file is streamed into the store, and the small picture of an image. Downloads: `files.py`."""

from __future__ import annotations

from handlers.rest.access import PUBLIC, SIGNED_IN
from handlers.rest.calls import Call, Reply
from handlers.rest.forms import StreamedForm
from handlers.rest.operations import Operation
from handlers.rest.ranges import is_known
from lms_rt.contracts.files import FileView
from lms_rt.contracts.uploads import UploadFields
from lms_rt.errors import Code
from lms_rt.security.rate_limits import LimitClass
from lms_rt.security.rights import Reach

THUMBNAIL_TYPE = "image/webp"
THUMBNAIL_SECONDS = 3600
"""So long a browser shows one without asking again; who lost the right to it sees it as long at most."""


async def upload(call: Call) -> Reply:
    """Keep a file."""
    if call.incoming is None:
        raise TypeError("this operation is not streamed")
    form = StreamedForm(call.incoming, call.find_header("Content-Type") or "")
    announced = call.find_header("Content-Length") or ""
    announced_bytes = int(announced) if announced.isdecimal() and len(announced) < 19 else None
    file = await call.services.uploads.take(call.actor, form, announced_bytes=announced_bytes)
    return Reply(file, made={"file_id": file.id})


async def thumbnail(call: Call) -> Reply:
    """The small picture of an image that the caller may read; 404 until there is one."""
    blob_id, stream = await call.services.images.thumbnail(call.actor, call.path["file_id"])
    headers = {
        "ETag": f'"{blob_id}"',
        "Cache-Control": f"private, max-age={THUMBNAIL_SECONDS}",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "Content-Disposition": "inline",
    }
    if is_known(call.find_header("If-None-Match"), blob_id):
        await stream.aclose()
        return Reply(None, status=304, headers=headers)
    return Reply(stream=stream, content_type=THUMBNAIL_TYPE, headers=headers)


ROUTES: tuple[Operation, ...] = (
    Operation(
        "POST",
        "/files/upload",
        upload,
        SIGNED_IN,
        reach=Reach.SELF,
        is_streamed=True,
        takes=("multipart/form-data",),
        form=UploadFields,
        reply=FileView,
        status=201,
        location="/files/{file_id}",
        limit=LimitClass.UPLOADS.value,
        codes=(Code.NOT_FOUND, Code.CONFLICT),
        summary="Upload a file",
        description="The fields may stand before the file or after it. `course_id` makes it a file of a course that one teaches.",
    ),
    Operation(
        "GET",
        "/files/{file_id}/thumbnail",
        thumbnail,
        PUBLIC,
        reach=Reach.SHARED,
        reply=bytes,
        gives=(THUMBNAIL_TYPE,),
        summary="The small picture of an image",
    ),
)
