"""Plans and subscriptions as they are shown."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from documents.base import Row
from lms_rt.contracts.plans import PlanView, SubscriptionView
from lms_rt.services.payments.subscription_moves import may_be_charged, may_be_resumed


def shown_courses(row: Row) -> Literal["all"] | list[str]:
    """Which courses a plan, or a subscription, opens."""
    return "all" if row.get("is_for_all") else list(row.get("course_ids") or [])


def plan_view(row: Row) -> PlanView:
    """A plan."""
    return PlanView(
        id=row["_id"],
        plan_name=row["plan_name"],
        description=row.get("description") or "",
        amount=row["amount"],
        currency=row["currency"],
        interval=row["interval"],
        course_ids=shown_courses(row),
        is_active=row["is_active"],
        version=row["version"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def access_until(row: Row, grace_days: int) -> datetime | None:
    """Until when a subscription's courses stay open; None: nothing was paid yet."""
    end: datetime | None = row.get("end_date")
    return None if end is None else end + timedelta(days=grace_days)


def subscription_view(row: Row, *, grace_days: int) -> SubscriptionView:
    """A subscription, as its owner and administrators see it."""
    return SubscriptionView(
        id=row["_id"],
        user_id=row["user_id"],
        plan_id=row["plan_id"],
        plan_name=row["plan_name"],
        amount=row["amount"],
        currency=row["currency"],
        interval=row["interval"],
        tax_name=row.get("tax_name"),
        tax_rate=row.get("tax_basis_points", 0),
        tax_amount=row.get("tax_amount", 0),
        is_tax_included=row.get("is_tax_included", True),
        course_ids=shown_courses(row),
        gateway=row["gateway"],
        status=row["status"],
        start_date=row.get("start_date"),
        end_date=row.get("end_date"),
        access_until=access_until(row, grace_days),
        cancel_at_period_end=row.get("cancel_at_period_end", False),
        cancelled_at=row.get("cancelled_at"),
        past_due_since=row.get("past_due_since"),
        changing_to_plan_id=(row.get("next_price") or {}).get("plan_id"),
        gateway_subscription_id=row.get("gateway_subscription_id"),
        may_be_charged=may_be_charged(row),
        may_be_resumed=may_be_resumed(row),
        version=row["version"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )
