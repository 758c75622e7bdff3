"""Beginning to subscribe: the subscription is kept before its gateway is asked, and is `pending` until something was paid.

Two tabs and double clicks meet one: a person has one open subscription of a plan at most. Who comes back to a checkout with
another gateway, or to another price, gets a new one, and the old one is closed.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from config.settings import Settings
from documents.base import Row
from documents.plan import Plan
from documents.plan_subscription import PlanSubscription
from lms_rt.clock import Clock
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.base import encode
from lms_rt.contracts.gateways import (
    CheckoutStarted,
    GatewayRefused,
    GatewayUnavailable,
    Money,
    RecurringPrice,
    SubscriptionWish,
)
from lms_rt.contracts.json_reader import parse_json
from lms_rt.contracts.plans import SubscriptionDraft, SubscriptionStartedView
from lms_rt.errors import Code, FieldError, Refused, invalid
from lms_rt.gateways.payments.base import PaymentGateway
from lms_rt.ids import new_id
from lms_rt.security.sealing import Sealer, Unsealable
from lms_rt.services.contended import until_written
from lms_rt.services.payments.checkout_starting import payer_of, places_of
from lms_rt.services.payments.customers import keep_customer
from lms_rt.services.payments.gateways import Gateways
from lms_rt.services.payments.plan_views import subscription_view
from lms_rt.services.payments.pricing import Priced, Pricing
from lms_rt.services.payments.subscription_moves import LATE, PENDING_FOR
from lms_rt.services.payments.subscription_terms import checkouts_of, key_of

_PLACES = ("country", "address_country")
_CLIENT = ("client_secret", "publishable_key", "redirect_url", "iframe_url")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Begun:
    """What the client needs to pay, and whether the subscription is new."""

    view: SubscriptionStartedView
    is_new: bool


class SubscriptionCheckouts:
    """Begins subscriptions."""

    def __init__(
        self, *, settings: Settings, clock: Clock, gateways: Gateways, pricing: Pricing, sealer: Sealer
    ) -> None:
        self._settings, self._clock, self._gateways = settings, clock, gateways
        self._pricing, self._sealer = pricing, sealer

    async def start(self, actor: Actor, draft: SubscriptionDraft, *, seen_country: str | None = None) -> Begun:
        """What the client needs to pay for a plan. Nothing is granted by it.

        `seen_country` is where the buyer's network address is, if that is known: it is kept, and decides nothing.
        """
        plan = await Plan.find_row(draft.plan_id)
        if plan is None or not plan["is_active"]:
            raise invalid("plan_id", "There is no plan with this id to subscribe to.", "unknown")
        gateway = self._gateway(draft.gateway, plan, draft.country)
        priced = await self._pricing.of_plan(plan, country=draft.country)
        fields = self._fields(plan, priced, draft)
        row, is_new = await until_written(lambda: self._opened(actor, plan, fields, seen_country))
        if (kept := self._kept(row)) is None:
            kept = await self._begin(actor, gateway, row)
        view = subscription_view(row, grace_days=self._settings.subscription_grace_days)
        told = SubscriptionStartedView(subscription_id=row["_id"], gateway=row["gateway"], subscription=view, **kept)
        return Begun(told, is_new)

    def _gateway(self, name: str, plan: Row, country: str | None) -> PaymentGateway:
        gateway = self._gateways.named(name)
        if not gateway.has_subscriptions or not self._gateways.takes(gateway, plan["currency"], country):
            raise invalid("gateway", "This plan cannot be paid by this gateway.", "gateway")
        return gateway

    def _fields(self, plan: Row, priced: Priced, draft: SubscriptionDraft) -> dict[str, Any]:
        """What is promised: copied, so that no later change of the plan or of a tax touches it."""
        return {**promised(plan, priced), "gateway": draft.gateway, "country": draft.country}

    async def _opened(
        self, actor: Actor, plan: Row, fields: dict[str, Any], seen_country: str | None
    ) -> tuple[Row, bool] | None:
        """The one pending subscription of this person and plan, at this gateway and price, and whether it is new.

        None: somebody was first.
        """
        open_key = f"{actor.user_id}:{plan['_id']}"
        await self._refuse_twice(actor, plan)
        row = await PlanSubscription.find_open(open_key)
        now = self._clock.now()
        await PlanSubscription.end_expired(actor.user_id, plan["_id"], now)
        if row is not None and row["status"] != "pending":
            return None  # it was paid just now: refused at the next look
        if row is not None and row.get("first_key") is not None:
            raise has_money(row)
        if row is None:
            told = {**fields, "address_country": seen_country}
            given = {name: value for name, value in told.items() if value is not None}
            fresh = {"_id": new_id("sub"), "user_id": actor.user_id, "open_key": open_key, "attempt": 1}
            state = {"status": "pending", "revision": 1, "version": 1, "check_at": now + LATE, "outbox": []}
            made = {**given, **fresh, **state, "created_at": now, "updated_at": now}
            return (made, True) if await PlanSubscription.add(made) else None
        is_same = all(row.get(name) == value for name, value in fields.items())
        if is_same and row["created_at"] + PENDING_FOR - timedelta(minutes=5) > now:
            return row, False
        await self._close(row)
        again = {
            **fields,
            "address_country": seen_country,
            "attempt": row["attempt"] + 1,
            "checkout": None,
            "checkout_intent_id": None,
            "former": checkouts_of(row),
            "created_at": now,
        }
        await PlanSubscription.move(row, again, at=now)
        return None

    async def _refuse_twice(self, actor: Actor, plan: Row) -> None:
        if found := await PlanSubscription.find_live(actor.user_id, plan["_id"], limit=1):
            raise _has_subscribed(found[0])

    async def _close(self, row: Row) -> None:
        """Nobody shall pay at the old one any more. Where that cannot be, a second one is found and ended later."""
        gateway, intent_id = self._gateways.find(row["gateway"]), row.get("checkout_intent_id")
        if gateway is None or intent_id is None:
            return
        try:
            await gateway.cancel_checkout(intent_id)
        except (GatewayRefused, GatewayUnavailable) as error:
            _log.warning("a checkout of %s stays open: %s", row["_id"], type(error).__name__)

    def _kept(self, row: Row) -> dict[str, str] | None:
        """What the gateway gave the first time."""
        if (sealed := row.get("checkout")) is None:
            return None
        try:
            client: dict[str, str] = parse_json(self._sealer.unseal(sealed, owner=row["_id"]).encode())
        except Unsealable:
            return None
        return client

    async def _begin(self, actor: Actor, gateway: PaymentGateway, row: Row) -> dict[str, str]:
        started = await self._asked(gateway, wish := await self._wish(actor, row))
        client = {name: text for name, text in started.client.items() if name in _CLIENT}
        sealed = self._sealer.seal(encode(client).decode(), owner=row["_id"])

        async def step() -> Row | None:
            present, now = await PlanSubscription.find_row(row["_id"]), self._clock.now()
            if present is None:
                return row
            is_closing = _is_closing(present)
            fields: dict[str, Any] = {
                "checkout": None if is_closing else sealed,
                "checkout_intent_id": started.intent_id,
            }
            if present["attempt"] != row["attempt"] or present["status"] != "pending":
                # it went on meanwhile; who was given this page may pay there all the same
                page = {"former": present.get("former", []), "checkout_intent_id": started.intent_id}
                places = dict.fromkeys(_PLACES) if is_closing else {}
                fields = {"former": checkouts_of({**row, **page, **places}), "check_at": now + LATE}
            is_written = await PlanSubscription.move(present, {**fields, "begun_at": now}, at=now)
            return present if is_written else None

        present = await until_written(step)
        if not present.get("must_end"):
            await keep_customer(row["gateway"], wish.payer, started, at=self._clock.now())
        if _is_closing(present):
            if present.get("first_key") != wish.key:
                await self._close({**row, "checkout_intent_id": started.intent_id})
            raise has_money(row)
        return client

    async def _asked(self, gateway: PaymentGateway, wish: SubscriptionWish) -> CheckoutStarted:
        try:
            return await gateway.start_subscription(wish)
        except GatewayRefused as refused:
            _log.warning("%s began no subscription: %s", gateway.name, refused.code)
            raise invalid("gateway", "This plan cannot be paid by this gateway.", "gateway") from None
        except GatewayUnavailable as away:
            words = "The gateway does not answer; nothing was paid. Try again."
            raise Refused(Code.UNAVAILABLE, words, retry_after_seconds=away.retry_after_seconds or 5) from None

    async def _wish(self, actor: Actor, row: Row) -> SubscriptionWish:
        payer = await payer_of(actor.user_id, row["gateway"], country=row.get("country"))
        places = places_of(self._settings, row["gateway"], "/payments")
        return SubscriptionWish(key_of(row, row["attempt"]), row["_id"], recurring(row), payer, places)


def _is_closing(row: Row) -> bool:
    """Shall nobody pay for it any more? It has money already, or its owner is gone."""
    return bool(row.get("must_end")) or row.get("first_key") is not None


def has_money(row: Row) -> Refused:
    """Its money was heard of before it was. That may be held, or have gone back: that it has begun nobody can say yet."""
    words = "A payment for this plan has arrived and is being looked into. Please do not pay again."
    fault = FieldError("plan_id", words, "money_came")
    return Refused(Code.CONFLICT, words, fields=(fault,), subscription_id=row["_id"])


def _has_subscribed(row: Row) -> Refused:
    return Refused(Code.CONFLICT, "You have subscribed to this plan already.", subscription_id=row["_id"])


def promised(plan: Row, priced: Priced) -> dict[str, Any]:
    """What a subscription keeps of its plan and its price."""
    return {
        "plan_id": plan["_id"],
        "plan_name": plan["plan_name"],
        "interval": plan["interval"],
        "course_ids": list(plan.get("course_ids") or []),
        "is_for_all": bool(plan.get("is_for_all")),
        "list_amount": priced.list_amount,
        "tax_basis_points": priced.tax_basis_points,
        "tax_amount": priced.tax_amount,
        "is_tax_included": priced.is_tax_included,
        "amount": priced.amount,
        "currency": priced.currency,
        "tax_name": priced.tax_name,
        "tax_country": priced.tax_country,
    }


def recurring(row: Row) -> RecurringPrice:
    """What it costs, as gateways want to know it."""
    money = Money(row["amount"], row["currency"])
    return RecurringPrice(row["plan_id"], row["plan_name"], money, row["interval"])
