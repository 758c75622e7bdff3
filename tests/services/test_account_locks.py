"""What administrators see of locks at the entrance: in how many places an account is locked, and until when."""

from __future__ import annotations

from datetime import timedelta

import pytest

from documents.enums import Role
from documents.user import User
from lms_rt.contracts.accounts import SignInDraft
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.users import AccountLockView
from lms_rt.errors import Code, Refused
from lms_rt.security.permissions import permissions_of
from lms_rt.security.sessions import Device
from lms_rt.security.sign_in_guard import Candidate
from lms_rt.services.account_locks import AccountLocks
from tests.services.people import PASSWORD, People

MONA = "mona@example.org"
ADMIN = Actor("usr_admin", Role.ADMIN, permissions_of(Role.ADMIN, ()))
SCHOOL, HOME = Device("Firefox", "203.0.113.9"), Device("Firefox", "198.51.100.7")
NOT_LOCKED = AccountLockView(places=0, until=None, shut_until=None)


async def fail(people: People, device: Device, times: int = 5) -> None:
    for _ in range(times):
        with pytest.raises(Refused):
            await people.accounts.login(SignInDraft(email=MONA, password="not the password 7"), device)


@pytest.fixture
async def mona(people: People) -> User:
    joined = await people.join(MONA)
    return await account(joined.user.id)


async def account(user_id: str) -> User:
    found = await User.find_by_id(user_id)
    assert found is not None
    return found


async def shown(people: People, user: User) -> AccountLockView:
    return await AccountLocks(clock=people.clock, guard=people.sign_in_guard).show(ADMIN, user.id)


async def test_a_lock_is_seen_from_the_failure_that_makes_it_until_it_ends(people: People, mona: User) -> None:
    await fail(people, SCHOOL, 4)
    assert await shown(people, mona) == NOT_LOCKED
    await fail(people, SCHOOL, 1)
    until = people.clock.now() + timedelta(minutes=15)
    assert await shown(people, mona) == AccountLockView(places=1, until=until, shut_until=None)
    people.clock.advance(60)
    await fail(people, SCHOOL, 3)  # refused: they prolong nothing
    assert (await shown(people, mona)).until == until
    people.clock.advance(14 * 60)
    assert await shown(people, mona) == NOT_LOCKED


async def test_each_place_counts_and_the_last_to_end_is_told(people: People, mona: User) -> None:
    await fail(people, SCHOOL)
    people.clock.advance(60)
    mark = people.device_marks.renewed("", mona.id)
    for place in (HOME, Device("Firefox", SCHOOL.address, mark=mark)):
        await fail(people, place)
    seen = await shown(people, mona)
    assert (seen.places, seen.until) == (3, people.clock.now() + timedelta(minutes=15))


async def test_a_right_password_at_the_last_try_leaves_nothing_to_see(people: People, mona: User) -> None:
    await fail(people, SCHOOL, 4)
    await people.accounts.login(SignInDraft(email=MONA, password=PASSWORD), SCHOOL)
    assert await shown(people, mona) == NOT_LOCKED


async def test_a_lock_that_an_administrator_lifts_is_seen_no_more(people: People, mona: User) -> None:
    await fail(people, SCHOOL)
    await User.rows().update_one({"_id": mona.id}, {"$set": {"unlocked_ms": people.clock.now_ms()}})
    assert await shown(people, mona) == NOT_LOCKED


async def test_a_password_set_by_mail_ends_locks_of_passwords_and_none_of_codes(people: People, mona: User) -> None:
    await fail(people, SCHOOL)
    for _ in range(5):
        await people.sign_in_guard.admit_code(Candidate(MONA, HOME, user_id=mona.id, since_ms=mona.unlocked_ms))
    assert (await shown(people, mona)).places == 2
    await User.rows().update_one({"_id": mona.id}, {"$set": {"password_reset_ms": people.clock.now_ms()}})
    assert (await shown(people, mona)).places == 1


async def test_an_account_that_is_guessed_at_from_everywhere_is_shut_to_strangers(people: People, mona: User) -> None:
    for number in range(25):
        await fail(people, Device("x", f"192.0.2.{number}"), 4)
    seen = await shown(people, mona)
    assert (seen.places, seen.until) == (0, None)
    assert seen.shut_until == people.clock.now() + timedelta(seconds=36)
    people.clock.advance(37)
    assert (await shown(people, mona)).shut_until is None


async def test_others_are_not_told(people: People, mona: User) -> None:
    locks = AccountLocks(clock=people.clock, guard=people.sign_in_guard)
    for somebody in (Actor("usr_1", Role.STUDENT), Actor("usr_2", Role.INSTRUCTOR)):
        with pytest.raises(Refused) as refused:
            await locks.show(somebody, mona.id)
        assert refused.value.code is Code.FORBIDDEN
    with pytest.raises(Refused) as refused:
        await locks.show(ADMIN, "usr_nobody")
    assert refused.value.code is Code.NOT_FOUND
