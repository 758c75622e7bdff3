"""The second step of signing in: what opens, what does not, how often, and what ends a challenge."""

from __future__ import annotations

import asyncio
from typing import Any
from unittest.mock import AsyncMock

import pytest
from pymongo.errors import AutoReconnect

from config.settings import Settings
from documents.one_time import OneTime
from documents.user import User
from lms_rt.contracts.accounts import TokensView
from lms_rt.contracts.mfa import MfaEnd
from lms_rt.errors import Code, Refused
from lms_rt.security.sessions import UNKNOWN_DEVICE, Device
from lms_rt.security.sign_in_guard import Candidate, Locked
from lms_rt.storage.mongo import OpenDatabase
from tests.services.people import PASSWORD, People, open_people
from tests.services.second_steps import Steps, steps_of


@pytest.fixture
def steps(people: People) -> Steps:
    return steps_of(people)


# --- codes of an app ---


async def test_a_code_opens_and_nothing_before_it(steps: Steps) -> None:
    mona = await steps.with_app()
    before = await User.find_by_id(mona.user_id)
    challenge = await steps.challenge()
    after = await User.find_by_id(mona.user_id)
    assert before is not None
    assert after is not None
    assert after.last_login_at == before.last_login_at  # the password alone is no sign-in
    tokens = await steps.answer(challenge, steps.app_code(mona.secret))
    assert tokens.user.id == mona.user_id
    assert await steps.people.refusal(tokens.access_token) is None


async def test_a_challenge_is_no_access(steps: Steps) -> None:
    await steps.with_app()
    challenge = await steps.challenge()
    assert await steps.people.refusal(challenge.challenge_token) is Code.INVALID_TOKEN
    assert await steps.people.refresh_refusal(challenge.challenge_token) is Code.INVALID_TOKEN


async def test_a_code_that_was_used_opens_nothing_any_more(steps: Steps) -> None:
    mona = await steps.with_app()
    code = steps.app_code(mona.secret)
    assert await steps.answer(await steps.challenge(), code)
    assert await steps.refusal(await steps.challenge(), code) is Code.INVALID_CODE
    # Nor does the one before it, which was never used: whoever looked over a shoulder has it too.
    assert await steps.refusal(await steps.challenge(), steps.app_code(mona.secret, steps=-1)) is Code.INVALID_CODE
    assert await steps.answer(await steps.challenge(), steps.app_code(mona.secret, steps=1))


async def test_the_code_that_set_it_up_opens_nothing(steps: Steps) -> None:
    mona = await steps.with_app(seconds_ago=0)
    assert await steps.refusal(await steps.challenge(), steps.app_code(mona.secret)) is Code.INVALID_CODE


async def test_of_many_at_once_with_one_code_one_gets_in(steps: Steps) -> None:
    mona = await steps.with_app()
    challenges = [await steps.challenge() for _ in range(5)]
    code = steps.app_code(mona.secret)
    outcomes = await asyncio.gather(*(steps.answer(each, code) for each in challenges), return_exceptions=True)
    assert sum(isinstance(outcome, TokensView) for outcome in outcomes) == 1


async def test_who_comes_a_moment_later_with_the_same_code_stays_out(steps: Steps) -> None:
    mona = await steps.with_app()
    code, known = steps.app_code(mona.secret), await User.find_by_id(mona.user_id)
    assert known is not None
    await steps.codes.require_code(known, code, occasion=None)
    with pytest.raises(Refused) as refused:  # both had read the account before either code was taken
        await steps.codes.require_code(known, code, occasion=None)
    assert refused.value.code is Code.INVALID_CODE


async def test_a_challenge_opens_once(steps: Steps) -> None:
    mona = await steps.with_app()
    challenge = await steps.challenge()
    assert await steps.answer(challenge, mona.recovery_codes[0])
    assert await steps.refusal(challenge, mona.recovery_codes[1]) is Code.INVALID_TOKEN
    assert len((await steps.row())["mfa"]["recovery"]) == 9


