"""How money, papers and access of plans must stand: told from what the gateway knows, and not by the product's own rules."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import datetime, timedelta

from documents.base import Row
from documents.coupon import Coupon, CouponUse
from documents.enrollment import PRESENT, Enrollment
from documents.invoice import CREDIT_NOTE, INVOICE, Invoice
from documents.job import Job
from documents.order import Order
from documents.payment import PAID, Payment
from documents.plan_subscription import PlanSubscription
from lms_rt.clock import from_ms
from lms_rt.contracts.gateways import Disputed, Renewing
from tests.services.market_truth import assert_booked, assert_coupons, assert_written_down
from tests.services.plan_gateway import Period, Standing
from tests.services.plan_market import PlanMarket
from tests.services.school import STUDENT

GRACE, SLACK = timedelta(days=3), timedelta(days=3)
"""SLACK: of a period that is called paid and is not, where it began is told to the days that months differ by."""
OPEN = ("pending", "active", "past_due")


async def assert_always_true(market: PlanMarket) -> None:
    """What holds at every moment, whoever died in the middle of whatever."""
    assert set((await market.shop.journal.totals()).values()) <= {0}, "the book does not sum to zero"
    await _assert_papers_numbered()
    for coupon in await Coupon.rows().find({}).to_list(10):
        counted = await CouponUse.rows().count_documents({"coupon_id": coupon["_id"], "is_counted": True})
        assert counted <= coupon["max_uses"], "a coupon was used too often"
    rows = await PlanSubscription.rows().find({}).to_list(50)
    live = Counter(row["plan_id"] for row in rows if row["status"] == "pending")
    assert max(live.values(), default=0) <= 1, "two checkouts of one plan are open"
    orders = await Order.rows().find({"status": "pending", "kind": "course"}).to_list(100)
    assert max(Counter(one["course_id"] for one in orders if one.get("open_key")).values(), default=0) <= 1
    _assert_nobody_drawn_for_after_the_end(market)
    for course_id in market.taught:
        await _assert_not_open_for_nothing(market, course_id)


async def assert_plans_are_true(market: PlanMarket) -> None:
    """What holds when all that was left is done."""
    await assert_always_true(market)
    rows = await Payment.rows().find({}).to_list(500)
    known = Counter(row.get("intent_id") for row in rows)
    for intent_id in market.gateway.payments:
        assert known[intent_id] == 1, f"{intent_id} is written down {known[intent_id]} times"
    for row in rows:
        assert not row["outbox"]
        assert_written_down(row, market.gateway.payments.get(row.get("intent_id") or ""))
    await assert_booked(market, rows)
    courses = [row for row in rows if row.get("course_id")]
    await assert_coupons(market, courses, {row["_id"]: row for row in await Order.rows().find({}).to_list(500)})
    await _assert_invoiced(market, rows)
    subscriptions = await PlanSubscription.rows().find({}).to_list(50)
    _assert_held(market, rows, subscriptions)
    _assert_one_goes_on(market, subscriptions)
    await _assert_reminded(market)
    await _assert_access(market, subscriptions)


# --- money ---


def _assert_nobody_drawn_for_after_the_end(market: PlanMarket) -> None:
    for subscription_id, (since, resumes) in market.ended.items():
        one = market.gateway.standing[subscription_id]
        later = [at for at in one.renewals if at > since and one.resumes == resumes]
        assert not later, "somebody was charged after they had ended it"


def _assert_held(market: PlanMarket, rows: list[Row], subscriptions: list[Row]) -> None:
    """Held is what nobody agreed to, and what came of a second checkout; nothing else."""
    by_intent = {row.get("intent_id"): row for row in rows}
    first = {row.get("gateway_subscription_id") for row in subscriptions}
    for one in market.gateway.standing.values():
        for intent_id in _intents(one):
            row = by_intent[intent_id]
            is_to_wait = intent_id in one.wrong or one.subscription_id not in first
            assert (row.get("held") is not None) == is_to_wait, f"{intent_id} is held: {row.get('held')}"
            if not is_to_wait:
                assert row["subscription_id"] == one.row_id


def _assert_one_goes_on(market: PlanMarket, subscriptions: list[Row]) -> None:
    """Of each plan at most one is drawn for, and none that its owner, or their bank, did not want."""
    standing = market.gateway.standing
    live = [one for one in standing.values() if one.is_live]
    most = max(Counter(one.price.plan_id for one in live).values(), default=0)
    assert most <= 1, "somebody is charged twice for one plan"
    rows = {row.get("gateway_subscription_id"): row for row in subscriptions}
    for one in live:
        assert one.subscription_id in rows, "charged for what nobody here knows"
        assert rows[one.subscription_id]["status"] in ("active", "past_due", "expired")
        newest = [key for key in _intents(one) if key not in one.wrong][-1:]
        assert all(_stands(market, key) or _is_disputed(market, key) for key in newest), "drawn for what was paid back"
        lost = [key for key in _intents(one) if _is_lost(market, key) and key not in one.wrong]
        assert not lost, "drawn for though a bank took it"
    for row in subscriptions:
        one_there = standing.get(row.get("gateway_subscription_id") or "")
        assert one_there is None or one_there.changes <= row.get("changes", 0), "a change of plan was made twice"
        if one_there is not None and row["status"] == "active":
            assert one_there.state is Renewing.ACTIVE
            assert row["amount"] == one_there.price.money.amount or row.get("is_next_agreed"), "another price there"


async def _assert_reminded(market: PlanMarket) -> None:
    """Told of at most three times for each time that a renewal failed."""
    which = {"task": "mail.send", "args.template": "subscription_past_due"}
    failed = sum(one.failures for one in market.gateway.standing.values())
    assert await Job.rows().count_documents(which) <= 3 * failed, "reminded of nothing"


# --- papers ---


async def _assert_papers_numbered() -> None:
    rows = await Invoice.rows().find({}).to_list(1_000)
    series: dict[tuple[str, int], list[int]] = defaultdict(list)
    for row in rows:
        series[row["kind"], row["year"]].append(row["sequence"])
    for numbers in series.values():
        assert sorted(numbers) == list(range(1, len(numbers) + 1)), "a gap in the numbers"
    bills = Counter(row["payment_id"] for row in rows if not _is_back(row))
    assert max(bills.values(), default=0) <= 1, "two invoices of one payment"
    left: dict[str, int] = defaultdict(int)
    for row in rows:
        left[row["payment_id"]] += row["amount"] if row["kind"] == INVOICE else -row["amount"]
    assert min(left.values(), default=0) >= 0, "credit notes over more than the invoice"


async def _assert_invoiced(market: PlanMarket, rows: list[Row]) -> None:
    """One invoice for each payment that counts, and notes of what went back or was lost: never of more than came."""
    papers = await Invoice.rows().find({}).to_list(1_000)
    signs = {CREDIT_NOTE: 1, INVOICE: -1}
    for row in rows:
        own = [one for one in papers if one["payment_id"] == row["_id"]]
        bills = [one["amount"] for one in own if not _is_back(one)]
        is_due = row["status"] in PAID and row.get("held") is None and row.get("paid_amount", 0) > 0
        assert bills == ([row["paid_amount"]] if is_due else []), f"invoices of {row.get('intent_id')}: {bills}"
        back = sum(signs[one["kind"]] * one["amount"] for one in own if _is_back(one))
        read = market.gateway.payments.get(row.get("intent_id") or "")
        lost = 0 if read is None else sum(one.amount for one in read.disputes if one.state is Disputed.LOST)
        due = min(row["paid_amount"], row["refunded_amount"] + lost) if is_due else 0
        assert back == due, f"credit notes over {back} of {due}"


def _is_back(paper: Row) -> bool:
    return paper.get("refund_id") is not None or paper.get("dispute_id") is not None


# --- access ---


async def _assert_access(market: PlanMarket, subscriptions: list[Row]) -> None:
    now = market.clock.now()
    ranges = [
        (one, _opened(market, one))
        for row in subscriptions
        if (one := market.gateway.standing.get(row.get("gateway_subscription_id") or ""))
    ]
    for number, course_id in enumerate(market.taught):
        own = [found for one, found in ranges if number == 0 or one.plan_id == market.plans[1]]
        if number == 1 and any(one.wrong for one, _ in ranges):
            continue  # which plan a wrong sum was for nobody can say
        least, most = (max((each[place] for each in own), default=from_ms(0)) for place in (0, 1))
        found = next(iter(await market.shop.access.entitlements(STUDENT.user_id, course_id)), None)
        until = from_ms(0) if found is None or found.until_ms is None else from_ms(found.until_ms)
        assert until <= most or most <= now >= until, f"open until {until}, and paid until {most}"
        assert until >= least or least <= now, f"paid until {least}, and open until {until}"
        enrollment = await Enrollment.find_of(STUDENT.user_id, course_id)
        if enrollment is not None:
            assert (enrollment.status in PRESENT) == (found is not None), "the enrolment says something else"


async def _assert_not_open_for_nothing(market: PlanMarket, course_id: str) -> None:
    """Never longer than the gateway was ever paid for, whatever was told in whatever order."""
    found = next(iter(await market.shop.access.entitlements(STUDENT.user_id, course_id)), None)
    if found is None:
        return
    assert found.until_ms is not None
    ends = [period.end for one in market.gateway.standing.values() for period in one.periods if period.is_paid]
    assert ends, "open, and nobody ever paid"
    assert from_ms(found.until_ms) <= max(ends) + GRACE, "open for longer than was paid for"


def _opened(market: PlanMarket, one: Standing) -> tuple[datetime, datetime]:
    """Until when it has to open its courses at least, and may at most."""
    paid = [period for period in one.periods if period.is_paid and not set(period.intent_ids) & one.wrong]
    if not paid:
        return from_ms(0), from_ms(0)
    end = paid[-1].end + GRACE
    if one.changes:
        is_clean = all(_stands(market, key) for key in _intents(one)) and not one.wrong
        is_gone = not any(_stands(market, key) for key in _intents(one) if key not in one.wrong)
        return (end - SLACK if is_clean else from_ms(0)), (from_ms(0) if is_gone else end)
    if not all(_stands(market, key) for key in paid[-1].intent_ids):
        return from_ms(0), from_ms(0)
    return (end if paid[-1] is _last(one) else end - SLACK), end


def _last(one: Standing) -> Period:
    """The period that it says it is in, for all that is paid."""
    return one.periods[-1]


def _intents(one: Standing) -> list[str]:
    return [key for period in one.periods for key in period.intent_ids]


def _stands(market: PlanMarket, intent_id: str) -> bool:
    read = market.gateway.payments[intent_id]
    is_kept = any(one.state in (Disputed.OPEN, Disputed.LOST) for one in read.disputes)
    return not is_kept and read.refunded < read.money.amount


def _is_disputed(market: PlanMarket, intent_id: str) -> bool:
    read = market.gateway.payments[intent_id]
    return read.refunded < read.money.amount and any(one.state is Disputed.OPEN for one in read.disputes)


def _is_lost(market: PlanMarket, intent_id: str) -> bool:
    return any(one.state is Disputed.LOST for one in market.gateway.payments[intent_id].disputes)
