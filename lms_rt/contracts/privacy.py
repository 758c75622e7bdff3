"""What people are told of the copy of their data, and of the end of their account."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel

from lms_rt.contracts.accounts import KnownPassword
from lms_rt.contracts.base import Draft, Instant, View

EXPORT_URL = "/api/v1/users/me/export/download"
"""Where the newest export is fetched, by its owner, signed in: an address alone opens nothing."""


class ExportView(View):
    """The newest export. `url` is there while it can be fetched: until `expires_at`."""

    id: str
    status: Literal["waiting", "running", "ready", "failed", "expired"]
    created_at: Instant
    expires_at: Instant | None
    size_bytes: int | None
    url: str | None


class LeaveDraft(Draft):
    """Deleting an account is proved by its password."""

    password: KnownPassword


class LeavingView(View):
    """The account is closed; at `erase_at` it is erased. Until then it can be kept."""

    status: Literal["scheduled"] = "scheduled"
    erase_at: Instant


class RemovalQuery(BaseModel):
    """How far an administrator goes: to close an account, or to erase who is behind it."""

    erase: bool = False
