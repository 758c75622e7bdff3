"""A small Vault on a real socket: KV v2, tokens that end, AppRole, health, and a seal. In a thread: its clients block."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PATIENCE_SECONDS = 20.0
ROLE, ROLE_SECRET = "role-of-the-school", "secret-id-9f8e7d"


@dataclass
class Token:
    """One token; without `ttl_seconds` it lives for ever."""

    ttl_seconds: float
    is_renewable: bool
    ends_at: float
    longest_until: float = float("inf")

    def left_seconds(self, now: float) -> float:
        return min(self.ttl_seconds, max(0.0, self.ends_at - now)) if self.ttl_seconds else 0

    def is_alive(self, now: float) -> bool:
        return not self.ttl_seconds or now < self.ends_at


@dataclass
class VaultServer:
    """What it holds, and who asked for what. Tokens go by `now`, in seconds, which stands still unless a test moves it."""

    now: float = 0.0
    path: str = "secret/data/lms"
    values: dict[str, Any] = field(default_factory=dict)
    version: int = 1
    is_sealed: bool = False
    is_deleted: bool = False
    elsewhere: str = ""
    """Who asks is sent there."""
    tokens: dict[str, Token] = field(default_factory=dict)
    role_ttl_seconds: float = 3600
    asked: list[tuple[str, str]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    port: int = 0
    changed: threading.Condition = field(default_factory=threading.Condition)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def give_token(
        self, name: str = "hvs.root", *, ttl_seconds: float = 0, longest_seconds: float = float("inf")
    ) -> str:
        ends_at, longest_until = self.now + ttl_seconds, self.now + longest_seconds
        self.tokens[name] = Token(ttl_seconds, bool(ttl_seconds), ends_at, longest_until)
        return name

    def wait_for(self, path: str, count: int = 1) -> None:
        """Until so many requests for a path have come."""
        with self.changed:
            assert self.changed.wait_for(lambda: self.count(path) >= count, PATIENCE_SECONDS), self.asked

    def count(self, path: str) -> int:
        return sum(1 for _, asked in self.asked if asked == path)

    def answer(self, method: str, path: str, headers: dict[str, str], body: dict[str, Any]) -> tuple[int, Any]:
        """As Vault's HTTP API says."""
        if path == "/v1/sys/health":
            return (503 if self.is_sealed else 200), {"sealed": self.is_sealed, "initialized": True}
        if self.is_sealed:
            return 503, {"errors": ["Vault is sealed"]}
        if path == "/v1/auth/approle/login":
            return self._sign_in(body)
        token = self.tokens.get(headers.get("x-vault-token", ""))
        if token is None or not token.is_alive(self.now):
            return 403, {"errors": ["permission denied"]}
        return self._answer_holder(method, path, headers["x-vault-token"])

    def _answer_holder(self, method: str, path: str, name: str) -> tuple[int, Any]:
        token = self.tokens[name]
        if path == "/v1/auth/token/lookup-self":
            ends = "2026-01-01T00:00:00Z" if token.ttl_seconds else None
            return 200, {
                "data": {"ttl": token.left_seconds(self.now), "expire_time": ends, "renewable": token.is_renewable}
            }
        if path == "/v1/auth/token/renew-self":
            return self._renew(token)
        if path == "/v1/auth/token/revoke-self":
            del self.tokens[name]
            return 204, None
        return self._read(method, path)

    def _sign_in(self, body: dict[str, Any]) -> tuple[int, Any]:
        if (body.get("role_id"), body.get("secret_id")) != (ROLE, ROLE_SECRET):
            return 400, {"errors": ["invalid role or secret ID"]}
        name = self.give_token(f"hvs.role-{len(self.asked)}", ttl_seconds=self.role_ttl_seconds)
        lease = {"client_token": name, "lease_duration": self.role_ttl_seconds, "renewable": True}
        return 200, {"auth": lease}

    def _renew(self, token: Token) -> tuple[int, Any]:
        if not token.is_renewable:
            return 400, {"errors": ["lease is not renewable"]}
        token.ends_at = min(max(token.ends_at, self.now + token.ttl_seconds), token.longest_until)
        left_seconds = token.left_seconds(self.now)
        return 200, {"auth": {"lease_duration": left_seconds, "renewable": True, "client_token": "x"}}

    def _read(self, method: str, path: str) -> tuple[int, Any]:
        if (method, path) != ("GET", f"/v1/{self.path}"):
            return 404, {"errors": []}
        if self.is_deleted:
            gone = {"data": None, "metadata": {"version": self.version, "deletion_time": "2026-01-01T00:00:00Z"}}
            return 404, {"data": gone}
        return 200, {"data": {"data": self.values, "metadata": {"version": self.version}}}


@contextmanager
def vault_running(server: VaultServer | None = None, *, port: int = 0) -> Iterator[VaultServer]:
    """It answers at a port of 127.0.0.1 while the body runs; the same server can come back later at the same port."""
    held = server or VaultServer()

    class Answers(BaseHTTPRequestHandler):
        def do_any(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length) or b"{}")
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, told = held.answer(self.command, self.path, headers, body)
            with held.changed:
                held.asked.append((self.command, self.path))
                held.headers.append(headers)
                held.changed.notify_all()
            content = b"" if told is None else json.dumps(told).encode()
            self.send_response(307 if held.elsewhere else status)
            if held.elsewhere:
                self.send_header("Location", held.elsewhere + self.path)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_LIST = do_any  # noqa: N815 - http.server's names

        def log_message(self, *_: Any) -> None:
            """Nothing: the test sees what was asked."""

    listener = ThreadingHTTPServer(("127.0.0.1", port), Answers)
    listener.daemon_threads = True
    held.port = listener.server_address[1]
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield held
    finally:
        listener.shutdown()
        listener.server_close()
        thread.join()
