"""What a change of a payment means for people who look after money: a dispute to be answered, a held one that waits no longer. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from documents.base import Row
from documents.enums import HeldFor, PaymentStatus
from lms_rt.contracts.gateways import Disputed
from lms_rt.contracts.outbox import Intent, Write
from lms_rt.contracts.payment_findings import FindingKind
from lms_rt.services.payments.changes import PaymentChange
from lms_rt.services.payments.findings import found_intent, mended_intent, refs_of
from lms_rt.services.payments.refund_views import currency_of


def alarms_of(write: Write, change: PaymentChange) -> Sequence[Intent]:
    """The findings that follow a change, and those that are over by it."""
    return [*_disputes(write, change), *_waits_no_longer(write, change)]


def is_over(payment: Row) -> bool:
    """Does a payment that was held wait for nobody any more?"""
    return payment.get("held") is None or payment["status"] == PaymentStatus.REFUNDED


def _disputes(write: Write, change: PaymentChange) -> list[Intent]:
    """One that is open has to be answered at the gateway; a lost one stays to be seen, a won one is over."""
    payment = change.after
    if not change.is_dispute_moved:
        return []
    if payment.get("dispute") == Disputed.WON:
        return [mended_intent(write, "dispute", payment["_id"])]
    facts = {
        "state": payment.get("dispute"),
        "dispute_id": payment.get("dispute_id"),
        "amount": payment.get("dispute_amount", 0),
        "currency": currency_of(payment),
        "refunded_amount": payment.get("refunded_amount", 0),
    }
    return [found_intent(write, "dispute", payment["_id"], refs=refs_of(payment), facts=facts)]


def _waits_no_longer(write: Write, change: PaymentChange) -> list[Intent]:
    before, after = change.before, change.after
    if before.get("held") is None or is_over(before) or not is_over(after):
        return []
    kind: FindingKind = "duplicate_payment" if before["held"] == HeldFor.DUPLICATE else "held_payment"
    return [mended_intent(write, kind, after["_id"])]
