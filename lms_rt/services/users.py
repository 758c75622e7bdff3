"""People in lists, one by one, and as a table for spreadsheets. What is changed of them is `admin_users.py`'s.

Who sees to accounts finds everybody; a teacher finds the students of their own courses, by name, and sees nothing of how
they sign in. What somebody may not see they cannot search, sort or count by either.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator

from documents.base import Row
from documents.course import Course
from documents.enrollment import Enrollment
from documents.people import count_people, make_found, page_among, page_of_people, people_after, unfound_people
from documents.user import User
from lms_rt.clock import rfc3339
from lms_rt.contracts.accounts import UserView
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.base import Page, page_of
from lms_rt.contracts.users import AccountQuery, AccountView, LearnerView, PeopleQuery
from lms_rt.errors import Code, Refused
from lms_rt.interchange.csv_rows import csv_lines
from lms_rt.security.access.users import require_account, require_account_rights, sees_to_accounts
from lms_rt.security.permissions import Permission
from lms_rt.services.audit import Audit
from lms_rt.services.unreachable import refusal_view
from lms_rt.services.user_search import accounts_filter, found_by, learners_filter, sorting
from lms_rt.services.user_views import user_view

CSV_PAGE = 500
FOUND_AT_ONCE = 500
_COLUMNS = (
    "id", "email", "full_name", "role", "is_active", "has_password", "mfa_enabled", "permissions", "locale", "timezone",
    "email_verified_at", "last_login_at", "created_at",
)  # fmt: skip


class Users:
    """Who there is."""

    def __init__(self, *, audit: Audit) -> None:
        self._audit = audit

    async def list(self, actor: Actor, query: PeopleQuery) -> Page[UserView | LearnerView]:
        """Everybody, or a teacher's students."""
        if sees_to_accounts(actor):
            rows, total = await _page(accounts_filter(query), query)
            return page_of([account_view(row) for row in rows], query, total)
        if not actor.has_permission(Permission.ENROLLMENTS_MANAGE):
            raise Refused(Code.FORBIDDEN)
        students = Enrollment.students_of(await Course.ids_of_instructor(actor.user_id))
        wanted, order = learners_filter(query), sorting(query.sort)
        rows, total = await page_among(students, wanted, order, skip=query.skip, limit=query.page_size)
        return page_of([learner_view(row) for row in rows], query, total)

    async def list_accounts(self, actor: Actor, query: AccountQuery) -> Page[AccountView]:
        """Everybody, for administrators."""
        require_account_rights(actor)
        rows, total = await _page(accounts_filter(query), query)
        return page_of([account_view(row) for row in rows], query, total)

    async def show(self, actor: Actor, user_id: str) -> AccountView:
        """One account."""
        return account_view_of(await require_account(actor, user_id))

    async def table(self, actor: Actor, query: AccountQuery) -> AsyncGenerator[bytes, None]:
        """The same list, whole and in the order in which the accounts were made, as CSV. That it was taken is recorded."""
        require_account_rights(actor)
        wanted = accounts_filter(query)
        count = await count_people(wanted)
        await self._audit.record(actor, "user.export", kind="users", target_id="users", after={"count": count})
        yield csv_lines([_COLUMNS])
        after = ""
        while rows := await people_after(wanted, after, limit=CSV_PAGE):
            yield csv_lines(_cells(account_view(row)) for row in rows)
            after = rows[-1]["_id"]

    @staticmethod
    async def make_findable() -> int:
        """Give accounts that are older than searching what they are found by; how many."""
        made = 0
        while rows := await unfound_people(limit=FOUND_AT_ONCE):
            for row in rows:
                await make_found(row["_id"], row["full_name"], found_by(row["full_name"], row["email"]))
            made += len(rows)
        return made


async def _page(wanted: Row, query: PeopleQuery | AccountQuery) -> tuple[list[Row], int]:
    return await page_of_people(wanted, sorting(query.sort), skip=query.skip, limit=query.page_size)


def account_view_of(user: User) -> AccountView:
    """An account as administrators see it."""
    return AccountView(
        **dict(user_view(user)),
        has_password=bool(user.password_hash),
        erase_at=user.erase_at,
        mail_refusal=refusal_view(user),
    )


def account_view(row: Row) -> AccountView:
    """The same from its row."""
    return account_view_of(User.model_validate(row))


def learner_view(row: Row) -> LearnerView:
    """A student as their teachers see them."""
    shown = {name: row.get(name) for name in LearnerView.model_fields if name != "id"}
    return LearnerView(id=row["_id"], **shown)


def _cells(view: AccountView) -> list[object]:
    shown = dict(view)
    cells: list[object] = []
    for name in _COLUMNS:
        value = shown[name]
        if name.endswith("_at"):
            cells.append(None if value is None else rfc3339(value))
        else:
            cells.append(" ".join(value) if name == "permissions" else value)
    return cells
