"""One checkout that was paid several times: which payment a refund is of, where its gateway tells refunds of all of them together."""

from __future__ import annotations

from typing import Any

import pytest

from lms_rt.contracts.gateways import Charged, GatewayPayment, GatewayRefund, Money, PaidBack
from lms_rt.services.payments.paid_twice import told_apart, with_own_refunds

PRICE = Money(1_000, "KWD")
AGAIN = GatewayPayment("7", Charged.COMPLETED, PRICE, transaction_id="b", apart_id="7:b", is_again=True)
READ = GatewayPayment("7", Charged.COMPLETED, PRICE, transaction_id="a", apart_id="7:a", others=(AGAIN,))
PAID = {"status": "completed", "paid_amount": 1_000}


def test_the_first_that_was_settled_stays_the_payment_of_its_checkout() -> None:
    for row, expected in (
        (None, [("7", "a"), ("7:b", "b")]),
        ({**PAID, "transaction_id": "a"}, [("7", "a"), ("7:b", "b")]),
        ({**PAID, "transaction_id": "b"}, [("7", "b"), ("7:a", "a")]),
    ):
        assert [(one.intent_id, one.transaction_id) for one in told_apart(row, READ)] == expected


def test_what_was_written_down_as_one_payment_of_all_of_it_stays_one() -> None:
    (told,) = told_apart({"status": "completed", "paid_amount": 2_000, "transaction_id": "a"}, READ)
    assert (told.intent_id, told.money, told.others) == ("7", Money(2_000, "KWD"), ())


def row_of(name: str, **fields: Any) -> dict[str, Any]:
    return {"_id": name, "status": "requested", "attempts": 1, "amount": 400, **fields}


def back(name: str, amount: int = 400, reference: str | None = None) -> GatewayRefund:
    return GatewayRefund(name, amount, PaidBack.COMPLETED, reference)


@pytest.mark.parametrize(
    ("known", "refunds", "expected"),
    [
        ({}, [back("r1", 1_000)], {"7": [], "7:b": ["r1"]}),
        ({}, [back("r1", 1_000), back("r2", 1_000)], {"7": ["r2"], "7:b": ["r1"]}),
        ({"7": [row_of("x", gateway_refund_id="r2")]}, [back("r1"), back("r2")], {"7": ["r2"], "7:b": ["r1"]}),
        ({"7": [row_of("x")]}, [back("r1", reference="x")], {"7": ["r1"], "7:b": []}),
        ({"7": [row_of("x")]}, [back("r1"), back("r2")], {"7": ["r1"], "7:b": ["r2"]}),
        ({"7": [row_of("x")], "7:b": [row_of("y")]}, [back("r1"), back("r2")], {"7": ["r1"], "7:b": ["r2"]}),
        ({"7": [row_of("x", attempts=0)]}, [back("r1")], {"7": [], "7:b": ["r1"]}),
    ],
    ids=["unknown", "two unknown", "by its name", "by our name", "unanswered", "two unanswered", "not asked for yet"],
)
def test_each_refund_is_of_one_payment(
    known: dict[str, list[dict[str, Any]]], refunds: list[GatewayRefund], expected: dict[str, list[str]]
) -> None:
    told = with_own_refunds(told_apart(None, READ), refunds, known)
    assert {one.intent_id: [refund.refund_id for refund in one.refunds] for one in told} == expected
    assert sum(one.refunded for one in told) == sum(one.amount for one in refunds)