# --- recovery codes ---


async def test_each_recovery_code_opens_once(steps: Steps) -> None:
    mona = await steps.with_app()
    typed = mona.recovery_codes[0].lower().replace("-", " ")
    assert await steps.answer(await steps.challenge(), typed)
    assert await steps.refusal(await steps.challenge(), mona.recovery_codes[0]) is Code.INVALID_CODE
    assert await steps.answer(await steps.challenge(), mona.recovery_codes[9])


async def test_of_many_at_once_with_one_recovery_code_one_gets_in(steps: Steps) -> None:
    mona = await steps.with_app()
    challenges = [await steps.challenge() for _ in range(5)]
    code = mona.recovery_codes[4]
    outcomes = await asyncio.gather(*(steps.answer(each, code) for each in challenges), return_exceptions=True)
    assert sum(isinstance(outcome, TokensView) for outcome in outcomes) == 1


async def test_recovery_codes_are_their_owners_alone(steps: Steps) -> None:
    mona = await steps.with_app()
    await steps.with_app("omar@example.org")
    assert await steps.refusal(await steps.challenge("omar@example.org"), mona.recovery_codes[0]) is Code.INVALID_CODE


# --- guessing ---


async def test_guesses_count_over_all_challenges(steps: Steps) -> None:
    mona = await steps.with_app()
    for number in range(5):
        assert await steps.refusal(await steps.challenge(), f"00000{number}") is Code.INVALID_CODE
    challenge = await steps.challenge()
    with pytest.raises(Refused) as refused:
        await steps.answer(challenge, steps.app_code(mona.secret))
    assert refused.value.code is Code.ACCOUNT_LOCKED
    assert 0 < refused.value.data["retry_after_seconds"] <= 900
    assert len(await steps.mails("account_locked")) == 1
    steps.people.clock.advance(901)
    assert await steps.answer(await steps.challenge(), steps.app_code(mona.secret))


async def test_of_many_guesses_at_once_five_are_looked_at(steps: Steps) -> None:
    await steps.with_app()
    challenges = [await steps.challenge() for _ in range(20)]
    refusals = await asyncio.gather(*(steps.refusal(each, "000000") for each in challenges))
    assert refusals.count(Code.INVALID_CODE) == 5
    assert refusals.count(Code.ACCOUNT_LOCKED) == 15


async def test_a_code_that_was_right_forgets_the_wrong_ones(steps: Steps) -> None:
    mona = await steps.with_app()
    for _ in range(2):
        for _ in range(4):
            assert await steps.refusal(await steps.challenge(), "000000") is Code.INVALID_CODE
        assert await steps.answer(await steps.challenge(), steps.app_code(mona.secret))
        steps.people.clock.advance(60)


