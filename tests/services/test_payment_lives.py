"""Lives of payments that once went wrong, told one by one; the random ones are in `test_payment_machine.py`."""

from __future__ import annotations

from collections.abc import Coroutine, Iterator
from typing import Any

import pytest

from config.settings import Settings
from lms_rt.contracts.gateways import Disputed
from tests.services.market import PRICE, Market
from tests.services.market_truth import assert_all_is_true
from tests.services.stepping import Handler, done
from tests.services.test_payment_machine import opened


@pytest.fixture(scope="module")
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A store where every step can be stopped before; each shop begins anew in it."""
    with opened(request, tmp_path_factory.mktemp("lives")) as settings:
        yield settings


@pytest.fixture
def shop(store: Settings) -> Market:
    """A shop whose gateway lets pages be paid after they were called off."""
    return Market(store)


def until(work: Coroutine[Any, Any, Any], step: str) -> Handler:
    """Begun, and stopped before this step."""
    handler = Handler(work)
    while not handler.is_over and not handler.next_step.startswith(step):
        handler.step()
    return handler


def all_is_true(shop: Market) -> None:
    """In the end, when all words came and all jobs are done."""
    shop.does(shop.come_to_rest())
    done(assert_all_is_true(shop))


def test_who_pays_two_orders_of_a_course_pays_once_though_the_first_was_paid_before_the_second_was_made(
    shop: Market,
) -> None:
    shop.does(shop.buying(0))
    shop.pays()
    shop.clock.advance(5)  # its word is late: so the buyer goes back, and names a coupon
    shop.does(shop.buying(0, "HALF"))
    shop.clock.advance(35)
    shop.pays()
    shop.does(shop.settling(0))
    shop.does(shop.settling(1))
    all_is_true(shop)


def test_who_has_paid_and_is_not_let_in_yet_does_not_pay_again(shop: Market) -> None:
    shop.does(shop.buying(0))
    shop.pays()
    shop.does(shop.settling(0))  # no worker runs
    shop.clock.advance(30)
    shop.does(shop.buying(0))
    shop.pays()
    all_is_true(shop)


def test_who_left_a_course_that_is_theirs_does_not_pay_for_it_again(shop: Market) -> None:
    shop.does(shop.buying(0))
    shop.pays()
    shop.does(shop.settling(0))
    shop.does(shop.working())
    shop.leaves(0)
    shop.clock.advance(30)
    shop.does(shop.buying(0))
    shop.pays()
    all_is_true(shop)


@pytest.mark.parametrize("dies_after", [4, 7, 9])
def test_two_orders_that_are_settled_at_the_same_instant_are_not_both_counted(shop: Market, dies_after: int) -> None:
    shop.does(shop.buying(0))
    shop.pays()
    shop.clock.advance(5)
    shop.does(shop.buying(0, "HALF"))
    shop.pays()
    shop.does(shop.settling(0), dies_after=dies_after)  # killed on the way; the next word is the other's
    shop.does(shop.settling(1))
    all_is_true(shop)


def test_a_coupon_of_one_use_pays_no_two_orders_by_calling_the_first_off(shop: Market) -> None:
    shop.does(shop.buying(0, "HALF"))
    shop.does(shop.cancelling(0))
    shop.clock.advance(1)
    shop.does(shop.buying(1, "HALF"))
    shop.pays(0)
    shop.pays(1)
    all_is_true(shop)


def test_an_order_of_nothing_that_somebody_meant_to_pay_comes_to_an_end(shop: Market) -> None:
    order = until(shop.ordering(0, "GIFT"), "insert_one coupon")
    shop.does(shop.beginning(0))  # from the list of one's orders, before its coupon is counted
    shop.goes_on(order)
    all_is_true(shop)


def test_nothing_is_free_by_a_coupon_that_was_never_counted(shop: Market) -> None:
    order = until(shop.ordering(0, "GIFT"), "insert_one coupon")
    order.crash()
    shop.clock.advance(1)
    shop.does(shop.buying(1, "GIFT"))
    all_is_true(shop)


def test_a_coupon_is_not_lost_to_an_order_that_was_called_off_while_it_was_counted(shop: Market) -> None:
    order = until(shop.ordering(0, "HALF"), "insert_one coupon")
    shop.does(shop.cancelling(0))
    shop.goes_on(order)
    all_is_true(shop)


def test_who_was_let_in_for_nothing_and_put_out_does_not_come_back_by_themselves(shop: Market) -> None:
    shop.staff(0, is_in=True)
    shop.staff(0, is_in=False)
    shop.does(shop.enrolling(0))
    all_is_true(shop)


@pytest.mark.parametrize("steps", [2, 3, 4])
def test_nobody_stays_in_by_a_payment_that_was_paid_back_while_they_came_in(shop: Market, steps: int) -> None:
    shop.does(shop.buying(0))
    shop.pays()
    shop.does(shop.settling(0))
    coming = Handler(shop.enrolling(0))
    for _ in range(steps):
        coming.step()
    shop.pays_back(0, PRICE)
    shop.does(shop.settling(0))
    shop.does(shop.working())
    shop.goes_on(coming)
    all_is_true(shop)


@pytest.mark.parametrize("dies_after", [4, 6, 8])
def test_letting_a_payment_go_that_was_cut_off_is_done_by_doing_it_again(shop: Market, dies_after: int) -> None:
    shop.does(shop.buying(0))
    shop.pays(amount=PRICE - 1)
    shop.does(shop.settling(0))
    shop.does(shop.releasing(0), dies_after=dies_after)
    shop.does(shop.releasing(0))
    all_is_true(shop)


def test_of_two_disputes_the_one_that_is_lost_stays_lost(shop: Market) -> None:
    shop.does(shop.buying(0))
    shop.pays()
    for dispute_id, state in (("dp_1", Disputed.OPEN), ("dp_1", Disputed.LOST), ("dp_2", Disputed.OPEN)):
        shop.disputes(0, dispute_id, state)
        shop.does(shop.settling(0))
    all_is_true(shop)


def test_two_who_read_two_sums_of_what_was_paid_back_do_not_count_both(shop: Market) -> None:
    shop.gateway.names_refunds = False
    shop.does(shop.buying(0))
    shop.pays()
    shop.does(shop.settling(0))
    shop.pays_back(0, 500)
    early = Handler(shop.late_word(-1))
    for _ in range(4):
        early.step()
    shop.pays_back(0, 500)
    late = until(shop.late_word(-1), "insert_one refund")
    shop.goes_on(early)
    shop.goes_on(late)
    all_is_true(shop)


def test_a_refund_that_races_a_dispute_pays_nothing_back_that_the_bank_has(shop: Market) -> None:
    for bought, steps in enumerate(range(1, 20, 3)):
        shop.does(shop.buying(0))
        shop.pays()
        intent_id = list(shop.gateway.payments)[bought]
        shop.does(shop.settling(bought))
        asking = Handler(shop.refunding(bought))
        for _ in range(steps):
            if not asking.is_over:
                asking.step()
        shop.gateway.is_disputed(intent_id, "dp_1", Disputed.OPEN, PRICE)
        shop.does(shop.settling(bought))
        shop.goes_on(asking)
        shop.does(shop.working())
        read = shop.gateway.payments[intent_id]
        assert read.refunded + sum(one.amount for one in read.disputes) <= PRICE, f"after {steps} steps"
        shop.does(shop.working())
    all_is_true(shop)


def test_no_amount_but_the_one_that_was_asked_for_opens_anything(shop: Market) -> None:
    shop.does(shop.buying(0))
    for amount in (0, -PRICE, PRICE - 1, PRICE * 100, 10**15):
        shop.pays(amount=amount)
        shop.does(shop.settling(-1))
        shop.does(shop.cancelling(-1))
        shop.clock.advance(1)
        shop.does(shop.buying(0))
    assert len(shop.gateway.payments) == 5
    all_is_true(shop)
