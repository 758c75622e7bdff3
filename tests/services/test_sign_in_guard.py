"""Guessing at the entrance: who locks himself out, who is not, and that accounts that do not exist look like any other."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import bcrypt
import pytest

from documents.job import Job
from documents.user import User
from lms_rt.contracts.accounts import SignInDraft, TokensView
from lms_rt.errors import Code, Refused
from lms_rt.security.sessions import Device
from lms_rt.security.sign_in_guard import Candidate
from tests.services.people import PASSWORD, People

MONA, NOBODY = "mona@example.org", "nobody@example.org"
SCHOOL, HOME, ELSEWHERE = Device("Firefox", "203.0.113.9"), Device("Firefox", "198.51.100.7"), "192.0.2."
WRONG = "not the password 7"


async def tried(people: People, device: Device, *, email: str = MONA, password: str = WRONG) -> Code | None:
    """Why somebody did not get in; None: they did."""
    try:
        await people.accounts.login(SignInDraft(email=email, password=password), device)
    except Refused as refused:
        return refused.code
    return None


async def fail(people: People, device: Device, times: int, *, email: str = MONA) -> list[Code | None]:
    return [await tried(people, device, email=email) for _ in range(times)]


async def known_browser(people: People, email: str = MONA, address: str = SCHOOL.address) -> Device:
    """A browser with which this account has signed in."""
    tokens = await people.accounts.login(SignInDraft(email=email, password=PASSWORD), Device("Firefox", address))
    return Device("Firefox", address, mark=people.device_marks.renewed("", tokens.user.id))


async def mails(template: str) -> list[dict[str, Any]]:
    rows = [row async for row in Job.rows().find({"args.template": template})]
    return [row["args"] for row in rows]


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Every password that was really tried."""
    digests: list[bytes] = []
    real = bcrypt.checkpw

    def checkpw(password: bytes, stored: bytes) -> bool:
        digests.append(password)
        return real(password, stored)

    monkeypatch.setattr(bcrypt, "checkpw", checkpw)
    return digests


@pytest.fixture
async def mona(people: People) -> TokensView:
    return await people.join(MONA)


