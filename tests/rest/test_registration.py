"""Registering where an address has to be proved, or where nobody may learn who has an account; and being invited."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from documents.user import User
from tests.conftest import _ENGINES, settings_on
from tests.house import PASSWORD
from tests.rest.mail_links import NEW_PASSWORD, changed, code_of, joined, link, new_address, post, sign_in, subjects
from tests.workers.mail_school import MailSchool, open_mail_school

HIDING = {"registration_hides_existing": True}
PROVING = {"require_verified_email": True}


@pytest.fixture(scope="module", params=_ENGINES)
async def school(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[MailSchool]:
    """A school with a mail server, one for the module and lane."""
    path = tmp_path_factory.mktemp("registration")
    async with open_mail_school(settings_on(str(request.param), request, path)) as opened:
        yield opened


async def register(school: MailSchool, address: str, password: str = PASSWORD, **more: Any) -> httpx.Response:
    return await post(school, "/auth/register", email=address, password=password, full_name="Lina Link", **more)


# --- where nobody may learn who has an account ---


async def test_every_registration_is_answered_alike(school: MailSchool) -> None:
    known, unknown = new_address(), new_address()
    await joined(school, known)
    with changed(school, **HIDING):
        replies = [await register(school, address) for address in (known, unknown)]
    assert {(reply.status_code, reply.text, reply.headers.get("Location")) for reply in replies} == {
        (202, '{"is_accepted":true}', None)
    }
    await school.work()
    assert sorted(subjects(school, known)) == [
        "Confirm your address",
        "Welcome to Night School",
        "You have an account already",
    ]
    assert sorted(subjects(school, unknown)) == ["Confirm your address", "Welcome to Night School"]


async def test_signing_in_does_not_tell_before_the_address_is_proved(school: MailSchool) -> None:
    known, unknown = new_address(), new_address()
    await joined(school, known)
    guess = "a guess of a stranger 5"
    with changed(school, **HIDING):
        for address in (known, unknown):
            await register(school, address, guess)
            assert code_of(await sign_in(school, address, guess)) == (401, "invalid_credentials")
        assert (await sign_in(school, known, PASSWORD)).status_code == 200, "its owner is not touched"
        token = await link(school, unknown, "/invite")
        await post(school, "/auth/reset-password", token=token, new_password=NEW_PASSWORD)
        assert (await sign_in(school, unknown, NEW_PASSWORD)).status_code == 200


async def test_the_link_of_a_mail_lets_no_password_in_that_a_stranger_chose(school: MailSchool) -> None:
    """Whoever registers with somebody else's address waits for its owner to click."""
    address, strangers = new_address(), "a guess of a stranger 8"
    with changed(school, **HIDING):
        await register(school, address, strangers)
        await register(school, address, "what the owner typed 9")
        token = await link(school, address, "/invite")
        assert code_of(await post(school, "/auth/verify-email/confirm", token=token)) == (401, "invalid_token")
        assert code_of(await sign_in(school, address, strangers)) == (401, "invalid_credentials")
        await post(school, "/auth/reset-password", token=token, new_password=NEW_PASSWORD)
        assert code_of(await sign_in(school, address, strangers)) == (401, "invalid_credentials")
        signed_in = (await sign_in(school, address, NEW_PASSWORD)).json()
        assert signed_in["user"]["email_verified_at"] is not None


async def test_wrong_passwords_lock_both_alike(school: MailSchool) -> None:
    """Else who registered could try their own password five times, and see."""
    address, guess = new_address(), "a guess of a stranger 6"
    with changed(school, **HIDING):
        await register(school, address, guess)
        codes = [code_of(await sign_in(school, address, guess))[1] for _ in range(6)]
    assert codes == ["invalid_credentials"] * 5 + ["account_locked"]


async def test_both_take_the_same_work_before_the_answer(school: MailSchool, monkeypatch: pytest.MonkeyPatch) -> None:
    known, unknown = new_address(), new_address()
    await joined(school, known)
    passwords, hashed = school.house.services.passwords, list[str]()
    make, find, may_look = passwords.hash, User.find_by_email_key, asyncio.Event()

    async def counted(password: str) -> str:
        hashed.append(password)
        return await make(password)

    async def late(email_key: str) -> User | None:
        await may_look.wait()
        return await find(email_key)

    monkeypatch.setattr(passwords, "hash", counted)
    monkeypatch.setattr(User, "find_by_email_key", late)  # who has an account cannot be looked up before the answer
    with changed(school, **HIDING):
        visitor = await school.house.visitor()
        for number, address in enumerate((known, unknown), start=1):
            body = {"email": address, "password": PASSWORD, "full_name": "Lina Link"}
            assert (await visitor.call("POST", "/auth/register", json=body)).status_code == 202
            assert len(hashed) == number
    may_look.set()
    await school.house.services.later.settled()


