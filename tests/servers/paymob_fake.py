"""A small Paymob on a real socket, made after its documentation: intentions, orders, transactions, refunds, voids, subscriptions.

It keeps no idempotency keys and takes a reference once, as the real one. Its signatures are written apart from the product's.
"""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.servers.gateway_desk import PRIVATE, Asked, Desk, No, Thing, Word, answering

SECRET_KEY, PUBLIC_KEY, API_KEY = "egy_sk_test_fake", "egy_pk_test_fake", "api_key_fake"
HMAC_SECRET = "sim_hmac_secret"  # of no use outside the tests
CARD, WALLET, THREE_D_SECURE, MOTO = 1001, 1002, 1003, 1004
_SIGNED = (
    *("amount_cents", "created_at", "currency", "error_occured", "has_parent_transaction", "id", "integration_id"),
    *(
        "is_3d_secure",
        "is_auth",
        "is_capture",
        "is_refunded",
        "is_standalone_payment",
        "is_voided",
        "order.id",
        "owner",
    ),
    *("pending", "source_data.pan", "source_data.sub_type", "source_data.type", "success"),
)


def hashed(text: str, secret: str = HMAC_SECRET) -> str:
    return hmac.new(secret.encode(), text.encode(), hashlib.sha512).hexdigest()


def joined(transaction: Thing) -> str:
    """What is signed of a transaction."""
    values = []
    for name in _SIGNED:
        value: Any = transaction
        for step in name.split("."):
            value = value[step]
        values.append("" if value is None else json.dumps(value) if isinstance(value, bool | int) else value)
    return "".join(values)


