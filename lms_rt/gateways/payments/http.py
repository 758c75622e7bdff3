"""One request to a gateway that has no SDK of ours, and its JSON answer: within a time and a size, numbers as they were written.

What goes wrong is told in the words of the contract and never in the gateway's own: they may quote what was sent. No rules.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any, NoReturn
from urllib.parse import urlsplit

import httpx

from lms_rt.contracts.base import encode
from lms_rt.contracts.gateways import GatewayRefused, GatewayUnavailable

ALL_SECONDS = 12.0
CONNECT_SECONDS = 4.0
MAX_ANSWER_BYTES = 4 * 1024 * 1024
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)
_MAX_WAIT_DIGITS = 5


@dataclass(frozen=True, slots=True)
class Request:
    """One request. `is_change`: without an answer, nobody knows whether it was carried out."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: Mapping[str, Any] | None = None
    is_change: bool = False


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer that can be read: status below 500, and JSON."""

    status: int
    value: Any

    @property
    def is_ok(self) -> bool:
        """Did it go well, as far as HTTP says?"""
        return 200 <= self.status < 300


class GatewayHttp:
    """The line to one gateway: no redirects, no proxies of the environment, little patience and little room."""

    def __init__(self, base: str, *, all_seconds: float = ALL_SECONDS) -> None:
        self._base, self._all_seconds = base.rstrip("/"), all_seconds

    @cached_property
    def _open(self) -> httpx.AsyncClient:
        """Made when it is first needed: reading all the roots of trust takes its time."""
        timeout = httpx.Timeout(self._all_seconds, connect=min(CONNECT_SECONDS, self._all_seconds))
        return httpx.AsyncClient(trust_env=False, follow_redirects=False, timeout=timeout)

    async def ask(self, request: Request) -> Answered:
        """Send it and read the answer. Raises `GatewayUnavailable`."""
        try:
            async with asyncio.timeout(self._all_seconds):  # httpx's own begins again with every byte
                response, raw = await self._asked(request)
        except _NOT_SENT as error:
            raise GatewayUnavailable(type(error).__name__) from None
        except (TimeoutError, httpx.HTTPError, OSError) as error:
            raise GatewayUnavailable(type(error).__name__, may_have_happened=request.is_change) from None
        return _read(request, response, raw)

    async def close(self) -> None:
        """Close what is open."""
        if "_open" in self.__dict__:
            await self._open.aclose()

    async def _asked(self, request: Request) -> tuple[httpx.Response, bytes]:
        # never packed: a small chunk may unpack to far more than the bound before it is measured
        headers = {"Accept": "application/json", "Accept-Encoding": "identity", **request.headers}
        content = None
        if request.body is not None:
            headers["Content-Type"], content = "application/json", encode(request.body)
        url = f"{self._base}/{request.path.lstrip('/')}"
        async with self._open.stream(request.method, url, headers=headers, content=content) as response:
            read = bytearray()
            async for chunk in response.aiter_bytes():
                read += chunk
                if len(read) > MAX_ANSWER_BYTES:
                    raise httpx.DecodingError("too long")
            return response, bytes(read)


def _read(request: Request, response: httpx.Response, raw: bytes) -> Answered:
    status = response.status_code
    if status == 429:
        raise GatewayUnavailable("too many requests", retry_after_seconds=_wait_seconds(response))
    if status >= 500 or 300 <= status < 400:
        raise GatewayUnavailable(f"status {status}", may_have_happened=request.is_change)
    try:
        return Answered(status, json.loads(raw, parse_float=Decimal, parse_constant=_no_number))
    except (ValueError, RecursionError):
        # a page instead of an answer: below 300 it may stand for anything, above it a wall in front of the gateway spoke
        was_heard = request.is_change and status < 300
        raise GatewayUnavailable(f"status {status}, not JSON", may_have_happened=was_heard) from None


def _no_number(word: str) -> NoReturn:
    raise ValueError(word)


def _wait_seconds(response: httpx.Response) -> float | None:
    text = response.headers.get("retry-after", "")
    return float(text) if text.isascii() and text.isdecimal() and len(text) <= _MAX_WAIT_DIGITS else None


def refuse(answered: Answered, code: str = "refused") -> NoReturn:
    """The gateway said no. Whoever is not let in may be so later, with other keys; the rest is final."""
    if answered.status in {401, 403}:
        raise GatewayUnavailable(f"status {answered.status}, not let in")
    if answered.status in {408, 423, 425}:
        raise GatewayUnavailable(f"status {answered.status}, not now", may_have_happened=True)
    words = _field_names(answered.value)
    raise GatewayRefused(
        f"status {answered.status}{words}", code="not_found" if answered.status == 404 else code
    ) from None


def _field_names(value: Any) -> str:
    """Which fields were complained of; what is said about them may hold what we sent."""
    names = [name for name in value if name.isascii() and name.isidentifier()][:5] if isinstance(value, dict) else []
    return f", {', '.join(name[:40] for name in names)}" if names else ""


def is_page(place: Any, base: str) -> bool:
    """Can a browser be sent there? To https alone; beside a gateway on this very machine, as in tests, to that one, too."""
    try:
        found = urlsplit(place) if isinstance(place, str) and len(place) <= 2_000 else None
    except ValueError:
        return False
    if found is None or not found.hostname:
        return False
    return found.scheme == "https" or (found.scheme == "http" and found.netloc == urlsplit(base).netloc)


def part(value: Any, *names: str) -> Any:
    """What lies at a path of an answer; None where something else lies on the way."""
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def words_of(value: Any, limit: int = 200) -> str | None:
    """A text, or a whole number as one; None of everything else."""
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        return None
    return str(value)[:limit]


def whole(value: Any) -> int | None:
    """A whole number, also as digits; None of everything else."""
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= 15:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
