"""What an event of record carries as `data`: the REST view of the thing that it is about, as it stands now, bounded.

The catalogue of what belongs to which type is `contracts/event_records.py`. Nothing is decided here.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any

from documents.assignment import Assignment
from documents.attempt import Attempt
from documents.base import Row
from documents.certificate import Certificate
from documents.course import Course
from documents.enrollment import Enrollment
from documents.names import names_of
from documents.payment import Payment
from documents.quiz import Quiz
from documents.submission import Submission
from documents.user import User
from lms_rt.contracts.base import encode
from lms_rt.services.assignment_views import Beside, row_view
from lms_rt.services.attempt_views import summary_view
from lms_rt.services.certificate_views import certificate_view
from lms_rt.services.course_views import Reader, course_view
from lms_rt.services.enrollment_views import enrollment_view, progress_row
from lms_rt.services.payments.payment_views import payment_view
from lms_rt.services.quiz_views import quiz_view
from lms_rt.services.user_views import user_view
from lms_rt.storage.faults import is_passing

MAX_DATA_BYTES = 20_000
"""As JSON. Receivers of webhooks need not take more."""

Data = dict[str, Any]

_log = logging.getLogger(__name__)


async def event_data(intent: Row) -> Data:
    """The data of an intent's event. Of a thing that is gone, or of no view, what the intent itself says."""
    data = await _find_view(intent)
    return bounded(dict(intent["data"]) if data is None else data)


async def _find_view(intent: Row) -> Data | None:
    view = _VIEWS.get(intent["type"].partition(".")[0])
    if view is None:
        return None
    try:
        return await view(intent["data"])
    except Exception as error:
        if is_passing(error):
            raise
        # A fault of ours, and it would hold up every later event of this aggregate, live ones too.
        _log.exception("event %s of the type %s is kept without a view", intent["id"], intent["type"])
        return None


def bounded(data: Data) -> Data:
    """The data, without its largest members if it would be too large; `left_out` names them."""
    sizes = {name: len(encode({name: value})) for name, value in data.items()}
    left_out: list[str] = []
    while sum(sizes.values()) > MAX_DATA_BYTES:
        largest = max(sizes, key=lambda name: sizes[name])
        left_out.append(largest)
        del sizes[largest]
    if not left_out:
        return data
    return {**{name: value for name, value in data.items() if name in sizes}, "left_out": sorted(left_out)}


async def _user(told: Mapping[str, Any]) -> Data | None:
    user = await User.find_by_id(told["user_id"])
    if user is None:
        return None
    more = {name: told[name] for name in ("changed", "reason") if name in told}
    return user_view(user).model_dump(mode="json") | more


async def _course(told: Mapping[str, Any]) -> Data | None:
    row = await Course.find_row(told["course_id"])
    if row is None:
        return None
    view = course_view(row, Reader(is_teacher=True), await names_of([row["instructor_id"]]))
    changed = {"changed": sorted(told["changes"])} if "changes" in told else {}
    return view.model_dump(mode="json") | changed


async def _enrollment(told: Mapping[str, Any]) -> Data | None:
    enrollment = await Enrollment.find_one_by_id(told["enrollment_id"])
    if enrollment is None:
        return None
    names = await names_of([enrollment.student_id])
    view = enrollment_view(enrollment, await Course.find_head(enrollment.course_id))
    data = view.model_dump(mode="json", exclude={"progress", "attempts"})
    data["student_name"] = names.get(enrollment.student_id, {}).get("full_name")
    if (lesson_id := told.get("lesson_id")) is not None:
        data["lesson"] = progress_row(enrollment, lesson_id).model_dump(mode="json")
    return data | ({"is_new": told["is_new"]} if "is_new" in told else {})


async def _attempt(told: Mapping[str, Any]) -> Data | None:
    attempt = await Attempt.find_state(told["attempt_id"])
    if attempt is None:
        return None
    quiz = await Quiz.find_title(attempt["quiz_id"])
    # as of its last change: an event has no "now"
    view = summary_view(attempt, attempt["updated_ms"])
    more = {name: told[name] for name in ("previous", "reason") if name in told}
    return view.model_dump(mode="json") | {"quiz_title": quiz} | more


async def _quiz(told: Mapping[str, Any]) -> Data | None:
    row = await Quiz.find_head(told["quiz_id"])
    return None if row is None else quiz_view(row).model_dump(mode="json")


async def _assignment(told: Mapping[str, Any]) -> Data | None:
    row = await Submission.find_whole(told["submission_id"])
    assignment = None if row is None else await Assignment.find_row(row["assignment_id"])
    if row is None or assignment is None:
        return None
    groups = await Enrollment.groups_of(row["course_id"], [row["student_id"]])
    # Not as who grades it: whoever reads events and webhooks has to know whose it is.
    around = Beside(await names_of([row["student_id"]]), groups, is_for_staff=False)
    view = row_view(assignment, row, around).model_dump(mode="json", exclude={"claimed_by", "claimed_until"})
    more = {name: told[name] for name in ("previous", "reason") if name in told}
    return view | {"assignment_title": assignment["title"]} | more


async def _certificate(told: Mapping[str, Any]) -> Data | None:
    row = await Certificate.find_row(told["certificate_id"])
    return None if row is None else certificate_view(row).model_dump(mode="json")


async def _payment(told: Mapping[str, Any]) -> Data | None:
    row = await Payment.find_row(told["payment_id"])
    more = {name: told[name] for name in ("refund_id", "refund_amount") if name in told}
    # What was noted beside it is the buyer's and the treasurers', not everybody's who is told of payments.
    return None if row is None else payment_view(row).model_dump(mode="json", exclude={"metadata"}) | more


_VIEWS: Mapping[str, Callable[[Mapping[str, Any]], Awaitable[Data | None]]] = MappingProxyType(
    {
        "user": _user,
        "course": _course,
        "enrollment": _enrollment,
        "review": _enrollment,
        "lesson": _enrollment,
        "attempt": _attempt,
        "quiz": _quiz,
        "certificate": _certificate,
        "assignment": _assignment,
        "payment": _payment,
    }
)
"""By the first word of an event's type."""
