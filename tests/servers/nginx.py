"""Debian's nginx with `config/nginx.conf`, before nodes of the tests: only addresses and paths of this machine differ."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.servers.absence import require_program
from tests.servers.ports import free_port
from tests.servers.processes import READY_SECONDS, ServerProcess

CONFIGURATION = Path(__file__).resolve().parents[2] / "config" / "nginx.conf"
_LISTEN = "listen 8080;"
_NODE = re.compile(r"^ *server (node\d):8000 ([^;]*;)", re.MULTILINE)


class Nginx:
    """A running nginx: where it answers, and what it has written."""

    def __init__(self, process: ServerProcess, port: int, folder: Path) -> None:
        self.process, self.port, self._folder = process, port, folder

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def logged(self) -> str:
        """Its access and error logs up to now."""
        return "".join((self._folder / name).read_text() for name in ("access.log", "error.log"))


def adapted(ports: Sequence[int], *, port: int, folder: Path) -> str:
    """The configuration with these nodes, this port and this folder; everything else is as it is deployed."""
    text = CONFIGURATION.read_text(encoding="utf-8")
    nodes = _NODE.findall(text)
    assert len(nodes) == len(ports), f"{len(ports)} nodes for {nodes}"
    given = iter(ports)
    text = _NODE.sub(lambda found: f"        server 127.0.0.1:{next(given)} {found[2]}", text)
    for old, new in {
        _LISTEN: f"listen 127.0.0.1:{port};",
        "/tmp/": f"{folder}/",  # noqa: S108 - what is replaced
        "/dev/stderr": f"{folder}/error.log",
        "/dev/stdout": f"{folder}/access.log",
    }.items():
        assert old in text, old
        text = text.replace(old, new)
    return text


@contextlib.contextmanager
def running_nginx(ports: Sequence[int], folder: Path) -> Iterator[Nginx]:
    """Run nginx before the nodes on these ports of this machine."""
    program, port = require_program("nginx"), free_port()
    written = folder / "nginx.conf"
    written.write_text(adapted(ports, port=port, folder=folder))
    as_whom = " user root;" if os.geteuid() == 0 else ""  # its workers write into the test's folder
    words = [program, "-p", str(folder), "-c", str(written), "-e", str(folder / "error.log")]
    words += ["-g", f"daemon off;{as_whom}"]
    tried = subprocess.run([*words, "-t", "-q"], capture_output=True, text=True, check=False, timeout=READY_SECONDS)
    assert tried.returncode == 0, tried.stderr
    with ServerProcess(words) as process:
        wait_for(port)
        yield Nginx(process, port, folder)


def wait_for(port: int) -> None:
    """Ask until it answers, for nginx says nothing when it is ready."""
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.01)
    raise RuntimeError("nginx does not listen")
