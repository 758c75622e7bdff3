"""The second step over HTTP: as a program, as an OAuth2 client, as a browser; both spellings; what may be typed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest

from config.settings import Settings
from handlers.app import make_app
from handlers.rest import auth, mfa, users
from lms_rt.storage.mongo import OpenDatabase
from tests.rest.people import MONA, bearer, problem, registered
from tests.rest.serving import client_of
from tests.services.people import PASSWORD, People, open_people
from tests.services.second_steps import Steps, steps_of


@dataclass
class Border:
    """A served entrance, and what lies behind it."""

    http: httpx.AsyncClient
    steps: Steps

    async def with_app(self, *, spelling: str = "enable/request", confirming: str = "enable/confirm") -> dict[str, Any]:
        """Mona has set up an app by the API: the setup and the recovery codes."""
        headers = bearer(await registered(self.http))
        asked = {"password": PASSWORD, "method": "totp"}
        setup = await self.http.post(f"/auth/mfa/{spelling}", json=asked, headers=headers)
        assert setup.status_code == 200
        body = {"code": self.steps.app_code(setup.json()["secret"])}
        shown = await self.http.post(f"/auth/mfa/{confirming}", json=body, headers=headers)
        assert shown.status_code == 200
        assert {setup.headers["Cache-Control"], shown.headers["Cache-Control"]} == {"no-store"}
        self.steps.people.clock.advance(60)
        return {**setup.json(), **shown.json(), "headers": headers}

    async def challenge(self, path: str = "/auth/login") -> dict[str, Any]:
        """What a right password is answered by."""
        reply = await self.http.post(path, json=MONA)
        assert reply.status_code == 200
        assert "Set-Cookie" not in reply.headers
        challenge: dict[str, Any] = reply.json()
        return challenge

    async def answered(self, challenge: dict[str, Any], code: str, path: str = "/auth/login/mfa") -> httpx.Response:
        """The second step."""
        return await self.http.post(path, json={"challenge_token": challenge["challenge_token"], "code": code})


@asynccontextmanager
async def bordered(people: People) -> AsyncIterator[Border]:
    steps = steps_of(people)
    services = SimpleNamespace(**vars(people), limiter=people.limiter, device_marks=people.device_marks)
    services.mfa, services.second_steps = steps.mfa, steps.second_steps
    operations = (*auth.ROUTES, *mfa.ROUTES, *users.ROUTES)
    async with client_of(make_app(cast("Any", services), operations=operations, pages=(), live=())) as http:
        yield Border(http, steps)


@pytest.fixture
async def border(people: People) -> AsyncIterator[Border]:
    async with bordered(people) as opened:
        yield opened


@pytest.mark.parametrize(
    ("spelling", "confirming", "path"),
    [("enable/request", "enable/confirm", "/auth/login/mfa"), ("enable", "verify", "/auth/mfa/login")],
)
async def test_setting_up_an_app_and_signing_in_with_it(
    border: Border, spelling: str, confirming: str, path: str
) -> None:
    mona = await border.with_app(spelling=spelling, confirming=confirming)
    assert set(mona) == {"method", "secret", "otpauth_uri", "qr_svg", "recovery_codes", "headers"}
    challenge = await border.challenge()
    assert set(challenge) == {"mfa_required", "challenge_token", "methods", "expires_in"}
    reply = await border.answered(challenge, border.steps.app_code(mona["secret"]), path)
    assert reply.status_code == 200
    assert set(reply.json()) == {"access_token", "refresh_token", "token_type", "expires_in", "user"}
    assert reply.json()["user"]["mfa_enabled"] is True
    assert reply.headers["Cache-Control"] == "no-store"
    assert (await border.http.get("/auth/me", headers=bearer(reply.json()))).status_code == 200


async def test_a_code_is_read_in_arabic_digits_and_with_spaces(border: Border) -> None:
    mona = await border.with_app()
    code = border.steps.app_code(mona["secret"]).translate(str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩"))
    assert (await border.answered(await border.challenge(), f" {code[:3]} {code[3:]} ")).status_code == 200


async def test_a_wrong_code_and_a_wrong_challenge_say_so(border: Border) -> None:
    mona = await border.with_app()
    challenge = await border.challenge()
    assert problem(await border.answered(challenge, "000000")) == (401, "invalid_code")
    foreign = await border.answered({"challenge_token": "made-up"}, border.steps.app_code(mona["secret"]))
    assert problem(foreign) == (401, "invalid_token")
    border.steps.people.clock.advance(600)
    late = await border.answered(challenge, border.steps.app_code(mona["secret"]))
    assert problem(late) == (401, "token_expired")


async def test_too_many_guesses_say_when_to_come_again(border: Border) -> None:
    await border.with_app()
    for _ in range(5):
        assert problem(await border.answered(await border.challenge(), "000000")) == (401, "invalid_code")
    locked = await border.answered(await border.challenge(), "000000")
    assert problem(locked) == (429, "account_locked")
    assert 0 < int(locked.headers["Retry-After"]) <= 900


@pytest.mark.parametrize("code", [{"$ne": None}, ["123456"], 123456, None, "", "1" * 101])
async def test_a_code_is_a_short_text(border: Border, code: Any) -> None:
    await border.with_app()
    challenge = await border.challenge()
    assert problem(await border.answered(challenge, code)) == (422, "validation_failed")
    assert problem(await border.answered({"challenge_token": code}, "123456"))[0] == 422 or isinstance(code, str)


async def test_a_code_of_a_megabyte_is_not_read(border: Border) -> None:
    await border.with_app()
    assert problem(await border.answered(await border.challenge(), "1" * 1_000_000)) == (413, "too_large")


async def test_an_oauth_client_is_told_in_its_own_words(border: Border) -> None:
    mona = await border.with_app()
    form = {"grant_type": "password", "username": MONA["email"], "password": PASSWORD}
    refused = await border.http.post("/auth/token", data=form)
    assert problem(refused) == (400, "mfa_required")
    said = refused.json()
    assert (said["error"], said["methods"], said["expires_in"]) == ("mfa_required", ["totp", "recovery_code"], 600)
    assert (await border.answered(said, border.steps.app_code(mona["secret"]))).status_code == 200


async def test_a_browser_gets_no_cookie_before_the_code(border: Border) -> None:
    mona = await border.with_app()
    challenge = await border.challenge("/auth/login-cookie")
    code = border.steps.app_code(mona["secret"])
    foreign = {"Origin": "https://evil.test"}
    body = {"challenge_token": challenge["challenge_token"], "code": code}
    elsewhere = await border.http.post("/auth/login-cookie/mfa", json=body, headers=foreign)
    assert problem(elsewhere) == (403, "origin_refused")
    reply = await border.http.post("/auth/login-cookie/mfa", json=body)
    assert reply.status_code == 200
    assert set(reply.json()) == {"user", "expires_in"}
    assert {"lms_access", "lms_refresh", "lms_csrf", "lms_device"} <= set(reply.cookies)
    assert (await border.http.get("/auth/me")).status_code == 200


@pytest.mark.parametrize(("mode", "path"), [("cookie", "/auth/login/mfa"), ("bearer", "/auth/login-cookie/mfa")])
async def test_a_way_that_is_switched_off_has_no_second_step(
    settings: Settings, database: OpenDatabase, mode: str, path: str
) -> None:
    async with open_people(settings.model_copy(update={"auth_modes": (mode,)})) as people, bordered(people) as border:
        reply = await border.http.post(path, json={"challenge_token": "x", "code": "123456"})
        assert problem(reply) == (404, "route_not_found")


async def test_codes_by_mail_are_sent_again_after_a_minute(border: Border) -> None:
    await border.steps.with_mail()
    challenge = await border.challenge()
    again = {"challenge_token": challenge["challenge_token"]}
    soon = await border.http.post("/auth/login/mfa/resend", json=again)
    assert problem(soon) == (429, "rate_limited")
    assert soon.headers["Retry-After"] == "60"
    border.steps.people.clock.advance(60)
    sent = await border.http.post("/auth/login/mfa/resend", json=again)
    assert (sent.status_code, sent.json()) == (202, {"method": "email", "expires_in": 540})
    assert (await border.answered(challenge, await border.steps.mailed_code())).status_code == 200


async def test_switching_off(border: Border) -> None:
    mona = await border.with_app()
    body = {"password": PASSWORD, "code": mona["recovery_codes"][0]}
    stranger = await border.http.post("/auth/mfa/disable", json=body)
    assert problem(stranger) == (401, "unauthenticated")
    wrong = await border.http.post("/auth/mfa/disable", json=body | {"password": "x"}, headers=mona["headers"])
    assert problem(wrong) == (401, "invalid_credentials")
    done = await border.http.post("/auth/mfa/disable", json=body, headers=mona["headers"])
    assert (done.status_code, done.content) == (204, b"")
    assert "access_token" in (await border.http.post("/auth/login", json=MONA)).json()


async def test_switching_off_by_mail_takes_two_steps(border: Border) -> None:
    await border.steps.with_mail()
    tokens = await border.answered(await border.challenge(), await border.steps.mailed_code())
    headers = bearer(tokens.json())
    border.steps.people.clock.advance(1)
    asked = await border.http.post("/auth/mfa/disable", json={"password": PASSWORD}, headers=headers)
    assert (asked.status_code, asked.json()) == (202, {"method": "email", "expires_in": 600})
    body = {"password": PASSWORD, "code": await border.steps.mailed_code()}
    assert (await border.http.post("/auth/mfa/disable", json=body, headers=headers)).status_code == 204
