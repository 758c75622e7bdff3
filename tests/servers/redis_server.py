"""Redis servers of our own for the tests, on free ports: alone, as master and replica, or as a small Cluster."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from redis import Redis

from tests.servers.absence import require_program
from tests.servers.ports import free_port
from tests.servers.processes import ServerProcess

_PATIENCE_SECONDS = 30.0
_SLOTS = 16_384


@contextlib.contextmanager
def running_redis() -> Iterator[str]:
    """A server's URL; it keeps nothing."""
    with RedisServer() as server:
        yield server.url


class RedisServer:
    """A server that can be stopped, killed, frozen and started again on its port, with what it dumped or without.

    `maxmemory-policy` is noeviction, as in production. Further options are those of redis.conf.
    """

    def __init__(self, *, port: int | None = None, **options: str | int) -> None:
        self.port = port or free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._options: dict[str, str | int] = {
            "save": "",
            "appendonly": "no",
            "maxmemory-policy": "noeviction",
            "repl-diskless-sync-delay": 0,
        }
        self._options |= {name.replace("_", "-"): value for name, value in options.items()}
        self._directory = Path(tempfile.mkdtemp(prefix="lms_redis_"))
        self._process: ServerProcess | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        self.kill()
        shutil.rmtree(self._directory, ignore_errors=True)

    def start(self) -> None:
        """Start it; it answers when this returns. It begins with its dump, where there is one."""
        options = {"port": self.port, "bind": "127.0.0.1", "dir": str(self._directory)} | self._options
        words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        self._process = ServerProcess([require_program("redis-server"), *words])
        self._process.line_with("Ready to accept connections")

    def stop(self) -> None:
        """End it as an operator would."""
        if self._process is not None:
            self._process.stop()
            self._process = None

    def kill(self) -> None:
        """End it as a crash would."""
        if self._process is not None:
            self.thaw()
            self._process.kill()
            self._process = None

    def freeze(self) -> None:
        """It keeps its connections and says nothing more."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGCONT)

    def dump(self) -> bytes:
        """Everything it holds now."""
        self.do("SAVE")
        return (self._directory / "dump.rdb").read_bytes()

    def follow(self, master: RedisServer) -> None:
        """Be its replica; returns when it has what is written there. (After a sync that takes up to a second.)"""
        self.do("REPLICAOF", "127.0.0.1", master.port)
        self.until("master_link_status", "up")
        with Redis(port=master.port, single_connection_client=True) as client:
            client.set("followed", self.port, px=1)
            _until(lambda: client.wait(1, 1000) == 1)

    def restart(self, *, dump: bytes | None = None) -> None:
        """Crash, and start again with this dump; without one: empty."""
        self.kill()
        file = self._directory / "dump.rdb"
        file.unlink(missing_ok=True)
        if dump is not None:
            file.write_bytes(dump)
        self.start()

    def do(self, *words: str | int) -> Any:
        """One command."""
        with Redis(port=self.port) as client:
            return client.execute_command(*words)

    def fact(self, name: str) -> str:
        """What INFO says of it."""
        facts = dict(line.split(":", 1) for line in self.info().splitlines() if ":" in line)
        return facts[name]

    def info(self) -> str:
        """All that INFO says."""
        with Redis(port=self.port) as client:
            client.set_response_callback("INFO", lambda reply: reply.decode())
            return str(client.execute_command("INFO", "everything"))

    def until(self, fact: str, value: str) -> None:
        """Return once INFO says so."""
        _until(lambda: self.fact(fact) == value)


class RedisCluster:
    """Masters of a Cluster that share the slots evenly; without replicas."""

    def __init__(self, masters: int = 3) -> None:
        self.masters = [RedisServer(cluster_enabled="yes", cluster_node_timeout=2000) for _ in range(masters)]

    @property
    def url(self) -> str:
        return self.masters[0].url

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            for master in self.masters:
                stack.enter_context(master)
            for number, master in enumerate(self.masters):
                share = _SLOTS / len(self.masters)
                slots = range(round(number * share), round((number + 1) * share))
                master.do("CLUSTER", "ADDSLOTS", *slots)
                master.do("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
                master.do("CLUSTER", "MEET", "127.0.0.1", self.masters[0].port)
            for master in self.masters:
                _until(partial(_is_whole, master))
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        self._stack.close()

    def master_of(self, key: str) -> RedisServer:
        """Who has the slot of this key."""
        slot = self.masters[0].do("CLUSTER", "KEYSLOT", key)
        for first, last, (_, port, *_), *_ in self.masters[0].do("CLUSTER", "SLOTS"):
            if first <= slot <= last:
                return next(master for master in self.masters if master.port == port)
        raise LookupError(key)

    def add_replica(self, replica: RedisServer, master: RedisServer) -> None:
        """Let a server follow a master, and everybody know of it."""
        replica.do("CLUSTER", "MEET", "127.0.0.1", master.port)
        name = master.do("CLUSTER", "MYID").decode()
        _until(lambda: name in str(replica.do("CLUSTER", "NODES")))
        replica.do("CLUSTER", "REPLICATE", name)
        replica.until("master_link_status", "up")
        for one in self.masters:
            _until(partial(_knows_a_replica, one))
        _until(partial(_is_whole, replica))

    def move_slot(self, key: str, to: RedisServer) -> None:
        """Let another master have the slot of this key, with all that is in it."""
        self.begin_move(key, to)
        self.finish_move(key, to)

    def begin_move(self, key: str, to: RedisServer) -> None:
        """From now on the old master has what is there, and the new one what is not."""
        slot, source = to.do("CLUSTER", "KEYSLOT", key), self.master_of(key)
        to.do("CLUSTER", "SETSLOT", slot, "IMPORTING", source.do("CLUSTER", "MYID").decode())
        source.do("CLUSTER", "SETSLOT", slot, "MIGRATING", to.do("CLUSTER", "MYID").decode())

    def finish_move(self, key: str, to: RedisServer) -> None:
        """Take the rest over, and tell everybody."""
        slot, source = to.do("CLUSTER", "KEYSLOT", key), self.master_of(key)
        for name in source.do("CLUSTER", "GETKEYSINSLOT", slot, 1000):
            source.do("MIGRATE", "127.0.0.1", to.port, name.decode(), 0, 5000)
        for server in (to, *self.masters):
            server.do("CLUSTER", "SETSLOT", slot, "NODE", to.do("CLUSTER", "MYID").decode())


def _is_whole(server: RedisServer) -> bool:
    return b"cluster_state:ok" in server.do("CLUSTER", "INFO")


def _knows_a_replica(server: RedisServer) -> bool:
    return "slave" in str(server.do("CLUSTER", "NODES"))


def _until(is_so: Callable[[], bool]) -> None:
    """Gossip takes a second or two."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not is_so():
        if time.monotonic() > deadline:
            raise RuntimeError(f"still not: {is_so}")
        time.sleep(0.02)
