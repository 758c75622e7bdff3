"""Orders, checkouts and payments at the border: what comes in, and what goes out. No rules, and no card ever.

Amounts are whole minor units of their currency. What a checkout gives the browser (`client_secret` and the like) is shown to
its buyer alone.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StringConstraints

from documents.enums import HeldFor, OrderKind, OrderStatus, PaymentStatus
from lms_rt.contracts.base import (
    Draft,
    Hundredths,
    Identifier,
    IdFilter,
    Instant,
    NewestFirst,
    Page,
    PageQuery,
    View,
    check_line,
)
from lms_rt.contracts.money import CountryIn, CurrencyIn

GatewayWord = Annotated[str, StringConstraints(pattern=r"^[a-z]{1,20}$")]
"""The name of a gateway; whether it is set up here is for checkout to say."""
MethodWord = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,40}$")]
CouponCode = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=40), AfterValidator(check_line)
]

OrderMetadata = Annotated[
    dict[
        Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,40}$")],
        Annotated[str, StringConstraints(max_length=500)],
    ],
    Field(max_length=20),
]
"""What a client notes beside its order: words under names. The buyer and who looks after payments are shown it, nobody else."""


class CourseOrderDraft(Draft):
    """What somebody means to buy. `currency` is the course's; another is refused. `country` is where the buyer pays tax.

    An open order that is gone on with keeps the `metadata` it was made with.
    """

    course_id: Identifier
    currency: CurrencyIn | None = None
    coupon_code: CouponCode | None = None
    country: CountryIn | None = None
    metadata: OrderMetadata = Field(default_factory=dict)


class CheckoutDraft(Draft):
    """By what an order is to be paid; without a gateway, by the first that takes its currency."""

    gateway: GatewayWord | None = None
    method: MethodWord | None = None


class CourseCheckoutDraft(Draft):
    """An order and its checkout in one."""

    course_id: Identifier
    gateway: GatewayWord | None = None
    method: MethodWord | None = None
    currency: CurrencyIn | None = None
    coupon_code: CouponCode | None = None
    country: CountryIn | None = None
    metadata: OrderMetadata = Field(default_factory=dict)


class OrderQuery(PageQuery):
    """One's own orders, the newest first."""

    status: OrderStatus | None = None
    course_id: IdFilter | None = None
    sort: NewestFirst = "-created_at"


class OwnPaymentQuery(PageQuery):
    """One's own payments, the newest first."""

    status: PaymentStatus | None = None
    course_id: IdFilter | None = None
    sort: NewestFirst = "-created_at"


class MethodQuery(PageQuery):
    """By what a course, or an order, can be paid."""

    course_id: IdFilter | None = None
    order_id: IdFilter | None = None
    country: CountryIn | None = None


class CountryEvidenceView(View):
    """One thing that says where the buyer is: their own word, the card that paid, the network address they ordered from."""

    source: Literal["buyer", "card", "address"]
    country: str


class OrderView(View):
    """An order. `amount` is what is to be paid: `list_amount`, less `discount_amount`, with the tax where it is not included.

    `country_evidence` is all that is known of where the buyer is; the tax is that of their own word, whatever the rest says.
    """

    id: str
    user_id: str
    kind: OrderKind
    course_id: str | None
    plan_id: str | None
    subscription_id: str | None
    title: str
    list_amount: int
    discount_amount: int
    coupon_code: str | None
    tax_name: str | None
    tax_rate: Hundredths
    tax_country: str | None
    country_evidence: list[CountryEvidenceView]
    tax_amount: int
    is_tax_included: bool
    amount: int
    currency: str
    status: OrderStatus
    gateway: str | None
    method: str | None
    gateway_intent_id: str | None
    payment_id: str | None
    metadata: dict[str, str]
    created_at: Instant
    completed_at: Instant | None
    expires_at: Instant
    version: int
    updated_at: Instant


class PaymentView(View):
    """A payment. `amount` was asked for; `paid_amount` came, in `paid_currency`.

    `held` says why one that was paid waits for a person; `dispute` whether the payer's bank took it back.
    """

    id: str
    user_id: str
    order_id: str
    course_id: str | None
    plan_id: str | None
    subscription_id: str | None
    enrollment_id: str | None
    title: str
    amount: int
    currency: str
    paid_amount: int | None
    paid_currency: str | None
    gateway: str
    status: PaymentStatus
    transaction_id: str | None
    payment_method: str | None
    refunded_amount: int
    held: HeldFor | None
    dispute: Literal["open", "won", "lost"] | None
    metadata: dict[str, Any]
    created_at: Instant
    completed_at: Instant | None
    version: int
    updated_at: Instant


class CheckoutView(View):
    """What the browser needs to pay: of the last four, what the gateway works with. Paying is seen at the order, not here.

    `status` is the order's: one that costs nothing is completed already, and needs no gateway.
    """

    order_id: str
    payment_id: str | None
    status: OrderStatus
    gateway: str | None
    method: str | None
    intent_id: str | None
    amount: int
    currency: str
    expires_at: Instant
    client_secret: str | None
    publishable_key: str | None
    redirect_url: str | None
    iframe_url: str | None


class PaymentMethodView(View):
    """A way to pay. `fee` comes on top, in minor units of `currency`; `name` in the reader's language, `names` in all."""

    gateway: str
    method: str
    name: str
    names: dict[str, str]
    fee: int
    currency: str


class PaymentMethodsView(Page[PaymentMethodView]):
    """The ways to pay what was asked for, gateway by gateway."""

    amount: int
    currency: str


class WordTakenView(View):
    """What a gateway is answered."""

    status: Literal["success"] = "success"
