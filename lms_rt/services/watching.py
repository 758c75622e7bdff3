"""How much time somebody may say they spent: never more than passed on the server's clock, whatever their devices tell. Pure.

`watched_until_ms` of an enrolment is how far its one clock is used up, by all devices, tabs and lessons together. It never
passes now. A player that is heard of every few seconds may tell of the last half minute; one that kept its words while it was
offline, and says so, of its last hour. Of a video as many seconds may have been seen as passed, times the rate at which the
player says it played. What is too much is cut, not refused.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from documents.enrollment import Enrollment
from lms_rt.clock import to_ms
from lms_rt.contracts.enrollments import ProgressDraft
from lms_rt.services.learning import clean_ranges, first_seconds, merge_ranges, percentage, seconds_in
from lms_rt.services.study import Study

FIRST_WORD_MS = 30_000
"""What a player's first word of a lesson may claim; after it the clock since the last one decides."""
HEARTBEAT_MS = 30_000
"""So much of the time since the last word counts: players tell every fifteen seconds, and silence buys nothing."""
LONGEST_CREDIT_MS = 3_600_000
"""A player that was offline may tell of its last hour at once."""


@dataclass(frozen=True, slots=True)
class Played:
    """Which seconds of a video were played, how fast, and whether that was kept while there was no line."""

    ranges: Sequence[Sequence[float]]
    rate: float = 1.0
    is_kept_offline: bool = False


def watch(study: Study, lesson_id: str, played: Played, *, position_seconds: float) -> bool:
    """What a player played since its last word, and where it stands; was anything more than counters changed?

    A lesson that is begun by this word has nothing behind it: then FIRST_WORD_MS is what may have been seen.
    """
    now_ms, enrollment = to_ms(study.now), study.enrollment
    row = study.row(lesson_id)
    before = (row.status, row.completion_percentage)
    begun_ms = now_ms if row.started_at is None else to_ms(row.started_at)
    credit_ms = LONGEST_CREDIT_MS if played.is_kept_offline else HEARTBEAT_MS
    free_from = max(_free_from(enrollment, now_ms), begun_ms - FIRST_WORD_MS, now_ms - credit_ms)
    allowed_seconds = max(0, now_ms - free_from) // 1000
    duration_seconds = study.course.rule_of(lesson_id).duration_seconds
    seen = first_seconds(clean_ranges(played.ranges, duration_seconds), math.floor(allowed_seconds * played.rate))
    spent_seconds = min(math.ceil(seconds_in(seen) / played.rate), allowed_seconds)
    enrollment.watched_until_ms = free_from + spent_seconds * 1000
    study.begin(lesson_id)
    row.last_position_seconds = round(position_seconds)
    row.time_spent_seconds += spent_seconds
    enrollment.total_time_spent_seconds += spent_seconds
    row.watched = merge_ranges([*row.watched, *seen])
    if duration_seconds:
        covered = percentage(min(seconds_in(row.watched), duration_seconds), duration_seconds)
        row.completion_percentage = max(row.completion_percentage, covered)
    if study.is_watched_asked(lesson_id):
        study.complete_if_done(lesson_id)
    return before != (row.status, row.completion_percentage)


def record(study: Study, draft: ProgressDraft) -> bool:
    """What a client tells of a lesson besides; was anything more than counters changed?

    A percentage is the client's word, but for a lesson that counts by what was watched.
    """
    row = study.row(draft.lesson_id)
    before = (row.status, row.completion_percentage)
    position = draft.last_position_seconds
    if draft.watched:
        place = row.last_position_seconds if position is None else position
        played = Played(draft.watched, draft.rate, draft.is_kept_offline)
        watch(study, draft.lesson_id, played, position_seconds=place)
    study.begin(draft.lesson_id)
    _spend(study, draft.lesson_id, draft.time_spent_seconds)
    if position is not None:
        row.last_position_seconds = position
    if not study.is_watched_asked(draft.lesson_id):
        row.completion_percentage = max(row.completion_percentage, draft.completion_percentage or 0)
    if draft.status == "completed":
        study.complete_by_hand(draft.lesson_id)
    return before != (row.status, row.completion_percentage)


def _spend(study: Study, lesson_id: str, claimed_seconds: int) -> None:
    """Add the time that a client says was spent, as far as it has passed since the enrolment and was not told before."""
    if not claimed_seconds:
        return
    now_ms, enrollment = to_ms(study.now), study.enrollment
    free_from = _free_from(enrollment, now_ms)
    spent_seconds = min(claimed_seconds, max(0, now_ms - free_from) // 1000)
    enrollment.watched_until_ms = free_from + spent_seconds * 1000
    study.row(lesson_id).time_spent_seconds += spent_seconds
    enrollment.total_time_spent_seconds += spent_seconds


def _free_from(enrollment: Enrollment, now_ms: int) -> int:
    """From when on nothing was told yet."""
    used_until = enrollment.watched_until_ms
    first = to_ms(enrollment.enrolled_at) - FIRST_WORD_MS if used_until is None else used_until
    return max(first, now_ms - LONGEST_CREDIT_MS)
