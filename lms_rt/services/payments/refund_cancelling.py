"""Calling off a refund that nobody was asked for yet: it is either called off and never asked for, or on its way.

Who asks the gateway notes first that it asks, and who calls off notes that it is called off: both are a compare-and-set on the
refund, so that one of them is told that the other was first. What it held is let go by its outbox.
"""

from __future__ import annotations

from typing import Any

from documents.base import Row
from documents.enums import RefundStatus
from documents.payment import Payment
from documents.refund import Refund
from lms_rt.clock import Clock
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.outbox import Intent, Write, audit, effect, event
from lms_rt.contracts.refunds import RefundCancelDraft, RefundView
from lms_rt.errors import Code, Refused
from lms_rt.security.access.payments import require_treasurer
from lms_rt.services.contended import until_written
from lms_rt.services.payments.findings import mended_intent
from lms_rt.services.payments.payment_effects import event_facts
from lms_rt.services.payments.payment_facts import paid_status
from lms_rt.services.payments.refund_book import stand_of
from lms_rt.services.payments.refund_views import is_cancellable, paid_of, refund_view
from lms_rt.services.payments.settling import Settling
from lms_rt.services.payments.states import REFUND
from lms_rt.services.relay import Relay

LET_GO_EFFECT = "payments.refund_cancelled"
EVENT = "payment.refund_cancelled"


class RefundCancelling:
    """Calls off."""

    def __init__(self, *, clock: Clock, relay: Relay, settling: Settling) -> None:
        self._clock, self._relay, self._settling = clock, relay, settling

    def register(self) -> None:
        """Let what was held be let go."""
        self._relay.register_effect(LET_GO_EFFECT, self._let_go)

    async def cancel(self, actor: Actor, payment_id: str, refund_id: str, draft: RefundCancelDraft) -> RefundView:
        """Call it off, with why. Again changes nothing; 409 once the gateway was asked for it, or may have been."""
        require_treasurer(actor)

        async def step() -> Row | None:
            payment, row = await _both(payment_id, refund_id)
            if row["status"] == RefundStatus.CANCELLED and row.get("cancelled_by") is not None:
                return row
            if not is_cancellable(row):
                words = "The gateway was asked for it already: it cannot be called off any more."
                raise Refused(Code.REFUND_UNDER_WAY, words, status=row["status"])
            return await self._cancelled(actor, payment, row, draft)

        await until_written(step)
        await self._relay.hand_over(Refund, refund_id)
        return refund_view((await _both(payment_id, refund_id))[1], is_treasurer=True)

    async def _cancelled(self, actor: Actor, payment: Row, row: Row, draft: RefundCancelDraft) -> Row | None:
        at = self._clock.now()
        status = REFUND.after(row["status"], "cancel")
        fields: Row = {"status": status, "cancelled_by": actor.user_id, "cancelled_at": at}
        intents = _following(Write(row["version"] + 1, at), actor, payment, row, reason=draft.reason)
        return row if await Refund.change(row, {"$set": fields}, intents=intents, at=at) else None

    async def _let_go(self, _: str, data: dict[str, Any]) -> None:
        """Nothing is held for it any more. Again changes nothing."""

        async def decide(present: Row) -> Row:
            stand = stand_of(present, await Refund.find_of_payment(present["_id"])).fields()
            status = paid_status(present["status"], paid=paid_of(present), refunds=stand)
            fields: Row = {**stand, "status": status} | ({} if stand["reserved_amount"] else {"check_at": None})
            return {name: value for name, value in fields.items() if present.get(name) != value}

        await self._settling.change(data["payment_id"], decide)


def _following(write: Write, actor: Actor, payment: Row, row: Row, *, reason: str) -> list[Intent]:
    """The record of who and why, the event, and what was held; that it waited too long is nobody's concern any more."""
    told = {**event_facts(payment), "refund_id": row["_id"], "refund_amount": row["amount"]}
    return [
        effect(write, LET_GO_EFFECT, {"payment_id": payment["_id"]}),
        mended_intent(write, "refund_failed", row["_id"]),
        event(write, EVENT, n=0, channels=(), data=told, record=EVENT),
        audit(
            write,
            actor,
            "payment.refund_cancel",
            kind="payment",
            target_id=payment["_id"],
            before={"refund": {"id": row["_id"], "amount": row["amount"], "currency": row["currency"]}},
            after={"refund": None},
            reason=reason,
            person_id=payment["user_id"],
        ),
    ]


async def _both(payment_id: str, refund_id: str) -> tuple[Row, Row]:
    """The payment, and its refund; one that is held and not written down yet is being made."""
    payment, row = await Payment.find_row(payment_id), await Refund.find_row(refund_id)
    if payment is not None and row is None and refund_id in (payment.get("refund_holds") or {}):
        raise Refused(Code.BUSY, "The refund is being made.", retry_after_seconds=1, payment_id=payment_id)
    if payment is None or row is None or row["payment_id"] != payment_id:
        raise Refused(Code.NOT_FOUND)
    return payment, row
