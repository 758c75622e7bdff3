"""What becomes of a person's orders and payments when the person is erased: the money stays for the books, what is personal goes."""

from __future__ import annotations

from documents import erasing
from documents.order import Order
from documents.payment import Payment
from lms_rt.services.erasure_steps import Ground

_MONEY = "what was bought, when, for how much, by which gateway, since books are kept by law"

ORDERS_STAY = f"{_MONEY}; the country stays with its tax; what could be paid by, and what was noted beside it, goes"
PAYMENTS_STAY = (
    f"{_MONEY}; the gateway's ids of the payment stay, to hold the books against its own; what it said beside it goes"
)


async def orders(ground: Ground) -> None:
    """What was noted beside the order, and what the browser was given to pay by."""
    await erasing.blank_all(Order, {"user_id": ground.leaving.user_id}, {"metadata": {}}, ("checkout", "request_seed"))


async def payments(ground: Ground) -> None:
    """What was noted beside the money, and what older ones say of whom the gateway knows."""
    await erasing.blank_all(Payment, {"user_id": ground.leaving.user_id}, {"metadata": {}}, ("failure", "customer_id"))
