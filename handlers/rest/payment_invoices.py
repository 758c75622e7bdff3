"""Invoices and credit notes over HTTP."""

from __future__ import annotations

from handlers.rest.access import SIGNED_IN
from handlers.rest.calls import Call, Reply
from handlers.rest.operations import Operation
from lms_rt.contracts.base import Page
from lms_rt.contracts.invoices import InvoiceQuery, InvoicesQuery, InvoiceView
from lms_rt.errors import Code
from lms_rt.security.rights import Reach

PDF = "application/pdf"


async def list_of_payment(call: Call) -> Reply:
    """The invoice of a payment, and its credit notes."""
    invoices, payment_id = call.services.invoices, call.path["payment_id"]
    return Reply(await invoices.list_of_payment(call.actor, payment_id, call.query))


async def download(call: Call) -> Reply:
    """The PDF of one of them."""
    invoices, payment_id = call.services.invoices, call.path["payment_id"]
    view, chunks = await invoices.download(call.actor, payment_id, call.query.number)
    headers = {
        "Content-Disposition": f'attachment; filename="{view.number}.pdf"',
        "X-Content-Type-Options": "nosniff",
    }
    return Reply(stream=chunks, content_type=PDF, headers=headers)


ROUTES: tuple[Operation, ...] = (
    Operation(
        "GET",
        "/payments/{payment_id}/invoices",
        list_of_payment,
        SIGNED_IN,
        reach=Reach.LEARNING,
        query=InvoicesQuery,
        reply=Page[InvoiceView],
        summary="The invoice of a payment, and its credit notes",
        description="None, as long as no money came or the payment waits for a person. Numbers have no gaps.",
    ),
    Operation(
        "GET",
        "/payments/{payment_id}/invoice",
        download,
        SIGNED_IN,
        reach=Reach.LEARNING,
        query=InvoiceQuery,
        reply=bytes,
        gives=(PDF,),
        codes=(Code.BUSY, Code.CONFLICT),
        summary="The PDF of an invoice",
        description="Of the payment's invoice, or by `number` of one of its credit notes, in the language that its owner read. 409, as long as there is no invoice.",
    ),
)
