"""What gateways call those who pay: remembered from one checkout to the next, as long as the gateway knows it."""

from __future__ import annotations

from datetime import datetime

from documents.payment import Payment
from documents.payment_customer import PaymentCustomer
from documents.user import User
from lms_rt.contracts.gateways import CheckoutStarted, Payer


async def customer_of(user_id: str, gateway: str) -> str | None:
    """What the gateway calls this person, if that is known. Where older payments alone say it, it is kept as newer ones are."""
    known = await PaymentCustomer.find_id(user_id, gateway)
    if known is not None or (told := await Payment.find_customer(user_id, gateway)) is None:
        return known
    await _keep(user_id, gateway, told["customer_id"], instead_of=None, at=told["created_at"])
    await Payment.forget_customer(user_id, gateway)
    return await PaymentCustomer.find_id(user_id, gateway)


async def keep_customer(gateway: str, payer: Payer, started: CheckoutStarted, *, at: datetime) -> None:
    """Remember what the gateway calls the payer since this checkout; of several at once the first is remembered.

    One that it was asked by and did not take is gone there, and forgotten.
    """
    told = started.customer_id
    if told == payer.customer_id:
        return
    if told is not None:
        await _keep(payer.user_id, gateway, told, instead_of=payer.customer_id, at=at)
    elif payer.customer_id is not None:
        await PaymentCustomer.forget(payer.user_id, gateway, payer.customer_id)


async def _keep(user_id: str, gateway: str, customer_id: str, *, instead_of: str | None, at: datetime) -> None:
    """Of nobody who is erased meanwhile: whoever erases says so first, and then removes what is there."""
    await PaymentCustomer.keep(user_id, gateway, customer_id, instead_of=instead_of, at=at)
    if not await User.ids_staying_among([user_id]):
        await PaymentCustomer.forget(user_id, gateway, customer_id)
