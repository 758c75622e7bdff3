"""Receipts over HTTP. The keys to check them by are at `/.well-known` (`well_known.py`)."""

from __future__ import annotations

from handlers.rest.access import SIGNED_IN
from handlers.rest.calls import Call, Reply
from handlers.rest.operations import Operation
from lms_rt.contracts.receipts import ReceiptView
from lms_rt.errors import Code
from lms_rt.security.rights import Reach


async def show_receipt(call: Call) -> Reply:
    """The receipt of a closed attempt."""
    return Reply(await call.services.receipts.show(call.actor, call.path["attempt_id"]))


ROUTES: tuple[Operation, ...] = (
    Operation(
        "GET",
        "/attempts/{attempt_id}/receipt",
        show_receipt,
        SIGNED_IN,
        reach=Reach.SHARED,
        reply=ReceiptView,
        codes=(Code.NOT_GRADED,),
        summary="The receipt of a closed attempt",
        description="Every saved answer by its SHA-256, in order, and a signature over them all: `docs/receipts.md`.",
    ),
)
