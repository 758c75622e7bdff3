"""What money came to, and the way of one order, as those ask who look after payments; and access as its buyer meets it."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from documents.job import Job
from documents.journal_entry import JournalEntry
from documents.order import Order
from documents.payment import Payment
from documents.user import User
from lms_rt.contracts.gateways import Disputed, GatewayName
from tests import factories
from tests.clients import Visitor
from tests.conftest import settings_on
from tests.house import House, open_house
from tests.services.small_gateway import SmallGateway, word
from tests.working import idle, working
from tests.zones import FromNoon

SUMMARY = "/payments/revenue/summary"
EMBEDDED = pytest.mark.parametrize("house", ["embedded"], indirect=True)


class Shop:
    """A house that sells by two gateways in memory."""

    def __init__(self, house: House) -> None:
        self.house, self.gateway, self.other = house, SmallGateway(), SmallGateway(GatewayName.PAYMOB)
        for gateway in (self.gateway, self.other):
            house.services.payment_gateways.add(gateway)

    async def sells(self, teacher: Visitor, price: int, currency: str = "USD", **fields: Any) -> str:
        return str((await factories.course(teacher, price=price, currency=currency, **fields))["id"])

    async def bought(self, student: Visitor, course_id: str, gateway: str = "stripe") -> dict[str, Any]:
        wish = {"course_id": course_id, "gateway": gateway}
        checkout: dict[str, Any] = await student.ok("POST", "/payments/create-payment-intent", json=wish)
        (self.gateway if gateway == "stripe" else self.other).move(checkout["intent_id"])
        await self.told(checkout["intent_id"], gateway)
        return checkout

    async def told(self, intent_id: str, gateway: str = "stripe") -> None:
        """The gateway's word comes, twice, and all work is done."""
        visitor, made = await self.house.visitor(), word(f"evt_{intent_id}_{len(self.gateway.asked)}", intent_id)
        for _ in range(2):
            path = f"/payments/webhooks/{gateway}"
            answer = await visitor.call("POST", path, content=made.body, headers=made.headers)
            assert answer.status_code == 200, answer.text
        await self.work()

    async def work(self) -> None:
        async with working(self.house):
            await idle(self.house.services)


@pytest.fixture(scope="module", params=["embedded", pytest.param("real", marks=pytest.mark.real)])
async def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """In the middle of a day."""
    settings = settings_on(str(request.param), request, tmp_path_factory.mktemp("house"))
    async with open_house(settings, clock=FromNoon()) as opened:
        yield opened


@pytest.fixture(scope="module")
async def shop(house: House) -> Shop:
    return Shop(house)


def sums(rows: list[dict[str, Any]], *names: str) -> list[tuple[Any, ...]]:
    return [tuple(row[name] for name in (*names, "currency", "completed", "refunded", "revenue")) for row in rows]


async def test_revenue_by_day_gateway_course_and_currency(shop: Shop) -> None:
    admin, teacher = await shop.house.admin(), await shop.house.teacher()
    algebra, biology = await shop.sells(teacher, 1_999), await shop.sells(teacher, 12_500, "KWD")
    first = await shop.bought(await shop.house.student(), algebra)
    await shop.bought(await shop.house.student(), algebra, "paymob")
    await shop.bought(await shop.house.student(), biology)
    shop.gateway.pays_back(first["intent_id"], 999)
    shop.gateway.asked.append(None)  # type: ignore[arg-type]  # another word
    await shop.told(first["intent_id"])
    now = shop.house.services.clock.now()
    for zone in ("UTC", "Pacific/Kiritimati", "America/St_Johns"):
        day = now.astimezone(ZoneInfo(zone)).date().isoformat()
        told = await admin.ok("GET", SUMMARY, params={"timezone": zone})
        assert told["to"] == day
        assert sums(told["totals"]) == [("KWD", 12_500, 0, 12_500), ("USD", 3_998, 999, 2_999)]
        assert sums(told["by_day"], "date") == [(day, "KWD", 12_500, 0, 12_500), (day, "USD", 3_998, 999, 2_999)]
    assert sums(told["by_gateway"], "gateway") == [
        ("paymob", "USD", 1_999, 0, 1_999),
        ("stripe", "KWD", 12_500, 0, 12_500),
        ("stripe", "USD", 1_999, 999, 1_000),
    ]
    assert sums(told["by_course"], "course_id") == [
        (biology, "KWD", 12_500, 0, 12_500),
        (algebra, "USD", 3_998, 999, 2_999),
    ]
    asked = {"course_id": algebra, "gateway": "stripe", "interval": "month", "timezone": "UTC", "from": told["from"]}
    told = await admin.ok("GET", SUMMARY, params=asked)
    assert sums(told["by_day"]) == [("USD", 1_999, 999, 1_000)]
    assert (await admin.ok("GET", SUMMARY, params={"from": "2020-02-01", "to": "2020-02-29"}))["totals"] == []
    figures = await teacher.ok("GET", "/instructors/me/dashboard")
    totals = figures["totals"]
    assert totals["revenue"] == [{"currency": "KWD", "amount": 12_500}, {"currency": "USD", "amount": 2_999}]
    assert sums(totals["revenue_parts"]) == [("KWD", 12_500, 0, 12_500), ("USD", 3_998, 999, 2_999)]
    by_course = {row["course_id"]: row for row in figures["items"]}
    assert by_course[algebra]["revenue"] == [{"currency": "USD", "amount": 2_999}]
    assert sums(by_course[algebra]["revenue_parts"]) == [("USD", 3_998, 999, 2_999)]
    assert (await admin.ok("GET", "/admin/stats"))["revenue_30d"] == totals["revenue"]
    await what_a_teacher_earned_in_a_time(shop, teacher, algebra)
    assert await shop.house.services.journal.totals() in ({}, {"KWD": 0, "USD": 0})


