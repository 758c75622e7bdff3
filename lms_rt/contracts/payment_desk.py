"""Payments as those ask for them who look after all of them. No rules."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from documents.enums import PaymentStatus
from lms_rt.contracts.base import Draft, IdFilter, Instant, NewestFirst, PageQuery
from lms_rt.contracts.money import AmountIn
from lms_rt.contracts.refunds import WhyLine


class PaymentQuery(PageQuery):
    """Payments of everybody, the newest first. `is_held`: those that wait for a person; from and to: when they were begun."""

    status: PaymentStatus | None = None
    gateway: IdFilter | None = None
    user_id: IdFilter | None = None
    course_id: IdFilter | None = None
    plan_id: IdFilter | None = None
    order_id: IdFilter | None = None
    is_held: bool | None = None
    dispute: Literal["open", "won", "lost"] | None = None
    since: Annotated[Instant | None, Field(alias="from")] = None
    until: Annotated[Instant | None, Field(alias="to")] = None
    sort: NewestFirst = "-created_at"


class DisputeDraft(Draft):
    """How a dispute stands of which the gateway tells nobody; `amount`: how much it is about, all that came unless said."""

    state: Literal["open", "won", "lost"]
    amount: AmountIn | None = None
    reason: WhyLine = ""
