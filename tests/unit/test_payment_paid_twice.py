"""One checkout that was paid several times: which payment a refund is of, where its gateway tells refunds of all of them together."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lms_rt.contracts.gateways import Charged, GatewayPayment, GatewayRefund, Money, PaidBack
from lms_rt.services.payments.paid_twice import told_apart, with_own_refunds

PRICE = Money(1_000, "KWD")
AGAIN = GatewayPayment("7", Charged.COMPLETED, PRICE, transaction_id="b", apart_id="7:b", is_again=True)
READ = GatewayPayment("7", Charged.COMPLETED, PRICE, transaction_id="a", apart_id="7:a", others=(AGAIN,))
THIRD = GatewayPayment("7", Charged.COMPLETED, PRICE, transaction_id="c", apart_id="7:c", is_again=True)
PAID = {"status": "completed", "paid_amount": 1_000, "intent_id": "7"}


def test_the_first_that_was_settled_stays_the_payment_of_its_checkout() -> None:
    for rows, expected in (
        ([], [("7", "a"), ("7:b", "b")]),
        ([{**PAID, "transaction_id": "a"}], [("7", "a"), ("7:b", "b")]),
        ([{**PAID, "transaction_id": "b"}], [("7", "b"), ("7:a", "a")]),
        ([{**PAID, "transaction_id": "z"}], [("7:a", "a"), ("7:b", "b")]),
    ):
        assert [(one.intent_id, one.transaction_id) for one in told_apart(rows, READ)] == expected


def test_what_was_written_down_as_one_payment_of_all_of_it_stays_one() -> None:
    double = {**PAID, "paid_amount": 2_000, "transaction_id": "a"}
    (told,) = told_apart([double], READ)
    assert (told.intent_id, told.money, told.others) == ("7", Money(2_000, "KWD"), ())
    thrice = replace(READ, others=(AGAIN, THIRD))
    for rows in ([double], [double, {**PAID, "intent_id": "7:c"}]):  # and another one came on top of it
        both, third = told_apart(rows, thrice)
        assert (both.intent_id, both.money.amount, both.is_again) == ("7", 2_000, False)
        assert (third.intent_id, third.money.amount, third.is_again) == ("7:c", 1_000, True)
    beside = [{**double, "transaction_id": "b"}, {**PAID, "intent_id": "7:a"}]
    assert [(one.intent_id, one.money.amount) for one in told_apart(beside, thrice)] == [("7", 2_000), ("7:a", 1_000)]
    of_another = {**double, "transaction_id": "c"}
    assert [one.intent_id for one in told_apart([of_another], thrice)] == ["7", "7:a", "7:b"]


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
        ({}, [back("r1", 2_000)], {"7": ["r1:2"], "7:b": ["r1"]}),
        ({"7": [row_of("x", gateway_refund_id="r1")]}, [back("r1", 1_500)], {"7": ["r1"], "7:b": ["r1:2"]}),
    ],
    ids=[
        "unknown",
        "two unknown",
        "by its name",
        "by our name",
        "unanswered",
        "two unanswered",
        "not asked for yet",
        "of both",
        "of both, known in part",
    ],
)
def test_each_refund_is_of_one_payment(
    known: dict[str, list[dict[str, Any]]], refunds: list[GatewayRefund], expected: dict[str, list[str]]
) -> None:
    told = with_own_refunds(told_apart([], READ), refunds, known)
    assert {one.intent_id: [refund.refund_id for refund in one.refunds] for one in told} == expected
    assert sum(one.refunded for one in told) == sum(one.amount for one in refunds)


@pytest.mark.parametrize("row", [row_of("x", gateway_refund_id="r1"), row_of("x")], ids=["known", "unanswered"])
def test_a_refund_of_a_payment_that_is_not_told_now_is_of_no_other_one(row: dict[str, Any]) -> None:
    alone = GatewayPayment("7", Charged.COMPLETED, Money(3_000, "KWD"))
    for told in ([alone], told_apart([], READ)):
        split = with_own_refunds(told, [back("r1"), back("r2", 300)], {"7": [], "7:c": [row]})
        assert [refund.refund_id for one in split for refund in one.refunds] == ["r2"]
        assert sum(one.refunded for one in split) == 300
