"""The school as a visitor meets it: REST with a bearer token, for one person. Knows nothing of quizzes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from lms_rt.client.pacing import Backoff

SIGN_INS_IN_FLIGHT = 16
PATIENCE_SECONDS = 90.0
"""So long a server may be away or busy before a person gives up."""
_TIMEOUT_SECONDS = 60.0
_PASSING = frozenset({429, 502, 503, 504})
"""What a busy server says, or a proxy for one that is away."""


class SchoolRefusedError(Exception):
    """The server said no to something without which there is no simulation; `code` is the problem's, if it has one."""

    def __init__(self, words: str, code: str = "") -> None:
        super().__init__(words)
        self.code = code


class Person:
    """Somebody who has signed in. A call is repeated while the server is away or busy, so it must be idempotent."""

    def __init__(self, http: httpx.AsyncClient, tokens: dict[str, Any]) -> None:
        self._http, self._tokens = http, tokens
        self._refreshing = asyncio.Lock()

    @property
    def id(self) -> str:
        """Whose id."""
        return str(self._tokens["user"]["id"])

    async def get(self, path: str, **options: Any) -> Any:
        """Read."""
        return await self.call("GET", path, **options)

    async def call(self, method: str, path: str, *, also: tuple[int, ...] = (), **options: Any) -> Any:
        """The JSON of a success (or of a status in `also`). Raises `SchoolRefusedError`."""
        while True:
            token = self._tokens["access_token"]
            headers = {"Authorization": f"Bearer {token}"}
            response = await _answered(self._http, method, path, headers=headers, **options)
            if response.status_code == 401 and response.json().get("code") == "token_expired":
                await self._refresh(token)
            elif response.is_success or response.status_code in also:
                return response.json() if response.content else None
            else:
                raise _refused(method, path, response)

    async def ticket(self) -> str:
        """A one-time ticket for the socket."""
        return str((await self.call("POST", "/auth/ws-ticket"))["ticket"])

    async def _refresh(self, expired: str) -> None:
        async with self._refreshing:
            if self._tokens["access_token"] != expired:
                return
            body = {"refresh_token": self._tokens["refresh_token"]}
            response = await _answered(self._http, "POST", "/auth/refresh", json=body)
            if not response.is_success:
                raise _refused("POST", "/auth/refresh", response)
            self._tokens = response.json()


class School:
    """Where people come from."""

    def __init__(self, http: httpx.AsyncClient, address: str) -> None:
        self._http, self.address = http, address
        self._sign_ins = asyncio.Semaphore(SIGN_INS_IN_FLIGHT)

    @classmethod
    @asynccontextmanager
    async def open(cls, address: str, *, students: int) -> AsyncIterator[School]:
        """The school at an address; connections for so many students."""
        limits = httpx.Limits(max_connections=min(students + 10, 200), max_keepalive_connections=50)
        base = f"{address}/api/v1"
        async with httpx.AsyncClient(base_url=base, timeout=_TIMEOUT_SECONDS, limits=limits, trust_env=False) as http:
            yield cls(http, address)

    @property
    def live_url(self) -> str:
        """Where the socket is."""
        return f"ws{self.address.removeprefix('http')}/ws"

    async def sign_in(self, email: str, password: str) -> Person:
        """Somebody who has an account. Raises `SchoolRefusedError`."""
        return await self._enter("/auth/login", {"email": email, "password": password})

    async def register(self, email: str, password: str, full_name: str) -> Person:
        """Somebody new, with an address that nobody else uses."""
        try:
            return await self._enter("/auth/register", {"email": email, "password": password, "full_name": full_name})
        except SchoolRefusedError as refused:
            if refused.code != "email_taken":
                raise
            return await self.sign_in(email, password)  # the reply to our own registration was lost

    async def _enter(self, path: str, body: dict[str, str]) -> Person:
        async with self._sign_ins:
            response = await _answered(self._http, "POST", path, json=body)
        if not response.is_success:
            raise _refused("POST", path, response)
        return Person(self._http, response.json())


async def _answered(http: httpx.AsyncClient, method: str, path: str, **options: Any) -> httpx.Response:
    """The first answer that says more than "come back later", asked for until then."""
    backoff, give_up_at = Backoff(first_seconds=0.2, most_seconds=1.0), time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            response = await http.request(method, path, **options)
        except httpx.TransportError as error:
            pause, reason = backoff.next_seconds(), f"{type(error).__name__} {error}"
        else:
            if response.status_code not in _PASSING:
                return response
            pause, reason = float(response.headers.get("Retry-After", 1)), f"status {response.status_code}"
        if time.monotonic() + pause > give_up_at:
            raise SchoolRefusedError(f"{method} {path}: no answer within {PATIENCE_SECONDS:.0f} s ({reason})")
        await asyncio.sleep(pause)


def _refused(method: str, path: str, response: httpx.Response) -> SchoolRefusedError:
    try:
        problem = response.json()
    except ValueError:
        code, reason = "", response.text[:200]
    else:
        code = str(problem.get("code"))
        reason = f"{code}: {problem.get('detail')}"
    return SchoolRefusedError(f"{method} {path} was refused: {response.status_code} {reason}", code)
