"""Where a request that somebody else asked for may go: addresses of the public internet, judged by what a name resolves to.

An administrator's webhook must not reach what only this machine can. The form of an address is judged when it is given,
and again, with everything it resolves to, before each request; the request then goes to the very address that was judged
(`PinnedTarget`), so that a name which changes its answer gains nothing.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from urllib.parse import SplitResult, urlsplit

from lms_rt.contracts.webhooks import MAX_URL, PinnedTarget

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""The addresses of a host name, as texts, within its own time. Raises `OSError`, `TimeoutError` or `ResolverBusy`."""

RESOLVE_SECONDS = 5.0
LOOK_UPS_AT_ONCE = 8
MAX_ADDRESSES = 3
"""So many of a name's addresses are tried; all of them are judged."""
_Found = list[tuple[int, int, int, str, tuple[object, ...]]]
_PORTS = {"https": 443, "http": 80}

_REFUSED: tuple[Network, ...] = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8",
        "100.64.0.0/10",
        "168.63.129.16/32",
        "192.0.0.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "64:ff9b::/96",
        "64:ff9b:1::/48",
        "2002::/16",
        "2001::/32",
        "2620:4f:8000::/48",
        "3fff::/20",
        "::/96",
        "fec0::/10",
        "fc00::/7",
        "fe80::/10",
        "ff00::/8",
    )
)
"""What Python 3.11 calls global in part and what leads inside all the same: translations, relays, old site addresses,
anycast of name servers, documentation, and the address at which a cloud answers its own machines."""


class UnsafeTarget(Exception):
    """The address may not be asked, with words for whoever gave it."""


class Unresolvable(UnsafeTarget):
    """The name has no address at present; later it may have one."""


class ResolverBusy(Unresolvable):
    """Too many other names are being looked up; this says nothing of the name."""


class ResolverSlow(Unresolvable):
    """Nobody answered in time: it may be the name's own servers, or whoever we ask."""


def is_public(address: Address) -> bool:
    """Does it lie on the public internet, whatever it is wrapped in?"""
    address = _unwrapped(address)
    is_special = (
        address.is_multicast
        or address.is_reserved
        or address.is_unspecified
        or address.is_loopback
        or address.is_link_local
        or address.is_private
    )
    return address.is_global and not is_special and not _is_in(address, _REFUSED)


class TargetGuard:
    """Judges addresses of requests. `allowed` are networks that may be asked although they are not public."""

    def __init__(self, resolve: Resolve, *, allowed: Iterable[str] = (), is_http_allowed: bool = False) -> None:
        self._resolve = resolve
        self._allowed = tuple(ipaddress.ip_network(word, strict=False) for word in allowed)
        self._schemes = ("https", "http") if is_http_allowed else ("https",)

    async def pin(self, url: str) -> PinnedTarget:
        """The address to ask, judged. Raises `UnsafeTarget`, or `Unresolvable` when the name leads nowhere now."""
        parts, host, port = self._form(url)
        try:
            found = await self._resolve(host, port)
        except TimeoutError as error:
            raise ResolverSlow(f"{host} cannot be resolved in time") from error
        except (OSError, UnicodeError) as error:
            raise Unresolvable(f"{host} cannot be resolved") from error
        addresses = [_unwrapped(ipaddress.ip_address(text.partition("%")[0])) for text in found]
        if not addresses:
            raise Unresolvable(f"{host} has no address")
        for address in addresses:
            self._refuse_unless_open(address, host, is_usual=port == _PORTS[parts.scheme])
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        kept = tuple(dict.fromkeys(str(address) for address in addresses))[:MAX_ADDRESSES]
        return PinnedTarget(parts.scheme, host, port, path, kept)

    def _form(self, url: str) -> tuple[SplitResult, str, int]:
        """What can be said without asking anybody: scheme, host, port, and nothing that hides another host."""
        if len(url) > MAX_URL or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
            raise UnsafeTarget(f"an address has at most {MAX_URL} plain ASCII characters")
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
        except ValueError as error:
            raise UnsafeTarget("this is no address") from error
        if parts.scheme not in self._schemes:
            raise UnsafeTarget(f"the address begins with {' or '.join(f'{scheme}://' for scheme in self._schemes)}")
        if "@" in parts.netloc:
            raise UnsafeTarget("an address with a name or password in it is not taken")
        if not host or parts.fragment:
            raise UnsafeTarget("the address needs a host, and has no fragment")
        return parts, host, _PORTS[parts.scheme] if port is None else port

    def _refuse_unless_open(self, address: Address, host: str, *, is_usual: bool) -> None:
        if _is_in(address, self._allowed):
            return
        if not is_public(address):
            raise UnsafeTarget(f"{host} leads to an address that is not public")
        if not is_usual:
            raise UnsafeTarget("only the usual port of the scheme is taken")


class SystemResolver:
    """Asks the machine's resolver, in threads of its own: one that hangs holds up no other work.

    All who ask for a name at the same time share one thread, so that a name whose server is dead holds no more than that.
    """

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(max_workers=LOOK_UPS_AT_ONCE, thread_name_prefix="resolver")
        self._free = asyncio.Semaphore(LOOK_UPS_AT_ONCE)
        self._asked: dict[str, asyncio.Future[_Found]] = {}

    async def __call__(self, host: str, port: int) -> list[str]:
        """Every address that a connection could go to."""
        asked = self._asked.get(host) or await self._ask(host, port)
        async with asyncio.timeout(RESOLVE_SECONDS):
            found = await asyncio.shield(asked)
        return [str(row[4][0]) for row in found]

    def close(self) -> None:
        """Let the threads go, without waiting for one that hangs."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _ask(self, host: str, port: int) -> asyncio.Future[_Found]:
        """Begin to look it up, in a thread that is free; or join who began while we waited for one."""
        try:
            async with asyncio.timeout(RESOLVE_SECONDS):
                await self._free.acquire()
        except TimeoutError:
            raise ResolverBusy("too many other names are being looked up") from None
        if (asked := self._asked.get(host)) is not None:
            self._free.release()
            return asked
        asked = asyncio.get_running_loop().run_in_executor(self._threads, _look_up, host, port)
        self._asked[host] = asked
        asked.add_done_callback(partial(self._end, host))
        return asked

    def _end(self, host: str, asked: asyncio.Future[_Found]) -> None:
        del self._asked[host]
        self._free.release()
        if not asked.cancelled():
            asked.exception()  # whoever asked may have gone


def _look_up(host: str, port: int) -> _Found:
    return list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))


def _unwrapped(address: Address) -> Address:
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _is_in(address: Address, networks: Iterable[Network]) -> bool:
    return any(address.version == network.version and address in network for network in networks)
