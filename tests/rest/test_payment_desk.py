"""Who looks after payments: pays back, lets go, looks into what was found; and what reconciling finds when everything was lost."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from documents.audit_beside import AuditReason
from documents.audit_record import AuditRecord
from documents.base import Row
from documents.enrollment import Enrollment, enrollment_id_of
from documents.event_record import EventRecord
from documents.job import Job
from documents.journal_entry import JournalEntry
from documents.payment import Payment
from lms_rt.contracts.gateways import Charged, GatewayPayment, Money
from lms_rt.services import figures
from lms_rt.services.payments import walking
from tests.clients import Visitor
from tests.conftest import settings_on
from tests.house import House, open_house
from tests.services.till import TillGateway
from tests.working import idle, working

GATEWAY = "stripe"


@pytest.fixture(scope="module")
async def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """One school; what differs between engines is tried in tests/services/test_payment_refunds.py."""
    settings = settings_on("embedded", request, tmp_path_factory.mktemp("house"))
    async with open_house(settings) as opened:
        yield opened


@pytest.fixture
def till(house: House) -> TillGateway:
    """A gateway of which nothing is heard unless it is asked."""
    gateway = TillGateway()
    house.services.payment_gateways.add(gateway)
    return gateway


async def for_sale(house: House) -> str:
    """A published course with a price."""
    teacher = await house.teacher()
    draft = {"title": "Algebra", "description": "All of it.", "price": 1999, "currency": "USD"}
    course = await teacher.ok("POST", "/courses", json=draft)
    lesson = {"title": "Lines", "content": "Text", "is_published": True}
    await teacher.ok("POST", f"/courses/{course['id']}/lessons", json=lesson)
    await teacher.ok("POST", f"/courses/{course['id']}/publish")
    return str(course["id"])


async def begun(student: Visitor, course_id: str) -> Row:
    """The payment that a student began."""
    body = {"course_id": course_id, "gateway": GATEWAY}
    begun = await student.ok("POST", "/payments/create-payment-intent", json=body)
    row = await Payment.find_row(begun["payment_id"])
    assert row is not None
    return row


async def bought(house: House, till: TillGateway, student: Visitor, course_id: str) -> Row:
    """Begun, paid, and told by nobody: found when it is looked at again."""
    row = await begun(student, course_id)
    till.pays(row, at=house.services.clock.now())
    await looked_again(house, row)
    return await stored(row)


async def looked_again(house: House, *rows: Row) -> None:
    """The hour is over."""
    past = house.services.clock.now() - timedelta(seconds=1)
    for row in rows:
        await Payment.rows().update_one({"_id": row["_id"]}, {"$set": {"check_at": past}})
    async with working(house):
        await house.services.open_payments.look()
        await idle(house.services)


async def reconciled(house: House) -> None:
    """The night is over."""
    async with working(house):
        await house.services.payment_comparison.compare_all()
        await house.services.payment_books.check_all()
        await idle(house.services)


async def stored(row: Row) -> Row:
    found = await Payment.find_row(row["_id"])
    assert found is not None
    return found


async def enrolled(student: Visitor, course_id: str) -> str | None:
    """How the student is enrolled."""
    row = await Enrollment.find_of(student.user_id, course_id)
    return None if row is None else row.status


async def finding(admin: Visitor, kind: str, **asked: Any) -> dict[str, Any]:
    items = (await admin.ok("GET", "/payments/findings", params={"kind": kind, **asked}))["items"]
    assert len(items) == 1, items
    return dict(items[0])


async def test_a_lost_word_is_found_within_the_hour_and_paying_back_ends_what_it_opened(
    house: House, till: TillGateway
) -> None:
    student, other, admin, course_id = (
        await house.student(),
        await house.student(),
        await house.admin(),
        await for_sale(house),
    )
    row = await bought(house, till, student, course_id)
    assert (row["status"], await enrolled(student, course_id)) == ("completed", "active")
    path = f"/payments/{row['_id']}/refund"
    key = {"Idempotency-Key": "back-1"}
    first = await admin.call("POST", path, json={"amount": 999, "reason": "Was ill"}, headers=key)
    again = await admin.call("POST", path, json={"amount": 999, "reason": "Was ill"}, headers=key)
    assert (first.status_code, again.content, first.json()["status"]) == (201, first.content, "requested")
    assert (await admin.refused(422, "POST", path, json={"amount": 1001}))["refundable_amount"] == 1000
    async with working(house):
        await idle(house.services)
    assert await enrolled(student, course_id) == "active", "a part of it ends nothing"
    await admin.ok("POST", path, json={})
    async with working(house):
        await idle(house.services)
    assert (await stored(row))["status"] == "refunded"
    assert await enrolled(student, course_id) == "expired"
    shown = await student.ok("GET", first.headers["Location"].removeprefix("/api/v1"))
    assert [(one["amount"], one["status"], one["reason"]) for one in shown["items"]] == [
        (999, "completed", ""), (1000, "completed", ""),
    ]  # fmt: skip
    listed = await admin.ok("GET", f"/payments/{row['_id']}/refunds")
    assert (listed["items"][0]["reason"], listed["total"], listed["pages"]) == ("Was ill", 2, 1)
    second = await admin.ok("GET", f"/payments/{row['_id']}/refunds?page=2&page_size=1")
    assert ([one["amount"] for one in second["items"]], second["pages"]) == ([1000], 2)
    await other.refused(404, "GET", f"/payments/{row['_id']}/refunds")
    records = await AuditRecord.rows().find({"action": "payment.refund", "target_id": row["_id"]}).to_list(10)
    assert [one["actor_id"] for one in records] == [admin.user_id] * 2
    assert all("reason_hash" in one for one in records)


async def test_a_course_is_found_by_its_slug_wherever_money_is_asked_for(house: House, till: TillGateway) -> None:
    student, admin, course_id = await house.student(), await house.admin(), await for_sale(house)
    await bought(house, till, student, course_id)
    slug = (await admin.ok("GET", f"/courses/{course_id}"))["slug"]
    plan = {"plan_name": "By its slug", "amount": 900, "currency": "USD", "course_ids": [slug, course_id]}
    made = await admin.ok("POST", "/payments/plans", json=plan)
    coupon = await admin.ok("POST", "/payments/coupons", json={"code": "SLUG", "percent_off": 5, "course_ids": [slug]})
    assert (made["course_ids"], coupon["course_ids"]) == ([course_id], [course_id])
    for path, change in ((f"/payments/plans/{made['id']}", [slug]), (f"/payments/coupons/{coupon['id']}", [slug])):
        assert (await admin.ok("PATCH", path, json={"course_ids": change}))["version"] == 1, "it is the same course"
        told = await admin.refused(422, "PATCH", path, json={"course_ids": [slug, "no-such-course"]})
        assert told["errors"][0]["field"] == "course_ids"
    asked = [(student, "/payments/my-payments"), (student, "/payments/orders"), (student, "/payments/plans")]
    for visitor, path in (*asked, (admin, "/payments"), (admin, "/payments/revenue/summary")):
        by_id, by_slug, by_none = [
            await visitor.ok("GET", path, params={"course_id": name}) for name in (course_id, slug, "no-such-course")
        ]
        assert by_slug == by_id != by_none, path


async def test_what_is_noted_beside_an_order_is_its_buyers_and_the_treasurers(house: House, till: TillGateway) -> None:
    student, admin, course_id = await house.student(), await house.admin(), await for_sale(house)
    body, noted = {"course_id": course_id}, {"campaign": "spring-words", "seat": "12"}
    many = {f"name-{number}": "" for number in range(21)}
    names: list[Any] = [{"a b": ""}, {"$a": ""}, {"a" * 41: ""}, many]
    for bad in (*names, {"a": 1}, {"a": {}}, {"a": "x" * 501}, "a"):
        for path in ("/payments/orders", "/payments/create-payment-intent"):
            await student.refused(422, "POST", path, json={**body, "metadata": bad})
    begun = await student.ok(
        "POST", "/payments/create-payment-intent", json={**body, "gateway": GATEWAY, "metadata": noted}
    )
    row = await Payment.find_row(begun["payment_id"])
    assert row is not None
    assert noted["campaign"] not in repr(vars(till)), "the gateway is told nothing of it"
    till.pays(row, at=house.services.clock.now())
    await looked_again(house, row)
    for visitor in (student, admin):
        for path in (f"/payments/{row['_id']}", f"/payments/orders/{row['order_id']}"):
            assert (await visitor.ok("GET", path))["metadata"] == noted
    (kept,) = await EventRecord.rows().find({"data.id": row["_id"]}).to_list(10)
    assert (kept["type"], "metadata" in kept["data"]) == ("payment.completed", False)


async def test_payments_are_found_by_what_they_are_and_paid_back_by_who_may_as_far_as_they_go(
    house: House, till: TillGateway
) -> None:
    student, admin, course_id = await house.student(), await house.admin(), await for_sale(house)
    row = await bought(house, till, student, course_id)
    path = f"/payments/{row['_id']}/refund"
    for visitor, status in ((student, 403), (await house.visitor(), 401)):
        await visitor.refused(status, "POST", path, json={})
    for amount in (0, -1, 10**13, 2000, 19.99, "5"):
        await admin.refused(422, "POST", path, json={"amount": amount})
    assert (await stored(row))["refunded_amount"] == 0
    listed = await admin.ok("GET", "/payments", params={"status": "completed", "user_id": student.user_id})
    assert [one["id"] for one in listed["items"]] == [row["_id"]]
    for asked in ({"is_held": "true"}, {"dispute": "open"}, {"gateway": "paymob"}, {"from": "2100-01-01T00:00:00Z"}):
        params = {**asked, "user_id": student.user_id}
        assert (await admin.ok("GET", "/payments", params=params))["total"] == 0


async def test_a_refund_that_waits_is_called_off_with_why_and_the_course_stays_open(
    house: House, till: TillGateway
) -> None:
    student, admin, course_id = await house.student(), await house.admin(), await for_sale(house)
    row = await bought(house, till, student, course_id)
    asked = len(till.asked)
    wrong = await admin.ok("POST", f"/payments/{row['_id']}/refund", json={})
    path = f"/payments/{row['_id']}/refunds/{wrong['id']}/cancel"
    assert (await stored(row))["status"] == "refund_pending"
    for visitor, status in ((student, 403), (await house.teacher(), 403), (await house.visitor(), 401)):
        await visitor.refused(status, "POST", path, json={})
    await admin.refused(404, "POST", f"/payments/{row['_id']}/refunds/rfd_none/cancel", json={})
    assert (await admin.refused(422, "POST", path, json={"reason": "x" * 501}))["errors"][0]["field"] == "reason"
    for _ in range(2):
        view = await admin.ok("POST", path, json={"reason": "The wrong payment"})
        assert (view["status"], view["cancelled_by"], view["is_cancellable"]) == ("cancelled", admin.user_id, False)
    async with working(house):
        await idle(house.services)
    now = await stored(row)
    assert (now["status"], now["refunded_amount"], now["reserved_amount"]) == ("completed", 0, 0)
    assert (await enrolled(student, course_id), len(till.asked)) == ("active", asked)
    (record,) = await AuditRecord.rows().find({"action": "payment.refund_cancel"}).to_list(10)
    why = await AuditReason.rows().find_one({"_id": record["event_id"]})
    assert (record["actor_id"], record["target_id"]) == (admin.user_id, row["_id"])
    assert why is not None
    assert (why["text"], why["person_id"]) == ("The wrong payment", student.user_id)
    told = await EventRecord.rows().find({"type": "payment.refund_cancelled"}).to_list(10)
    assert [one["data"]["refund_id"] for one in told] == [wrong["id"]]
    done = await admin.ok("POST", f"/payments/{row['_id']}/refund", json={"amount": 500})
    async with working(house):
        await idle(house.services)
    late = await admin.refused(409, "POST", f"/payments/{row['_id']}/refunds/{done['id']}/cancel", json={})
    assert (late["code"], late["status"]) == ("refund_under_way", 409)


async def test_a_night_that_was_too_long_for_one_job_goes_on_in_others(
    house: House, till: TillGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    student, admin, course_id = await house.student(), await house.admin(), await for_sale(house)
    rows = [await begun(student, course_id)]
    rows += [await begun(await house.student(), course_id) for _ in range(2)]
    for row in rows:
        till.pays(row, at=house.services.clock.now() - timedelta(hours=1))
    monkeypatch.setattr(walking, "MOST_WORK", 1)
    await house.services.jobs.put("job_night", "payments.reconcile", {})
    async with working(house):
        await idle(house.services)
    jobs = await Job.rows().find({"task": "payments.reconcile"}).to_list(200)
    assert len(jobs) > 3
    assert {job["state"] for job in jobs} == {"done"}
    assert {(await stored(row))["status"] for row in rows} == {"completed"}
    for visitor in (student, await house.teacher()):
        await visitor.refused(403, "GET", "/payments/comparisons")
    told = {one["gateway"]: one for one in (await admin.ok("GET", "/payments/comparisons"))["items"]}
    assert (told[GATEWAY]["is_complete"], told[GATEWAY]["is_under_way"]) == (True, False)


async def test_a_dispute_of_which_no_gateway_tells_is_noted_and_closes_the_course_until_it_is_won(
    house: House, till: TillGateway
) -> None:
    student, admin, course_id = await house.student(), await house.admin(), await for_sale(house)
    row = await bought(house, till, student, course_id)
    path = f"/payments/{row['_id']}/dispute"
    await student.refused(403, "POST", path, json={"state": "lost"})
    await admin.refused(409, "POST", path, json={"state": "lost"})  # its gateway tells of its disputes itself
    await Payment.rows().update_one({"_id": row["_id"]}, {"$set": {"gateway": "paymob"}})
    await admin.refused(422, "POST", path, json={"state": "open", "amount": 2000})
    for said, amount, status in (
        ({"state": "open", "reason": "Paymob wrote so"}, 1999, "expired"),
        ({"state": "won"}, 0, "active"),
        ({"state": "lost", "amount": 1500}, 1500, "expired"),
    ):
        for _ in range(2):
            assert (await admin.ok("POST", path, json=said))["dispute"] == said["state"]
        async with working(house):
            await idle(house.services)
        assert await enrolled(student, course_id) == status
        entries = await JournalEntry.rows().find({"payment_id": row["_id"]}).to_list(50)
        lines = [line for entry in entries for line in entry["lines"] if line["account"] == "disputes:paymob"]
        assert sum(line["amount"] for line in lines) == amount
    assert (await finding(admin, "dispute", payment_id=row["_id"]))["facts"]["amount"] == 1500
    records = await AuditRecord.rows().find({"action": "payment.dispute", "target_id": row["_id"]}).to_list(10)
    assert [one["actor_id"] for one in records] == [admin.user_id] * 3


async def test_what_is_held_waits_for_somebody_who_lets_it_go_or_pays_it_back(house: House, till: TillGateway) -> None:
    student, admin, course_id = await house.student(), await house.admin(), await for_sale(house)
    row = await begun(student, course_id)
    till.pays(row, at=house.services.clock.now(), money=Money(1900, "USD"))
    await looked_again(house, row)
    assert ((await stored(row))["held"], await enrolled(student, course_id)) == ("amount_mismatch", None)
    held = await finding(admin, "held_payment", payment_id=row["_id"])
    assert (held["facts"]["due"], held["facts"]["paid"], held["status"]) == (1999, 1900, "open")
    assert (await admin.ok("GET", "/payments", params={"is_held": True, "user_id": student.user_id}))["total"] == 1
    await student.refused(403, "POST", f"/payments/{row['_id']}/release", json={})
    for _ in range(2):
        view = await admin.ok("POST", f"/payments/{row['_id']}/release", json={"reason": "A discount by mail"})
        assert view["held"] is None
    async with working(house):
        await idle(house.services)
    assert await enrolled(student, course_id) == "active"
    order = await student.ok("GET", f"/payments/orders/{row['order_id']}")
    assert (order["status"], order["payment_id"]) == ("completed", row["_id"])
    assert (await admin.ok("GET", f"/payments/findings/{held['id']}"))["status"] == "mended"
    # a checkout that somebody paid twice
    second = GatewayPayment("pi0_twice", Charged.COMPLETED, Money(1999, "USD"), key=row["key"])
    till.payments["pi0_twice"], till.made_at["pi0_twice"] = second, house.services.clock.now() - timedelta(hours=1)
    await reconciled(house)
    twice = await finding(admin, "duplicate_payment", status="open")
    await admin.refused(409, "POST", f"/payments/{twice['refs']['payment_id']}/release", json={})
    await admin.ok("POST", f"/payments/{twice['refs']['payment_id']}/refund", json={"reason": "Paid twice"})
    async with working(house):
        await idle(house.services)
    assert till.payments["pi0_twice"].refunded == 1999
    assert (await admin.ok("GET", f"/payments/findings/{twice['id']}"))["status"] == "mended"
    assert await enrolled(student, course_id) == "active"


async def test_what_a_gateway_lists_and_nobody_knows_is_shown_until_somebody_has_looked(
    house: House, till: TillGateway
) -> None:
    student, admin, course_id = await house.student(), await house.admin(), await for_sale(house)
    hour_ago = house.services.clock.now() - timedelta(hours=1)
    till.payments["pi0_alien"] = GatewayPayment("pi0_alien", Charged.COMPLETED, Money(500, "USD"), key="ord_lost-1")
    till.made_at["pi0_alien"] = hour_ago
    known = await begun(student, course_id)
    till.pays(known, at=hour_ago)
    mended = figures.PAYMENTS_MENDED.labels("state_differs")._value.get()
    await reconciled(house)
    assert ((await stored(known))["status"], await enrolled(student, course_id)) == ("completed", "active")
    assert figures.PAYMENTS_MENDED.labels("state_differs")._value.get() == mended + 1
    alien = await finding(admin, "unknown_payment")
    assert (alien["facts"]["amount"], alien["refs"]["intent_id"]) == (500, "pi0_alien")
    assert figures.PAYMENT_FINDINGS.labels("unknown_payment")._value.get() == 1
    path = f"/payments/findings/{alien['id']}"
    for visitor in (student, await house.teacher()):
        await visitor.refused(403, "GET", "/payments/findings")
        await visitor.refused(403, "GET", path)
        await visitor.refused(403, "POST", f"{path}/resolve", json={"note": "Mine"})
    await admin.refused(404, "GET", "/payments/findings/unknown_payment:none")
    await admin.refused(422, "POST", f"{path}/resolve", json={"note": " "})
    await admin.refused(412, "POST", f"{path}/resolve", json={"note": "Ours"}, headers={"If-Match": '"7"'})
    seen = await admin.ok("POST", f"{path}/resolve", json={"note": "The till of the book shop"})
    assert (seen["status"], seen["resolved_by"], seen["note"]) == (
        "resolved",
        admin.user_id,
        "The till of the book shop",
    )
    again = await admin.ok("POST", f"{path}/resolve", json={"note": "No, of the canteen"})
    assert again == seen, "what is resolved stays as it was"
    await reconciled(house)
    assert (await admin.ok("GET", path))["status"] == "resolved", "what somebody has looked into is told once"
    assert figures.PAYMENT_FINDINGS.labels("unknown_payment")._value.get() == 0
    till.is_away = True
    await reconciled(house)  # a gateway that is away hinders nobody
    assert await AuditRecord.rows().count_documents({"action": "finding.resolve", "target_id": alien["id"]}) == 1


async def test_each_night_payments_the_book_and_access_are_held_against_each_other(
    house: House, till: TillGateway
) -> None:
    student, admin, course_id = await house.student(), await house.admin(), await for_sale(house)
    row = await bought(house, till, student, course_id)
    which = {"_id": enrollment_id_of(student.user_id, course_id)}
    await Enrollment.rows().delete_one(which)
    refs = {"gateway": GATEWAY, "intent_id": row["intent_id"]}  # told by a webhook that came before what it is about
    await house.services.findings.found("unknown_payment", "early", refs=refs, facts={})
    await reconciled(house)
    assert (await admin.ok("GET", "/payments/findings/unknown_payment:early"))["status"] == "mended"
    assert await enrolled(student, course_id) == "active", "paid, and no access"
    wrong = {"status": "refunded", "refunded_amount": 1999}
    await Payment.rows().update_one(
        {"_id": row["_id"]}, {"$set": wrong}
    )  # by somebody's hand, past all that is written
    till.is_away = True
    await reconciled(house)
    assert await enrolled(student, course_id) == "expired", "access, and not paid"
    told = await finding(admin, "journal_unbalanced", payment_id=row["_id"])
    assert set(told["facts"]["differs_by"].values()) == {1999, -1999}
    await Payment.rows().update_one({"_id": row["_id"]}, {"$set": {"status": "completed", "refunded_amount": 0}})
    await reconciled(house)
    assert await enrolled(student, course_id) == "active"
    assert (await admin.ok("GET", f"/payments/findings/{told['id']}"))["status"] == "mended"
