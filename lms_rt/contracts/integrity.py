"""The integrity log as it is shown: what happened around an attempt, to its student and to those who teach it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from lms_rt.contracts.base import Draft, Instant, Line, PageQuery, View

IntegrityKind = Literal[
    "connected",
    "disconnected",
    "page_hidden",
    "page_shown",
    "take_over",
    "late_message",
    "time_credited",
    "time_refused",
    "told_full",
    "log_full",
]
"""What is noted. None of it says that anything was wrong."""


class IntegrityQuery(PageQuery):
    """Which facts, and in which order."""

    kind: IntegrityKind | None = None
    sort: Literal["n", "-n"] = "n"


class IntegrityView(View):
    """One fact, in the order in which the server saw them."""

    n: int
    kind: IntegrityKind
    at: Instant
    data: dict[str, Any]


class OfflineView(View):
    """What a student lost by their connection, as it was measured: absences over 5 s, less the time of pauses.

    `away_since`: no screen of theirs is connected now. `asked_seconds` waits for the teacher's word. Who answers without a
    socket is not measured.
    """

    lost_seconds: int
    gaps_count: int
    credited_seconds: int
    asked_seconds: int | None
    away_since: Instant | None


class TimeCreditDraft(Draft):
    """Whether the time that a student lost is given back; without `seconds`, all of it."""

    approve: bool
    seconds: Annotated[int, Field(ge=1, le=86_400)] | None = None
    reason: Line = ""