class PaymobFake(Desk):
    """The account. `orders` by number, `tries` are all transactions."""

    def __init__(self) -> None:
        super().__init__()
        self.orders: dict[int, Thing] = {}
        self.tries: dict[int, Thing] = {}
        self.plans: dict[int, Thing] = {}
        self.subscriptions: dict[int, Thing] = {}
        self.tokens: set[str] = set()
        self.can_void = self.has_list = self.list_hears = True
        self._numbers = itertools.count(700_001)

    # --- for tests ---

    def pay(self, intent_id: str, *, amount: int | None = None, pending: bool = False, kind: str = "card") -> str:
        """Somebody pays an order; the transaction's number."""
        order = self.orders[int(intent_id)]
        made = self._try(
            order, amount_cents=amount or order["amount_cents"], success=not pending, pending=pending, kind=kind
        )
        if not pending:
            self._took(order, made)
        return str(made["id"])

    def finish(self, transaction_id: str) -> None:
        """A payment that was pending goes through."""
        made = self.tries[int(transaction_id)]
        made |= {"success": True, "pending": False}
        self._took(self.orders[made["order"]["id"]], made)

    def decline(self, intent_id: str) -> str:
        made = self._try(self.orders[int(intent_id)], data={"txn_response_code": "DECLINED", "message": PRIVATE})
        return str(made["id"])

    def refund_outside(self, intent_id: str, *, amount: int | None = None) -> Thing:
        """Somebody pays back at Paymob's own desk."""
        paid = next(one for one in self._of(int(intent_id)) if one["success"] and not one["is_refund"])
        return self._refund(paid, amount or paid["amount_cents"])

    def renew(self, subscription_id: str, *, is_paid: bool = True) -> str:
        """The next payment of a subscription is drawn, or is not; the order's number."""
        one = self.subscriptions[int(subscription_id)]
        order = self._order(None, one["amount_cents"], "EGP", MOTO)
        facts = {"api_source": "SUBSCRIPTION", "source_id": one["id"], "success": is_paid}
        made = self._try(order, amount_cents=one["amount_cents"], **facts)
        if is_paid:
            self._took(order, made)
            end = datetime.fromisoformat(one["next_billing"]) + timedelta(days=one["frequency"])
            one["next_billing"] = end.date().isoformat()
        self._tell_subscription(one, "Successful Transaction" if is_paid else "Failed Transaction")
        return str(order["id"])

    def tell(self, transaction: Thing, *, secret: str = HMAC_SECRET) -> Word:
        """A callback about a transaction, signed."""
        body = json.dumps({"type": "TRANSACTION", "obj": transaction}).encode()
        word = Word({"Content-Type": "application/json"}, {"hmac": hashed(joined(transaction), secret)}, body)
        self._words.append(word)
        return word

    def elsewhere(self, number: int, reference: str | None, amount: int) -> Thing:
        """Another shop of the same account, at the same till, asks for money."""
        order = self._order(reference, amount, "EGP", CARD)
        del self.orders[order["id"]]
        self.orders[number] = {**order, "id": number}
        return self.orders[number]

    def next_number(self) -> int:
        return next(self._numbers)

    def way_back(self, transaction_id: str) -> dict[str, str]:
        """The address by which the payer's browser comes back."""
        made = self.tries[int(transaction_id)]
        flat = {name: made[name] for name in _SIGNED if "." not in name}
        flat |= {f"source_data.{name}": made["source_data"][name] for name in ("pan", "sub_type", "type")}
        shown = {name: json.dumps(value) if isinstance(value, bool) else str(value) for name, value in flat.items()}
        return {**shown, "order": str(made["order"]["id"]), "hmac": hashed(joined(made))}

    # --- what it does ---

    def carry_out(self, asked: Asked) -> Any:
        for method, pattern, answer in _ROUTES:
            found = re.fullmatch(pattern, asked.path.strip("/"))
            if method == asked.method and found is not None:
                self._let_in(asked)
                return answer(self, asked, *found.groups())
        raise No(404, {"detail": "Not found."})

    def error_within(self) -> Any:
        return {"detail": f"not for {PRIVATE}"}

    def _let_in(self, asked: Asked) -> None:
        path, told = asked.path.strip("/"), asked.headers.get("authorization", "")
        has_secret = told == f"Token {SECRET_KEY}"
        has_token = told.removeprefix("Bearer ") in self.tokens
        is_legacy = path in {"api/ecommerce/orders", "api/acceptance/payment_keys"}
        is_open = path == "api/auth/tokens" or (is_legacy and asked.body.get("auth_token") in self.tokens)
        needs_secret = path.startswith(("v1/", "api/acceptance/void_refund"))
        if not (is_open or (has_secret if needs_secret else has_token)):
            raise No(401, {"detail": "incorrect credentials"})

    def _token(self, asked: Asked) -> Thing:
        if asked.body != {"api_key": API_KEY}:
            raise No(403, {"detail": "incorrect credentials"})
        token = f"token-{len(self.tokens)}"
        self.tokens.add(token)
        return {"token": token, "profile": {"id": 500_001}}

    def _order(self, reference: str | None, amount: int, currency: str, integration: int) -> Thing:
        if reference is not None and any(one["merchant_order_id"] == reference for one in self.orders.values()):
            raise No(400, {"special_reference": [f"{reference} of {PRIVATE} is taken"]})
        number = next(self._numbers)
        self.orders[number] = {
            "id": number,
            "merchant_order_id": reference,
            "amount_cents": amount,
            "currency": currency,
            "paid_amount_cents": 0,
            "integration": integration,
        }
        return self.orders[number]

    def _intention(self, asked: Asked) -> Thing:
        told = asked.body
        if sum(item["amount"] * item["quantity"] for item in told["items"]) != told["amount"]:
            raise No(400, {"items": ["unmatched_item_prices"]})
        if not {"first_name", "last_name", "phone_number", "email"} <= told["billing_data"].keys():
            raise No(400, {"billing_data": ["This field is required."]})
        if not set(told["payment_methods"]) <= {CARD, WALLET, THREE_D_SECURE}:
            raise No(404, {"detail": "Integration ID does not exist"})
        order = self._order(told["special_reference"], told["amount"], told["currency"], told["payment_methods"][0])
        order["plan"] = told.get("subscription_plan_id")
        return {
            "id": f"pi_test_{order['id']}",
            "client_secret": f"egy_csk_test_{order['id']}",
            "intention_order_id": order["id"],
            "intention_detail": {"amount": told["amount"]},
            "status": "intended",
            "special_reference": told["special_reference"],
        }

    def _legacy_order(self, asked: Asked) -> Thing:
        told = asked.body
        return self._order(told["merchant_order_id"], told["amount_cents"], told["currency"], CARD)

    def _try(self, order: Thing, *, kind: str = "card", **facts: Any) -> Thing:
        number = next(self._numbers)
        made: Thing = {
            "id": number,
            "pending": False,
            "amount_cents": order["amount_cents"],
            "success": False,
            **dict.fromkeys(("is_auth", "is_capture", "is_voided", "is_refunded", "is_void", "is_refund"), False),
            "is_standalone_payment": True,
            "is_3d_secure": True,
            "is_settled": False,
            "integration_id": order["integration"],
            "has_parent_transaction": False,
            "parent_transaction": None,
            "order": {name: value for name, value in order.items() if name not in {"plan", "integration"}},
            "created_at": "2026-08-14T12:00:00.000000",
            "currency": order["currency"],
            "error_occured": False,
            "refunded_amount_cents": 0,
            "owner": 500_001,
            "source_data": {"pan": "0010", "sub_type": "Visa" if kind == "card" else "VodafoneCash", "type": kind},
            "data": {"message": PRIVATE},
            **facts,
        }
        self.tries[number] = made
        if facts.get("success") is not True:
            self.tell(made)
        return made

    def _took(self, order: Thing, made: Thing) -> None:
        order["paid_amount_cents"] += made["amount_cents"]
        made["order"]["paid_amount_cents"] = order["paid_amount_cents"]
        self.tell(made)
        if order.get("plan") is not None:
            self._subscribe(order, made)

    def _of(self, order_id: int) -> list[Thing]:
        return [one for one in self.tries.values() if one["order"]["id"] == order_id]

    def _inquiry(self, asked: Asked) -> Thing:
        told = asked.body
        tries = [
            one
            for one in self.tries.values()
            if str(one["order"]["id"]) == told.get("order_id")
            or (told.get("merchant_order_id") and one["order"]["merchant_order_id"] == told["merchant_order_id"])
        ]
        if not tries:
            raise No(404, {"detail": "Not found."})
        return tries[-1]

    def _list(self, asked: Asked) -> Thing:
        """In pages of two, the newest first; the order of each as its number alone."""
        if not self.has_list:
            raise No(403, {"detail": f"You do not have permission, {PRIVATE}."})
        asked_for = self._of(int(asked.query["order_id"])) if self.list_hears else self.tries.values()
        rows = [{**one, "order": one["order"]["id"]} for one in reversed(list(asked_for))]
        begin = 2 * (int(asked.query.get("page", 1)) - 1)
        return {"results": rows[begin : begin + 2], "next": "…" if len(rows) > begin + 2 else None}

    def _transaction(self, _asked: Asked, number: str) -> Thing:
        if int(number) not in self.tries:
            raise No(404, {"detail": "Not found."})
        return self.tries[int(number)]

    def _refund(self, paid: Thing, amount: int, *, is_void: bool = False) -> Thing:
        if not 0 < amount <= paid["amount_cents"] - paid["refunded_amount_cents"] or paid["is_voided"]:
            raise No(400, {"amount_cents": [f"more than is left for {PRIVATE}"]})
        if is_void:
            paid["is_voided"] = True
        else:
            paid["refunded_amount_cents"] += amount
            paid["is_refunded"] = True
        facts: Thing = {"is_void": is_void, "is_refund": not is_void, "amount_cents": amount, "success": True}
        order = self.orders[paid["order"]["id"]]
        child = self._try(order, **facts, has_parent_transaction=True, parent_transaction=paid["id"])
        self.tell(child)
        return child

    def _pay_back(self, asked: Asked) -> Thing:
        return self._refund(self._transaction(asked, str(asked.body["transaction_id"])), asked.body["amount_cents"])

    def _void(self, asked: Asked) -> Thing:
        paid = self._transaction(asked, str(asked.body["transaction_id"]))
        if not self.can_void or paid["refunded_amount_cents"] or paid["source_data"]["type"] != "card":
            raise No(400, {"message": "This transaction cannot be voided"})
        return self._refund(paid, paid["amount_cents"], is_void=True)

    # --- subscriptions ---

    def _plan(self, asked: Asked) -> Thing:
        number = next(self._numbers)
        if asked.body["frequency"] not in {7, 15, 30, 60, 90, 180, 360} or asked.body["integration"] != MOTO:
            raise No(400, {"frequency": ["not a valid choice"]})
        self.plans[number] = {"id": number, **asked.body}
        return self.plans[number]

    def _subscribe(self, order: Thing, paid: Thing) -> None:
        number, plan = next(self._numbers), self.plans[order["plan"]]
        today = datetime.now(UTC).date()
        self.subscriptions[number] = {
            "id": number,
            "client_info": {"email": PRIVATE},
            "frequency": plan["frequency"],
            "plan_id": plan["id"],
            "state": "active",
            "amount_cents": plan["amount_cents"],
            "starts_at": today.isoformat(),
            "next_billing": (today + timedelta(days=plan["frequency"])).isoformat(),
            "initial_transaction": paid["id"],
        }
        self._tell_subscription(self.subscriptions[number], "Subscription Created")

    def _tell_subscription(self, one: Thing, trigger: str) -> None:
        told = {
            "paymob_request_id": f"request-{next(self._numbers)}",
            "subscription_data": one,
            "trigger_type": trigger,
            "hmac": hashed(f"{trigger}for{one['id']}"),
        }
        self._words.append(Word({}, {}, json.dumps(told).encode()))

    def _subscription(self, asked: Asked, number: str) -> Thing:
        one = self.subscriptions.get(int(number))
        if one is None:
            raise No(404, {"detail": "Not found."})
        if asked.method == "PUT":
            one |= asked.body
            self._tell_subscription(one, "updated")
        return one

    def _drawn(self, asked: Asked, number: str) -> Thing:
        """The newest first, ten a page."""
        rows = [
            {**one, "order": one["order"]["id"]} for one in self.tries.values() if one.get("source_id") == int(number)
        ][::-1]
        end = 10 * int(asked.query.get("page", "1"))
        return {"next": "more" if len(rows) > end else None, "previous": None, "results": rows[end - 10 : end]}

    def _stop(self, asked: Asked, number: str, verb: str) -> Thing:
        one = self._subscription(asked, number)
        one["state"] = {"suspend": "suspended", "resume": "active", "cancel": "canceled"}[verb]
        self._tell_subscription(one, one["state"])
        return one

    def _begun_by(self, asked: Asked) -> Thing:
        rows = [
            one for one in self.subscriptions.values() if str(one["initial_transaction"]) == asked.query["transaction"]
        ]
        return {"results": rows}


