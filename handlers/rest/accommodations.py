"""REST: more time for one student, in a course or at a quiz, and the groups of a course."""

from __future__ import annotations

from collections.abc import Mapping

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
from lms_rt.services.accommodations import WasSet


async def list_of_course(call: Call) -> Reply:
    """What holds in the whole course."""
    return Reply(await call.services.accommodations.list_of_course(call.actor, call.path["course_id"], call.query))


async def set_in_course(call: Call) -> Reply:
    """Set a student's profile in a course: 201 when there was none."""
    done = await call.services.accommodations.set_in_course(call.actor, call.path["course_id"], call.body)
    return _was_set(done, {"course_id": done.view.course_id})


async def remove_in_course(call: Call) -> Reply:
    """Take it away."""
    student_id = call.query.student_id
    await call.services.accommodations.remove_in_course(call.actor, call.path["course_id"], student_id)
    return Reply(None)


async def list_of_quiz(call: Call) -> Reply:
    """What holds at a quiz."""
    return Reply(await call.services.accommodations.list_of_quiz(call.actor, call.path["quiz_id"], call.query))


async def set_at_quiz(call: Call) -> Reply:
    """Set a student's profile at a quiz: 201 when there was none."""
    done = await call.services.accommodations.set_at_quiz(call.actor, call.path["quiz_id"], call.body)
    return _was_set(done, {"quiz_id": call.path["quiz_id"]})


async def remove_at_quiz(call: Call) -> Reply:
    """Take it away: then the course's holds."""
    student_id = call.query.student_id
    await call.services.accommodations.remove_at_quiz(call.actor, call.path["quiz_id"], student_id)
    return Reply(None)


async def list_groups(call: Call) -> Reply:
    """The groups of a course."""
    return Reply(await call.services.groups.list(call.actor, call.path["course_id"], call.query))


async def assign_group(call: Call) -> Reply:
    """Put students into a group: 201 when there was none of that name. It has no address but the list's."""
    grouping, is_new = await call.services.groups.assign(call.actor, call.path["course_id"], call.body)
    return Reply(grouping, status=201 if is_new else 200)


def _was_set(done: WasSet, place: Mapping[str, str]) -> Reply:
    """A profile; its address is the list's with its student, as it is taken away by."""
    made = {**place, "student_id": done.view.student_id} if done.is_new else None
    return Reply(done.view, status=201 if done.is_new else 200, made=made)


_MANAGE = needs("quizzes:manage")
_COURSE, _QUIZ = "/courses/{course_id}/accommodations", "/quizzes/{quiz_id}/accommodations"
_OF_STUDENT = "?student_id={student_id}"
_NEW_OR_NOT = "201: they had none there. 200: it takes the place of theirs."
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
        status=201,
        more_statuses=(200,),
        location=f"{_COURSE}{_OF_STUDENT}",
        audit="accommodation.set",
        summary="Give a student more time in a course",
        description=f"{_NEW_OR_NOT} {_MOVES_NOTHING}",
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
        status=201,
        more_statuses=(200,),
        location=f"{_QUIZ}{_OF_STUDENT}",
        audit="accommodation.set",
        summary="Give a student more time at a quiz",
        description=f"It holds instead of the course's. {_NEW_OR_NOT} {_MOVES_NOTHING}",
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
        status=201,
        more_statuses=(200,),
        audit="course.group",
        summary="Put students of a course into a group",
        description="201: nobody was in such a group. 200: it was there, or they are taken out of any. It has no address of its own.",
    ),
)