async def test_codes_that_nobody_could_look_at_are_no_failures(steps: Steps, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database is away for a moment, and its people press again and again."""
    mona = await steps.with_app()
    for _ in range(4):
        assert await steps.refusal(await steps.challenge(), "000000") is Code.INVALID_CODE
    challenge, add_try = await steps.challenge(), OneTime.add_try
    monkeypatch.setattr(OneTime, "add_try", AsyncMock(side_effect=AutoReconnect("away")))
    for _ in range(6):
        with pytest.raises(AutoReconnect):
            await steps.refusal(challenge, steps.app_code(mona.secret))
    monkeypatch.setattr(OneTime, "add_try", AsyncMock(side_effect=Refused(Code.UNAVAILABLE)))
    assert await steps.refusal(challenge, steps.app_code(mona.secret)) is Code.UNAVAILABLE
    monkeypatch.setattr(OneTime, "add_try", add_try)
    assert await steps.refusal(challenge, "000000") is Code.INVALID_CODE, "the fifth"
    assert await steps.refusal(challenge, steps.app_code(mona.secret)) is Code.ACCOUNT_LOCKED


async def test_who_presses_on_after_five_wrong_codes_locks_nothing(settings: Settings, database: OpenDatabase) -> None:
    """Its owner is told of a lock, so none comes from what is not looked at any more."""
    async with open_people(settings.model_copy(update={"sign_in_lock_failures": 8})) as people:
        steps = steps_of(people)
        mona = await steps.with_app()
        challenge = await steps.challenge()
        refusals = [await steps.refusal(challenge, "000000") for _ in range(9)]
        assert refusals == [Code.INVALID_CODE] * 5 + [Code.INVALID_TOKEN] * 4
        account = Candidate("mona@example.org", UNKNOWN_DEVICE, user_id=mona.user_id)
        assert await people.sign_in_guard.find_locked(account, account) == Locked()
        challenge = await steps.challenge()
        refusals = [await steps.refusal(challenge, "000000") for _ in range(3)]
        assert refusals == [Code.INVALID_CODE] * 3
        assert await steps.refusal(await steps.challenge(), steps.app_code(mona.secret)) is Code.ACCOUNT_LOCKED
        assert len(await steps.mails("account_locked")) == 1


async def test_who_guesses_elsewhere_does_not_lock_the_owner_out(steps: Steps) -> None:
    mona = await steps.with_app()
    own = Device("Firefox", "192.0.2.7", mark=steps.people.device_marks.renewed("", mona.user_id))
    for _ in range(5):
        await steps.refusal(await steps.challenge(), "000000", Device("curl", "198.51.100.9"))
    assert await steps.refusal(await steps.challenge(), "000000") is Code.ACCOUNT_LOCKED
    assert await steps.answer(await steps.challenge(), steps.app_code(mona.secret), own)


async def test_five_wrong_codes_end_a_challenge(steps: Steps) -> None:
    mona = await steps.with_app()
    challenge = await steps.challenge()
    own = Device("Firefox", "192.0.2.7", mark=steps.people.device_marks.renewed("", mona.user_id))
    for number in range(5):
        assert await steps.refusal(challenge, "000000", UNKNOWN_DEVICE if number % 2 else own) is Code.INVALID_CODE
    assert await steps.refusal(challenge, steps.app_code(mona.secret), own) is Code.INVALID_TOKEN


# --- what ends a challenge ---


async def test_a_challenge_is_over_after_ten_minutes(steps: Steps) -> None:
    mona = await steps.with_app()
    challenge = await steps.challenge()
    steps.people.clock.advance(600)
    assert await steps.refusal(challenge, steps.app_code(mona.secret)) is Code.TOKEN_EXPIRED


async def test_an_end_of_all_sessions_ends_what_was_half_way_in(steps: Steps) -> None:
    mona = await steps.with_app()
    challenge = await steps.challenge()
    steps.people.clock.advance(1)
    await steps.people.sessions.end_all(mona.user_id, reason="password_changed")
    assert await steps.refusal(challenge, steps.app_code(mona.secret)) is Code.INVALID_TOKEN
    assert await steps.answer(await steps.challenge(), steps.app_code(mona.secret))


async def test_who_was_shut_out_half_way_in_stays_out(steps: Steps) -> None:
    mona = await steps.with_app()
    challenge = await steps.challenge()
    await User.rows().update_one({"_id": mona.user_id}, {"$set": {"is_active": False}})
    assert await steps.refusal(challenge, steps.app_code(mona.secret)) is Code.INVALID_TOKEN


async def test_a_challenge_of_a_step_that_was_switched_off_opens_nothing(steps: Steps) -> None:
    mona = await steps.with_app()
    challenge = await steps.challenge()
    await steps.mfa.disable(mona.actor, MfaEnd(password=PASSWORD, code=mona.recovery_codes[0]))
    assert await steps.refusal(challenge, steps.app_code(mona.secret)) is Code.INVALID_TOKEN


@pytest.mark.parametrize("token", ["made up", "x" * 128, "{'$ne': null}", "../..", "\ud800"])
async def test_a_token_that_is_none_of_ours_opens_nothing(steps: Steps, token: str) -> None:
    mona = await steps.with_app()
    challenge = (await steps.challenge()).model_copy(update={"challenge_token": token})
    draft: Any = challenge
    try:
        assert await steps.refusal(draft, steps.app_code(mona.secret)) is Code.INVALID_TOKEN
    except ValueError:  # the border takes no lone surrogates
        assert token == "\ud800"


# --- codes by mail ---


async def test_signing_in_sends_a_code(steps: Steps) -> None:
    await steps.with_mail()
    challenge = await steps.challenge()
    assert await steps.answer(challenge, await steps.mailed_code())


async def test_a_code_by_mail_belongs_to_its_challenge(steps: Steps) -> None:
    await steps.with_mail()
    former = await steps.challenge()
    code = await steps.mailed_code()
    steps.people.clock.advance(1)
    latter = await steps.challenge()
    assert await steps.refusal(former, code) is Code.INVALID_TOKEN
    assert await steps.refusal(latter, code) is Code.INVALID_CODE
    assert await steps.answer(latter, await steps.mailed_code())


async def test_another_code_is_sent_after_a_minute_and_voids_the_one_before(steps: Steps) -> None:
    await steps.with_mail()
    challenge = await steps.challenge()
    former = await steps.mailed_code()
    with pytest.raises(Refused) as refused:
        await steps.second_steps.send_again(challenge.challenge_token)
    assert refused.value.code is Code.RATE_LIMITED
    assert refused.value.data["retry_after_seconds"] == 60
    steps.people.clock.advance(60)
    assert (await steps.second_steps.send_again(challenge.challenge_token)).expires_in == 540
    assert await steps.refusal(challenge, former) is Code.INVALID_CODE
    assert await steps.answer(challenge, await steps.mailed_code())


async def test_of_many_who_ask_again_at_once_one_mail_comes(steps: Steps) -> None:
    await steps.with_mail()
    challenge = await steps.challenge()
    steps.people.clock.advance(60)
    before = len(await steps.mails("mfa_code"))
    asked = (steps.second_steps.send_again(challenge.challenge_token) for _ in range(6))
    await asyncio.gather(*asked, return_exceptions=True)
    assert len(await steps.mails("mfa_code")) == before + 1


async def test_a_mailbox_is_not_for_filling(steps: Steps) -> None:
    await steps.with_mail()
    for _ in range(5):
        await steps.challenge()
    with pytest.raises(Refused) as refused:
        await steps.people.sign_in()
    assert refused.value.code is Code.RATE_LIMITED
    steps.people.clock.advance(900)
    assert (await steps.challenge()).mfa_required


async def test_an_app_sends_no_mails(steps: Steps) -> None:
    await steps.with_app()
    challenge = await steps.challenge()
    steps.people.clock.advance(60)
    with pytest.raises(Refused) as refused:
        await steps.second_steps.send_again(challenge.challenge_token)
    assert refused.value.code is Code.CONFLICT
    assert await steps.mails("mfa_code") == []


# --- keys ---


async def test_apps_hold_across_a_change_of_the_secret_key(settings: Settings, database: OpenDatabase) -> None:
    former = settings.secret_key.get_secret_value()
    async with open_people(settings) as people:
        mona = await steps_of(people).with_app()
        clock = people.clock
    for previous, expected in ((former, None), ("", Code.INVALID_CODE)):
        changed = {"secret_key": "n" * 32, "secret_key_previous": previous}
        now = Settings.model_validate({**settings.model_dump(), **changed})
        clock.advance(60)
        async with open_people(now, clock=clock) as people:
            steps = steps_of(people)
            challenge, code = await steps.challenge(), steps.app_code(mona.secret)
            if expected is None:
                assert await steps.answer(challenge, code)
            else:
                assert await steps.refusal(challenge, code) is expected
                assert await steps.answer(challenge, mona.recovery_codes[0])
