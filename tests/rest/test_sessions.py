"""One's own sessions and password over HTTP, and what nobody may do in somebody else's place. On both lanes."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest
from websockets.asyncio.client import ClientConnection, connect

from documents.user import User
from handlers.rest.operations import Operation
from handlers.routes import ROUTES
from tests import factories
from tests.clients import Visitor
from tests.house import PASSWORD, House

PATIENCE_SECONDS = 20
"""Nothing here is judged by how long it takes; what does not come within this time does not come."""
NEXT_PASSWORD = "quiet lamp sails west"
ALONE = [(method, row) for row in ROUTES if row.is_own_alone for method in row.methods]


async def again(house: House, person: Visitor, program: str = "Phone 1.0") -> Visitor:
    """The same person signed in once more, with another program."""
    visitor = await house.visitor()
    visitor.http.headers["User-Agent"] = program
    await visitor.sign_in(str(person.user["email"]), PASSWORD)
    return visitor


async def acting(house: House, person: Visitor) -> Visitor:
    """The administrator in this person's place."""
    admin, user = await house.admin(), await User.find_by_id(person.user_id)
    assert user is not None
    actor = await house.services.sessions.authenticate(admin.tokens["access_token"])
    view = await house.services.sessions.impersonate(actor, user)
    visitor = await house.visitor()
    visitor.take(view.model_dump(mode="json"))
    return visitor


@asynccontextmanager
async def socket_of(house: House, person: Visitor) -> AsyncIterator[ClientConnection]:
    """A socket of theirs that has been welcomed."""
    address = house.address.removeprefix("http")
    async with connect(f"ws{address}/ws?ticket={await person.ticket()}") as line:
        assert orjson.loads(await line.recv())["type"] == "welcome"
        yield line


async def asked(line: ClientConnection, command: str, **fields: Any) -> dict[str, Any]:
    """The reply to a command."""
    await line.send(orjson.dumps({"type": command, "id": 1, **fields}).decode())
    async with asyncio.timeout(PATIENCE_SECONDS):
        while "ok" not in (frame := orjson.loads(await line.recv())):
            pass
    reply: dict[str, Any] = frame
    return reply


