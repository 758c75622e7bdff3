"""Where buyers are: their own word decides the tax, what else is known is kept beside it, and doubts are shown to a person."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests import factories
from tests.conftest import settings_on
from tests.house import House, open_house
from tests.services.small_gateway import SmallGateway
from tests.working import idle, working

pytestmark = pytest.mark.parametrize("house", ["embedded"], indirect=True)


@pytest.fixture(scope="module")
async def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """One behind a proxy that names the country of who calls."""
    folder, believed = tmp_path_factory.mktemp("house"), {"trusted_proxies": ("127.0.0.0/8",)}
    settings = settings_on(str(request.param), request, folder, country_header="CF-IPCountry", **believed)
    async with open_house(settings) as opened:
        yield opened


@pytest.fixture(scope="module")
async def gateway(house: House) -> SmallGateway:
    made = SmallGateway()
    house.services.payment_gateways.add(made)
    return made


@pytest.mark.parametrize(
    ("card", "address", "evidence"),
    [
        ("AT", "AT", [("buyer", "AT"), ("card", "AT"), ("address", "AT")]),
        ("FR", "AT", [("buyer", "AT"), ("card", "FR"), ("address", "AT")]),
        (None, "de", [("buyer", "AT"), ("address", "DE")]),
        (None, "XX", [("buyer", "AT")]),
        ("not one", "<b>", [("buyer", "AT")]),
    ],
)
@pytest.mark.usefixtures("gateway")
async def test_what_is_known_of_where_a_buyer_is_is_kept_and_a_contradiction_moves_no_price(
    house: House, card: str | None, address: str, evidence: list[tuple[str, str]]
) -> None:
    gateway = house.services.payment_gateways.named("stripe")
    assert isinstance(gateway, SmallGateway)
    finds = ["country_differs"] if len({country for _, country in evidence}) > 1 else []
    admin, buyer = await house.admin(), await house.student()
    course = await factories.course(await house.teacher(), price=1_000)
    await admin.ok("PUT", "/payments/tax-rates/AT", json={"tax_name": "USt", "rate": "20", "is_included": False})
    asked = {"course_id": course["id"], "country": "AT", "gateway": "stripe"}
    headers = {"CF-IPCountry": address}
    begun = await buyer.ok("POST", "/payments/create-payment-intent", json=asked, headers=headers)
    path = f"/payments/orders/{begun['order_id']}"
    before = await buyer.ok("GET", path)
    gateway.move(begun["intent_id"], country=card)
    async with working(house):
        await house.services.settling.settle("stripe", begun["intent_id"])
        await idle(house.services)
    order = await buyer.ok("GET", path)
    assert told_by(order) == evidence
    assert told_by(before) == [one for one in evidence if one[0] != "card"]
    assert (order["status"], order["amount"], order["tax_country"]) == ("completed", 1_200, "AT"), "the price stays"
    found = (await admin.ok("GET", "/payments/findings", params={"payment_id": order["payment_id"]}))["items"]
    assert [one["kind"] for one in found] == finds
    for one in found:
        assert {source: one["facts"][source] for source, _ in evidence} == dict(evidence)
    [invoice] = (await buyer.ok("GET", f"/payments/{order['payment_id']}/invoices"))["items"]
    assert (told_by(invoice), invoice["buyer_country"]) == (evidence, "AT")


def told_by(view: dict[str, Any]) -> list[tuple[str, str]]:
    return [(one["source"], one["country"]) for one in view["country_evidence"]]