@pytest.mark.usefixtures("mona")
class TestTheLock:
    async def test_five_failures_lock_the_account_at_that_address(self, people: People) -> None:
        assert await fail(people, SCHOOL, 6) == [*[Code.INVALID_CREDENTIALS] * 5, Code.ACCOUNT_LOCKED]
        assert await tried(people, SCHOOL, password=PASSWORD) is Code.ACCOUNT_LOCKED
        assert await tried(people, HOME, password=PASSWORD) is None
        people.clock.advance(15 * 60 + 1)
        assert await tried(people, SCHOOL, password=PASSWORD) is None

    async def test_it_says_when_to_come_again(self, people: People) -> None:
        await fail(people, SCHOOL, 5)
        people.clock.advance(60)
        with pytest.raises(Refused) as refused:
            await people.accounts.login(SignInDraft(email=MONA, password=PASSWORD), SCHOOL)
        assert refused.value.data == {"retry_after_seconds": 14 * 60}

    async def test_a_locked_account_costs_no_hashing(self, people: People, hashed: list[bytes]) -> None:
        await fail(people, SCHOOL, 5)
        before = len(hashed)
        await fail(people, SCHOOL, 10)
        assert len(hashed) == before

    async def test_nobody_is_locked_like_somebody(self, people: People) -> None:
        """Else the lock would tell who has an account."""
        words = []
        for email in (MONA, NOBODY, "no address", "MONA@Example.org "):
            for _ in range(6):
                try:
                    await people.accounts.login(SignInDraft(email=email, password=WRONG), Device("x", f"a{email}"))
                except Refused as refused:
                    words.append((refused.code, refused.detail, refused.data))
        assert words[:6] == words[6:12] == words[12:18] == words[18:]

    async def test_another_spelling_is_the_same_account(self, people: People) -> None:
        await fail(people, SCHOOL, 3)
        assert (await fail(people, SCHOOL, 3, email="MONA@Example.org"))[-1] is Code.ACCOUNT_LOCKED

    async def test_who_gets_in_begins_anew(self, people: People) -> None:
        await fail(people, SCHOOL, 4)
        assert await tried(people, SCHOOL, password=PASSWORD) is None
        assert Code.ACCOUNT_LOCKED not in await fail(people, SCHOOL, 5)

    async def test_failures_of_long_ago_do_not_count(self, people: People) -> None:
        await fail(people, SCHOOL, 4)
        people.clock.advance(15 * 60 + 1)
        assert Code.ACCOUNT_LOCKED not in await fail(people, SCHOOL, 4)

    async def test_the_right_password_of_a_closed_account_is_a_failure_too(self, people: People) -> None:
        await User.rows().update_one({"email_key": MONA}, {"$set": {"is_active": False}})
        answers = [await tried(people, SCHOOL, password=PASSWORD) for _ in range(6)]
        assert answers == [*[Code.INVALID_CREDENTIALS] * 5, Code.ACCOUNT_LOCKED]

    async def test_an_administrator_opens_it(self, people: People, mona: TokensView) -> None:
        await fail(people, SCHOOL, 6)
        await User.rows().update_one({"_id": mona.user.id}, {"$set": {"unlocked_ms": people.clock.now_ms()}})
        assert await tried(people, SCHOOL, password=PASSWORD) is None

    async def test_its_owner_is_told_once(self, people: People, mona: TokensView) -> None:
        for number in range(3):
            await fail(people, Device("x", f"{ELSEWHERE}{number}"), 7)
        await fail(people, SCHOOL, 6, email=NOBODY)
        await people.later.settled()
        (told,) = await mails("account_locked")
        assert told["user_id"] == mona.user.id
        people.clock.advance(2 * 3600)
        await fail(people, SCHOOL, 5)
        await people.later.settled()
        assert len(await mails("account_locked")) == 2

    async def test_showing_a_password_again_is_counted_with_the_entrance(
        self, people: People, mona: TokensView, hashed: list[bytes]
    ) -> None:
        """Who holds a stolen access token guesses no more often than anybody else."""
        user = await User.find_by_id(mona.user.id)
        assert user is not None
        for _ in range(5):
            with pytest.raises(Refused):
                await people.sign_ins.require_password(user, WRONG, SCHOOL)
        before = len(hashed)
        with pytest.raises(Refused) as refused:
            await people.sign_ins.require_password(user, PASSWORD, SCHOOL)
        assert refused.value.code is Code.ACCOUNT_LOCKED
        assert len(hashed) == before
        await people.sign_ins.require_password(user, PASSWORD, HOME)


@pytest.mark.usefixtures("mona")
class TestBrowsersThatAreKnown:
    async def test_neither_strangers_nor_classmates_lock_an_owner_out(self, people: People) -> None:
        browser = await known_browser(people)
        await fail(people, SCHOOL, 20)  # somebody else behind the same address
        assert await tried(people, SCHOOL, password=PASSWORD) in {Code.ACCOUNT_LOCKED, Code.RATE_LIMITED}
        assert await tried(people, browser, password=PASSWORD) is None

    async def test_a_known_browser_has_five_failures_of_its_own(self, people: People) -> None:
        browser = await known_browser(people)
        assert (await fail(people, browser, 6))[-1] is Code.ACCOUNT_LOCKED
        elsewhere = Device("Firefox", HOME.address, mark=browser.mark)
        assert await tried(people, elsewhere, password=PASSWORD) is Code.ACCOUNT_LOCKED
        assert await tried(people, SCHOOL, password=PASSWORD) is None

    async def test_the_browser_of_another_account_counts_for_nothing(self, people: People) -> None:
        """Or a guesser would only have to sign in as himself first."""
        await people.join("guesser@example.org")
        guesser = await known_browser(people, "guesser@example.org")
        await fail(people, SCHOOL, 5)
        assert await tried(people, guesser, password=PASSWORD) is Code.ACCOUNT_LOCKED

    async def test_a_forged_mark_counts_for_nothing(self, people: People) -> None:
        browser = await known_browser(people)
        await fail(people, SCHOOL, 5)
        for mark in (browser.mark[:-1], browser.mark + "A", browser.mark.split("!")[0], "!", "x" * 9_000, "ك"):
            forged = Device("Firefox", SCHOOL.address, mark=mark)
            assert await tried(people, forged, password=PASSWORD) is Code.ACCOUNT_LOCKED

    async def test_a_known_browser_does_not_wait_for_an_address_that_guesses(self, people: People) -> None:
        browser = await known_browser(people)
        for number in range(15):
            await tried(people, SCHOOL, email=f"somebody{number}@example.org")
        assert await tried(people, SCHOOL, password=PASSWORD) is Code.RATE_LIMITED
        assert await tried(people, browser, password=PASSWORD) is None


