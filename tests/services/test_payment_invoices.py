"""Invoices and credit notes: numbered without gaps by whoever comes first, printed once, true to the last unit of tax."""

from __future__ import annotations

import asyncio
import hashlib
import io
import unicodedata
from datetime import UTC, datetime, timedelta
from typing import Any

import pypdf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from documents.base import Row
from documents.enums import HeldFor, PaymentStatus, RefundStatus
from documents.invoice import CREDIT_NOTE, INVOICE, Invoice
from documents.order import Order
from documents.payment import Payment
from documents.plan_subscription import PlanSubscription
from documents.refund import Refund
from documents.stored_file import StoredFile
from lms_rt.contracts.jobs import InvoiceArgs
from lms_rt.ids import new_id
from lms_rt.printing.invoice import print_invoice
from lms_rt.services import file_erasure
from lms_rt.services.erasure_steps import Ground
from lms_rt.services.payments import invoice_erasing, payment_erasing, refund_erasing
from lms_rt.services.payments.invoice_lines import lines_of
from lms_rt.services.payments.invoice_making import InvoiceMaking
from lms_rt.services.payments.invoice_words import amount_words, printed, sum_text
from lms_rt.services.payments.rounding import part_of, share_of, tax_within
from lms_rt.services.payments.service_periods import period_of
from lms_rt.services.withholding import Leaving
from tests.clients import Visitor
from tests.house import House


async def paid(house: House, student: Visitor, *, held: str | None = None, **order: Any) -> str:
    """A payment of this student that came in, with its order."""
    user_id, at = (await student.ok("GET", "/users/me"))["id"], house.services.clock.now()
    made: Row = {"version": 1, "created_at": at, "updated_at": at, "revision": 1, "user_id": user_id}
    asked = {"title": "Algebra 1", "list_amount": 1000, "amount": 1000, "currency": "USD", "expires_at": at, **order}
    defaults = {"kind": "course", "discount_amount": 0, "tax_amount": 0, "tax_basis_points": 0, "is_tax_included": True}
    order_row = {**made, **defaults, "_id": new_id("ord"), "status": "completed", **asked}
    payment = {**made, "_id": new_id("pay"), "order_id": order_row["_id"], "key": f"{order_row['_id']}-1"}
    payment |= {"amount": order_row["amount"], "currency": order_row["currency"], "gateway": "stripe"}
    payment |= {"status": PaymentStatus.COMPLETED.value, "completed_at": at, "payment_method": "card"}
    payment |= {"refunded_amount": 0, "metadata": {}} | ({} if held is None else {"held": held})
    await Order.add(order_row)
    await Payment.add(payment)
    return str(payment["_id"])


async def paid_back(payment_id: str, amount: int, status: RefundStatus = RefundStatus.COMPLETED) -> str:
    """A refund of a payment that went out."""
    payment = await Payment.find_row(payment_id)
    assert payment is not None
    kept = ("order_id", "user_id", "gateway", "currency", "created_at", "updated_at")
    refund = {name: payment[name] for name in kept} | {"_id": new_id("ref"), "payment_id": payment_id, "amount": amount}
    beside = {"was_completed": status is RefundStatus.COMPLETED, "revision": 1, "version": 1}
    await Refund.add({**refund, "intent_id": "in_1", "status": status.value, **beside})
    return str(refund["_id"])


async def make(house: House, payment_id: str) -> list[Row]:
    await house.services.invoices.make(InvoiceArgs(payment_id=payment_id))
    return await Invoice.of_payment(payment_id)


def said_in(content: bytes) -> str:
    return unicodedata.normalize("NFKC", pypdf.PdfReader(io.BytesIO(content)).pages[0].extract_text())


