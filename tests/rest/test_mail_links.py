"""Forgotten passwords and addresses to be proved: what a link of a mail opens, once, and what who asks for it learns."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from unittest.mock import AsyncMock

import pyotp
import pytest
from pymongo.errors import AutoReconnect

from documents.base import Row
from documents.job import Job
from documents.one_time import OneTime
from lms_rt.services.promises import TASK
from lms_rt.services.retention import Retention
from tests.clients import Visitor
from tests.conftest import _ENGINES, settings_on
from tests.house import PASSWORD
from tests.rest.mail_links import (
    NEW_PASSWORD,
    code_of,
    joined,
    let_time_pass,
    link,
    new_address,
    places_of,
    post,
    sign_in,
    subjects,
)
from tests.rest.test_sessions import closed, socket_of
from tests.workers.mail_school import MailSchool, open_mail_school

FORGOT = ("/auth/forgot-password", "/auth/password/reset")
RESET = ("/auth/reset-password", "/auth/password/reset/confirm")
ASK = ("/auth/verify-email/request", "/auth/email/verify")
PROVE = ("/auth/verify-email/confirm", "/auth/email/verify/confirm")
INVALID, EXPIRED = (401, "invalid_token"), (401, "token_expired")


@pytest.fixture(scope="module", params=_ENGINES)
async def school(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[MailSchool]:
    """A school with a mail server, one for the module and lane."""
    async with open_mail_school(settings_on(str(request.param), request, tmp_path_factory.mktemp("links"))) as opened:
        yield opened


@pytest.fixture
def address() -> str:
    return new_address()


@pytest.fixture
async def lina(school: MailSchool, address: str) -> Visitor:
    """Somebody with that address, who has read the mails of the beginning."""
    somebody = await joined(school, address)
    await school.work()
    return somebody


async def reset_token(school: MailSchool, address: str) -> str:
    assert (await post(school, FORGOT[0], email=address)).status_code == 202
    return await link(school, address, "/reset")


def answer(challenge: Row) -> dict[str, str]:
    """A code that is none."""
    return {"challenge_token": challenge["challenge_token"], "code": "not it"}


# --- forgotten passwords ---


@pytest.mark.parametrize("way", [0, 1])
async def test_a_forgotten_password_is_replaced_by_the_link_of_a_mail(
    school: MailSchool, lina: Visitor, address: str, way: int
) -> None:
    assert (await post(school, FORGOT[way], email=f" {address.upper()} ")).status_code == 202
    token = await link(school, address, "/reset")
    assert (await post(school, RESET[way], token=token, new_password=NEW_PASSWORD)).status_code == 204
    assert code_of(await sign_in(school, address, PASSWORD)) == (401, "invalid_credentials")
    await school.work()
    assert subjects(school, address)[-2:] == ["Choose a new password", "Your password was changed"]
    signed_in = await sign_in(school, address, NEW_PASSWORD)
    assert signed_in.json()["user"]["email_verified_at"] is not None, "who has the mail has the mailbox"
    await school.work()
    assert subjects(school, address)[-1] == "A new device signed in", "after this every browser is new"


async def test_it_ends_every_session(school: MailSchool, lina: Visitor, address: str) -> None:
    token = await reset_token(school, address)
    async with socket_of(school.house, lina) as line:
        await post(school, RESET[0], token=token, new_password=NEW_PASSWORD)
        assert await closed(line) == 4501
    assert (await lina.refused(401, "GET", "/auth/me"))["code"] == "token_revoked"
    refreshed = await post(school, "/auth/refresh", refresh_token=lina.tokens["refresh_token"])
    assert code_of(refreshed) == (401, "token_revoked")


async def test_who_asks_does_not_learn_who_has_an_account(school: MailSchool, lina: Visitor, address: str) -> None:
    asked = [await post(school, FORGOT[0], email=email) for email in (address, new_address(), "no address at all")]
    assert {(reply.status_code, reply.text) for reply in asked} == {(202, '{"is_accepted":true}')}
    proved = [await post(school, ASK[0], email=email) for email in (address, new_address(), "no address at all")]
    assert {(reply.status_code, reply.text) for reply in proved} == {(202, '{"is_accepted":true}')}


@pytest.mark.parametrize("path", [FORGOT[0], ASK[0]])
async def test_the_answer_does_not_wait_for_what_is_done(
    school: MailSchool, lina: Visitor, address: str, *, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that its time says nothing either: beyond the promise, the same for all, nothing can go on before it is there."""
    jobs, has_answered = school.house.services.jobs, asyncio.Event()
    put = jobs.put

    async def waiting(job_id: str, task: str, args: dict[str, Any], **options: Any) -> None:
        if task != TASK:
            await has_answered.wait()
        await put(job_id, task, args, **options)

    monkeypatch.setattr(jobs, "put", waiting)
    visitor = await school.house.visitor()
    assert (await visitor.call("POST", path, json={"email": address})).status_code == 202
    has_answered.set()
    await school.house.services.later.settled()
    await link(school, address, "/reset" if path == FORGOT[0] else "/verify-email")


