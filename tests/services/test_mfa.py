"""Switching the second step on and off: the password again, a first good code, codes that are shown once."""

from __future__ import annotations

from typing import Any

import pytest

from documents.mfa import SecondStep
from documents.user import User
from lms_rt.contracts.base import encode
from lms_rt.contracts.mfa import MailedCodeView, MfaEnd, MfaMethod, MfaRequest, TotpSetupView
from lms_rt.errors import Code, Refused
from tests.services.people import PASSWORD, People
from tests.services.second_steps import Guarded, Steps, steps_of


@pytest.fixture
def steps(people: People) -> Steps:
    return steps_of(people)


async def begun(steps: Steps, actor: Any, method: MfaMethod = "totp", password: str = PASSWORD) -> Any:
    return await steps.mfa.request(actor, MfaRequest(password=password, method=method))


async def refusal(doing: Any) -> Code:
    with pytest.raises(Refused) as refused:
        await doing
    return refused.value.code


# --- on ---


async def test_an_app_is_set_up_and_asked_for_from_then_on(steps: Steps) -> None:
    actor = await steps.joined()
    setup = await begun(steps, actor)
    assert isinstance(setup, TotpSetupView)
    assert setup.secret in setup.otpauth_uri
    assert setup.qr_svg.startswith("<svg ")
    assert await steps.people.sign_in()  # nothing holds yet
    shown = await steps.mfa.confirm(actor, steps.app_code(setup.secret))
    assert len(set(shown.recovery_codes)) == 10
    challenge = await steps.challenge()
    assert challenge.methods == ["totp", "recovery_code"]
    assert challenge.expires_in == 600
    assert (await steps.row())["mfa_enabled"] is True


async def test_its_owner_is_told_by_mail(steps: Steps) -> None:
    mona = await steps.with_app()
    await steps.mfa.disable(mona.actor, MfaEnd(password=PASSWORD, code=steps.app_code(mona.secret)))
    assert [job["args"]["data"]["is_enabled"] for job in await steps.mails("mfa_changed")] == [True, False]


@pytest.mark.parametrize("method", ["totp", "email"])
async def test_a_stolen_session_cannot_switch_it_on_without_the_password(steps: Steps, method: MfaMethod) -> None:
    actor = await steps.joined()
    assert await refusal(begun(steps, actor, method, "river stone 42")) is Code.INVALID_CREDENTIALS
    assert "mfa_pending" not in await steps.row()
    assert await steps.mails("mfa_code") == []


async def test_a_wrong_first_code_switches_nothing_on(steps: Steps) -> None:
    actor = await steps.joined()
    setup = await begun(steps, actor)
    assert await refusal(steps.mfa.confirm(actor, steps.app_code(setup.secret, steps=7))) is Code.INVALID_CODE
    assert await steps.people.sign_in()
    assert (await steps.mfa.confirm(actor, steps.app_code(setup.secret))).recovery_codes


@pytest.mark.parametrize("method", ["totp", "email"])
async def test_after_five_wrong_codes_the_right_one_comes_too_late(steps: Steps, method: MfaMethod) -> None:
    actor = await steps.joined()
    setup = await begun(steps, actor, method)
    right = steps.app_code(setup.secret) if method == "totp" else await steps.mailed_code()
    wrong = "000000" if right != "000000" else "000001"
    for _ in range(5):
        assert await refusal(steps.mfa.confirm(actor, wrong)) is Code.INVALID_CODE
    assert await refusal(steps.mfa.confirm(actor, right)) is Code.INVALID_CODE
    assert await steps.people.sign_in()


async def test_what_was_begun_does_not_wait_for_ever(steps: Steps) -> None:
    actor = await steps.joined()
    setup = await begun(steps, actor)
    steps.people.clock.advance(601)
    assert await refusal(steps.mfa.confirm(actor, steps.app_code(setup.secret))) is Code.INVALID_CODE


async def test_beginning_anew_voids_what_was_begun(steps: Steps) -> None:
    actor = await steps.joined()
    former, latter = await begun(steps, actor), await begun(steps, actor)
    assert await refusal(steps.mfa.confirm(actor, steps.app_code(former.secret))) is Code.INVALID_CODE
    assert await steps.mfa.confirm(actor, steps.app_code(latter.secret))


async def test_what_was_begun_anew_in_the_same_moment_is_not_switched_on(steps: Steps) -> None:
    actor = await steps.joined()
    await begun(steps, actor)
    known = await User.find_by_id(actor.user_id)
    assert known is not None
    assert known.mfa_pending is not None
    await begun(steps, actor)
    step = {"method": "totp", "secret": "", "last_step": 0, "recovery": []}
    assert not await SecondStep.switch_on(known, known.mfa_pending["id"], step, steps.people.clock.now(), intents=[])
    assert await steps.people.sign_in()


async def test_without_having_begun_there_is_nothing_to_confirm(steps: Steps) -> None:
    actor = await steps.joined()
    assert await refusal(steps.mfa.confirm(actor, "123456")) is Code.INVALID_CODE


