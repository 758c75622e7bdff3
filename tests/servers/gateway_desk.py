"""What the small Paymob and the small MyFatoorah have in common: a real socket, what they were asked, and steered faults."""

from __future__ import annotations

import asyncio
import json
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeVar

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

Thing = dict[str, Any]
Fault = Literal["slow", "down", "html", "html200", "error200", "busy", "lost", "keys", "wall", "huge", "moved"]
"""slow: no answer; down: the line breaks before, lost: after it was carried out; html: 502; busy: 429; keys: 401; wall: 403; moved: 302."""
PRIVATE = "payer@private.example"
"""Stands in every refusal: a gateway quotes what it was sent, and none of it may come further."""


class Word(NamedTuple):
    """One webhook as it is delivered."""

    headers: dict[str, str]
    query: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Asked:
    """One request as it came."""

    method: str
    path: str
    query: dict[str, str]
    body: Thing
    headers: dict[str, str]


class No(Exception):
    """It cannot be done."""

    def __init__(self, status: int, told: Any) -> None:
        super().__init__(status)
        self.status, self.told = status, told


class Desk(ABC):
    """A gateway that answers. What it does is its own."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.address = ""
        self.is_over = asyncio.Event()
        self._faults: deque[Fault] = deque()
        self._faults_at: list[tuple[str, Fault]] = []
        self._words: list[Word] = []

    @abstractmethod
    def carry_out(self, asked: Asked) -> Any:
        """The answer to a request; raises `No`."""

    @abstractmethod
    def error_within(self) -> Any:
        """What says with status 200 that it went wrong."""

    def fail_next(self, *faults: Fault) -> None:
        """So go the next requests."""
        self._faults.extend(faults)

    def lose(self, path_end: str) -> None:
        """The next answer under this address gets lost, after it was carried out."""
        self.fault_at(path_end, "lost")

    def fault_at(self, path_end: str, fault: Fault) -> None:
        """So goes the next request under this address."""
        self._faults_at.append((path_end, fault))

    def next_fault(self, asked: Asked) -> Fault | None:
        for one in self._faults_at:
            if asked.path.rstrip("/").endswith(one[0]):
                self._faults_at.remove(one)
                return one[1]
        return self._faults.popleft() if self._faults else None

    def words(self) -> list[Word]:
        """All that happened since it was last asked, signed, in the order in which it happened."""
        told, self._words = self._words, []
        return told

    def of(self, path_end: str) -> list[Asked]:
        """What was asked under an address."""
        return [one for one in self.asked if one.path.rstrip("/").endswith(path_end)]


class _Handler(RequestHandler):
    """Every request."""

    async def _any(self, path: str) -> None:
        desk: Desk = self.settings["desk"]
        query = {name: values[-1].decode() for name, values in self.request.query_arguments.items()}
        body = json.loads(self.request.body) if self.request.body else {}
        headers = {name.lower(): value for name, value in self.request.headers.items()}
        asked = Asked(self.request.method or "", path, query, body, headers)
        desk.asked.append(asked)
        fault = desk.next_fault(asked)
        if fault == "slow":
            await desk.is_over.wait()
        if fault in {"slow", "down"} or (fault == "lost" and desk.carry_out(asked) is not None):
            assert self.request.connection is not None
            self.detach().close()
            return
        self._tell(*self._answered(desk, asked, fault))

    get = post = put = _any

    def _answered(self, desk: Desk, asked: Asked, fault: Fault | None) -> tuple[int, Any]:
        page = f"<html><body>{PRIVATE}</body></html>".encode()
        told: dict[Fault, tuple[int, Any]] = {
            "html": (502, page),
            "html200": (200, page),
            "wall": (403, page),
            "error200": (200, desk.error_within()),
            "busy": (429, {"detail": "Request was throttled."}),
            "huge": (200, b'"' + b"x" * (5 << 20) + b'"'),
            "moved": (302, page),
            "keys": (401, {"detail": "incorrect credentials"}),
        }
        if fault is not None:
            if fault == "busy":
                self.set_header("Retry-After", "7")
            self.set_header("Location", "https://elsewhere.example/")
            return told[fault]
        try:
            return 200, desk.carry_out(asked)
        except No as error:
            return error.status, error.told

    def _tell(self, status: int, told: Any) -> None:
        self.set_status(status)
        self.set_header("Content-Type", "text/html" if isinstance(told, bytes) else "application/json")
        self.finish(told if isinstance(told, bytes) else json.dumps(told))


DeskT = TypeVar("DeskT", bound=Desk)


@asynccontextmanager
async def answering(desk: DeskT) -> AsyncIterator[DeskT]:
    """It answers at a free port of 127.0.0.1 while the body runs."""
    (socket,) = bind_sockets(0, "127.0.0.1")
    server = HTTPServer(Application([(r"(/.*)", _Handler)], desk=desk))
    server.add_socket(socket)
    desk.address = f"http://127.0.0.1:{socket.getsockname()[1]}"
    try:
        yield desk
    finally:
        desk.is_over.set()
        server.stop()
        await server.close_all_connections()
