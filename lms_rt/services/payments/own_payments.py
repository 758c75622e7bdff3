"""Payments as their payers, and those who look after them, may see them."""

from __future__ import annotations

from documents.course import Course
from documents.payment import Payment
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.base import Page, page_of
from lms_rt.contracts.payments import OwnPaymentQuery, PaymentView
from lms_rt.errors import Code, Refused
from lms_rt.security.permissions import Permission
from lms_rt.services.payments.payment_views import payment_view


class OwnPayments:
    """Lists, and one."""

    async def list(self, actor: Actor, query: OwnPaymentQuery) -> Page[PaymentView]:
        """The actor's own, the newest first; begun and failed ones, too."""
        course_id = None if query.course_id is None else await Course.id_of(query.course_id)
        asked = {"user_id": actor.user_id, "status": query.status, "course_id": course_id}
        which = {name: value for name, value in asked.items() if value is not None}
        rows, total = await Payment.page(which, skip=query.skip, limit=query.page_size)
        return page_of([payment_view(row) for row in rows], query, total)

    async def show(self, actor: Actor, payment_id: str) -> PaymentView:
        """One payment: the actor's own, or anybody's for who looks after payments."""
        is_treasurer = actor.has_permission(Permission.PAYMENTS_MANAGE)
        row = await Payment.find_row(payment_id, user_id=None if is_treasurer else actor.user_id)
        if row is None:
            raise Refused(Code.NOT_FOUND)
        return payment_view(row)
