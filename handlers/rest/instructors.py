"""Teachers: their own profile and figures, and what everybody sees of them."""

from __future__ import annotations

from handlers.rest.access import PUBLIC, needs, needs_one_of
from handlers.rest.calls import Call, Reply
from handlers.rest.operations import Operation
from lms_rt.contracts.instructors import (
    DashboardQuery,
    InstructorChange,
    InstructorDashboardView,
    InstructorProfileView,
    InstructorView,
)
from lms_rt.errors import Code
from lms_rt.security.rights import Reach


async def show_me(call: Call) -> Reply:
    """The caller's own profile."""
    return Reply(await call.services.instructors.me(call.actor))


async def change_me(call: Call) -> Reply:
    """Change it."""
    instructors = call.services.instructors
    return Reply(await instructors.update_me(call.actor, call.body, expected_version=call.expected_version))


async def show_dashboard(call: Call) -> Reply:
    """How the caller's courses get on."""
    return Reply(await call.services.instructors.dashboard(call.actor, call.query))


async def show_instructor(call: Call) -> Reply:
    """A teacher."""
    return Reply(await call.services.instructors.show(call.path["instructor_id"]))


_TEACHERS = needs_one_of("course:create", "course:update")

ROUTES: tuple[Operation, ...] = (
    Operation(
        "GET",
        "/instructors/me",
        show_me,
        _TEACHERS,
        reach=Reach.SELF,
        reply=InstructorView,
        summary="My profile as a teacher",
    ),
    Operation(
        ("PATCH", "PUT"),
        "/instructors/me",
        change_me,
        _TEACHERS,
        reach=Reach.SELF,
        body=InstructorChange,
        reply=InstructorView,
        codes=(Code.VERSION_MISMATCH,),
        audit="instructor.change",
        summary="Change my profile as a teacher",
    ),
    Operation(
        "GET",
        "/instructors/me/dashboard",
        show_dashboard,
        needs("analytics:view"),
        reach=Reach.OWN_COURSES,
        query=DashboardQuery,
        reply=InstructorDashboardView,
        summary="How my courses get on",
        description="`from` and `to` are days of `timezone` (the caller's own), both included, at most 366: revenue is that of these "
        "days, by default of the last twelve months. What plans brought is not in it.",
    ),
    Operation(
        "GET",
        "/instructors/{instructor_id}",
        show_instructor,
        PUBLIC,
        reach=Reach.ALL,
        reply=InstructorProfileView,
        summary="A teacher, and their published courses",
        description="The newest 20 of them; all are at `/courses?instructor_id=`.",
    ),
)
