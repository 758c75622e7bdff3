"""Plans on pages, as a browser without scripts sees them: made, subscribed to, changed, ended and kept."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from documents.order import Order
from documents.plan_subscription import PlanSubscription
from tests.conftest import settings_on
from tests.house import House, open_house
from tests.rest.paying_browser import AMOUNT, LINK, ONCE, Browser, browser_of, path_of
from tests.working import idle, working


@pytest.fixture(scope="module")
async def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """A school with workers; where its data lies makes no difference to pages."""
    settings = settings_on("embedded", request, tmp_path_factory.mktemp("money"))
    async with open_house(settings) as opened, working(opened):
        yield opened


@pytest.fixture
async def desk(house: House) -> Browser:
    """The browser of who looks after payments."""
    return await browser_of(house, await house.admin())


@pytest.fixture
async def buyer(house: House) -> Browser:
    return await browser_of(house, await house.student("Sara Saleh"))


async def two_plans_are_made(desk: Browser) -> None:
    """Each once, however often it is sent; what is no plan is refused."""
    for name, amount in (("Small plan", "10"), ("Large plan", "25.50")):
        made = {"plan_name": name, "amount": amount, "currency": "usd", "interval": "month", "is_active": "yes"}
        assert "tick that it opens every course" in (await desk.send("/admin/payments/plans", **made)).text
        once = ONCE.findall(await desk.see("/admin/payments/plans"))[0]
        for _ in range(2):  # a double click
            sent = await desk.send("/admin/payments/plans", **made, is_for_all="yes", once=once)
            assert sent.status_code == 303
    wrong = {"plan_name": "", "amount": "1.234", "currency": "USD", "interval": "month"}
    assert "Write an amount of this currency" in (await desk.send("/admin/payments/plans", **wrong)).text


async def a_plan_is_changed_where_it_stands(desk: Browser, plan_id: str) -> None:
    """In the list; a form that is too old is refused."""
    edit = await desk.see(f"/admin/payments/plans?edit={plan_id}")
    assert 'value="25.50"' in edit
    changed = {"plan_name": "Larger plan", "amount": "30", "currency": "USD", "interval": "month", "is_for_all": "yes"}
    changed["edit"] = plan_id
    assert (await desk.send("/admin/payments/plans", **changed, version="1")).status_code == 303
    assert (await desk.send("/admin/payments/plans", **changed, version="1")).status_code == 412


async def test_a_plan_is_made_subscribed_to_changed_and_ended(house: House, buyer: Browser, desk: Browser) -> None:
    await two_plans_are_made(desk)
    async with httpx.AsyncClient(base_url=house.address, trust_env=False) as stranger:
        offered = (await stranger.get("/plans")).text
    assert "Small plan" in offered
    assert "$25.50" in offered
    plans = {one["plan_name"]: one["id"] for one in (await buyer.visitor.ok("GET", "/payments/plans"))["items"]}
    begun = await buyer.send("/plans", plan_id=plans["Small plan"], gateway="sandbox")
    gate = path_of(LINK.findall(begun.text)[0])
    await buyer.send(gate, on=gate, act="pay")
    await idle(house.services)
    mine = await buyer.see("/payments")
    assert "Small plan" in mine
    [subscription] = (await buyer.visitor.ok("GET", "/payments/my-subscriptions"))["items"]
    path = f"/payments/subscriptions/{subscription['id']}"
    large = plans["Large plan"]
    assert (
        f'href="#{subscription["id"]}"'
        in (await buyer.send(f"{path}/change", plan_id=subscription["plan_id"], amount="1000")).text
    )
    for wrong_price in ({}, {"amount": "1"}):  # nobody goes over to a price that was not shown
        assert "$25.50" in (await buyer.send(f"{path}/change", plan_id=large, **wrong_price)).text
    shown = await buyer.see(f"{path}/change?plan_id={large}")
    assert ("$25.50" in shown, "Instead of" in shown, "Another plan" in await buyer.see("/payments")) == (
        True,
        True,
        False,
    )
    seen = AMOUNT.findall(shown)[0]
    assert (await buyer.send(f"{path}/change", plan_id=large, amount=seen)).status_code == 303
    await idle(house.services)
    mine = await buyer.see("/payments")
    assert ("Another plan was asked for" in mine, "Large plan" in mine) == (True, True)
    await nothing_is_shown_to_others(await browser_of(house, await house.student()), path, large)
    await it_is_ended_and_kept(buyer, path)
    await who_looks_after_payments_lets_it_go_on_with_a_reason(house, buyer, desk, path)
    await a_plan_is_changed_where_it_stands(desk, plans["Large plan"])


async def nothing_is_shown_to_others(other: Browser, path: str, plan_id: str) -> None:
    assert (await other.http.get(f"{path}/change?plan_id={plan_id}")).status_code == 404
    for act in ("cancel", "resume"):
        assert (await other.send(f"{path}/{act}")).status_code == 404


async def it_is_ended_and_kept(buyer: Browser, path: str) -> None:
    assert (await buyer.send(f"{path}/cancel")).headers["Location"] == "/payments?done=cancelled"
    ending = await buyer.see("/payments?done=cancelled")
    assert ("is not renewed" in ending, "Ends on" in ending, f"{path}/cancel" in ending) == (True, True, False)
    assert f"{path}/resume" in ending
    await nobody_is_offered_to_keep_what_ends_all_the_same(buyer, path)
    assert (await buyer.send(f"{path}/resume")).headers["Location"] == "/payments?done=resumed"
    going_on = await buyer.see("/payments?done=resumed")
    assert ("goes on" in going_on, f"{path}/cancel" in going_on, f"{path}/resume" in going_on) == (True, True, False)


async def who_looks_after_payments_lets_it_go_on_with_a_reason(
    house: House, buyer: Browser, desk: Browser, path: str
) -> None:
    subscription_id = path.rpartition("/")[2]
    [order_id] = [one["_id"] async for one in Order.rows().find({"subscription_id": subscription_id})][:1]
    trace, form = f"/admin/payments/orders/{order_id}", {"subscription_id": subscription_id, "act": "resume"}
    assert "Let it go on" not in await desk.see(trace), "it goes on"
    await buyer.send(f"{path}/cancel")
    assert "Let it go on" in await desk.see(trace)
    unsaid = await desk.send(trace, **form)
    assert (unsaid.status_code, f'href="#resume-reason-{subscription_id}"' in unsaid.text) == (422, True)
    assert (await buyer.send(trace, on="/payments", **form, reason="I may")).status_code == 403
    assert f"{path}/resume" in await buyer.see("/payments")
    done = await desk.send(trace, **form, reason="They called us")
    assert done.headers["Location"] == f"{trace}?done=resume"
    page = await desk.see(done.headers["Location"])
    assert ("The subscription goes on." in page, "Let it go on" in page) == (True, False)
    assert f"{path}/resume" not in await buyer.see("/payments")
    await idle(house.services)
    kept = await desk.visitor.ok("GET", f"/admin/audit-logs?action=subscription.resume&target_id={subscription_id}")
    assert [one["reason"] for one in kept["items"]] == ["They called us"]


async def nobody_is_offered_to_keep_what_ends_all_the_same(buyer: Browser, path: str) -> None:
    """Its money went back, or its time is over and its courses are open some days more."""
    subscription_id = path.rpartition("/")[2]
    row = await PlanSubscription.find_row(subscription_id)
    assert row is not None
    for fields in ({"must_end": True}, {"end_date": datetime.now(UTC) - timedelta(hours=1)}):
        await PlanSubscription.rows().update_one({"_id": subscription_id}, {"$set": fields})
        page = await buyer.see("/payments")
        assert ("Ends on" in page, f"{path}/resume" in page) == (True, False)
        assert (await buyer.send(f"{path}/resume")).status_code == 409
        back = {"must_end": row.get("must_end"), "end_date": row["end_date"]}
        await PlanSubscription.rows().update_one({"_id": subscription_id}, {"$set": back})


@pytest.mark.parametrize(
    ("fields", "may_end", "again"),
    [
        ({"status": "past_due"}, True, False),
        ({"status": "cancelled", "is_ended_there": True}, False, True),
        ({"status": "expired"}, True, True),
        ({"status": "expired", "is_ended_there": True}, False, True),
    ],
)
async def test_of_a_subscription_that_is_not_paid_all_that_can_be_done_is_offered_and_nothing_else(
    house: House, buyer: Browser, desk: Browser, *, fields: dict[str, object], may_end: bool, again: bool
) -> None:
    plan = {"plan_name": "Plan of one who does not pay", "amount": 1000, "currency": "USD"}
    plan_id = (await desk.visitor.ok("POST", "/payments/plans", json=plan))["id"]
    begun = await buyer.send("/plans", plan_id=plan_id, gateway="sandbox")
    gate = path_of(LINK.findall(begun.text)[0])
    await buyer.send(gate, on=gate, act="pay")
    await idle(house.services)
    [held] = (await buyer.visitor.ok("GET", "/payments/my-subscriptions"))["items"]
    await PlanSubscription.rows().update_one({"_id": held["id"]}, {"$set": fields, "$unset": {"open_key": ""}})
    path = f"/payments/subscriptions/{held['id']}"
    page = (await buyer.see("/payments")).partition(f'id="{held["id"]}"')[2].partition("</section>")[0]
    offered = (f"{path}/cancel" in page, f'href="/plans#plan-{plan_id}"' in page)
    assert offered == (may_end, again)
    for act in ("change", "resume"):
        assert f"{path}/{act}" not in page, "neither can be of one that does not go on"
    if may_end:
        assert "at once" in page
        assert (await buyer.send(f"{path}/cancel")).status_code == 303
        [ended] = (await buyer.visitor.ok("GET", "/payments/my-subscriptions"))["items"]
        assert (ended["status"] in ("cancelled", "expired"), ended["may_be_charged"]) == (True, False)
    else:
        assert (await buyer.send(f"{path}/resume")).status_code == 409
    once_more = await buyer.send("/plans", plan_id=plan_id, gateway="sandbox")
    assert "/sandbox/checkout/" in once_more.text


async def test_a_plan_costs_what_its_page_shows_with_the_tax_of_the_country(
    house: House, buyer: Browser, desk: Browser
) -> None:
    await desk.send("/admin/payments/taxes", country="DE", tax_name="MwSt", rate="19", is_active="yes")
    plan = {"plan_name": "Taxed plan", "amount": 1000, "currency": "USD"}
    plan_id = (await desk.visitor.ok("POST", "/payments/plans", json=plan))["id"]

    def card(page: str) -> str:
        return page.partition(f'id="plan-{plan_id}"')[2].partition("</li>")[0]

    taxed = card(await buyer.see("/plans?country=DE"))
    for words in ("$11.90", "MwSt", "$1.90", 'name="country" value="DE"'):
        assert words in taxed, words
    assert "$10.00" in card(await buyer.see("/plans?country=nowhere"))
    begin = {"plan_id": plan_id, "gateway": "sandbox", "country": "DE"}
    other = await buyer.send("/plans", **begin, amount="1000")
    assert (other.status_code, "The price has changed" in other.text, f'href="#plan-{plan_id}"' in other.text) == (
        409,
        True,
        True,
    )
    assert not (await buyer.visitor.ok("GET", "/payments/my-subscriptions?status=pending"))["items"]
    begun = await buyer.send("/plans", **begin, amount=AMOUNT.findall(taxed)[0])
    kept = (await buyer.visitor.ok("GET", "/payments/my-subscriptions?status=pending"))["items"][0]
    assert (kept["tax_rate"], "tax_basis_points" in kept) == ("19.00", False)
    gate = path_of(LINK.findall(begun.text)[0])
    assert "$11.90" in await buyer.see(gate)
    # of a gateway that is none it is said where the plans are
    refused = await buyer.send("/plans", plan_id="pln_none", gateway="sandbox")
    assert ('href="#plans"' in refused.text, 'id="plans"' in refused.text) == (True, True)
