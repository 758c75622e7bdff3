"""What passes between the product and the services that take money for it, whichever of them it is. No rules.

Amounts are whole minor units of their currency (ISO 4217, upper case). A word from a gateway is a `Hint` at best: what
counts is what is read from it afterwards. How things stand there has words of its own, even where they sound like those of
`documents.enums`: what a gateway says is not yet what the school concludes from it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class GatewayName(StrEnum):
    """The gateways."""

    STRIPE = "stripe"
    PAYMOB = "paymob"
    MYFATOORAH = "myfatoorah"
    SANDBOX = "sandbox"


PERIOD_DAYS: Mapping[str, Mapping[str, int]] = {GatewayName.PAYMOB: {"month": 30, "year": 360}}
"""The gateways that count days for a period, and how many; the others go by the calendar."""


class Charged(StrEnum):
    """How a payment stands at its gateway. A declined card that may be tried again is pending."""

    PENDING = "pending"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class PaidBack(StrEnum):
    """How a refund stands at its gateway."""

    PENDING = "pending"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Disputed(StrEnum):
    """How a dispute stands at its gateway."""

    OPEN = "open"
    WON = "won"
    LOST = "lost"


class Renewing(StrEnum):
    """How a subscription stands at its gateway. Pending: nothing was ever paid for it."""

    PENDING = "pending"
    ACTIVE = "active"
    PAST_DUE = "past_due"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class Subject(StrEnum):
    """What a hint is about; `other` is kept and settles nothing."""

    PAYMENT = "payment"
    REFUND = "refund"
    DISPUTE = "dispute"
    SUBSCRIPTION = "subscription"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Money:
    """So many minor units."""

    amount: int
    currency: str


@dataclass(frozen=True, slots=True)
class Payer:
    """Who is to pay, as a gateway wants to know them. `country` is ISO 3166-1 alpha-2; `customer_id` the gateway's own."""

    user_id: str
    full_name: str
    email: str
    language: str = "en"
    phone: str | None = None
    country: str | None = None
    customer_id: str | None = None


@dataclass(frozen=True, slots=True)
class Method:
    """A way to pay. `fee` comes on top, in minor units."""

    method: str
    name: Mapping[str, str]
    fee: int = 0


@dataclass(frozen=True, slots=True)
class Places:
    """Where the gateway sends the browser, and its words."""

    return_url: str
    cancel_url: str
    webhook_url: str


@dataclass(frozen=True, slots=True)
class Checkout:
    """What is to be paid once. `key` is its idempotency key and our reference there: "<order id>-<attempt>"."""

    key: str
    order_id: str
    money: Money
    title: str
    payer: Payer
    places: Places
    expires_at: datetime
    method: str | None = None


@dataclass(frozen=True, slots=True)
class CheckoutStarted:
    """What the gateway made of it. `client` goes to the browser as it is: client_secret, publishable_key, redirect_url, iframe_url."""

    intent_id: str
    client: Mapping[str, str]
    customer_id: str | None = None


@dataclass(frozen=True, slots=True)
class GatewayRefund:
    """A refund, as read. `reference` is ours (the refund's id), where the gateway keeps one."""

    refund_id: str
    amount: int
    state: PaidBack
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class GatewayDispute:
    """A dispute, as read."""

    dispute_id: str
    amount: int
    state: Disputed


@dataclass(frozen=True, slots=True)
class GatewayPayment:
    """A payment, as read. `key` is the checkout's, `transaction_id` that of the charge once there is one.

    `refunded` is all that was paid back so far, whoever asked for it; gateways that name each refund list them, too. `country`
    (ISO 3166-1 alpha-2) is that of the card or account that paid, where a gateway says it.

    Where one checkout can be paid several times, `others` are the payments that came on top, and `apart_id` is what each is
    read by when it is not the one that goes by the checkout's own id; `is_again` says that it is such a one. A gateway that
    tells refunds by the checkout alone tells all of them with the first.

    Not `is_whole`: something of it could not be read, such as whether others came on top; without a currency, nothing could.
    """

    intent_id: str
    state: Charged
    money: Money
    key: str | None = None
    transaction_id: str | None = None
    method: str | None = None
    paid_at: datetime | None = None
    refunded: int = 0
    refunds: tuple[GatewayRefund, ...] = ()
    disputes: tuple[GatewayDispute, ...] = ()
    subscription_id: str | None = None
    failure: str | None = None
    apart_id: str | None = None
    is_again: bool = False
    others: tuple[GatewayPayment, ...] = ()
    country: str | None = None
    is_whole: bool = True