class TestManyAtOnce:
    @pytest.mark.usefixtures("mona")
    async def test_of_many_guesses_at_once_five_are_tried(self, people: People, hashed: list[bytes]) -> None:
        answers = await asyncio.gather(*(tried(people, SCHOOL, password=f"guess {n}") for n in range(200)))
        assert answers.count(Code.INVALID_CREDENTIALS) == 5
        assert set(answers) <= {Code.INVALID_CREDENTIALS, Code.ACCOUNT_LOCKED, Code.BUSY}
        assert len(set(hashed)) == 5

    async def test_one_address_fails_ten_times_a_minute_whatever_accounts_it_tries(
        self, people: People, hashed: list[bytes]
    ) -> None:
        answers = await asyncio.gather(*(tried(people, SCHOOL, email=f"n{n}@example.org") for n in range(40)))
        assert answers.count(Code.INVALID_CREDENTIALS) == 10
        assert answers.count(Code.RATE_LIMITED) == 30
        assert len(hashed) == 10
        people.clock.advance(6)
        assert await tried(people, SCHOOL, email="n99@example.org") is Code.INVALID_CREDENTIALS

    async def test_thirty_students_at_nine_get_in_from_one_address(self, people: People) -> None:
        """All at once, six of them with a slip before."""
        emails = [f"student{number}@example.org" for number in range(30)]
        for email in emails:
            await people.join(email)
        slips = await asyncio.gather(*(tried(people, SCHOOL, email=email) for email in emails[:6]))
        assert set(slips) == {Code.INVALID_CREDENTIALS}
        answers = await asyncio.gather(*(tried(people, SCHOOL, email=email, password=PASSWORD) for email in emails))
        assert set(answers) == {None}

    @pytest.mark.usefixtures("mona")
    async def test_one_address_does_not_fill_the_queue(self, people: People) -> None:
        release = threading.Event()
        held = asyncio.create_task(people.passwords._pool.run(lambda: release.wait(20)))
        crowd = [asyncio.create_task(tried(people, SCHOOL, email=f"n{n}@example.org")) for n in range(200)]
        async with asyncio.timeout(20):
            while sum(task.done() for task in crowd) < 159:  # noqa: ASYNC110 - the others wait for their turn
                await asyncio.sleep(0)
        mine = asyncio.create_task(tried(people, HOME, password=PASSWORD))
        release.set()
        assert [await task for task in crowd].count(Code.BUSY) == 159
        assert await mine is None
        assert await held

    @pytest.mark.usefixtures("mona")
    async def test_one_account_does_not_fill_the_queue_by_many_browsers(self, people: People) -> None:
        """Each sign-in without a mark makes a browser that is known, and a right password is never locked."""
        await people.join("omar@example.org")
        marks = [await known_browser(people) for _ in range(2)]
        omars = await known_browser(people, "omar@example.org")
        release = threading.Event()
        held = asyncio.create_task(people.passwords._pool.run(lambda: release.wait(20)))
        crowd = [asyncio.create_task(tried(people, marks[n % 2], password=PASSWORD)) for n in range(80)]
        async with asyncio.timeout(20):
            while sum(task.done() for task in crowd) < 75:  # noqa: ASYNC110 - the others wait for their turn
                await asyncio.sleep(0)
        others = [
            asyncio.create_task(tried(people, place, email="omar@example.org", password=PASSWORD))
            for place in (HOME, SCHOOL, omars)
        ]
        owner = asyncio.create_task(tried(people, SCHOOL, password=PASSWORD))  # from where she is not known
        release.set()
        assert [await task for task in crowd].count(Code.BUSY) == 75
        assert [await task for task in (*others, owner)] == [None] * 4
        assert await held

    async def test_one_address_does_not_fill_the_queue_by_many_accounts(self, people: People) -> None:
        """Strangers and browsers that are known together; strangers alone leave some to those that are known."""
        emails = [f"n{number}@example.org" for number in range(20)]
        known = []
        for email in emails:
            await people.join(email)
            known.append((email, await known_browser(people, email)))
        release = threading.Event()
        held = asyncio.create_task(people.passwords._pool.run(lambda: release.wait(20)))
        crowd = [asyncio.create_task(tried(people, SCHOOL, email=emails[n % 20], password=PASSWORD)) for n in range(60)]
        crowd += [asyncio.create_task(tried(people, place, email=email, password=PASSWORD)) for email, place in known]
        async with asyncio.timeout(20):
            while sum(task.done() for task in crowd) < 27:  # noqa: ASYNC110 - the others wait for their turn
                await asyncio.sleep(0)
        mine = asyncio.create_task(tried(people, HOME, email=emails[0], password=PASSWORD))
        release.set()
        answers = [await task for task in crowd]
        assert (answers[:60].count(None), answers[60:].count(None)) == (41, 12)
        assert await mine is None
        assert await held

    @pytest.mark.usefixtures("mona")
    async def test_many_addresses_share_what_is_left_of_an_account(self, people: People) -> None:
        """Who takes turns at it from everywhere ends too; the browsers that the account knows do not feel it."""
        browser = await known_browser(people)
        answers: list[Code | None] = []
        for number in range(26):
            answers += await fail(people, Device("x", f"{ELSEWHERE}{number}"), 4)
        assert answers.count(Code.INVALID_CREDENTIALS) == 100
        assert answers[-1] is Code.ACCOUNT_LOCKED
        assert await tried(people, browser, password=PASSWORD) is None

    async def test_a_household_of_ipv6_is_one_address(self, people: People) -> None:
        answers = [
            await tried(people, Device("x", f"2001:db8:1:2::{number:x}"), email=f"n{number}@example.org")
            for number in range(11)
        ]
        assert answers[-1] is Code.RATE_LIMITED
        assert await tried(people, Device("x", "2001:db8:1:3::1"), email=MONA) is Code.INVALID_CREDENTIALS


