"""Files at the border: what is told of one, which are listed, and links that hold for a while. No rules."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from lms_rt.contracts.base import Change, Draft, Identifier, IdFilter, Instant, PageQuery, View

FILES_URL = "/api/v1/files"
MAX_ATTACHED = 20
"""So many files hang on one thing at most."""

FileIds = Annotated[list[Identifier], Field(max_length=MAX_ATTACHED)]
Folder = Annotated[str, StringConstraints(max_length=200, pattern=r"^(?:[\w-]+(?:[ /][\w-]+)*)?$")]
"""Words and steps, with one space or slash between them."""
FileType = Literal["image", "video", "audio", "document", "archive", "other"]
Disposition = Literal["attachment", "inline"]


class FileView(View):
    """A file. `file_url` is where whoever may read it fetches it, signed in; `filename` is its name in the store.

    Where marking is anonymous, one that was handed in tells neither its `uploader_id` nor its own name.

    `status` is `processing` while an image is being cleaned: until then its uploader alone is given it.
    `refused` is one that could not be: `refused_because` it is unreadable or too large, or was not drawn for other reasons.
    """

    id: str
    uploader_id: str | None
    filename: str
    original_filename: str
    file_url: str
    file_type: FileType
    mime_type: str
    file_size: int
    folder: str
    storage_provider: Literal["gridfs", "local", "s3", "azure"]
    is_public: bool
    course_id: str | None
    assignment_id: str | None
    sha256: str
    status: Literal["processing", "ready", "refused"]
    refused_because: Literal["unreadable", "too_large", "not_drawn"] | None = None
    thumbnail_url: str | None
    width: int | None
    height: int | None
    version: int
    created_at: Instant
    updated_at: Instant


class FileChange(Change):
    """What can be said anew of a file."""

    read_only: ClassVar[frozenset[str]] = frozenset(
        {
            "id", "uploader_id", "filename", "original_filename", "file_url", "file_type", "mime_type", "file_size",
            "storage_provider", "course_id", "assignment_id", "sha256", "status", "refused_because", "thumbnail_url",
            "width", "height", "version", "created_at", "updated_at",
        }
    )  # fmt: skip

    folder: Folder = ""
    is_public: bool = False


class FileQuery(PageQuery):
    """Which of one's own files: in a folder, of a course, of a type."""

    folder: Folder | None = None
    course_id: IdFilter | None = None
    file_type: FileType | None = None
    sort: Literal["created_at", "-created_at", "original_filename", "-original_filename", "file_size", "-file_size"] = (
        "-created_at"
    )


class DownloadQuery(BaseModel):
    """How a file is fetched. `signature` (with `expires`) stands for the right to it; it is in no log."""

    model_config = ConfigDict(extra="ignore")

    disposition: Disposition | None = None
    expires: Annotated[int, Field(ge=0, le=2**53)] | None = None
    signature: Annotated[str, StringConstraints(max_length=200)] | None = None


class LinkDraft(Draft):
    """A link to a file that needs no header. Without `expires_in_seconds` it holds as long as the settings say."""

    expires_in_seconds: Annotated[int, Field(ge=10, le=86_400)] | None = None
    disposition: Disposition = "attachment"


class LinkView(View):
    """The link; whoever has it may fetch this one file until `expires_at`."""

    url: str
    expires_at: Instant


class QuotaView(View):
    """How much room somebody's files take, and may take."""

    used_bytes: int
    limit_bytes: int
