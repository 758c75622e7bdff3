"""Clients as users have them: REST with a bearer token, over a real socket. The live client is the product's own."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from tests.secrets_used import note_reply

TIMEOUT_SECONDS = 30
AUTHORITIES = ssl.create_default_context()
"""Read once: each client of its own would take as long for that as for ten requests."""


class Visitor:
    """Somebody at the REST API. Calls give the response; `ok` gives its JSON and insists on success."""

    def __init__(self, http: httpx.AsyncClient, address: str) -> None:
        self.http, self.address = http, address
        self.user: dict[str, Any] = {}
        self.tokens: dict[str, Any] = {}

    @classmethod
    @asynccontextmanager
    async def of(cls, address: str) -> AsyncIterator[Visitor]:
        """A visitor of this address, until the end of the block."""
        async with httpx.AsyncClient(base_url=f"{address}/api/v1", timeout=TIMEOUT_SECONDS, verify=AUTHORITIES) as http:
            yield cls(http, address)

    @property
    def user_id(self) -> str:
        """Who has signed in."""
        return str(self.user["id"])

    async def register(self, email: str, password: str, full_name: str, role: str = "student") -> None:
        """Make an account and stay signed in."""
        body = {"email": email, "password": password, "full_name": full_name, "role": role}
        self.take(await self.ok("POST", "/auth/register", json=body))

    async def sign_in(self, email: str, password: str) -> None:
        """Sign in by address and password."""
        self.take(await self.ok("POST", "/auth/login", json={"email": email, "password": password}))

    def take(self, tokens: dict[str, Any]) -> None:
        """Go on with these tokens."""
        self.tokens, self.user = tokens, tokens["user"]
        self.http.headers["Authorization"] = f"Bearer {tokens['access_token']}"

    async def ticket(self) -> str:
        """A one-time ticket for the socket."""
        return str((await self.ok("POST", "/auth/ws-ticket"))["ticket"])

    async def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        """One request below /api/v1."""
        response = await self.http.request(method, path, **options)
        note_reply(response.content)
        return response

    async def ok(self, method: str, path: str, **options: Any) -> Any:
        """The JSON of a successful reply (None for 204); anything else fails the test with the problem's words."""
        response = await self.call(method, path, **options)
        assert response.is_success, f"{method} {path}: {response.status_code} {response.text}"
        return response.json() if response.content else None

    async def refused(self, status: int, method: str, path: str, **options: Any) -> dict[str, Any]:
        """The problem document of a refusal with this status."""
        response = await self.call(method, path, **options)
        assert response.status_code == status, f"{method} {path}: {response.status_code} {response.text}"
        assert response.headers["Content-Type"].startswith("application/problem+json")
        problem: dict[str, Any] = response.json()
        assert problem["status"] == status
        assert problem["request_id"] == response.headers["X-Request-ID"]
        return problem