@pytest.mark.parametrize("path", [FORGOT[0], ASK[0]])
async def test_while_the_database_is_away_nobody_is_promised_anything(
    school: MailSchool, lina: Visitor, address: str, *, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Job, "put", AsyncMock(side_effect=AutoReconnect("away")))
    replies = [await post(school, path, email=email) for email in (address, new_address(), "no address at all")]
    assert [code_of(reply) for reply in replies] == [(503, "unavailable")] * 3


async def test_a_link_holds_once(school: MailSchool, lina: Visitor, address: str) -> None:
    token = await reset_token(school, address)
    assert (await post(school, RESET[0], token=token, new_password=NEW_PASSWORD)).status_code == 204
    assert code_of(await post(school, RESET[0], token=token, new_password="another lake 8")) == INVALID
    assert (await sign_in(school, address, NEW_PASSWORD)).status_code == 200


async def test_of_two_at_once_one_gets_through(school: MailSchool, lina: Visitor, address: str) -> None:
    token = await reset_token(school, address)
    choices = [f"a quiet harbour {number}" for number in range(4)]
    replies = await asyncio.gather(*(post(school, RESET[0], token=token, new_password=choice) for choice in choices))
    assert sorted(reply.status_code for reply in replies) == [204, 401, 401, 401]
    chosen = next(choice for choice, reply in zip(choices, replies, strict=True) if reply.status_code == 204)
    assert (await sign_in(school, address, chosen)).status_code == 200


async def test_a_link_is_over_in_time_and_then_forgotten(school: MailSchool, lina: Visitor, address: str) -> None:
    token = await reset_token(school, address)
    await let_time_pass(school, lina.user_id, minutes=31)
    assert code_of(await post(school, RESET[0], token=token, new_password=NEW_PASSWORD)) == EXPIRED
    await let_time_pass(school, lina.user_id, minutes=3 * 24 * 60)
    services = school.house.services
    await Retention(settings=services.settings, clock=services.clock).clean_up()
    assert await OneTime.rows().count_documents({"user_id": lina.user_id}) == 0
    assert code_of(await post(school, RESET[0], token=token, new_password=NEW_PASSWORD)) == INVALID


async def test_a_mail_says_how_long_its_link_holds(school: MailSchool, lina: Visitor, address: str) -> None:
    await reset_token(school, address)
    assert "30 minutes" in school.place.to(address)[-1].body("plain")


async def test_a_refused_password_leaves_the_link_as_it_was(school: MailSchool, lina: Visitor, address: str) -> None:
    token = await reset_token(school, address)
    for password, code in (("short", "too_short"), ("Liverpool2026", "too_common"), ("lina-link-1", "own_name")):
        reply = await post(school, RESET[0], token=token, new_password=password)
        fault = reply.json()["errors"][0]
        assert (reply.status_code, fault["field"], fault["code"]) == (422, "new_password", code)
    assert (await post(school, RESET[0], token=token, new_password=NEW_PASSWORD)).status_code == 204