async def closed(line: ClientConnection) -> int | None:
    """The code with which it was closed."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        await line.wait_closed()
    return line.close_code


# --- sessions ---


async def test_somebody_sees_where_they_are_signed_in(house: House) -> None:
    mona = await house.student()
    phone = await again(house, mona)
    page = await phone.ok("GET", "/auth/sessions")
    assert (page["page"], page["total"], page["pages"]) == (1, 2, 1)
    assert set(page["items"][0]) == {
        "id", "device", "ip_address", "created_at", "last_used_at", "expires_at", "is_current",
    }  # fmt: skip
    latest = page["items"][0]
    assert (latest["device"], latest["ip_address"], latest["is_current"]) == ("Phone 1.0", "127.0.0.1", True)
    assert (await phone.ok("GET", "/auth/sessions", params={"page_size": 1, "page": 2}))["items"] == page["items"][1:]


async def test_ending_a_session_closes_its_sockets_and_no_other(house: House) -> None:
    mona = await house.student()
    phone, stranger = await again(house, mona), await house.student()
    [lost] = [one["id"] for one in (await mona.ok("GET", "/auth/sessions"))["items"] if not one["is_current"]]
    assert (await mona.ok("GET", f"/auth/sessions/{lost}"))["device"] == "Phone 1.0"
    for method in ("GET", "DELETE"):
        await stranger.refused(404, method, f"/auth/sessions/{lost}")
    async with socket_of(house, phone) as on_phone, socket_of(house, mona) as here:
        assert (await mona.call("DELETE", f"/auth/sessions/{lost}")).status_code == 204
        assert await closed(on_phone) == 4501
        assert (await asked(here, "ping"))["ok"]
    assert (await phone.refused(401, "GET", "/auth/me"))["code"] == "token_revoked"
    await mona.refused(404, "DELETE", f"/auth/sessions/{lost}")


async def test_all_others_are_ended(house: House) -> None:
    mona = await house.student()
    others = [await again(house, mona) for _ in range(2)]
    assert (await mona.call("DELETE", "/auth/sessions")).status_code == 204
    for other in others:
        await other.refused(401, "GET", "/auth/me")
    assert [one["is_current"] for one in (await mona.ok("GET", "/auth/sessions"))["items"]] == [True]


# --- the password ---


async def test_a_new_password_ends_the_other_sockets_and_keeps_the_own(house: House) -> None:
    mona = await house.student()
    phone = await again(house, mona)
    async with socket_of(house, phone) as on_phone, socket_of(house, mona) as here:
        body = {"current_password": PASSWORD, "new_password": NEXT_PASSWORD}
        assert (await mona.call("POST", "/users/me/password", json=body)).status_code == 204
        assert await closed(on_phone) == 4501
        assert (await asked(here, "ping"))["ok"]
    assert (await mona.ok("GET", "/auth/me"))["id"] == mona.user_id
    refreshed = await mona.ok("POST", "/auth/refresh", json={"refresh_token": mona.tokens["refresh_token"]})
    mona.take(refreshed)
    await mona.ok("GET", "/auth/me")
    await phone.refused(401, "POST", "/auth/refresh", json={"refresh_token": phone.tokens["refresh_token"]})
    email = mona.user["email"]
    refused = await phone.refused(401, "POST", "/auth/login", json={"email": email, "password": PASSWORD})
    assert refused["code"] == "invalid_credentials"
    await phone.sign_in(email, NEXT_PASSWORD)


async def test_who_found_a_session_cannot_guess_the_password(house: House) -> None:
    mona = await house.student()
    body = {"current_password": "not the right one", "new_password": NEXT_PASSWORD}
    for _ in range(5):
        assert (await mona.refused(401, "POST", "/users/me/password", json=body))["code"] == "invalid_credentials"
    right = body | {"current_password": PASSWORD}
    locked = await mona.call("POST", "/users/me/password", json=right)
    assert (locked.status_code, locked.json()["code"]) == (429, "account_locked")
    assert int(locked.headers["Retry-After"]) > 0
    await mona.ok("GET", "/auth/me")


async def test_the_password_needs_a_proof_and_fits_the_rules(house: House) -> None:
    mona, nobody = await house.student(), await house.visitor()
    await nobody.refused(401, "POST", "/users/me/password", json={"current_password": "a", "new_password": "b"})
    for body in ({}, {"new_password": NEXT_PASSWORD}, {"current_password": PASSWORD, "new_password": "short"}):
        assert (await mona.refused(422, "POST", "/users/me/password", json=body))["code"] == "validation_failed"


# --- forms of pages ---


async def filled_form(visitor: Visitor, user: dict[str, Any]) -> dict[str, str]:
    """The form of the page for signing in, as its owner would send it; the cookie that belongs to it is kept."""
    page = await visitor.http.get(f"{visitor.address}/signin")
    token = re.search(r'name="csrf" value="([^"]+)"', page.text)
    assert token is not None
    return {"csrf": token[1], "email": user["email"], "password": PASSWORD}


@pytest.mark.parametrize(
    "headers",
    [{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "https://elsewhere.example"}],
)
@pytest.mark.parametrize("path", ["/signin", "/signout"])
async def test_another_site_posts_no_form_though_its_token_fits(
    house: House, path: str, headers: dict[str, str]
) -> None:
    mona, browser = await house.student(), await house.visitor()
    form = await filled_form(browser, mona.user)
    reply = await browser.http.post(f"{house.address}{path}", data=form, headers=headers)
    assert reply.status_code == 403
    assert "lms_access" not in reply.headers.get("Set-Cookie", "")


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "same-origin", "Origin": "null"}, {"Origin": "null"}, {}])
async def test_the_own_site_posts_its_forms(house: House, headers: dict[str, str]) -> None:
    mona, browser = await house.student(), await house.visitor()
    form = await filled_form(browser, mona.user)
    reply = await browser.http.post(f"{house.address}/signin", data=form, headers=headers)
    assert reply.status_code == 303
    assert "lms_access" in browser.http.cookies


# --- in somebody else's place ---


def test_what_is_ones_own_alone() -> None:
    """A list of its own: an operation that loses its mark is seen here."""
    named = {f"{method} {row.path}" for method, row in ALONE}
    assert named >= {
        "GET /auth/sessions",
        "DELETE /auth/sessions",
        "GET /auth/sessions/{session_id}",
        "DELETE /auth/sessions/{session_id}",
        "POST /users/me/password",
        "POST /payments/orders",
        "POST /payments/orders/{order_id}/cancel",
        "POST /payments/create-intent/{order_id}",
        "POST /payments/create-payment-intent",
        "POST /payments/{payment_id}/refund",
        "POST /payments/{payment_id}/refunds/{refund_id}/cancel",
        "POST /payments/{payment_id}/release",
        "POST /payments/{payment_id}/dispute",
        "POST /payments/findings/{finding_id}/resolve",
        "POST /attempts",
        "PATCH /attempts/{attempt_id}/answers",
        "POST /attempts/{attempt_id}/submit",
        "PUT /attempts/{attempt_id}/submit",
        "POST /attempts/{attempt_id}/take-over",
        "POST /attempts/{attempt_id}/sync",
        "POST /attempts/{attempt_id}/signals",
        "POST /webhooks",
        "PATCH /webhooks/{webhook_id}",
    }


@pytest.fixture(scope="module")
async def acting_admin(house: House) -> Visitor:
    """Who acts for a student."""
    return await acting(house, await house.student())


@pytest.mark.parametrize(("method", "row"), ALONE, ids=[f"{method} {row.path}" for method, row in ALONE])
async def test_who_acts_for_somebody_is_kept_from_what_is_theirs_alone(
    acting_admin: Visitor, method: str, row: Operation
) -> None:
    for pattern in row.patterns:
        path = pattern.format_map(dict.fromkeys(row.parameters(pattern), "some_id"))
        assert (await acting_admin.refused(403, method, path, json={}))["code"] == "forbidden"


async def test_who_acts_sees_what_the_person_sees_and_ends_with_the_admins_session(house: House) -> None:
    mona = await house.student()
    acting_admin = await acting(house, mona)
    assert (await acting_admin.ok("GET", "/auth/me"))["id"] == mona.user_id
    assert (await acting_admin.ok("GET", "/enrollments"))["items"] == []
    assert (await acting_admin.call("POST", "/auth/logout", json={"everywhere": True})).status_code == 204
    await acting_admin.refused(401, "GET", "/auth/me")
    await mona.ok("GET", "/auth/me")


async def test_who_acts_neither_begins_nor_answers_over_a_socket(house: House) -> None:
    teacher, mona = await house.teacher(), await house.student()
    course = await factories.course(teacher)
    await factories.enrolled(mona, course["id"])
    quiz = await factories.quiz(teacher, course["id"])
    acting_admin = await acting(house, mona)
    async with socket_of(house, acting_admin) as line:
        assert (await asked(line, "attempt.start", quiz_id=quiz["id"], device_id="laptop"))["error"][
            "code"
        ] == "forbidden"
        attempt = await mona.ok("POST", "/attempts", json={"quiz_id": quiz["id"]})
        held = {"attempt_id": attempt["id"], "device_id": "laptop", "lease": attempt["lease"]}
        answer = {
            "question_id": attempt["questions"][0]["id"],
            "value": "b",
            "op_id": "o1",
            "seq": 1,
            "base_revision": 0,
        }
        refused = [
            await asked(line, "answer.save", **held, **answer),
            await asked(line, "attempt.resume", **held),
            await asked(line, "attempt.take_over", attempt_id=attempt["id"], device_id="laptop"),
            await asked(line, "attempt.submit", attempt_id=attempt["id"]),
        ]
        assert [reply["error"]["code"] for reply in refused] == ["forbidden"] * 4
        await acting_admin.call("POST", "/auth/logout")
        assert await closed(line) == 4501
    stored = await mona.ok("GET", f"/attempts/{attempt['id']}")
    assert (stored["status"], stored["answers"]) == ("in_progress", {})
