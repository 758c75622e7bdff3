"""People: one's own profile, lists of others, invitations, and accounts that are closed."""

from __future__ import annotations

from handlers.rest.access import SIGNED_IN, needs, needs_one_of
from handlers.rest.auth import me
from handlers.rest.calls import Call, Reply
from handlers.rest.operations import Operation
from lms_rt.contracts.accounts import ProfileChange, UserView
from lms_rt.contracts.base import Page
from lms_rt.contracts.privacy import RemovalQuery
from lms_rt.contracts.users import AccountView, LearnerView, PeopleQuery, UserDraft
from lms_rt.errors import Code
from lms_rt.security.rights import Reach


async def update_me(call: Call) -> Reply:
    """Change the caller's profile."""
    accounts = call.services.accounts
    return Reply(await accounts.update_me(call.actor, call.body, expected_version=call.expected_version))


async def list_users(call: Call) -> Reply:
    """Everybody, or a teacher's own students."""
    return Reply(await call.services.users.list(call.actor, call.query))


async def invite_user(call: Call) -> Reply:
    """Make an account for somebody."""
    user = await call.services.admin_users.create(call.actor, call.body)
    return Reply(user, made={"user_id": user.id})


async def show_user(call: Call) -> Reply:
    """One account."""
    return Reply(await call.services.users.show(call.actor, call.path["user_id"]))


async def remove_user(call: Call) -> Reply:
    """Close an account, or have it erased."""
    users, user_id = call.services.admin_users, call.path["user_id"]
    if call.query.erase:
        await users.let_erase(call.actor, user_id, expected_version=call.expected_version)
        await call.services.erasure.erase(call.actor, user_id, expected_version=call.expected_version)
    else:
        await users.close(call.actor, user_id, expected_version=call.expected_version)
    return Reply(None)


_MANAGERS = needs("users:manage")
_ONE = "/users/{user_id}"

ROUTES: tuple[Operation, ...] = (
    Operation(
        "GET", "/users/me", me, SIGNED_IN, reach=Reach.SELF, reply=UserView, is_for_leaving=True, summary="My profile"
    ),
    Operation(
        ("PATCH", "PUT"),
        "/users/me",
        update_me,
        SIGNED_IN,
        reach=Reach.SELF,
        body=ProfileChange,
        reply=UserView,
        codes=(Code.VERSION_MISMATCH,),
        audit="user.change",
        summary="Change my profile",
    ),
    Operation(
        "GET",
        "/users",
        list_users,
        needs_one_of("users:manage", "enrollments:manage"),
        reach=Reach.PUPILS,
        query=PeopleQuery,
        reply=Page[AccountView | LearnerView],
        summary="People",
        description=(
            "Who sees to accounts finds everybody, by name and address. Teachers find the students of their own courses, "
            "by name; nothing is shown, counted or found by what they may not see."
        ),
    ),
    Operation(
        "POST",
        "/users",
        invite_user,
        _MANAGERS,
        reach=Reach.GOVERNED,
        body=UserDraft,
        reply=AccountView,
        status=201,
        location=_ONE,
        codes=(Code.EMAIL_TAKEN,),
        audit="user.create",
        is_own_alone=True,
        summary="Invite somebody",
        description="The account has no password; the mail of the invitation leads to where one is chosen.",
    ),
    Operation("GET", _ONE, show_user, _MANAGERS, reach=Reach.ALL, reply=AccountView, summary="One account"),
    Operation(
        "DELETE",
        _ONE,
        remove_user,
        _MANAGERS,
        reach=Reach.GOVERNED,
        query=RemovalQuery,
        status=204,
        codes=(Code.VERSION_MISMATCH, Code.CONFLICT),
        audit="user.deactivate",
        is_own_alone=True,
        summary="Close somebody's account",
        description=(
            "All their sessions end at once; what they did stays, and the account can be opened again. With `erase=true` "
            "it is erased instead, for good. One's own, and the last administrator's, is 409."
        ),
    ),
)
