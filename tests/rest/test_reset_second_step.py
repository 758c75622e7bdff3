"""What becomes of a second step when the password is reset by mail: a stranger's goes, that of who proved the address stays."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pyotp
import pytest

from documents.user import User
from lms_rt.contracts.verification import ResetDraft
from tests.clients import Visitor
from tests.conftest import _ENGINES, settings_on
from tests.house import PASSWORD
from tests.rest.mail_links import NEW_PASSWORD, joined, link, new_address, post, sign_in
from tests.workers.mail_school import MailSchool, open_mail_school


@pytest.fixture(scope="module", params=_ENGINES)
async def school(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[MailSchool]:
    """A school with a mail server, one for the module and lane."""
    async with open_mail_school(settings_on(str(request.param), request, tmp_path_factory.mktemp("steps"))) as opened:
        yield opened


@pytest.fixture
def address() -> str:
    return new_address()


async def with_app(who: Visitor, school: MailSchool) -> None:
    """They let the codes of an app follow the password."""
    setup = await who.ok("POST", "/auth/mfa/enable/request", json={"password": PASSWORD, "method": "totp"})
    code = pyotp.TOTP(setup["secret"]).generate_otp(school.house.services.clock.now_ms() // 30_000)
    await who.ok("POST", "/auth/mfa/enable/confirm", json={"code": code})


async def reset(school: MailSchool, address: str) -> None:
    assert (await post(school, "/auth/forgot-password", email=address)).status_code == 202
    token = await link(school, address, "/reset")
    assert (await post(school, "/auth/reset-password", token=token, new_password=NEW_PASSWORD)).status_code == 204


async def prove(school: MailSchool, address: str) -> None:
    proof = await link(school, address, "/verify-email")
    assert (await post(school, "/auth/verify-email/confirm", token=proof)).status_code == 204


@pytest.mark.parametrize("is_proved", [False, True], ids=["who_never_confirmed_it", "who_confirmed_it_later"])
async def test_a_stranger_keeps_nobody_out_of_their_own_address(
    school: MailSchool, address: str, *, is_proved: bool
) -> None:
    stranger = await joined(school, address)
    await with_app(stranger, school)
    if is_proved:
        await prove(school, address)
    await stranger.ok("POST", "/auth/logout")
    await reset(school, address)
    signed_in = (await sign_in(school, address, NEW_PASSWORD)).json()
    assert signed_in["user"]["mfa_enabled"] is False
    row = await User.rows().find_one({"_id": stranger.user_id})
    assert row is not None
    assert {"mfa", "mfa_pending"}.isdisjoint(row)
    await school.work()
    told = [mail.body("plain") for mail in school.place.to(address)]
    assert any("was switched off for your account" in text for text in told)


async def test_who_proved_the_address_keeps_the_second_step(school: MailSchool, address: str) -> None:
    owner = await joined(school, address)
    await prove(school, address)
    await with_app(owner, school)
    await reset(school, address)
    assert (await sign_in(school, address, NEW_PASSWORD)).json()["mfa_required"] is True


@pytest.mark.parametrize("is_proved", [False, True])
async def test_where_it_is_left_the_mailbox_alone_makes_no_browser_known(
    school: MailSchool, address: str, *, is_proved: bool
) -> None:
    """Or each reset would begin anew with the codes."""
    owner = await joined(school, address)
    if is_proved:
        await prove(school, address)
    await with_app(owner, school)
    assert (await post(school, "/auth/forgot-password", email=address)).status_code == 202
    draft = ResetDraft(token=await link(school, address, "/reset"), new_password=NEW_PASSWORD)
    known = await school.house.services.password_resets.confirm(draft)
    assert (known is None) is is_proved
    if known is not None:
        assert known.user_id == owner.user_id