class TestCodes:
    """The second step; what a code is, is others' affair."""

    async def tried(
        self, people: People, device: Device, *, account: str = MONA, is_right: bool = False
    ) -> Code | None:
        try:
            admission = await people.sign_in_guard.admit_code(Candidate(account, device, user_id=f"usr_{account}"))
        except Refused as refused:
            return refused.code
        await (admission.succeeded() if is_right else admission.failed())
        return None if is_right else Code.INVALID_CODE

    async def test_they_are_counted_wherever_they_come_from(self, people: People) -> None:
        places = [Device("x", f"{ELSEWHERE}{number}") for number in range(6)]
        answers = [await self.tried(people, place) for place in places]
        assert answers == [*[Code.INVALID_CODE] * 5, Code.ACCOUNT_LOCKED]
        mark = people.device_marks.renewed("", f"usr_{MONA}")
        assert await self.tried(people, Device("x", ELSEWHERE, mark=mark), is_right=True) is None
        assert await self.tried(people, SCHOOL, is_right=True) is Code.ACCOUNT_LOCKED

    async def test_a_right_one_begins_anew(self, people: People) -> None:
        for _ in range(3):
            answers = [await self.tried(people, SCHOOL) for _ in range(3)]
            assert answers == [Code.INVALID_CODE] * 3
            assert await self.tried(people, SCHOOL, is_right=True) is None
            people.clock.advance(60)

    async def test_wrong_ones_count_among_the_failures_of_their_address(self, people: People) -> None:
        for number in range(10):
            assert await self.tried(people, SCHOOL, account=f"n{number}@example.org") is Code.INVALID_CODE
        assert await self.tried(people, SCHOOL, account="n99@example.org", is_right=True) is Code.RATE_LIMITED
        assert await tried(people, SCHOOL, email="n99@example.org") is Code.RATE_LIMITED

    async def test_thirty_right_ones_at_once_are_not_too_many(self, people: People) -> None:
        accounts = [f"student{number}@example.org" for number in range(30)]
        answers = await asyncio.gather(
            *(self.tried(people, SCHOOL, account=account, is_right=True) for account in accounts)
        )
        assert set(answers) == {None}


