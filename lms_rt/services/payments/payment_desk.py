"""The payments of everybody, for who looks after them."""

from __future__ import annotations

from documents.base import Row
from documents.course import Course
from documents.payment import Payment
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.base import Page, page_of
from lms_rt.contracts.payment_desk import PaymentQuery
from lms_rt.contracts.payments import PaymentView
from lms_rt.security.access.payments import require_treasurer
from lms_rt.services.payments.payment_views import payment_view

_EQUAL = ("status", "gateway", "user_id", "course_id", "plan_id", "order_id", "dispute")


class PaymentDesk:
    """Lists."""

    async def list(self, actor: Actor, query: PaymentQuery) -> Page[PaymentView]:
        """Payments, as far as they are asked for, the newest first."""
        require_treasurer(actor)
        if query.course_id is not None:
            query = query.model_copy(update={"course_id": await Course.id_of(query.course_id)})
        rows, total = await Payment.page(_which(query), skip=query.skip, limit=query.page_size)
        return page_of([payment_view(row) for row in rows], query, total)


def _which(query: PaymentQuery) -> Row:
    which: Row = {name: value for name in _EQUAL if (value := getattr(query, name)) is not None}
    if query.is_held is not None:
        which["held"] = {"$ne": None} if query.is_held else None
    moments = {"$gte": query.since, "$lt": query.until}
    if begun := {sign: moment for sign, moment in moments.items() if moment is not None}:
        which["created_at"] = begun
    return which