async def test_what_is_on_is_switched_off_before_it_is_another(steps: Steps) -> None:
    mona = await steps.with_app()
    assert await refusal(begun(steps, mona.actor)) is Code.CONFLICT
    assert await refusal(steps.mfa.confirm(mona.actor, steps.app_code(mona.secret))) is Code.CONFLICT


async def test_nothing_that_opens_lies_in_the_database(steps: Steps) -> None:
    mona = await steps.with_app()
    stored = str(await steps.row())
    assert mona.secret not in stored
    for code in mona.recovery_codes:
        assert code not in stored
        assert code.replace("-", "") not in stored


async def test_a_secret_of_somebody_else_does_not_open_here(steps: Steps) -> None:
    mona = await steps.with_app()
    sealed = (await steps.row())["mfa"]["secret"]
    other = await steps.with_app("omar@example.org")
    assert steps.codes.find_step(mona.user_id, sealed, steps.app_code(mona.secret), after=0) is not None
    assert steps.codes.find_step(other.user_id, sealed, steps.app_code(mona.secret), after=0) is None


# --- by mail ---


async def test_codes_by_mail_are_set_up_by_a_mail(steps: Steps) -> None:
    actor = await steps.joined()
    assert await begun(steps, actor, "email") == MailedCodeView(expires_in=600)
    code = await steps.mailed_code()
    job = (await steps.mails("mfa_code"))[-1]
    assert code not in encode({name: job[name] for name in ("_id", "args")}).decode()
    assert len((await steps.mfa.confirm(actor, code)).recovery_codes) == 10
    assert (await steps.challenge()).methods == ["email", "recovery_code"]


async def test_mails_with_codes_come_at_most_once_a_minute(steps: Steps) -> None:
    actor = await steps.joined()
    await begun(steps, actor, "email")
    with pytest.raises(Refused) as refused:
        await begun(steps, actor, "email")
    assert refused.value.code is Code.RATE_LIMITED
    assert refused.value.data["retry_after_seconds"] == 60
    former = await steps.mailed_code()
    steps.people.clock.advance(60)
    await begun(steps, actor, "email")
    assert await refusal(steps.mfa.confirm(actor, former)) is Code.INVALID_CODE
    assert await steps.mfa.confirm(actor, await steps.mailed_code())


async def test_a_mail_that_is_written_too_late_is_not_sent(steps: Steps) -> None:
    await begun(steps, await steps.joined(), "email")
    steps.people.clock.advance(599)
    assert not await steps.is_mail_over()
    steps.people.clock.advance(1)
    assert await steps.is_mail_over()


# --- off ---


async def ended(steps: Steps, mona: Guarded, *, password: str = PASSWORD, code: str | None = None) -> Any:
    return await steps.mfa.disable(mona.actor, MfaEnd(password=password, code=code))


async def test_switching_off_takes_the_password_and_a_code(steps: Steps) -> None:
    mona = await steps.with_app()
    code = steps.app_code(mona.secret)
    assert await refusal(ended(steps, mona, password="river stone 42", code=code)) is Code.INVALID_CREDENTIALS
    assert await refusal(ended(steps, mona)) is Code.INVALID_CODE
    assert await refusal(ended(steps, mona, code=steps.app_code(mona.secret, steps=9))) is Code.INVALID_CODE
    assert (await steps.challenge()).mfa_required
    assert await ended(steps, mona, code=code) is None
    assert await steps.people.sign_in()
    row = await steps.row()
    assert row["mfa_enabled"] is False
    assert not {"mfa", "mfa_pending"} & set(row)


async def test_a_recovery_code_switches_off_too(steps: Steps) -> None:
    mona = await steps.with_app()
    assert await ended(steps, mona, code=mona.recovery_codes[3]) is None
    assert await steps.people.sign_in()


async def test_who_has_codes_by_mail_is_sent_one_for_switching_off(steps: Steps) -> None:
    actor = await steps.with_mail()
    assert await steps.mfa.disable(actor, MfaEnd(password=PASSWORD)) == MailedCodeView(expires_in=600)
    code = await steps.mailed_code()
    assert await steps.mfa.disable(actor, MfaEnd(password=PASSWORD, code=code)) is None
    assert await steps.people.sign_in()


async def test_a_code_for_signing_in_does_not_switch_off(steps: Steps) -> None:
    actor = await steps.with_mail()
    await steps.challenge()
    code = await steps.mailed_code()
    assert await refusal(steps.mfa.disable(actor, MfaEnd(password=PASSWORD, code=code))) is Code.INVALID_CODE


async def test_guesses_at_switching_off_count_with_those_at_the_entrance(steps: Steps) -> None:
    mona = await steps.with_app()
    for _ in range(5):  # the right password washes nothing off
        assert await refusal(ended(steps, mona, code="000000")) is Code.INVALID_CODE
    code = steps.app_code(mona.secret)
    assert await refusal(ended(steps, mona, code=code)) is Code.ACCOUNT_LOCKED
    assert await steps.refusal(await steps.challenge(), code) is Code.ACCOUNT_LOCKED


async def test_what_is_off_cannot_be_switched_off(steps: Steps) -> None:
    actor = await steps.joined()
    assert await refusal(steps.mfa.disable(actor, MfaEnd(password=PASSWORD, code="123456"))) is Code.CONFLICT
