"""What gateways call those who pay: remembered from one checkout to the next, as long as the gateway knows it."""

from __future__ import annotations

from datetime import datetime

from documents.payment_customer import PaymentCustomer
from lms_rt.contracts.gateways import CheckoutStarted, Payer


async def keep_customer(gateway: str, payer: Payer, started: CheckoutStarted, *, at: datetime) -> None:
    """Remember what the gateway calls the payer since this checkout; of several at once the first is remembered.

    One that it was asked by and did not take is gone there, and forgotten.
    """
    told = started.customer_id
    if told == payer.customer_id:
        return
    if told is not None:
        await PaymentCustomer.keep(payer.user_id, gateway, told, instead_of=payer.customer_id, at=at)
    elif payer.customer_id is not None:
        await PaymentCustomer.forget(payer.user_id, gateway, payer.customer_id)
