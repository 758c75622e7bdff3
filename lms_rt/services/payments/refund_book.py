"""The refunds of a payment, brought in line with what its gateway says: ours move on, those made at its own desk are adopted.

A refund moves along the table of `states.py` alone, so that a word that is older than what is known takes nothing back. What
was paid back and can come back: a refund that fails after it was completed.

Gateways that name no refunds tell a sum. What of it nobody knows belongs to the refunds that were asked for and not answered,
the oldest first; the rest was made elsewhere. One that came back may stay in their sum for a while, or for good: what is in it
for that is nobody's new refund.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from documents.base import Row
from documents.enums import RefundStatus
from documents.refund import Refund
from lms_rt.clock import Clock
from lms_rt.contracts.gateways import GatewayPayment, GatewayRefund, PaidBack
from lms_rt.contracts.outbox import Intent, Write, job
from lms_rt.ids import derived_id
from lms_rt.services.contended import until_written
from lms_rt.services.payments.findings import found_intent
from lms_rt.services.payments.refund_views import copied_from
from lms_rt.services.payments.states import REFUND
from lms_rt.services.relay import Relay

PREFIX = "rfd"
TASK = "payments.refund"
"""Asks for a refund, or looks what became of it, and settles its payment."""
UNDER_WAY = frozenset({RefundStatus.REQUESTED.value, RefundStatus.PENDING.value})
_EVENTS = {
    PaidBack.PENDING: "send",
    PaidBack.COMPLETED: "complete",
    PaidBack.FAILED: "fail",
    PaidBack.CANCELLED: "cancel",
}
_FELL_THROUGH = frozenset({RefundStatus.FAILED.value, RefundStatus.CANCELLED.value})


@dataclass(frozen=True, slots=True)
class RefundStand:
    """What was paid back for good, and what refunds under way hold, by their ids."""

    refunded: int = 0
    holds: dict[str, int] = field(default_factory=dict)

    @property
    def reserved(self) -> int:
        """What refunds under way will add."""
        return sum(self.holds.values())

    def fields(self) -> Row:
        """As it stands on the payment."""
        return {"refunded_amount": self.refunded, "refund_holds": self.holds, "reserved_amount": self.reserved}


class RefundBook:
    """Follows refunds."""

    def __init__(self, *, clock: Clock, relay: Relay) -> None:
        self._clock, self._relay = clock, relay

    async def bring(self, payment: Row, read: GatewayPayment) -> RefundStand:
        """Take over what was read about a payment's refunds; how they stand then.

        `payment` is to be read before this is called, and written only if nobody wrote it since.
        """
        rows = await Refund.find_of_payment(payment["_id"])
        if read.refunded or read.refunds or any(_came_home(row) and row.get("in_sum") != 0 for row in rows):
            await until_written(lambda: self._follow(payment, read))
            rows = await Refund.find_of_payment(payment["_id"])
        return stand_of(payment, rows)

    async def note(self, refund_id: str, told: GatewayRefund) -> None:
        """What the gateway answered to one of ours."""

        async def step() -> bool | None:
            row = await Refund.find_row(refund_id)
            return True if row is None else await self._move(row, told)

        await until_written(step)

    async def give_up(self, refund_id: str, reason: str) -> None:
        """The gateway will not do it: nothing was paid back, and nothing is held any more."""

        async def step() -> bool | None:
            row = await Refund.find_row(refund_id)
            if row is None or row["status"] != RefundStatus.REQUESTED:
                return True  # the gateway took it after all
            status = REFUND.after(row["status"], "fail")
            return await self._write(row, {"status": status, "held_back": reason[:200]})

        await until_written(step)

    async def _follow(self, payment: Row, read: GatewayPayment) -> bool | None:
        """One round over all that is known; None: somebody wrote meanwhile, look again."""
        rows = await Refund.find_of_payment(payment["_id"])
        if read.refunds:
            told = tuple(read.refunds)
        elif (held := await self._note_in_sum(rows, read.refunded)) is not None:
            told = _told_by_sum(payment, rows, read.refunded - held)
        else:
            return None
        for one, row in _matched(told, rows):
            if row is None:
                if not await self._adopt(payment, one):
                    return None
            elif await self._move(row, one) is None:
                return None
        return True

    async def _note_in_sum(self, rows: Sequence[Row], refunded: int) -> int | None:
        """How much of a sum is for refunds that came home, kept with each; None: somebody wrote meanwhile."""
        held = _held_in_sum(rows, refunded)
        for row in rows:
            amount = held.get(row["_id"])
            if amount is None or amount == row.get("in_sum"):
                continue
            if not await self._write(row, {"in_sum": amount}):
                return None
        return sum(held.values())

    async def _adopt(self, payment: Row, told: GatewayRefund) -> bool:
        """A refund that was made at the gateway's own desk. False: somebody was first, and may have read another sum."""
        at, status = self._clock.now(), told.state.value
        row: Row = {
            "_id": derived_id(PREFIX, payment["gateway"], payment["_id"], told.refund_id),
            **copied_from(payment),
            "version": 1,
            "revision": 1,
            "amount": told.amount,
            "status": status,
            "reason": "",
            "gateway_refund_id": told.refund_id,
            "gateway_key": _key(payment["gateway"], told.refund_id),
            "attempts": 0,
            "was_completed": told.state is PaidBack.COMPLETED,
            "created_at": at,
            "updated_at": at,
            "outbox": [],
        }
        if told.state is PaidBack.COMPLETED:
            row["completed_at"] = at
        return await Refund.add(row)

    async def _move(self, row: Row, told: GatewayRefund) -> bool | None:
        """Let one of ours be what the gateway says; None when somebody wrote it meanwhile."""
        fields: Row = {}
        if told.refund_id and not row.get("gateway_refund_id"):
            fields |= {"gateway_refund_id": told.refund_id, "gateway_key": _key(row["gateway"], told.refund_id)}
        if told.amount != row["amount"]:
            fields["amount"] = told.amount
        if (status := REFUND.after(row["status"], _event(row, told))) is not None:
            fields["status"] = status
        return True if not fields else await self._write(row, fields)

    async def _write(self, row: Row, fields: Row) -> bool | None:
        at = self._clock.now()
        if fields.get("status") == RefundStatus.COMPLETED:
            fields |= {"was_completed": True, "completed_at": at}
        write = Write(row["revision"] + 1, at)
        intents = _followed_by(write, row, fields)
        if not await Refund.change(row, {"$set": fields}, intents=intents, at=at):
            return await self._end_twin(row, fields.get("gateway_key"))
        await self._relay.hand_over(Refund, row["_id"])
        return True

    async def _end_twin(self, row: Row, gateway_key: str | None) -> bool | None:
        """One of ours that was taken for one of the gateway's own, which counts: ours is called off, and shown. None: look again."""
        other = None if gateway_key is None else await Refund.find_by_gateway_key(gateway_key)
        if other is None or other["_id"] == row["_id"]:
            return None
        status = REFUND.after(row["status"], "cancel")
        return True if status is None else await self._write(row, {"status": status, "held_back": other["_id"]})


