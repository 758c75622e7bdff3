"""REST: more time for one student, in a course or at a quiz, and the groups of a course."""

from __future__ import annotations

from handlers.rest.access import needs
from handlers.rest.calls import Call, Reply
from handlers.rest.operations import Operation
from lms_rt.contracts.accommodations import (
    AccommodationDraft,
    AccommodationQuery,
    AccommodationRemovalQuery,
    AccommodationView,
    GroupingDraft,
    GroupingView,
    GroupView,
)
from lms_rt.contracts.base import Page, PageQuery
from lms_rt.security.rights import Reach


async def list_of_course(call: Call) -> Reply:
    """What holds in the whole course."""
    return Reply(await call.services.accommodations.list_of_course(call.actor, call.path["course_id"], call.query))


async def set_in_course(call: Call) -> Reply:
    """Set a student's profile in a course."""
    return Reply(await call.services.accommodations.set_in_course(call.actor, call.path["course_id"], call.body))


async def remove_in_course(call: Call) -> Reply:
    """Take it away."""
    student_id = call.query.student_id
    await call.services.accommodations.remove_in_course(call.actor, call.path["course_id"], student_id)
    return Reply(None)


async def list_of_quiz(call: Call) -> Reply:
    """What holds at a quiz."""
    return Reply(await call.services.accommodations.list_of_quiz(call.actor, call.path["quiz_id"], call.query))


async def set_at_quiz(call: Call) -> Reply:
    """Set a student's profile at a quiz."""
    return Reply(await call.services.accommodations.set_at_quiz(call.actor, call.path["quiz_id"], call.body))


async def remove_at_quiz(call: Call) -> Reply:
    """Take it away: then the course's holds."""
    student_id = call.query.student_id
    await call.services.accommodations.remove_at_quiz(call.actor, call.path["quiz_id"], student_id)
    return Reply(None)


async def list_groups(call: Call) -> Reply:
    """The groups of a course."""
    return Reply(await call.services.groups.list(call.actor, call.path["course_id"], call.query))


async def assign_group(call: Call) -> Reply:
    """Put students into a group."""
    return Reply(await call.services.groups.assign(call.actor, call.path["course_id"], call.body))


_MANAGE = needs("quizzes:manage")
_COURSE, _QUIZ = "/courses/{course_id}/accommodations", "/quizzes/{quiz_id}/accommodations"
_MOVES_NOTHING = "What an attempt was given at its start stays: extend it instead."

ROUTES: tuple[Operation, ...] = (
    Operation(
        "GET",
        _COURSE,
        list_of_course,
        _MANAGE,
        reach=Reach.TAUGHT,
        query=AccommodationQuery,
        reply=Page[AccommodationView],
        summary="Who gets more time in a course",
    ),
    Operation(
        "POST",
        _COURSE,
        set_in_course,
        _MANAGE,
        reach=Reach.TAUGHT,
        body=AccommodationDraft,
        reply=AccommodationView,
        audit="accommodation.set",
        summary="Give a student more time in a course",
        description=_MOVES_NOTHING,
    ),
    Operation(
        "DELETE",
        _COURSE,
        remove_in_course,
        _MANAGE,
        reach=Reach.TAUGHT,
        query=AccommodationRemovalQuery,
        status=204,
        audit="accommodation.remove",
        summary="Take a student's profile in a course away",
    ),
    Operation(
        "GET",
        _QUIZ,
        list_of_quiz,
        _MANAGE,
        reach=Reach.TAUGHT,
        query=AccommodationQuery,
        reply=Page[AccommodationView],
        summary="Who gets more time at a quiz",
        description="The quiz's own profiles and the course's; `is_in_force` says which hold.",
    ),
    Operation(
        "PUT",
        _QUIZ,
        set_at_quiz,
        _MANAGE,
        reach=Reach.TAUGHT,
        body=AccommodationDraft,
        reply=AccommodationView,
        audit="accommodation.set",
        summary="Give a student more time at a quiz",
        description=f"It holds instead of the course's. {_MOVES_NOTHING}",
    ),
    Operation(
        "DELETE",
        _QUIZ,
        remove_at_quiz,
        _MANAGE,
        reach=Reach.TAUGHT,
        query=AccommodationRemovalQuery,
        status=204,
        audit="accommodation.remove",
        summary="Take a student's profile at a quiz away",
    ),
    Operation(
        "GET",
        "/courses/{course_id}/groups",
        list_groups,
        _MANAGE,
        reach=Reach.TAUGHT,
        query=PageQuery,
        reply=Page[GroupView],
        summary="The groups of a course",
    ),
    Operation(
        "POST",
        "/courses/{course_id}/groups",
        assign_group,
        _MANAGE,
        reach=Reach.TAUGHT,
        body=GroupingDraft,
        reply=GroupingView,
        audit="course.group",
        summary="Put students of a course into a group",
    ),
)
