"""What the peers need of a machine: packages, installed by name into the ignored `.lms_test/bench`, and built programs.

What is absent is named, never a failure: a table without Go is still a table.
"""

from __future__ import annotations

import functools
import json
import os
import platform
import shutil
import subprocess
import sys
import venv
from pathlib import Path

from tests.perf.load import BUILT, compiled

PEERS = Path(__file__).resolve().parent / "peers"
_PYTHON_PACKAGES = ("websockets", "aiohttp", "fastapi", "uvicorn[standard]", "uvloop", "redis[hiredis]", "hiredis")
_NODE_PACKAGES = ("ws", "bufferutil", "socket.io")
_GO_PACKAGES = ("github.com/gorilla/websocket",)
_INSTALL_SECONDS = 600


class Absent(Exception):
    """Something that this machine lacks; the words say what."""


@functools.cache
def python_with_packages() -> str:
    """A Python of the same version as ours, with the peers' packages."""
    home = BUILT / "python"
    python = home / "bin" / "python"
    if not (home / "done").exists():
        venv.create(home, with_pip=True, clear=True)
        _run("the packages of the Python peers", [str(python), "-m", "pip", "install", "-q", *_PYTHON_PACKAGES])
        (home / "done").touch()
    return str(python)


@functools.cache
def node_with_packages() -> Path:
    """A directory with the peers' packages and programs, in which Node finds them."""
    home = BUILT / "node"
    npm = _found("npm")
    _found("node")
    home.mkdir(parents=True, exist_ok=True)
    if not (home / "done").exists():
        _run("the packages of the Node peers", [npm, "install", "--no-fund", "--no-audit", *_NODE_PACKAGES], cwd=home)
        (home / "done").touch()
    for program in PEERS.glob("*.mjs"):
        shutil.copy(program, home)
    return home


@functools.cache
def go_program(name: str) -> str:
    """A peer in Go, built."""
    home, go = BUILT / f"go-{name}", _found("go")
    home.mkdir(parents=True, exist_ok=True)
    source, built = PEERS / f"{name}.go", home / name
    if not built.exists() or built.stat().st_mtime < source.stat().st_mtime:
        shutil.copy(source, home / "main.go")
        if not (home / "go.mod").exists():
            _run("a Go module", [go, "mod", "init", "bench"], cwd=home)
        _run("the packages of the Go peers", [go, "get", *_GO_PACKAGES], cwd=home)
        _run("a Go program", [go, "build", "-o", name, "."], cwd=home)
    return str(built)


def c_program(name: str) -> str:
    """A peer in C, built."""
    program = compiled(PEERS / f"{name}.c")
    if program is None:
        raise Absent("a C compiler (cc)")
    return str(program)


def _found(program: str) -> str:
    path = shutil.which(program)
    if path is None:
        raise Absent(program)
    return path


def _run(what: str, command: list[str], *, cwd: Path | None = None) -> None:
    try:
        subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True, timeout=_INSTALL_SECONDS)
    except subprocess.CalledProcessError as error:
        raise Absent(f"{what}: {(error.stderr or error.stdout).strip()[-300:]}") from None
    except subprocess.TimeoutExpired:
        raise Absent(f"{what}: not installed within {_INSTALL_SECONDS} s") from None


def machine() -> dict[str, str]:
    """The shape of this machine, and the versions of what ran on it."""
    model = next((line for line in _read("/proc/cpuinfo").splitlines() if line.startswith("model name")), ": unknown")
    memory = next((line for line in _read("/proc/meminfo").splitlines() if line.startswith("MemTotal")), ": 0")
    return {
        "processor": model.partition(":")[2].strip(),
        "cores": str(os.cpu_count()),
        "memory": f"{int(memory.split()[1]) / 2**20:.0f} GiB",
        "kernel": platform.release(),
        "python": sys.version.split()[0],
        **_package_versions(),
    }


def _package_versions() -> dict[str, str]:
    """Of those peers that are installed here."""
    versions: dict[str, str] = {}
    if (BUILT / "python" / "done").exists():
        listed = subprocess.run(
            [python_with_packages(), "-m", "pip", "list", "--format", "json"],
            check=True,
            capture_output=True,
            text=True,
        )
        wanted = {"websockets", "aiohttp", "fastapi", "uvicorn", "uvloop", "redis", "hiredis"}
        versions |= {row["name"]: row["version"] for row in json.loads(listed.stdout) if row["name"] in wanted}
    for name in _NODE_PACKAGES:
        package = BUILT / "node" / "node_modules" / name / "package.json"
        if package.exists():
            versions[f"node {name}"] = json.loads(package.read_text())["version"]
    for tool, words in (("node", ["--version"]), ("go", ["version"])):
        if shutil.which(tool):
            told = subprocess.run([tool, *words], check=True, capture_output=True, text=True)
            versions[tool] = told.stdout.strip().removeprefix("go version ")
    return versions


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""