def stand_of(payment: Row, rows: Iterable[Row]) -> RefundStand:
    """How the refunds of a payment stand. What is held by one that is not written yet stays held."""
    known = {row["_id"]: row for row in rows}
    unwritten = {key: amount for key, amount in (payment.get("refund_holds") or {}).items() if key not in known}
    under_way = {key: row["amount"] for key, row in known.items() if row["status"] in UNDER_WAY}
    return RefundStand(completed_of(known.values()), {**unwritten, **under_way})


def completed_of(rows: Iterable[Row]) -> int:
    """What was paid back, and did not come home."""
    return sum(row["amount"] for row in rows if row["status"] == RefundStatus.COMPLETED)


def _came_home(row: Row) -> bool:
    return bool(row["status"] == RefundStatus.FAILED and row["was_completed"])


def _held_in_sum(rows: Sequence[Row], refunded: int) -> dict[str, int]:
    """How much of each refund that came home a sum still holds: never more than it held before, the oldest leave it first."""
    held = {row["_id"]: _in_sum(row) for row in rows if _came_home(row)}
    rest = refunded - completed_of(rows)
    gone = sum(held.values()) - rest if rest >= 0 else 0  # a sum of less than is known is an older one
    for refund_id, amount in held.items():
        left = min(amount, max(0, gone))
        held[refund_id], gone = amount - left, gone - left
    return held


def _in_sum(row: Row) -> int:
    known = row.get("in_sum")
    return int(row["amount"] if known is None else known)


