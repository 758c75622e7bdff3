"""Ports for servers that are started later, or started again: of one run of the tests no two are given the same."""

from __future__ import annotations

import itertools
import os
import random
import socket
from contextlib import suppress

_WORKERS = 10
_BUS = 10_000
"""Where a node of a Redis Cluster has its second port, above its first."""


def _own_ports() -> list[int]:
    """Those of this process of pytest-xdist, or of the one that began it: below what outgoing connections take, also with a second port.

    While a server is away its port must stay free: no connection may come from there, least of all one that asks whether it
    is back. And Chromium goes to none of them that it holds for another protocol's (10080).
    """
    name = os.environ.get("PYTEST_XDIST_WORKER")
    worker = _WORKERS - 1 if name is None else int(name.removeprefix("gw")) % (_WORKERS - 1)
    ports = list(range(11_000 + worker, 20_000, _WORKERS))
    random.shuffle(ports)
    return ports


_NEXT = itertools.cycle(_own_ports())


def free_port() -> int:
    """A port that nobody uses, nor the one above it that a Redis Cluster would use."""
    return next(port for port in _NEXT if _is_free(port) and _is_free(port + _BUS))


def _is_free(port: int) -> bool:
    with socket.socket() as probe, suppress(OSError):
        probe.bind(("127.0.0.1", port))
        return True
    return False
