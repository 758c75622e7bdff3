"""Refunds: asked for by who looks after payments, held back from the payment at once, paid back by a worker.

The first write is on the payment: it holds the amount under the refund's id, so that all refunds together never come to more
than was paid, however many ask at once. The refund itself follows by the payment's outbox, and the job by the refund's. It is
written before the gateway is asked that it is asked; whoever finds that it was asked before looks first what came of it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from documents.base import Row
from documents.enums import RefundStatus
from documents.payment import PAID, Payment
from documents.payment_finding import OPEN, PaymentFinding
from documents.refund import Refund
from lms_rt.clock import Clock
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.base import page_of
from lms_rt.contracts.gateways import GatewayRefund, GatewayRefused, GatewayUnavailable, Money, RefundWish
from lms_rt.contracts.outbox import Write, audit, effect, job
from lms_rt.contracts.refunds import RefundDraft, RefundsQuery, RefundsView, RefundView
from lms_rt.errors import Code, Refused, invalid
from lms_rt.gateways.payments.apart_ids import ids_of
from lms_rt.gateways.payments.base import PaymentGateway
from lms_rt.ids import derived_id, new_id
from lms_rt.security.access.payments import require_treasurer
from lms_rt.services.contended import until_written
from lms_rt.services.jobs import Failed, NotYet
from lms_rt.services.payments.gateways import Gateways
from lms_rt.services.payments.refund_book import PREFIX, TASK, RefundBook, completed_of
from lms_rt.services.payments.refund_looking import RefundLooking
from lms_rt.services.payments.refund_views import TAKEN, copied_from, currency_of, paid_of, refund_view, refundable
from lms_rt.services.payments.settling import Settling
from lms_rt.services.payments.states import PAYMENT, money_event
from lms_rt.services.relay import Relay

BEGIN_EFFECT = "payments.refund"
MOVED_MEANWHILE = "state_differs"
"""What a gateway without keys says when something was paid back at its own desk since it was read: it is read again."""
UNCLEAR = timedelta(minutes=30)
"""So long after it was asked, and did not answer, a gateway without keys may still be carrying it out: it is not asked again."""
LOOKED_AT_AFTER = timedelta(hours=1)
"""So long after something was held the payment is looked at, whatever became of the refund."""
ITS_TURN = timedelta(seconds=5)
"""Refunds of one payment are asked for one after the other: where a gateway tells sums alone, they can be told apart."""
MOST_REFUNDS = 100
"""So many are made of one payment, those that failed included; what is left then is for the gateway's own desk."""


