"""Files in and out: the server's CPU time for each MiB, ours on local disk and in GridFS beside nginx and aiohttp.

nginx keeps what is sent by PUT (its WebDAV module) and gives the file as a static one; neither it nor aiohttp asks who somebody is,
looks at what a file is, or makes its SHA-256, as ours does.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.perf.arena import Arena
from tests.perf.contestants import OURS
from tests.perf.file_lines import MEBIBYTE, ask, fetch, send
from tests.perf.load import ROOT
from tests.perf.programs import LOAD_CORE, SERVER_CORE, Program, cpu_seconds, pinned
from tests.perf.tables import Goal, Sample, Table
from tests.perf.toolchains import Absent, python_with_packages
from tests.servers.absence import require_program
from tests.servers.mongo_server import running_mongo
from tests.servers.nginx import wait_for
from tests.servers.ports import free_port
from tests.servers.redis_server import running_redis

NGINX, AIOHTTP, IN_GRIDFS = "nginx", "aiohttp, uvloop", f"{OURS}, GridFS"
_FILE_MEBIBYTES, _FILES = 64, 4
_KEY = "0123456789abcdefghijklmnopqrstuv"  # of no use outside the benchmarks
_SIGNING_KEY = "MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1ub3BxcnN0dXY="
_MISSING = (Absent, pytest.skip.Exception, pytest.fail.Exception)

GOALS = (
    Goal("files-up", "must", 8, against=NGINX),
    Goal("files-up", "aim", 3, against=AIOHTTP),
    Goal("files-down", "must", 12, against=NGINX),
    Goal("files-down", "aim", 3, against=AIOHTTP),
)


@dataclass(frozen=True, slots=True)
class Place:
    """A server that takes files and gives them."""

    pid: int
    put: Callable[[int], Any]
    get: Callable[[], int]
    remove: Callable[[], None]


def files(arena: Arena) -> list[Table]:
    """By turns, after one turn that does not count."""
    size = arena.scaled(_FILE_MEBIBYTES)
    up = Table("files-up", f"Uploads of {size} MiB, one after the other", "CPU ms for each MiB")
    down = Table("files-down", f"Downloads of {size} MiB, one after the other", "CPU ms for each MiB")
    contestants = {NGINX: _nginx, AIOHTTP: _aiohttp, OURS: _ours, IN_GRIDFS: _in_gridfs}
    with ExitStack() as stack:
        places: dict[str, Place] = {}
        for name, opened in contestants.items():
            arena.say(f"files: {name}")
            try:
                places[name] = stack.enter_context(opened(arena))
            except _MISSING as missing:
                up.absent[name] = down.absent[name] = str(missing)
        for turn in range(arena.repeat + 1):
            for name, place in places.items():
                figures = _turn(place, size)
                if turn:
                    up.add(name, Sample(figures[0]))
                    down.add(name, Sample(figures[1]))
    return [up, down]


def _turn(place: Place, size: int) -> tuple[float, float]:
    """Each file goes before the next one comes: the stand-in for MongoDB keeps all that it has in its memory."""
    up = down = 0.0
    for _ in range(_FILES):
        began = cpu_seconds(place.pid)
        place.put(size)
        between = cpu_seconds(place.pid)
        if place.get() < size * MEBIBYTE:
            raise RuntimeError("a download was cut short")
        up, down = up + between - began, down + cpu_seconds(place.pid) - between
        place.remove()
    each = 1000 / (_FILES * size)
    return up * each, down * each


@contextmanager
def _nginx(arena: Arena) -> Iterator[Place]:
    program, port, folder = require_program("nginx"), free_port(), arena.new_file()
    folder.mkdir()
    (folder / "nginx.conf").write_text(_configuration(folder, port))
    words = [program, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")]
    with Program(words, core=SERVER_CORE, log=arena.log, cwd=folder) as running:
        wait_for(port)
        yield _bare(running.pid, port)


def _configuration(folder: Path, port: int) -> str:
    as_whom = "user root;" if os.geteuid() == 0 else ""
    places = "".join(
        f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    return f"""{as_whom} daemon off; master_process off; pid {folder}/pid;
events {{}}
http {{ {places} access_log off; sendfile on; client_max_body_size 0;
  server {{ listen 127.0.0.1:{port}; root {folder}; location / {{ dav_methods PUT; }} }} }}
"""


@contextmanager
def _aiohttp(arena: Arena) -> Iterator[Place]:
    folder = arena.new_file()
    folder.mkdir()
    command = [python_with_packages(), "-m", "tests.perf.peers.aiohttp_files", str(folder)]
    with Program(command, core=SERVER_CORE, log=arena.log, cwd=ROOT) as running:
        yield _bare(running.pid, int(running.line().split()[1]))


def _bare(pid: int, port: int) -> Place:
    host = f"HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
    return Place(
        pid,
        lambda size: send(port, f"PUT /large.pdf {host}", size, is_form=False),
        lambda: fetch(port, f"GET /large.pdf {host}"),
        lambda: None,  # the next one is put in its place
    )


@contextmanager
def _ours(arena: Arena, **settings: Any) -> Iterator[Place]:
    given = {
        "secret_key": _KEY,
        "password_pepper": _KEY[::-1],
        "signing_key": _SIGNING_KEY,
        "max_storage_mb_per_user": 1_000_000,
        "lms_data_dir": str(arena.new_file()),
    }
    with arena.school_on_a_node(given | settings, people=1) as node:
        headers = f"Host: 127.0.0.1\r\nAuthorization: Bearer {node.paths[0].partition('token=')[2]}\r\n"
        newest: list[str] = []

        def put(size: int) -> None:
            file = send(node.port, f"POST /api/v1/files/upload HTTP/1.1\r\n{headers}", size, is_form=True)
            newest[:] = [file["id"]]

        def get() -> int:
            return fetch(node.port, f"GET /api/v1/files/{newest[0]}/download HTTP/1.1\r\n{headers}")

        def remove() -> None:
            ask(node.port, f"DELETE /api/v1/files/{newest.pop()} HTTP/1.1\r\n{headers}")

        yield Place(node.program.pid, put, get, remove)


@contextmanager
def _in_gridfs(arena: Arena) -> Iterator[Place]:
    with ExitStack() as stack:
        with pinned(LOAD_CORE):
            servers = {
                "mongodb_url": stack.enter_context(running_mongo()),
                "redis_url": stack.enter_context(running_redis()),
            }
        yield stack.enter_context(_ours(arena, mongodb_database="bench", **servers))
