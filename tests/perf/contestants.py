"""Who is measured: ours and its peers, by the key that `--peers` takes. How each is started, and how its clients begin."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.perf.load import ROOT, Opening
from tests.perf.toolchains import c_program, go_program, node_with_packages, python_with_packages

OURS = "lms_rt"
_PING = '{"id":7,"type":"ping"}'


@dataclass(frozen=True, slots=True)
class Contestant:
    """A server. `command` raises `Absent` where this machine cannot run it."""

    key: str
    name: str
    command: Callable[[], list[str]]
    cwd: Path = ROOT
    path: str = "/"
    opening: Opening = field(default_factory=Opening)
    ping: str = _PING
    """A command that it answers at once."""


def _module(name: str, *words: str, needs_packages: bool = True) -> Callable[[], list[str]]:
    def command() -> list[str]:
        python = python_with_packages() if needs_packages else sys.executable
        return [python, "-m", f"tests.perf.peers.{name}", *words]

    return command


def _node(name: str) -> Callable[[], list[str]]:
    return lambda: ["node", str(node_with_packages() / f"{name}.mjs")]


PEERS = (
    Contestant("floor", "C floor", lambda: [c_program("floor")]),
    Contestant("tornado-dict", "Tornado `write_message(dict)`", _module("tornado_peer", "dict", needs_packages=False)),
    Contestant("tornado-str", "Tornado `write_message(str)`", _module("tornado_peer", needs_packages=False)),
    Contestant("websockets", "`websockets` broadcast, uvloop", _module("websockets_peer")),
    Contestant("aiohttp", "aiohttp, uvloop", _module("aiohttp_peer")),
    Contestant("fastapi", "FastAPI on uvicorn, uvloop", _module("fastapi_peer")),
    Contestant("ws", "Node `ws`", _node("ws")),
    Contestant(
        "socketio",
        "Socket.IO",
        _node("socketio"),
        path="/socket.io/?EIO=4&transport=websocket",
        opening=Opening(hello="40", ready="40{"),
        ping='421["command",{"id":7,"type":"ping"}]',
    ),
    Contestant("gorilla", "gorilla/websocket (Go)", lambda: [go_program("gorilla")]),
)
"""Everybody but us, the floor first."""
