"""The arithmetic of learning: percentages, minutes that are left, and watched ranges. Pure: no time, no storage."""

from __future__ import annotations

from collections.abc import Sequence

from documents.enrollment import Enrollment
from documents.enums import ProgressStatus

MAX_KEPT_RANGES = 200
"""More holes than this in one video are not told apart: the shortest ranges are forgotten."""

Ranges = list[list[int]]


def percentage(done: int, total: int) -> int:
    """Hundredths of done ÷ total × 100, half up; of nothing it is 0."""
    return (2 * done * 10_000 + total) // (2 * total) if total else 0


def completed_lessons(enrollment: Enrollment, published_ids: Sequence[str]) -> list[str]:
    """The published lessons that are completed."""
    return [
        lesson_id for lesson_id in published_ids if enrollment.progress_in(lesson_id).status == ProgressStatus.COMPLETED
    ]


def minutes_left(minimum_minutes: int | None, time_spent_seconds: int) -> int:
    """How many minutes the course still asks for, rounded up."""
    return max(0, -(-((minimum_minutes or 0) * 60 - time_spent_seconds) // 60))


def clean_ranges(claimed: Sequence[Sequence[float]], duration_seconds: int | None) -> Ranges:
    """What a player says it played, as merged whole seconds within the video."""
    end = duration_seconds if duration_seconds is not None else max((stop for _, stop in claimed), default=0)
    return merge_ranges([[max(0, round(start)), min(round(stop), round(end))] for start, stop in claimed])


def merge_ranges(ranges: Sequence[Sequence[int]]) -> Ranges:
    """The same seconds in order, without overlaps, empty ranges and needless cuts."""
    merged: Ranges = []
    for start, stop in sorted((start, stop) for start, stop in ranges if stop > start):
        if merged and start <= merged[-1][1]:
            merged[-1][1] = max(merged[-1][1], stop)
        else:
            merged.append([start, stop])
    if len(merged) > MAX_KEPT_RANGES:
        kept = sorted(merged, key=lambda one: one[0] - one[1])[:MAX_KEPT_RANGES]
        merged = sorted(kept)
    return merged


def seconds_in(ranges: Sequence[Sequence[int]]) -> int:
    """How many seconds merged ranges hold."""
    return sum(stop - start for start, stop in ranges)


def first_seconds(ranges: Sequence[Sequence[int]], limit: int) -> Ranges:
    """The first `limit` seconds of merged ranges."""
    taken: Ranges = []
    for start, stop in ranges:
        if limit <= 0:
            break
        taken.append([start, min(stop, start + limit)])
        limit -= stop - start
    return taken
