"""What people do at the page of the sandbox: pay, be declined, pay later, think better of it. No money moves.

Each is written with the word about it in the same write; the word comes in by the door of all gateways, signed, and is
settled as those of others are. So what was killed in between is told again, and met as a repeat.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from documents.base import Row
from documents.sandbox_payment import SUBSCRIPTION, SandboxPayment
from lms_rt.clock import Clock
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.gateways import Charged, GatewayName
from lms_rt.contracts.outbox import Intent, Write, effect, job
from lms_rt.contracts.sandbox import SandboxAct, SandboxCheckoutView
from lms_rt.errors import Code, Refused
from lms_rt.gateways.payments.sandbox import CARD, TRANSFER, SandboxGateway
from lms_rt.gateways.payments.sandbox_periods import period_from
from lms_rt.ids import derived_id
from lms_rt.services.contended import until_written
from lms_rt.services.payments.gateways import Gateways
from lms_rt.services.payments.incoming import Incoming
from lms_rt.services.relay import Relay

TOLD_EFFECT = "sandbox.told"
PAY_TASK = "sandbox.pay"
ON_THE_WAY = timedelta(seconds=30)
"""So long a transfer takes here."""
_TYPES = {SandboxAct.PAY: "paid", SandboxAct.DECLINE: "declined", SandboxAct.CANCEL: "cancelled"}


class SandboxDesk:
    """The page, and what comes of it."""

    def __init__(self, *, clock: Clock, relay: Relay, gateways: Gateways, incoming: Incoming) -> None:
        self._clock, self._relay, self._gateways, self._incoming = clock, relay, gateways, incoming
        relay.register_effect(TOLD_EFFECT, self._tell)

    async def show(self, actor: Actor, checkout_id: str) -> SandboxCheckoutView:
        """One's own checkout."""
        return _view(await self._require_own(actor, checkout_id))

    async def act(self, actor: Actor, checkout_id: str, act: SandboxAct) -> SandboxCheckoutView:
        """Do something with it. What is over, or on the way, stays as it is."""

        async def step() -> bool | None:
            row = await self._require_own(actor, checkout_id)
            return await self._done(row, act) if _is_open(row) else True

        await until_written(step)
        await self._relay.hand_over(SandboxPayment, checkout_id)
        return await self.show(actor, checkout_id)

    async def arrive(self, checkout_id: str) -> None:
        """The transfer has come, unless its checkout was closed meanwhile. For a job."""

        async def step() -> bool | None:
            row = await SandboxPayment.find_row(checkout_id)
            if row is None or row["state"] != Charged.PENDING:
                return True
            return await self._done(row, SandboxAct.PAY, method=TRANSFER)

        await until_written(step)
        await self._relay.hand_over(SandboxPayment, checkout_id)

    # --- step by step ---

    async def _require_own(self, actor: Actor, checkout_id: str) -> Row:
        gateway = self._gateways.find(GatewayName.SANDBOX.value)
        row = None if gateway is None else await SandboxPayment.find_row(checkout_id, user_id=actor.user_id)
        if row is None or row.get("subscription_id"):  # what a subscription renews by itself has no page
            raise Refused(Code.NOT_FOUND)
        return row

    async def _done(self, row: Row, act: SandboxAct, *, method: str = CARD) -> bool | None:
        """True once it is written; None: somebody was first."""
        at = self._clock.now()
        write = Write(row["version"] + 1, at)
        if act is SandboxAct.LATER and row["kind"] != SUBSCRIPTION:
            due = at + ON_THE_WAY
            fields: Row = {"method": TRANSFER, "facts.pays_at": due}
            intents = [job(write, PAY_TASK, {"checkout_id": row["_id"]}, due_at=due)]
            return await SandboxPayment.change(row, {"$set": fields}, intents=intents, at=at) or None
        fields = await self._fields(row, act, method=method)
        return await SandboxPayment.change(row, {"$set": fields}, intents=_told(write, row, act), at=at) or None

    async def _fields(self, row: Row, act: SandboxAct, *, method: str) -> Row:
        at = self._clock.now()
        if act is SandboxAct.CANCEL:
            return {"state": Charged.CANCELLED.value}
        if act is not SandboxAct.PAY:
            return {"facts.failure": "declined"}
        if row["kind"] == SUBSCRIPTION:
            fields, payment = period_from(row, at)
            await SandboxPayment.add(payment)
            return fields
        return {"state": Charged.COMPLETED.value, "method": method, "facts.paid_at": at}

    async def _tell(self, intent_id: str, data: dict[str, Any]) -> None:
        """Send the word to ourselves, as another company would."""
        gateway, row = self._gateways.find(GatewayName.SANDBOX.value), await SandboxPayment.find_row(data["id"])
        if row is None or not isinstance(gateway, SandboxGateway):
            return
        headers, body = gateway.word(derived_id("sbe", intent_id), data["type"], row)
        await self._incoming.receive(GatewayName.SANDBOX.value, headers=headers, query={}, body=body)


def _told(write: Write, row: Row, act: SandboxAct) -> Sequence[Intent]:
    event_type = f"{row['kind']}.{_TYPES.get(act, 'declined')}"
    return [effect(write, TOLD_EFFECT, {"id": row["_id"], "type": event_type})]


def _is_open(row: Row) -> bool:
    return bool(row["state"] == Charged.PENDING and "pays_at" not in row["facts"])


def _view(row: Row) -> SandboxCheckoutView:
    facts = row["facts"]
    return SandboxCheckoutView(
        id=row["_id"],
        title=row["title"],
        amount=row["amount"],
        currency=row["currency"],
        state=row["state"],
        interval=facts.get("interval"),
        is_awaited=row["state"] == Charged.PENDING and "pays_at" in facts,
        is_declined=row["state"] == Charged.PENDING and "failure" in facts,
        return_url=row["return_url"],
        cancel_url=row["cancel_url"],
    )
