"""Azurite, which speaks Azure Blob Storage, for the tests: fetched by npm once, a process on a free port, in memory."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.servers.absence import absent, require_program
from tests.servers.beforehand import made_alone
from tests.servers.ports import free_port
from tests.servers.processes import ServerProcess

_HERE = Path(__file__).resolve().parent / "azurite"
_PLACE = _HERE.parent.parent.parent / ".lms_test" / "azurite"
_FETCH_SECONDS = 140
"""Whoever comes second may try again, and a test has 300 s."""
CONTAINER = "school"
ACCOUNT = "school"
KEY = "c2Nob29sLXRlc3Qta2V5LXNjaG9vbC10ZXN0LWtleS1zY2hvb2w="


def fetched_azurite() -> Path:
    """Its program, fetched by npm at the first use, as the lock file beside `package.json` has it."""
    lock, done = _HERE / "package-lock.json", _PLACE / "done"
    with made_alone(_PLACE):
        if not done.exists() or done.read_text() != lock.read_text():
            _fetch()
            done.write_text(lock.read_text())
    return _PLACE / "node_modules" / "azurite" / "dist" / "src" / "blob" / "main.js"


def _fetch() -> None:
    npm = require_program("npm")
    for name in ("package.json", "package-lock.json"):
        shutil.copy(_HERE / name, _PLACE / name)
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--omit=optional"]
    try:
        fetched = subprocess.run(
            command, cwd=_PLACE, capture_output=True, text=True, timeout=_FETCH_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        absent(f"Azurite (not fetched within {_FETCH_SECONDS} s)", " ".join(command))
    if fetched.returncode != 0:
        absent(f"Azurite ({fetched.stderr[-300:].strip()})", " ".join(command))


@contextlib.contextmanager
def running_azurite() -> Iterator[str]:
    """Its connection string; it keeps nothing."""
    node, program, port = require_program("node"), fetched_azurite(), free_port()
    options = ["--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry", "--silent"]
    command = [node, str(program), "--blobHost", "127.0.0.1", "--blobPort", str(port), *options]
    with ServerProcess(command, env={"AZURITE_ACCOUNTS": f"{ACCOUNT}:{KEY}", "PATH": "/usr/bin:/bin"}) as process:
        process.line_with("successfully listen")
        yield (
            f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};"
            f"BlobEndpoint=http://127.0.0.1:{port}/{ACCOUNT};"
        )
