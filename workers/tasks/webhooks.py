"""The task that tells an endpoint of an event. How, `lms_rt/services/webhook_delivery.py` decides."""

from __future__ import annotations

from typing import cast

from lms_rt.bootstrap import Services
from lms_rt.contracts.jobs import DeliveryArgs
from lms_rt.services.jobs import Taken


async def deliver(services: Services, taken: Taken) -> None:
    """One attempt at a delivery."""
    order = cast("DeliveryArgs", taken.args)
    await services.webhook_deliveries.deliver(order, job_id=taken.job_id, failures=taken.failures)