async def what_a_teacher_earned_in_a_time(shop: Shop, teacher: Visitor, course_id: str) -> None:
    """By months of one's own clock, the last twelve; what moved before is of another time."""
    year_ago, later = {"at_ms": {"$gt": 0}, "subject_id": course_id}, 366 * 24 * 3_600_000
    await JournalEntry.rows().update_many({**year_ago, "figures.refunded": 0}, {"$inc": {"at_ms": -later}})
    path, now = "/instructors/me/dashboard", shop.house.services.clock.now()
    for zone in ("UTC", "Pacific/Kiritimati"):
        today = now.astimezone(ZoneInfo(zone)).date()
        told = await teacher.ok("GET", path, params={"timezone": zone})
        first = (
            today.replace(year=today.year - 1, month=today.month + 1, day=1)
            if today.month < 12
            else today.replace(month=1, day=1)
        )
        assert (told["from"], told["to"], told["timezone"]) == (first.isoformat(), today.isoformat(), zone)
        this_month = today.replace(day=1).isoformat()
        assert sums(told["totals"]["revenue_by_month"], "date") == [
            (this_month, "KWD", 12_500, 0, 12_500),
            (this_month, "USD", 0, 999, -999),
        ]
        assert sums(told["totals"]["revenue_parts"]) == [("KWD", 12_500, 0, 12_500), ("USD", 0, 999, -999)]
    before = {"to": (now.date() - timedelta(days=360)).isoformat(), "timezone": "UTC"}
    assert sums((await teacher.ok("GET", path, params=before))["totals"]["revenue_parts"]) == [("USD", 3_998, 0, 3_998)]
    for wrong, field in (
        ({"from": "2026-02-02", "to": "2026-02-01"}, "to"),
        ({"from": "2024-01-01", "to": "2025-01-02"}, "from"),
        ({"from": "yesterday"}, "from"),
        ({"timezone": "Nowhere/City"}, "timezone"),
    ):
        assert (await teacher.refused(422, "GET", path, params=wrong))["errors"][0]["field"] == field
    someone = await shop.house.teacher()
    assert (await someone.ok("GET", path))["totals"]["revenue"] == [], "each their own"
    await (await shop.house.student()).refused(403, "GET", path)


@EMBEDDED
async def test_only_who_looks_after_payments_asks_and_for_a_year_at_most(shop: Shop) -> None:
    admin, order_id = await shop.house.admin(), "ord_none"
    for person in (await shop.house.student(), await shop.house.teacher()):
        for path in (SUMMARY, f"/payments/orders/{order_id}/trace"):
            await person.refused(403, "GET", path)
    await admin.refused(404, "GET", f"/payments/orders/{order_id}/trace")
    for wrong in (
        {"from": "2026-02-02", "to": "2026-02-01"},
        {"from": "2024-01-01", "to": "2025-01-02"},
        {"from": "yesterday"},
        {"from": "0001-01-01"},
        {"timezone": "Nowhere/City"},
        {"currency": "usd"},
        {"interval": "hour"},
    ):
        await admin.refused(422, "GET", SUMMARY, params=wrong)
    assert (await admin.ok("GET", SUMMARY, params={"from": "2024-01-01", "to": "2024-12-31"}))["totals"] == []


