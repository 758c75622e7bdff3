"""Every day: subscriptions that were paid for, and that no gateway names. Nobody is let in by one, so somebody is shown it.

Gateways name a subscription a moment after its first payment came; one that never does has taken money, and draws nothing that
could be told apart. A person pays it back, or sees to it there.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from documents.base import Row
from documents.payment import Payment
from documents.plan_subscription import PlanSubscription
from lms_rt.clock import Clock
from lms_rt.services.payments.access import Access
from lms_rt.services.payments.findings import Findings, refs_of
from lms_rt.services.payments.walking import Page, tried

NOT_NAMED = "not_named"
"""Why somebody has no access: as the finding says it."""
NAMED_WITHIN = timedelta(days=1)
"""So long after its first payment it is waited for that a gateway names a subscription; it is asked each hour."""


class UnnamedSubscriptions:
    """Finds them."""

    def __init__(self, *, clock: Clock, access: Access, findings: Findings) -> None:
        self._clock, self._access, self._findings = clock, access, findings

    async def check(self, payments: Sequence[Row], page: Page) -> None:
        """Those that these payments are of."""
        long_ago = self._clock.now() - NAMED_WITHIN
        paid = {
            row["subscription_id"]: row
            for row in payments
            if row.get("subscription_id") and row["completed_at"] <= long_ago and self._access.opens(row)
        }
        for subscription in await PlanSubscription.find_unnamed(list(paid)) if paid else ():
            payment = paid[subscription["_id"]]
            page.failed += not await tried(f"subscription {subscription['_id']}", self._tell(subscription, payment))

    async def _tell(self, subscription: Row, payment: Row) -> None:
        refs = {name: value for name, value in refs_of(payment).items() if value}
        facts = {"reason": NOT_NAMED, "amount": payment["amount"], "currency": payment["currency"]}
        await self._findings.found("paid_no_access", subscription["_id"], refs=refs, facts=facts)


async def is_named(row: Row, access: Access) -> bool:
    """Is a finding about such a subscription over: does a gateway name it by now, or did its money go back?"""
    refs = row["refs"]
    payment = await Payment.find_row(refs.get("payment_id", ""))
    is_open = payment is not None and access.opens(payment)
    return not is_open or not await PlanSubscription.find_unnamed([refs["subscription_id"]])
