"""The line to Redis that all roles share: commands and scripts, and a breaker that makes an absent Redis cost nothing.

After a fault every call is refused at once; one task tries again, until the server answers and takes writes.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import random
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, NoReturn

from lms_rt.bus.base import Listening, Receiver
from lms_rt.bus.redis.keys import Keys
from lms_rt.bus.redis.servers import Servers, open_servers
from lms_rt.bus.redis.wire import Address, Argument, Endpoint, Lost, ReplyError, TooMany, Wire
from lms_rt.errors import Code, Refused

_SCRIPTS = Path(__file__).parent / "scripts"
_AWAY = re.compile(r"(?:^|-)(LOADING|MASTERDOWN|READONLY|CLUSTERDOWN|NOAUTH|WRONGPASS)\b")
"""The server cannot serve us at all. (Redis before 7 wraps what a script met: "ERR Error running script …: -READONLY")"""
_NOT_NOW = re.compile(r"(?:^|-)(OOM|MISCONF|BUSY|NOREPLICAS|TRYAGAIN|ASK|MOVED)\b")
"""This command was refused, others may pass."""
_WARN_SECONDS = 5.0
"""A full server refuses every write: so often it is logged."""

_log = logging.getLogger(__name__)


class Script:
    """A Lua script by its file's name; the parts in `after` come before it, as if they were written there."""

    def __init__(self, name: str, *, after: Sequence[str] = ()) -> None:
        self.name = name
        self.source = "\n".join((_SCRIPTS / f"{part}.lua").read_text() for part in (*after, name))

    @cached_property
    def sha(self) -> str:
        """The name by which the server knows it."""
        return hashlib.sha1(self.source.encode(), usedforsecurity=False).hexdigest()


@dataclass(frozen=True, slots=True)
class LineLimits:
    """How long the line waits."""

    connect_seconds: float = 1.0
    reply_seconds: float = 1.0
    probe_seconds: tuple[float, float] = (0.25, 1.0)
    """Between two attempts to come back, at random, so that a hundred nodes do not come in step."""


class _Watching(Listening):
    """One who is told of changes."""

    def __init__(self, watchers: list[Receiver[bool]], receiver: Receiver[bool]) -> None:
        self._watchers, self._receiver = watchers, receiver
        watchers.append(receiver)

    async def stop(self) -> None:
        """Tell it nothing more."""
        self._watchers[:] = [watcher for watcher in self._watchers if watcher is not self._receiver]


