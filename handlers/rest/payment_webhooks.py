"""What gateways tell over HTTP: the bytes as they came, kept and answered. What comes of it is settled by the workers.

Browsers that a gateway sends to such an address are led to the page of the order, which shows what is known. Nothing in their
address is believed.
"""

from __future__ import annotations

import re
from functools import partial

from handlers.rest.access import ANONYMOUS
from handlers.rest.calls import Call, Reply
from handlers.rest.conditions import preferred
from handlers.rest.operations import Operation
from lms_rt.contracts.gateways import GatewayName
from lms_rt.contracts.payments import WordTakenView
from lms_rt.errors import Code
from lms_rt.security.rate_limits import UNLIMITED

_JSON, _HTML = "application/json", "text/html"
_ORDER_ID = re.compile(r"(ord_[0-9a-z]{26})-[0-9]{1,3}")


async def take(call: Call, *, gateway: str) -> Reply:
    """A word of a gateway."""
    query = {
        name: values[-1].decode("utf-8", "replace") for name, values in call.request.query_arguments.items() if values
    }
    await call.services.gateway_words.receive(
        gateway, headers=call.request.headers, query=query, body=call.request.body, address=call.address
    )
    return Reply(WordTakenView())


async def lead_back(call: Call) -> Reply:
    """A browser that comes back: to its order, if its address names one, else to its payments. Programs are only answered."""
    if preferred(call.find_header("Accept"), (_JSON, _HTML)) != _HTML:
        return Reply(WordTakenView())
    values = call.request.query_arguments.get("merchant_order_id") or [b""]
    named = _ORDER_ID.fullmatch(values[-1].decode("utf-8", "replace"))
    place = f"/payments/orders/{named.group(1)}" if named else "/payments"
    return Reply(status=303, headers={"Location": place})


_CODES = (Code.INVALID_SIGNATURE, Code.NOT_FOUND, Code.TOO_LARGE, Code.RATE_LIMITED)
_WORDS = (
    "Signed by the gateway, over the bytes of the body or values in it. Kept, then settled by what is read from the gateway; a repeat "
    "is fine. Refused words alone are counted, by where they come from: who goes on with them is told 429; a true one never is."
)


def _webhook(gateway: GatewayName, path: str, *also: str) -> Operation:
    return Operation(
        "POST",
        path,
        partial(take, gateway=gateway.value),
        ANONYMOUS,
        also=also,
        reply=WordTakenView,
        codes=_CODES,
        limit=UNLIMITED,
        summary=f"What {gateway.value} tells",
        description=_WORDS,
    )


ROUTES: tuple[Operation, ...] = (
    _webhook(GatewayName.STRIPE, "/payments/webhook", "/payments/webhooks/stripe"),
    _webhook(GatewayName.PAYMOB, "/payments/webhooks/paymob"),
    _webhook(GatewayName.MYFATOORAH, "/payments/webhooks/myfatoorah"),
    _webhook(GatewayName.SANDBOX, "/payments/webhooks/sandbox"),
    Operation(
        "GET",
        "/payments/webhooks/paymob",
        lead_back,
        ANONYMOUS,
        reply=WordTakenView,
        gives=(_JSON, _HTML),
        more_statuses=(303,),
        limit=UNLIMITED,
        summary="Back from Paymob, to the page of the order",
        description="Grants nothing, and believes nothing of what the address says.",
    ),
)
