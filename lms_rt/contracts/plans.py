"""Plans and subscriptions at the border. Amounts are whole minor units. No rules."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, AliasChoices, Field

from lms_rt.contracts.base import (
    Change,
    Draft,
    Hundredths,
    Identifier,
    IdFilter,
    Instant,
    Line,
    NewestFirst,
    PageQuery,
    Title,
    View,
)
from lms_rt.contracts.money import AmountIn, CountryIn, CurrencyIn
from lms_rt.contracts.payments import GatewayWord
from lms_rt.contracts.refunds import WhyLine

MAX_COURSES = 200
Interval = Literal["month", "year"]
SubscriptionState = Literal["pending", "active", "past_due", "cancelled", "expired"]


def _once(ids: list[str]) -> list[str]:
    return list(dict.fromkeys(ids))


CourseIds = (
    Literal["all"] | Annotated[list[Identifier], Field(min_length=1, max_length=MAX_COURSES), AfterValidator(_once)]
)
"""The courses that a plan opens: `"all"`, those too that are made later, or a list of ids."""


class PlanDraft(Draft):
    """A new plan. `amount` is for each `interval`; a tax that prices do not include comes on top."""

    plan_name: Title
    description: Line = ""
    amount: AmountIn
    currency: CurrencyIn
    interval: Interval = "month"
    course_ids: CourseIds = "all"
    is_active: bool = True


class PlanChange(Change):
    """A partial update. Its price is for who subscribes from now on; courses that are added are opened to all subscribers."""

    read_only: ClassVar[frozenset[str]] = frozenset({"id", "version", "created_at", "updated_at"})

    plan_name: Title = ""
    description: Line = ""
    amount: AmountIn = 1
    currency: CurrencyIn = "USD"
    interval: Interval = "month"
    course_ids: CourseIds = "all"
    is_active: bool = True


class PlanView(View):
    """A plan."""

    id: str
    plan_name: str
    description: str
    amount: int
    currency: str
    interval: Interval
    course_ids: Literal["all"] | list[str]
    is_active: bool
    version: int
    created_at: Instant
    updated_at: Instant


class PlanQuery(PageQuery):
    """Plans, by currency and price. Those that nobody can subscribe to any more are shown to who sees to payments."""

    is_active: bool | None = None
    currency: str | None = None
    course_id: IdFilter | None = None


_PLAN = AliasChoices("plan_id", "plan")


class SubscriptionDraft(Draft):
    """What to subscribe to, and by which gateway to pay. `country` says whose tax holds."""

    plan_id: Identifier = Field(validation_alias=_PLAN)
    gateway: GatewayWord
    country: CountryIn | None = None


class SubscriptionMove(Draft):
    """The plan to change to."""

    plan_id: Identifier = Field(validation_alias=_PLAN)


class SubscriptionResume(Draft):
    """Why somebody else's subscription goes on after all, for the audit log; nobody is asked about their own."""

    reason: WhyLine = ""


class SubscriptionView(View):
    """A subscription. `amount` is what is paid each `interval`, `tax_amount` of it tax; `pending` until the first payment.

    `end_date` is until when it is paid, `access_until` until when its courses stay open. `changing_to_plan_id`: asked for, and
    not confirmed by the gateway yet. `may_be_charged`: its gateway may draw for it, expired or not, for all that is known. `may_be_resumed`: it is
    to end, which may be taken back until `end_date`.
    """

    id: str
    user_id: str
    plan_id: str
    plan_name: str
    amount: int
    currency: str
    interval: Interval
    tax_name: str | None
    tax_rate: Hundredths
    tax_amount: int
    is_tax_included: bool
    course_ids: Literal["all"] | list[str]
    gateway: str
    status: SubscriptionState
    start_date: Instant | None
    end_date: Instant | None
    access_until: Instant | None
    cancel_at_period_end: bool
    cancelled_at: Instant | None
    past_due_since: Instant | None
    changing_to_plan_id: str | None
    gateway_subscription_id: str | None
    may_be_charged: bool
    may_be_resumed: bool
    version: int
    created_at: Instant
    updated_at: Instant


class SubscriptionStartedView(View):
    """What the client needs to pay, as the gateway gave it, and the subscription that will come of it."""

    subscription_id: str
    gateway: str
    client_secret: str | None = None
    publishable_key: str | None = None
    redirect_url: str | None = None
    iframe_url: str | None = None
    subscription: SubscriptionView


class OwnSubscriptionQuery(PageQuery):
    """The caller's subscriptions, the newest first. Those that were never paid for only when asked for by `status`."""

    status: SubscriptionState | None = None
    sort: NewestFirst = "-created_at"


class SubscriptionQuery(OwnSubscriptionQuery):
    """All subscriptions, the newest first."""

    user_id: IdFilter | None = None
    plan_id: IdFilter | None = None
