"""What a small Stripe holds, and what happens there without us: people pay, banks decline, dispute, and a desk pays back."""

from __future__ import annotations

import copy
import itertools
import json
import time
from collections.abc import Callable, Iterable
from typing import Any

from tests.servers.gateway_desk import Word
from tests.servers.stripe_events import signed_word

Thing = dict[str, Any]
SECONDS_OF = {"month": 30 * 86_400, "year": 365 * 86_400}
VERSION = "2026-10-28.endive"
WEBHOOK_SECRET = "whsec_test_secret"  # of no use outside the tests
CARD = "Xt5EWLLDS7FJjR1c"
"""The fingerprint of the card with which everybody pays."""


class NotThere(Exception):
    """Nothing has this id."""


class NotSo(Exception):
    """It cannot be done; `code` is Stripe's."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class StripeAccount:
    """Things by their ids, and the words about them that nobody has delivered yet."""

    def __init__(self, *, secret: str = WEBHOOK_SECRET, now: Callable[[], float] = time.time) -> None:
        self.secret, self._now = secret, now
        self.things: dict[str, Thing] = {}
        self._numbers = itertools.count(1)
        self._words: list[Thing] = []
        self.is_card_empty = False

    @property
    def now_seconds(self) -> int:
        return int(self._now())

    # --- for tests ---

    def words(self, *, secret: str | None = None) -> list[Word]:
        """All that happened since it was last asked, signed, in the order in which it happened."""
        told, self._words = self._words, []
        return [self.sign(event, secret=secret) for event in told]

    def sign(self, event: Thing, *, secret: str | None = None, at: int | None = None) -> Word:
        body = json.dumps(event, separators=(",", ":")).encode()
        return signed_word(body, secret or self.secret, self.now_seconds if at is None else at)

    def pay(self, intent_id: str, *, amount: int | None = None) -> str:
        """Somebody pays; the intent's id, whatever it was begun as."""
        thing = self.thing(intent_id)
        if thing["object"] == "checkout.session":
            return self._pay_session(thing)
        return self._charge(thing, amount)["payment_intent"]  # type: ignore[no-any-return]

    def decline(self, intent_id: str, *, code: str = "insufficient_funds") -> None:
        thing = self.thing(intent_id)
        intent = self._intent_of_session(thing) if thing["object"] == "checkout.session" else thing
        intent["last_payment_error"] = {"type": "card_error", "code": "card_declined", "decline_code": code}
        self.tell("payment_intent.payment_failed", intent)

    def refund_outside(self, intent_id: str, *, amount: int | None = None) -> Thing:
        """Somebody pays back at Stripe's own desk."""
        return self.refund({"payment_intent": self.intent_id_of(intent_id), **({"amount": amount} if amount else {})})

    def fail_refund(self, refund_id: str) -> None:
        """The bank sends a refund back, days later."""
        refund = self.thing(refund_id)
        refund["status"] = "failed"
        charge = self.thing(refund["charge"])
        charge["amount_refunded"] -= refund["amount"]
        charge["refunded"] = False
        self.tell("refund.failed", refund)

    def dispute(self, intent_id: str, *, status: str = "needs_response") -> str:
        intent = self.thing(self.intent_id_of(intent_id))
        charge = self.thing(intent["latest_charge"])
        charge["disputed"] = True
        fields = {"payment_intent": intent["id"], "charge": charge["id"], "status": status}
        dispute = self.make("dispute", "dp", amount=charge["amount"], currency=charge["currency"], **fields)
        self.tell("charge.dispute.created", dispute)
        return str(dispute["id"])

    def close_dispute(self, dispute_id: str, *, is_won: bool) -> None:
        dispute = self.thing(dispute_id)
        dispute["status"] = "won" if is_won else "lost"
        self.tell("charge.dispute.closed", dispute)

    def renew(self, subscription_id: str, *, is_paid: bool = True) -> str:
        """Its period is over: the next one is paid, or not. The intent's id."""
        subscription = self.thing(subscription_id)
        item = subscription["items"]["data"][0]
        if is_paid:
            length = SECONDS_OF[item["price"]["recurring"]["interval"]]
            item["current_period_start"], item["current_period_end"] = (
                item["current_period_end"],
                item["current_period_end"] + length,
            )
        subscription["status"] = "active" if is_paid else "past_due"
        invoice, intent = self._invoice(subscription, item["price"]["unit_amount"])
        if is_paid:
            self._paid(invoice, intent)
        else:
            self.decline(intent["id"])
            self.tell("invoice.payment_failed", invoice)
        self.tell("customer.subscription.updated", subscription)
        return str(intent["id"])

    def begin_period(self, subscription_id: str) -> None:
        """Its period is over, and the invoice of the next one is a draft for an hour: until then it is called active."""
        subscription = self.thing(subscription_id)
        item = subscription["items"]["data"][0]
        length, end = SECONDS_OF[item["price"]["recurring"]["interval"]], item["current_period_end"]
        item["current_period_start"], item["current_period_end"] = end, end + length
        invoice, _ = self._invoice(subscription, item["price"]["unit_amount"])
        invoice |= {"status": "draft", "billing_reason": "subscription_cycle", "created": end}

    def end(self, subscription_id: str) -> Thing:
        subscription = self.thing(subscription_id)
        subscription["status"], subscription["ended_at"] = "canceled", self.now_seconds
        self.tell("customer.subscription.deleted", subscription)
        return subscription

    # --- for requests ---

    def thing(self, thing_id: str) -> Thing:
        try:
            return self.things[thing_id]
        except KeyError:
            raise NotThere(thing_id) from None

    def all(self, kind: str, **fields: Any) -> list[Thing]:
        """Newest first."""
        found = [one for one in self.things.values() if one["object"] == kind]
        return [one for one in reversed(found) if all(one.get(name) == value for name, value in fields.items())]

    def make(self, kind: str, prefix: str, *, thing_id: str = "", **fields: Any) -> Thing:
        made: Thing = {"id": thing_id or f"{prefix}_fake{next(self._numbers):05d}", "object": kind}
        made |= {"created": self.now_seconds, "livemode": False, "metadata": {}, **fields}
        self.things[made["id"]] = made
        return made

    def _check_customer(self, form: Thing) -> None:
        if form.get("customer") is not None and form["customer"] not in self.things:
            raise NotSo("resource_missing")

    def make_intent(self, form: Thing) -> Thing:
        self._check_customer(form)
        fields: Thing = {name: form.get(name) for name in ("currency", "customer", "description")}
        amount = int(form["amount"])
        intent = self.make(
            "payment_intent", "pi", amount=amount, amount_received=0, metadata=form.get("metadata") or {}, **fields
        )
        return self._put(
            intent,
            status="requires_payment_method",
            latest_charge=None,
            last_payment_error=None,
            client_secret=f"{intent['id']}_secret_{'s' * 20}",
        )

    def make_session(self, form: Thing) -> Thing:
        self._check_customer(form)
        price = form["line_items"]["0"]["price_data"]
        session = self.make("checkout.session", "cs", metadata=form.get("metadata") or {}, asked=form)
        return self._put(
            session,
            mode=form["mode"],
            status="open",
            payment_status="unpaid",
            amount_total=int(price["unit_amount"]),
            currency=price["currency"],
            customer=form.get("customer"),
            payment_intent=None,
            subscription=None,
            url=f"https://checkout.stripe.test/c/pay/{session['id']}",
        )

    def expire_session(self, session: Thing) -> Thing:
        if session["status"] != "open":
            raise NotSo("session_not_open")
        session["status"] = "expired"
        self.tell("checkout.session.expired", session)
        return session

    def cancel_intent(self, intent: Thing) -> Thing:
        if intent["status"] in {"succeeded", "canceled"}:
            raise NotSo("payment_intent_unexpected_state")
        intent["status"] = "canceled"
        self.tell("payment_intent.canceled", intent)
        return intent

    def refund(self, form: Thing) -> Thing:
        intent = self.thing(form["payment_intent"])
        if intent["status"] != "succeeded":
            raise NotSo("charge_not_refundable")
        charge = self.thing(intent["latest_charge"])
        left = charge["amount"] - charge["amount_refunded"]
        amount = int(form.get("amount", left))
        if not 0 < amount <= left:
            raise NotSo("charge_already_refunded" if left == 0 else "refund_amount_too_large")
        charge["amount_refunded"] += amount
        charge["refunded"] = charge["amount_refunded"] == charge["amount"]
        fields = {"payment_intent": intent["id"], "charge": charge["id"], "status": "succeeded"}
        metadata = form.get("metadata") or {}
        made = self.make("refund", "re", amount=amount, currency=charge["currency"], metadata=metadata, **fields)
        self.tell("refund.created", made)
        self.tell("charge.refunded", charge)
        return made

    def change_subscription(self, subscription: Thing, form: Thing) -> Thing:
        """Another price, or an end at the period's end. What is left of the old price is not counted here."""
        if "cancel_at_period_end" in form:
            subscription["cancel_at_period_end"] = form["cancel_at_period_end"] == "true"
        if form.get("items") and self.is_card_empty and form.get("payment_behavior") == "error_if_incomplete":
            raise NotSo("card_declined")
        subscription["metadata"] |= form.get("metadata") or {}
        item = subscription["items"]["data"][0]
        for changed in (form.get("items") or {}).values():
            self.thing(changed["price_data"]["product"])
            item["price"] = self._price(changed["price_data"])
            item["current_period_start"] = self.now_seconds
            item["current_period_end"] = self.now_seconds + SECONDS_OF[item["price"]["recurring"]["interval"]]
            invoice, intent = self._invoice(subscription, item["price"]["unit_amount"])
            if self.is_card_empty:
                subscription["status"] = "past_due"
            else:
                self._paid(invoice, intent)
        self.tell("customer.subscription.updated", subscription)
        return subscription

    def intent_id_of(self, thing_id: str) -> str:
        thing = self.thing(thing_id)
        return str(thing["payment_intent"] if thing["object"] == "checkout.session" else thing["id"])

    def tell(self, event_type: str, about: Thing) -> Thing:
        """Keep a word about it, as it is at this moment."""
        number = next(self._numbers)
        shown = {name: value for name, value in about.items() if name != "asked"}
        event: Thing = {"id": f"evt_fake{number:05d}", "object": "event", "type": event_type, "api_version": VERSION}
        event |= {"livemode": False, "created": self.now_seconds, "data": {"object": copy.deepcopy(shown)}}
        self._words.append(event)
        return event

    # --- inside ---

    def _put(self, thing: Thing, **fields: Any) -> Thing:
        thing.update(fields)
        return thing

    def _charge(self, intent: Thing, amount: int | None = None) -> Thing:
        if intent["status"] in {"succeeded", "canceled"}:
            raise NotSo("payment_intent_unexpected_state")
        taken = intent["amount"] if amount is None else amount
        fields = {"currency": intent["currency"], "payment_intent": intent["id"], "amount_refunded": 0}
        means = {"type": "card", "card": {"brand": "visa", "last4": "4242", "fingerprint": CARD}}
        charge = self.make("charge", "ch", amount=taken, refunded=False, disputed=False, **fields)
        charge |= {"payment_method_details": means, "billing_details": {"email": "payer@private.example"}}
        self._put(intent, status="succeeded", amount_received=taken, latest_charge=charge["id"])
        self.tell("charge.succeeded", charge)
        self.tell("payment_intent.succeeded", intent)
        return charge

    def _intent_of_session(self, session: Thing) -> Thing:
        """Made once somebody tries."""
        if session["status"] == "expired":
            raise NotSo("session_not_open")
        if session["payment_intent"] is None:
            data = session["asked"].get("payment_intent_data") or {}
            form = {"amount": session["amount_total"], "currency": session["currency"], **data}
            session["payment_intent"] = self.make_intent(form)["id"]
        return self.thing(session["payment_intent"])

    def _pay_session(self, session: Thing) -> str:
        if session["mode"] == "subscription":
            intent_id = self._subscribe(session)
        else:
            intent_id = self._charge(self._intent_of_session(session))["payment_intent"]
        self._put(session, status="complete", payment_status="paid")
        self.tell("checkout.session.completed", session)
        return intent_id

    def _subscribe(self, session: Thing) -> str:
        price = self._price(session["asked"]["line_items"]["0"]["price_data"])
        ends = self.now_seconds + SECONDS_OF[price["recurring"]["interval"]]
        item: Thing = {"id": f"si_fake{next(self._numbers):05d}", "object": "subscription_item", "price": price}
        item |= {"current_period_start": self.now_seconds, "current_period_end": ends}
        metadata = dict((session["asked"].get("subscription_data") or {}).get("metadata") or {})
        items = {"object": "list", "data": [item], "has_more": False}
        fields = {"items": items, "customer": session["customer"], "cancel_at_period_end": False, "cancel_at": None}
        subscription = self.make("subscription", "sub", status="active", metadata=metadata, **fields)
        session["subscription"] = subscription["id"]
        self.tell("customer.subscription.created", subscription)
        invoice, intent = self._invoice(subscription, session["amount_total"])
        self._paid(invoice, intent)
        return str(intent["id"])

    def _price(self, data: Thing) -> Thing:
        amount, recurring = int(data["unit_amount"]), {"interval": data["recurring"]["interval"]}
        price: Thing = {"id": "price_fake", "object": "price", "unit_amount": amount, "recurring": recurring}
        return {**price, "currency": data["currency"]}

    def _invoice(self, subscription: Thing, amount: int) -> tuple[Thing, Thing]:
        currency = subscription["items"]["data"][0]["price"]["currency"]
        parent = {"type": "subscription_details", "subscription_details": {"subscription": subscription["id"]}}
        invoice = self.make("invoice", "in", status="open", subscription_id=subscription["id"], parent=parent)
        intent = self.make_intent({"amount": amount, "currency": currency})
        paid = {"type": "payment_intent", "payment_intent": intent["id"]}
        self.make("invoice_payment", "inpay", invoice=invoice["id"], payment=paid)
        return invoice, intent

    def _paid(self, invoice: Thing, intent: Thing) -> None:
        self._charge(intent)
        invoice["status"] = "paid"
        self.tell("invoice.paid", invoice)


def listed(rows: Iterable[Thing], *, has_more: bool = False, kind: str = "list") -> Thing:
    """A list of Stripe's."""
    return {"object": kind, "data": list(rows), "has_more": has_more, "url": "/v1"}
