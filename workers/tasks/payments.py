"""Payments by the workers: what gateways told is settled, and checkouts that nobody is to pay any more are closed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from lms_rt.bootstrap import Services
from lms_rt.contracts.gateways import GatewayUnavailable
from lms_rt.contracts.jobs import GatewayEventArgs, PaymentArgs
from lms_rt.services.jobs import Failed, Taken
from workers.tasks.base import Perform


async def settle(services: Services, taken: Taken) -> None:
    """One word of a gateway."""
    await services.gateway_words.settle(cast("GatewayEventArgs", taken.args).event_id)


async def close(services: Services, taken: Taken) -> None:
    """One checkout."""
    try:
        await services.checkouts.close(cast("PaymentArgs", taken.args).payment_id)
    except GatewayUnavailable as error:
        raise Failed(error.reason, retry_after_seconds=error.retry_after_seconds) from error


TASKS: Mapping[str, Perform] = {"payments.settle": settle, "payments.close": close}
