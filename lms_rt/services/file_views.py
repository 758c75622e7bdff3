"""From rows to views of files. Pure: no time, no storage."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from documents.base import Row
from documents.stored_file import FileState, FileUse, uses_of
from lms_rt.contracts.files import FILES_URL, FileView

_SHOWN = ("uploader_id", "original_filename", "file_type", "mime_type", "file_size", "folder", "storage_provider",
          "is_public", "sha256", "created_at", "updated_at")  # fmt: skip
_STATUS: Mapping[str, Literal["processing", "refused"]] = MappingProxyType(
    {FileState.PROCESSING.value: "processing", FileState.REFUSED.value: "refused"}
)


def version_of(row: Row) -> int:
    """How often what is shown of a file has changed since it was begun."""
    return int(row.get("version", 0))


def file_view(row: Row) -> FileView:
    """A file as everybody sees it who may know of it."""
    url = f"{FILES_URL}/{row['_id']}"
    extension = row.get("extension") or ""
    return FileView(
        id=row["_id"],
        filename=f"{row['_id']}.{extension}" if extension else row["_id"],
        file_url=f"{url}/download",
        course_id=row.get("course_id"),
        assignment_id=_assignment_of(row),
        status=_STATUS.get(row["state"], "ready"),
        refused_because=row.get("refused_because"),
        thumbnail_url=f"{url}/thumbnail" if row.get("thumbnail_blob_id") else None,
        width=row.get("width"),
        height=row.get("height"),
        version=version_of(row),
        **{name: row[name] for name in _SHOWN},
    )


def _assignment_of(row: Row) -> str | None:
    """The assignment whose work it is or is kept to be, or whose text names it."""
    subjects = dict(uses_of(row))
    return row.get("assignment_id") if FileUse.SUBMISSION in subjects else subjects.get(FileUse.ASSIGNMENT)