class TestNewDevices:
    async def test_its_owner_is_told_of_a_sign_in_from_somewhere_new(self, people: People, mona: TokensView) -> None:
        await people.accounts.login(SignInDraft(email=MONA, password=PASSWORD), HOME)
        (told,) = await mails("new_device")
        assert told["user_id"] == mona.user.id
        assert told["data"]["device"] == "Firefox"
        assert told["data"]["ip_address"] == HOME.address

    @pytest.mark.usefixtures("mona")
    async def test_and_of_none_that_is_known(self, people: People) -> None:
        browser = await known_browser(people)
        before = len(await mails("new_device"))
        await people.accounts.login(SignInDraft(email=MONA, password=PASSWORD), SCHOOL)  # a program, from there again
        moved = Device("Firefox 2", HOME.address, mark=browser.mark)
        await people.accounts.login(SignInDraft(email=MONA, password=PASSWORD), moved)
        assert len(await mails("new_device")) == before

    async def test_after_a_reset_by_mail_every_browser_is_new(self, people: People, mona: TokensView) -> None:
        """Whoever had taken the account over is told of like anybody, and counted like anybody."""
        thief, own = await known_browser(people, address=HOME.address), await known_browser(people)
        before = len(await mails("new_device"))
        people.clock.advance(60)
        await User.rows().update_one({"_id": mona.user.id}, {"$set": {"password_reset_ms": people.clock.now_ms()}})
        people.clock.advance(60)
        assert await fail(people, thief, 6) == [*[Code.INVALID_CREDENTIALS] * 5, Code.ACCOUNT_LOCKED]
        assert await tried(people, Device("Firefox", thief.address), password=PASSWORD) is Code.ACCOUNT_LOCKED
        await people.accounts.login(SignInDraft(email=MONA, password=PASSWORD), SCHOOL)
        assert len(await mails("new_device")) == before + 1, "though somebody had signed in there before"
        elsewhere = Device("Firefox", f"{ELSEWHERE}1", mark=own.mark)
        tokens = await people.accounts.login(SignInDraft(email=MONA, password=PASSWORD), elsewhere)
        assert len(await mails("new_device")) == before + 2, "nor is a mark from before known"
        mark = people.device_marks.renewed("", mona.user.id, since_ms=tokens.marks_since_ms)
        assert await tried(people, Device("Firefox", thief.address, mark=mark), password=PASSWORD) is None

    @pytest.mark.usefixtures("mona")
    async def test_a_fault_at_the_session_keeps_no_owner_from_being_told(
        self, people: People, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def away(*_: Any, **__: Any) -> None:
            raise Refused(Code.UNAVAILABLE)

        monkeypatch.setattr(people.sessions, "begin", away)
        assert await tried(people, HOME, password=PASSWORD) is Code.UNAVAILABLE
        monkeypatch.undo()
        assert await tried(people, HOME, password=PASSWORD) is None
        assert len(await mails("new_device")) == 1

    async def test_who_registers_is_not_told_of_himself(self, people: People) -> None:
        await people.join("new@example.org")
        assert await mails("new_device") == []
