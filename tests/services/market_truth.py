"""How money and access must stand in a market that came to rest: told from what its gateway knows, not by the code that is tried."""

from __future__ import annotations

from collections import Counter

from documents.base import Row
from documents.coupon import Coupon, CouponUse
from documents.enrollment import PRESENT, Enrollment
from documents.gateway_event import GatewayEvent
from documents.journal_entry import JournalEntry
from documents.order import Order
from documents.payment import PAID, Payment
from lms_rt.contracts.gateways import Disputed, GatewayPayment
from tests.services.market import Market
from tests.services.school import STUDENT

ENDED = ("cancelled", "expired", "failed")
_KEPT_BY_BANK = (Disputed.OPEN, Disputed.LOST)


async def assert_all_is_true(market: Market) -> None:
    """The whole truth."""
    assert await GatewayEvent.rows().count_documents({"settled_at": None}) == 0, "a word that nobody saw to"
    rows = await Payment.rows().find({}).to_list(200)
    orders = {row["_id"]: row for row in await Order.rows().find({}).to_list(200)}
    for row in rows:
        assert_written_down(row, market.gateway.payments.get(row.get("intent_id") or ""))
        assert not row["outbox"]
    for order in orders.values():
        assert not order["outbox"]
        assert order["status"] != "pending", "an order that is open for ever"
    await assert_booked(market, rows)
    _assert_counted_once(market, rows, orders)
    await assert_coupons(market, rows, orders)
    for course_id in market.courses:
        await _assert_access(market, course_id, [row for row in rows if row["course_id"] == course_id])


def assert_written_down(row: Row, read: GatewayPayment | None) -> None:
    """What is written down is what the gateway says."""
    if row["gateway"] == "none":
        assert row["amount"] == 0
        return
    if read is None:
        assert row["status"] not in PAID
        return
    assert row["status"] in PAID
    assert (row["paid_amount"], row["refunded_amount"]) == (read.money.amount, read.refunded)
    if read.money.amount > 0:
        assert (row["status"] == "refunded") == (read.refunded == read.money.amount)
    known = {one["id"]: one["state"] for one in row.get("disputes") or []}
    assert known == {one.dispute_id: one.state.value for one in read.disputes}


async def assert_booked(market: Market, rows: list[Row]) -> None:
    """The book sums to zero, and the gateway owes what it took, less what went back, and what banks keep."""
    assert set((await market.shop.journal.totals()).values()) <= {0}
    told = await JournalEntry.balances([row["_id"] for row in rows]) if rows else {}
    for row in rows:
        read = market.gateway.payments.get(row.get("intent_id") or "")
        kept = 0 if read is None else sum(one.amount for one in read.disputes if one.state in _KEPT_BY_BANK)
        due = 0 if read is None else read.money.amount - read.refunded - kept
        assert told.get(row["_id"], {}).get(("USD", "receivable:stripe"), 0) == due, "what a gateway owes"
        assert await market.shop.journal.imbalance(row["_id"]) is None


def _assert_counted_once(market: Market, rows: list[Row], orders: dict[str, Row]) -> None:
    """An order is completed by one payment, and what somebody bought once they do not pay twice."""
    counted = [row for row in rows if row["status"] in PAID and row.get("held") is None]
    assert max(Counter(row["order_id"] for row in counted).values(), default=0) <= 1, "one order, two payments"
    for row in counted:
        order = orders[row["order_id"]]
        assert order.get("completed_at") is not None, "money counts whose order does not"
        assert order["payment_id"] == row["_id"]
        if row.get("paid_amount") != row["amount"]:
            assert row["_id"] in market.released, "another amount than was asked for counts"
    for order in orders.values():
        if order.get("completed_at") is not None:
            assert any(row["_id"] == order["payment_id"] for row in counted), "an order that nobody paid"
    clean = [row for row in counted if not row["refunded_amount"] and not row.get("disputes")]
    per_course = Counter(row["course_id"] for row in clean if row["_id"] not in market.released)
    assert max(per_course.values(), default=0) <= 1, "one course was bought twice, and nobody is told"


async def assert_coupons(market: Market, rows: list[Row], orders: dict[str, Row]) -> None:
    """A coupon of one use takes something off one order; who called theirs off leaves it to others."""
    released = {row["order_id"] for row in rows if row["_id"] in market.released}
    for coupon in await Coupon.rows().find({}).to_list(10):
        uses = {use["order_id"] for use in await CouponUse.rows().find({"coupon_id": coupon["_id"]}).to_list(50)}
        taken = {one["_id"] for one in orders.values() if one.get("coupon_id") == coupon["_id"]}
        paid = {key for key in taken - released if orders[key].get("completed_at") is not None}
        assert len(paid) <= coupon["max_uses"], "a coupon was used more often than it may be"
        assert paid <= uses, "something was taken off that nobody counted"
        assert not {key for key in uses - released if orders[key]["status"] in ENDED}, "a use that never comes back"
        assert coupon["uses"] == len(uses)


async def _assert_access(market: Market, course_id: str, rows: list[Row]) -> None:
    """In is who paid, or whom the staff let in; out is who did not pay, or left."""
    enrollment = await Enrollment.find_of(STUDENT.user_id, course_id)
    opens = {row["_id"] for row in rows if _opens(row, market.gateway.payments.get(row.get("intent_id") or ""))}
    if enrollment is None or enrollment.status not in PRESENT:
        assert not opens or course_id in market.left, "paid, and not let in"
        return
    if enrollment.access == "staff":
        assert course_id in market.let_in, "put out by the staff, and in again for nothing"
        return
    assert enrollment.access == "payment"
    assert enrollment.payment_id in opens, "in by a payment that opens nothing"


def _opens(row: Row, read: GatewayPayment | None) -> bool:
    if row["status"] not in PAID or row.get("held") is not None:
        return False
    if read is None:
        return bool(row["gateway"] == "none")
    is_kept = any(one.state in _KEPT_BY_BANK for one in read.disputes)
    return not is_kept and read.refunded < read.money.amount
