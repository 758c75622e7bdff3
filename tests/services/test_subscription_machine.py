"""Random lives of subscriptions, coupons and invoices: nobody is charged for what they ended, and has what they paid for.

A gateway draws by the calendar, fails, tries again and gives up; its owner subscribes in two tabs, goes over to another plan, ends
it and takes that back; prices change; money goes back and banks take it; a coupon ends. Words come late, twice or never, nodes work
at the same time, fall asleep for days in the middle of something, or die between any two steps. What must hold at every moment is
asked after each rule, the rest once all that is left was done: by words, or by those who look again alone (`plan_truth.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase
from hypothesis import settings as profile
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from hypothesis.stateful import run_state_machine_as_test as run_machine

from config.settings import Settings
from documents.base import Row
from documents.invoice import Invoice
from documents.payment import Payment
from documents.plan import Plan
from documents.plan_subscription import PlanSubscription
from lms_rt.clock import from_ms
from lms_rt.contracts.gateways import Disputed, GatewayRefused, GatewayUnavailable
from tests.services.plan_market import PLANS, PlanMarket
from tests.services.plan_truth import GRACE, assert_always_true, assert_plans_are_true
from tests.services.school import STUDENT
from tests.services.stepping import Handler, done
from tests.services.test_payment_machine import opened

WHICH = st.integers(0, 5)
KINDS = (
    "word", "word", "money_word", "whole_word", "whole_word", "work", "sweep", "reconcile", "subscribe", "subscribe", "change", "end",
    "resume", "learn", "refund", "buy", "expire",
)  # fmt: skip


@dataclass(frozen=True)
class Deed:
    """Something that a node does: it dies after so many steps, or falls asleep."""

    kind: str
    which: int
    stops_after: int | None
    is_asleep: bool


DEEDS = st.builds(
    Deed,
    kind=st.sampled_from(KINDS),
    which=WHICH,
    stops_after=st.sampled_from([None, None, None, 1, 3, 5, 8, 12]),
    is_asleep=st.booleans(),
)


class PlanMachine(RuleBasedStateMachine):
    """See the module. Subclassed with the settings of the open store."""

    settings: Settings

    @initialize(
        closes_pages=st.booleans(),
        changes_at_once=st.booleans(),
        is_hasty=st.booleans(),
        keeps_anchor=st.booleans(),
        is_told=st.booleans(),
    )
    def open_the_shop(self, is_told: bool, **options: bool) -> None:
        self.shop, self.is_told = PlanMarket(self.settings, **options), is_told
        self.asleep: list[Handler] = []

    @rule(plan=st.integers(0, 1), is_paid=st.booleans())
    def subscribe(self, plan: int, is_paid: bool) -> None:
        """Somebody comes to a page, and most pay there, and its word comes."""
        self._do(self.shop.subscribing(plan))
        self.shop.subscribes(-1)
        if is_paid:
            self._do(self.shop.word(-1))

    @rule(which=WHICH)
    def pay(self, which: int) -> None:
        """At any page that was ever open."""
        self.shop.subscribes(which)

    @rule(days=st.sampled_from([1, 2, 7, 26, 31]), is_watched=st.booleans())
    def days_go_by(self, days: int, is_watched: bool) -> None:
        self.shop.lives(days, is_watched=is_watched)

    @rule(is_empty=st.booleans())
    def card(self, is_empty: bool) -> None:
        self.shop.gateway.is_card_empty = is_empty

    @rule(kind=st.sampled_from(["away", "there", "lost", "wrong", "shy"]))
    def gateway_fails(self, kind: str) -> None:
        """It is away, an answer gets lost, it draws something else, or does not name what came of its pages for a while."""
        gateway = self.shop.gateway
        gateway.is_away = kind == "away"
        gateway.loses += kind == "lost"
        gateway.draws_wrong |= kind == "wrong"
        gateway.is_shy = kind == "shy"

    @rule(which=WHICH, part=st.sampled_from([100, 900, 10**6]))
    def pay_back(self, which: int, part: int) -> None:
        self.shop.pays_back(which, part)

    @rule(which=WHICH, state=st.sampled_from(Disputed))
    def dispute(self, which: int, state: Disputed) -> None:
        self.shop.disputes(which, "dp_1", state)

    @rule(which=WHICH, plan=st.integers(0, 1), is_lost=st.booleans())
    def go_over(self, which: int, plan: int, is_lost: bool) -> None:
        """To another plan; whether the gateway's answer comes or not."""
        self.shop.gateway.loses = int(is_lost)
        self._do(self.shop.changing(which, plan))

    @rule(which=WHICH)
    def take_back(self, which: int) -> None:
        """The end of a subscription, at the gateway."""
        self.shop.takes_back(which)

    @rule(which=WHICH, amount=st.sampled_from([*PLANS.values(), 700, 2_000]))
    def change_price(self, which: int, amount: int) -> None:
        self._do(self.shop.pricing(which, amount))

    @rule(course=st.integers(0, 1), code=st.sampled_from(["SOON", "HALF", None]), is_paid=st.booleans())
    def buy(self, course: int, code: str | None, is_paid: bool) -> None:
        """A course, with a coupon that may have ended."""
        if self._do(self.shop.buying(course, code)) is not None and is_paid:
            self.shop.pays()

    @rule(deeds=st.lists(DEEDS, min_size=1, max_size=3), schedule=st.lists(st.integers(0, 2), max_size=10))
    def at_once(self, deeds: list[Deed], schedule: list[int]) -> None:
        """Some nodes at once, in the order of the schedule, then one after another."""
        running = [(Handler(self._work(one)), one) for one in deeds]
        steps = [0] * len(running)
        for place in [one for one in schedule if one < len(running)]:
            handler, deed = running[place]
            if not handler.is_over and steps[place] != deed.stops_after:
                self._step(handler)
                steps[place] += 1
        for place, (handler, deed) in enumerate(running):
            left = None if deed.stops_after is None else max(0, deed.stops_after - steps[place])
            self._go_on(handler, left, is_asleep=deed.is_asleep)

    @rule(is_dead=st.booleans())
    def wake(self, is_dead: bool) -> None:
        """Somebody who fell asleep long ago goes on, or never does."""
        for handler in self.asleep:
            if is_dead:
                handler.crash()
            self._go_on(handler, None, is_asleep=False)
        self.asleep = []

    @invariant()
    def all_that_always_holds(self) -> None:
        if hasattr(self, "shop"):
            done(assert_always_true(self.shop))

    def _work(self, deed: Deed) -> Coroutine[Any, Any, Any]:
        shop, which = self.shop, deed.which
        works: dict[str, Callable[[], Coroutine[Any, Any, Any]]] = {
            "word": lambda: shop.word(which),
            "money_word": lambda: shop.money_word(which),
            "whole_word": lambda: shop.whole_word(which),
            "work": shop.working,
            "sweep": shop.sweeping,
            "reconcile": shop.reconciling,
            "subscribe": lambda: shop.subscribing(which),
            "change": lambda: shop.changing(which, which // 2),
            "end": lambda: shop.ending(which),
            "resume": lambda: shop.resuming(which),
            "learn": lambda: shop.learning(which),
            "refund": lambda: shop.refunding(which, 300 if which % 2 else None),
            "buy": lambda: shop.buying(which % 2, "SOON"),
            "expire": shop.expiring,
        }
        return works[deed.kind]()

    def _do(self, work: Coroutine[Any, Any, Any]) -> Any:
        handler = Handler(work)
        self._go_on(handler, None, is_asleep=False)
        return handler.result

    def _go_on(self, handler: Handler, left: int | None, *, is_asleep: bool) -> None:
        while not handler.is_over:
            if left == 0:
                if is_asleep:
                    self.asleep.append(handler)
                else:
                    handler.crash()
                return
            self._step(handler)
            left = None if left is None else left - 1

    @staticmethod
    def _step(handler: Handler) -> None:
        """The word or the job is tried again when the gateway did not answer; here it comes again by itself."""
        try:
            handler.step()
        except (GatewayUnavailable, GatewayRefused):
            handler.is_over = True

    def teardown(self) -> None:
        if hasattr(self, "shop"):
            self.wake(is_dead=True)
            self.shop.does(self.shop.rest(is_told=self.is_told))
            done(assert_plans_are_true(self.shop))


def run(request: pytest.FixtureRequest, path: Path, *, examples: int, steps: int) -> None:
    quick = profile(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],  # finding the smallest example takes minutes
    )
    with opened(request, path, PlanSubscription, Plan, Invoice) as settings:
        run_machine(type("Plans", (PlanMachine,), {"settings": settings}), settings=quick)


