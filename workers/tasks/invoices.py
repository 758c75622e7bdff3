"""Invoices by the workers."""

from __future__ import annotations

from typing import cast

from lms_rt.bootstrap import Services
from lms_rt.contracts.jobs import InvoiceArgs
from lms_rt.services.jobs import Taken


async def make(services: Services, taken: Taken) -> None:
    """The invoice of a payment, and the credit notes of its refunds."""
    await services.invoices.make(cast("InvoiceArgs", taken.args))
