"""Who was shut out stays out, whatever they or others do at the same moment, and the school keeps an administrator.

Nobody comes by more than they hold, neither in somebody's place nor by a setting. On both lanes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from documents import erasing
from documents.audit_record import AuditRecord
from documents.enums import Role
from documents.user import User
from lms_rt.clock import FakeClock
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.base import read_model
from lms_rt.contracts.users import AccountChange
from lms_rt.errors import Code, Refused
from lms_rt.security.permissions import permissions_of
from lms_rt.services import admin_users
from tests.clients import Visitor
from tests.house import PASSWORD, House
from tests.working import PATIENCE_SECONDS


async def back(house: House, who: Visitor) -> Visitor:
    """The same person, signing in again."""
    again = await house.visitor()
    await again.sign_in(who.user["email"], PASSWORD)
    return again


async def shut_out(admin: Visitor, somebody: Visitor, way: str) -> httpx.Response:
    """What an administrator does who wants to see somebody go."""
    if way == "DELETE":
        return await admin.call("DELETE", f"/users/{somebody.user_id}")
    return await admin.call("PATCH", f"/admin/users/{somebody.user_id}", json={"is_active": False})


async def account(somebody: Visitor) -> User:
    user = await User.find_by_id(somebody.user_id)
    assert user is not None
    return user


# --- who leaves first ---


@pytest.mark.parametrize("way", ["DELETE", "PATCH"])
async def test_who_left_by_themself_is_not_let_back_once_an_administrator_closed_the_account(
    house: House, way: str
) -> None:
    admin, student = await house.admin(), await house.student()
    gone = await student.ok("DELETE", "/users/me", json={"password": PASSWORD})
    again = await back(house, student)
    assert (await shut_out(admin, student, way)).is_success
    await again.refused(401, "POST", "/users/me/keep")
    stranger = await house.visitor()
    await stranger.refused(401, "POST", "/auth/login", json={"email": student.user["email"], "password": PASSWORD})
    user = await account(student)
    assert (user.is_active, user.is_leaving) == (False, False)
    assert user.erase_at is not None
    assert user.erase_at.isoformat()[:19] == gone["erase_at"][:19], "what was promised to its owner holds"
    which = {"target_id": student.user_id, "action": "user.deactivate", "actor_id": admin.user_id}
    assert await AuditRecord.rows().count_documents(which) == 1
    assert (await shut_out(admin, student, way)).is_success
    assert (await account(student)).version == user.version, "again changes nothing"


@asynccontextmanager
async def while_it_is_hashed(house: House, student: Visitor, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """The student closes their account; the body is done while their password is looked at. They are refused."""
    sign_ins = house.services.erasure._sign_ins
    proved, has_begun, may_go_on = sign_ins.require_password, asyncio.Event(), asyncio.Event()

    async def slow(user: User, *args: object) -> None:
        await proved(user, *args)  # type: ignore[arg-type]
        has_begun.set()
        await may_go_on.wait()

    monkeypatch.setattr(sign_ins, "require_password", slow)
    asked = asyncio.create_task(student.call("DELETE", "/users/me", json={"password": PASSWORD}))
    await has_begun.wait()
    yield
    may_go_on.set()
    assert (await asked).status_code == 409


@pytest.mark.parametrize("way", ["DELETE", "PATCH"])
async def test_who_leaves_while_they_are_shut_out_is_shut_out(
    house: House, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin, student = await house.admin(), await house.student()
    async with while_it_is_hashed(house, student, monkeypatch):
        assert (await shut_out(admin, student, way)).is_success
    user = await account(student)
    assert (user.is_active, user.erase_at) == (False, None)


async def test_who_leaves_while_they_are_erased_puts_nothing_off(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    admin, student = await house.admin(), await house.student()
    async with while_it_is_hashed(house, student, monkeypatch):
        await admin.ok("DELETE", f"/users/{student.user_id}", params={"erase": "true"})
        erase_at = (await account(student)).erase_at
    user = await account(student)
    assert (user.erase_at, user.erase_by) == (erase_at, admin.user_id)


async def test_leaving_twice_at_once_is_leaving_once(house: House) -> None:
    student = await house.student()
    elsewhere = await back(house, student)
    replies = await asyncio.gather(
        *(who.call("DELETE", "/users/me", json={"password": PASSWORD}) for who in (student, elsewhere))
    )
    told = {reply.json()["erase_at"] for reply in replies if reply.is_success}
    assert len(told) == 1
    assert (await account(student)).is_leaving


# --- administrators who see each other go ---


@pytest.fixture
async def two(house: House) -> AsyncIterator[list[Actor]]:
    """The only two administrators there are."""
    made = []
    for number in (1, 2):
        address = f"{len(await User.rows().distinct('email_key'))}.{number}@two.example.org"
        made.append((await house.services.accounts.create_admin(address, PASSWORD, f"One of two {number}")).id)
    everybody_else = {"role": Role.ADMIN.value, "is_active": True, "_id": {"$nin": made}}
    others = [row["_id"] async for row in User.rows().find(everybody_else, {"_id": 1})]
    await User.rows().update_many(everybody_else, {"$set": {"is_active": False}})
    yield [Actor(user_id, Role.ADMIN, permissions_of(Role.ADMIN)) for user_id in made]
    await User.rows().update_many({"_id": {"$in": made}}, {"$set": {"is_active": False}})
    await User.rows().update_many({"_id": {"$in": others}}, {"$set": {"is_active": True}})


async def admins_left() -> list[User]:
    return [user async for user in User.find({"role": "admin", "is_active": True})]


def both_look_before_they_write(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the first two looks at who else is an administrator end together, before anybody writes."""
    counted, both = erasing.count_admins, asyncio.Barrier(2)
    looks = 0

    async def count(*, except_id: str) -> int:
        nonlocal looks
        looks += 1
        is_early = looks <= 2
        number = await counted(except_id=except_id)
        if is_early:
            await both.wait()
        return number

    monkeypatch.setattr(erasing, "count_admins", count)


