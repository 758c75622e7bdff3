"""What becomes of a person's files when they are erased. May be run again."""

from __future__ import annotations

from documents import erasing
from documents.base import Row
from documents.stored_file import FileUse, StoredFile, uses_of
from documents.upload_session import UploadSession
from lms_rt.services.erasure_steps import Ground

_OF_THE_SCHOOL = frozenset(
    {
        FileUse.LESSON,
        FileUse.QUESTION,
        FileUse.QUESTION_KEY,
        FileUse.ASSIGNMENT,
        FileUse.COURSE_IMAGE,
        FileUse.ANNOUNCEMENT,
        FileUse.CERTIFICATE_LOGO,
    }
)
"""What a course would lack."""


async def files(ground: Ground) -> None:
    """Those that a course is made of stay, without the name that the person gave them; all others go, bytes first."""
    async for row in StoredFile.walk_of({"uploader_id": ground.leaving.user_id}):
        if any(use in _OF_THE_SCHOOL for use, _ in uses_of(row)):
            await erasing.blank(StoredFile, row["_id"], {"original_filename": _unnamed(row)})
            continue
        for blob_id in (row["blob_id"], row.get("thumbnail_blob_id")):
            if blob_id is not None:
                await ground.files.remove(blob_id)
        await StoredFile.take_away(row["_id"], {})


async def upload_sessions(ground: Ground) -> None:
    """Uploads that are not whole: their pieces first, then what tells of them. The files go with the others."""
    while rows := await UploadSession.find_of(ground.leaving.user_id, limit=100):
        for row in rows:
            for part in row["parts"]:
                if not await StoredFile.find_named([part["blob_id"]]):
                    await ground.files.remove(part["blob_id"])
            await UploadSession.take_away(row["_id"], {})


def _unnamed(row: Row) -> str:
    extension = row.get("extension")
    return f"{row['_id']}.{extension}" if extension else str(row["_id"])
