"""What a change of a payment means for people who look after money. Pure.

A dispute is to be answered, a held one waits no longer, a buyer may be elsewhere than they said.
"""

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
from lms_rt.services.payments.tax_evidence import SOURCES, evidence_of, is_contradicted


def alarms_of(write: Write, change: PaymentChange) -> Sequence[Intent]:
    """The findings that follow a change, and those that are over by it."""
    return [*_disputes(write, change), *_waits_no_longer(write, change), *_contradicted(write, change)]


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


def _contradicted(write: Write, change: PaymentChange) -> list[Intent]:
    """The card, or the address, is of another country than the buyer said: the tax may be another. The price stays."""
    payment, order = change.after, change.order or {}
    known = {**order, **({"card_country": payment["card_country"]} if payment.get("card_country") else {})}
    if not change.is_newly_paid or not is_contradicted(known):
        return []
    facts = {one["source"]: one["country"] for one in evidence_of(known)}
    facts |= {"tax_country": order.get("tax_country"), "tax_amount": order.get("tax_amount", 0)}
    return [found_intent(write, "country_differs", _about(payment, facts), refs=refs_of(payment), facts=facts)]


def _about(payment: Row, facts: Row) -> str:
    """What is looked into once: a payment; of a subscription, what is known of where its owner is, however often it is renewed."""
    if payment.get("subscription_id") is None:
        return str(payment["_id"])
    known = (facts.get(name) for name in (*SOURCES, "tax_country"))
    return ":".join((payment["subscription_id"], *(country for country in known if country)))


def _waits_no_longer(write: Write, change: PaymentChange) -> list[Intent]:
    before, after = change.before, change.after
    if before.get("held") is None or is_over(before) or not is_over(after):
        return []
    kind: FindingKind = "duplicate_payment" if before["held"] == HeldFor.DUPLICATE else "held_payment"
    return [mended_intent(write, kind, after["_id"])]