async def test_who_paid_has_an_invoice_and_a_credit_note_for_what_was_paid_back(house: House) -> None:
    student, other, admin = await house.student("Sara Saleh"), await house.student(), await house.admin()
    tax: dict[str, Any] = {
        "tax_name": "VAT",
        "tax_basis_points": 500,
        "tax_country": "AE",
        "tax_amount": 45,
        "is_tax_included": False,
    }
    price: dict[str, Any] = {"list_amount": 1000, "discount_amount": 100, "coupon_code": "SPRING", "amount": 945}
    payment_id = await paid(house, student, **price, **tax)
    [first] = await make(house, payment_id)
    await paid_back(payment_id, 300)
    rows = await make(house, payment_id)
    assert [row["kind"] for row in rows] == [INVOICE, CREDIT_NOTE]
    assert rows == await make(house, payment_id), "made twice"
    # the price moves, the invoice does not
    listed = (await student.ok("GET", f"/payments/{payment_id}/invoices"))["items"]
    assert [(one["amount"], one["tax_amount"]) for one in listed] == [(945, 45), (300, 14)]
    assert listed[0]["number"] == first["number"]
    for viewer in (student, admin):
        reply = await viewer.call("GET", listed[0]["pdf_url"][len("/api/v1") :])
        assert reply.headers["Content-Type"] == "application/pdf"
        said = said_in(reply.content)
        for words in (first["number"], "Sara Saleh", "Algebra 1", "10.00 USD", "SPRING", "-1.00 USD", "VAT, 5%", "0.45 USD", "9.45 US dollars"):  # fmt: skip
            assert words in said, words
    note = said_in((await student.call("GET", listed[1]["pdf_url"][len("/api/v1") :])).content)
    assert all(
        words in note for words in ("Credit note", first["number"], "3.00 USD", "VAT, 5%", "0.14 USD", "2.86 USD")
    )
    # nobody else's, and nothing that is not there
    for who, path in (
        (other, f"/payments/{payment_id}/invoices"),
        (other, f"/payments/{payment_id}/invoice"),
        (student, f"/payments/{payment_id}/invoice?number=INV-1999-000001"),
        (student, f"/payments/{new_id('pay')}/invoice"),
    ):
        assert (await who.call("GET", path)).status_code == 404


async def test_an_invoice_is_in_the_language_of_who_paid_and_in_the_places_of_its_currency(house: House) -> None:
    student = await house.student("محمد عبد الرحمن")
    await student.ok("PATCH", "/users/me", json={"locale": "ar"})
    payment_id = await paid(house, student, amount=12500, list_amount=12500, currency="KWD", title="الجبر")
    [row] = await make(house, payment_id)
    assert row["language"] == "ar"
    said = said_in((await student.call("GET", f"/payments/{payment_id}/invoice")).content)
    assert all(words in said for words in (row["number"], "12.500 KWD", "محمد"))


def test_amounts_have_every_place_of_their_currency() -> None:
    assert [sum_text(1234500, code) for code in ("JPY", "USD", "KWD")] == [
        "1,234,500 JPY",
        "12,345.00 USD",
        "1,234.500 KWD",
    ]
    assert amount_words(1, "JPY", "en") == "1 Japanese yen"
    assert "دينار كويتي" in amount_words(12500, "KWD", "ar")


async def test_what_waits_for_a_person_or_never_came_has_no_invoice(house: House) -> None:
    student = await house.student()
    held = await paid(house, student, held=HeldFor.AMOUNT_MISMATCH.value)
    assert await make(house, held) == []
    assert (await student.call("GET", f"/payments/{held}/invoice")).status_code == 409
    assert (await student.ok("GET", f"/payments/{held}/invoices"))["items"] == []


async def test_many_paid_at_once_have_numbers_without_gaps_from_two_processes(house: House) -> None:
    student = await house.student()
    payments = [await paid(house, student) for _ in range(12)]
    services = house.services
    others = [InvoiceMaking(settings=services.settings, clock=services.clock, files=services.files) for _ in range(2)]
    await asyncio.gather(*(one.number(payment_id) for payment_id in payments for one in others))
    for kind in (INVOICE, CREDIT_NOTE):
        rows = await Invoice.rows().find({"kind": kind}, {"sequence": 1, "number": 1}).to_list(length=None)
        assert sorted(row["sequence"] for row in rows) == list(range(1, len(rows) + 1))


async def test_a_refund_that_comes_back_takes_its_credit_note_back(house: House) -> None:
    student = await house.student()
    payment_id = await paid(house, student, tax_amount=91, tax_basis_points=1000)
    refund_id = await paid_back(payment_id, 333)
    await make(house, payment_id)
    await Refund.rows().update_one({"_id": refund_id}, {"$set": {"status": RefundStatus.FAILED.value}})
    await paid_back(payment_id, 1000)
    rows = await make(house, payment_id)
    signs = {INVOICE: 1, CREDIT_NOTE: -1}
    assert len(rows) == 4
    for name in ("amount", "tax_amount"):
        assert sum(signs[row["kind"]] * row[name] for row in rows) == 0


