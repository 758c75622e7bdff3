"""Buying on pages, as a browser without scripts does it: price, coupon, tax, gateway, order, receipt; and the school's own desk."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from documents.payment import Payment
from lms_rt.contracts.gateways import Method, Money
from tests import factories
from tests.clients import Visitor
from tests.conftest import settings_on
from tests.house import House, open_house
from tests.working import idle, working

_CSRF = re.compile(r'name="csrf" value="([^"]+)"')
_LINK = re.compile(r'class="button button-main button-wide" href="([^"]+)"')
_BY = re.compile(r'name="by" value="([^"]+)"')
_AMOUNT = re.compile(r'name="amount" value="([0-9]+)"')
_ONCE = re.compile(r'name="once" value="([^"]+)"')


@dataclass
class Browser:
    """Somebody signed in by a cookie."""

    visitor: Visitor
    http: httpx.AsyncClient

    async def see(self, path: str) -> str:
        """A page, which is there."""
        page = await self.http.get(path)
        assert page.status_code == 200, (path, page.status_code)
        return page.text

    async def send(self, path: str, *, on: str = "/payments", **fields: str) -> httpx.Response:
        """A form, with the token of a page."""
        token = _CSRF.findall((await self.http.get(on)).text)[0]
        return await self.http.post(path, data={"csrf": token} | fields)

    async def begin(self, slug: str, **fields: str) -> httpx.Response:
        """Choose the first way to pay."""
        by = _BY.findall(await self.see(f"/checkout/{slug}"))[0]
        return await self.send(f"/checkout/{slug}", by=by, **fields)

    async def pay(self, slug: str, **fields: str) -> str:
        """Buy a course by the sandbox, up to the end; the page one comes back to."""
        begun = await self.begin(slug, **fields)
        assert begun.status_code == 200, begun.text
        gate = _path(_LINK.findall(begun.text)[0])
        paid = await self.send(gate, on=gate, act="pay")
        assert paid.status_code == 303, paid.text
        return _path(paid.headers["Location"])


def _path(url: str) -> str:
    return httpx.URL(url).raw_path.decode()


@pytest.fixture(scope="module")
async def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """A school with workers; where its data lies makes no difference to pages."""
    settings = settings_on("embedded", request, tmp_path_factory.mktemp("money"))
    async with open_house(settings) as opened, working(opened):
        yield opened


async def browser_of(house: House, visitor: Visitor, language: str = "en") -> Browser:
    """Their browser; closed with the house."""
    headers = {"Accept-Language": language, "Accept": "text/html"}
    client = httpx.AsyncClient(base_url=house.address, trust_env=False, timeout=30, headers=headers)
    client.cookies.set("lms_access", visitor.tokens["access_token"])
    return Browser(visitor, await house.visitors.enter_async_context(client))


@pytest.fixture
async def desk(house: House) -> Browser:
    """The browser of who looks after payments."""
    return await browser_of(house, await house.admin())


@pytest.fixture
async def buyer(house: House) -> Browser:
    return await browser_of(house, await house.student("Sara Saleh"))


async def priced(house: House, price: int = 2000, currency: str = "USD", **fields: object) -> dict[str, object]:
    return await factories.course(await house.teacher(), price=price, currency=currency, **fields)


async def test_a_course_is_bought_from_its_page_to_its_first_lesson(
    house: House, buyer: Browser, desk: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    course = await priced(house, title="Algebra for buyers")
    slug = str(course["slug"])
    assert f'href="/checkout/{slug}"' in await buyer.see(f"/courses/{slug}")
    await desk.send("/admin/payments/taxes", country="EG", tax_name="VAT", rate="14", is_active="yes")
    coupon = {"code": "spring", "off": "25", "max_uses": "5", "max_uses_per_user": "1", "is_active": "yes"}
    assert (await desk.send("/admin/payments/coupons", **coupon)).status_code == 303
    asked, sandbox = list[int](), house.services.payment_gateways.named("sandbox")
    methods = sandbox.methods

    async def telling(money: Money) -> Sequence[Method]:
        asked.append(money.amount)
        return await methods(money)

    with monkeypatch.context() as listening:
        listening.setattr(sandbox, "methods", telling)
        shown = await buyer.see(f"/checkout/{slug}?coupon_code=spring&country=EG")
    assert asked == [1710], "fees are those of what is to be paid"
    for words in ("$20.00", "-$5.00", "SPRING", "VAT", "14%", "$2.10", "$17.10"):
        assert words in shown, words
    assert "There is no such coupon" in (await buyer.http.get(f"/checkout/{slug}?coupon_code=nothing")).text
    back = await buyer.pay(slug, coupon_code="SPRING", country="EG")
    assert back.startswith("/payments/orders/")
    await idle(house.services)
    order = await buyer.see(back)
    assert 'data-status="completed"' in order
    assert f'href="/learn/{slug}"' in order
    number = re.findall(r"INV-\d{4}-\d{6}", order)[0]
    assert number
    invoice = re.findall(r'href="(/api/v1/payments/[^"]+number=INV[^"]+)"', order)[0]
    assert (await buyer.http.get(invoice, headers={"Accept": "application/pdf"})).content.startswith(b"%PDF")
    listed = await buyer.see("/payments")
    assert "Algebra for buyers" in listed
    assert "$17.10" in listed
    assert (await buyer.http.get(f"/checkout/{slug}")).headers["Location"] == f"/learn/{slug}"


async def test_coming_back_without_paying_grants_nothing_and_says_so(house: House, buyer: Browser) -> None:
    course = await priced(house)
    slug = str(course["slug"])
    await buyer.begin(slug)
    order_id = (await buyer.visitor.ok("GET", "/payments/orders"))["items"][0]["id"]
    page = await buyer.see(f"/payments/orders/{order_id}?success=true&payment_status=paid&redirect_status=succeeded")
    assert 'data-status="pending"' in page
    assert "Waiting for the bank" in page
    assert (await buyer.send(f"/payments/orders/{order_id}/look")).status_code == 303
    assert 'data-status="pending"' in await buyer.see(f"/payments/orders/{order_id}")
    assert "/learn/" not in (await buyer.see(f"/courses/{slug}")).partition("<main")[2].partition("<ol")[0]
    # somebody else's order is nothing at all
    other = await browser_of(house, await house.student())
    assert (await other.http.get(f"/payments/orders/{order_id}")).status_code == 404
    for act in ("pay", "cancel", "look"):
        assert (await other.send(f"/payments/orders/{order_id}/{act}")).status_code == 404
    # paying goes on where it was, giving up ends it
    again = await buyer.send(f"/payments/orders/{order_id}/pay")
    assert "/sandbox/checkout/" in again.text
    assert (await buyer.send(f"/payments/orders/{order_id}/cancel")).status_code == 303
    assert 'data-status="cancelled"' in await buyer.see(f"/payments/orders/{order_id}")


async def test_what_costs_nothing_after_its_coupon_is_open_at_once(house: House, buyer: Browser, desk: Browser) -> None:
    course = await priced(house, 700)
    made = {"code": "GIFT", "off": "100", "course_ids": str(course["slug"]), "is_active": "yes"}
    assert (await desk.send("/admin/payments/coupons", **made)).status_code == 303
    slug = str(course["slug"])
    assert "There is nothing to pay." in await buyer.see(f"/checkout/{slug}?coupon_code=GIFT")
    begun = await buyer.send(f"/checkout/{slug}", coupon_code="GIFT")
    await idle(house.services)
    order = await buyer.see(begun.headers["Location"])
    assert 'data-status="completed"' in order
    assert "INV-" not in order
    assert "/invoice" not in await buyer.see("/payments"), "there is no paper about nothing"


async def test_the_desk_shows_an_order_and_pays_back_what_was_typed_once(
    house: House, buyer: Browser, desk: Browser
) -> None:
    course = await priced(house, 12500, "KWD", title="Three places")
    back = await buyer.pay(str(course["slug"]))
    await idle(house.services)
    order_id = back.rpartition("/")[2]
    path = f"/admin/payments/orders/{order_id}"
    page = await desk.see(path)
    for words in ("Three places", "12.500", "Opens the course", "Journal", "Word of the gateway", "INV-"):
        assert words in page, words
    payment = (await Payment.find_of_order(order_id))[0]
    fields = {"payment_id": payment["_id"], "reason": "he asked", "once": _ONCE.findall(page)[0]}
    for wrong in ("", "much", "-1", "0", "12.5001", "12.501"):
        refused = await desk.send(path, **fields, amount=wrong)
        assert refused.status_code in (409, 422), wrong
        assert "aria-invalid" in refused.text or "error-summary" in refused.text
    for _ in range(2):  # a double click
        assert (await desk.send(path, **fields, amount="2.5")).status_code == 303
    await idle(house.services)
    after = await desk.see(path)
    assert "he asked" in after
    assert (await Payment.find_of_order(order_id))[0]["refunded_amount"] == 2500
    assert "CN-" in after
    assert "2.500" in await buyer.see("/payments")
    # found by the filters, and counted
    assert "Three places" in await desk.see("/admin/payments/all?status=partially_refunded&gateway=sandbox")
    assert "No payment fits." in await desk.see("/admin/payments/all?user_id=usr_nobody")
    revenue = await desk.see("/admin/payments?currency=KWD")
    for words in ("12.500", "2.500", "10.000", "plot-bar"):
        assert words in revenue, words
    assert (await buyer.http.get("/admin/payments")).status_code == 403
    assert (await buyer.http.get(path)).status_code == 403


async def test_a_held_payment_counts_once_somebody_let_it(house: House, buyer: Browser, desk: Browser) -> None:
    course = await priced(house)
    begun = await buyer.begin(str(course["slug"]))
    order_id = re.findall(r"/payments/orders/(ord_[0-9a-z]+)", begun.text)[0]
    payment = (await Payment.find_of_order(order_id))[0]
    await Payment.rows().update_one({"_id": payment["_id"]}, {"$set": {"amount": 1999}})  # not what will be paid
    gate = _path(_LINK.findall(begun.text)[0])
    await buyer.send(gate, on=gate, act="pay")
    await idle(house.services)
    assert "Being looked into" in await buyer.see("/payments")
    path = f"/admin/payments/orders/{order_id}"
    assert "Held: another amount" in await desk.see(path)
    done = await desk.send(path, payment_id=payment["_id"], act="release", reason="Rounded by the bank")
    assert done.headers["Location"] == f"{path}?done=release"
    await idle(house.services)
    order = await buyer.see(f"/payments/orders/{order_id}")
    assert ('data-status="completed"' in order, "INV-" in order) == (True, True)
    assert "$20.00" in await buyer.see("/payments"), "what came, not what was asked for"


async def two_plans_are_made(desk: Browser) -> None:
    """Each once, however often it is sent; what is no plan is refused."""
    for name, amount in (("Small plan", "10"), ("Large plan", "25.50")):
        made = {"plan_name": name, "amount": amount, "currency": "usd", "interval": "month", "is_active": "yes"}
        assert "tick that it opens every course" in (await desk.send("/admin/payments/plans", **made)).text
        once = _ONCE.findall(await desk.see("/admin/payments/plans"))[0]
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
    gate = _path(_LINK.findall(begun.text)[0])
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
    seen = _AMOUNT.findall(shown)[0]
    assert (await buyer.send(f"{path}/change", plan_id=large, amount=seen)).status_code == 303
    await idle(house.services)
    mine = await buyer.see("/payments")
    assert ("Another plan was asked for" in mine, "Large plan" in mine) == (True, True)
    other = await browser_of(house, await house.student())
    assert (await other.http.get(f"{path}/change?plan_id={large}")).status_code == 404
    assert (await other.send(f"{path}/cancel")).status_code == 404
    assert (await buyer.send(f"{path}/cancel")).headers["Location"] == "/payments?done=cancelled"
    assert "is not renewed" in await buyer.see("/payments?done=cancelled")
    await a_plan_is_changed_where_it_stands(desk, plans["Large plan"])


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
    begun = await buyer.send("/plans", **begin, amount=_AMOUNT.findall(taxed)[0])
    gate = _path(_LINK.findall(begun.text)[0])
    assert "$11.90" in await buyer.see(gate)
    # of a gateway that is none it is said where the plans are
    refused = await buyer.send("/plans", plan_id="pln_none", gateway="sandbox")
    assert ('href="#plans"' in refused.text, 'id="plans"' in refused.text) == (True, True)


async def test_an_order_of_another_price_is_shown_before_anybody_pays_it(
    house: House, buyer: Browser, desk: Browser
) -> None:
    course = await priced(house, 10000)
    slug = str(course["slug"])
    await buyer.begin(slug)
    [order] = (await buyer.visitor.ok("GET", "/payments/orders"))["items"]
    again = await buyer.begin(slug, amount="5000")
    assert again.headers["Location"] == f"/payments/orders/{order['id']}?price=other"
    page = await buyer.see(again.headers["Location"])
    assert ("at another price than the page showed" in page, "$100.00" in page) == (True, True)
    assert "/sandbox/checkout/" in (await buyer.begin(slug, amount="10000")).text


async def test_prices_and_taxes_are_shown_and_changed_where_they_stand(house: House, desk: Browser) -> None:
    until = (datetime.now(UTC) + timedelta(days=30)).date().isoformat()
    noon = await desk.visitor.ok(
        "POST",
        "/payments/coupons",
        json={"code": "NOON", "percent_off": 5, "ends_at": f"{until}T12:00:00Z"},
    )
    words = {
        "code": "NOON",
        "description": "Half a day",
        "ends_on": until,
        "max_uses_per_user": "1",
        "is_active": "yes",
    }
    kept = await desk.send("/admin/payments/coupons", edit=noon["id"], version="1", **words)
    assert kept.status_code == 303
    now = await desk.visitor.ok("GET", f"/payments/coupons/{noon['id']}")
    assert (now["description"], now["ends_at"]) == ("Half a day", noon["ends_at"]), "what nobody typed stays"
    made = {"code": "LATER", "off": "3", "currency": "KWD", "ends_on": until, "is_active": "yes"}
    assert (await desk.send("/admin/payments/coupons", **made)).status_code == 303
    taken = await desk.send("/admin/payments/coupons", **made)
    assert (taken.status_code, "There is one with this code already." in taken.text) == (422, True)
    shown = await desk.see("/admin/payments/coupons")
    assert "3.000" in shown
    coupon_id = re.findall(r'\?edit=(cpn_[^"]+)">[^L]*LATER', shown)[0]
    edit = await desk.see(f"/admin/payments/coupons?edit={coupon_id}")
    assert f'value="{until}"' in edit
    kept = await desk.send("/admin/payments/coupons", edit=coupon_id, version="1", code="LATER", ends_on=until)
    assert kept.headers["Location"] == "/admin/payments/coupons?done=kept"
    for rate in ("lots", "-1", "101"):
        wrong = await desk.send("/admin/payments/taxes", country="KW", tax_name="VAT", rate=rate)
        assert wrong.status_code == 422, rate
    assert (await desk.send("/admin/payments/taxes", country="KW", tax_name="VAT", rate="٥")).status_code == 303
    assert "Kuwait" in await desk.see("/admin/payments/taxes")
    assert 'value="5.00"' in await desk.see("/admin/payments/taxes?edit=KW")


async def test_a_finding_is_looked_into_on_its_page(house: House, desk: Browser) -> None:
    facts, refs = {"due": 100, "paid": 1}, {"payment_id": "pay_x", "order_id": "ord_x"}
    await house.services.findings.found("amount_differs", "pay_x", refs=refs, facts=facts)
    assert "Another amount at the gateway" in await desk.see("/admin/payments/findings")
    assert "1 finding waits" in await desk.see("/admin/payments")
    assert (
        "aria-invalid"
        in (await desk.send("/admin/payments/findings", finding_id="amount_differs:pay_x", note=" ")).text
    )
    done = await desk.send("/admin/payments/findings", finding_id="amount_differs:pay_x", note="Paid by cash")
    assert done.status_code == 303
    assert "Paid by cash" in await desk.see("/admin/payments/findings?status=resolved")
    assert (await desk.send("/admin/payments/findings", finding_id="dispute:none", note="x")).status_code == 404


async def test_pages_about_money_are_there_in_arabic(house: House, desk: Browser) -> None:
    course = await priced(house, 12500, "KWD")
    student = await browser_of(house, await house.student(), "ar")
    checkout = await student.see(f"/checkout/{course['slug']}")
    assert "المطلوب دفعه" in checkout
    assert re.search('<bdi dir="ltr">12.500', checkout)  # no mark that puts the sign of a price behind it
    for path in ("/payments", "/plans"):
        assert 'dir="rtl"' in await student.see(path)
    for section in ("", "/all", "/findings", "/plans", "/coupons", "/taxes"):
        assert 'dir="rtl"' in await desk.see(f"/admin/payments{section}?lang=ar")
    await desk.see("/admin/payments?lang=en")
