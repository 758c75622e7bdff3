"""A whole shop for random lives of payments: all services of payments as they are wired, over a gateway whose pages stay open.

What happens is said in verbs; each is run step by step (`stepping.py`). How money and access must stand says `market_truth.py`.
"""

from __future__ import annotations

from collections.abc import Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from datetime import datetime
from types import SimpleNamespace
from typing import Any, cast

from config.settings import Settings
from documents import DOCUMENTS
from documents.base import Aggregate, Row
from documents.course import Course
from documents.enums import JobState
from documents.job import Job
from documents.order import Order
from documents.payment import PAID, Payment
from documents.user import User
from lms_rt.bus.memory import SilentWakeUps, memory_bus
from lms_rt.clock import FakeClock
from lms_rt.contracts.base import read_model
from lms_rt.contracts.coupons import CouponDraft
from lms_rt.contracts.courses import CourseDraft
from lms_rt.contracts.enrollments import EnrollmentDraft
from lms_rt.contracts.gateways import (
    Charged,
    Checkout,
    CheckoutStarted,
    Disputed,
    GatewayDispute,
    GatewayPayment,
    Hint,
    Money,
)
from lms_rt.contracts.payments import CheckoutDraft, CourseCheckoutDraft, CourseOrderDraft
from lms_rt.contracts.refunds import RefundDraft, ReleaseDraft
from lms_rt.services.courses import Courses
from lms_rt.services.enrollments import Enrollments
from lms_rt.services.jobs import Failed, Jobs, NotYet
from lms_rt.wiring_payments import PaymentGround, wired_payments
from tests.services.relaying import relay_over
from tests.services.school import ADMIN, STUDENT, TEACHER
from tests.services.small_gateway import hints_of, word
from tests.services.stepping import Handler, done
from tests.services.till import TillGateway

PRICE = 1_140
COUPONS = {"HALF": "50", "GIFT": "100"}
"""Percent off; each may be used once, in all."""
MOST_STEPS = 6_000
WORKED = ("payments.access", "payments.close", "payments.refund", "payments.settle")


class PageGateway(TillGateway):
    """Its pages can be paid for as long as anybody has one open; some gateways close them when they are asked to."""

    def __init__(self) -> None:
        super().__init__()
        self.pages: dict[str, Checkout] = {}
        self.closed: set[str] = set()
        self.closes_pages = False

    async def start_checkout(self, checkout: Checkout) -> CheckoutStarted:
        """The same page for the same key."""
        intent_id = f"pi0_{checkout.key}"
        self.pages[intent_id] = checkout
        return CheckoutStarted(intent_id, {"redirect_url": f"https://pay.example/{intent_id}"})

    async def cancel_checkout(self, intent_id: str) -> None:
        """Nobody pays there any more, if it can do that."""
        if self.closes_pages and intent_id not in self.payments:
            self.closed.add(intent_id)

    async def read_payment(self, intent_id: str) -> GatewayPayment:
        """As it stands, unpaid ones too."""
        if intent_id in self.payments or intent_id not in self.pages:
            return await super().read_payment(intent_id)
        page, state = self.pages[intent_id], Charged.CANCELLED if intent_id in self.closed else Charged.PENDING
        return GatewayPayment(intent_id, state, page.money, key=page.key)

    async def read_hints(self, *, headers: Mapping[str, str], query: Mapping[str, str], body: bytes) -> Sequence[Hint]:  # noqa: ARG002
        """One word, if it is signed."""
        return hints_of(headers, body)

    def is_paid(self, intent_id: str, at: datetime, *, money: Money | None = None) -> GatewayPayment | None:
        """Somebody pays at a page; it says when, in whole seconds, as gateways do."""
        if intent_id in self.payments or intent_id in self.closed:
            return None
        page, at = self.pages[intent_id], at.replace(microsecond=0)
        row = {"amount": page.money.amount, "currency": page.money.currency, "intent_id": intent_id, "key": page.key}
        return self.pays(row, at=at, paid_at=at, **({} if money is None else {"money": money}))

    def is_disputed(self, intent_id: str, dispute_id: str, state: Disputed, amount: int) -> None:
        """One of several disputes begins, or ends; what ended stays so."""
        read = self.payments[intent_id]
        known = {one.dispute_id: one for one in read.disputes}
        before = known.get(dispute_id)
        if (before is None) == (state is Disputed.OPEN):
            known[dispute_id] = GatewayDispute(dispute_id, amount, state)
            self.payments[intent_id] = replace(read, disputes=tuple(known.values()))


