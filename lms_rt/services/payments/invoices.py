"""Invoices and credit notes: listed and fetched by who paid and who sees to payments, and made for workers."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator

from config.settings import Settings
from documents.base import Row
from documents.invoice import Invoice
from documents.payment import Payment
from lms_rt.clock import Clock
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.base import Page, page_of
from lms_rt.contracts.invoices import InvoicesQuery, InvoiceView
from lms_rt.contracts.jobs import InvoiceArgs
from lms_rt.contracts.outbox import Intent, Write, job
from lms_rt.errors import Code, Refused
from lms_rt.security.permissions import Permission
from lms_rt.services.files import Files
from lms_rt.services.payments.invoice_making import InvoiceMaking
from lms_rt.services.payments.invoice_views import invoice_view, invoice_views
from lms_rt.storage.files.base import FileMissing

TASK = "invoices.make"


def ordered(write: Write, payment_id: str) -> Intent:
    """The job that makes what a payment lacks: beside each write by which money came or went."""
    return job(write, TASK, {"payment_id": payment_id})


class Invoices:
    """What can be done with them."""

    def __init__(self, *, settings: Settings, clock: Clock, files: Files) -> None:
        self._files = files
        self._making = InvoiceMaking(settings=settings, clock=clock, files=files)

    async def list_of_payment(self, actor: Actor, payment_id: str, query: InvoicesQuery) -> Page[InvoiceView]:
        """Those of a payment: its invoice, then its credit notes. None, if no money came."""
        rows = await self._of(actor, payment_id)
        shown = invoice_views(rows)[query.skip : query.skip + query.page_size]
        return page_of(shown, query, len(rows))

    async def download(
        self, actor: Actor, payment_id: str, number: str | None = None
    ) -> tuple[InvoiceView, AsyncGenerator[bytes, None]]:
        """The PDF of one; the invoice, if none is named. Without a file, or when the store lost it, it is printed now."""
        rows = await self._of(actor, payment_id)
        found = next((row for row in rows if number in (None, row["number"])), None)
        if found is None and number is None:
            raise Refused(Code.CONFLICT, "There is no invoice: no money came, or it waits for a person.")
        if found is None:
            raise Refused(Code.NOT_FOUND, "There is no such invoice.")
        return invoice_view(found, rows), await self._content(found)

    async def make(self, args: InvoiceArgs) -> None:
        """A job: all that a payment is to have."""
        await self._making.make(args.payment_id)

    async def _of(self, actor: Actor, payment_id: str) -> list[Row]:
        """All of a payment that the actor may know of; what a worker did not come to number yet is numbered now."""
        may_see_all = actor.has_permission(Permission.PAYMENTS_MANAGE)
        if actor.is_stranger:
            raise Refused(Code.NOT_FOUND)
        if await Payment.find_row(payment_id, user_id=None if may_see_all else actor.user_id) is None:
            raise Refused(Code.NOT_FOUND)
        await self._making.number(payment_id)
        return await Invoice.of_payment(payment_id)

    async def _content(self, row: Row) -> AsyncGenerator[bytes, None]:
        if row.get("file_id") is not None:
            chunks = self._files.content(row["file_id"])
            try:
                return _joined(await anext(chunks), chunks)
            except (FileMissing, StopAsyncIteration):
                pass
        return _whole(await self._making.print(row))


async def _joined(first: bytes, rest: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    yield first
    async for chunk in rest:
        yield chunk


async def _whole(content: bytes) -> AsyncGenerator[bytes, None]:
    yield content
