"""What is sold, ordered and being paid in the school of the table of rights, by a gateway in memory on both lanes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from documents.base import Row
from documents.payment import Payment
from documents.refund import Refund
from lms_rt.contracts.gateways import GatewayName
from lms_rt.ids import new_id
from tests import factories
from tests.clients import Visitor
from tests.house import House
from tests.services.small_gateway import SmallGateway

if TYPE_CHECKING:
    from tests.rest.rights.school import Ids, Place, RightsSchool


def selling(house: House) -> SmallGateway:
    """Let the house sell by a gateway in memory, in Stripe's place; a server has no sandbox of its own."""
    gateways = house.services.payment_gateways
    if not house.services.database.is_embedded:
        gateways.add(SmallGateway(GatewayName.SANDBOX))
    gateway = SmallGateway()
    gateways.add(gateway)
    return gateway


async def ordered(teacher: Visitor, buyer: Visitor) -> dict[str, str]:
    """A course for sale, and somebody's order for it that is about to be paid."""
    sold_id = (await factories.course(teacher, title="For sale", price=1999))["id"]
    body = {"course_id": sold_id, "gateway": "stripe"}
    begun = await buyer.ok("POST", "/payments/create-payment-intent", json=body)
    return {"sold_id": sold_id, "order_id": begun["order_id"], "payment_id": begun["payment_id"]}


async def sold(school: RightsSchool) -> dict[str, str]:
    """What the owner ordered, and something that is wrong about its payment."""
    selling(school.house)
    ids = await ordered(school.teacher, school.owner)
    payment_id = ids["payment_id"]
    findings = school.house.services.findings
    await findings.found("dispute", payment_id, refs={"payment_id": payment_id}, facts={"state": "open"})
    refund_id = await waiting_refund(school.house, payment_id)
    return ids | {"finding_id": f"dispute:{payment_id}", "refund_id": refund_id}


async def waiting_refund(house: House, payment_id: str) -> str:
    """What was asked for to be paid back, and was not asked of the gateway yet."""
    payment, at, refund_id = await Payment.find_row(payment_id), house.services.clock.now(), new_id("rfd")
    assert payment is not None
    row: Row = {"_id": refund_id, "payment_id": payment_id, "amount": 100, "currency": payment["currency"]}
    row |= {name: payment[name] for name in ("order_id", "user_id", "gateway")}
    row |= {"intent_id": payment.get("intent_id", ""), "status": "requested", "attempts": 0, "was_completed": False}
    await Refund.add(row | {"version": 1, "revision": 1, "created_at": at, "updated_at": at, "outbox": []})
    return refund_id


async def fresh_order(school: RightsSchool, ids: Ids, place: Place) -> Ids:
    """Another order of the owner."""
    del ids, place
    return await ordered(school.teacher, school.owner)