class Market:
    """The shop: one buyer, two courses, two coupons of one use each."""

    def __init__(self, settings: Settings, *, closes_pages: bool = False, names_refunds: bool = True) -> None:
        self.clock = FakeClock()
        self.gateway = self.gateway_of()
        self.gateway.closes_pages, self.gateway.names_refunds = closes_pages, names_refunds
        bus = memory_bus(self.clock)
        aggregates = [document for document in DOCUMENTS if issubclass(document, Aggregate)]
        self.relay = relay_over(bus.fan_out, self.clock, aggregates)
        self.enrollments = Enrollments(clock=self.clock, relay=self.relay, bus=bus)
        for name, handler in self.enrollments.effects().items():
            self.relay.register_effect(name, handler)
        self.rules: list[Any] = []
        ground = cast("PaymentGround", self._ground(bus))
        self.shop = wired_payments(settings, self.clock, ground)
        self.shop.payment_gateways.add(self.gateway)
        self.readings: list[GatewayPayment] = []
        self.let_in: set[str] = set()
        self.left: set[str] = set()
        self.released: set[str] = set()
        done(self._open())

    def gateway_of(self) -> PageGateway:
        """Where one pays."""
        return PageGateway()

    def _ground(self, bus: Any) -> SimpleNamespace:
        async def recorded(*_: Any, **__: Any) -> None:
            """The audit log has tests of its own."""

        retention = SimpleNamespace(add_rule=lambda _, __, rule: self.rules.append(rule))
        jobs = Jobs(clock=self.clock, wake_ups=SilentWakeUps())
        audit = SimpleNamespace(record=recorded, record_once=recorded)
        after = SimpleNamespace(relay=self.relay, retention=retention, jobs=jobs, audit=audit)
        learning = SimpleNamespace(files=None)
        return SimpleNamespace(
            after=after,
            learning=learning,
            accounts=SimpleNamespace(limiter=None),
            bus=bus,
            enrollments=self.enrollments,
            stack=AsyncExitStack(),
        )

    async def _open(self) -> None:
        stamps: Row = {"created_at": self.clock.now(), "updated_at": self.clock.now(), "version": 1}
        for document in DOCUMENTS:
            await document.rows().delete_many({})
        await User.rows().insert_one(
            {
                "_id": STUDENT.user_id, "full_name": STUDENT.full_name, "email": "sara@example.org", "is_active": True,
                "email_key": "sara@example.org", "role": "student", "locale": "en", "timezone": "UTC",
                "password_hash": "x", **stamps,
            }
        )  # fmt: skip
        courses = Courses(clock=self.clock, relay=self.relay)
        draft = read_model(CourseDraft, {"title": "Algebra", "price": PRICE, "currency": "USD"})
        self.courses = [(await courses.create(TEACHER, draft)).id for _ in range(2)]
        await Course.rows().update_many({}, {"$set": {"is_published": True}})
        for code, percent in COUPONS.items():
            coupon = read_model(CouponDraft, {"code": code, "percent_off": percent, "max_uses": 1})
            await self.shop.coupons.create(ADMIN, coupon)

    # --- works, for whoever runs them step by step ---

    def ordering(self, course: int, code: str | None = None) -> Coroutine[Any, Any, Any]:
        """Somebody presses "order"."""
        draft = read_model(CourseOrderDraft, {"course_id": self.courses[course], "coupon_code": code})
        return self.shop.orders.create(STUDENT, draft)

    def buying(self, course: int, code: str | None = None) -> Coroutine[Any, Any, Any]:
        """Somebody presses "buy": an order, and its page to pay at."""
        wish = {"course_id": self.courses[course], "coupon_code": code, "gateway": "stripe"}
        return self.shop.checkouts.begin_for_course(STUDENT, read_model(CourseCheckoutDraft, wish))

    async def beginning(self, which: int) -> None:
        """Somebody presses "pay" at an order in the list of theirs."""
        if order := await self.order(which):
            await self.shop.checkouts.begin(STUDENT, order["_id"], CheckoutDraft(gateway="stripe"))

    async def cancelling(self, which: int) -> None:
        """Somebody calls an order off."""
        if order := await self.order(which):
            await self.shop.orders.cancel(STUDENT, order["_id"])

    def enrolling(self, course: int) -> Coroutine[Any, Any, Any]:
        """The buyer asks to be let in."""
        return self.enrollments.enroll(STUDENT, EnrollmentDraft(course_id=self.courses[course]))

    def settling(self, which: int) -> Coroutine[Any, Any, Any]:
        """A payment is read from its gateway, and written down."""
        pages = list(self.gateway.pages)
        return self.shop.settling.settle("stripe", pages[which % len(pages)])

    def late_word(self, which: int) -> Coroutine[Any, Any, Any]:
        """Somebody read it long ago, and writes it down only now."""
        return self.shop.settling.take("stripe", self.readings[which % len(self.readings)])

    async def hearing(self, which: int, *, is_forged: bool = False) -> None:
        """A word comes at the door: of one of the pages, for the first time or again, from the gateway or from anybody."""
        if pages := list(self.gateway.pages):
            told = word(f"evt_{which}_{len(self.readings)}", pages[which % len(pages)])
            headers = {"X-Signature": "of nobody"} if is_forged else told.headers
            await self.shop.gateway_words.receive("stripe", headers=headers, query={}, body=told.body)
            assert not is_forged, "a forged word was taken"

    async def releasing(self, which: int) -> None:
        """A treasurer lets a held payment count."""
        held = await Payment.rows().find({"held": {"$exists": True}}).sort("_id", 1).to_list(20)
        if held and (payment := held[which % len(held)]).get("held"):
            self.released.add(payment["_id"])
            await self.shop.releasing.release(ADMIN, payment["_id"], ReleaseDraft(reason="Seen"))

    async def refunding(self, which: int, part: int | None = None) -> None:
        """A treasurer pays back a part of one of the payments, or what is left of it."""
        rows = await Payment.rows().find({"status": {"$in": list(PAID)}, "amount": {"$gt": 0}}).to_list(20)
        if rows:
            draft = read_model(RefundDraft, {"reason": "Sick"} | ({} if part is None else {"amount": part}))
            await self.shop.refunds.request(ADMIN, rows[which % len(rows)]["_id"], draft, seed=None)

    async def working(self) -> None:
        """A worker does what is to be done, each once, in its order."""
        for job in await Job.rows().find({"state": JobState.WAITING.value}).sort("_id", 1).to_list(200):
            with suppress(NotYet):
                if job["task"] in WORKED:
                    await self._work(job["task"], job["args"])
                await Job.rows().update_one({"_id": job["_id"]}, {"$set": {"state": JobState.DONE.value}})

    async def _work(self, task: str, args: Row) -> None:
        if task == "payments.close":
            await self.shop.checkouts.close(args["payment_id"])
        elif task == "payments.settle":
            await self.shop.gateway_words.settle(args["event_id"])
        elif task == "payments.refund":
            with suppress(Failed, NotYet):  # it is looked at again by those who reconcile
                await self.shop.refunds.carry_out(args["refund_id"])
        elif args["course_id"] is None:
            await self.shop.access.derive_all(args["user_id"])
        else:
            await self.shop.access.derive(args["user_id"], args["course_id"])

    def sweeping(self) -> Coroutine[Any, Any, Any]:
        """What a crash left behind is carried out."""
        return self.relay.sweep(minimum_age_ms=0)

    def expiring(self) -> Coroutine[Any, Any, Any]:
        """Orders whose time is over come to their end."""
        return self.shop.orders.expire_due()

    # --- the same at once, and what happens outside ---

    def does(self, work: Coroutine[Any, Any, Any], *, dies_after: int | None = None) -> Any:
        """Run it to its end, or until it is killed. What is refused is None. What goes round and round is a fault."""
        return self.goes_on(Handler(work), dies_after=dies_after)

    def goes_on(self, handler: Handler, *, dies_after: int | None = None) -> Any:
        """The same of one that was begun."""
        steps = 0
        while not handler.is_over:
            if steps == dies_after:
                handler.crash()
                return None
            assert steps < MOST_STEPS, "it never comes to an end"
            handler.step()
            steps += 1
        return handler.result

    def pays(self, which: int = -1, *, amount: int | None = None) -> None:
        """The buyer pays at one of the pages that were ever open."""
        if not (pages := list(self.gateway.pages)):
            return
        intent_id = pages[which % len(pages)]
        money = None if amount is None else Money(amount, "USD")
        self._heard(self.gateway.is_paid(intent_id, self.clock.now(), money=money))

    def pays_back(self, which: int, part: int) -> None:
        """Money goes back, at the gateway's own desk."""
        if (read := self._paid(which)) and (amount := min(part, read.money.amount - read.refunded)):
            self.gateway.pays_back(read.intent_id, amount)
            self._heard(self.gateway.payments[read.intent_id])

    def disputes(self, which: int, dispute_id: str, state: Disputed) -> None:
        """A bank asks for half of it; or its dispute ends."""
        if read := self._paid(which):
            self.gateway.is_disputed(read.intent_id, dispute_id, state, read.money.amount // 2)
            self._heard(self.gateway.payments[read.intent_id])

    def staff(self, course: int, *, is_in: bool) -> None:
        """The teacher lets the buyer in, unpaid, or puts them out."""
        course_id = self.courses[course]
        if is_in:
            draft = EnrollmentDraft(course_id=course_id, student_id=STUDENT.user_id)
            if self.does(self.enrollments.enroll(TEACHER, draft)) is not None:
                self.let_in.add(course_id)
            return
        if self.does(self.enrollments.drop(TEACHER, f"{STUDENT.user_id}:{course_id}")) is not None:
            self.let_in.discard(course_id)
            self.left.add(course_id)

    def leaves(self, course: int) -> None:
        """The buyer goes."""
        course_id = self.courses[course]
        if self.does(self.enrollments.drop(STUDENT, f"{STUDENT.user_id}:{course_id}")) is not None:
            self.left.add(course_id)

    async def order(self, which: int) -> Row | None:
        """One of the orders that the buyer sees."""
        rows = await Order.rows().find({}).sort([("created_at", 1), ("_id", 1)]).to_list(50)
        return rows[which % len(rows)] if rows else None

    async def come_to_rest(self) -> None:
        """All words come, all workers are done, and a day goes by: what is left is done once more, as reconciling does."""
        for _ in range(2):
            for intent_id in list(self.gateway.payments):
                await self.shop.settling.settle("stripe", intent_id)
            for _ in range(2):
                await self.relay.sweep(minimum_age_ms=0)
                await self.working()
            self.clock.advance(86_400)
            await self.shop.orders.expire_due()
            for rule in self.rules:
                await rule(self.clock.now(), limit=200)

    def _paid(self, which: int) -> GatewayPayment | None:
        paid = list(self.gateway.payments.values())
        return paid[which % len(paid)] if paid else None

    def _heard(self, read: GatewayPayment | None) -> None:
        if read is not None:
            self.readings.append(read)