async def test_a_refund_whose_amount_changes_is_followed_on_paper(house: House) -> None:
    payment_id = await paid(house, await house.student(), tax_amount=91, tax_basis_points=1000)
    refund_id = await paid_back(payment_id, 500)
    signs = {INVOICE: -1, CREDIT_NOTE: 1}
    for amount in (500, 400, 650, 650, 300):  # the gateway says so afterwards
        await Refund.rows().update_one({"_id": refund_id}, {"$set": {"amount": amount}})
        notes = [row for row in await make(house, payment_id) if row.get("refund_id") == refund_id]
        sums = [sum(signs[row["kind"]] * row[name] for row in notes) for name in ("amount", "tax_amount")]
        assert sums == [amount, part_of(91, amount, 1000)]
    assert len(notes) == 4
    assert {row["printed"]["invoice_number"] for row in notes} == {(await make(house, payment_id))[0]["number"]}


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**9), st.lists(st.integers(1, 10**9), min_size=1, max_size=8))
def test_parts_of_a_tax_are_the_whole_tax_in_the_end(tax: int, parts: list[int]) -> None:
    whole, back, told = sum(parts), 0, 0
    for part in parts:
        back += part
        step = part_of(tax, back, whole) - told
        assert step >= 0
        told += step
    assert told == tax


async def test_of_who_was_erased_the_numbers_stay_and_the_name_goes(house: House) -> None:
    student, admin, services = await house.student("Zebadiah Quill"), await house.admin(), house.services
    payment_id = await paid(house, student)
    refund_id = await paid_back(payment_id, 100, RefundStatus.FAILED)
    told = {"held_back": "card of Zebadiah is closed", "reason": "Zebadiah asked"}
    await Refund.rows().update_one({"_id": refund_id}, {"$set": told})
    await Payment.rows().update_one(
        {"_id": payment_id},
        {"$set": {"failure": "not for zebadiah", "customer_id": "cus_zebadiah", "intent_id": "pi_1"}},
    )
    [row] = await make(house, payment_id)
    leaving = Leaving(row["user_id"], "Zebadiah Quill", "", "")
    ground = Ground(files=services.file_store, clock=services.clock, leaving=leaving, job_id="job_x")
    for _ in range(2):
        await invoice_erasing.invoices(ground)
        await payment_erasing.payments(ground)
        await refund_erasing.refunds(ground)
        await file_erasure.files(ground)
    [kept] = await make(house, payment_id)
    assert (kept["number"], kept["amount"], kept.get("file_id")) == (row["number"], row["amount"], None)
    said = said_in((await admin.call("GET", f"/payments/{payment_id}/invoice")).content)
    assert (row["number"] in said, "Zebadiah" in said) == (True, False)
    assert await StoredFile.find_row(row["file_id"]) is None
    left = str([await Payment.find_row(payment_id), await Refund.find_row(refund_id)]).lower()
    assert ("zebadiah" in left, "pi_1" in left) == (False, True), "the books are held against the gateway's"


async def test_a_file_that_the_store_lost_is_printed_again(house: House) -> None:
    student = await house.student()
    payment_id = await paid(house, student)
    [row] = await make(house, payment_id)
    first = await student.call("GET", f"/payments/{payment_id}/invoice")
    file = await StoredFile.find_row(row["file_id"])
    assert file is not None
    await house.services.file_store.remove(file["blob_id"])
    again = await student.call("GET", f"/payments/{payment_id}/invoice")
    assert first.content == again.content


# --- what stands on them ---


