"""A small Stripe on a real socket: what it is asked is carried out and kept, once for each idempotency key.

What happens there besides is `stripe_account.py`. It judges no parameter: stripe-mock does.
"""

from __future__ import annotations

import asyncio
import copy
import json
import re
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import parse_qsl

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

from tests.servers.stripe_account import NotSo, NotThere, StripeAccount, Thing, listed

API_KEY = "sk_test_fake"
Fault = Literal["slow", "down", "html", "html200", "error200", "busy", "lost", "keys"]
"""slow: no answer; down: the line breaks before, lost: after it was carried out; html: 502; busy: 429; keys: 401."""


@dataclass(frozen=True)
class Asked:
    """One request as it came."""

    method: str
    path: str
    form: Thing
    headers: dict[str, str]
    sent: str
    """The form as it was written: the body, or the query."""


class StripeFake(StripeAccount):
    """The account, and who asked for what."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.asked: list[Asked] = []
        self.address = ""
        self._faults: deque[Fault] = deque()
        self._kept: dict[str, tuple[Thing, int, Thing]] = {}
        self.is_over = asyncio.Event()

    def fail_next(self, *faults: Fault) -> None:
        """So go the next requests."""
        self._faults.extend(faults)

    def next_fault(self) -> Fault | None:
        return self._faults.popleft() if self._faults else None

    def forget_keys(self) -> None:
        """As after a day."""
        self._kept.clear()

    def kinds(self) -> tuple[set[int], set[int]]:
        """Which rows of the table were asked for, and all of them."""
        rows = [
            number
            for asked in self.asked
            for number, (method, pattern, _) in enumerate(_ROUTES)
            if method == asked.method and re.fullmatch(pattern, asked.path)
        ]
        return set(rows), set(range(len(_ROUTES)))

    def carry_out(self, asked: Asked) -> tuple[int, Thing]:
        """The answer, the same again for the same key."""
        key = asked.headers.get("idempotency-key")
        if asked.method != "POST" or key is None:
            return self._answer(asked)
        if key in self._kept:
            form, status, told = self._kept[key]
            same = form == {"path": asked.path, **asked.form}
            return (status, told) if same else (400, _error("idempotency_error", "idempotency_key_in_use"))
        status, told = self._answer(asked)
        if status < 400:
            self._kept[key] = ({"path": asked.path, **asked.form}, status, copy.deepcopy(told))
        return status, told

    def _answer(self, asked: Asked) -> tuple[int, Thing]:
        for method, pattern, answer in _ROUTES:
            found = re.fullmatch(pattern, asked.path)
            if method == asked.method and found is not None:
                try:
                    told = answer(self, asked.form, *found.groups())
                except NotThere:
                    return 404, _error("invalid_request_error", "resource_missing")
                except NotSo as error:
                    return 400, _error("invalid_request_error", error.code)
                return 200, self._expanded(told, (asked.form.get("expand") or {}).values())
        return 404, _error("invalid_request_error", "url_invalid")

    def _expanded(self, thing: Thing, paths: Iterable[str]) -> Thing:
        shown = {name: value for name, value in copy.deepcopy(thing).items() if name != "asked"}
        for path in paths:
            self._expand(shown, path.split("."))
        return shown

    def _expand(self, node: Any, names: list[str]) -> None:
        if not names or not isinstance(node, dict):
            return
        name, *rest = names
        if name == "data":
            for row in node["data"]:
                self._expand(row, rest)
            return
        if (node.get("object"), name) == ("charge", "refunds"):
            rows = copy.deepcopy(self.all("refund", charge=node["id"]))
            node[name] = listed(rows[:10], has_more=len(rows) > 10)
        elif (node.get("object"), name) == ("invoice", "payments"):
            node[name] = listed(copy.deepcopy(self.all("invoice_payment", invoice=node["id"])))
        elif isinstance(node.get(name), str):
            node[name] = copy.deepcopy(self.thing(node[name]))
        self._expand(node.get(name), rest)

    def page(self, kind: str, form: Thing, **fields: str | None) -> Thing:
        """Some of a kind, newest first, after a cursor and within a time."""
        created = form.get("created") or {}
        low, high = int(created.get("gte", 0)), int(created.get("lt", 1 << 60))
        wanted = {name: value for name, value in fields.items() if value is not None}
        rows = [one for one in self.all(kind, **wanted) if low <= one["created"] < high]
        ids = [one["id"] for one in rows]
        start = ids.index(form["starting_after"]) + 1 if "starting_after" in form else 0
        limit = int(form.get("limit", 10))
        return listed(rows[start : start + limit], has_more=len(rows) > start + limit)


def _error(kind: str, code: str) -> Thing:
    return {"error": {"type": kind, "code": code, "message": "quotes payer@private.example and what was sent"}}


def _customer(fake: StripeFake, form: Thing) -> Thing:
    return fake.make("customer", "cus", metadata=form.get("metadata") or {})


def _product(fake: StripeFake, form: Thing) -> Thing:
    if form["id"] in fake.things:
        raise NotSo("resource_already_exists")
    return fake.make("product", "prod", thing_id=form["id"], name=form["name"])


def _search(fake: StripeFake, form: Thing) -> Thing:
    key = re.fullmatch(r'metadata\["key"\]:"([\w-]+)"', form["query"])
    assert key is not None, form
    rows = [one for one in fake.all("payment_intent") if one["metadata"].get("key") == key[1]]
    return listed(rows[: int(form["limit"])], kind="search_result")


def _paid_invoices(fake: StripeFake, form: Thing) -> Thing:
    asked = (form.get("payment") or {}).get("payment_intent")
    told = fake.page("invoice_payment", form)
    rows = [one for one in told["data"] if asked in {None, one["payment"]["payment_intent"]}]
    return {**told, "data": rows}


_Answer = Callable[..., Thing]
_ID = r"/([A-Za-z0-9_]+)"
_ROUTES: list[tuple[str, str, _Answer]] = [
    ("POST", "/v1/customers", _customer),
    ("POST", "/v1/products", _product),
    ("POST", "/v1/payment_intents", lambda fake, form: fake.make_intent(form)),
    ("GET", "/v1/payment_intents/search", _search),
    ("GET", "/v1/payment_intents" + _ID, lambda fake, _, one: fake.thing(one)),
    ("POST", "/v1/payment_intents" + _ID + "/cancel", lambda fake, _, one: fake.cancel_intent(fake.thing(one))),
    ("GET", "/v1/payment_intents", lambda fake, form: fake.page("payment_intent", form)),
    ("POST", "/v1/checkout/sessions", lambda fake, form: fake.make_session(form)),
    ("GET", "/v1/checkout/sessions" + _ID, lambda fake, _, one: fake.thing(one)),
    ("POST", "/v1/checkout/sessions" + _ID + "/expire", lambda fake, _, one: fake.expire_session(fake.thing(one))),
    (
        "GET",
        "/v1/checkout/sessions",
        lambda fake, form: fake.page("checkout.session", form, payment_intent=form.get("payment_intent")),
    ),
    ("GET", "/v1/invoice_payments", _paid_invoices),
    (
        "GET",
        "/v1/invoices",
        lambda fake, form: fake.page("invoice", form, subscription_id=form.get("subscription")),
    ),
    ("POST", "/v1/refunds", lambda fake, form: fake.refund(form)),
    ("GET", "/v1/refunds", lambda fake, form: fake.page("refund", form, payment_intent=form.get("payment_intent"))),
    ("GET", "/v1/disputes", lambda fake, form: fake.page("dispute", form, payment_intent=form.get("payment_intent"))),
    ("GET", "/v1/subscriptions" + _ID, lambda fake, _, one: fake.thing(one)),
    ("POST", "/v1/subscriptions" + _ID, lambda fake, form, one: fake.change_subscription(fake.thing(one), form)),
    ("DELETE", "/v1/subscriptions" + _ID, lambda fake, _, one: fake.end(one)),
]


def nested(pairs: Iterable[tuple[str, str]]) -> Thing:
    """A form with brackets as what it means; lists become maps of their numbers."""
    made: Thing = {}
    for name, value in pairs:
        *outer, last = re.findall(r"[^\[\]]+", name)
        node = made
        for part in outer:
            node = node.setdefault(part, {})
        node[last] = value
    return made


class _Desk(RequestHandler):
    """Every request."""

    @property
    def fake(self) -> StripeFake:
        held: StripeFake = self.settings["fake"]
        return held

    async def _any(self, path: str) -> None:
        sent = self.request.body.decode() if self.request.method == "POST" else self.request.query
        headers = {name.lower(): value for name, value in self.request.headers.items()}
        form = nested(parse_qsl(sent, keep_blank_values=True))
        asked = Asked(self.request.method or "", path, form, headers, sent)
        self.fake.asked.append(asked)
        fault = self.fake.next_fault()
        if fault == "slow":
            await self.fake.is_over.wait()
        if fault in {"slow", "down"} or (fault == "lost" and self.fake.carry_out(asked)):
            assert self.request.connection is not None
            self.detach().close()
            return
        self._tell(*self._answered(asked, fault))

    get = post = delete = _any

    def _answered(self, asked: Asked, fault: Fault | None) -> tuple[int, Thing | str]:
        if fault in {"html", "html200"}:
            return (502 if fault == "html" else 200), "<html><body>Bad gateway payer@private.example</body></html>"
        if fault == "error200":
            return 200, _error("api_error", "processing_error")
        if fault == "busy":
            self.set_header("Retry-After", "7")
            return 429, _error("rate_limit_error", "rate_limit")
        if fault == "keys" or asked.headers.get("authorization") != f"Bearer {API_KEY}":
            return 401, _error("invalid_request_error", "api_key_invalid")
        return self.fake.carry_out(asked)

    def _tell(self, status: int, told: Thing | str) -> None:
        self.set_status(status)
        self.set_header("Content-Type", "text/html" if isinstance(told, str) else "application/json")
        self.set_header("Request-Id", "req_fake")
        self.set_header("Stripe-Should-Retry", "false")  # else each fault would take the SDK's waits
        self.finish(told if isinstance(told, str) else json.dumps(told))


@asynccontextmanager
async def stripe_running(**options: Any) -> AsyncIterator[StripeFake]:
    """It answers at a free port of 127.0.0.1 while the body runs."""
    fake = StripeFake(**options)
    (socket,) = bind_sockets(0, "127.0.0.1")
    server = HTTPServer(Application([(r"(/.*)", _Desk)], fake=fake))
    server.add_socket(socket)
    fake.address = f"http://127.0.0.1:{socket.getsockname()[1]}"
    try:
        yield fake
    finally:
        fake.is_over.set()
        server.stop()
        await server.close_all_connections()
