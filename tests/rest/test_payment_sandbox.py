"""Buying a course by the sandbox: its page pays, declines, pays later; what follows is what follows with every gateway."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from documents.sandbox_payment import SandboxPayment
from lms_rt.clock import FakeClock
from lms_rt.contracts.base import encode
from lms_rt.security.csrf import STRANGERS
from tests.clients import Visitor
from tests.conftest import settings_on
from tests.factories import course
from tests.house import House, open_house
from tests.working import idle, working


@pytest.fixture(scope="module")
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(scope="module")
async def house(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, clock: FakeClock
) -> AsyncIterator[House]:
    """A school on the embedded store, as only there is a sandbox."""
    settings = settings_on("embedded", request, tmp_path_factory.mktemp("sandbox"))
    async with open_house(settings, clock=clock) as opened:
        yield opened


@asynccontextmanager
async def browser_of(house: House, visitor: Visitor) -> AsyncIterator[httpx.AsyncClient]:
    """A browser without scripts in which somebody has signed in."""
    token = visitor.tokens.get("access_token", "")
    session = (await house.services.sessions.authenticate(token)).session_id if token else STRANGERS
    async with httpx.AsyncClient(base_url=house.address, timeout=30, trust_env=False) as browser:
        browser.cookies.set("lms_access", token)
        browser.cookies.set("lms_form", house.services.sessions.csrf.issue(session))
        yield browser


async def act(browser: httpx.AsyncClient, page: str, what: str) -> httpx.Response:
    return await browser.post(page, data={"act": what, "csrf": browser.cookies["lms_form"]})


async def begun(house: House, student: Visitor) -> tuple[str, dict[str, Any]]:
    """A course of 12.500 dinars, and the page on which it is paid."""
    sold = await course(await house.teacher(), price=12_500, currency="KWD")
    body = {"course_id": sold["id"], "gateway": "sandbox"}
    checkout = await student.ok("POST", "/payments/create-payment-intent", json=body)
    url = checkout["client"]["redirect_url"] if "client" in checkout else checkout["redirect_url"]
    return "/" + url.split("/", 3)[3], {**checkout, "course_id": sold["id"]}


async def order_of(student: Visitor, checkout: dict[str, Any]) -> dict[str, Any]:
    order: dict[str, Any] = await student.ok("GET", f"/payments/orders/{checkout['order_id']}")
    return order


async def test_who_pays_is_in_the_course_and_pays_once(house: House) -> None:
    student = await house.student()
    page, checkout = await begun(house, student)
    async with browser_of(house, student) as browser, working(house):
        for language, words in (("en", "No money moves"), ("ar", "لا تُنقل أي أموال")):
            shown = await browser.get(page, params={"lang": language})
            assert shown.status_code == 200
            assert words in shown.text
        assert (await order_of(student, checkout))["status"] == "pending"
        declined = await act(browser, page, "decline")
        assert declined.status_code == 409
        assert 'id="fault"' in declined.text
        for _ in range(2):  # a double click
            sent = await act(browser, page, "pay")
            assert (sent.status_code, sent.headers["Location"]) == (303, f"/payments/orders/{checkout['order_id']}")
        await idle(house.services)
        again = await act(browser, page, "decline")
        assert again.status_code == 303
        await idle(house.services)
    assert (await order_of(student, checkout))["status"] == "completed"
    listed = await student.ok("GET", "/payments/my-payments")
    assert [(one["status"], one["gateway"], one["amount"]) for one in listed["items"]] == [
        ("completed", "sandbox", 12_500)
    ]
    enrolments = await student.ok("GET", "/enrollments")
    assert [one["course_id"] for one in enrolments["items"]] == [checkout["course_id"]]


async def test_a_transfer_opens_the_course_when_it_has_come(house: House, clock: FakeClock) -> None:
    student = await house.student()
    page, checkout = await begun(house, student)
    async with browser_of(house, student) as browser, working(house):
        assert (await act(browser, page, "later")).status_code == 303
        await idle(house.services)
        assert (await order_of(student, checkout))["status"] == "pending"
        for what in ("decline", "cancel", "pay"):  # it is on its way, whatever else is pressed
            await act(browser, page, what)
        await idle(house.services)
        assert (await order_of(student, checkout))["status"] == "pending"
        clock.advance(31)
        await idle(house.services)
    assert (await order_of(student, checkout))["status"] == "completed"


async def test_who_cancels_has_paid_nothing_and_may_begin_again(house: House) -> None:
    student = await house.student()
    page, checkout = await begun(house, student)
    async with browser_of(house, student) as browser, working(house):
        assert (await act(browser, page, "cancel")).status_code == 303
        await idle(house.services)
        assert (await act(browser, page, "pay")).status_code == 303  # the page is closed: nothing is paid by it
        await idle(house.services)
        assert (await student.ok("GET", "/enrollments"))["items"] == []
        again = await student.ok("POST", f"/payments/create-intent/{checkout['order_id']}", json={"gateway": "sandbox"})
    assert again["order_id"] == checkout["order_id"]
    listed = await student.ok("GET", "/payments/my-payments")
    assert sorted(one["status"] for one in listed["items"]) == ["cancelled", "pending"]


async def test_anothers_checkout_is_not_there_and_nothing_else_is_done_at_it(house: House) -> None:
    student, other = await house.student(), await house.student()
    page, checkout = await begun(house, student)
    async with browser_of(house, other) as browser:
        for reply in (await browser.get(page), await act(browser, page, "pay")):
            assert reply.status_code == 404
    async with browser_of(house, student) as browser:
        assert (await act(browser, page, "steal")).status_code == 404
        without_token = await browser.post(page, data={"act": "pay"})
        assert without_token.status_code == 403
    assert (await order_of(student, checkout))["status"] == "pending"


async def test_its_words_come_in_by_the_door_of_all_gateways(house: House) -> None:
    student = await house.student()
    page, checkout = await begun(house, student)
    gateway: Any = house.services.payment_gateways.find("sandbox")
    row = await SandboxPayment.find_row(page.rsplit("/", 1)[1])
    assert row is not None
    headers, body = gateway.word("evt_by_http", "payment.paid", row)
    for _ in range(2):
        reply = await student.http.post("/payments/webhooks/sandbox", content=body, headers=headers)
        assert (reply.status_code, reply.json()) == (200, {"status": "success"})
    forged = encode(
        {"id": "evt_f", "type": "payment.paid", "kind": "payment", "object_id": row["_id"], "key": row["key"]}
    )
    for sent, header in ((forged, headers), (body, {}), (body[:-1], headers)):
        reply = await student.http.post("/payments/webhooks/sandbox", content=sent, headers=header)
        assert (reply.status_code, reply.json()["code"]) == (400, "invalid_signature")
    async with working(house):
        await idle(house.services)
    assert (await order_of(student, checkout))["status"] == "pending", (
        "a word is believed nothing: the sandbox says pending"
    )