_ROUTES: list[tuple[str, str, Callable[..., Any]]] = [
    ("POST", "api/auth/tokens", PaymobFake._token),
    ("POST", "v1/intention", PaymobFake._intention),
    ("POST", "api/ecommerce/orders", PaymobFake._legacy_order),
    ("POST", "api/acceptance/payment_keys", lambda _, asked: {"token": f"key-{asked.body['order_id']}"}),
    ("POST", "api/ecommerce/orders/transaction_inquiry", PaymobFake._inquiry),
    ("GET", "api/acceptance/transactions", PaymobFake._list),
    ("GET", "api/acceptance/transactions/([0-9]+)", PaymobFake._transaction),
    ("POST", "api/acceptance/void_refund/refund", PaymobFake._pay_back),
    ("POST", "api/acceptance/void_refund/void", PaymobFake._void),
    ("GET", "api/acceptance/subscription-plans", lambda fake, _: {"results": list(fake.plans.values()), "next": None}),
    ("POST", "api/acceptance/subscription-plans", PaymobFake._plan),
    ("GET", "api/acceptance/subscriptions", PaymobFake._begun_by),
    ("GET", "api/acceptance/subscriptions/([0-9]+)", PaymobFake._subscription),
    ("PUT", "api/acceptance/subscriptions/([0-9]+)", PaymobFake._subscription),
    ("GET", "api/acceptance/subscriptions/([0-9]+)/transactions", PaymobFake._drawn),
    ("POST", "api/acceptance/subscriptions/([0-9]+)/(suspend|resume|cancel)", PaymobFake._stop),
]


@asynccontextmanager
async def paymob_running() -> AsyncIterator[PaymobFake]:
    """It answers at a free port of 127.0.0.1 while the body runs."""
    async with answering(PaymobFake()) as fake:
        yield fake
