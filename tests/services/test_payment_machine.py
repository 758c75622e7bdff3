"""Random lives of payments, step by atomic step: whatever comes in whatever order, money is there once and access equals it.

A gateway is paid, pays back and hears of disputes; its words come late, twice, with what was true before, or never. Orders are
called off, run out and are paid all the same; coupons are used, given back and wanted again; staff lets in, puts out and lets
held money go. Nodes work at the same time and die between any two steps. In the end everything that is left is done once more,
as reconciling does; and then the truth is asked for, by the buyer's course, not by the order (`market_truth.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase
from hypothesis import settings as profile
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from hypothesis.stateful import run_state_machine_as_test as run_machine

from config.settings import Settings
from documents.base import Record
from documents.coupon import Coupon, CouponUse
from documents.enrollment import Enrollment
from documents.gateway_event import GatewayEvent
from documents.job import Job
from documents.journal_entry import JournalEntry
from documents.order import Order
from documents.payment import Payment
from documents.payment_finding import PaymentFinding
from documents.refund import Refund
from lms_rt.contracts.gateways import Disputed
from tests.conftest import settings_on
from tests.services.market import PRICE, Market
from tests.services.market_truth import assert_all_is_true
from tests.services.stepping import Handler, done, open_stepping, pause

STEPPED = (
    Payment, Order, Enrollment, JournalEntry, Refund, PaymentFinding, GatewayEvent, Job, Coupon, CouponUse,
)  # fmt: skip
CODES = st.sampled_from([None, None, "HALF", "GIFT"])
WHICH, COURSE = st.integers(0, 7), st.integers(0, 1)


@dataclass(frozen=True)
class Action:
    """Something that a node does. `dies_after` so many steps; None: it lives."""

    kind: str
    which: int
    code: str | None
    dies_after: int | None


KINDS = (
    "settle",
    "settle",
    "hear",
    "hear",
    "forge",
    "late_word",
    "work",
    "sweep",
    "buy",
    "order",
    "begin",
    "cancel",
    "enroll",
    "release",
    "refund",
    "expire",
)
ACTIONS = st.builds(
    Action,
    kind=st.sampled_from(KINDS),
    which=WHICH,
    code=CODES,
    dies_after=st.sampled_from([None, None, 1, 3, 5, 8, 12]),
)


class MoneyMachine(RuleBasedStateMachine):
    """See the module. Subclassed with the settings of the open store."""

    settings: Settings

    @initialize(closes_pages=st.booleans(), names_refunds=st.booleans())
    def open_the_shop(self, closes_pages: bool, names_refunds: bool) -> None:
        self.shop = Market(self.settings, closes_pages=closes_pages, names_refunds=names_refunds)

    @rule(course=COURSE, code=CODES, is_paid=st.booleans())
    def buy(self, course: int, code: str | None, is_paid: bool) -> None:
        """Somebody comes to a page, and most pay there."""
        if self.shop.does(self.shop.buying(course, code)) is not None and is_paid:
            self.shop.pays()

    @rule(which=WHICH)
    def call_off(self, which: int) -> None:
        self.shop.does(self.shop.cancelling(which))

    @rule(which=WHICH, is_wrong=st.sampled_from([False, False, False, True]))
    def pay(self, which: int, is_wrong: bool) -> None:
        """At any page that was ever open; somebody else's amount, too."""
        self.shop.pays(which, amount=PRICE - 1 if is_wrong else None)

    @rule(which=WHICH, part=st.sampled_from([100, 1_000, PRICE]))
    def pay_back(self, which: int, part: int) -> None:
        self.shop.pays_back(which, part)

    @rule(which=WHICH, dispute_id=st.sampled_from(["dp_1", "dp_2"]), state=st.sampled_from(Disputed))
    def dispute(self, which: int, dispute_id: str, state: Disputed) -> None:
        self.shop.disputes(which, dispute_id, state)

    @rule(course=COURSE, deed=st.sampled_from(["in", "out", "leave"]))
    def come_and_go(self, course: int, deed: str) -> None:
        """Without money."""
        if deed == "leave":
            self.shop.leaves(course)
        else:
            self.shop.staff(course, is_in=deed == "in")

    @rule(seconds=st.sampled_from([1, 700, 3_600, 4 * 86_400]))
    def time_goes_by(self, seconds: int) -> None:
        self.shop.clock.advance(seconds)

    @rule(actions=st.lists(ACTIONS, min_size=1, max_size=3), schedule=st.lists(st.integers(0, 2), max_size=12))
    def at_once(self, actions: list[Action], schedule: list[int]) -> None:
        """Some nodes at once, in the order of the schedule, then one after another; some die on the way."""
        running = [(Handler(work), one) for one in actions if (work := self._work(one)) is not None]
        steps = [0] * len(running)
        for place in [one for one in schedule if one < len(running)]:
            handler, action = running[place]
            if not handler.is_over and steps[place] == action.dies_after:
                handler.crash()
            if not handler.is_over:
                handler.step()
                steps[place] += 1
        for place, (handler, action) in enumerate(running):
            left = None if action.dies_after is None else max(0, action.dies_after - steps[place])
            self.shop.goes_on(handler, dies_after=left)

    def _work(self, action: Action) -> Coroutine[Any, Any, Any] | None:
        shop, which = self.shop, action.which
        works: dict[str, Callable[[], Coroutine[Any, Any, Any]]] = {
            "buy": lambda: shop.buying(which % 2, action.code),
            "hear": lambda: shop.hearing(which),
            "forge": lambda: shop.hearing(which, is_forged=True),
            "order": lambda: shop.ordering(which % 2, action.code),
            "begin": lambda: shop.beginning(which),
            "cancel": lambda: shop.cancelling(which),
            "enroll": lambda: shop.enrolling(which % 2),
            "release": lambda: shop.releasing(which),
            "refund": lambda: shop.refunding(which, 300 if which % 2 else None),
            "work": shop.working,
            "sweep": shop.sweeping,
            "expire": shop.expiring,
        }
        if action.kind == "settle":
            return shop.settling(which) if shop.gateway.pages else None
        if action.kind == "late_word":
            return shop.late_word(which) if shop.readings else None
        return works[action.kind]()

    def teardown(self) -> None:
        if hasattr(self, "shop"):
            self.shop.does(self.shop.come_to_rest())
            done(assert_all_is_true(self.shop))


def run(request: pytest.FixtureRequest, path: Path, *, examples: int, steps: int) -> None:
    quick = profile(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],  # finding the smallest example takes minutes
    )
    with opened(request, path) as settings:
        run_machine(type("Money", (MoneyMachine,), {"settings": settings}), settings=quick)


@contextmanager
def opened(request: pytest.FixtureRequest, path: Path, *more: type[Record]) -> Iterator[Settings]:
    """A store where every step (on `more`, too) can be stopped before, and where nobody waits."""

    async def rest(_: float) -> None:
        await pause()

    settings = settings_on("embedded", request, path)
    with open_stepping(settings, *STEPPED, *more), pytest.MonkeyPatch.context() as patch:
        patch.setattr("lms_rt.services.contended.asyncio.sleep", rest)
        patch.setattr("lms_rt.services.payments.checkout_starting._LOOKS", 3)
        patch.setattr("asyncio.timeout", lambda _: nullcontext())  # steps are taken by hand, without a loop
        yield settings


def test_random_lives_of_payments(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    run(request, tmp_path, examples=12, steps=16)


@pytest.mark.soak
@pytest.mark.timeout(3_600)
def test_many_random_lives_of_payments(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    run(request, tmp_path, examples=2_000, steps=40)
