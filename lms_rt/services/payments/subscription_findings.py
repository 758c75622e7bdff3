"""What people are shown of subscriptions: second ones, such as nobody could ask of, and such as do not end at their gateway. Pure."""

from __future__ import annotations

from datetime import datetime

from documents.base import Row
from lms_rt.contracts.outbox import Intent, Write
from lms_rt.services.payments.findings import found_intent

_NAMED = ("user_id", "plan_id", "gateway")


def refs_of_subscription(row: Row) -> dict[str, str | None]:
    """What a finding about a subscription names."""
    return {"subscription_id": row["_id"], **{name: row.get(name) for name in _NAMED}}


def doubled(row: Row, gateway_subscription_id: str, write: Write) -> Intent:
    """Somebody went through with it twice, or has another to the same plan: the one of this id is ended."""
    facts = {"reason": "duplicate", "gateway_subscription_id": gateway_subscription_id}
    refs = refs_of_subscription(row)
    return found_intent(write, "duplicate_payment", gateway_subscription_id, refs=refs, facts=facts)


def unended(row: Row, code: str | None, at: datetime) -> Intent:
    """It must not be drawn for any more, and its gateway does not end it: a person has to."""
    facts = {"reason": "not_ended", "code": code}
    write = Write(row["version"], at)
    return found_intent(write, "state_differs", row["_id"], refs=refs_of_subscription(row), facts=facts)


def unasked(row: Row, gateway: str, write: Write) -> Intent:
    """Its gateway is gone from the settings, or answers no more. One finding for each gateway."""
    refs = {**refs_of_subscription(row), "gateway": gateway}
    return found_intent(write, "state_differs", gateway, refs=refs, facts={"reason": "not_asked"})
