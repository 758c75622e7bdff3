"""Checking a receipt without anybody's help but a public key's: what does not hold, and where.

The same rules run in the browser (`handlers/web/static/receipt-check.js`); a test holds the two to each other. Pure. What
comes in is anybody's file: nothing is believed of it before its shape is known.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import ValidationError

from lms_rt.contracts.receipts import ReceiptKeysView, ReceiptView
from lms_rt.security.signing import from_text, is_signed, key_id_of
from lms_rt.services.receipt_chain import first_hash, next_hash, signed_bytes, value_digest

Kind = Literal[
    "not_receipt",
    "other_attempt",
    "changed",
    "missing",
    "moved",
    "surplus",
    "tail_missing",
    "head_differs",
    "key_unknown",
    "signature",
    "answer_differs",
    "answer_missing",
]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that does not hold. `first` and `last` are operations by number, `place` a member or a question."""

    kind: Kind
    first: int = 0
    last: int = 0
    place: str = ""


def unwrapped(document: Any) -> Any:
    """The receipt itself, also where the API was told to put its replies into an envelope."""
    if isinstance(document, dict) and {"success", "data"} <= document.keys():
        return document["data"]
    return document


def keys_of(document: Any) -> dict[str, bytes]:
    """The public keys by name; raises `ValueError` where they are none. A key under another's name is left out."""
    listed = ReceiptKeysView.model_validate(unwrapped(document)).keys
    keys = {row.key_id: from_text(row.public_key) for row in listed}
    return {key_id: key for key_id, key in keys.items() if key_id_of(key) == key_id}


def findings_of(document: Any, keys: Mapping[str, bytes], *, attempt_id: str | None = None) -> list[Finding]:
    """Everything that does not hold; nothing: the receipt is whole, and a known key signed it.

    With `attempt_id`, it also has to be the receipt of that attempt.
    """
    receipt = unwrapped(document)
    try:
        ReceiptView.model_validate(receipt)
        signed = signed_bytes(receipt)
    except ValidationError as error:
        return [Finding("not_receipt", place=".".join(map(str, error.errors()[0]["loc"])))]
    except (TypeError, ValueError):  # a number or a text that no JSON of ours holds
        return [Finding("not_receipt")]
    found = [*_of_other(receipt, attempt_id), *_chain(receipt)]
    key = keys.get(receipt["key_id"])
    if key is None:
        found.append(Finding("key_unknown", place=receipt["key_id"]))
    elif not is_signed(key, signed, from_text(receipt["signature"])):
        found.append(Finding("signature"))
    return found


def _of_other(receipt: Mapping[str, Any], attempt_id: str | None) -> list[Finding]:
    given: str = receipt["attempt"]["id"]
    return [] if attempt_id in (None, given) else [Finding("other_attempt", place=given)]


def _chain(receipt: Mapping[str, Any]) -> list[Finding]:
    """Follow the operations. Each brings the hash it led to, so that damage shows in its own place."""
    operations: Sequence[Mapping[str, Any]] = receipt["operations"]
    count: int = receipt["operations_count"]
    found = list(_walked(receipt["attempt"]["id"], operations))
    highest = max((operation["n"] for operation in operations), default=0)
    if highest < count:
        found.append(Finding("tail_missing", highest + 1, count))
    elif highest > count:
        found.append(Finding("surplus", count + 1, highest))
    end = operations[-1]["hash"] if operations else first_hash(receipt["attempt"]["id"])
    if not found and end != receipt["head"]:
        found.append(Finding("head_differs"))
    return found


def _walked(attempt_id: str, operations: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    there = {operation["n"] for operation in operations}
    before, due = first_hash(attempt_id), 1
    for operation in operations:
        n: int = operation["n"]
        if n < due:
            yield Finding("moved", n, n)
            continue
        gap = [one for one in range(due, n) if one not in there]
        if gap:
            yield Finding("missing", gap[0], gap[-1])
        if n == due and operation["hash"] != _led_to(before, operation):
            yield Finding("changed", n, n)
        before, due = operation["hash"], n + 1


def _led_to(before: str, operation: Mapping[str, Any]) -> str:
    digest, saved_at_ms = operation["value_sha256"], operation["saved_at_ms"]
    return next_hash(before, operation["op_id"], operation["question_id"], digest=digest, saved_at_ms=saved_at_ms)


def answer_findings(receipt: Mapping[str, Any], answers: Mapping[str, Any]) -> list[Finding]:
    """Where the answers are not those that the receipt holds: the last operation of each question tells its value."""
    last = {operation["question_id"]: operation["value_sha256"] for operation in receipt["operations"]}
    found = [Finding("answer_missing", place=one) for one in last if one not in answers]
    differing = (one for one, value in answers.items() if last.get(one) != value_digest(value))
    return found + [Finding("answer_differs", place=one) for one in differing]
