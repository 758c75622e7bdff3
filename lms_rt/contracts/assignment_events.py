"""The events of assignments: something was handed in, something was graded. The catalogue is `events.py`."""

from __future__ import annotations

from lms_rt.contracts.event_data import OfRecord


class AssignmentGraded(OfRecord):
    """What was handed in has its grade, or another one. `grade` is after what came off; `previous` was told before."""

    submission_id: str
    assignment_id: str
    course_id: str
    grade: str
    raw_grade: str
    penalty_percentage: str
    points: str
    previous: str | None
    reason: str | None


class SubmissionReceived(OfRecord):
    """Somebody handed in, or handed in again. Where names are hidden there is no student in it."""

    submission_id: str
    assignment_id: str
    course_id: str
    title: str
    student_id: str | None
    student_name: str | None
    number: int
    submitted_at: str


class GradeTakenBack(OfRecord):
    """The grade of what was handed in was a mistake: it is gone, and the work waits to be graded."""

    submission_id: str
    assignment_id: str
    course_id: str
    reason: str


class GradeChanged(OfRecord):
    """A teacher set a grade by hand, or took one back: the numbers of the gradebook are others now."""

    override_id: str
    course_id: str
    student_id: str
    item_id: str


class GradebookUpdated(OfRecord):
    """How a course is graded was changed, or an item of its gradebook: every grade of it may be another one.

    `gradebook_id` is the course's; where the dates, the points or the publication of a quiz or an assignment moved, the course's
    and the item's with a colon between.
    """

    gradebook_id: str
    course_id: str
