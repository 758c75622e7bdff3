"""/admin/users: everybody by filters, somebody who is invited, and what administrators do with one account.

Each form is what an operation of REST is, by the same service. Works without scripts; nothing here moves by itself.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, get_args
from urllib.parse import quote, urlencode

from pydantic import ValidationError

from handlers.rest.access import Access, needs
from handlers.rest.errors import status_of
from handlers.web.base import PageHandler, Screen, shape
from handlers.web.translation import LANGUAGES
from lms_rt.contracts.accounts import find_email_key
from lms_rt.contracts.base import read_model
from lms_rt.contracts.users import AccountChange, AccountQuery, AccountView, PermissionWord, UserDraft
from lms_rt.errors import Code, FieldError, Refused
from lms_rt.security.rights import Reach

PAGE_SIZE = 20
ROLES = ("student", "instructor", "admin")
PERMISSIONS: tuple[str, ...] = get_args(PermissionWord)
SORTS = ("full_name", "email", "-created_at", "-last_login_at")
_MANAGERS: Access = needs("users:manage")
_SHEETS = ("pages.css", "teach.css", "admin.css")
_TRUTH = {"yes": True, "no": False}
_MAX_VERSION_DIGITS = 9
_SAID = frozenset({"invited", "changed", "closed", "opened", "unlocked", "again", "erased", "reachable", "mfa_reset"})


def person_path(user_id: str) -> str:
    """Where somebody's account is."""
    return f"/admin/users/{quote(user_id, safe='')}"


class UsersPage(PageHandler):
    """/admin/users. Filters, order and page stand in the address."""

    access = _MANAGERS
    reach = Reach.GOVERNED

    async def get(self) -> None:
        """A page of those who fit."""
        asked = self._asked()
        listed = await self.services.users.list_accounts(self.actor, self._query(asked))
        done = self.get_query_argument("done", "")
        self.show(
            Screen("admin_users.html", title=(self.t("admin.users"),), sheets=_SHEETS),
            tab="users",
            listed=shape(listed),
            states=[state_of(account) for account in listed.items],
            paths=[person_path(account.id) for account in listed.items],
            asked=asked,
            roles=ROLES,
            sorts=SORTS,
            table_path=self._table_path(asked),
            done=done if done in _SAID and listed.page == 1 else "",
        )

    def _asked(self) -> dict[str, str]:
        """The filters that can be used; others are as if they were not there."""
        role, is_active = self.get_query_argument("role", ""), self.get_query_argument("is_active", "")
        sort = self.get_query_argument("sort", "")
        return {
            "q": self.get_query_argument("q", "")[:200],
            "role": role if role in ROLES else "",
            "is_active": is_active if is_active in _TRUTH else "",
            "sort": sort if sort in SORTS else SORTS[0],
        }

    def _query(self, asked: Mapping[str, str]) -> AccountQuery:
        wished: dict[str, Any] = {name: asked[name] or None for name in ("q", "role")}
        wished |= {"is_active": _TRUTH.get(asked["is_active"]), "sort": asked["sort"], "page_size": PAGE_SIZE}
        try:
            return AccountQuery.model_validate({**wished, "page": self.get_query_argument("page", "1")})
        except ValidationError:
            return AccountQuery.model_validate(wished)

    @staticmethod
    def _table_path(asked: Mapping[str, str]) -> str:
        """Where all who fit are fetched as a table."""
        wished = {"format": "csv", "q": asked["q"], "role": asked["role"]}
        if asked["is_active"]:
            wished["is_active"] = str(_TRUTH[asked["is_active"]]).lower()
        return f"/api/v1/admin/users?{urlencode({name: value for name, value in wished.items() if value})}"


