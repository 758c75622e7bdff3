"""What gateways tell: each word is verified over its bytes, kept, answered, and settled by a worker afterwards.

A repeat meets itself. What is kept are ids, types and states; the body, which holds people, is dropped.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta

from documents.base import Row
from documents.gateway_event import GatewayEvent
from documents.payment import Payment
from lms_rt.clock import Clock
from lms_rt.contracts.gateways import BadSignature, GatewayRefused, GatewayUnavailable, Hint, Subject, is_reference
from lms_rt.contracts.outbox import Write, job
from lms_rt.errors import Code, Refused
from lms_rt.security.rate_limits import LimitClass, RateLimiter
from lms_rt.services import figures
from lms_rt.services.jobs import Failed, NotYet
from lms_rt.services.payments.findings import Findings, refs_of
from lms_rt.services.payments.gateways import Gateways
from lms_rt.services.payments.settling import Settled, Settling
from lms_rt.services.relay import Relay

MAX_BODY_BYTES = 256 << 10
SETTLE_TASK = "payments.settle"
PATIENCE = timedelta(minutes=2)
"""A payment that nobody knows may be one that is being written down; after so long it is a finding."""
_PAUSE = timedelta(seconds=20)
_TELL_AGAIN = timedelta(hours=1)
_MAX_ID = 200
_DISPUTE_OVER = frozenset({"won", "withdrawn", "canceled", "cancelled"})
"""Words for a dispute that took nothing in the end."""

SubscriptionSettled = Callable[[str, str], Awaitable[str]]
"""Settles a subscription by gateway and id; says what came of it."""
SubscriptionBegun = Callable[[str], Awaitable[None]]
"""Asks of a subscription, by its id, whether it has begun: a payment of it came."""
RefundsLooked = Callable[[str, str], Awaitable[None]]
"""Takes over how each refund of a payment stands, by gateway and the payment's id, where only that tells."""

_log = logging.getLogger(__name__)