async def test_what_is_wrong_with_the_form_is_said_to_everybody(school: MailSchool) -> None:
    known = new_address()
    await joined(school, known)
    with changed(school, **HIDING):
        for address in (known, new_address()):
            reply = await register(school, address, "password1")
            assert (reply.status_code, reply.json()["errors"][0]["code"]) == (422, "too_common")
            assert code_of(await register(school, address, role="admin")) == (403, "forbidden")


async def test_a_forgotten_password_opens_an_account_that_was_never_proved(school: MailSchool) -> None:
    address = new_address()
    with changed(school, **HIDING):
        await register(school, address)
        await post(school, "/auth/forgot-password", email=address)
        token = await link(school, address, "/reset")
        await post(school, "/auth/reset-password", token=token, new_password=NEW_PASSWORD)
        assert (await sign_in(school, address, NEW_PASSWORD)).status_code == 200


# --- where an address has to be proved ---


async def test_signing_in_waits_for_the_proof(school: MailSchool) -> None:
    address = new_address()
    with changed(school, **PROVING):
        reply = await register(school, address)
        assert (reply.status_code, reply.json()) == (202, {"is_accepted": True})
        assert code_of(await sign_in(school, address, PASSWORD)) == (403, "email_not_verified")
        assert code_of(await sign_in(school, address, "not this one")) == (401, "invalid_credentials")
        assert code_of(await register(school, address)) == (409, "email_taken")
        token = await link(school, address, "/invite")
        assert (await post(school, "/auth/reset-password", token=token, new_password=PASSWORD)).status_code == 204
        assert (await sign_in(school, address, PASSWORD)).status_code == 200


async def test_a_click_lets_no_password_in_that_a_stranger_chose(school: MailSchool) -> None:
    """Not by any link that comes, and not when the school stops asking for the proof either."""
    address, strangers = new_address(), "a guess of a stranger 3"
    with changed(school, **PROVING):
        await register(school, address, strangers)
        await post(school, "/auth/verify-email/request", email=address)
        await school.work()
        mails = [mail.body("plain") for mail in school.place.to(address)]
        assert not [text for text in mails if "/verify-email?token=" in text]
        token = await link(school, address, "/invite")
    assert code_of(await sign_in(school, address, strangers)) == (403, "email_not_verified")
    with changed(school, **HIDING):
        assert code_of(await sign_in(school, address, strangers)) == (401, "invalid_credentials")
    assert (await post(school, "/auth/reset-password", token=token, new_password=NEW_PASSWORD)).status_code == 204
    assert code_of(await sign_in(school, address, strangers)) == (401, "invalid_credentials")
    assert (await sign_in(school, address, NEW_PASSWORD)).status_code == 200


async def test_whoever_made_the_school_may_come_in(school: MailSchool) -> None:
    await school.house.admin()
    email = f"root-{new_address()}"
    await school.house.services.accounts.create_admin(email, "a password for admins", "Ada Admin")
    with changed(school, **PROVING):
        assert (await sign_in(school, email, "a password for admins")).status_code == 200


# --- invitations ---


async def test_who_is_invited_chooses_their_password(school: MailSchool) -> None:
    admin, address = await school.house.admin(), new_address()
    body = {"email": address, "full_name": "Tamar Teacher", "role": "instructor"}
    await admin.ok("POST", "/users", json=body)
    for password in ("", PASSWORD):
        assert (await sign_in(school, address, password)).status_code == 401
    token = await link(school, address, "/invite")
    mail = school.place.to(address)[-1]
    assert mail.message["Subject"] == "You are invited to Night School"
    assert "Ada Admin" in mail.body("plain")
    short = await post(school, "/auth/reset-password", token=token, new_password="a lake 7 8")
    assert short.json()["errors"][0]["code"] == "too_short"
    assert (await post(school, "/auth/reset-password", token=token, new_password=NEW_PASSWORD)).status_code == 204
    signed_in = (await sign_in(school, address, NEW_PASSWORD)).json()
    assert (signed_in["user"]["role"], signed_in["user"]["email_verified_at"] is None) == ("instructor", False)
    assert code_of(await post(school, "/auth/reset-password", token=token, new_password="again 123 lake")) == (
        401,
        "invalid_token",
    )
    await school.work()
    assert subjects(school, address) == ["You are invited to Night School"], "nobody is told of a change that was none"