def test_who_was_paid_back_before_their_subscription_was_heard_of_is_not_drawn_for_again(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    with opened(request, tmp_path, PlanSubscription, Plan, Invoice) as settings:
        shop = PlanMarket(settings, closes_pages=True, changes_at_once=True, is_hasty=False)
        shop.does(shop.subscribing(0))
        shop.subscribes(0)
        shop.pays_back(0, PLANS["small"])
        shop.does(shop.money_word(0))
        shop.does(shop.sweeping())
        shop.does(shop.word(0))
        shop.does(shop.rest(is_told=True))
        done(assert_plans_are_true(shop))


async def _payments() -> list[Row]:
    return await Payment.rows().find({}).to_list(10)


async def _subscriptions() -> list[Row]:
    return await PlanSubscription.rows().find({}).to_list(2)


@pytest.mark.parametrize("changes_at_once", [True, False])
@pytest.mark.parametrize("words", ["money, money", "money, subscription", "subscription, money"])
def test_of_two_checkouts_of_one_wish_the_one_whose_word_came_first_counts(
    request: pytest.FixtureRequest, tmp_path: Path, words: str, changes_at_once: bool
) -> None:
    with opened(request, tmp_path, PlanSubscription, Plan, Invoice) as settings:
        shop = PlanMarket(settings, closes_pages=False, changes_at_once=changes_at_once, is_hasty=False)
        shop.does(shop.subscribing(0))
        shop.clock.advance(82_700)  # too late to go on at this page, and early enough to pay there
        shop.does(shop.subscribing(0))
        for number in range(2):
            shop.subscribes(number)
        for which, word in enumerate(words.split(", ")):
            shop.does(shop.money_word(which) if word == "money" else shop.word(which))
        shop.does(shop.rest(is_told=True))
        done(assert_plans_are_true(shop))
        first, second = shop.gateway.standing.values()
        assert (first.is_live, second.is_live) == (True, False)
        held = {row["intent_id"]: row.get("held") for row in done(_payments())}
        assert [held[one.periods[0].intent_ids[0]] for one in (first, second)] == [None, "duplicate"]


@pytest.mark.parametrize("changes_at_once", [True, False])
def test_a_change_of_plan_whose_answer_was_lost_is_made_once(
    request: pytest.FixtureRequest, tmp_path: Path, changes_at_once: bool
) -> None:
    with opened(request, tmp_path, PlanSubscription, Plan, Invoice) as settings:
        shop = PlanMarket(settings, closes_pages=True, changes_at_once=changes_at_once, is_hasty=False)
        shop.does(shop.subscribing(0))
        shop.subscribes(0)
        shop.does(shop.word(0))
        shop.gateway.loses = 1
        shop.does(shop.changing(0, 1))
        shop.lives(2, is_watched=True)
        shop.does(shop.rest(is_told=True))
        done(assert_plans_are_true(shop))
        assert [one.changes for one in shop.gateway.standing.values()] == [1]


@pytest.mark.parametrize("word", ["of the money", "of the subscription", "none"])
@pytest.mark.parametrize("changes_at_once", [True, False])
def test_who_was_given_a_page_at_a_price_may_pay_that_price_there(
    request: pytest.FixtureRequest, tmp_path: Path, word: str, changes_at_once: bool
) -> None:
    with opened(request, tmp_path, PlanSubscription, Plan, Invoice) as settings:
        shop = PlanMarket(settings, closes_pages=False, changes_at_once=changes_at_once, is_hasty=False)
        shop.does(shop.subscribing(0))
        shop.does(shop.pricing(0, 2_000))
        shop.does(shop.subscribing(0))
        shop.subscribes(0)
        if word != "none":
            shop.does(shop.money_word(0) if word == "of the money" else shop.word(0))
        shop.lives(31, is_watched=False)
        shop.does(shop.rest(is_told=word != "none"))
        done(assert_plans_are_true(shop))
        [row] = done(_subscriptions())
        assert (row["amount"], row["list_amount"], row["status"]) == (PLANS["small"], PLANS["small"], "active")


@pytest.mark.parametrize("days", [7, 40])
def test_who_paid_while_nobody_watched_has_what_they_paid_for(
    request: pytest.FixtureRequest, tmp_path: Path, days: int
) -> None:
    """Longer than a checkout may be paid, and longer than gateways' lists are read back."""
    with opened(request, tmp_path, PlanSubscription, Plan, Invoice) as settings:
        shop = PlanMarket(settings, closes_pages=False, changes_at_once=True, is_hasty=False)
        shop.does(shop.subscribing(0))
        shop.subscribes(0)
        shop.lives(days, is_watched=False)
        shop.does(shop.rest(is_told=False))
        done(assert_plans_are_true(shop))
        [row] = done(_subscriptions())
        assert row["status"] == "active"


def test_what_was_renewed_before_it_was_ended_is_paid_for(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    with opened(request, tmp_path, PlanSubscription, Plan, Invoice) as settings:
        shop = PlanMarket(settings, closes_pages=True, changes_at_once=True, is_hasty=False)
        shop.does(shop.subscribing(0))
        shop.subscribes(0)
        shop.does(shop.word(0))
        shop.pays_back(0, PLANS["small"])
        shop.lives(31, is_watched=False)
        shop.does(shop.rest(is_told=False))  # of the renewal is heard when it was ended
        done(assert_plans_are_true(shop))
        [one] = shop.gateway.standing.values()
        [found] = done(shop.shop.access.entitlements(STUDENT.user_id, shop.taught[0]))
        assert (one.is_live, from_ms(found.until_ms)) == (False, one.periods[-1].end + GRACE)


def test_who_pays_at_an_old_page_when_the_new_one_is_over_pays_once(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    with opened(request, tmp_path, PlanSubscription, Plan, Invoice) as settings:
        shop = PlanMarket(settings, closes_pages=False, changes_at_once=True, is_hasty=False)
        shop.does(shop.subscribing(0))
        shop.does(shop.pricing(0, 2_000))
        shop.does(shop.subscribing(0))
        shop.subscribes(1)
        shop.does(shop.word(0))
        shop.pays_back(0, 2_000)
        shop.does(shop.money_word(0))
        shop.does(shop.sweeping())
        shop.does(shop.shop.plan_subscriptions.sweep())  # it is ended there
        shop.subscribes(0)
        shop.lives(2, is_watched=True)
        shop.lives(31, is_watched=False)
        shop.does(shop.rest(is_told=False))
        done(assert_plans_are_true(shop))
        assert [one.is_live for one in shop.gateway.standing.values()] == [False, False]
        assert [len(one.renewals) for one in shop.gateway.standing.values()] == [0, 0], "drawn for unseen"


@pytest.mark.parametrize("is_told", [True, False])
def test_a_dearer_plan_for_two_days_opens_no_month(
    request: pytest.FixtureRequest, tmp_path: Path, is_told: bool
) -> None:
    with opened(request, tmp_path, PlanSubscription, Plan, Invoice) as settings:
        shop = PlanMarket(settings, closes_pages=True, changes_at_once=True, is_hasty=False, keeps_anchor=True)
        shop.does(shop.subscribing(0))
        shop.subscribes(0)
        shop.does(shop.word(0))
        shop.lives(29, is_watched=True)
        shop.does(shop.changing(0, 1))
        shop.gateway.is_card_empty = True
        shop.lives(3, is_watched=is_told)
        shop.does(shop.ending(0))
        shop.does(shop.word(0))
        done(assert_always_true(shop))
        [one] = shop.gateway.standing.values()
        [row] = done(_subscriptions())
        assert len(one.periods) == 2, "it had begun another one"
        assert row["end_date"] == one.periods[0].end, "which nobody paid"


def test_random_lives_of_subscriptions(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    run(request, tmp_path, examples=25, steps=25)


@pytest.mark.soak
@pytest.mark.timeout(3_600)
def test_many_random_lives_of_subscriptions(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    run(request, tmp_path, examples=1_500, steps=50)
