"""What rows of the route table promise by what they are: lists, and what asks for money."""

from __future__ import annotations

import pytest

from handlers.rest.openapi_parts import is_list
from handlers.routes import ROUTES
from lms_rt.contracts.base import CursorQuery, PageQuery
from tests.house import House

LISTS = [row for row in ROUTES if "GET" in row.methods and row.reply not in (None, bytes) and is_list(row.reply)]
PAGED_WITHIN = {"/quizzes/{quiz_id}/live/controls/{control_id}"}
"""What is one thing, and holds a list of which a page is asked for."""


def test_only_of_lists_a_page_is_asked_for() -> None:
    asked = [row for row in ROUTES if row.query is not None and issubclass(row.query, PageQuery | CursorQuery)]
    assert {row.path for row in asked if not row.is_list} == PAGED_WITHIN


@pytest.mark.parametrize("house", ["embedded"], indirect=True)
async def test_an_order_that_a_list_has_not_is_refused(house: House) -> None:
    """By every list: nobody shall take what comes in its own order for what was asked for."""
    admin = await house.admin()
    for row in LISTS:
        path = row.path.format_map(dict.fromkeys(row.parameters(row.path), "some_id"))
        problem = await admin.refused(422, "GET", path, params={"sort": "colour"})
        assert "sort" in {fault["field"] for fault in problem["errors"]}, row.path


def test_what_asks_for_money_honours_a_key() -> None:
    assert {row.path for row in ROUTES if row.is_idempotent} >= {
        "/payments/orders",
        "/payments/create-intent/{order_id}",
        "/payments/create-payment-intent",
        "/payments/create-subscription",
        "/payments/subscriptions/{subscription_id}/change",
        "/payments/{payment_id}/refund",
    }
