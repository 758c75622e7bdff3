"""The pages of who looks after payments, where no worker is in a hurry: a refund called off, and what was not compared."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest

from documents.refund import Refund
from tests.conftest import settings_on
from tests.house import House, open_house
from tests.rest.paying_browser import browser_of
from tests.rest.rights.pages import forms_refused_in_place
from tests.rest.rights.school import impersonated
from tests.rest.test_payment_desk import bought, for_sale, stored
from tests.services.till import TillGateway

_REFUND = re.compile(r'name="refund_id" value="([^"]+)"')


@pytest.fixture(scope="module")
async def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """One school; where its data lies makes no difference to pages."""
    settings = settings_on("embedded", request, tmp_path_factory.mktemp("house"))
    async with open_house(settings) as opened:
        yield opened


async def test_a_refund_that_waits_is_called_off_on_the_page_of_its_order(house: House) -> None:
    till = TillGateway()
    house.services.payment_gateways.add(till)
    row = await bought(house, till, await house.student(), await for_sale(house))
    admin = await house.admin()
    desk, path = await browser_of(house, admin), f"/admin/payments/orders/{row['order_id']}"
    assert not _REFUND.findall(await desk.see(path))
    refund = await admin.ok("POST", f"/payments/{row['_id']}/refund", json={"amount": 500, "reason": "By mistake"})
    assert _REFUND.findall(await desk.see(path)) == [refund["id"]]
    form = {"payment_id": row["_id"], "refund_id": refund["id"], "act": "cancel", "reason": "It was not asked for"}
    wrong = await desk.send(path, **{**form, "reason": "x" * 501})
    assert wrong.status_code == 422
    assert f'href="#cancel-reason-{refund["id"]}"' in wrong.text
    for _ in range(2):  # a double click
        sent = await desk.send(path, **form)
        assert (sent.status_code, sent.headers["Location"]) == (303, f"{path}?done=cancel")
    page = await desk.see(f"{path}?done=cancel")
    assert "The refund was called off." in page
    assert not _REFUND.findall(page)
    assert ((await stored(row))["status"], till.asked) == ("completed", [])
    gone = await admin.ok("POST", f"/payments/{row['_id']}/refund", json={"amount": 500})
    await house.services.refunds.carry_out(gone["id"])
    late = await desk.send(path, **{**form, "refund_id": gone["id"]})
    assert (late.status_code, "it cannot be called off any more" in late.text) == (409, True)
    assert (await Refund.count_of_payment(row["_id"])) == 2


async def test_what_was_not_compared_is_told_above_the_findings(house: House) -> None:
    till = TillGateway()
    house.services.payment_gateways.add(till)
    desk = await browser_of(house, await house.admin())
    assert "Not compared yet" in await desk.see("/admin/payments/findings")
    await house.services.payment_comparison.compare_all()
    page = await desk.see("/admin/payments/findings")
    assert "Last compared whole:" in page
    assert "left something out" not in page
    till.is_away = True
    await house.services.payment_comparison.compare_all()
    assert "The last comparison left something out" in await desk.see("/admin/payments/findings")
    arabic = await browser_of(house, await house.admin(), "ar")
    assert "تركت آخر مقارنة شيئًا دون فحص" in await arabic.see("/admin/payments/findings")


async def test_nobody_moves_money_in_a_treasurers_place(house: House) -> None:
    till = TillGateway()
    house.services.payment_gateways.add(till)
    row = await bought(house, till, await house.student(), await for_sale(house))
    treasurer, admin = await house.student(), await house.admin()
    given = {"permissions": ["payments:manage"]}
    await admin.ok("PATCH", f"/admin/users/{treasurer.user_id}", json=given)
    stand_in = await impersonated(house, treasurer)
    own, theirs = await browser_of(house, treasurer), await browser_of(house, stand_in)
    page, form = f"/admin/payments/orders/{row['order_id']}", {"payment_id": row["_id"], "reason": "By mistake"}
    await house.services.findings.found("amount_differs", row["_id"], refs={"order_id": row["order_id"]}, facts={})
    for path in (page, "/admin/payments/findings"):
        assert forms_refused_in_place(await own.see(path), path)
        seen = await theirs.see(path)
        assert row["order_id"] in seen, "they may look"
        assert forms_refused_in_place(seen, path) == []
        assert "all that is decided about payments is theirs alone" in seen
    for act in ("refund", "release", "dispute"):
        wish = {"amount": 500, "reason": "By mistake", "state": "open"}
        await stand_in.refused(403, "POST", f"/payments/{row['_id']}/{act}", json=wish)
        assert (await theirs.send(page, **form, act=act, amount="5.00", state="open")).status_code == 403
    await stand_in.refused(403, "POST", "/payments/findings/some/resolve", json={"note": "Seen"})
    assert (await theirs.send("/admin/payments/findings", finding_id="some", note="Seen")).status_code == 403
    assert (await stored(row)) == row
    wrong = await own.send(page, **form, amount="19.999")
    assert (wrong.status_code, "Write an amount of this currency" in wrong.text) == (422, True)
    assert (await own.send(page, **form, amount="5.00")).status_code == 303