async def test_staff_need_a_longer_password_here_too(school: MailSchool) -> None:
    teacher = await school.house.teacher()
    token = await reset_token(school, str(teacher.user["email"]))
    reply = await post(school, RESET[0], token=token, new_password="a lake, 7")
    assert reply.json()["errors"][0]["code"] == "too_short"


async def test_a_link_for_one_thing_is_none_for_another(school: MailSchool, lina: Visitor, address: str) -> None:
    proof, reset = await link(school, address, "/verify-email"), await reset_token(school, address)
    foreign = [proof, lina.tokens["access_token"][:500], reset[:-1] + ("A" if reset[-1] != "A" else "B"), "", "🗝"]
    for token in foreign:
        assert code_of(await post(school, RESET[0], token=token, new_password=NEW_PASSWORD)) == INVALID
    for token in (reset, lina.tokens["refresh_token"]):
        assert code_of(await post(school, PROVE[0], token=token)) == INVALID
    assert (await lina.refused(401, "GET", "/auth/me", headers={"Authorization": f"Bearer {reset}"}))["code"]
    assert (await post(school, RESET[0], token=reset, new_password=NEW_PASSWORD)).status_code == 204


async def test_a_changed_password_makes_older_links_void(school: MailSchool, lina: Visitor, address: str) -> None:
    token = await reset_token(school, address)
    change = {"current_password": PASSWORD, "new_password": "by my own hand 9"}
    await lina.ok("POST", "/users/me/password", json=change)
    assert code_of(await post(school, RESET[0], token=token, new_password=NEW_PASSWORD)) == INVALID
    assert (await sign_in(school, address, "by my own hand 9")).status_code == 200


async def test_a_closed_account_gets_no_link_and_uses_none(school: MailSchool, lina: Visitor, address: str) -> None:
    token = await reset_token(school, address)
    admin = await school.house.admin()
    await admin.ok("DELETE", f"/users/{lina.user_id}")
    assert code_of(await post(school, RESET[0], token=token, new_password=NEW_PASSWORD)) == INVALID
    came = len(school.place.to(address))
    assert (await post(school, FORGOT[0], email=address)).status_code == 202
    await school.work()
    assert len(school.place.to(address)) == came


async def test_asking_again_and_again_is_one_mail(school: MailSchool, lina: Visitor, address: str) -> None:
    before = len(school.place.to(address))
    for _ in range(5):
        await post(school, FORGOT[0], email=address)
    await school.work()
    assert len(school.place.to(address)) - before in {1, 2}, "one a minute, and a minute may end meanwhile"


async def test_so_many_links_hold_and_no_more_are_written(school: MailSchool, lina: Visitor, address: str) -> None:
    for number in range(8):
        await school.ask(lina.user_id, "password_reset", f"job_many_{address}_{number}")
        await school.work()
    assert subjects(school, address).count("Choose a new password") == 5


async def test_a_token_lies_in_the_mail_alone(school: MailSchool, lina: Visitor, address: str) -> None:
    school.place.at_end.extend(["451 later"])  # a try that fails writes the same token again
    await post(school, FORGOT[0], email=address)
    await school.work()
    row: Row = await OneTime.rows().find_one({"user_id": lina.user_id, "purpose": "password_reset"})  # type: ignore[assignment]
    jobs = [job for job in await places_of(row["_id"]) if job != "one_time"]
    assert jobs == [], "not even its digest is elsewhere"
    async for job in Job.rows().find({"task": "mail.send", "args.user_id": lina.user_id}):
        await school.wait_out(job["_id"])
    token = await link(school, address, "/reset")
    assert await places_of(token) == []
    assert await OneTime.rows().count_documents({"user_id": lina.user_id, "purpose": "password_reset"}) == 1


# --- addresses ---


