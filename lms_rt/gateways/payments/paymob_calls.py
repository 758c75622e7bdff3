"""The requests to Paymob: the secret key for intentions and refunds, a token of an hour for everything that looks things up.

No meaning of answers (that is `paymob_reading`), no rules.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode

from pydantic import SecretStr

from lms_rt.clock import Clock
from lms_rt.contracts.gateways import GatewayRefused, GatewayUnavailable
from lms_rt.gateways.payments.http import ALL_SECONDS, Answered, GatewayHttp, Request, part, refuse, words_of

_TOKEN_LIVES = timedelta(minutes=50)
"""Paymob says sixty."""
MAX_PAGES = 20
_LIST, _PAGE, _MAX_LIST_PAGES = "api/acceptance/transactions", 50, 3

Body = Mapping[str, Any]
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PaymobAccount:
    """The keys and the numbers of one account's integrations; a number of 0 is none."""

    base: str
    secret_key: SecretStr
    api_key: SecretStr
    hmac_secret: SecretStr
    public_key: str = ""
    card: int = 0
    wallet: int = 0
    subscription: int = 0
    moto: int = 0
    iframe: int = 0

    @property
    def integrations(self) -> frozenset[int]:
        """All numbers whose payments are ours."""
        return frozenset({self.card, self.wallet, self.subscription, self.moto} - {0})


class PaymobCalls:
    """The line to one account. Made on the running loop, and closed with it."""

    def __init__(self, account: PaymobAccount, clock: Clock, *, all_seconds: float = ALL_SECONDS) -> None:
        self._account, self._clock = account, clock
        self._line, self._all_seconds = GatewayHttp(account.base, all_seconds=all_seconds), all_seconds
        self._token, self._token_until = "", datetime.min.replace(tzinfo=clock.now().tzinfo)
        self._asking = asyncio.Lock()

    async def write(self, path: str, body: Body) -> Any:
        """A POST by the secret key that changes something."""
        headers = {"Authorization": f"Token {self._account.secret_key.get_secret_value()}"}
        answered = await self._line.ask(Request("POST", path, headers, body, is_change=True))
        return answered.value if answered.is_ok else refuse(answered)

    async def read(self, path: str) -> Any:
        """A GET by the token. Raises `GatewayRefused` with code not_found."""
        return await self._with_token("GET", path)

    async def change(self, method: str, path: str, body: Body) -> Any:
        """A request by the token that changes something."""
        return await self._with_token(method, path, body, is_change=True)

    async def newest_transaction(self, **which: str) -> Any:
        """The last try to pay an order, by `order_id` or `merchant_order_id`; None while nobody tried."""
        body = {"auth_token": await self.token(), **which}
        try:
            found = await self._with_token("POST", "api/ecommerce/orders/transaction_inquiry", body)
        except GatewayRefused as error:
            if error.code == "not_found":
                return None
            raise
        return found if isinstance(found, dict) and words_of(found.get("id")) else None

    async def transaction(self, transaction_id: str) -> Any:
        """One transaction."""
        return await self.read(f"api/acceptance/transactions/{quote(transaction_id, safe='')}")

    async def listed_of(self, order_id: str) -> tuple[list[Mapping[str, Any]], bool]:
        """What the account's list has of an order: every try to pay it, as far as it tells; and whether it came to its end.

        The list is a help and no more: where it cannot be had, what `newest_transaction` tells has to do.
        """
        path, found = f"{_LIST}?{urlencode({'order_id': order_id, 'page_size': _PAGE})}", list[Mapping[str, Any]]()
        try:
            for page in range(1, _MAX_LIST_PAGES + 1):
                answer = await self.read(path if page == 1 else f"{path}&page={page}")
                found += (rows := rows_of(answer))
                if not part(answer, "next"):
                    return found, isinstance(answer, dict) or len(rows) < _PAGE
        except (GatewayRefused, GatewayUnavailable) as error:
            _log.warning("the list of transactions cannot be had: %s", error.reason)
        return found, False

    async def close(self) -> None:
        """Close what is open."""
        await self._line.close()

    async def token(self) -> str:
        """The token of the API key, made when the last one is too old. Who waits for others that ask does so not for long."""
        try:
            async with asyncio.timeout(2 * self._all_seconds), self._asking:
                return await self._fresh_token()
        except TimeoutError:
            raise GatewayUnavailable("no token in time") from None

    async def _fresh_token(self) -> str:
        if not self._token or self._clock.now() >= self._token_until:
            body = {"api_key": self._account.api_key.get_secret_value()}
            answered = await self._line.ask(Request("POST", "api/auth/tokens", {}, body))
            token = answered.value.get("token") if answered.is_ok and isinstance(answered.value, dict) else None
            if not isinstance(token, str) or not token:
                raise GatewayUnavailable(f"status {answered.status}, no token")
            self._token, self._token_until = token, self._clock.now() + _TOKEN_LIVES
        return self._token

    async def _with_token(self, method: str, path: str, body: Body | None = None, *, is_change: bool = False) -> Any:
        token = await self.token()
        answered = await self._once(method, path, body, is_change=is_change)
        if answered.status == 401:  # it ended before its time
            if self._token == token:  # nobody made another meanwhile
                self._token = ""
            if body is not None and "auth_token" in body:
                body = {**body, "auth_token": await self.token()}
            answered = await self._once(method, path, body, is_change=is_change)
        return answered.value if answered.is_ok else refuse(answered)

    async def _once(self, method: str, path: str, body: Body | None, *, is_change: bool) -> Answered:
        headers = {"Authorization": f"Bearer {await self.token()}"}
        return await self._line.ask(Request(method, path, headers, body, is_change=is_change))


def rows_of(answer: Any) -> list[dict[str, Any]]:
    """The rows of a list, in pages or not."""
    rows = answer if isinstance(answer, list) else part(answer, "results")
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