@EMBEDDED
async def test_the_way_of_an_order_from_the_checkout_to_the_course_and_out_of_it(shop: Shop) -> None:
    admin, student = await shop.house.admin(), await shop.house.student()
    course_id = await shop.sells(await shop.house.teacher(), 1_999)
    made = await student.refused(402, "POST", "/enrollments", json={"course_id": course_id})
    assert (made["price"], made["currency"]) == (1_999, "USD")
    checkout = await shop.bought(student, course_id)
    path = f"/payments/orders/{checkout['order_id']}/trace"
    trace = await admin.ok("GET", path)
    (paid,) = trace["payments"]
    assert paid["is_in_balance"]
    assert [(one["kind"], len(one["lines"])) for one in paid["journal"]] == [("charge", 2)]
    assert [(one["type"], one["outcome"] is not None) for one in paid["words"]] == [("payment.moved", True)]
    access = trace["access"]
    assert (access["is_entitled"], access["by"], access["due"]) == (True, "payment", "kept")
    assert access["enrollment_payment_id"] == paid["payment"]["id"]
    kinds = [step["kind"] for step in trace["steps"]]
    assert kinds[0] == "order"
    assert {"checkout", "word", "payment", "journal", "enrollment"} <= set(kinds)
    assert [step["at"] for step in trace["steps"]] == sorted(step["at"] for step in trace["steps"])
    enrolled = await student.ok("POST", "/enrollments", json={"course_id": course_id})
    assert (enrolled["access"], enrolled["payment_id"]) == ("payment", paid["payment"]["id"])
    await student.refused(409, "POST", "/enrollments", json={"course_id": course_id})
    kinds = [one["kind"] for one in (await student.ok("GET", "/notifications"))["items"]]
    assert kinds.count("payment.completed") == 1

    shop.gateway.disputes(checkout["intent_id"], Disputed.OPEN, 1_999)
    shop.gateway.asked.append(None)  # type: ignore[arg-type]
    await shop.told(checkout["intent_id"])
    trace = await admin.ok("GET", path)
    access = trace["access"]
    assert (access["is_entitled"], access["due"], access["enrollment_status"]) == (False, "kept", "expired")
    assert [one["kind"] for one in trace["payments"][0]["journal"]] == ["charge", "dispute_open"]
    assert trace["payments"][0]["is_in_balance"]
    await student.refused(402, "POST", "/enrollments", json={"course_id": course_id})


@EMBEDDED
async def test_a_copy_shows_what_was_bought_and_who_is_erased_leaves_money_alone_and_is_enrolled_no_more(
    shop: Shop,
) -> None:
    admin, student, teacher = await shop.house.admin(), await shop.house.student(), await shop.house.teacher()
    bought = await shop.bought(student, await shop.sells(teacher, 1_999))
    late_id = await shop.sells(teacher, 500)
    wish = {"course_id": late_id, "gateway": "stripe"}
    late = await student.ok("POST", "/payments/create-payment-intent", json=wish)
    await student.ok("POST", "/users/me/export")
    await shop.work()
    copy = (await student.call("GET", "/users/me/export/download")).content
    with zipfile.ZipFile(io.BytesIO(copy)) as opened:
        orders, payments = (json.loads(opened.read(name)) for name in ("orders.json", "payments.json"))
    assert sorted(row["id"] for row in orders) == sorted([bought["order_id"], late["order_id"]])
    assert {row["amount"] for row in payments} == {1_999, 500}
    assert late["client_secret"] not in copy.decode("latin-1")

    await admin.ok("DELETE", f"/users/{student.user_id}", params={"erase": "true"})
    now = shop.house.services.clock.now()
    await User.rows().update_one({"_id": student.user_id}, {"$set": {"erase_at": now}})
    await Job.rows().update_many({"task": "erasure.run"}, {"$set": {"due_at": now}})
    await shop.work()
    shop.gateway.move(late["intent_id"])
    await shop.told(late["intent_id"])
    trace = await admin.ok("GET", f"/payments/orders/{late['order_id']}/trace")
    assert trace["access"]["enrollment_id"] is None
    assert (trace["payments"][0]["payment"]["status"], trace["access"]["due"]) == ("completed", "enrolled")
    row = await Order.find_row(late["order_id"])
    assert row is not None
    assert "checkout" not in row
    kept = await Payment.find_row(bought["payment_id"])
    assert kept is not None
    assert (kept["amount"], kept["status"], kept["metadata"], kept["user_id"]) == (
        1_999,
        "completed",
        {},
        student.user_id,
    )
