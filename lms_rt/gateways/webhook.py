"""Sending one webhook request: to the address that was judged, never further, and reading little of what comes back.

No redirects, no proxies of the environment, no connection that is used twice (another host may lie behind the same
address, and the certificate was judged for this one).
"""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property

import httpx

from lms_rt.contracts.webhooks import Answer, PinnedTarget, Unanswered

TIMEOUT_SECONDS = 15.0
CONNECT_SECONDS = 5.0
MAX_READ_BYTES = 64 * 1024
MAX_BODY_KEPT = 1024
MAX_HEADERS_KEPT = 40
MAX_HEADER_KEPT = 300
_SECRET_HEADERS = frozenset({"set-cookie", "authorization", "proxy-authorization", "www-authenticate"})


class WebhookGateway:
    """Sends requests, each on a connection of its own."""

    def __init__(self, *, tls: ssl.SSLContext | None = None, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._tls, self._timeout_seconds = tls, timeout_seconds

    @cached_property
    def _client(self) -> httpx.AsyncClient:
        """Made when it is first needed: reading all the roots of trust takes its time."""
        return httpx.AsyncClient(
            verify=self._tls or ssl.create_default_context(),
            trust_env=False,
            follow_redirects=False,
            timeout=httpx.Timeout(self._timeout_seconds, connect=CONNECT_SECONDS),
            limits=httpx.Limits(max_keepalive_connections=0),
        )

    async def post(self, target: PinnedTarget, *, headers: Mapping[str, str], body: bytes) -> Answer:
        """Send it and read the answer. Raises `Unanswered` when its head has not come within the time."""
        until = asyncio.get_running_loop().time() + self._timeout_seconds
        try:
            async with asyncio.timeout_at(until):  # httpx's own begins again with every byte
                response = await self._post(target, headers, body)
        except TimeoutError as error:
            raise Unanswered(f"no answer within {self._timeout_seconds:g} s") from error
        except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError, OSError) as error:
            raise Unanswered(_words(error)) from error
        try:
            return Answer(response.status_code, _heads(response), await _beginning(response, until))
        finally:
            await response.aclose()

    async def close(self) -> None:
        """Close what is open."""
        if "_client" in self.__dict__:
            await self._client.aclose()

    async def _post(self, target: PinnedTarget, headers: Mapping[str, str], body: bytes) -> httpx.Response:
        """The first of the addresses that can be reached gets it."""
        *others, last = target.addresses
        for address in others:
            try:
                return await self._post_to(address, target, headers, body)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                continue
        return await self._post_to(last, target, headers, body)

    async def _post_to(
        self, address: str, target: PinnedTarget, headers: Mapping[str, str], body: bytes
    ) -> httpx.Response:
        is_usual = target.port == (443 if target.scheme == "https" else 80)
        host = f"[{target.host}]" if ":" in target.host else target.host
        sent = {
            **headers,
            "Host": host if is_usual else f"{host}:{target.port}",
            "Accept-Encoding": "identity",
            "Connection": "close",
        }
        place = f"[{address}]" if ":" in address else address
        request = self._client.build_request(
            "POST",
            f"{target.scheme}://{place}:{target.port}{target.path}",
            headers=sent,
            content=body,
            extensions={"sni_hostname": target.host} if target.scheme == "https" and _is_name(target.host) else {},
        )
        return await self._client.send(request, stream=True)


async def _beginning(response: httpx.Response, until: float) -> str:
    """The first bytes of the body as text. More is read, up to a limit, so that a receiver is not cut off in its reply.

    The head was the answer: a body that stops or breaks off ends there and unsays nothing.
    """
    read, kept = 0, b""
    with suppress(TimeoutError, httpx.HTTPError, OSError):
        async with asyncio.timeout_at(until):
            async for chunk in response.aiter_raw():
                read += len(chunk)
                kept = (kept + chunk)[:MAX_BODY_KEPT]
                if read >= MAX_READ_BYTES:
                    break
    return _printable(kept.decode(errors="replace"))


def _heads(response: httpx.Response) -> dict[str, str]:
    shown = {
        name: "…" if name in _SECRET_HEADERS else _printable(value)[:MAX_HEADER_KEPT]
        for name, value in response.headers.items()
    }
    return dict(list(shown.items())[:MAX_HEADERS_KEPT])


def _printable(text: str) -> str:
    """Without what a terminal or a database would stumble over."""
    return "".join(letter if letter.isprintable() or letter in "\n\t" else "�" for letter in text)


def _is_name(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return True
    return False


def _words(error: Exception) -> str:
    """What went wrong, in the words that the connection gave, without our own address book."""
    cause: BaseException = error
    while cause.__cause__ is not None or cause.__context__ is not None:
        cause = cause.__cause__ or cause.__context__ or cause
    words = str(error) or str(cause) or type(error).__name__
    if isinstance(error, httpx.ConnectTimeout):
        return f"no connection within {CONNECT_SECONDS:g} s"
    if isinstance(error, httpx.ConnectError):
        return f"no connection: {words}"[:300]
    return f"the connection broke: {words}"[:300]