class RedisLine:
    """Commands and scripts. Every call raises `Refused(Code.UNAVAILABLE)` while Redis is away, or when it goes away."""

    def __init__(self, url: str, keys: Keys, *, limits: LineLimits | None = None) -> None:
        self.keys, self.address, self.limits = keys, Address.parse(url), limits or LineLimits()
        self._servers: Servers | None = None
        self._known: tuple[Endpoint, ...] = ()
        """Servers of the Cluster as it was last: the one that the URL names may be gone."""
        self._is_told_away, self._warned_at = False, -_WARN_SECONDS
        self._watchers: list[Receiver[bool]] = []
        self._has_fallen, self._is_up = asyncio.Event(), asyncio.Event()
        self._is_known = asyncio.Event()
        """Is it up, or was it told away? A line that has just fallen is tried once before anybody can say."""
        self._keeper: asyncio.Task[None] | None = None

    # --- life ---

    async def open(self) -> None:
        """Connect. An absent Redis is no error: calls are refused until it comes."""
        try:
            self._take(await self._connected())
        except (Lost, ReplyError) as error:
            self._tell_away(error)
            self._has_fallen.set()
        self._keeper = asyncio.create_task(self._keep(), name="line to redis")

    async def close(self) -> None:
        """End the connection and the attempts to come back."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        if self._servers is not None:
            self._servers.close()
            self._servers = None
        self._is_known.set()

    # --- calls ---

    @property
    def servers(self) -> Servers:
        """Who is there. Raises `Refused(Code.UNAVAILABLE)`."""
        if self._servers is None:
            raise Refused(Code.UNAVAILABLE)
        return self._servers

    async def run(self, script: Script, keys: Sequence[str], args: Sequence[Argument] = ()) -> Any:
        """Run a script in one atomic step; `keys` lie together (they share a hash tag)."""
        rest = (len(keys), *keys, *args)
        try:
            return await self._ask(("EVALSHA", script.sha, *rest), keys[0])
        except ReplyError as error:
            if not str(error).startswith("NOSCRIPT"):
                self._refuse(error)
        try:  # a new server, or SCRIPT FLUSH: this time with the text
            return await self._ask(("EVAL", script.source, *rest), keys[0])
        except ReplyError as error:
            self._refuse(error)

    async def do(self, *words: Argument, key: str | None = None) -> Any:
        """Do one command. `key` says which server of a Cluster has to (None: any will do)."""
        try:
            return await self._ask(words, key)
        except ReplyError as error:
            self._refuse(error)

    async def do_everywhere(self, *words: Argument) -> list[Any]:
        """Do one command on every server that takes writes."""
        servers = self.servers
        try:
            return await asyncio.gather(*(wire.send(words) for wire in servers.wires))
        except ReplyError as error:
            self._refuse(error)
        except (Lost, TooMany) as error:
            self._give_up(servers, error)

    async def _ask(self, words: Sequence[Argument], key: str | None) -> Any:
        servers = self.servers
        try:
            try:
                return await servers.wire_of(key).send(words)
            except ReplyError as error:
                return await servers.redirected(words, key, error)
        except (Lost, TooMany) as error:
            self._give_up(servers, error)

    def _give_up(self, servers: Servers, error: Exception) -> NoReturn:
        """No answer: the servers are away, if they are still those that were asked."""
        if isinstance(error, Lost) and servers is self._servers:
            self._fall()
        raise Refused(Code.UNAVAILABLE) from None

    def _refuse(self, error: Exception) -> NoReturn:
        """What the server's no means to the caller."""
        if _AWAY.search(str(error)):
            self._fall()
        elif not _NOT_NOW.search(str(error)):
            raise error  # a fault of ours
        now = time.monotonic()
        if now - self._warned_at > _WARN_SECONDS:
            self._warned_at = now
            _log.warning("redis refused: %s", error)
        raise Refused(Code.UNAVAILABLE) from None

    # --- the breaker ---

    @property
    def is_reachable(self) -> bool:
        """Is the line up?"""
        return self._servers is not None

    def watch(self, receiver: Receiver[bool]) -> Listening:
        """Tell of changes, and of an absence now. A line that is back at the first attempt was never away."""
        if self._is_told_away:
            receiver.receive(False)
        return _Watching(self._watchers, receiver)

    def _lost(self, wire: Wire) -> None:
        if self._servers is not None and wire in self._servers:
            self._fall()

    def _take(self, servers: Servers) -> None:
        self._servers, self._known = servers, servers.endpoints
        self._is_up.set()
        self._is_known.set()

    async def reached(self) -> None:
        """Return once the line is up."""
        await self._is_up.wait()

    async def is_there(self) -> bool:
        """Is the line up? One that has just fallen may be back at the first attempt: that is waited for, as long as one takes."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.limits.connect_seconds):
                await self._is_known.wait()
        return self.is_reachable

    def _fall(self) -> None:
        """From now on calls are refused; the keeper tries to come back."""
        if self._servers is not None:
            self._servers.close()
            self._servers = None
            self._is_up.clear()
            self._is_known.clear()
            self._has_fallen.set()

    async def _keep(self) -> None:
        while True:
            await self._has_fallen.wait()
            self._has_fallen.clear()
            self._take(await self._come_back())
            if self._is_told_away:
                self._is_told_away = False
                _log.warning("redis is back")
                self._tell(is_reachable=True)

    async def _come_back(self) -> Servers:
        while True:
            try:
                return await self._connected()
            except Exception as error:  # noqa: BLE001 - whatever it is, who does not try again never comes back
                self._tell_away(error)
                await asyncio.sleep(random.uniform(*self.limits.probe_seconds))  # noqa: S311 - no secret

    async def _connected(self) -> Servers:
        """All servers, as the one in the URL tells, or else another that was there last; raises as the last attempt did."""
        make = partial(Wire, self._lost, reply_seconds=self.limits.reply_seconds)
        *others, last = dict.fromkeys((self.address.endpoint, *self._known))
        for endpoint in others:
            with contextlib.suppress(Lost, ReplyError):
                return await open_servers(self.address.at(endpoint), make, self.limits.connect_seconds)
        return await open_servers(self.address.at(last), make, self.limits.connect_seconds)

    def _tell_away(self, error: Exception) -> None:
        self._is_known.set()
        if not self._is_told_away:
            self._is_told_away = True
            _log.warning("redis is away: %s", error)
            self._tell(is_reachable=False)

    def _tell(self, *, is_reachable: bool) -> None:
        for watcher in tuple(self._watchers):
            watcher.receive(is_reachable)
