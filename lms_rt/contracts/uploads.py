"""Uploads at the border: the fields beside a file, and uploads that go on after a break. No rules."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from lms_rt.contracts.base import Identifier, Instant, View
from lms_rt.contracts.files import FileView, Folder


class UploadFields(BaseModel):
    """What is said of a file: its folder, whether everybody may read it, and the course that it is one of."""

    model_config = ConfigDict(extra="forbid")

    folder: Folder = ""
    is_public: bool = False
    course_id: Identifier | None = None


class UploadView(View):
    """An upload that can be taken up again: how much is here; `file` once all of it is."""

    id: str
    filename: str
    upload_length: int
    upload_offset: int
    expires_at: Instant
    file: FileView | None