async def test_of_two_who_erase_each_other_one_is_left(
    house: House, two: list[Actor], monkeypatch: pytest.MonkeyPatch
) -> None:
    both_look_before_they_write(monkeypatch)
    first, second = two
    erase = house.services.erasure.erase
    results = await asyncio.gather(erase(first, second.user_id), erase(second, first.user_id), return_exceptions=True)
    refused = [result for result in results if isinstance(result, Refused)]
    assert [one.code for one in refused] == [Code.CONFLICT] * len(refused)
    assert refused
    left = await admins_left()
    assert left
    assert all((user.erase_at, user.erase_by) == (None, None) for user in left)


async def test_who_was_lowered_while_they_erase_the_other_leaves_the_school_one(
    house: House, two: list[Actor], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = two
    counted, lower = erasing.count_admins, read_model(AccountChange, {"role": "student"})

    async def count(*, except_id: str) -> int:  # it has looked, and then the other one is faster
        number = await counted(except_id=except_id)
        monkeypatch.setattr(erasing, "count_admins", counted)
        await house.services.admin_users.change(second, first.user_id, lower)
        return number

    monkeypatch.setattr(erasing, "count_admins", count)
    with pytest.raises(Refused) as refused:
        await house.services.erasure.erase(first, second.user_id)
    assert refused.value.code is Code.CONFLICT
    assert [user.id for user in await admins_left()] == [second.user_id]


async def test_what_is_taken_back_is_so_though_the_account_moved_meanwhile(
    house: House, two: list[Actor], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = two

    async def nobody() -> bool:  # its owner saves their profile in that moment
        await User.rows().update_one({"_id": second.user_id}, {"$inc": {"version": 1}, "$set": {"full_name": "Anew"}})
        return False

    monkeypatch.setattr(admin_users, "is_an_admin_left", nobody)
    lower = read_model(AccountChange, {"role": "student", "is_active": False})
    with pytest.raises(Refused) as refused:
        await house.services.admin_users.change(first, second.user_id, lower)
    assert refused.value.code is Code.CONFLICT
    user = await User.find_by_id(second.user_id)
    assert user is not None
    assert (user.role, user.is_active, user.full_name) == (Role.ADMIN, True, "Anew")


async def test_who_went_before_does_not_come_back_for_who_goes_now(
    house: House, two: list[Actor], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What follows the first comes late: the second is written already, and is the one to be put back."""
    services, ids = house.services, [one.user_id for one in two]
    for number, user_id in enumerate(ids):
        user = await User.find_by_id(user_id)
        assert user is not None
        moment = FakeClock(services.clock.now() + timedelta(seconds=number))
        with monkeypatch.context() as later:
            later.setattr(services.admin_users, "_clock", moment)
            assert await services.admin_users._change(two[0], user, {"role": "student"})
    await services.relay.hand_over(User, ids[0])
    assert await admins_left() == []
    await services.relay.hand_over(User, ids[1])
    assert [user.id for user in await admins_left()] == [ids[1]]


# --- who acts in somebody's place ---


async def clerk_of(house: House, *permissions: str) -> Visitor:
    """Somebody who is no administrator, and holds these permissions of their own."""
    clerk = await house.student()
    path = f"/admin/users/{clerk.user_id}"
    await (await house.admin()).ok("PATCH", path, json={"permissions": list(permissions)})
    return clerk


async def acting(house: House, by: Visitor, as_whom: Visitor) -> Visitor:
    """Somebody who acts in another's place."""
    path = f"/admin/users/{as_whom.user_id}/impersonate"
    stand_in = await house.visitor()
    stand_in.take(await by.ok("POST", path, json={"reason": "They asked for help"}))
    return stand_in


@pytest.mark.parametrize("given", [{"role": "instructor"}, {"permissions": ["audit:view"]}])
async def test_who_acts_for_somebody_does_not_grow_with_them(house: House, given: dict[str, object]) -> None:
    admin, pupil = await house.admin(), await house.student()
    clerk = await clerk_of(house, "impersonate")
    stand_in, helper = await acting(house, clerk, pupil), await acting(house, admin, pupil)
    url = f"ws{house.address.removeprefix('http')}/ws?ticket={await stand_in.ticket()}"
    async with connect(url, subprotocols=[Subprotocol("lms.v1.json")], compression=None, proxy=None) as socket:
        await socket.recv()
        await admin.ok("PATCH", f"/admin/users/{pupil.user_id}", json=given)
        async with asyncio.timeout(PATIENCE_SECONDS):
            await socket.wait_closed()
    assert (await stand_in.refused(401, "GET", "/users/me"))["code"] == "token_revoked"
    await pupil.ok("GET", "/users/me")
    await helper.ok("GET", "/users/me")


# --- settings ---


async def test_who_makes_nobody_an_instructor_lets_nobody_become_one(house: House) -> None:
    admin, clerk = await house.admin(), await clerk_of(house, "settings:manage")
    name = "ALLOW_PUBLIC_ROLE_REGISTRATION"
    await clerk.ok("PATCH", "/admin/settings", json={name: False})
    for value in (True, None):  # in the house that is what is configured
        assert (await clerk.refused(403, "PATCH", "/admin/settings", json={name: value}))["code"] == "forbidden"
    assert house.services.settings.allow_public_role_registration is False
    await clerk.ok("PATCH", "/admin/settings", json={"RETENTION_EVENTS_DAYS": 31})
    await admin.ok("PATCH", "/admin/settings", json={name: None, "RETENTION_EVENTS_DAYS": None})
    await clerk.ok("PATCH", "/admin/settings", json={name: True})  # it is already
    assert house.services.settings.allow_public_role_registration is True