async def test_an_invoice_says_who_sold_what_for_which_time_where_and_with_which_tax(house: House) -> None:
    student = await house.student()
    tax: dict[str, Any] = {"tax_name": "MwSt", "tax_basis_points": 1900, "tax_country": "DE", "tax_amount": 171}
    where: dict[str, Any] = {"country": "DE", "card_country": "FR", "address_country": "DE"}
    price: dict[str, Any] = {"list_amount": 1000, "discount_amount": 100, "amount": 1071, "is_tax_included": False}
    payment_id = await paid(house, student, **price, **tax, **where)
    at = house.services.clock.now()
    subscription = {"_id": new_id("sub"), "interval": "month", "start_date": at, "user_id": student.user_id}
    await PlanSubscription.rows().insert_one({**subscription, "status": "active", "outbox": []})
    await Payment.rows().update_one({"_id": payment_id}, {"$set": {"subscription_id": subscription["_id"]}})
    await make(house, payment_id)
    [one] = (await student.ok("GET", f"/payments/{payment_id}/invoices"))["items"]
    assert one["seller"]["name"] == house.services.settings.project_name
    assert (one["buyer_country"], one["service_from"] < one["service_until"]) == ("DE", True)
    told = [(row["source"], row["country"]) for row in one["country_evidence"]]
    assert told == [("buyer", "DE"), ("card", "FR"), ("address", "DE")]
    assert (one["tax_name"], one["tax_rate"], one["tax_country"]) == ("MwSt", "19.00", "DE")
    assert (one["net_amount"], one["tax_amount"], one["amount"]) == (900, 171, 1071)
    sums = [(row["kind"], row["net_amount"], row["tax_amount"], row["gross_amount"]) for row in one["lines"]]
    assert sums == [("item", 1000, 190, 1190), ("discount", -100, -19, -119)]
    said = said_in((await student.call("GET", f"/payments/{payment_id}/invoice")).content)
    for words in ("Net total", "9.00 USD", "MwSt, 19%", "1.71 USD", "11.90 USD", "Germany (as the buyer said)", "France (of the card)", "Service period"):  # fmt: skip
        assert words in said, words


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 10**9), st.integers(0, 10**9), st.integers(0, 10_000), st.booleans())
def test_the_lines_of_an_invoice_sum_up_to_it(listed: int, off: int, points: int, is_included: bool) -> None:
    off = min(off, listed)
    left = listed - off
    tax = tax_within(left, points) if is_included else share_of(left, points)
    amount = left if is_included else left + tax
    said = {"list_amount": listed, "discount_amount": off, "tax_basis_points": points, "is_tax_included": is_included}
    lines = lines_of({"kind": INVOICE, "amount": amount, "tax_amount": tax, "printed": said})
    assert sum(line.gross for line in lines) == amount
    assert sum(line.tax for line in lines) == tax
    assert sum(line.net for line in lines) == amount - tax


@pytest.mark.parametrize(
    ("fields", "paid_at", "period"),
    [
        ({"start_date": (1, 31)}, (1, 31), ((1, 31), (2, 28))),
        ({"start_date": (1, 31)}, (2, 28), ((2, 28), (3, 31))),
        ({"start_date": (1, 31)}, (4, 3), ((3, 31), (4, 30))),
        ({"start_date": (1, 10)}, (1, 9), ((1, 10), (2, 10))),
        ({}, (3, 5), ((3, 5), (4, 5))),
        ({"start_date": (1, 10), "end_date": (4, 20), "changes": 1}, (3, 25), ((3, 20), (4, 20))),
        ({"start_date": (1, 10), "end_date": (3, 20), "changes": 1}, (3, 25), ((3, 25), (4, 25))),
        # some days early, or late
        ({"start_date": (1, 10)}, (2, 9), ((2, 10), (3, 10))),
        ({"start_date": (1, 10), "end_date": (3, 20), "changes": 1}, (3, 19), ((3, 20), (4, 20))),
        ({"start_date": (1, 10), "end_date": (3, 20), "changes": 1, "changed_at": (1, 15)}, (3, 9), ((2, 20), (3, 20))),
        # what is left of a period at another price
        (
            {"start_date": (1, 10), "end_date": (3, 10), "changes": 1, "changed_at": (2, 25)},
            (2, 25),
            ((2, 25), (3, 10)),
        ),
        ({"start_date": (1, 10), "end_date": (3, 10), "changes": 1, "next_price": {}}, (3, 9), ((3, 9), (3, 10))),
        (
            {"start_date": (1, 10), "end_date": (3, 10), "changes": 1, "next_price": {}, "is_next_agreed": True},
            (3, 9),
            ((3, 10), (4, 10)),
        ),
        (
            {"start_date": (2, 25), "end_date": (3, 25), "changes": 1, "changed_at": (2, 25)},
            (2, 25),
            ((2, 25), (3, 25)),
        ),
        # months of thirty days
        ({"gateway": "paymob", "start_date": (1, 1), "end_date": (1, 31)}, (1, 1), ((1, 1), (1, 31))),
        ({"gateway": "paymob", "start_date": (1, 1), "end_date": (1, 31)}, (1, 31), ((1, 31), (3, 2))),
        ({"gateway": "paymob", "start_date": (1, 1), "end_date": (4, 1)}, (3, 2), ((3, 2), (4, 1))),
        ({"gateway": "paymob", "start_date": (1, 1), "end_date": (12, 27)}, (11, 27), ((11, 27), (12, 27))),
        ({"gateway": "paymob"}, (1, 1), ((1, 1), (1, 31))),
    ],
)
def test_the_period_that_was_paid_is_the_one_that_the_payment_fell_into(
    fields: dict[str, Any], paid_at: tuple[int, int], period: tuple[tuple[int, int], tuple[int, int]]
) -> None:
    def day(one: tuple[int, int]) -> datetime:
        return datetime(2026, *one, 12, tzinfo=UTC)

    row = {name: day(value) if isinstance(value, tuple) else value for name, value in fields.items()}
    assert period_of({"interval": "month", **row}, day(paid_at)) == (day(period[0]), day(period[1]))
    assert period_of(None, day(paid_at)) is None


