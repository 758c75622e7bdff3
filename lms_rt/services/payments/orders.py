"""Orders: made, shown, called off, and ended when nobody paid in time. What completes them is `claims.py`.

An order copies its price. While it can be paid it holds the buyer's place for this course, so that a second tab or click meets
the first one's order; who asks with another coupon or country, or when the course has become cheaper, gets a new one, and the
former is called off.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from config.settings import Settings
from documents.base import Row
from documents.course import Course, CourseHead
from documents.enrollment import Enrollment
from documents.enums import CourseAccess, OrderKind, OrderStatus, PaymentStatus
from documents.order import Order
from documents.payment import PAID, Payment
from lms_rt.clock import Clock
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.base import Page, page_of
from lms_rt.contracts.outbox import Intent, Write, effect, job
from lms_rt.contracts.payments import CourseOrderDraft, OrderQuery, OrderView
from lms_rt.errors import Code, Refused, invalid
from lms_rt.ids import derived_id, new_id
from lms_rt.security.permissions import Permission
from lms_rt.services.contended import is_for_now, until_written
from lms_rt.services.payments.claims import CALL_OFF_EFFECT, CLOSE_TASK, open_key_of
from lms_rt.services.payments.entitlements import AccessRules, Entitlements
from lms_rt.services.payments.payment_views import order_view
from lms_rt.services.payments.pricing import Priced, Pricing
from lms_rt.services.payments.settling import Settling
from lms_rt.services.payments.states import ORDER
from lms_rt.services.relay import Relay

PREFIX = "ord"
GIVE_BACK_EFFECT = "orders.give_back"
SWEEP_PAGE, SWEEP_SECONDS = 100, 60.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ordered:
    """An order, and whether it is new."""

    row: Row
    is_new: bool

    @property
    def view(self) -> OrderView:
        """As its buyer sees it."""
        return order_view(self.row)


class Orders:
    """What can be done with orders."""

    def __init__(self, *, settings: Settings, clock: Clock, relay: Relay, pricing: Pricing, settling: Settling) -> None:
        self._clock, self._relay, self._pricing, self._settling = clock, relay, pricing, settling
        self._entitlements = Entitlements(clock=clock, rules=AccessRules.of(settings))
        self._life = timedelta(minutes=settings.order_expire_minutes)
        relay.register_effect(CALL_OFF_EFFECT, self._on_called_off)
        relay.register_effect(GIVE_BACK_EFFECT, self._on_given_back)

    # --- by their buyers ---

    async def create(
        self,
        actor: Actor,
        draft: CourseOrderDraft,
        *,
        request_seed: str | None = None,
        seen_country: str | None = None,
    ) -> Ordered:
        """An order for a course at what it costs now; the one that is open, if there is one.

        `seen_country` is where the buyer's network address is, if that is known: it is kept, and decides nothing.
        """
        order_id = new_id(PREFIX) if request_seed is None else derived_id(PREFIX, request_seed)
        if request_seed is not None and (made := await Order.find_row(order_id, user_id=actor.user_id)) is not None:
            return Ordered(await self.ready(made), is_new=False)  # whoever heard no answer, and may have paid since
        course = await self._wanted(actor, draft)

        async def step() -> Ordered | None:
            present = await Order.find_row(order_id) or await Order.find_open(open_key_of(actor.user_id, course.id))
            if present is None:
                return await self._begin(actor, course, draft, order_id=order_id, seen_country=seen_country)
            if present["_id"] == order_id or await self._is_as_good(actor, course, draft, present):
                return Ordered(await self.ready(present), is_new=False)
            if await self._end(present, "expire" if self._is_over(present) else "cancel"):
                await self._pricing.give_back(present["_id"])  # at once: the next one may be by the same coupon
            return None

        return await until_written(step)

    async def list(self, actor: Actor, query: OrderQuery) -> Page[OrderView]:
        """The actor's own."""
        course_id = None if query.course_id is None else await Course.id_of(query.course_id)
        asked = {"user_id": actor.user_id, "status": query.status, "course_id": course_id}
        which = {name: value for name, value in asked.items() if value is not None}
        rows, total = await Order.page(which, skip=query.skip, limit=query.page_size)
        return page_of([order_view(row) for row in rows], query, total)

    async def show(self, actor: Actor, order_id: str) -> OrderView:
        """One order: the actor's own, or anybody's for who looks after payments."""
        is_treasurer = actor.has_permission(Permission.PAYMENTS_MANAGE)
        row = await Order.find_row(order_id, user_id=None if is_treasurer else actor.user_id)
        if row is None:
            raise Refused(Code.NOT_FOUND)
        return order_view(row)

    async def cancel(self, actor: Actor, order_id: str) -> OrderView:
        """Call off an order that is not paid; again changes nothing. What is paid all the same completes it late."""

        async def step() -> Row | None:
            row = await self.require_own(actor, order_id)
            if row["status"] == OrderStatus.CANCELLED:
                return row
            if ORDER.after(row["status"], "cancel") is None:
                raise Refused(Code.CONFLICT, f"The order is {row['status']} already.")
            return await self.require_own(actor, order_id) if await self._end(row, "cancel") else None

        return order_view(await until_written(step))

    async def require_own(self, actor: Actor, order_id: str) -> Row:
        """An order of the actor's own."""
        row = await Order.find_row(order_id, user_id=actor.user_id)
        if row is None:
            raise Refused(Code.NOT_FOUND)
        return row

    def can_be_paid(self, row: Row) -> bool:
        """Is it open, and in time?"""
        return bool(row["status"] == OrderStatus.PENDING and not self._is_over(row))

    async def ready(self, row: Row) -> Row:
        """The order with its coupon counted, and completed if it costs nothing: a crash may have left out either.

        Whoever is too late for the coupon has no order: it would cost something else than was told.
        """
        if row.get("coupon_id") is None or row["status"] != OrderStatus.PENDING:
            return await self._freed(row)
        try:
            await self._pricing.take(row["coupon_id"], row["user_id"], row["_id"])
        except Refused as error:
            if not is_for_now(error):
                await self._call_off(row["_id"])
            raise
        now = await Order.find_row(row["_id"]) or row
        if now["status"] != OrderStatus.PENDING and now.get("completed_at") is None:
            await self._pricing.give_back(row["_id"])  # it ended before its coupon was counted
        return await self._freed(now)

    # --- by time ---

    async def expire_due(self) -> int:
        """End those whose time is over; how many. One that cannot be ended now holds up no others, and waits for the next sweep."""
        ended = 0
        while rows := await Order.find_over(self._clock.now(), limit=SWEEP_PAGE):
            done = [await self._is_expired(row) for row in rows]
            ended += sum(done)
            if not any(done):
                break
        return ended

    async def run(self) -> None:
        """End them in time, until cancelled."""
        while True:
            try:
                await self.expire_due()
            except Exception:  # noqa: BLE001 - the database is away: the next sweep finds the same ones
                _log.exception("the sweep of orders failed")
            await self._clock.sleep(SWEEP_SECONDS)

    async def _is_expired(self, row: Row) -> bool:
        try:
            return await self._expire(row)
        except Exception:  # noqa: BLE001 - what is wrong with one order is not wrong with the next
            _log.exception("order %s could not be ended", row["_id"])
            return False

    async def _expire(self, row: Row) -> bool:
        """Let it end, but for one that costs nothing, whose maker was cut off: it is completed, if its coupon counts."""
        if row["amount"] == 0:
            with suppress(Refused):
                row = await self.ready(row)
            row = await Order.find_row(row["_id"]) or row
        if row["status"] != OrderStatus.PENDING:
            return True
        payments = await Payment.find_of_order(row["_id"])
        has_failed = bool(payments) and payments[-1]["status"] == PaymentStatus.FAILED
        return await self._end(row, "fail" if has_failed else "expire")

    # --- step by step ---

    async def _wanted(self, actor: Actor, draft: CourseOrderDraft) -> CourseHead:
        """The course, if it is for sale and the actor has not got it."""
        course = await Course.find_head(draft.course_id)
        if course is None or not course.is_published or course.is_archived:
            raise Refused(Code.NOT_FOUND)
        if course.price <= 0:
            raise Refused(Code.CONFLICT, "This course is free: enrol in it.")
        if draft.currency not in (None, course.currency):
            raise invalid("currency", f"This course is sold in {course.currency}.", "currency")
        enrollment = await Enrollment.find_of(actor.user_id, course.id)
        if enrollment is not None and enrollment.is_present(self._clock.now_ms()):
            raise Refused(Code.ALREADY_ENROLLED, enrollment_id=enrollment.id)
        if await self._is_paid(actor.user_id, course, enrollment):
            raise Refused(Code.CONFLICT, "You have paid for this course: enrol in it.")
        return course

    async def _is_paid(self, user_id: str, course: CourseHead, enrollment: Enrollment | None) -> bool:
        """Would it open without being paid again: paid, and not opened yet, or left, while what was paid lasts?"""
        found = await self._entitlements.all_of(user_id, course.id, course, enrollment)
        if any(one.access == CourseAccess.PAYMENT for one in found):
            return True
        _, last = await Order.completed_of(user_id, course.id)
        payment = None if last is None else await Payment.find_row(last["payment_id"])
        return payment is not None and payment["status"] not in PAID  # its settling was cut off, and goes on

    async def _is_as_good(self, actor: Actor, course: CourseHead, draft: CourseOrderDraft, row: Row) -> bool:
        """Can the open order be gone on with: it fits the wish, and costs no more than is told now?"""
        if not self.can_be_paid(row) or not _is_what_was_meant(row, draft) or row["currency"] != course.currency:
            return False
        told = await self._pricing.of_course(course, user_id=actor.user_id, country=draft.country)
        return bool(row["list_amount"] <= course.price and row["amount"] <= told.amount)

    async def _begin(
        self, actor: Actor, course: CourseHead, draft: CourseOrderDraft, *, order_id: str, seen_country: str | None
    ) -> Ordered | None:
        priced = await self._pricing.of_course(
            course, user_id=actor.user_id, coupon_code=draft.coupon_code, country=draft.country
        )
        where = {"country": draft.country, "address_country": seen_country}
        row = self._row(actor, course, priced, order_id=order_id, where=where) | {"metadata": draft.metadata}
        row["purchase"], _ = await Order.completed_of(actor.user_id, course.id)
        if not await Order.add(row):
            return None
        return Ordered(await self.ready(row), is_new=True)

    async def _call_off(self, order_id: str) -> None:
        """Call it off, whoever else writes; what is not pending any more stays as it is."""

        async def step() -> bool | None:
            row = await Order.find_row(order_id)
            return row is None or row["status"] != OrderStatus.PENDING or await self._end(row, "cancel") or None

        await until_written(step)

    async def _freed(self, row: Row) -> Row:
        """The order; one that costs nothing is completed at once."""
        if row["amount"] != 0 or row["status"] != OrderStatus.PENDING:
            return row
        await self._settling.settle_free(row)
        return await Order.find_row(row["_id"]) or row

    def _row(self, actor: Actor, course: CourseHead, priced: Priced, *, order_id: str, where: Row) -> Row:
        at = self._clock.now()
        given: Row = {
            "coupon_id": priced.coupon_id,
            "coupon_code": priced.coupon_code,
            "tax_name": priced.tax_name,
            "tax_country": priced.tax_country,
            **where,
        }
        return {
            "_id": order_id,
            "user_id": actor.user_id,
            "kind": OrderKind.COURSE.value,
            "course_id": course.id,
            "title": course.title,
            "list_amount": priced.list_amount,
            "discount_amount": priced.discount_amount,
            "tax_basis_points": priced.tax_basis_points,
            "tax_amount": priced.tax_amount,
            "is_tax_included": priced.is_tax_included,
            "amount": priced.amount,
            "currency": priced.currency,
            **{name: value for name, value in given.items() if value is not None},
            "status": OrderStatus.PENDING.value,
            "attempt": 0,
            "open_key": open_key_of(actor.user_id, course.id),
            "expires_at": at + self._life,
            "revision": 1,
            "version": 1,
            "created_at": at,
            "updated_at": at,
            "outbox": [],
        }

    async def _end(self, row: Row, event: str) -> bool:
        """Let an order that nobody paid come to its end, with its coupon and its checkouts; False: somebody was first."""
        status = ORDER.after(row["status"], event)
        if status is None:
            return True
        at = self._clock.now()
        intents = await _ending(Write(row["version"] + 1, at), row)
        update = {"$set": {"status": status}, "$unset": {"open_key": "", "checkout": ""}}
        if not await Order.change(row, update, intents=intents, at=at):
            return False
        await self._relay.hand_over(Order, row["_id"])
        return True

    async def _on_given_back(self, _: str, data: dict[str, str]) -> None:
        await self._pricing.give_back(data["order_id"])

    async def _on_called_off(self, _: str, data: dict[str, str]) -> None:
        """The course was paid by another order."""
        present = await Order.find_open(data["open_key"])
        if present is not None and not await self._end(present, "cancel"):
            raise Refused(Code.BUSY)  # the effect stays, and is tried again

    def _is_over(self, row: Row) -> bool:
        return bool(row["expires_at"] <= self._clock.now())


async def _ending(write: Write, row: Row) -> list[Intent]:
    """What the end of an order brings with it."""
    payments = await Payment.find_of_order(row["_id"])
    pending = [one["_id"] for one in payments if one["status"] == PaymentStatus.PENDING]
    closing = [job(write, CLOSE_TASK, {"payment_id": payment_id}) for payment_id in pending]
    if row.get("coupon_id") is None:
        return closing
    return [*closing, effect(write, GIVE_BACK_EFFECT, {"order_id": row["_id"]})]


def _is_what_was_meant(row: Row, draft: CourseOrderDraft) -> bool:
    """Does the open order fit this wish? What is not said may be as it was."""
    code, country = draft.coupon_code, draft.country
    has_coupon = code is None or code.casefold() == (row.get("coupon_code") or "").casefold()
    return has_coupon and country in (None, row.get("country"))
