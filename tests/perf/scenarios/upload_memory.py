"""What files cost a server in memory while they come and go: one large upload, twenty at once, and readers who hardly read.

By each store, and by tus: the most that the process held resident meanwhile, more than before it. What a first upload warms is
not counted, and each file is removed before the next comes: those stores that stand in keep all that they have in memory.
"""

from __future__ import annotations

import base64
import http.client
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from azure.storage.blob import ContainerClient

from tests.perf.arena import Arena
from tests.perf.file_lines import MEBIBYTE, ask, send
from tests.perf.programs import LOAD_CORE, forget_peak, pinned, resident_kib
from tests.perf.tables import Goal, Sample, Table
from tests.perf.toolchains import Absent
from tests.servers.azurite_server import CONTAINER, running_azurite
from tests.servers.mongo_server import running_mongo
from tests.servers.redis_server import running_redis
from tests.servers.s3_server import BUCKET, KEY, KEY_ID, REGION, running_s3

LOCAL, GRIDFS, S3, AZURE = "local disk", "GridFS", "S3 (moto)", "Azure (Azurite)"
TUS = "tus, local disk"
_ONE_MEBIBYTES, _MANY, _EACH_MEBIBYTES, _READ_MEBIBYTES = 99, 20, 8, 64
_READERS = 8
"""So many files one person fetches at once."""
_READ_BYTES = 64 << 10
_SLOW_SECONDS = 3.0
_AS_PAGES = "Sec-Fetch-Dest: video\r\n"
"""Films of pages come through us; others are sent to the cloud's own address."""
_MOST_TURNS = 3
_KEY = "0123456789abcdefghijklmnopqrstuv"  # of no use outside the benchmarks
_SIGNING_KEY = "MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1ub3BxcnN0dXY="
_MISSING = (Absent, pytest.skip.Exception, pytest.fail.Exception)

GOALS = tuple(
    Goal(table, "must", most, row=place)
    for table, most in (("upload-one", 8), ("upload-twenty", 64), ("download-slow", 3 * _READERS))
    for place in (LOCAL, GRIDFS, S3, AZURE, TUS)
    if not (table == "download-slow" and place == TUS)
)

Settings = dict[str, Any]
Put = Callable[["Node", int], str]


@dataclass(frozen=True, slots=True)
class Node:
    """A server, and somebody's headers for it."""

    pid: int
    port: int
    token: str

    @property
    def headers(self) -> str:
        """As lines of a request."""
        return f"Host: 127.0.0.1\r\nAuthorization: Bearer {self.token}\r\n"


def upload_memory(arena: Arena) -> list[Table]:
    """Each store by itself, on a server that has seen no other."""
    one, each = arena.scaled(_ONE_MEBIBYTES), arena.scaled(_EACH_MEBIBYTES)
    read = arena.scaled(_READ_MEBIBYTES)
    unit = "MiB resident at the most, more than before"
    tables = (
        Table("upload-one", f"An upload of {one} MiB", unit),
        Table("upload-twenty", f"{_MANY} uploads of {each} MiB at once", unit),
        Table("download-slow", f"{_READERS} readers at once of {read} MiB, who stop after 64 KiB", unit),
    )
    for name, opened in STORES.items():
        arena.say(f"upload-memory: {name}")
        try:
            with opened() as settings, _node(arena, settings) as node:
                for _ in range(min(arena.repeat, _MOST_TURNS)):
                    for table, value in zip(tables, _turn(arena, node, name, (one, each, read)), strict=True):
                        if value is not None:
                            table.add(name, Sample(value))
        except _MISSING as missing:
            for table in tables:
                table.absent[name] = str(missing)
    return list(tables)


def _turn(arena: Arena, node: Node, name: str, sizes: tuple[int, int, int]) -> tuple[float, float, float | None]:
    one, each, read = sizes
    put: Put = _by_tus if name == TUS else _by_form
    _removed(node, put(node, 1))
    slow = None if name == TUS else _slowly_read(arena, node, read)  # before what is taken and given back hides it
    uploads = []
    for count, size in ((1, one), (_MANY, each)):
        with ThreadPoolExecutor(count) as pool, _watched(node) as added:
            file_ids = list(pool.map(lambda size: put(node, size), [size] * count))
        uploads.append(added[0])
        for file_id in file_ids:
            _removed(node, file_id)
    return uploads[0], uploads[1], slow


