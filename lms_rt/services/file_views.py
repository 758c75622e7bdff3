"""From rows to views of files. Pure: no time, no storage."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from documents.base import Row
from documents.stored_file import FileState
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
        assignment_id=row.get("assignment_id"),
        status=_STATUS.get(row["state"], "ready"),
        refused_because=row.get("refused_because"),
        thumbnail_url=f"{url}/thumbnail" if row.get("thumbnail_blob_id") else None,
        width=row.get("width"),
        height=row.get("height"),
        version=version_of(row),
        **{name: row[name] for name in _SHOWN},
    )