@pytest.mark.parametrize("gateway", ["stripe", "paymob"])
def test_what_was_drawn_late_is_of_the_period_that_was_owed(gateway: str) -> None:
    def day(month: int, of_month: int) -> datetime:
        return datetime(2026, month, of_month, 12, tzinfo=UTC)

    row = {"gateway": gateway, "interval": "month", "start_date": day(4, 1), "end_date": day(5, 31)}
    begins = [day(4, 1), day(5, 1), day(5, 31) if gateway == "paymob" else day(6, 1)]
    for others, number in (([day(4, 1)], 1), ([day(4, 1), day(4, 30)], 2), ([day(4, 1), day(5, 20)], 2), ([], 2)):
        begin, end = period_of(row, day(5, 30), others) or (None, None)
        assert begin == begins[number], others
        assert number == 2 or end == begins[2]


def test_the_renewals_of_a_gateway_whose_months_have_thirty_days_are_of_one_period_each_without_a_gap() -> None:
    begin = datetime(2026, 1, 1, 9, tzinfo=UTC)
    for interval, days in (("month", 30), ("year", 360)):
        until = begin
        for number in range(36):
            drawn = begin + number * timedelta(days=days)
            for end in (drawn, drawn + timedelta(days=days)):  # before its word came, and after
                row = {"gateway": "paymob", "interval": interval, "start_date": begin, "end_date": end}
                assert period_of(row, drawn + timedelta(hours=5)) == (until, drawn + timedelta(days=days))
            until = drawn + timedelta(days=days)


_FIRST_FORM: dict[str, Any] = {
    "seller_name": "School of Algebra", "seller_address": "1 Main Street\nCairo", "seller_tax_number": "123-456-789",
    "buyer_name": "Sara Saleh", "gateway": "stripe", "method": "card", "paid_at": "2026-03-01T10:00:00+00:00",
    "title": "Algebra 1", "coupon_code": "SPRING", "tax_name": "VAT", "tax_basis_points": 500, "tax_country": "AE",
    "is_tax_included": False, "list_amount": 1000, "discount_amount": 100,
}  # fmt: skip
_NOTE = {"is_tax_included": True, "list_amount": 300, "discount_amount": 0, "coupon_code": None}
_NO_TAX = {"tax_name": None, "tax_basis_points": 0, "is_tax_included": True, "discount_amount": 0, "coupon_code": None}


@pytest.mark.parametrize(
    ("fields", "said", "digest"),
    [
        ({}, {}, "870a484ef9606f109f810ebb6ee8f32c0270c66cc7ce0eaa3bf054f44ec874ae"),
        (
            {"kind": CREDIT_NOTE, "number": "CN-2026-000001", "amount": 300, "tax_amount": 14},
            {**_NOTE, "invoice_number": "INV-2026-000001"},
            "53dcc600caaa3df82b33f552bb7fdbd12d831a30b81ef9dddd44586b37a362e5",
        ),
        (
            {"currency": "IQD", "amount": 25000, "tax_amount": 0, "language": "ar"},
            {**_NO_TAX, "list_amount": 25000},
            "72b330c7616afd5f7d2e9e3413dba5e797d8a54ae7c0eb2fac5efe93ed49f79d",
        ),
    ],
    ids=["invoice", "credit note", "fewer places"],
)
def test_what_was_numbered_in_the_first_form_is_printed_as_it_was(
    fields: dict[str, Any], said: dict[str, Any], digest: str
) -> None:
    row = {
        "_id": "inv_1", "kind": INVOICE, "number": "INV-2026-000001", "payment_id": "pay_1", "amount": 945, "tax_amount": 45,
        "currency": "USD", "language": "en", "issued_at": datetime(2026, 3, 1, 12, tzinfo=UTC), **fields,
    }  # fmt: skip
    content = print_invoice(printed({**row, "printed": {**_FIRST_FORM, **said}}))
    drawn = pypdf.PdfReader(io.BytesIO(content)).pages[0].get_contents()
    assert drawn is not None
    assert hashlib.sha256(drawn.get_data()).hexdigest() == digest
