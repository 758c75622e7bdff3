"""Rights that hold once: for one caller, for one thing, for a while, for so many tries."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from config.settings import Settings
from documents.one_time import OneTime, Purpose
from lms_rt.clock import FakeClock
from lms_rt.errors import Code, Refused
from lms_rt.security.keyring import Keyring
from lms_rt.security.one_time import MAX_HELD, OneTimeTokens
from lms_rt.storage.mongo import OpenDatabase

HOUR = timedelta(hours=1)
KEY = "0123456789abcdefghijklmnopqrstuv"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def tokens(database: OpenDatabase, settings: Settings, clock: FakeClock) -> OneTimeTokens:
    return OneTimeTokens(keyring=Keyring(KEY), clock=clock)


async def code(work: object) -> Code | None:
    try:
        await work  # type: ignore[misc]
    except Refused as refused:
        return refused.code
    return None


async def test_of_many_uses_at_once_one_counts(tokens: OneTimeTokens) -> None:
    issued = await tokens.issue(Purpose.MFA_CHALLENGE, "usr_a", life=HOUR)
    right = await tokens.find(issued.token, Purpose.MFA_CHALLENGE)
    codes = await asyncio.gather(*(code(tokens.use(right)) for _ in range(8)))
    assert (codes.count(None), codes.count(Code.INVALID_TOKEN)) == (1, 7)
    assert await code(tokens.find(issued.token, Purpose.MFA_CHALLENGE)) is Code.INVALID_TOKEN


@pytest.mark.parametrize("asked", [purpose for purpose in Purpose if purpose is not Purpose.VERIFY_EMAIL])
async def test_a_right_for_one_thing_is_none_for_another(tokens: OneTimeTokens, asked: Purpose) -> None:
    issued = await tokens.issue(Purpose.VERIFY_EMAIL, "usr_a", life=HOUR)
    assert await code(tokens.find(issued.token, asked)) is Code.INVALID_TOKEN
    assert await code(tokens.find(issued.token * 9, Purpose.VERIFY_EMAIL)) is Code.INVALID_TOKEN


async def test_what_ran_out_meanwhile_is_not_used(tokens: OneTimeTokens, clock: FakeClock) -> None:
    issued = await tokens.issue(Purpose.PASSWORD_RESET, "usr_a", life=HOUR)
    right = await tokens.find(issued.token, Purpose.PASSWORD_RESET)
    clock.advance(3_600)
    assert await code(tokens.use(right)) is Code.INVALID_TOKEN
    assert await code(tokens.add_try(right, limit=5)) is Code.INVALID_TOKEN
    assert await code(tokens.find(issued.token, Purpose.PASSWORD_RESET)) is Code.TOKEN_EXPIRED


async def test_of_many_tries_at_once_so_many_are_looked_at(tokens: OneTimeTokens) -> None:
    issued = await tokens.issue(Purpose.MFA_CHALLENGE, "usr_a", life=HOUR)
    right = await tokens.find(issued.token, Purpose.MFA_CHALLENGE)
    codes = await asyncio.gather(*(code(tokens.add_try(right, limit=5)) for _ in range(12)))
    assert codes.count(None) == 5
    assert (await tokens.find(issued.token, Purpose.MFA_CHALLENGE)).tries == 5


async def test_facts_move_only_from_what_they_were(tokens: OneTimeTokens) -> None:
    issued = await tokens.issue(Purpose.MFA_CHALLENGE, "usr_a", life=HOUR, facts={"mails": 1, "kept": "yes"})
    moves = [OneTime.set_facts(issued.record_id, {"mails": 2}, where={"mails": 1}) for _ in range(5)]
    assert sorted(await asyncio.gather(*moves)) == [False] * 4 + [True]
    assert (await tokens.find(issued.token, Purpose.MFA_CHALLENGE)).facts == {"mails": 2, "kept": "yes"}


async def test_what_is_void_opens_nothing_and_the_rest_does(tokens: OneTimeTokens) -> None:
    mine = [await tokens.issue(Purpose.PASSWORD_RESET, "usr_a", life=HOUR) for _ in range(3)]
    other = await tokens.issue(Purpose.PASSWORD_RESET, "usr_b", life=HOUR)
    proof = await tokens.issue(Purpose.VERIFY_EMAIL, "usr_a", life=HOUR)
    await tokens.void("usr_a", Purpose.PASSWORD_RESET, Purpose.INVITATION)
    found = [await code(tokens.find(issued.token, Purpose.PASSWORD_RESET)) for issued in (*mine, other)]
    assert found == [Code.INVALID_TOKEN] * 3 + [None]
    assert (await tokens.find(proof.token, Purpose.VERIFY_EMAIL)).user_id == "usr_a"


async def test_a_mail_that_is_written_again_carries_the_same_token(tokens: OneTimeTokens, clock: FakeClock) -> None:
    first = await tokens.issue_by_mail("job_1", Purpose.PASSWORD_RESET, "usr_a", life=HOUR)
    clock.advance(60)
    again = await tokens.issue_by_mail("job_1", Purpose.PASSWORD_RESET, "usr_a", life=HOUR)
    assert first == again
    other = await tokens.issue_by_mail("job_1", Purpose.INVITATION, "usr_a", life=HOUR)
    assert first is not None
    assert other is not None
    assert first.token != other.token
    await tokens.use(await tokens.find(first.token, Purpose.PASSWORD_RESET))
    assert await tokens.issue_by_mail("job_1", Purpose.PASSWORD_RESET, "usr_a", life=HOUR) is None


async def test_so_many_links_hold_at_once_and_then_again(tokens: OneTimeTokens, clock: FakeClock) -> None:
    async def sent(job_id: str) -> bool:
        return await tokens.issue_by_mail(job_id, Purpose.PASSWORD_RESET, "usr_a", life=HOUR) is not None

    assert [await sent(f"job_{number}") for number in range(MAX_HELD + 1)] == [True] * MAX_HELD + [False]
    assert await sent("job_0"), "one that was written before is written again"
    clock.advance(3_600)
    assert await sent("job_later")


async def test_a_link_of_a_former_key_still_opens(tokens: OneTimeTokens, clock: FakeClock) -> None:
    issued = await tokens.issue_by_mail("job_1", Purpose.PASSWORD_RESET, "usr_a", life=HOUR)
    assert issued is not None
    changed = OneTimeTokens(keyring=Keyring(KEY[::-1], (KEY,)), clock=clock)
    assert (await changed.find(issued.token, Purpose.PASSWORD_RESET)).user_id == "usr_a"


async def test_another_school_does_not_know_the_token_of_the_same_job(clock: FakeClock, database: OpenDatabase) -> None:
    made = [
        await OneTimeTokens(keyring=Keyring(key), clock=clock).issue_by_mail(
            "job_1", Purpose.PASSWORD_RESET, "usr_a", life=HOUR
        )
        for key in (KEY, KEY[::-1])
    ]
    assert len({issued.token for issued in made if issued}) == 2