@dataclass(frozen=True, slots=True)
class RefundWish:
    """What is to be paid back. `refund_id` is ours, and the idempotency key.

    `refunded_before`: all that is known to be paid back without this one. A gateway that keeps no idempotency keys and
    names no refunds finds by it that this one was made before, and refuses when it finds anything else. `of_others` are the
    gateway's names for refunds of other payments of the same checkout: they are not looked at. `paid_amount` is all that is
    written down as come by this one.
    """

    refund_id: str
    intent_id: str
    transaction_id: str | None
    money: Money
    reason: str = ""
    refunded_before: int | None = None
    of_others: frozenset[str] = frozenset()
    paid_amount: int | None = None


@dataclass(frozen=True, slots=True)
class RecurringPrice:
    """What a subscription costs, each month or year. `plan_id` is ours."""

    plan_id: str
    title: str
    money: Money
    interval: str


@dataclass(frozen=True, slots=True)
class SubscriptionWish:
    """A subscription to begin. `key` is "<subscription id>-<attempt>", as of a checkout."""

    key: str
    subscription_id: str
    price: RecurringPrice
    payer: Payer
    places: Places


@dataclass(frozen=True, slots=True)
class GatewaySubscription:
    """A subscription, as read. `intent_ids` are its newest payments, newest first, some ten.

    `older` is where those before them are asked for (`older_payments`); None: there are none.
    `is_at_once` is said of a change that was asked for: the new price holds and is paid from now on. Else it is drawn with
    the next period.
    """

    subscription_id: str
    state: Renewing
    key: str | None = None
    period_start: datetime | None = None
    period_end: datetime | None = None
    cancel_at_period_end: bool = False
    money: Money | None = None
    intent_ids: tuple[str, ...] = ()
    older: str | None = None
    is_at_once: bool = False


@dataclass(frozen=True, slots=True)
class OlderPayments:
    """A page of a subscription's payments, newest first, and where those before them are asked for; None: there are none."""

    intent_ids: tuple[str, ...] = ()
    older: str | None = None


@dataclass(frozen=True, slots=True)
class Hint:
    """One verified word of a gateway. `event_id` is what makes a repeat a repeat; `object_id` what is to be read.

    `object_id` is an intent's id for payments, refunds and disputes, a subscription's for subscriptions.
    """

    event_id: str
    event_type: str
    subject: Subject
    object_id: str
    key: str | None = None
    facts: Mapping[str, str] = field(default_factory=dict)


_REFERENCE = re.compile(r"(?:ord|sub)_[0-9a-z]{1,40}-[0-9]{1,6}")


def is_reference(key: str | None) -> bool:
    """Is it such a key as we give to checkouts? Others that take money by the same account have other ones, or none."""
    return key is not None and _REFERENCE.fullmatch(key) is not None


class BadSignature(Exception):
    """What came is not from the gateway, or too old, or not what was signed."""


class GatewayRefused(Exception):
    """The gateway understood and said no; the same again will not help. `reason` holds nothing personal."""

    def __init__(self, reason: str, *, code: str = "refused") -> None:
        super().__init__(reason)
        self.reason, self.code = reason, code


class GatewayUnavailable(Exception):
    """No answer that can be used. `may_have_happened`: the request may have been carried out all the same."""

    def __init__(
        self, reason: str, *, may_have_happened: bool = False, retry_after_seconds: float | None = None
    ) -> None:
        super().__init__(reason)
        self.reason, self.may_have_happened, self.retry_after_seconds = reason, may_have_happened, retry_after_seconds
