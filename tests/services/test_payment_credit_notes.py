"""Credit notes of refunds and lost disputes: they follow what is told, and never come to more than the invoice."""

from __future__ import annotations

import asyncio

import pytest

from documents.base import Row
from documents.enums import RefundStatus
from documents.invoice import CREDIT_NOTE, INVOICE, Invoice
from documents.payment import Payment
from documents.refund import Refund
from lms_rt.services.payments.invoice_making import InvoiceMaking
from lms_rt.services.payments.rounding import part_of
from tests.house import House
from tests.services.test_payment_invoices import make, paid, paid_back, said_in


async def disputes(payment_id: str, *those: tuple[str, int, str]) -> None:
    told = [{"id": name, "amount": amount, "state": state} for name, amount, state in those]
    await Payment.rows().update_one({"_id": payment_id}, {"$set": {"disputes": told}})


async def test_a_lost_dispute_has_one_credit_note_linked_both_ways(house: House) -> None:
    student = await house.student()
    payment_id = await paid(house, student, tax_amount=91, tax_basis_points=1000)
    await disputes(payment_id, ("dp_1", 1000, "open"))
    assert [row["kind"] for row in await make(house, payment_id)] == [INVOICE]
    await disputes(payment_id, ("dp_1", 1000, "lost"))
    services = house.services
    others = [InvoiceMaking(settings=services.settings, clock=services.clock, files=services.files) for _ in range(3)]
    await asyncio.gather(*(one.number(payment_id) for one in others))
    await make(house, payment_id)
    invoice, note = (await student.ok("GET", f"/payments/{payment_id}/invoices"))["items"]
    assert (note["kind"], note["dispute_id"], note["refund_id"]) == (CREDIT_NOTE, "dp_1", None)
    assert (note["amount"], note["tax_amount"]) == (1000, 91)
    assert (note["invoice_number"], invoice["credit_notes"]) == (invoice["number"], [note["number"]])
    said = said_in((await student.call("GET", note["pdf_url"][len("/api/v1") :])).content)
    assert all(words in said for words in (invoice["number"], "Taken back by", "Total, taken back"))
    rows = await Invoice.rows().find({"kind": CREDIT_NOTE}, {"sequence": 1}).to_list(length=None)
    assert sorted(row["sequence"] for row in rows) == list(range(1, len(rows) + 1))


async def test_credit_notes_of_refunds_and_disputes_never_come_to_more_than_the_invoice(house: House) -> None:
    payment_id = await paid(house, await house.student(), tax_amount=91, tax_basis_points=1000)
    refund_id = await paid_back(payment_id, 300)
    await make(house, payment_id)
    await disputes(payment_id, ("dp_1", 1000, "lost"), ("dp_2", 50, "won"))
    notes = [row for row in await make(house, payment_id) if row["kind"] == CREDIT_NOTE]
    assert [(row["amount"], row.get("dispute_id")) for row in notes] == [(300, None), (700, "dp_1")]
    assert sum(row["tax_amount"] for row in notes) == 91
    await Refund.rows().update_one({"_id": refund_id}, {"$set": {"status": RefundStatus.FAILED.value}})
    signs = {INVOICE: 1, CREDIT_NOTE: -1}
    rows = await make(house, payment_id)
    assert rows == await make(house, payment_id)
    for name in ("amount", "tax_amount"):
        assert sum(signs[row["kind"]] * row[name] for row in rows) == 0, "the bank has all of it"
    await disputes(payment_id, ("dp_1", 1000, "won"))
    rows = await make(house, payment_id)
    assert sum(signs[row["kind"]] * row["amount"] for row in rows) == 1000, "it was won after all"


class Killed(Exception):
    """A process ends between two papers."""


def back_by(rows: list[Row]) -> dict[str, int]:
    """What is taken back on paper, by refunds and by disputes."""
    signs = {INVOICE: -1, CREDIT_NOTE: 1}
    names = {"refund_id": "refund", "dispute_id": "dispute"}
    return {
        word: sum(signs[row["kind"]] * row["amount"] for row in rows if row.get(name) is not None)
        for name, word in names.items()
    }


async def test_a_refund_that_is_heard_of_after_a_lost_dispute_never_takes_more_back_than_was_paid(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment_id = await paid(house, await house.student(), tax_amount=91, tax_basis_points=1000)
    await disputes(payment_id, ("dp_1", 1000, "lost"))
    assert back_by(await make(house, payment_id)) == {"refund": 0, "dispute": 1000}
    await paid_back(payment_id, 600)
    add, seen = Invoice.add, list[int]()

    async def watched(row: Row) -> bool:
        made = await add(row)
        seen.append(sum(back_by(await Invoice.of_payment(payment_id)).values()))
        return made

    monkeypatch.setattr(Invoice, "add", watched)
    rows = await make(house, payment_id)
    assert (seen, back_by(rows)) == ([400, 1000], {"refund": 600, "dispute": 400})
    signs = {INVOICE: -1, CREDIT_NOTE: 1}
    assert [(row["kind"], row["amount"], row["tax_amount"]) for row in rows if row["kind"] == CREDIT_NOTE] == [
        (CREDIT_NOTE, 1000, 91),
        (CREDIT_NOTE, 600, 91 - part_of(91, 400, 1000)),
    ]
    assert sum(signs[row["kind"]] * row["tax_amount"] for row in rows[1:]) == 91


async def test_who_counted_before_a_refund_was_numbered_elsewhere_counts_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment_id = await paid(house, await house.student(), tax_amount=91, tax_basis_points=1000)
    await make(house, payment_id)
    await disputes(payment_id, ("dp_1", 1000, "lost"))
    services, find_highest, add = house.services, Invoice.find_highest, Invoice.add
    other = InvoiceMaking(settings=services.settings, clock=services.clock, files=services.files)

    async def dies(row: Row) -> bool:
        await add(row)
        raise Killed

    async def meanwhile(kind: str, year: int) -> int:
        monkeypatch.setattr(Invoice, "find_highest", find_highest)
        await paid_back(payment_id, 600)
        monkeypatch.setattr(Invoice, "add", dies)
        with pytest.raises(Killed):
            await other.number(payment_id)
        monkeypatch.setattr(Invoice, "add", add)
        return await find_highest(kind, year)

    monkeypatch.setattr(Invoice, "find_highest", meanwhile)
    rows = await make(house, payment_id)
    assert back_by(rows) == {"refund": 600, "dispute": 400}
    assert [row["amount"] for row in rows] == [1000, 600, 400], "nothing was numbered in vain"
