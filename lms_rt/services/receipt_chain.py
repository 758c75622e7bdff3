"""The chain over the saved operations of an attempt, and what a receipt signs: exact bytes, the same for everybody.

`docs/receipts.md` publishes these rules; whoever changes them breaks every receipt that is out there, so a change needs a
new `FORMAT`. Pure: no time, no database. Checking a receipt is `receipt_check.py`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from documents.base import Row
from lms_rt.clock import rfc3339

FORMAT = "lms-receipt/1"
UNSIGNED = ("operations", "signature")
"""What a receipt holds beside what is signed. The operations are held by the head, which is signed."""

Link = tuple[int, str]
"""How many operations there were, and the hash that holds them all."""


def canonical(value: Any) -> bytes:
    """The one JSON of a value: UTF-8, members by the order of their names, no white space, nothing escaped needlessly."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def value_digest(value: Any) -> str:
    """SHA-256 of an answer's canonical JSON, in hex."""
    return hashlib.sha256(canonical(value)).hexdigest()


def first_hash(attempt_id: str) -> str:
    """h(0): what the chain of an attempt begins with."""
    return hashlib.sha256(attempt_id.encode()).hexdigest()


def next_hash(before: str, op_id: str, question_id: str, *, digest: str, saved_at_ms: int) -> str:
    """h(n): five lines, none of which can hold a line break, the last without one."""
    return hashlib.sha256(f"{before}\n{op_id}\n{question_id}\n{digest}\n{saved_at_ms}".encode()).hexdigest()


def begun(attempt_id: str) -> list[Any]:
    """The head of an attempt in which nothing was saved, as it is stored: `[count, hash]`."""
    return [0, first_hash(attempt_id)]


def statement_of(attempt: Row, paper: Row, *, link: Link, key_id: str) -> dict[str, Any]:
    """What is signed: whose attempt, at which quiz, closed when and by whom, and what its chain came to."""
    count, head = link
    return {
        "format": FORMAT,
        "attempt": {
            "id": attempt["_id"],
            "number": attempt["attempt_number"],
            "is_preview": attempt["is_preview"],
            "started_at": rfc3339(attempt["started_at"]),
        },
        "student": {"id": attempt["student_id"], "full_name": attempt["student_name"]},
        "quiz": {"id": attempt["quiz_id"], "title": paper["title"], "version": paper["quiz_version"]},
        "closed_at": rfc3339(attempt["submitted_at"]),
        "closed_by": attempt["submitted_by"],
        "operations_count": count,
        "head": head,
        "key_id": key_id,
    }


def signed_bytes(receipt: Mapping[str, Any]) -> bytes:
    """The bytes under the signature: the receipt without its operations and the signature itself."""
    return canonical({name: value for name, value in receipt.items() if name not in UNSIGNED})


def operations_of(attempt_id: str, marks: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """The written operations in the order in which they were written, each with the hash that it led to."""
    written = sorted((mark[0], op_id, mark) for op_id, mark in marks.items() if not mark[3])
    operations: list[dict[str, Any]] = []
    at = first_hash(attempt_id)
    for n, (_, op_id, (_revision, digest, saved_at_ms, _, question_id)) in enumerate(written, 1):
        at = next_hash(at, op_id, question_id, digest=digest, saved_at_ms=saved_at_ms)
        operations.append(
            {
                "n": n,
                "op_id": op_id,
                "question_id": question_id,
                "value_sha256": digest,
                "saved_at_ms": saved_at_ms,
                "hash": at,
            }
        )
    return operations
