"""What is paid back, and what is looked at again about money."""

from __future__ import annotations

from lms_rt.bootstrap import Services
from lms_rt.contracts.jobs import RefundArgs
from lms_rt.services.jobs import Taken


async def refund(services: Services, taken: Taken) -> None:
    """Pay back."""
    assert isinstance(taken.args, RefundArgs)  # noqa: S101 - the catalogue's model
    await services.refunds.carry_out(taken.args.refund_id)


async def look_again(services: Services, taken: Taken) -> None:  # noqa: ARG001 - as every task is called
    """Look at payments and refunds that should have come to an end."""
    await services.open_payments.look()


async def reconcile(services: Services, taken: Taken) -> None:  # noqa: ARG001 - as every task is called
    """Hold payments against what gateways list, against the journal and against what they opened."""
    try:
        await services.payment_comparison.compare_all()
    finally:  # the books are ours, whatever gateways say
        await services.payment_books.check_all()


TASKS = {
    "payments.refund": refund,
    "payments.look_again": look_again,
    "payments.reconcile": reconcile,
}
