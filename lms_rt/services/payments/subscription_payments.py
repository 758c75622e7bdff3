"""The payments that a gateway names of a subscription, settled: the newest ones, and all before them up to the last that is known.

However long nobody looked, nothing is passed over: what is known is found page by page, so many at most, and the oldest is
settled first. Whoever is cut short leaves newer ones unknown, so that the next look finds them by the same way.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from documents.base import Row
from documents.payment import PAID, Payment
from lms_rt.contracts.gateways import GatewayRefused, GatewaySubscription
from lms_rt.services.payments.gateways import Gateways
from lms_rt.services.payments.settling import Settling

MOST_PAGES = 30
"""So many pages before the newest one; of ten payments each, 25 years of months."""

_log = logging.getLogger(__name__)


class SubscriptionPayments:
    """Settles them."""

    def __init__(self, *, gateways: Gateways, settling: Settling) -> None:
        self._gateways, self._settling = gateways, settling

    async def settle(self, gateway: str, read: GatewaySubscription) -> None:
        """Settle all that are not known to be paid. Raises what the gateway raises."""
        for intent_id in reversed(await self._unknown(gateway, read)):
            await self._settling.settle(gateway, intent_id)

    async def _unknown(self, gateway: str, read: GatewaySubscription) -> Sequence[str]:
        """The newest first, up to a page whose oldest is known. That a newer one is says nothing: its own word may have come."""
        unknown, is_last = await _unpaid_of(gateway, read.intent_ids)
        place = read.older
        for _ in range(MOST_PAGES):
            if is_last or place is None:
                break
            try:
                page = await self._gateways.named(gateway).older_payments(read.subscription_id, place)
            except GatewayRefused as error:
                _log.warning("%s does not name older payments of a subscription: %s", gateway, error.code)
                return unknown
            more, is_last = await _unpaid_of(gateway, page.intent_ids)
            unknown, place = [*unknown, *more], page.older
        if place is not None and not is_last:
            _log.error("subscription %s at %s has more payments than are looked for", read.subscription_id, gateway)
        return unknown


async def _unpaid_of(gateway: str, intent_ids: Sequence[str]) -> tuple[list[str], bool]:
    """Those that are not known to be paid, and whether the oldest of all is."""
    rows: dict[str, Row] = {row["intent_id"]: row for row in await Payment.find_by_intents(gateway, intent_ids)}
    unknown = [one for one in intent_ids if one not in rows or rows[one]["status"] not in PAID]
    return unknown, bool(intent_ids) and intent_ids[-1] not in unknown
