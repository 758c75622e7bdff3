"""Courses that are copied, taken out as one file, and put in again: what is asked for. What becomes of it is a run. No rules."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from lms_rt.contracts.accounts import TimezoneName
from lms_rt.contracts.base import Draft, Identifier, Title

ShiftDays = Annotated[int, Field(ge=-3_660, le=3_660)]


class CourseCopyDraft(Draft):
    """A copy of a course: lessons, quizzes, assignments, settings and files, unpublished and without people.

    With `shift_days` all dates move, each at its time of day in `timezone` (one's own, when nothing is said).
    """

    title: Title | None = None
    shift_days: ShiftDays = 0
    timezone: TimezoneName | None = None


class CourseImportDraft(CourseCopyDraft):
    """A course out of an archive: a file of one's own, uploaded before."""

    file_id: Identifier
