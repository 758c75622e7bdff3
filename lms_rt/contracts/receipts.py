"""Receipts as they cross a border: what was saved in an attempt, signed at its close, and the keys to check it by.

The rules behind them are in `docs/receipts.md`. No answer is in a receipt, only its SHA-256.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from documents.enums import SubmittedBy
from lms_rt.contracts.base import Instant, Key, View

MAX_OPERATIONS = 5_000

Hash = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
"""A SHA-256 in hex."""
KeyId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]
Count = Annotated[int, Field(ge=0, le=MAX_OPERATIONS, strict=True)]


class ReceiptSummaryView(View):
    """What an attempt shows of its receipt: how many operations, the hash that holds them all, and who signed it."""

    head: Hash
    operations_count: Count
    key_id: KeyId
    signature: str


class ReceiptAttemptView(View):
    """The attempt that a receipt is of."""

    id: str
    number: Annotated[int, Field(ge=1, strict=True)]
    is_preview: Annotated[bool, Field(strict=True)]
    started_at: Instant


class ReceiptStudentView(View):
    """Whose attempt it is."""

    id: str
    full_name: str


class ReceiptQuizView(View):
    """The quiz as it was at the start."""

    id: str
    title: str
    version: Annotated[int, Field(strict=True)]


class ReceiptOperationView(View):
    """One saved answer, in its place: the SHA-256 of its value, and the hash of the chain up to it."""

    n: Annotated[int, Field(ge=1, le=MAX_OPERATIONS, strict=True)]
    op_id: Key
    question_id: Key
    value_sha256: Hash
    saved_at_ms: Annotated[int, Field(ge=0, le=2**53, strict=True)]
    hash: Hash


class ReceiptView(View):
    """A receipt. All but `operations` and `signature` is signed as it stands; `head` holds the operations."""

    format: Literal["lms-receipt/1"]
    attempt: ReceiptAttemptView
    student: ReceiptStudentView
    quiz: ReceiptQuizView
    operations_count: Count
    operations: Annotated[list[ReceiptOperationView], Field(max_length=MAX_OPERATIONS * 2)]
    head: Hash
    closed_at: Instant
    closed_by: SubmittedBy
    key_id: KeyId
    signature: str


class ReceiptKeyView(View):
    """A public key: 32 bytes of Ed25519 in base64url, under its name, and since when it signs."""

    key_id: KeyId
    algorithm: Literal["Ed25519"] = "Ed25519"
    public_key: str
    created_at: Instant | None = None


class ReceiptKeysView(View):
    """All keys that have ever signed a receipt here, the oldest first; `current` signs now."""

    format: Literal["lms-receipt-keys/1"] = "lms-receipt-keys/1"
    current: KeyId | None = None
    keys: list[ReceiptKeyView]
