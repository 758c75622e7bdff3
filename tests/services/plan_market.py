"""A market that sells plans beside its courses: what happens is said in verbs; how it must stand says `plan_truth.py`."""

from __future__ import annotations

from collections.abc import Coroutine
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, cast

from config.settings import Settings
from documents.base import Row
from documents.course import Course
from documents.enums import JobState
from documents.job import Job
from documents.payment import Payment
from documents.plan_subscription import PlanSubscription
from lms_rt.contracts.base import read_model
from lms_rt.contracts.coupons import CouponDraft
from lms_rt.contracts.courses import CourseDraft
from lms_rt.contracts.enrollments import EnrollmentDraft
from lms_rt.contracts.gateways import GatewayUnavailable
from lms_rt.contracts.plans import PlanChange, PlanDraft, SubscriptionDraft, SubscriptionMove, SubscriptionResume
from lms_rt.services.courses import Courses
from lms_rt.services.payments.invoice_making import InvoiceMaking
from tests.services.market import WORKED, Market
from tests.services.plan_gateway import PlanGateway
from tests.services.school import ADMIN, STUDENT, TEACHER
from tests.services.stepping import done

PLANS = {"small": 900, "large": 1_500}
"""The large one opens a course more."""
DAY = 86_400


class PlanMarket(Market):
    """The shop with two plans, and a coupon that may be used twice and ends."""

    gateway: PlanGateway

    def __init__(self, settings: Settings, **options: bool) -> None:
        self._settings = settings
        self.ended: dict[str, tuple[datetime, int]] = {}
        """Subscriptions at the gateway whose owner has ended them: since when, and how often they had let them go on till then."""
        self.given = set[str | None]()
        super().__init__(settings, closes_pages=options["closes_pages"])
        self.gateway.changes_at_once = options["changes_at_once"]
        self.gateway.keeps_anchor = options["changes_at_once"] and options.get("keeps_anchor", False)
        self.gateway.is_hasty = options["changes_at_once"] and options["is_hasty"]

    def gateway_of(self) -> PlanGateway:
        """One that draws by itself."""
        return PlanGateway(self.clock)

    async def _open(self) -> None:
        await super()._open()
        courses = Courses(clock=self.clock, relay=self.relay)
        draft = read_model(CourseDraft, {"title": "Geometry", "price": 5_000, "currency": "USD"})
        self.taught = [(await courses.create(TEACHER, draft)).id for _ in PLANS]
        await Course.rows().update_many({}, {"$set": {"is_published": True}})
        self.plans = []
        for number, (name, amount) in enumerate(PLANS.items(), 1):
            fields = {"plan_name": name, "amount": amount, "currency": "USD", "course_ids": self.taught[:number]}
            self.plans.append((await self.shop.plans.create(ADMIN, read_model(PlanDraft, fields))).id)
        ends = self.clock.now() + timedelta(days=3)
        coupon = {"code": "SOON", "percent_off": "10", "max_uses": 2, "max_uses_per_user": 2, "ends_at": ends}
        await self.shop.coupons.create(ADMIN, read_model(CouponDraft, coupon))

    # --- works ---

    def subscribing(self, which: int) -> Coroutine[Any, Any, Any]:
        """Somebody presses "subscribe"."""
        draft = read_model(SubscriptionDraft, {"plan_id": self.plans[which % 2], "gateway": "stripe"})
        return self.shop.subscription_checkouts.start(STUDENT, draft)

    async def changing(self, which: int, plan: int) -> None:
        """Its owner goes over to another plan."""
        if row := await self.subscription(which):
            move = read_model(SubscriptionMove, {"plan_id": self.plans[plan % 2]})
            await self.shop.subscription_changes.change(STUDENT, row["_id"], move)

    async def ending(self, which: int) -> None:
        """Its owner ends it; who lets it go on at the same time may be the last that its gateway hears."""
        if row := await self.subscription(which):
            there = self.gateway.standing.get(row.get("gateway_subscription_id") or "")
            resumes = 0 if there is None else there.resumes
            view = await self.shop.subscription_changes.cancel(STUDENT, row["_id"])
            after = await PlanSubscription.find_row(row["_id"]) or {}
            if known := after.get("gateway_subscription_id"):
                assert view.cancel_at_period_end or view.status in ("cancelled", "expired")
                one = self.gateway.standing[known]
                assert not one.is_live or one.resumes > resumes, "it was said to end, and goes on"
                if not one.is_live and self.ended.get(known, (None, None))[1] != one.resumes:
                    self.ended[known] = (self.clock.now(), one.resumes)

    async def resuming(self, which: int) -> None:
        """Its owner lets it go on after all."""
        if row := await self.subscription(which):
            await self.shop.subscription_changes.resume(STUDENT, row["_id"], SubscriptionResume())

    def learning(self, which: int) -> Coroutine[Any, Any, Any]:
        """The buyer chooses a course of the plans."""
        return self.enrollments.enroll(STUDENT, EnrollmentDraft(course_id=self.taught[which % 2]))

    def pricing(self, which: int, amount: int) -> Coroutine[Any, Any, Any]:
        """A plan costs something else from now on."""
        change = read_model(PlanChange, {"amount": amount})
        return self.shop.plans.change(ADMIN, self.plans[which % 2], change)

    async def word(self, which: int) -> None:
        """A word about one of the subscriptions there."""
        if known := list(self.gateway.standing):
            await self.shop.plan_subscriptions.settle("stripe", known[which % len(known)])

    async def money_word(self, which: int) -> None:
        """A word about a payment."""
        if known := list(self.gateway.payments):
            await self.shop.settling.settle("stripe", known[which % len(known)])

    async def whole_word(self, which: int) -> None:
        """The same as a worker sees to it: whose first payment came is let in."""
        await self.money_word(which)
        if known := list(self.gateway.payments):
            payment = await Payment.find_by_intent("stripe", known[which % len(known)])
            if payment is not None and payment.get("subscription_id"):
                await self.shop.plan_subscriptions.look_begun(payment["subscription_id"])

    async def reconciling(self) -> None:
        """What runs each hour and each day."""
        await self.shop.plan_subscriptions.sweep()
        await self.shop.open_payments.look()
        await self.shop.payment_comparison.compare_all()

    async def working(self) -> None:
        """Workers do what is to be done, each number of an invoice in a process of its own."""
        for job in await Job.rows().find({"state": JobState.WAITING.value}).sort("_id", 1).to_list(400):
            with suppress(GatewayUnavailable):  # then it is tried again
                await self._carry_out(job["task"], job["args"])
                await Job.rows().update_one({"_id": job["_id"]}, {"$set": {"state": JobState.DONE.value}})

    async def _carry_out(self, task: str, args: Row) -> None:
        if task == "invoices.make":
            making = InvoiceMaking(settings=self._settings, clock=self.clock, files=cast("Any", None))
            await making.number(args["payment_id"])
        elif task == "subscriptions.access":
            await self.shop.plan_subscriptions.derive_access(args["subscription_id"])
        elif task in WORKED:
            await self._work(task, args)

    # --- outside ---

    def subscribes(self, which: int) -> None:
        """Somebody pays at one of the pages for a plan that were ever open."""
        if pages := done(self._pages()):
            self.gateway.goes_through(pages[which % len(pages)], self.clock.now())

    async def _pages(self) -> list[str]:
        """Pages that anybody was given: they were written down before."""
        for row in await PlanSubscription.rows().find({}).to_list(50):
            self.given |= {row.get("checkout_intent_id"), *(one["intent_id"] for one in row.get("former", []))}
        return [page for page in self.gateway.wishes if page in self.given]

    def lives(self, days: int, *, is_watched: bool) -> None:
        """Days go by; when it is watched, what is to run runs."""
        for _ in range(days):
            self.clock.advance(DAY)
            self.gateway.time_has_come(self.clock.now())
            if is_watched:
                self.does(self.a_day())

    async def a_day(self) -> None:
        """All that runs by the clock, and its jobs."""
        await self.reconciling()
        await self.shop.orders.expire_due()
        await self.enrollments.expire_due()
        await self.relay.sweep(minimum_age_ms=0)
        await self.working()

    def takes_back(self, which: int) -> None:
        """Its owner lets it go on, at the gateway."""
        if known := list(self.gateway.standing):
            self.gateway.takes_back(known[which % len(known)])

    async def subscription(self, which: int) -> Row | None:
        """One of the buyer's."""
        rows = await PlanSubscription.rows().find({}).sort([("created_at", 1), ("_id", 1)]).to_list(50)
        return rows[which % len(rows)] if rows else None

    async def rest(self, *, is_told: bool) -> None:
        """Nothing new happens there, and all that is left is done: by words, or by what looks again without any."""
        self.gateway.is_still, self.gateway.is_away, self.gateway.is_shy, self.gateway.loses = True, False, False, 0
        for _ in range(3):
            for intent_id, read in list(self.gateway.payments.items()):
                if is_told or read.refunds or read.disputes:  # without a word those may be found months later
                    await self.shop.settling.settle("stripe", intent_id)
            if is_told:
                for known in list(self.gateway.standing):
                    await self.shop.plan_subscriptions.settle("stripe", known)
            self.clock.advance(DAY)
            for _ in range(2):
                await self.a_day()
            for rule in self.rules:
                await rule(self.clock.now(), limit=200)
        await self.a_day()
