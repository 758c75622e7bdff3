"""Subscriptions brought in line with what their gateways say, and with the time; and shown to those whose they are.

Who has reason to look calls the same: a word of the gateway, the sweep, a change that was just made. How they are begun is
`subscription_checkouts.py`, what their owners may change is `subscription_changes.py`.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime, timedelta

from documents.base import Row
from documents.payment import Payment
from documents.plan_subscription import PAID_FOR, PlanSubscription
from lms_rt.clock import Clock
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.base import Page, page_of
from lms_rt.contracts.gateways import GatewayRefused, GatewaySubscription, GatewayUnavailable, Renewing, is_reference
from lms_rt.contracts.outbox import Intent, Write
from lms_rt.contracts.plans import OwnSubscriptionQuery, SubscriptionQuery, SubscriptionView
from lms_rt.errors import Code, Refused
from lms_rt.gateways.payments.base import PaymentGateway
from lms_rt.security.permissions import Permission
from lms_rt.services.payments.access import Access
from lms_rt.services.payments.away import Away, LeftOut, NotSetUp
from lms_rt.services.payments.gateways import Gateways
from lms_rt.services.payments.plan_views import subscription_view
from lms_rt.services.payments.plans import require_payment_rights
from lms_rt.services.payments.renewals import subscription_id_of
from lms_rt.services.payments.settling import Settling
from lms_rt.services.payments.subscription_book import SubscriptionBook
from lms_rt.services.payments.subscription_findings import doubled, unasked, unended
from lms_rt.services.payments.subscription_moves import (
    Move,
    Told,
    by_gateway,
    by_time,
    closed_at,
    given_up_at,
    may_be_begun,
    paid_before_end,
)
from lms_rt.services.payments.subscription_payments import SubscriptionPayments
from lms_rt.services.payments.subscription_terms import checkouts_of, is_of, key_of, may_be_of

SWEEP_PAGE = 100
_AGAIN, _AGAIN_LATE = timedelta(hours=1), timedelta(hours=6)
"""When a gateway did not answer, it is asked again so much later; the latter of pages whose time is over."""
_MOST_MOVES = 3
"""More than time can do to a subscription at one look."""

Finish = Callable[[Row], Awaitable[None]]
"""Goes on with a change of plans that is under way."""

_log = logging.getLogger(__name__)


class PlanSubscriptions:
    """Subscriptions as they stand."""

    def __init__(
        self, *, clock: Clock, gateways: Gateways, book: SubscriptionBook, settling: Settling, access: Access
    ) -> None:
        self._clock, self._gateways, self._book = clock, gateways, book
        self._payments, self._access = SubscriptionPayments(gateways=gateways, settling=settling), access
        self._finish: Finish | None = None

    def changes_by(self, finish: Finish) -> None:
        """Let somebody go on with changes of plans whose answers were lost."""
        self._finish = finish

    # --- shown ---

    async def list_own(self, actor: Actor, query: OwnSubscriptionQuery) -> Page[SubscriptionView]:
        """The actor's own; those that were never paid for only when asked for."""
        return await self._page({"user_id": actor.user_id}, query)

    async def list(self, actor: Actor, query: SubscriptionQuery) -> Page[SubscriptionView]:
        """Everybody's."""
        require_payment_rights(actor)
        asked = {"user_id": query.user_id, "plan_id": query.plan_id}
        return await self._page({name: value for name, value in asked.items() if value is not None}, query)

    async def show(self, actor: Actor, subscription_id: str) -> SubscriptionView:
        """One of the actor's own; any, for who sees to payments."""
        return self.view(await require_subscription(actor, subscription_id))

    def view(self, row: Row) -> SubscriptionView:
        """As it is shown."""
        return subscription_view(row, grace_days=self._book.grace_days)

    async def _page(self, which: Row, query: OwnSubscriptionQuery) -> Page[SubscriptionView]:
        status = query.status or {"$in": list(PAID_FOR)}
        begun = {} if query.status else {"start_date": {"$exists": True}}
        rows, total = await PlanSubscription.page(
            {**which, "status": status, **begun}, skip=query.skip, limit=query.page_size
        )
        return page_of([self.view(row) for row in rows], query, total)

    # --- in line ---

    async def settle(self, gateway_name: str, gateway_subscription_id: str) -> str:
        """Read a subscription from its gateway and write down how it stands; a word for what came of it.

        Raises what the gateway raises.
        """
        gateway = self._gateways.find(gateway_name)
        if gateway is None:
            return "no_gateway"
        began = self._clock.now()
        read = await gateway.read_subscription(gateway_subscription_id)
        row = await self._find(gateway_name, read)
        if row is None:
            return "unknown" if is_reference(read.key) else "foreign"
        return await self._bring(row, gateway_name, read, began=began)

    async def _bring(self, row: Row, gateway_name: str, read: GatewaySubscription, *, began: datetime) -> str:
        """Bring one in line with what its gateway says, whichever of its checkouts it came of. The first counts."""
        after = await self.take(row["_id"], read, began=began, gateway=gateway_name)
        if not is_of(after, gateway_name, read):
            return await self._surplus(gateway_name, after, read)
        if row.get("gateway_subscription_id") is None:
            await self._close_others(row, read)
        if after["status"] == "active" and (row["status"], row["plan_id"]) != ("active", after["plan_id"]):
            await self.end_doubles(after)
        return "same" if after["revision"] == row["revision"] else "changed"

    async def take(
        self, subscription_id: str, read: GatewaySubscription, *, began: datetime, gateway: str | None = None
    ) -> Row:
        """Write down what was read; who began to read before what is written says nothing new.

        Until its `gateway` is known it may be another than the one that was asked last.
        """

        def decide(row: Row) -> Move | None:
            asked = gateway or row["gateway"]
            if not may_be_of(row, asked, read):
                return None
            if (newest := row.get("read_at")) is not None and newest > began:
                return None
            move = by_gateway(row, read, now=self._clock.now(), grace=self._book.grace)
            left = {"gateway": asked, "former": checkouts_of(row), "checkout_intent_id": None}
            moved = {} if asked == row["gateway"] else left
            return Move({**move.fields, **moved, "read_at": began}, move.told) if move.fields else None

        row = await self._book.write(subscription_id, decide)
        await self._payments.settle(gateway or row["gateway"], read)
        return await self._take_last(row, read) if read.state is Renewing.CANCELLED else row

    async def _take_last(self, row: Row, read: GatewaySubscription) -> Row:
        """What ended there may have been renewed before, unseen: a period that money came for is paid all the same."""
        if not is_of(row, row["gateway"], read):
            return row
        until = paid_before_end(row, read, await Payment.find_last_of_subscription(row["_id"]))

        def decide(present: Row) -> Move | None:
            end = present.get("end_date")
            if until is None or end is None or until <= end:
                return None
            return Move({"end_date": until}, (Told.ACCESS,))

        return await self._book.write(row["_id"], decide)

    async def take_done(self, subscription_id: str, read: GatewaySubscription, *, began: datetime) -> Row:
        """Write down what was done there just now, for somebody who asked for it.

        Another may have begun to read later, and have read it as it was before: then it is read once more.
        """
        row = await self.take(subscription_id, read, began=began)
        if (newest := row.get("read_at")) is None or newest <= began:
            return row
        began = self._clock.now()
        try:
            again = await self._gateways.named(row["gateway"]).read_subscription(read.subscription_id)
        except (GatewayRefused, GatewayUnavailable):
            return row  # by the next word, or look
        return await self.take(subscription_id, again, began=began)

    async def end_doubles(self, row: Row) -> None:
        """Nobody pays for a plan twice: of several that go on the oldest does, and a person is shown the others."""
        now = self._clock.now()
        live = await PlanSubscription.find_live(row["user_id"], row["plan_id"])
        for newer in [one for one in live if one["plan_id"] == row["plan_id"]][:-1]:
            _log.error("subscription %s is a second one of its plan", newer["_id"])
            ending = Move({"must_end": True, "check_at": now})
            told = doubled(
                newer, newer.get("gateway_subscription_id") or newer["_id"], Write(newer["version"] + 1, now)
            )
            await self._book.write(newer["_id"], lambda _, move=ending: move, beside=[told])  # type: ignore[misc]

    async def derive_access(self, subscription_id: str) -> None:
        """Bring what its owner learns by it in line. By a worker, after it moved."""
        row = await PlanSubscription.find_row(subscription_id)
        if row is not None:
            await self._access.derive_all(row["user_id"])

    # --- by the time ---

    async def sweep(self) -> int:
        """Look at all that are due, the longest due first; how many that were.

        Whoever fails is put off, and hinders no other; whom a gateway that is away was not asked about stays due.
        """
        seen, now, away = 0, self._clock.now(), Away()
        after: Row | None = None
        while due := await PlanSubscription.find_due(now, after=after, limit=SWEEP_PAGE):
            for row in due:
                await self._look_safely(row, away)
            seen, after = seen + len(due), due[-1]
        return seen

    async def look(self, row: Row, away: Away) -> None:
        """Ask its gateways how it stands, and let time do its part."""
        put_off, is_left_out = None, False
        try:
            await self._ask(row, away)
        except (GatewayUnavailable, GatewayRefused) as error:
            _log.warning("not all is said of subscription %s: %s", row["_id"], type(error).__name__)
            put_off, is_left_out = self._again_at(row), isinstance(error, LeftOut)
            if row.get("must_end") and isinstance(error, GatewayRefused):
                await self._tell_unended(row, error)
        for _ in range(_MOST_MOVES):
            present = await PlanSubscription.find_row(row["_id"])
            now = self._clock.now()
            if present is None or not by_time(present, now=now, grace=self._book.grace).fields:
                break
            await self._book.write(row["_id"], lambda one: by_time(one, now=self._clock.now(), grace=self._book.grace))
        if not is_left_out:
            await self._put_off(row["_id"], put_off)

    async def look_begun(self, subscription_id: str) -> Row | None:
        """Ask what came of the pages of one that has not begun; how it stands then.

        Raises `GatewayUnavailable` where that is not known yet: the sweep asks again. A page whose gateway is not in the
        settings can be asked of by nobody, and holds up nobody.
        """
        row = await PlanSubscription.find_row(subscription_id)
        if row is None or row.get("gateway_subscription_id") is not None:
            return row
        missed: GatewayUnavailable | None = None
        try:
            with suppress(GatewayRefused, NotSetUp):  # it knows no such page
                await self._ask(row, Away())
        except GatewayUnavailable as error:
            missed = error
        row = await PlanSubscription.find_row(subscription_id)
        if missed is not None and row is not None and row.get("gateway_subscription_id") is None:
            raise missed
        return row

    def _again_at(self, row: Row) -> datetime:
        now = self._clock.now()
        is_late = row.get("gateway_subscription_id") is None and now >= closed_at(row)
        return now + (_AGAIN_LATE if is_late else _AGAIN)

    async def _look_safely(self, row: Row, away: Away) -> None:
        try:
            await self.look(row, away)
        except Exception:  # noqa: BLE001 - the others are looked at all the same; this one again later
            _log.exception("subscription %s could not be looked at", row["_id"])
            await self._put_off(row["_id"], self._clock.now() + _AGAIN)

    async def _ask(self, row: Row, away: Away) -> None:
        """Of its pages, and of what is known of it: whatever comes of the former, the latter is asked all the same."""
        began, missed = self._clock.now(), None
        if row.get("gateway_subscription_id") is None or row.get("former"):
            missed = await self._ask_checkouts(row, away)
            row = await PlanSubscription.find_row(row["_id"]) or row
        gateway, known = self._gateways.find(row["gateway"]), row.get("gateway_subscription_id")
        if gateway is not None and known is not None:
            with away.asking(row["gateway"]):
                await self._ask_known(row, gateway, known, began)
        if missed is not None:
            raise missed

    async def _ask_known(self, row: Row, gateway: PaymentGateway, known: str, began: datetime) -> None:
        if row.get("must_end") and not row.get("is_ended_there"):
            ended = await gateway.cancel_subscription(known, at_period_end=False, key=f"{row['_id']}-end")
            await self.take(row["_id"], ended, began=began)
            return
        is_asked = row.get("next_price") is not None and not row.get("is_next_agreed")
        if is_asked and row["status"] == "active" and self._finish is not None:
            await self._finish(row)
            return
        await self.settle(row["gateway"], known)

    async def _ask_checkouts(self, row: Row, away: Away) -> GatewayRefused | GatewayUnavailable | None:
        """What came of its checkouts, the newest first, also of those that could not be closed; why not all is known.

        What could not be asked of by `given_up_at` is given up, and somebody is told.
        """
        if not may_be_begun(row) and not row.get("must_end"):
            return None
        now, unasked = self._clock.now(), set[str]()
        refused: GatewayRefused | None = None
        missed: GatewayRefused | GatewayUnavailable | None = None
        for page in checkouts_of(row)[::-1]:
            try:
                refused = await self._ask_checkout(row, page, now, away) or refused
            except (GatewayRefused, GatewayUnavailable) as error:  # the others are asked all the same
                missed = error if missed is None or isinstance(missed, LeftOut | NotSetUp) else missed
                unasked.add(page["gateway"])
        if now >= (closed_at(row) if missed is None else given_up_at(row)):
            beside = [self._unasked(row, name) for name in sorted(unasked)]
            await self._book.write(row["_id"], lambda present: _asked(present, row, now), beside=beside)
        return missed or refused

    async def _ask_checkout(self, row: Row, page: Row, now: datetime, away: Away) -> GatewayRefused | None:
        """Ask of one. That its gateway knows no such page, or does not close it, is an answer, too, and given back."""
        if (gateway := self._gateways.find(page["gateway"])) is None:
            raise NotSetUp("its gateway is not in the settings")
        is_late = row["status"] == "pending" and by_time(row, now=now, grace=self._book.grace).fields
        try:
            with away.asking(page["gateway"]):
                found = await gateway.find_subscription(key_of(row, page["attempt"]), page["intent_id"])
                if found is None and (is_late or row.get("must_end")):
                    await gateway.cancel_checkout(page["intent_id"])
        except GatewayRefused as error:
            return error
        if found is not None and found.subscription_id != row.get("gateway_subscription_id"):
            with away.asking(page["gateway"]):
                await self._bring(row, page["gateway"], found, began=now)
        return None

    async def _close_others(self, row: Row, read: GatewaySubscription) -> None:
        """Somebody went through with one checkout: nobody shall with another."""
        for page in checkouts_of(row)[::-1]:
            gateway = self._gateways.find(page["gateway"])
            if gateway is None or read.key in (None, key_of(row, page["attempt"])):
                continue
            try:
                await gateway.cancel_checkout(page["intent_id"])
            except (GatewayRefused, GatewayUnavailable) as error:
                _log.warning("a checkout of %s stays open: %s", row["_id"], type(error).__name__)

    async def _put_off(self, subscription_id: str, until: datetime | None) -> None:
        """Let it be looked at again at its time: what was due just now is not due any more."""
        row = await PlanSubscription.find_row(subscription_id)
        due = None if row is None else row.get("check_at")
        if row is None or due is None or due > self._clock.now():
            return
        await self._book.write(subscription_id, lambda one: self._later(one, until))

    def _later(self, row: Row, until: datetime | None) -> Move:
        from_now = self._book.check_of(row)
        is_sooner = until is not None and from_now is not None and until < from_now
        return Move({"check_at": until if is_sooner else from_now})

    # --- whose it is ---

    async def _find(self, gateway_name: str, read: GatewaySubscription) -> Row | None:
        row = await PlanSubscription.find_at_gateway(gateway_name, read.subscription_id)
        if row is not None:
            return row
        own_id = subscription_id_of(read.key)
        return None if own_id is None else await PlanSubscription.find_row(own_id)

    async def _surplus(self, gateway_name: str, row: Row, read: GatewaySubscription) -> str:
        """Somebody went through with two checkouts of one subscription: the second is ended, so that nobody pays twice."""
        _log.error("subscription %s was begun twice, now at %s", row["_id"], gateway_name)
        await self._book.tell(
            row["_id"], [doubled(row, read.subscription_id, Write(row["version"], self._clock.now()))]
        )
        if read.state in (Renewing.CANCELLED, Renewing.EXPIRED):
            return "surplus"
        await self._gateways.named(gateway_name).cancel_subscription(
            read.subscription_id, at_period_end=False, key=f"{row['_id']}-surplus"
        )
        return "surplus"

    async def _tell_unended(self, row: Row, refused: GatewayRefused) -> None:
        if (await PlanSubscription.find_row(row["_id"]) or row).get("is_ended_there"):
            return  # what was refused was about a page that it left
        await self._book.tell(row["_id"], [unended(row, refused.code, self._clock.now())])

    def _unasked(self, row: Row, gateway: str) -> Intent:
        _log.error("checkouts of subscription %s at %s are given up unasked", row["_id"], gateway)
        return unasked(row, gateway, Write(row["version"] + 1, self._clock.now()))


def _asked(present: Row, row: Row, at: datetime) -> Move | None:
    """All its checkouts were asked of, unless it has others by now or was to be asked again meanwhile."""
    is_same = present.get("check_at") == row.get("check_at") and checkouts_of(present) == checkouts_of(row)
    return Move({"asked_at": at}) if is_same and may_be_begun(present) else None


async def require_subscription(actor: Actor, subscription_id: str) -> Row:
    """The subscription, for its owner and for who sees to payments."""
    if actor.has_permission(Permission.PAYMENTS_MANAGE):
        row = await PlanSubscription.find_row(subscription_id)
    else:
        row = await PlanSubscription.find_row(subscription_id, user_id=actor.user_id)
    if row is None:
        raise Refused(Code.NOT_FOUND)
    return row
