"""The connection-loss ledger as arithmetic: lines come and go, and what was lost between them is counted. No I/O, no clock.

A student is away while no line of theirs is up; an absence counts when it is longer than `GAP_MS`, less the time for which
the attempt stood still. Who never had a line is not measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from documents.attempt import OPEN
from documents.base import Row
from lms_rt.clock import from_ms, to_ms
from lms_rt.contracts.integrity import OfflineView

GAP_MS = 5_000
"""A reload, or a phone that changes its mast, is no loss."""


@dataclass(frozen=True, slots=True)
class Line:
    """One connection of the student, the node that holds it, and since when."""

    line_id: str
    node: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class Pending:
    """A credit that is being given: the number of it, and all that makes its control the same whoever ends it."""

    number: int
    seconds: int
    by_id: str
    by_name: str
    reason: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class Offline:
    """The ledger of one attempt.

    `lost_ms` are absences that are over or were counted so far; up to `decided_ms` of it was decided upon, and `credited_ms`
    given back. `is_counted`: of the absence that goes on, all from here on counts.
    """

    lines: tuple[Line, ...] = ()
    since_ms: int | None = None
    stood_ms: int = 0
    is_counted: bool = False
    lost_ms: int = 0
    gaps: int = 0
    decided_ms: int = 0
    credited_ms: int = 0
    credits: int = 0
    asked_ms: int | None = None
    pending: Pending | None = None

    @property
    def undecided_ms(self) -> int:
        """What was lost and nobody decided upon."""
        return max(0, self.lost_ms - self.decided_ms)

    @property
    def granted_ms(self) -> int:
        """What was given back, what is being given included."""
        return self.credited_ms + (0 if self.pending is None else self.pending.seconds * 1000)

    # --- what happens ---

    def came(self, line: Line, *, stood_ms: int, until_ms: int | None = None) -> Offline:
        """A line is up; an absence is over, at the latest `until_ms` (the deadline)."""
        if any(known.line_id == line.line_id for known in self.lines):
            return self
        back = self._counted(line.at_ms, stood_ms, until_ms)
        return replace(back, lines=(*self.lines, line), since_ms=None, stood_ms=0, is_counted=False)

    def went(self, line_id: str, at_ms: int, *, stood_ms: int) -> Offline:
        """A line is gone; with the last one an absence begins."""
        left = tuple(line for line in self.lines if line.line_id != line_id)
        if len(left) == len(self.lines):
            return self
        return self._left_with(left, at_ms, stood_ms)

    def lost(self, nodes: Mapping[str, int], *, stood_ms: int) -> Offline:
        """These nodes died, and were last heard of at these times: so were the lines on them."""
        gone = [line for line in self.lines if line.node in nodes]
        if not gone:
            return self
        left = tuple(line for line in self.lines if line.node not in nodes)
        last_ms = max(max(nodes[line.node], line.at_ms) for line in gone)
        if not left:
            return self._left_with(left, last_ms, stood_ms)
        back_ms = min(line.at_ms for line in left)
        if back_ms - last_ms <= GAP_MS:
            return replace(self, lines=left)
        return replace(self, lines=left, lost_ms=self.lost_ms + back_ms - last_ms, gaps=self.gaps + 1)

    def counted_until(self, at_ms: int, *, stood_ms: int) -> Offline:
        """What was lost so far of an absence that goes on; from here on it counts without delay."""
        if self.since_ms is None or at_ms <= self.since_ms:
            return self
        after = self._counted(at_ms, stood_ms, None)
        if after is self:
            return self
        return replace(after, since_ms=at_ms, stood_ms=stood_ms, is_counted=True)

    def asked(self, *, lost_ms: int | None = None) -> Offline:
        """Let the teacher be asked for what nobody decided upon; `lost_ms`: with what an absence that goes on comes to."""
        asked_ms = self.undecided_ms if lost_ms is None else max(0, lost_ms - self.decided_ms)
        return replace(self, asked_ms=asked_ms or None)

    def giving(self, pending: Pending) -> Offline:
        """All that was lost so far is decided upon: this much is given."""
        decided = replace(self, decided_ms=self.lost_ms, asked_ms=None, credits=self.credits + 1)
        return replace(decided, pending=pending if pending.seconds else None)

    def given(self, *, has_reached: bool) -> Offline:
        """The credit is given; one that came too late is not counted."""
        if self.pending is None:
            return self
        added_ms = self.pending.seconds * 1000 if has_reached else 0
        return replace(self, pending=None, credited_ms=self.credited_ms + added_ms)

    # --- how ---

    def _left_with(self, left: tuple[Line, ...], at_ms: int, stood_ms: int) -> Offline:
        if left or self.since_ms is not None:
            return replace(self, lines=left)
        return replace(self, lines=left, since_ms=at_ms, stood_ms=stood_ms, is_counted=False)

    def _counted(self, at_ms: int, stood_ms: int, until_ms: int | None) -> Offline:
        if self.since_ms is None:
            return self
        end_ms = at_ms if until_ms is None else min(at_ms, until_ms)
        gap_ms = end_ms - self.since_ms - max(0, stood_ms - self.stood_ms)
        if gap_ms <= (0 if self.is_counted else GAP_MS):
            return self
        return replace(self, lost_ms=self.lost_ms + gap_ms, gaps=self.gaps + (not self.is_counted))


def whole_seconds(ms: int) -> int:
    """Rounded up, as time is given back: so what was lost, asked for and given are told alike."""
    return -(-ms // 1000)


def credit_seconds(offline: Offline, *, cap_ms: int) -> int:
    """How much is given back by itself of what nobody decided upon: whole seconds, rounded up, never above the cap."""
    return min(whole_seconds(offline.undecided_ms), max(0, cap_ms - offline.granted_ms) // 1000)


def stood_still_ms(attempt: Row, at_ms: int) -> int:
    """For how long the attempt had been paused by then, all in all."""
    paused_at_ms = attempt.get("paused_at_ms")
    return int(attempt.get("paused_ms") or 0) + (0 if paused_at_ms is None else max(0, at_ms - paused_at_ms))


def offline_of(row: Row | None) -> Offline:
    """The ledger as it is stored."""
    if not row:
        return Offline()
    plain: dict[str, Any] = {name: row[name] for name in _PLAIN if row.get(name) is not None}
    pending = row.get("pending")
    return Offline(
        lines=tuple(Line(line["id"], line["node"], line["at_ms"]) for line in row.get("lines", ())),
        pending=None if pending is None else Pending(**pending),
        **plain,
    )


def stored_row(offline: Offline) -> Row:
    """The same as a document, what there is none of left out."""
    row: Row = {name: getattr(offline, name) for name in _PLAIN if getattr(offline, name) is not None}
    row["lines"] = [{"id": line.line_id, "node": line.node, "at_ms": line.at_ms} for line in offline.lines]
    if (pending := offline.pending) is not None:
        row["pending"] = {name: getattr(pending, name) for name in Pending.__dataclass_fields__}
    return row


def folded(offline: Offline, attempt: Row, until_ms: int) -> Offline:
    """With what was lost so far of an absence that goes on; after the deadline nothing is lost."""
    end_ms = min(until_ms, attempt.get("deadline_ms", until_ms))
    return offline.counted_until(end_ms, stood_ms=stood_still_ms(attempt, end_ms))


def waits_for_word(row: Row | None) -> bool:
    """Can something still be given back by this stored ledger: to who is away, or what nobody decided upon?"""
    kept = row or {}
    is_undecided = (kept.get("lost_ms") or 0) > (kept.get("decided_ms") or 0)
    return is_undecided or kept.get("since_ms") is not None or kept.get("pending") is not None


def offline_view(attempt: Row, now_ms: int) -> OfflineView:
    """The ledger as the student and the teacher see it; an absence that goes on is counted until now, or until the close."""
    submitted_at = attempt.get("submitted_at")
    until_ms = now_ms if submitted_at is None else min(now_ms, to_ms(submitted_at))
    stored = offline_of(attempt.get("offline"))
    offline = folded(stored, attempt, until_ms)
    is_away = stored.since_ms is not None and attempt["status"] in OPEN
    return OfflineView(
        lost_seconds=whole_seconds(offline.lost_ms),
        gaps_count=offline.gaps,
        credited_seconds=whole_seconds(offline.credited_ms),
        asked_seconds=None if offline.asked_ms is None else whole_seconds(max(offline.asked_ms, offline.undecided_ms)),
        away_since=from_ms(stored.since_ms) if is_away and stored.since_ms is not None else None,
    )


_PLAIN = (
    "since_ms",
    "stood_ms",
    "is_counted",
    "lost_ms",
    "gaps",
    "decided_ms",
    "credited_ms",
    "credits",
    "asked_ms",
)