class InviteUserPage(PageHandler):
    """/admin/users/new: an account for somebody, who chooses the password by the link of a mail."""

    access = _MANAGERS
    reach = Reach.ALL
    is_own_alone: ClassVar[bool] = True

    def get(self) -> None:
        """The empty form."""
        self._show({"role": ROLES[0], "locale": self.language}, ())

    async def post(self) -> None:
        """Make the account and show it, or the form again with what is wrong."""
        typed = {name: self.field(name) for name in ("full_name", "email", "role", "locale")}
        try:
            made = await self.services.admin_users.create(self.actor, read_model(UserDraft, typed))
        except Refused as refused:
            self.set_status(status_of(refused.code))
            self._show(typed, _faults_of(refused))
        else:
            self.redirect(f"{person_path(made.id)}?done=invited", status=303)

    def _show(self, typed: Mapping[str, str], faults: tuple[FieldError, ...]) -> None:
        title = self.t("people.invite_title")
        prefix = f"{self.t('client.error_title')} {title}" if faults else title
        self.show(
            Screen("admin_user_new.html", title=(prefix, self.t("admin.users")), sheets=_SHEETS),
            tab="users",
            typed=typed,
            errors=[(fault.field, self._words_of(fault)) for fault in faults],
            roles=ROLES,
            locales=LANGUAGES,
        )

    def _words_of(self, fault: FieldError) -> str:
        for key in (f"people.fault_{fault.code}", f"errors.{fault.code}"):
            if self.t.knows(key):
                return self.t(key)
        return self.t("people.fault_other")


def _faults_of(refused: Refused) -> tuple[FieldError, ...]:
    """What the form can say of a refusal; what it cannot is raised again."""
    if refused.fields:
        return refused.fields
    at = {Code.EMAIL_TAKEN: "email", Code.FORBIDDEN: "role"}.get(refused.code)
    if at is None:
        raise refused
    return (FieldError(at, refused.detail, refused.code.code),)


_HINDRANCES = {Code.CONFLICT: "own", Code.FORBIDDEN: "beyond"}


class AccountPage(PageHandler):
    """What showing an account and changing it share."""

    access = _MANAGERS
    reach = Reach.GOVERNED

    async def show_account(self, user_id: str, *, fault: str = "", typed: Mapping[str, Any] | None = None) -> None:
        """The account as it is now; `typed` is what a form that was refused held."""
        account = await self.services.users.show(self.actor, user_id)
        chosen = typed or {"role": account.role, "permissions": account.permissions}
        done = self.get_query_argument("done", "")
        title = f"{self.t('client.error_title')} {account.full_name}" if fault else account.full_name
        self.show(
            Screen("admin_user.html", title=(title, self.t("admin.users")), sheets=_SHEETS),
            tab="users",
            account=shape(account),
            state=state_of(account),
            path=person_path(account.id),
            chosen=chosen,
            roles=ROLES,
            permissions=PERMISSIONS,
            hindrance=await self._hindrance(account),
            lock=shape(await self.services.account_locks.show(self.actor, account.id)),
            may_act=await self.services.impersonation.may_begin(self.actor, account.id),
            fault=fault,
            done=done if done in _SAID and not fault else "",
        )

    async def _hindrance(self, account: AccountView) -> str:
        """Why nothing can be done here by who looks, as the services would say; empty when something can."""
        if self.actor.is_impersonated:
            return "in_place"
        try:
            await self.services.admin_users.let_erase(self.actor, account.id)
        except Refused as refused:
            if refused.code not in _HINDRANCES:
                raise
            return _HINDRANCES[refused.code]
        return ""


class UserPage(AccountPage):
    """/admin/users/{id}."""

    async def get(self, user_id: str) -> None:
        """What is known of the account, and what can be done with it."""
        await self.show_account(user_id)