def _told_by_sum(payment: Row, rows: Sequence[Row], refunded: int) -> tuple[GatewayRefund, ...]:
    """What a sum says of each refund: those known, those asked for that it can hold, and what is left of it.

    What is left is called by the sum that it comes on top of: of two who read two sums at once one is first, and the other
    looks again.
    """
    rest = refunded - completed_of(rows)
    asked = [row for row in rows if row["status"] in UNDER_WAY and row.get("attempts")]
    asked.sort(key=lambda row: row["amount"] != rest)  # the one that explains all of it, else the oldest first
    told = []
    for row in asked:
        if row["amount"] <= rest:
            told.append(GatewayRefund("", row["amount"], PaidBack.COMPLETED, row["_id"]))
            rest -= row["amount"]
    if rest > 0:
        name = f"{payment['intent_id']}+{refunded - rest}"
        if any(row.get("gateway_refund_id") == name for row in rows):  # it came back since, and goes again
            name = f"{name}+{len(rows)}"
        told.append(GatewayRefund(name, rest, PaidBack.COMPLETED))
    return tuple(told)


def _matched(told: Sequence[GatewayRefund], rows: Sequence[Row]) -> list[tuple[GatewayRefund, Row | None]]:
    """Each of the gateway's with ours; None: nobody here asked for it."""
    by_key = {row["gateway_refund_id"]: row for row in rows if row.get("gateway_refund_id")}
    by_id = {row["_id"]: row for row in rows}
    unanswered = [row for row in rows if row["status"] == RefundStatus.REQUESTED and row.get("attempts")]
    named = {id(one): by_key.get(one.refund_id) or _meant(one, by_id) for one in told}
    taken = {row["_id"] for row in named.values() if row is not None}
    matched = []
    for one in told:
        row = named[id(one)]
        if row is None and one.reference is None:
            row = next((its for its in unanswered if its["_id"] not in taken and its["amount"] == one.amount), None)
            taken |= {row["_id"]} if row is not None else set()
        matched.append((one, row))
    return matched


def _meant(told: GatewayRefund, by_id: Mapping[str, Row]) -> Row | None:
    """Ours that the gateway names; none, where that one was taken for another of its refunds: both were paid back."""
    row = by_id.get(told.reference or "")
    is_another = row is not None and told.refund_id and row.get("gateway_refund_id") not in {None, told.refund_id}
    return None if is_another else row


def _event(row: Row, told: GatewayRefund) -> str:
    """What is told, as an event. One that was given up or called off here may turn out to have been carried out."""
    was_given_up = row["status"] == RefundStatus.FAILED and row.get("held_back") and not row["was_completed"]
    return f"find_{told.state.value}" if was_given_up or _was_called_off(row) else _EVENTS[told.state]


def _was_called_off(row: Row) -> bool:
    return bool(row["status"] == RefundStatus.CANCELLED and row.get("cancelled_by") is not None)


def _followed_by(write: Write, row: Row, fields: Row) -> list[Intent]:
    """A refund that falls through is shown to people: somebody waits for that money. So is one that was called off, and made.

    What came home is looked at by a job of its own, which brings its payment in line should this process die now.
    """
    status = fields.get("status")
    amount = fields.get("amount", row["amount"])
    is_after_all = status is not None and _was_called_off(row)
    facts = {"amount": amount, "currency": row["currency"], "was_completed": row["was_completed"]}
    facts |= {"was_called_off": True} if is_after_all else {}
    refs = {
        "refund_id": row["_id"],
        **{name: row.get(name) for name in ("payment_id", "order_id", "user_id", "gateway")},
    }
    intents = []
    if status == RefundStatus.FAILED and row["status"] == RefundStatus.COMPLETED:
        intents.append(job(write, TASK, {"refund_id": row["_id"]}))
    if is_after_all or status in _FELL_THROUGH:
        intents.append(found_intent(write, "refund_failed", row["_id"], refs=refs, facts={**facts, "status": status}))
    if amount != row["amount"]:
        facts = {**facts, "requested_amount": row["amount"]}
        intents.append(found_intent(write, "amount_differs", row["_id"], refs=refs, facts=facts))
    return intents


def _key(gateway: str, refund_id: str) -> str:
    return f"{gateway}:{refund_id}"
