"""What every payment gateway can be asked. All of it may be asked twice: each answers for itself that nothing is doubled.

Everything but `read_hints` speaks to the gateway and raises `GatewayRefused` or `GatewayUnavailable`, within its own timeout.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime

from lms_rt.contracts.gateways import (
    Checkout,
    CheckoutStarted,
    GatewayName,
    GatewayPayment,
    GatewayRefund,
    GatewaySubscription,
    Hint,
    Method,
    Money,
    OlderPayments,
    RecurringPrice,
    RefundWish,
    SubscriptionWish,
)


class PaymentGateway(ABC):
    """A service that takes money for us."""

    name: GatewayName
    has_subscriptions: bool = False
    keeps_keys: bool = False
    """Does it carry out a request once, however often it comes under the same key? Who does not must not be asked blindly again."""
    has_lists: bool = False
    """Can it tell all payments of a time? Who cannot raises `LookupError` when asked, as who has no subscriptions does."""

    @abstractmethod
    async def methods(self, money: Money) -> Sequence[Method]:
        """The ways to pay this; none when it takes no such currency."""

    @abstractmethod
    async def start_checkout(self, checkout: Checkout) -> CheckoutStarted:
        """Make what the payer pays by. The same `key` again gives the same one, or refuses."""

    @abstractmethod
    async def find_payment(self, key: str) -> GatewayPayment | None:
        """The payment of a checkout whose answer was lost; None: it was never made (or cannot be looked for)."""

    @abstractmethod
    async def read_payment(self, intent_id: str) -> GatewayPayment:
        """How a payment stands, with its refunds and disputes."""

    @abstractmethod
    async def cancel_checkout(self, intent_id: str) -> None:
        """Let it not be paid any more. Nothing happens to one that is paid or over; who cannot do it does nothing."""

    @abstractmethod
    async def refund(self, wish: RefundWish) -> GatewayRefund:
        """Pay back. Where the gateway keeps no idempotency keys, look first whether this refund is there."""

    async def read_refund(self, refund_id: str) -> GatewayRefund | None:  # noqa: ARG002 - for who tells sums alone
        """One refund by the gateway's name for it; None: what `read_payment` says of it is all there is."""
        return None

    @abstractmethod
    async def read_hints(self, *, headers: Mapping[str, str], query: Mapping[str, str], body: bytes) -> Sequence[Hint]:
        """What a webhook says, once its signature was verified over the bytes as they came. Raises `BadSignature`."""

    async def belongs(self, object_id: str, facts: Mapping[str, str]) -> bool:  # noqa: ARG002 - for who signs less
        """Does all that a word names belong together, as read? A signature that leaves no doubt says so already.

        Raises `GatewayRefused` where there is no such thing, or not yet.
        """
        return True

    @abstractmethod
    async def start_subscription(self, wish: SubscriptionWish) -> CheckoutStarted:
        """Make what the payer subscribes by; `intent_id` is that of its checkout."""

    @abstractmethod
    async def find_subscription(self, key: str, intent_id: str) -> GatewaySubscription | None:
        """The subscription that came of a checkout; None while nobody went through with it."""

    @abstractmethod
    async def read_subscription(self, subscription_id: str) -> GatewaySubscription:
        """How a subscription stands."""

    async def older_payments(self, subscription_id: str, place: str) -> OlderPayments:  # noqa: ARG002 - for who names few
        """Payments of a subscription before its newest ones, from a place that a reading named."""
        return OlderPayments()

    @abstractmethod
    async def change_subscription(
        self, subscription_id: str, price: RecurringPrice, *, key: str
    ) -> GatewaySubscription:
        """Another price from now on, the rest of the period counted against it where the gateway does so."""

    @abstractmethod
    async def cancel_subscription(self, subscription_id: str, *, at_period_end: bool, key: str) -> GatewaySubscription:
        """End it, at once or when what is paid for is over. Again changes nothing."""

    @abstractmethod
    async def resume_subscription(self, subscription_id: str, *, key: str) -> GatewaySubscription:
        """Let one go on that was to end with what is paid for. Again changes nothing; one that has ended stays so.

        Raises `GatewayRefused` where there is no such thing.
        """

    @abstractmethod
    def payments_between(self, since: datetime, until: datetime) -> AsyncIterator[GatewayPayment]:
        """All that were made in this time, for the daily comparison; only where `has_lists`."""

    @abstractmethod
    async def close(self) -> None:
        """Close what is open."""
