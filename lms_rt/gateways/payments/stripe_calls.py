"""One request to Stripe and its answer as plain data, within a time and a size; what goes wrong, in the words of the contract.

A repeat of a request that writes carries the same idempotency key, so that the SDK may try again by itself. No rules.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import httpx
import stripe

from lms_rt.contracts.gateways import GatewayRefused, GatewayUnavailable

VERSION = "2026-10-28.endive"
"""Of Stripe's API: webhook endpoints are to be created with it."""
ONE_TRY_SECONDS = 8.0
CONNECT_SECONDS = 4.0
ALL_TRIES_SECONDS = 25.0
RETRIES = 2
MAX_ANSWER_BYTES = 4 * 1024 * 1024
PAGE = 100
MAX_PAGES = 1_000
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)
_GONE_AWAY = (stripe.APIConnectionError, stripe.RateLimitError, stripe.AuthenticationError, stripe.PermissionError)

Answer = dict[str, Any]


@dataclass(slots=True)
class _Tries:
    """What the SDK's tries of one request came to. It tells the last one alone: an earlier one may have been carried out."""

    may_have_happened: bool = False


_tries: ContextVar[_Tries] = ContextVar("stripe_tries")


class StripeCalls:
    """The line to Stripe of one account. Made on the running loop, and closed with it."""

    def __init__(
        self,
        secret_key: str,
        *,
        base: str,
        one_try_seconds: float = ONE_TRY_SECONDS,
        all_tries_seconds: float = ALL_TRIES_SECONDS,
    ) -> None:
        stripe.enable_telemetry = False
        logging.getLogger("stripe").setLevel(logging.WARNING)  # it writes whole answers at DEBUG
        self._all_tries_seconds = all_tries_seconds
        self._line = _Line(one_try_seconds)
        self._client = stripe.StripeClient(
            secret_key,
            http_client=self._line,
            max_network_retries=RETRIES,
            stripe_version=VERSION,
            base_addresses={"api": base},
        )

    async def read(self, path: str, **params: Any) -> Answer:
        """A GET."""
        return await self._ask("get", path, params, None)

    async def write(self, path: str, *, key: str | None = None, **params: Any) -> Answer:
        """A POST that is carried out once for a key; without one, it may be carried out again."""
        return await self._ask("post", path, params, key)

    async def remove(self, path: str, **params: Any) -> Answer:
        """A DELETE."""
        return await self._ask("delete", path, params, None)

    async def each(self, path: str, **params: Any) -> AsyncIterator[Answer]:
        """All of a list, page by page."""
        after: Mapping[str, str] = {}
        for _ in range(MAX_PAGES):
            page = await self.read(path, limit=PAGE, **params, **after)
            rows = page.get("data") or ()
            for row in rows:
                yield row
            if not page.get("has_more") or not rows:
                return
            after = {"starting_after": rows[-1]["id"]}
        raise GatewayUnavailable("a list without an end")

    async def close(self) -> None:
        """Close what is open."""
        await self._line.close_async()

    async def _ask(self, method: str, path: str, params: Mapping[str, Any], key: str | None) -> Answer:
        is_write = method != "get"
        options = {} if key is None else {"idempotency_key": key}
        tries = _Tries()
        _tries.set(tries)
        try:
            async with asyncio.timeout(self._all_tries_seconds):
                answer = await self._client.raw_request_async(method, path, **options, **params)
        except TimeoutError:
            fault: Exception = GatewayUnavailable("no answer in time", may_have_happened=is_write)
        except stripe.StripeError as error:
            fault = _translated(error, is_write=is_write, may_have_happened=is_write and tries.may_have_happened)
        else:
            return _understood(answer.data, is_write=is_write)
        raise fault  # out here, so that Stripe's own, which holds what was answered, does not come along


def _understood(data: object, *, is_write: bool) -> Answer:
    """Whatever Stripe answers says what it is; a 200 with an error or another's page inside does not."""
    if not isinstance(data, dict) or "object" not in data:
        raise GatewayUnavailable("an answer that says nothing", may_have_happened=is_write)
    return data


def _translated(error: stripe.StripeError, *, is_write: bool, may_have_happened: bool) -> Exception:
    """In the contract's words, never in Stripe's own: they may quote what was sent.

    `may_have_happened` counts where the last try alone would say that nothing did.
    """
    status, code = error.http_status, _code_of(error)
    if isinstance(error, _GONE_AWAY):
        return GatewayUnavailable(
            type(error).__name__,
            may_have_happened=may_have_happened,
            retry_after_seconds=_seconds(error.headers),
        )
    if isinstance(error, stripe.IdempotencyError):
        return GatewayRefused("the same key with another request", code="idempotency")
    if status is not None and 400 <= status < 500 and status != 409:
        return GatewayRefused(f"status {status}, {code}", code="not_found" if status == 404 else code)
    return GatewayUnavailable(f"status {status}", may_have_happened=is_write)


def _code_of(error: stripe.StripeError) -> str:
    """Stripe's own name of what is wrong; a card's more exactly."""
    body: object = error.json_body
    told = body.get("error") if isinstance(body, dict) else None
    told = told if isinstance(told, dict) else {}
    return str(told.get("decline_code") or told.get("code") or told.get("type") or "refused")[:60]


def _seconds(headers: Mapping[str, str] | None) -> float | None:
    text = str((headers or {}).get("retry-after", ""))
    return float(text) if text.isascii() and text.isdecimal() and len(text) < 6 else None


def _connection_error(error: Exception) -> stripe.APIConnectionError:
    made: stripe.APIConnectionError = stripe.APIConnectionError(  # type: ignore[no-untyped-call]
        type(error).__name__, should_retry=True
    )
    return made


class _Line(stripe.HTTPClient):
    """How the SDK reaches Stripe: no redirects, no proxies of the environment, little patience and little room."""

    name = "httpx"

    def __init__(self, one_try_seconds: float) -> None:
        super().__init__()
        self._one_try_seconds = one_try_seconds
        timeout = httpx.Timeout(one_try_seconds, connect=min(CONNECT_SECONDS, one_try_seconds))
        self._open = httpx.AsyncClient(trust_env=False, follow_redirects=False, timeout=timeout)

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: str | None = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        """One try. Raises `APIConnectionError`, which the SDK tries again."""
        tries = _tries.get()
        try:
            async with asyncio.timeout(self._one_try_seconds):  # httpx's own begins again with every byte
                answered = await self._asked(method, url, headers, post_data)
        except (TimeoutError, httpx.HTTPError, OSError) as error:
            tries.may_have_happened |= not isinstance(error, _NOT_SENT)
            raise _connection_error(error) from error
        tries.may_have_happened |= answered[1] >= 500 or answered[1] == 409
        return answered

    async def _asked(
        self, method: str, url: str, headers: Mapping[str, str], post_data: str | None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        content = None if post_data is None else post_data.encode()
        async with self._open.stream(method, url, headers=dict(headers), content=content) as response:
            read = bytearray()
            async for chunk in response.aiter_bytes():
                read += chunk
                if len(read) > MAX_ANSWER_BYTES:
                    raise httpx.DecodingError("too long")
            return bytes(read), response.status_code, response.headers

    def sleep_async(self, secs: float) -> Any:
        """Between tries."""
        return asyncio.sleep(secs)

    async def close_async(self) -> None:
        """Close what is open."""
        await self._open.aclose()
