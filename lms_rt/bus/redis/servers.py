"""The servers behind the line: one alone, or the masters of a Cluster; and which of them has a key."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final

from redis.crc import key_slot

from lms_rt.bus.redis.wire import Address, Argument, Endpoint, Lost, ReplyError, Wire, connect

SLOTS: Final = 16_384
_SHARDED_SINCE: Final = 7
"""The version whose pub/sub can stay with the server that has the channel's slot."""
_MAX_REDIRECTS: Final = 20
_SLOT_MOVES_SECONDS: Final = 0.05
"""Some keys of a script are here and some there: so long between two attempts, for a second in all."""


class Servers:
    """Open connections to all who take writes. When one is lost, the line takes all for lost and connects anew."""

    def __init__(self, address: Address, make: Callable[[], Wire], connect_seconds: float) -> None:
        self._address, self._make, self._connect_seconds = address, make, connect_seconds
        self._wires: dict[Endpoint, Wire] = {}
        self._owners: list[Endpoint] = []
        """Of each slot; empty: there is one server alone."""
        self._opening = asyncio.Lock()
        self.is_sharded = False
        """Does a message stay with the server that has its channel's slot?"""

    def __contains__(self, wire: Wire) -> bool:
        return wire in self._wires.values()

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """Where they are."""
        return tuple(self._wires)

    @property
    def wires(self) -> tuple[Wire, ...]:
        """The connections to all."""
        return tuple(self._wires.values())

    def endpoint_of(self, key: str | bytes) -> Endpoint:
        """Who has the key."""
        return self._owners[_slot(key)] if self._owners else self._address.endpoint

    def home_of(self, key: bytes) -> Endpoint:
        """Where messages of a channel can be heard: in a Cluster without shards, everywhere."""
        return self.endpoint_of(key) if self.is_sharded else self._address.endpoint

    @property
    def publish_command(self) -> str:
        """What sends a message."""
        return "SPUBLISH" if self.is_sharded else "PUBLISH"

    def wire_of(self, key: str | bytes | None) -> Wire:
        """The connection to who has the key (None: to any)."""
        return self._wires[self._address.endpoint if key is None else self.endpoint_of(key)]

    async def redirected(self, words: Sequence[Argument], key: str | None, error: ReplyError) -> Any:
        """The reply of the server to which `error` sends us; raises what is no redirection."""
        for _ in range(_MAX_REDIRECTS):
            kind, *rest = str(error).split()
            try:
                if kind == "MOVED":
                    return await (await self.follow(*rest)).send(words)
                if kind == "ASK":
                    return await self._ask_once(await self._wire_at(self._endpoint(rest[1])), words)
                if kind != "TRYAGAIN":
                    break
                await asyncio.sleep(_SLOT_MOVES_SECONDS)
                return await self.wire_of(key).send(words)
            except ReplyError as another:
                error = another
        raise error

    async def follow(self, slot: str, place: str) -> Wire:
        """`MOVED slot host:port`: from now on the slot is there."""
        endpoint = self._endpoint(place)
        wire = await self._wire_at(endpoint)
        self._owners[int(slot)] = endpoint
        return wire

    async def open(self) -> None:
        """Connect to all; raises `Lost`, or `ReplyError`."""
        first = await self._wire_at(self._address.endpoint)
        if first.facts.get("mode") == b"cluster":
            await self._open_cluster(first)
        elif first.facts.get("role") != b"master":
            raise Lost("it is a replica")
        for wire in self._wires.values():
            await wire.send(("PING",))  # a server that is loading refuses

    def close(self) -> None:
        """End all connections."""
        for wire in self._wires.values():
            wire.close()

    async def _open_cluster(self, first: Wire) -> None:
        self.is_sharded = int(bytes(first.facts["version"]).split(b".", 1)[0]) >= _SHARDED_SINCE
        shares = await first.send(("CLUSTER", "SLOTS"))
        if sum(end - begin + 1 for begin, end, *_ in shares) != SLOTS:
            raise Lost("the cluster is not whole")
        self._owners = [self._address.endpoint] * SLOTS
        for begin, end, (host, port, *_), *_ in shares:
            endpoint = self._endpoint(f"{host.decode() if host else ''}:{port}")
            self._owners[begin : end + 1] = [endpoint] * (end - begin + 1)
            await self._wire_at(endpoint)

    def _endpoint(self, place: str) -> Endpoint:
        """A server that names no host is reached as the one that told of it."""
        host, _, port = place.rpartition(":")
        return Endpoint(host or self._address.endpoint.host, int(port))

    async def _wire_at(self, endpoint: Endpoint) -> Wire:
        async with self._opening:
            if endpoint not in self._wires:
                address = self._address.at(endpoint)
                self._wires[endpoint] = await connect(address, self._make, connect_seconds=self._connect_seconds)
            return self._wires[endpoint]

    @staticmethod
    async def _ask_once(wire: Wire, words: Sequence[Argument]) -> Any:
        wire.send(("ASKING",)).add_done_callback(lambda done: done.cancelled() or done.exception())
        return await wire.send(words)


async def open_servers(address: Address, make: Callable[[], Wire], connect_seconds: float) -> Servers:
    """All servers, found through the one at `address`; raises `Lost`, or `ReplyError`."""
    servers = Servers(address, make, connect_seconds)
    try:
        await servers.open()
    except BaseException:
        servers.close()
        raise
    return servers


def _slot(key: str | bytes) -> int:
    return key_slot(key.encode() if isinstance(key, str) else key)