class UserAct(AccountPage):
    """What the forms of an account do."""

    is_own_alone: ClassVar[bool] = True

    def get(self, user_id: str, _act: str) -> None:
        """An address that is left of a form: back to the account."""
        self.redirect(person_path(user_id), status=303)

    async def post(self, user_id: str, act: str) -> None:
        """Do it and show the account; where it cannot be done, say why."""
        deed = _DEEDS.get(act)
        if deed is None:
            raise Refused(Code.NOT_FOUND)
        try:
            await deed.run(self, user_id)
        except Refused as refused:
            fault = deed.faults.get(refused.code) or _FAULTS.get(refused.code)
            if fault is None:
                raise
            self.set_status(status_of(refused.code))
            is_kept = act == "change" and refused.code is not Code.VERSION_MISMATCH
            await self.show_account(user_id, fault=fault, typed=self._rights() if is_kept else None)
        else:
            where = "/admin/users" if act == "erase" else person_path(user_id)
            self.redirect(f"{where}?done={deed.said}", status=303)

    async def change(self, user_id: str, **fields: Any) -> None:
        """A change of the account as it was shown; without a version, as it is."""
        version = self.field("version")
        is_number = version.isascii() and version.isdigit() and len(version) <= _MAX_VERSION_DIGITS
        expected = int(version) if is_number else None
        change = read_model(AccountChange, fields)
        await self.services.admin_users.change(self.actor, user_id, change, expected_version=expected)

    async def change_rights(self, user_id: str) -> None:
        """Role and permissions: what has no tick is taken away."""
        await self.change(user_id, **self._rights())

    async def close(self, user_id: str) -> None:
        """Let nobody in by it any more."""
        await self.services.admin_users.close(self.actor, user_id)

    async def reset_mfa(self, user_id: str) -> None:
        """Switch off the second step of who has lost it, for a reason."""
        await self.change(user_id, reset_mfa=True, reason=self.field("reason"))

    async def erase(self, user_id: str) -> None:
        """Erase who is behind it, for who has typed the address."""
        account = await self.services.users.show(self.actor, user_id)
        if find_email_key(self.field("address")) != find_email_key(account.email):
            raise Refused(Code.VALIDATION_FAILED)
        await self.services.admin_users.let_erase(self.actor, user_id)
        await self.services.erasure.erase(self.actor, user_id)

    def _rights(self) -> dict[str, Any]:
        return {"role": self.field("role"), "permissions": self.get_body_arguments("permissions")}


_FAULTS = {
    Code.CONFLICT: "needed",
    Code.VERSION_MISMATCH: "changed_meanwhile",
    Code.VALIDATION_FAILED: "invalid",
    Code.FORBIDDEN: "forbidden",
}


@dataclass(frozen=True, slots=True)
class Deed:
    """What a form does, what is said when it is done, and what a refusal means there alone (else a conflict is `needed`)."""

    run: Callable[[UserAct, str], Awaitable[None]]
    said: str
    faults: Mapping[Code, str] = field(default_factory=dict)


_DEEDS: Mapping[str, Deed] = {
    "change": Deed(UserAct.change_rights, "changed"),
    "close": Deed(UserAct.close, "closed"),
    "open": Deed(lambda page, user_id: page.change(user_id, is_active=True), "opened", {Code.CONFLICT: "leaving"}),
    "unlock": Deed(lambda page, user_id: page.change(user_id, unlock=True), "unlocked"),
    "write": Deed(lambda page, user_id: page.change(user_id, write_again=True), "reachable"),
    "invite": Deed(lambda page, user_id: page.change(user_id, invite=True), "again", {Code.CONFLICT: "has_password"}),
    "reset": Deed(UserAct.reset_mfa, "mfa_reset", {Code.VALIDATION_FAILED: "mfa_reason"}),
    "erase": Deed(UserAct.erase, "erased"),
}


def state_of(account: AccountView) -> str:
    """What there is to say of an account first."""
    if account.erase_at is not None:
        return "leaving"
    if not account.is_active:
        return "closed"
    if account.mail_refusal is not None:
        return "unreachable"
    if not account.has_password:
        return "invited"
    return "active" if account.email_verified_at is not None else "unverified"


PAGES = [
    (r"/admin/users/?", UsersPage),
    (r"/admin/users/new", InviteUserPage),
    (r"/admin/users/([^/]+)/?", UserPage),
    (r"/admin/users/([^/]+)/([a-z]+)", UserAct),
]
"""The rows of these pages."""