class Refunds:
    """Asks for refunds and carries them out."""

    def __init__(self, *, clock: Clock, relay: Relay, gateways: Gateways, settling: Settling, book: RefundBook) -> None:
        self._clock, self._relay, self._gateways = clock, relay, gateways
        self._settling, self._book = settling, book
        self.looking = RefundLooking(gateways=gateways, settling=settling, book=book)

    def register(self) -> None:
        """Let what was held become a refund."""
        self._relay.register_effect(BEGIN_EFFECT, self._begin)

    # --- for who looks after payments ---

    async def request(
        self, actor: Actor, payment_id: str, draft: RefundDraft, *, seed: str | None = None
    ) -> RefundView:
        """Hold the amount and let it be paid back. By the same `seed` it is the same refund again."""
        require_treasurer(actor)
        refund_id = derived_id(PREFIX, payment_id, seed) if seed else new_id(PREFIX)

        async def step() -> bool | None:
            row = await _require(payment_id)
            if refund_id in (row.get("refund_holds") or {}) or await Refund.find_row(refund_id) is not None:
                return True
            if await _is_disputed(row):
                dispute = row.get("dispute") or "open"
                raise Refused(Code.CONFLICT, "Its bank has the money: it is in dispute.", dispute=dispute)
            if max(await Refund.count_of_payment(payment_id), len(row.get("refund_holds") or {})) >= MOST_REFUNDS:
                raise Refused(Code.CONFLICT, f"It was paid back in {MOST_REFUNDS} parts already.", limit=MOST_REFUNDS)
            return await self._hold(actor, row, draft, refund_id=refund_id)

        await until_written(step)
        await self._relay.hand_over(Payment, payment_id)
        return await self._shown(refund_id, payment_id)

    async def list_of(self, actor: Actor, payment_id: str, query: RefundsQuery | None = None) -> RefundsView:
        """The refunds of a payment: for who paid it, and who looks after payments. Without a query the first page."""
        query = query or RefundsQuery()
        is_treasurer = _is_treasurer(actor)
        payment = await Payment.find_row(payment_id, user_id=None if is_treasurer else actor.user_id)
        if payment is None or actor.is_stranger:
            raise Refused(Code.NOT_FOUND)
        rows = await Refund.find_of_payment(payment_id)
        shown = [refund_view(row, is_treasurer=is_treasurer) for row in rows[query.skip : query.skip + query.page_size]]
        return RefundsView(
            **dict(page_of(shown, query, len(rows))),
            refundable_amount=refundable(payment),
            currency=currency_of(payment),
        )

    async def _hold(self, actor: Actor, row: Row, draft: RefundDraft, *, refund_id: str) -> bool | None:
        """The first write: from here on the amount is nobody else's."""
        amount = _checked(row, draft.amount)
        holds = {**(row.get("refund_holds") or {}), refund_id: amount}
        at = self._clock.now()
        write = Write(row["version"] + 1, at)
        fields: Row = {"refund_holds": holds, "reserved_amount": sum(holds.values()), "check_at": at + LOOKED_AT_AFTER}
        event = money_event(due=paid_of(row), refunded=row["refunded_amount"], reserved=fields["reserved_amount"])
        if (status := PAYMENT.after(row["status"], event)) is not None:
            fields["status"] = status
        facts = {"refund_id": refund_id, "payment_id": row["_id"], "amount": amount}
        asked = {"reason": draft.reason, "requested_by": actor.user_id}
        record = audit(
            write,
            actor,
            "payment.refund",
            kind="payment",
            target_id=row["_id"],
            before={"refund": None},
            after={"refund": {"id": refund_id, "amount": amount, "currency": currency_of(row)}},
            reason=draft.reason,
            person_id=row["user_id"],
        )
        intents = [effect(write, BEGIN_EFFECT, facts | asked), record]
        return await Payment.change(row, {"$set": fields}, intents=intents, at=at) or None

    async def _begin(self, _: str, data: dict[str, Any]) -> None:
        """What is held becomes a refund, with the job that carries it out. Again it is there."""
        payment = await Payment.find_row(data["payment_id"])
        if payment is None:
            return
        at = self._clock.now()
        refund_id = data["refund_id"]
        row: Row = {
            "_id": refund_id,
            **copied_from(payment),
            **{name: data[name] for name in ("amount", "reason", "requested_by")},
            "version": 1,
            "revision": 1,
            "status": RefundStatus.REQUESTED.value,
            "attempts": 0,
            "was_completed": False,
            "created_at": at,
            "updated_at": at,
            "outbox_at": at,
            "outbox": [job(Write(1, at), TASK, {"refund_id": refund_id}, job_id=f"refund:{refund_id}")],
        }
        await Refund.add(row)
        await self._relay.hand_over(Refund, refund_id)

    async def _shown(self, refund_id: str, payment_id: str) -> RefundView:
        row = await Refund.find_row(refund_id)
        if row is None:  # held, and the relay comes back for it
            raise Refused(Code.BUSY, "The refund is being made.", retry_after_seconds=1, payment_id=payment_id)
        return refund_view(row, is_treasurer=True)

    # --- for workers ---

    async def carry_out(self, refund_id: str) -> None:
        """The job: pay back, and let the payment be what its gateway says then."""
        row = await Refund.find_row(refund_id)
        if row is None:
            return
        if row["status"] == RefundStatus.REQUESTED:
            await self._ask(row)
        else:
            await self._look_at_each(row)
        await self._settle(row)

    async def _ask(self, row: Row) -> None:
        """Ask the gateway, unless it turns out that it was asked and did it."""
        rows = await Refund.find_of_payment(row["payment_id"])
        if any(one["status"] == RefundStatus.REQUESTED for one in rows[: _place(row, rows)]):
            raise NotYet(self._clock.now() + ITS_TURN, "another refund of this payment comes first")
        await self._settle(row)
        gateway = self._gateways.named(row["gateway"])
        if (asked := await self._note_asking(row["_id"], keeps_keys=gateway.keeps_keys)) is None:
            return
        if await _is_disputed(await _require(row["payment_id"])):
            await self._book.give_up(row["_id"], "dispute")
            return
        try:
            told = await self._told(gateway, asked)
        except GatewayRefused as error:
            await self._settle(row)  # an earlier try may have gone through: then there is nothing to give up
            await self._book.give_up(row["_id"], error.code)
        else:
            await self._book.note(row["_id"], told)

    async def _told(self, gateway: PaymentGateway, asked: Row) -> GatewayRefund:
        """Its answer. Raises `GatewayRefused` where that is no, and `Failed` where it is to be asked again."""
        try:
            return await gateway.refund(await _wish(asked))
        except GatewayUnavailable as error:
            if not error.may_have_happened:
                await self._let_ask(asked)
            raise Failed(error.reason, retry_after_seconds=error.retry_after_seconds) from error
        except GatewayRefused as error:
            if error.code != MOVED_MEANWHILE:
                raise
            await self._let_ask(asked)
            await self._look_at_each(asked)  # one of them may have come back
            raise Failed(error.reason) from error

    async def _look_at_each(self, row: Row) -> None:
        """How the refunds of a payment stand that its gateway tells of only one by one: some fail late, others come back."""
        try:
            await self.looking.look_at_each(row["gateway"], row["payment_id"])
        except GatewayUnavailable as error:
            raise Failed(error.reason, retry_after_seconds=error.retry_after_seconds) from error

    async def _note_asking(self, refund_id: str, *, keeps_keys: bool) -> Row | None:
        """Written before it is done; None: there is nothing to ask for any more.

        Of a gateway without keys one asks at a time, and after an answer that was lost nobody does for a while: what is under
        way cannot be seen there yet, and would be paid back twice.
        """

        async def step() -> tuple[Row | None] | None:
            row = await Refund.find_row(refund_id)
            if row is None or row["status"] != RefundStatus.REQUESTED:
                return (None,)
            at = self._clock.now()
            if not keeps_keys and (until := row.get("asking_until")) is not None and until > at:
                raise NotYet(until, "it was asked for, and may be under way")
            fields = {"attempts": row["attempts"] + 1, "asked_at": at, "asking_until": at + UNCLEAR}
            if not await Refund.change(row, {"$set": fields}, at=at):
                return None
            return (await Refund.find_row(refund_id),)

        return (await until_written(step))[0]

    async def _let_ask(self, asked: Row) -> None:
        """Nothing came of it for certain: it is as if it had not been asked. When somebody wrote meanwhile, what they know is newer."""
        at = self._clock.now()
        unasked = {"$set": {"attempts": asked["attempts"] - 1}, "$unset": {"asking_until": ""}}
        await Refund.change(asked, unasked, at=at)

    async def _settle(self, row: Row) -> None:
        try:
            await self._settling.settle(row["gateway"], row["intent_id"])
        except GatewayUnavailable as error:
            raise Failed(error.reason, retry_after_seconds=error.retry_after_seconds) from error


