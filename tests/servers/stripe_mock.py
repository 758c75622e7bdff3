"""stripe-mock, with which Stripe judges requests by its own OpenAPI document: built by Go once, a process on a free port."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.servers.absence import absent, require_program
from tests.servers.beforehand import made_alone
from tests.servers.ports import free_port
from tests.servers.processes import ServerProcess

VERSION = "v0.203.0"
_PLACE = Path(__file__).resolve().parents[2] / ".lms_test" / "stripe-mock" / VERSION
_BUILD_SECONDS = 140
"""Whoever comes second may try again, and a test has 300 s."""


def built_mock() -> Path:
    """Its program, built at the first use."""
    program = _PLACE / "stripe-mock"
    with made_alone(_PLACE):
        if not program.exists():
            _build()
    return program


def _build() -> None:
    command = [require_program("go"), "install", f"github.com/stripe/stripe-mock@{VERSION}"]
    env = {**os.environ, "GOBIN": str(_PLACE)}
    try:
        built = subprocess.run(command, capture_output=True, text=True, timeout=_BUILD_SECONDS, check=False, env=env)
    except subprocess.TimeoutExpired:
        absent(f"stripe-mock (not built within {_BUILD_SECONDS} s)", " ".join(command))
    if built.returncode != 0:
        absent(f"stripe-mock ({built.stderr[-300:].strip()})", " ".join(command))


@contextlib.contextmanager
def running_mock() -> Iterator[str]:
    """Its address; it keeps nothing and answers with samples."""
    address = f"127.0.0.1:{free_port()}"
    with ServerProcess([str(built_mock()), "-http-addr", address]) as process:
        process.line_with("Listening for HTTP at address")
        yield f"http://{address}"