@pytest.mark.parametrize("way", [0, 1])
async def test_whoever_registers_proves_their_address_by_the_link(
    school: MailSchool, lina: Visitor, address: str, way: int
) -> None:
    assert lina.user["email_verified_at"] is None
    assert sorted(subjects(school, address)) == ["Confirm your address", "Welcome to Night School"]
    token = await link(school, address, "/verify-email")
    said = next(mail.body("plain") for mail in school.place.to(address) if token in mail.body("plain"))
    assert "If you have not registered at Night School yourself, do nothing" in " ".join(said.split())
    assert (await post(school, PROVE[way], token=token)).status_code == 204
    proved = await lina.ok("GET", "/auth/me")
    assert proved["email_verified_at"] is not None
    assert proved["version"] == lina.user["version"] + 1
    assert code_of(await post(school, PROVE[way], token=token)) == INVALID


async def test_the_link_is_sent_again_to_an_address_or_to_oneself(
    school: MailSchool, lina: Visitor, address: str
) -> None:
    first = await link(school, address, "/verify-email")
    await school.ask(lina.user_id, "email_verification", f"job_again_{address}")
    second = await link(school, address, "/verify-email")
    assert second != first
    assert (await lina.call("POST", ASK[1], json={})).status_code == 202
    assert (await lina.call("POST", ASK[0], json={"email": address})).status_code == 202
    nameless = await post(school, ASK[0])
    assert nameless.status_code == 422
    assert (await post(school, PROVE[0], token=first)).status_code == 204, "a newer link makes no older one void"
    assert code_of(await post(school, PROVE[0], token=second)) == INVALID, "but a used one all of them"


async def test_who_has_proved_it_is_not_asked_again(school: MailSchool, lina: Visitor, address: str) -> None:
    await post(school, PROVE[0], token=await link(school, address, "/verify-email"))
    came = len(school.place.to(address))
    await lina.ok("POST", ASK[0], json={})
    await post(school, ASK[0], email=address)
    await school.ask(lina.user_id, "email_verification", f"job_late_{address}")
    await school.work()
    assert len(school.place.to(address)) == came


async def test_it_begins_anew_for_passwords_and_not_for_codes(school: MailSchool, lina: Visitor, address: str) -> None:
    """Or whoever has the mailbox tries codes of the app without end."""
    assert (await post(school, PROVE[0], token=await link(school, address, "/verify-email"))).status_code == 204
    setup = await lina.ok("POST", "/auth/mfa/enable/request", json={"password": PASSWORD, "method": "totp"})
    code = pyotp.TOTP(setup["secret"]).generate_otp(school.house.services.clock.now_ms() // 30_000)
    await lina.ok("POST", "/auth/mfa/enable/confirm", json={"code": code})
    for _ in range(5):
        challenge = (await sign_in(school, address, PASSWORD)).json()
        assert code_of(await post(school, "/auth/login/mfa", **answer(challenge))) == (401, "invalid_code")
    for number in range(6):
        expected = "account_locked" if number == 5 else "invalid_credentials"
        assert code_of(await sign_in(school, address, "a wrong one 7"))[1] == expected
    await school.ask(lina.user_id, "password_reset")
    token = await link(school, address, "/reset")
    assert (await post(school, RESET[0], token=token, new_password=NEW_PASSWORD)).status_code == 204
    challenge = (await sign_in(school, address, NEW_PASSWORD)).json()
    assert code_of(await post(school, "/auth/login/mfa", **answer(challenge))) == (429, "account_locked")
    admin = await school.house.admin()
    await admin.ok("PATCH", f"/admin/users/{lina.user_id}", json={"unlock": True})
    assert code_of(await post(school, "/auth/login/mfa", **answer(challenge))) == (401, "invalid_code")


async def test_a_link_that_came_too_late_proves_nothing(school: MailSchool, lina: Visitor, address: str) -> None:
    token = await link(school, address, "/verify-email")
    await let_time_pass(school, lina.user_id, minutes=24 * 60 + 1)
    assert code_of(await post(school, PROVE[0], token=token)) == EXPIRED
    assert (await lina.ok("GET", "/auth/me"))["email_verified_at"] is None