class Incoming:
    """Takes words, and sees to them."""

    def __init__(
        self,
        *,
        clock: Clock,
        relay: Relay,
        gateways: Gateways,
        settling: Settling,
        findings: Findings,
        limiter: RateLimiter | None = None,
    ) -> None:
        self._clock, self._relay, self._gateways = clock, relay, gateways
        self._settling, self._findings, self._limiter = settling, findings, limiter
        self._subscriptions: SubscriptionSettled | None = None
        self._begun: SubscriptionBegun | None = None
        self._refunds: RefundsLooked | None = None
        self._told_version_at: datetime | None = None

    def subscriptions_by(self, settled: SubscriptionSettled, begun: SubscriptionBegun) -> None:
        """Let somebody see to words about subscriptions, and to subscriptions of which a payment was told."""
        self._subscriptions, self._begun = settled, begun

    def refunds_by(self, looked: RefundsLooked) -> None:
        """Let somebody look at each refund when a gateway has a word about one: a sum does not say that one came back."""
        self._refunds = looked

    async def receive(
        self,
        gateway_name: str,
        *,
        headers: Mapping[str, str],
        query: Mapping[str, str],
        body: bytes,
        address: str | None = None,
    ) -> int:
        """Keep what a gateway says, once it is known to be its word; how many words were new.

        `address` is where it came from; None: from here. What is refused is counted by it.
        """
        gateway = self._gateways.find(gateway_name)
        if gateway is None:
            raise Refused(Code.NOT_FOUND)
        if len(body) > MAX_BODY_BYTES:
            raise await self._counted(Refused(Code.TOO_LARGE), address)
        try:
            hints = await gateway.read_hints(headers=headers, query=query, body=body)
        except (BadSignature, ValueError) as error:  # what is of another form was signed by nobody
            figures.GATEWAY_EVENTS.labels(gateway_name, "forged").inc()
            raise await self._counted(Refused(Code.INVALID_SIGNATURE), address) from error
        return sum([await self._keep(gateway_name, hint) for hint in hints])

    async def _counted(self, refused: Refused, address: str | None) -> Refused:
        """The refusal, or that there were too many from this address.

        It is asked only after a word was found not to be true: a true one gets in from wherever it comes, also from behind the
        address of whoever forges.
        """
        limiter = self._limiter
        if limiter is None or address is None or not limiter.is_limited(address):
            return refused
        charge = await limiter.charge(LimitClass.REFUSED_WORDS, limiter.name_of_address(address))
        if charge.allowance.is_allowed:
            return refused
        figures.RATE_LIMITED.labels(LimitClass.REFUSED_WORDS.value).inc()
        return Refused(Code.RATE_LIMITED, retry_after_seconds=charge.retry_after_seconds)

    async def _keep(self, gateway_name: str, hint: Hint) -> bool:
        event_id, at = f"{gateway_name}:{_bounded(hint.event_id)}", self._clock.now()
        row: Row = {
            "_id": event_id,
            "gateway": gateway_name,
            "type": hint.event_type[:_MAX_ID],
            "subject": hint.subject.value,
            "object_id": hint.object_id[:_MAX_ID],
            "facts": {name: text[:_MAX_ID] for name, text in hint.facts.items()},
            "received_at": at,
            "version": 1,
            "created_at": at,
            "updated_at": at,
            "outbox": [job(Write(1, at), SETTLE_TASK, {"event_id": event_id})],
            "outbox_at": at,
        }
        if is_reference(hint.key):  # what others write there may name people
            row["key"] = hint.key
        if hint.facts.get("api_version"):
            self._tell_version(gateway_name, hint.facts["api_version"], at)
        is_new = await GatewayEvent.add(row)
        figures.GATEWAY_EVENTS.labels(gateway_name, "kept" if is_new else "repeated").inc()
        if is_new:
            await self._relay.hand_over_new(GatewayEvent, event_id, row["outbox"])
        return is_new

    def _tell_version(self, gateway_name: str, version: str, at: datetime) -> None:
        """An endpoint of another version may tell things in another shape: somebody should know, once an hour."""
        if self._told_version_at is None or at - self._told_version_at >= _TELL_AGAIN:
            self._told_version_at = at
            _log.warning("%s tells in version %r, which is not the one that is read here", gateway_name, version[:60])

    # --- by a worker ---

    async def settle(self, event_id: str) -> None:
        """See to one word. Raises `Failed` when its gateway does not answer, `NotYet` when it came before what it is about."""
        row = await GatewayEvent.find_row(event_id)
        if row is None or row.get("settled_at") is not None:
            return
        try:
            outcome = await self._outcome(row)
        except GatewayUnavailable as error:
            raise Failed(error.reason, retry_after_seconds=error.retry_after_seconds) from error
        except GatewayRefused as error:
            _log.warning("%s says no about %s: %s", row["gateway"], event_id, error.code)
            outcome = "refused"
        await GatewayEvent.settle(event_id, outcome, at=self._clock.now())
        figures.GATEWAY_EVENTS.labels(row["gateway"], outcome).inc()

    async def _outcome(self, row: Row) -> str:
        subject, gateway, object_id = row["subject"], row["gateway"], row["object_id"]
        if subject == Subject.OTHER:
            return "ignored"
        if subject == Subject.SUBSCRIPTION:
            return "ignored" if self._subscriptions is None else await self._subscriptions(gateway, object_id)
        settled = await self._settled(row)
        if settled is Settled.UNKNOWN:
            await self._wait_or_tell(row)
        await self._begin_subscription(gateway, object_id)
        if subject == Subject.DISPUTE and row["facts"].get("dispute_status"):
            await self._show_dispute(row)
        return settled.value

    async def _settled(self, row: Row) -> Settled:
        """Read anew what a word is about. Raises `GatewayRefused` where what it names does not belong together."""
        name, object_id = row["gateway"], row["object_id"]
        gateway = self._gateways.find(name)
        try:
            is_whole = gateway is None or await gateway.belongs(object_id, row["facts"])
        except GatewayRefused:
            self._wait(row)
            is_whole = True  # nobody says otherwise, and what is settled is read, not told
        if not is_whole:
            raise GatewayRefused("what it names does not belong together", code="mismatch")
        if gateway is not None and row["subject"] == Subject.REFUND:
            await self._look_at_refunds(name, object_id)
        return await self._settling.settle(name, object_id, key=row.get("key"))

    async def _begin_subscription(self, gateway: str, intent_id: str) -> None:
        """Whose first payment came is let in: the word about the subscription itself comes later, or gets lost."""
        payment = await Payment.find_by_intent(gateway, intent_id)
        subscription_id = None if payment is None else payment.get("subscription_id")
        if subscription_id is not None and self._begun is not None:
            await self._begun(subscription_id)

    async def _look_at_refunds(self, gateway: str, intent_id: str) -> None:
        payment = await Payment.find_by_intent(gateway, intent_id)
        if payment is not None and self._refunds is not None:
            await self._refunds(gateway, payment["_id"])

    async def _show_dispute(self, row: Row) -> None:
        """Some gateways tell of disputes and let nobody read them: then the word itself is shown to people, and moves nothing."""
        payment = await _disputed(row)
        if payment is not None:
            if row["facts"]["dispute_status"].lower() in _DISPUTE_OVER:
                await self._findings.mended("dispute", payment["_id"])
                return
            told = {"state": row["facts"]["dispute_status"], "event_id": row["_id"]}
            due = {"amount": payment["amount"], "currency": payment["currency"]}
            refs = {name: value for name, value in refs_of(payment).items() if value is not None}
            await self._findings.found("dispute", payment["_id"], refs=refs, facts={**told, **due})

    def _wait(self, row: Row) -> None:
        """What is not there yet may be there soon: raises `NotYet` while its word is young."""
        now = self._clock.now()
        if row["received_at"] + PATIENCE > now:
            raise NotYet(now + _PAUSE, "the payment is not known yet")

    async def _wait_or_tell(self, row: Row) -> None:
        """Nobody knows this payment: perhaps not yet, else somebody should look."""
        self._wait(row)
        refs = {"gateway": row["gateway"], "intent_id": row["object_id"], "event_id": row["_id"]}
        facts = {"event_type": row["type"]}
        await self._findings.found("unknown_payment", f"{row['gateway']}:{row['object_id']}", refs=refs, facts=facts)


async def _disputed(row: Row) -> Row | None:
    """The payment that a word about a dispute is of; where its checkout was paid several times the one that the word names."""
    rows = await Payment.find_of_checkout(row["gateway"], row["object_id"])
    named = row["facts"].get("transaction_id")
    return next(
        (one for one in rows if named is not None and one.get("transaction_id") == named), next(iter(rows), None)
    )


def _bounded(event_id: str) -> str:
    """An id that is no longer than ids are."""
    return event_id if len(event_id) <= _MAX_ID else hashlib.sha256(event_id.encode()).hexdigest()
