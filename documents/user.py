"""People: who may sign in, and what they are. Their sessions are in `session.py`; what they may do is security's."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any, ClassVar

from pydantic import Field
from pymongo import ASCENDING, IndexModel
from pymongo.errors import DuplicateKeyError

from documents.base import Aggregate, Row, by_ids, with_intents
from documents.enums import Role

_LEAVING = {"erase_at": 1, "erase_by": 1, "erasing_at": 1}
_SIGNED_IN = {"role": 1, "is_active": 1, "permissions": 1, "full_name": 1, "sessions_valid_after_ms": 1, **_LEAVING}
_REFUSED = {"mail_refusal": 1, "email_verified_at": 1}
_MAIL_ACCOUNT = {"email": 1, "full_name": 1, "locale": 1, "timezone": 1, "is_active": 1, **_LEAVING, **_REFUSED}


class User(Aggregate):
    """One account. `email` is shown as it was given; `email_key` is its normalised form, and unique.

    Sessions whose credentials were read at or before `sessions_valid_after_ms` are over, whatever their own document
    says. `permissions` add to those of the role. What the fields of `mfa` hold stands in `mfa.py`.
    """

    email: str
    email_key: str
    password_hash: str
    full_name: str
    role: Role
    is_active: bool = True
    permissions: list[str] = Field(default_factory=list)
    sessions_valid_after_ms: int = 0
    locale: str = "en"
    timezone: str = "UTC"
    avatar_file_id: str | None = None
    mfa_enabled: bool = False
    mfa: Row | None = None
    mfa_pending: Row | None = None
    email_verified_at: datetime | None = None
    mail_refusal: Row | None = None
    """A mail server takes no mail to this address: `email`, `at`, the `job_id` of the mail, and what it `answer`ed."""
    is_unconfirmed: bool = False
    """Who registered where that signs nobody in, until a password is chosen by the link of a mail."""
    last_login_at: datetime | None = None
    metadata: dict[str, Any] = Field(default_factory=dict)
    name_key: str = ""
    search_tokens: list[str] = Field(default_factory=list)
    unlocked_ms: int = 0
    """Failed sign-ins before then count no more: an administrator has said so."""
    password_reset_ms: int = 0
    """Failed passwords before then count no more: another one was chosen by mail. Codes that failed still do."""
    erase_at: datetime | None = None
    """Its owner, or an administrator, has asked for its end: from then on there is no way back."""
    erase_by: str | None = None
    erasing_at: datetime | None = None
    erased_at: datetime | None = None
    """Nothing of the person is left: what refers to the account still leads somewhere."""

    @property
    def is_leaving(self) -> bool:
        """Has its owner closed it, who may still keep it?"""
        return is_leaving_row(vars(self))

    @property
    def may_sign_in(self) -> bool:
        """Is it in use, or can it still be kept?"""
        return self.is_active or self.is_leaving

    class Settings(Aggregate.Settings):
        """Collection and indexes."""

        name = "users"
        indexes: ClassVar = [
            IndexModel("email_key", unique=True),
            IndexModel([("timezone", ASCENDING), ("_id", ASCENDING)]),
            IndexModel("search_tokens"),
            IndexModel([("role", ASCENDING), ("created_at", ASCENDING)]),
            IndexModel([("created_at", ASCENDING)]),
            IndexModel("outbox_at", sparse=True),
        ]

    @classmethod
    async def add(cls, user: User) -> bool:
        """Insert; False when the address (or the id) is taken."""
        try:
            await cls.rows().insert_one({"_id": user.id, **user.model_dump(exclude={"id"}, exclude_none=True)})
        except DuplicateKeyError:
            return False
        return True

    @classmethod
    async def find_by_id(cls, user_id: str) -> User | None:
        """The account of this id."""
        return await cls.find_one({"_id": user_id})

    @classmethod
    async def find_by_email_key(cls, email_key: str) -> User | None:
        """The account of this normalised address."""
        return await cls.find_one({"email_key": email_key})

    @classmethod
    async def find_signed_in(cls, user_id: str) -> Row | None:
        """What every request of a signed-in person needs to know, and no more."""
        return await cls.rows().find_one({"_id": user_id}, _SIGNED_IN)

    @classmethod
    async def find_mail_accounts(cls, user_ids: Collection[str]) -> dict[str, Row]:
        """What mails to these accounts need to know, and no more, by their ids; those that are not there are left out."""
        return {row["_id"]: row async for row in cls.rows().find(by_ids(user_ids), _MAIL_ACCOUNT)}

    @classmethod
    async def find_all_signed_in(cls, user_ids: list[str]) -> dict[str, Row]:
        """The same of many, by their ids; those that are not there are left out."""
        return {row["_id"]: row async for row in cls.rows().find({"_id": {"$in": user_ids}}, _SIGNED_IN)}

    @classmethod
    async def ids_staying_among(cls, user_ids: Collection[str]) -> set[str]:
        """Who of these is there, and neither erased nor about to be."""
        if not user_ids:
            return set()
        found = cls.rows().find(by_ids(user_ids), {"erasing_at": 1, "erased_at": 1})
        return {row["_id"] async for row in found if row.get("erasing_at") is None and row.get("erased_at") is None}

    @classmethod
    async def change(
        cls,
        user_id: str,
        fields: Mapping[str, Any],
        at: datetime,
        *,
        expected_version: int | None = None,
        unset: Collection[str] = (),
        intents: Sequence[Row] = (),
    ) -> bool:
        """Set `fields`, `unset` others, and move the version; False when the account is gone or at another version than expected.

        Intents name the version that their write makes, so they want an expected one.
        """
        which: Row = {"_id": user_id}
        if expected_version is not None:
            which["version"] = expected_version
        update: Row = {"$set": {**fields, "updated_at": at}, "$inc": {"version": 1}}
        if unset:
            update["$unset"] = dict.fromkeys(unset, "")
        return bool((await cls.rows().update_one(which, with_intents(update, intents, at))).matched_count)

    @classmethod
    async def renew_password_hash(cls, user_id: str, old: str, new: str) -> None:
        """The same password under another cost; a password that was changed meanwhile stays."""
        await cls.rows().update_one({"_id": user_id, "password_hash": old}, {"$set": {"password_hash": new}})

    @classmethod
    async def change_password(
        cls,
        known: User,
        password_hash: str,
        at: datetime,
        *,
        fields: Mapping[str, Any] = MappingProxyType({}),
        unset: Collection[str] = (),
        intents: Sequence[Row] = (),
    ) -> bool:
        """Another password, and `fields` with it; False when the account is not as it was `known` any more."""
        which = {"_id": known.id, "version": known.version, "password_hash": known.password_hash}
        changed = {**fields, "password_hash": password_hash, "updated_at": at}
        update: Row = {"$set": changed, "$inc": {"version": 1}}
        if unset:
            update["$unset"] = dict.fromkeys(unset, "")
        return bool((await cls.rows().update_one(which, with_intents(update, intents, at))).matched_count)

    @classmethod
    async def note_sign_in(cls, user_id: str, at: datetime) -> None:
        """Keep when they signed in last; no edit, so the version stays."""
        await cls.rows().update_one({"_id": user_id}, {"$max": {"last_login_at": at}})

    @classmethod
    async def note_mail_refusal(cls, user_id: str, email: str, refusal: Row | None) -> bool:
        """Keep that this address is refused, or that it is not any more; no edit. False when they have another one."""
        update: Row = {"$unset": {"mail_refusal": ""}} if refusal is None else {"$set": {"mail_refusal": refusal}}
        return bool((await cls.rows().update_one({"_id": user_id, "email": email}, update)).matched_count)

    @classmethod
    async def end_sessions_until(cls, user_id: str, moment_ms: int) -> None:
        """Let every session end whose credentials were read up to this moment."""
        await cls.rows().update_one({"_id": user_id}, {"$max": {"sessions_valid_after_ms": moment_ms}})

    @classmethod
    async def known_email_keys(cls, email_keys: list[str]) -> set[str]:
        """Which of these normalised addresses have an account."""
        found = cls.rows().find({"email_key": {"$in": email_keys}}, {"email_key": 1})
        return {row["email_key"] async for row in found}

    @classmethod
    async def ids_holding(cls, permission: str, *, roles: Sequence[Role], limit: int) -> list[str]:
        """Accounts in use that have one of these roles, or this permission of their own; by id."""
        holds = [{"role": {"$in": list(roles)}}, {"permissions": permission}]
        found = cls.rows().find({"is_active": True, "$or": holds}, {"_id": 1}).sort("_id", 1).limit(limit)
        return [row["_id"] for row in await found.to_list(length=limit)]

    @classmethod
    async def timezones(cls) -> list[str]:
        """Every timezone that somebody lives in."""
        return list(await cls.rows().distinct("timezone"))

    @classmethod
    async def ids_in_timezone(cls, timezone: str, *, after: str, limit: int) -> list[str]:
        """Accounts of a timezone that are in use, by id, those after this one."""
        which = {"timezone": timezone, "is_active": True, "_id": {"$gt": after}}
        found = cls.rows().find(which, {"_id": 1}).sort("_id", 1).limit(limit)
        return [row["_id"] for row in await found.to_list(length=limit)]


def is_leaving_row(row: Mapping[str, Any]) -> bool:
    """Has the owner of this account closed it, who may still keep it? What an administrator erases is nobody's to keep."""
    is_closed = not row["is_active"] and row.get("erase_at") is not None
    return is_closed and row.get("erase_by") is None and row.get("erasing_at") is None
