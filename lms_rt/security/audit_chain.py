"""The chain of the audit log: what is hashed and signed of a record, and whether a stretch of records still holds. Pure.

Each record's hash is SHA-256 over its members and its predecessor's hash, so anybody can follow the chain; a signature by
the installation's key says that we wrote it. Marks are signed places: whoever cuts the log off cannot make an older one.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from lms_rt.clock import to_ms
from lms_rt.contracts.audit import Finding, FindingKind
from lms_rt.contracts.base import encode
from lms_rt.security.keyring import Keyring

GENESIS = "0" * 64
"""What the first record has as its predecessor's hash."""
MAX_FINDINGS = 100
PURPOSE = "audit"

_HASHED = (
    "_id", "event_id", "at", "actor_id", "impersonator_id", "action", "kind", "target_id", "before", "after",
    "reason_hash", "request_id", "key_id", "previous_hash",
)  # fmt: skip

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Link:
    """A place of the log: the next record stands behind it and names its hash."""

    seq: int = 0
    hash: str = GENESIS


class AuditChain:
    """Makes and tries links."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring
        self._keys = {key.key_id: key.derived(PURPOSE) for key in keyring}
        self.key_id = keyring.current.key_id

    def value_hash(self, salt: str, name: str, text: str) -> str:
        """What is kept of a value: equal for equal values of one person's field, and nothing without salt and key."""
        return self._value_hash(self.key_id, salt, name, text)

    def is_value(self, record: Row, kept: str, *, salt: str, name: str, text: str) -> bool | None:
        """Does this hash of a record stand for this value? None: the record's key is none that we know any more."""
        if (key_id := str(record.get("key_id"))) not in self._keys:
            return None
        return hmac.compare_digest(self._value_hash(key_id, salt, name, text).encode(), kept.encode())

    def _value_hash(self, key_id: str, salt: str, name: str, text: str) -> str:
        return self._signed(key_id, f"value\x1f{salt}\x1f{name}\x1f{text}")[:32]

    def chained(self, facts: Iterable[Row], after: Link) -> list[dict[str, Any]]:
        """The facts as records, one behind the other."""
        records = []
        for fact in facts:
            record = {"_id": after.seq + 1, **fact, "key_id": self.key_id, "previous_hash": after.hash}
            record["hash"] = record_hash(record)
            record["signature"] = self._signed(self.key_id, f"record\x1f{record['_id']}\x1f{record['hash']}")
            after = Link(record["_id"], record["hash"])
            records.append(record)
        return records

    def mark(self, name: str, place: Link, at: datetime) -> dict[str, Any]:
        """The members of a signed mark at this place."""
        mark = {"seq": place.seq, "hash": place.hash, "at": at, "key_id": self.key_id}
        return {**mark, "signature": self._signed(self.key_id, _words_of(name, mark))}

    def is_mark(self, name: str, mark: Row) -> bool:
        """Did we sign this mark, with a key that we still know?"""
        try:
            return self._is_signed(mark, _words_of(name, mark)) is True
        except (KeyError, TypeError, ValueError, AttributeError):
            return False  # members are missing, or of another kind

    def is_record(self, record: Row) -> bool | None:
        """Did we sign this record? None: its key is none that we know any more, the chain alone speaks for it."""
        return self._is_signed(record, f"record\x1f{record['_id']}\x1f{record.get('hash')}")

    def is_intact(self, record: Row) -> bool | None:
        """Is this record what it was when we signed it, its time too? None: its hash holds, and its key is not known."""
        return self.is_record(record) if _is_hashed(record) else False

    def _is_signed(self, row: Row, message: str) -> bool | None:
        key_id, signature = str(row.get("key_id")), str(row.get("signature"))
        if key_id not in self._keys:
            return None
        return hmac.compare_digest(self._signed(key_id, message).encode(), signature.encode())

    def _signed(self, key_id: str, message: str) -> str:
        return hmac.digest(self._keys[key_id], message.encode(), "sha256").hex()


def _words_of(name: str, mark: Row) -> str:
    return f"{name}\x1f{mark['seq']}\x1f{mark['hash']}\x1f{to_ms(mark['at'])}"


def place_of(mark: Row | None) -> Link:
    """The place that a mark tells; the beginning where there is none. What is no place at all is one that nothing has."""
    if mark is None:
        return Link()
    seq, hash_ = mark.get("seq"), mark.get("hash")
    return Link(seq, hash_) if isinstance(seq, int) and isinstance(hash_, str) else Link(0, "")


def record_hash(record: Row) -> str:
    """SHA-256 over the members of a record in their order, as JSON; the time is in milliseconds."""
    members = [to_ms(record[name]) if name == "at" else record[name] for name in _HASHED]
    return hashlib.sha256(encode(members)).hexdigest()


def _is_hashed(record: Row) -> bool:
    """Is the hash that of the record? What is no record at all has none."""
    try:
        return bool(record_hash(record) == record["hash"])
    except (KeyError, TypeError, ValueError, AttributeError):
        return False


# --- trying a stretch ---


@dataclass(slots=True)
class Walk:
    """The log followed from `place` on, a stretch at a time. What does not hold is in `findings`.

    `hashes` are those that stand at the places that are `watched`. Up to `known_until` the signatures were tried while
    their keys were known; behind it a key that is none of ours is somebody else's.
    """

    chain: AuditChain
    place: Link
    watched: frozenset[int] = frozenset()
    known_until: int = 0
    seen: int = 0
    findings: list[Finding] = field(default_factory=list)
    hashes: dict[int, str] = field(default_factory=dict)

    def follow(self, records: Sequence[Row]) -> None:
        """Try these records, the next ones in their order."""
        for record in records:
            self._follow_one(record)

    def find(self, kind: FindingKind, first: int, last: int | None = None) -> None:
        """Write down what does not hold."""
        if len(self.findings) < MAX_FINDINGS:
            self.findings.append(Finding(kind=kind, first_seq=first, last_seq=first if last is None else last))

    def _follow_one(self, record: Row) -> None:
        seq, hash_ = record["_id"], str(record.get("hash"))
        if not isinstance(seq, int):
            self.find("changed", self.place.seq)
            return
        if seq > self.place.seq + 1:
            self.find("missing" if self.seen else "front_missing", self.place.seq + 1, seq - 1)
        elif record.get("previous_hash") != self.place.hash:
            self.find("unlinked", seq)
        if not _is_hashed(record):
            self.find("changed", seq)
        elif not self._is_ours(record):
            self.find("forged", seq)
        if seq in self.watched:
            self.hashes[seq] = hash_
        self.seen += 1
        self.place = Link(seq, hash_)

    def _is_ours(self, record: Row) -> bool:
        is_signed = self.chain.is_record(record)
        return record["_id"] <= self.known_until if is_signed is None else is_signed
