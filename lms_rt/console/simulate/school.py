"""The school as a visitor meets it: REST with a bearer token, for one person. Knows nothing of quizzes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

SIGN_INS_IN_FLIGHT = 16
_TRIES = 8
_TIMEOUT_SECONDS = 60.0
_PASSING = frozenset({429, 503})


class SchoolRefusedError(Exception):
    """The server said no to something without which there is no simulation."""


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
        for turn in range(_TRIES):
            token = self._tokens["access_token"]
            headers = {"Authorization": f"Bearer {token}"}
            try:
                response = await self._http.request(method, path, headers=headers, **options)
            except httpx.TransportError:
                await asyncio.sleep(0.2 * 2**turn)
                continue
            if response.status_code == 401 and response.json().get("code") == "token_expired":
                await self._refresh(token)
            elif response.status_code in _PASSING:
                await asyncio.sleep(float(response.headers.get("Retry-After", 1)))
            elif response.is_success or response.status_code in also:
                return response.json() if response.content else None
            else:
                raise SchoolRefusedError(_words(method, path, response))
        raise SchoolRefusedError(f"{method} {path}: no answer after {_TRIES} tries")

    async def ticket(self) -> str:
        """A one-time ticket for the socket."""
        return str((await self.call("POST", "/auth/ws-ticket"))["ticket"])

    async def _refresh(self, expired: str) -> None:
        async with self._refreshing:
            if self._tokens["access_token"] != expired:
                return
            body = {"refresh_token": self._tokens["refresh_token"]}
            response = await self._http.post("/auth/refresh", json=body)
            if not response.is_success:
                raise SchoolRefusedError(_words("POST", "/auth/refresh", response))
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
        """Somebody new."""
        return await self._enter("/auth/register", {"email": email, "password": password, "full_name": full_name})

    async def _enter(self, path: str, body: dict[str, str]) -> Person:
        async with self._sign_ins:
            for turn in range(_TRIES):
                try:
                    response = await self._http.post(path, json=body)
                except httpx.TransportError as error:
                    if turn == _TRIES - 1:
                        raise SchoolRefusedError(f"no answer from {self.address}: {error}") from error
                    await asyncio.sleep(0.2 * 2**turn)
                    continue
                if response.is_success:
                    return Person(self._http, response.json())
                if response.status_code not in _PASSING:
                    raise SchoolRefusedError(_words("POST", path, response))
                await asyncio.sleep(float(response.headers.get("Retry-After", 1)))
        raise SchoolRefusedError(f"POST {path}: no answer after {_TRIES} tries")


def _words(method: str, path: str, response: httpx.Response) -> str:
    try:
        problem = response.json()
        reason = f"{problem.get('code')}: {problem.get('detail')}"
    except ValueError:
        reason = response.text[:200]
    return f"{method} {path} was refused: {response.status_code} {reason}"
