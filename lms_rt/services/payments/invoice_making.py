"""How invoices and credit notes come to be, step by step; each may be taken again, and whoever is killed is followed by another.

1. The document with its number and all that is printed on it, in one insert. 2. The file, printed in a thread and put into the
store under an id that follows from the document's. 3. One compare-and-set that names the file. A payment has one invoice, each
refund that went out a credit note, and so has each dispute that was lost; what came back of either after all, or changed, has a
note or an invoice over the difference.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial

from config.settings import Settings
from documents.base import Row
from documents.invoice import CREDIT_NOTE, INVOICE, MOST_OF_PAYMENT, Invoice
from documents.order import Order
from documents.payment import PAID, Payment
from documents.plan_subscription import PlanSubscription
from documents.refund import Refund
from documents.stored_file import FileUse
from documents.user import User
from lms_rt.clock import Clock
from lms_rt.errors import Code, Refused
from lms_rt.ids import derived_id
from lms_rt.printing.invoice import print_invoice
from lms_rt.services.certificate_issuing import one_piece
from lms_rt.services.contended import until_written
from lms_rt.services.files import FileKind, Files, Produced
from lms_rt.services.notification_texts import language_of
from lms_rt.services.payments.invoice_backs import PREFIX, is_beside, lost_of, missing_of, refunded_of, sum_back
from lms_rt.services.payments.invoice_words import FORM, printed
from lms_rt.services.payments.refund_views import currency_of, paid_of
from lms_rt.services.payments.rounding import part_of
from lms_rt.services.payments.service_periods import period_of
from lms_rt.services.payments.tax_evidence import evidence_of
from lms_rt.services.withholding import WITHHELD

PDF = FileKind("application/pdf", "document")
MOST_WAITING = 4
"""So many who ask at once are printed for; printing one takes some hundredths of a second."""
_SERIES = {INVOICE: "INV", CREDIT_NOTE: "CN"}

Wanted = Callable[[], Awaitable[Row | None]]
"""What is to be numbered, all that is known by now counted; None: nothing any more."""


class InvoiceMaking:
    """Numbers and prints them."""

    def __init__(self, *, settings: Settings, clock: Clock, files: Files) -> None:
        self._settings, self._clock, self._files = settings, clock, files
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="invoices")
        self._turn, self._asked = asyncio.Lock(), 0

    async def make(self, payment_id: str) -> None:
        """All that a payment is to have, with their files; again does nothing."""
        for row in await self.number(payment_id):
            if row.get("file_id") is None and row["printed"]["buyer_name"] != WITHHELD:
                await self._keep_file(row)

    async def number(self, payment_id: str) -> list[Row]:
        """All that a payment is to have, each with its number; none, if no money came or was asked, or it waits for a person."""
        payment = await Payment.find_row(payment_id)
        order = None if payment is None else await Order.find_row(payment["order_id"])
        if payment is None or order is None:
            return []
        made = await Invoice.of_payment(payment_id)
        invoice = next((row for row in made if not is_beside(row)), None)
        if invoice is None:
            if payment["status"] not in PAID or payment.get("held") is not None or not paid_of(payment):
                return []
            await self._numbered(INVOICE, partial(_unless_made, await self._bill(payment, order)))
        for _ in range(MOST_OF_PAYMENT):
            facts = await _first_missing(payment_id)
            if facts is None:
                break
            await self._numbered(facts["kind"], partial(_first_missing, payment_id))
        return await Invoice.of_payment(payment_id)

    async def print(self, row: Row) -> bytes:
        """The PDF, for somebody who waits for it; 503 where too many do."""
        if self._asked >= MOST_WAITING:
            raise Refused(Code.BUSY, "Too many invoices are being printed.", retry_after_seconds=1)
        self._asked += 1
        try:
            return await self._drawn(row)
        finally:
            self._asked -= 1

    # --- the number ---

    async def _bill(self, payment: Row, order: Row) -> Row:
        """What the invoice of a payment says. The name is that of the account as it is now."""
        user = await User.find_by_id(payment["user_id"])
        is_named = user is not None and user.erasing_at is None and user.erased_at is None
        language = "en" if user is None else language_of(user.locale)
        amount = paid_of(payment)
        paid_at: datetime | None = payment.get("completed_at")
        said = {
            "seller_name": self._settings.seller_name or self._settings.project_name,
            "seller_address": self._settings.seller_address,
            "seller_tax_number": self._settings.seller_tax_number,
            "buyer_name": user.full_name if user is not None and is_named else WITHHELD,
            "gateway": payment["gateway"],
            "method": payment.get("payment_method"),
            "paid_at": None if paid_at is None else paid_at.isoformat(),
            "form": FORM,
            "evidence": evidence_of({**order, **_card_of(payment)}),
            **await _period(payment, paid_at),
        }
        return {
            "_id": derived_id(PREFIX, payment["_id"]),
            "kind": INVOICE,
            "payment_id": payment["_id"],
            "order_id": order["_id"],
            "user_id": payment["user_id"],
            "amount": amount,
            "currency": currency_of(payment),
            "language": language,
            **_priced(order, amount, said),
        }

    async def _numbered(self, kind: str, wanted: Wanted) -> None:
        """Insert what is wanted under the next number of its kind and year; nothing, where none of this kind is any more.

        The number is asked for before all else is counted: whoever counts too early finds the number taken, and counts again.
        """
        async with self._turn:

            async def step() -> bool | None:
                at = self._clock.now()
                sequence = 1 + await Invoice.find_highest(kind, at.year)
                facts = await wanted()
                if facts is None or facts["kind"] != kind:
                    return True
                return await Invoice.add(_row(facts, sequence, at)) or None

            await until_written(step)

    # --- the file ---

    async def _keep_file(self, row: Row) -> None:
        file_id, name = derived_id("fil", row["_id"]), f"{row['number']}.pdf"
        content = await self._drawn(row)
        produced = Produced(file_id, row["user_id"], FileUse.INVOICE, row["_id"], name, PDF)
        view = await self._files.produce(produced, one_piece(content))
        fields: Row = {"file_id": file_id, "size_bytes": view.file_size, "sha256": view.sha256}

        async def step() -> bool | None:
            present = await Invoice.find_row(row["_id"])
            if present is None or present["printed"]["buyer_name"] == WITHHELD:  # they were erased meanwhile
                await self._files.discard(file_id)
                return True
            if present.get("file_id") is not None:
                return True
            return await Invoice.name_file(row["_id"], present["version"], fields, at=self._clock.now()) or None

        await until_written(step)

    async def _drawn(self, row: Row) -> bytes:
        return await asyncio.get_running_loop().run_in_executor(self._threads, print_invoice, printed(row))


def _row(facts: Row, sequence: int, at: datetime) -> Row:
    return {
        **facts,
        "number": f"{_SERIES[facts['kind']]}-{at.year}-{sequence:06d}",
        "year": at.year,
        "sequence": sequence,
        "issued_at": at,
        "version": 1,
        "created_at": at,
        "updated_at": at,
    }


def _priced(order: Row, amount: int, said: Row) -> Row:
    """The tax in it and what is printed of the price: as in the order, unless another sum was taken (a renewal's, say)."""
    is_included = bool(order["is_tax_included"])
    is_as_ordered = amount == order["amount"]
    tax = order["tax_amount"] if is_as_ordered else part_of(order["tax_amount"], amount, order["amount"])
    names = ("title", "coupon_code", "tax_name", "tax_basis_points", "tax_country")
    shown = {
        **said,
        **{name: order.get(name) for name in names},
        "is_tax_included": is_included,
        "list_amount": order["list_amount"] if is_as_ordered else amount - (0 if is_included else tax),
        "discount_amount": order["discount_amount"] if is_as_ordered else 0,
    }
    return {"tax_amount": tax, "printed": shown}


async def _unless_made(facts: Row) -> Row | None:
    return None if await Invoice.find_row(facts["_id"]) is not None else facts


async def _first_missing(payment_id: str) -> Row | None:
    """What is not on paper yet: a note of what was paid back or lost, an invoice of what came back of that."""
    made, payment = await Invoice.of_payment(payment_id), await Payment.find_row(payment_id)
    refunds = [refunded_of(refund) for refund in await Refund.find_of_payment(payment_id)]
    missing = missing_of(made, [*refunds, *lost_of(payment or {})])
    return _with_tax(missing[0], made) if missing else None


def _with_tax(facts: Row, made: Sequence[Row]) -> Row:
    """The same with its part of the tax: so much that all credit notes of a payment together never miss a unit of it."""
    invoice = next(one for one in made if not is_beside(one))
    back, tax_back = sum_back(made)
    is_note = facts["kind"] == CREDIT_NOTE
    after = min(back + (facts["amount"] if is_note else -facts["amount"]), invoice["amount"])
    tax = part_of(invoice["tax_amount"], after, invoice["amount"]) - tax_back
    return facts | {"tax_amount": max(0, tax if is_note else -tax)}


def _card_of(payment: Row) -> Row:
    country = payment.get("card_country")
    return {} if country is None else {"card_country": country}


async def _period(payment: Row, paid_at: datetime | None) -> Row:
    """For which time it was, if it was for a subscription."""
    if (subscription_id := payment.get("subscription_id")) is None:
        return {}
    others = await Payment.find_last_of_subscription(subscription_id)
    times = [one["completed_at"] for one in others if one["_id"] != payment["_id"]]
    period = period_of(await PlanSubscription.find_row(subscription_id), paid_at, times)
    return {} if period is None else {"service_from": period[0].isoformat(), "service_until": period[1].isoformat()}