def _slowly_read(arena: Arena, node: Node, size: int) -> float:
    file_id = _by_form(node, size)
    with ExitStack() as stack, _watched(node) as added:
        for _ in range(_READERS):
            line = stack.enter_context(socket.create_connection(("127.0.0.1", node.port), timeout=30))
            line.sendall(f"GET /api/v1/files/{file_id}/download HTTP/1.1\r\n{node.headers}{_AS_PAGES}\r\n".encode())
            if not line.recv(_READ_BYTES).startswith(b"HTTP/1.1 200"):
                raise RuntimeError("the file was not given")
        arena.settle(_SLOW_SECONDS)  # what they do not take: how much of it is held for them shows in time alone
    _removed(node, file_id)
    return added[0]


@contextmanager
def _watched(node: Node) -> Iterator[list[float]]:
    """How much more it held at the most, in MiB, once this is over."""
    forget_peak(node.pid)
    before, added = resident_kib(node.pid), list[float]()
    yield added
    added.append((resident_kib(node.pid, peak=True) - before) / 1024)


def _by_form(node: Node, mebibytes: int) -> str:
    file = send(node.port, f"POST /api/v1/files/upload HTTP/1.1\r\n{node.headers}", mebibytes, is_form=True)
    return str(file["id"])


def _by_tus(node: Node, mebibytes: int) -> str:
    """All in one piece: what is gathered of it is the server's affair."""
    line = http.client.HTTPConnection("127.0.0.1", node.port, timeout=30)
    told = {
        "Authorization": f"Bearer {node.token}",
        "Tus-Resumable": "1.0.0",
        "Upload-Length": str(mebibytes * MEBIBYTE),
        "Upload-Metadata": f"filename {base64.b64encode(b'large.pdf').decode()}",
    }
    line.request("POST", "/api/v1/files/tus", headers=told)
    path = str(line.getresponse().headers["Location"])
    line.close()
    tus = "Tus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\nContent-Type: application/offset+octet-stream\r\n"
    send(node.port, f"PATCH {path} HTTP/1.1\r\n{node.headers}{tus}", mebibytes, is_form=False)
    return str(ask(node.port, f"GET {path} HTTP/1.1\r\n{node.headers}")["file"]["id"])


def _removed(node: Node, file_id: str) -> None:
    ask(node.port, f"DELETE /api/v1/files/{file_id} HTTP/1.1\r\n{node.headers}")


@contextmanager
def _node(arena: Arena, settings: Settings) -> Iterator[Node]:
    given = {
        "secret_key": _KEY,
        "password_pepper": _KEY[::-1],
        "signing_key": _SIGNING_KEY,
        "rate_limit_enabled": False,
        "lms_data_dir": str(arena.new_file()),
    }
    with arena.school_on_a_node(given | settings, people=1) as node:
        yield Node(node.program.pid, node.port, node.paths[0].partition("token=")[2])


@contextmanager
def _on_disk() -> Iterator[Settings]:
    yield {}


@contextmanager
def _in_gridfs() -> Iterator[Settings]:
    with pinned(LOAD_CORE), running_mongo() as mongodb_url, running_redis() as redis_url:
        yield {"mongodb_url": mongodb_url, "redis_url": redis_url, "mongodb_database": "bench"}


@contextmanager
def _in_s3() -> Iterator[Settings]:
    with pinned(LOAD_CORE), running_s3() as server:
        yield {
            "file_storage_provider": "s3",
            "s3_bucket": BUCKET,
            "s3_region": REGION,
            "s3_endpoint_url": server.url,
            "s3_access_key_id": KEY_ID,
            "s3_secret_access_key": KEY,
        }


@contextmanager
def _in_azure() -> Iterator[Settings]:
    with pinned(LOAD_CORE), running_azurite() as connection:
        ContainerClient.from_connection_string(connection, CONTAINER).create_container()
        yield {
            "file_storage_provider": "azure",
            "azure_storage_connection_string": connection,
            "azure_storage_container_name": CONTAINER,
        }


STORES = {LOCAL: _on_disk, GRIDFS: _in_gridfs, S3: _in_s3, AZURE: _in_azure, TUS: _on_disk}
"""Each with the server that stands in for it."""
