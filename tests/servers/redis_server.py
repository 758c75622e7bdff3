"""A Redis server of our own for the tests, on a free port, keeping nothing."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

from tests.servers.absence import require_program
from tests.servers.processes import ServerProcess


@contextlib.contextmanager
def running_redis() -> Iterator[str]:
    """A server's URL; `maxmemory-policy` is noeviction, as in production."""
    port = _free_port()
    options = {"port": port, "bind": "127.0.0.1", "save": "", "appendonly": "no", "maxmemory-policy": "noeviction"}
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    with ServerProcess([require_program("redis-server"), *words]) as process:
        process.line_with("Ready to accept connections")
        yield f"redis://127.0.0.1:{port}/0"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
