"""Accounts for administrators: filters, the table for spreadsheets, what they change, and acting in somebody's place."""

from __future__ import annotations

from handlers.rest.access import needs
from handlers.rest.auth import device_of
from handlers.rest.calls import Call, Reply
from handlers.rest.conditions import preferred
from handlers.rest.operations import Operation
from lms_rt.contracts.base import Page
from lms_rt.contracts.sessions import ImpersonationView
from lms_rt.contracts.users import AccountChange, AccountQuery, AccountView, ImpersonationDraft
from lms_rt.errors import Code
from lms_rt.security.rights import Reach

_TABLE = "text/csv"
_GIVES = ("application/json", _TABLE)


async def list_accounts(call: Call) -> Reply:
    """A page of accounts, or all of them as a table."""
    users = call.services.users
    wished = {"csv": _TABLE, "json": _GIVES[0]}.get(call.query.format or "")
    if (wished or preferred(call.find_header("Accept"), _GIVES)) != _TABLE:
        return Reply(await users.list_accounts(call.actor, call.query))
    headers = {"Content-Disposition": 'attachment; filename="users.csv"', "X-Content-Type-Options": "nosniff"}
    return Reply(stream=users.table(call.actor, call.query), content_type=f"{_TABLE}; charset=utf-8", headers=headers)


async def change_account(call: Call) -> Reply:
    """Change what somebody is and may do."""
    changed = await call.services.admin_users.change(
        call.actor, call.path["user_id"], call.body, expected_version=call.expected_version
    )
    return Reply(changed)


async def impersonate(call: Call) -> Reply:
    """Act in somebody's place."""
    impersonation = call.services.impersonation
    return Reply(await impersonation.begin(call.actor, call.path["user_id"], call.body, device_of(call)))


_MANAGERS = needs("users:manage")

ROUTES: tuple[Operation, ...] = (
    Operation(
        "GET",
        "/admin/users",
        list_accounts,
        _MANAGERS,
        reach=Reach.ALL,
        query=AccountQuery,
        reply=Page[AccountView],
        gives=_GIVES,
        summary="All accounts",
        description=(
            "With `Accept: text/csv` or `format=csv` all that match, in the order in which they were made, as a table in "
            "which nothing runs as a formula; that it was taken stands in the audit log."
        ),
    ),
    Operation(
        ("PATCH", "PUT"),
        "/admin/users/{user_id}",
        change_account,
        _MANAGERS,
        reach=Reach.GOVERNED,
        body=AccountChange,
        reply=AccountView,
        codes=(Code.VERSION_MISMATCH, Code.CONFLICT),
        audit="user.change",
        is_own_alone=True,
        summary="Change somebody's role, permissions or access",
        description=(
            "Nobody changes their own account here, nor that of who may do more than they, nor gives what they do not hold. "
            "An account that is closed loses its sessions at once. The last administrator stays."
        ),
    ),
    Operation(
        "POST",
        "/admin/users/{user_id}/impersonate",
        impersonate,
        needs("impersonate"),
        reach=Reach.GOVERNED,
        body=ImpersonationDraft,
        reply=ImpersonationView,
        is_secret=True,
        codes=(Code.CONFLICT,),
        audit="user.impersonate",
        is_own_alone=True,
        summary="Act in somebody's place",
        description=(
            "The token is short, marked, and cannot be renewed; passwords, sessions, rights and money stay out of its reach. "
            "Each use of it stands in the audit log. Nobody acts as an administrator, or as who may do more than they."
        ),
    ),
)
