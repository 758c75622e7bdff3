"""Buying on pages, as a browser without scripts does it: price, coupon, tax, gateway, order, receipt; and the school's own desk."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, date, datetime, timedelta

import pytest

from documents.payment import Payment
from lms_rt.contracts.gateways import Method, Money
from tests import factories
from tests.conftest import settings_on
from tests.house import House, open_house
from tests.rest.paying_browser import LINK, ONCE, Browser, browser_of, path_of
from tests.working import idle, working
from tests.zones import FromNoon


@pytest.fixture(scope="module")
async def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """A school with workers; where its data lies makes no difference to pages."""
    settings = settings_on("embedded", request, tmp_path_factory.mktemp("money"))
    async with open_house(settings, clock=FromNoon()) as opened, working(opened):
        yield opened


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
    fields = {"payment_id": payment["_id"], "reason": "he asked", "once": ONCE.findall(page)[0]}
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


async def test_a_dispute_of_which_no_gateway_tells_is_noted_at_the_desk(
    house: House, buyer: Browser, desk: Browser
) -> None:
    course = await priced(house, 12500, "KWD", title="Disputed")
    order_id = (await buyer.pay(str(course["slug"]))).rpartition("/")[2]
    await idle(house.services)
    path = f"/admin/payments/orders/{order_id}"
    payment_id = (await Payment.find_of_order(order_id))[0]["_id"]
    wish = {"payment_id": payment_id, "act": "dispute"}
    for wrong, at in (({"state": ""}, "state"), ({"state": "open", "amount": "much"}, "amount"),
                      ({"state": "open", "amount": "12.501"}, "amount")):  # fmt: skip
        refused = await desk.send(path, **wish, **wrong)
        assert (refused.status_code, f'href="#dispute-{at}-{payment_id}"' in refused.text) == (422, True), wrong
    noted = await desk.send(path, **wish, state="open", amount="2.5", reason="By the bank's letter")
    assert noted.headers["Location"] == f"{path}?done=dispute"
    await idle(house.services)
    page = await desk.see(noted.headers["Location"])
    assert ("The dispute is noted." in page, "Opens nothing" in page) == (True, True), "closed meanwhile"
    [row] = await Payment.find_of_order(order_id)
    assert (row["dispute"], row["disputes"][0]["amount"]) == ("open", 2500)
    await desk.send(path, **wish, state="won")
    await idle(house.services)
    assert "Opens the course" in await desk.see(path)
    assert (await Payment.find_of_order(order_id))[0]["dispute"] == "won"
    assert (await buyer.send(path, on="/payments", **wish, state="lost")).status_code == 403
    await Payment.rows().update_one({"_id": payment_id}, {"$set": {"gateway": "stripe"}})
    assert "Note a dispute" not in await desk.see(path), "Stripe tells of its own"
    assert (await desk.send(path, **wish, state="lost")).status_code == 409


async def test_teachers_see_what_their_own_courses_brought(house: House, buyer: Browser) -> None:
    owner = await house.teacher()
    course = await factories.course(owner, price=1250, currency="KWD", title="Sold")
    other = await factories.course(owner, price=700, currency="USD", title="Beside it")
    for one in (course, other):
        await buyer.pay(str(one["slug"]))
    await idle(house.services)
    teacher = await browser_of(house, owner)
    path = f"/teach/courses/{course['id']}/revenue"
    page = await teacher.see(path)
    for words in ("1.250", "KWD", "plot-bar", 'href="/teach/courses', "What plans brought"):
        assert words in page, words
    assert "$7.00" not in page, "each course for itself"
    told = await owner.ok("GET", f"/courses/{course['id']}/revenue")
    assert [(one["currency"], one["completed"], one["revenue"]) for one in told["totals"]] == [("KWD", 1250, 1250)]
    assert [(one["currency"], one["revenue"]) for one in told["by_day"]] == [("KWD", 1250)]
    assert ('<option value="month" selected>' in page, "By month" in page) == (True, True)
    by_day = await teacher.see(f"{path}?interval=day")
    assert ('<option value="day" selected>' in by_day, "1.250" in by_day) == (True, True)
    months = await owner.ok("GET", f"/courses/{course['id']}/revenue?interval=month")
    today = date.fromisoformat(months["to"])
    assert months["from"] == f"{today.year - (today.month < 12)}-{today.month % 12 + 1:02}-01", (
        "twelve months, this one too"
    )
    assert [one["date"] for one in months["by_day"]] == [today.replace(day=1).isoformat()]
    before = "from=2020-01-01&to=2020-12-31"
    assert "No money moved in this time." in await teacher.see(f"{path}?{before}")
    assert (await owner.ok("GET", f"/courses/{course['id']}/revenue?{before}"))["totals"] == []
    assert "1.250" in await teacher.see(f"{path}?from=yesterday&to=never&currency=XXX"), (
        "what is none counts as not said"
    )
    assert "الإيرادات" in await (await browser_of(house, owner, "ar")).see(path)
    stranger = await browser_of(house, await house.teacher())
    for someone, status in ((stranger, 404), (buyer, 403)):
        assert (await someone.http.get(path)).status_code == status
        reply = await someone.visitor.call("GET", f"/courses/{course['id']}/revenue")
        assert reply.status_code == status
    refused = await owner.call("GET", f"/courses/{course['id']}/revenue?from=2024-02-01&to=2024-01-01")
    assert refused.status_code == 422


async def test_a_held_payment_counts_once_somebody_let_it(house: House, buyer: Browser, desk: Browser) -> None:
    course = await priced(house)
    begun = await buyer.begin(str(course["slug"]))
    order_id = re.findall(r"/payments/orders/(ord_[0-9a-z]+)", begun.text)[0]
    payment = (await Payment.find_of_order(order_id))[0]
    await Payment.rows().update_one({"_id": payment["_id"]}, {"$set": {"amount": 1999}})  # not what will be paid
    gate = path_of(LINK.findall(begun.text)[0])
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
    await sums_are_typed_in_what_was_paid(desk, path, str(payment["_id"]))
    assert "$20.00" in await buyer.see("/payments"), "what came, not what was asked for"


async def sums_are_typed_in_what_was_paid(desk: Browser, path: str, payment_id: str) -> None:
    """In another currency than was asked for, when that is what came."""
    await Payment.rows().update_one({"_id": payment_id}, {"$set": {"currency": "EGP"}})
    page = await desk.see(path)
    for field in ("refund-amount", "dispute-amount"):
        label = page.partition(f'<label for="{field}-{payment_id}">')[2].partition("</label>")[0]
        assert ("USD" in label, "EGP" in label) == (True, False), field
    await Payment.rows().update_one({"_id": payment_id}, {"$set": {"currency": "USD"}})


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
    assert re.search(r"[1-9]\d* findings? waits? for somebody", await desk.see("/admin/payments"))
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
