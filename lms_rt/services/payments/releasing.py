"""Letting a held payment go: somebody looked at it, and says that it counts as it came. A second one for the same is paid back instead."""

from __future__ import annotations

from documents.base import Row
from documents.enums import HeldFor
from documents.payment import PAID, Payment
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.payments import PaymentView
from lms_rt.contracts.refunds import ReleaseDraft
from lms_rt.errors import Code, Refused
from lms_rt.security.access.payments import require_treasurer
from lms_rt.services.audit import Audit
from lms_rt.services.payments.payment_views import payment_view
from lms_rt.services.payments.settling import Settling


class Releasing:
    """Lets go."""

    def __init__(self, *, audit: Audit, settling: Settling) -> None:
        self._audit, self._settling = audit, settling

    async def release(self, actor: Actor, payment_id: str, draft: ReleaseDraft) -> PaymentView:
        """Let it count. Its order is completed by it, unless another payment did that. Again changes nothing."""
        require_treasurer(actor)
        row = await Payment.find_row(payment_id)
        if row is None:
            raise Refused(Code.NOT_FOUND)
        if row.get("held") is None:
            return payment_view(row)
        _refuse_duplicate(row, is_paid_otherwise=await self._settling.claims.is_paid_otherwise(row))
        await self._audit.record_once(
            f"release:{payment_id}:{row['version']}",
            actor,
            "payment.release",
            kind="payment",
            target_id=payment_id,
            before={"held": row["held"]},
            after={"held": None},
            reason=draft.reason,
            person_id=row["user_id"],
        )
        # Its order first, as when money comes: killed in between it is held still, and whoever lets it go again goes on.
        _refuse_duplicate(row, is_paid_otherwise=not await self._settling.claims.accept(row))
        after = await self._settling.change(payment_id, _let_go)
        return payment_view(after)


async def _let_go(present: Row) -> Row:
    if present.get("held") is None:
        return {}
    _refuse_duplicate(present, is_paid_otherwise=False)
    return {"held": None}


def _refuse_duplicate(row: Row, *, is_paid_otherwise: bool) -> None:
    if row["status"] not in PAID:
        raise Refused(Code.CONFLICT, "Nothing was paid by it.", status=row["status"])
    if is_paid_otherwise or row["held"] == HeldFor.DUPLICATE:
        raise Refused(Code.CONFLICT, "What it is for is paid already: pay it back.", held=row["held"])
