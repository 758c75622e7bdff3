"""Noting what a bank took back, where the gateway tells nobody of it: a treasurer says so, and the books and access follow.

Gateways that let their disputes be read are read, and nobody's word stands beside theirs.
"""

from __future__ import annotations

from documents.base import Row
from documents.payment import PAID, Payment
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.gateways import GatewayName
from lms_rt.contracts.payment_desk import DisputeDraft
from lms_rt.contracts.payments import PaymentView
from lms_rt.errors import Code, Refused, invalid
from lms_rt.security.access.payments import require_treasurer
from lms_rt.services.audit import Audit
from lms_rt.services.payments.payment_facts import with_dispute
from lms_rt.services.payments.payment_views import payment_view
from lms_rt.services.payments.settling import Settling

_NOTED = "noted"
"""The id of the one dispute of a payment that is noted by hand."""
_TOLD_BY = (GatewayName.STRIPE.value,)


class Disputing:
    """Notes disputes."""

    def __init__(self, *, audit: Audit, settling: Settling) -> None:
        self._audit, self._settling = audit, settling

    def may_note(self, payment: PaymentView) -> bool:
        """Is it one whose disputes are noted by hand?"""
        return payment.status in PAID and bool(payment.paid_amount) and payment.gateway not in _TOLD_BY

    async def note(self, actor: Actor, payment_id: str, draft: DisputeDraft) -> PaymentView:
        """A dispute was opened, won or lost. Again changes nothing."""
        require_treasurer(actor)
        row = await Payment.find_row(payment_id)
        if row is None:
            raise Refused(Code.NOT_FOUND)
        if not _noted(row, draft):
            return payment_view(row)
        await self._audit.record_once(
            f"dispute:{payment_id}:{row['version']}",
            actor,
            "payment.dispute",
            kind="payment",
            target_id=payment_id,
            before={"dispute": row.get("dispute")},
            after={"dispute": draft.state},
            reason=draft.reason,
            person_id=row["user_id"],
        )

        async def decide(present: Row) -> Row:
            return _noted(present, draft)

        return payment_view(await self._settling.change(payment_id, decide))


def _noted(row: Row, draft: DisputeDraft) -> Row:
    """What is other than it was when this is noted."""
    if row["status"] not in PAID or not row.get("paid_amount"):
        raise Refused(Code.CONFLICT, "Nothing was paid by it.", status=row["status"])
    if row["gateway"] in _TOLD_BY:
        raise Refused(Code.CONFLICT, "Its gateway tells of its disputes itself.", gateway=row["gateway"])
    known = next((one for one in row.get("disputes") or () if one["id"] == _NOTED), None)
    paid = int(row["paid_amount"])
    amount = draft.amount or (paid if known is None else int(known["amount"]))
    if amount > paid:
        raise invalid("amount", f"No more than {paid} came.")
    fields = with_dispute(row, {"id": _NOTED, "amount": amount, "state": draft.state})
    return {name: value for name, value in fields.items() if row.get(name) != value}
