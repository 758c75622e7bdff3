"""Subscriptions to plans, seen to by workers."""

from __future__ import annotations

from collections.abc import Mapping

from lms_rt.bootstrap import Services
from lms_rt.contracts.jobs import SubscriptionArgs
from lms_rt.services.jobs import Taken
from workers.tasks.base import Perform


async def bring_in_line(services: Services, taken: Taken) -> None:
    """Let what somebody learns by a subscription follow it."""
    assert isinstance(taken.args, SubscriptionArgs)  # noqa: S101 - the catalogue's model
    await services.plan_subscriptions.derive_access(taken.args.subscription_id)


async def sweep(services: Services, taken: Taken) -> None:  # noqa: ARG001 - as every task is called
    """Look at the subscriptions that are due: what was not told, what has ended, who is to be reminded."""
    await services.plan_subscriptions.sweep()


TASKS: Mapping[str, Perform] = {"subscriptions.access": bring_in_line, "subscriptions.sweep": sweep}