def _is_treasurer(actor: Actor) -> bool:
    try:
        require_treasurer(actor)
    except Refused:
        return False
    return True


def _checked(row: Row, amount: int | None) -> int:
    """What is to be paid back, or the refusal."""
    if row["status"] not in PAID:
        raise Refused(Code.CONFLICT, "Nothing was paid by it.", status=row["status"])
    left = refundable(row)
    if left == 0:
        raise Refused(Code.CONFLICT, "All of it is paid back, or is being paid back.", refundable_amount=0)
    if amount is not None and amount > left:
        raise Refused(
            Code.VALIDATION_FAILED,
            fields=invalid("amount", f"{left} at most.", "too_much").fields,
            refundable_amount=left,
        )
    return left if amount is None else amount


async def _is_disputed(payment: Row) -> bool:
    """Is its bank about to take the money back, or did? Some gateways only tell so: then until somebody has looked into it."""
    if payment.get("dispute") in TAKEN:
        return True
    told = await PaymentFinding.find_row(f"dispute:{payment['_id']}")
    return payment.get("dispute") is None and told is not None and told["status"] == OPEN


def _place(row: Row, rows: list[Row]) -> int:
    return next((place for place, one in enumerate(rows) if one["_id"] == row["_id"]), 0)


async def _wish(row: Row) -> RefundWish:
    """What the gateway is asked for. What was paid back before is read now: nobody else asks for this payment meanwhile."""
    payment = await Payment.find_row(row["payment_id"])
    rows = await Refund.find_of_payment(row["payment_id"])
    done = completed_of(rows) + sum(one.get("in_sum") or 0 for one in rows)
    return RefundWish(
        refund_id=row["_id"],
        intent_id=row["intent_id"],
        transaction_id=None if payment is None else payment.get("transaction_id"),
        money=Money(row["amount"], row["currency"]),
        reason=row["reason"],
        refunded_before=done,
        of_others=frozenset(await _named_of_others(row)),
        paid_amount=None if payment is None else payment.get("paid_amount"),
    )


async def _named_of_others(row: Row) -> set[str]:
    """What the gateway calls the refunds of the other payments of the same checkout, where that was paid several times."""
    beside = await Payment.find_of_checkout(row["gateway"], ids_of(row["intent_id"])[0])
    others = [await Refund.find_of_payment(one["_id"]) for one in beside if one["_id"] != row["payment_id"]]
    return {one["gateway_refund_id"] for rows in others for one in rows if one.get("gateway_refund_id")}


async def _require(payment_id: str) -> Row:
    row = await Payment.find_row(payment_id)
    if row is None:
        raise Refused(Code.NOT_FOUND)
    return row
