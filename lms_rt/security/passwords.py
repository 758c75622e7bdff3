"""Passwords: how they are hashed, off the event loop, and which are refused. Not who may sign in: that is accounts'.

A stored hash reads `bcrypt-hs384-1$<pepper>$<bcrypt>`: bcrypt(base64(hmac-sha384(pepper, NFKC(password)))). The HMAC
brings passwords of any length under bcrypt's 72 bytes, and makes a stolen table worthless without the pepper.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import os
import sys
import threading
import unicodedata
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

import bcrypt

from lms_rt.errors import Code, Refused

_SCHEME = "bcrypt-hs384-1"
_NICENESS = 10
_NOBODY = "abcdefghijklmnopqrstuu" + "A" * 31  # salt and digest of no password: checking costs what a real one costs

ResultT = TypeVar("ResultT")


@dataclass(frozen=True, slots=True)
class Share:
    """What may wait at once of one asker: so many, or (None) as many as anybody."""

    asker: str
    places: int | None = None


_SPREAD_SECONDS = 60
"""Those who are turned away together are told to come again over so long, and not all at the same moment."""
_NEW_PASSWORDS = Share("new passwords")
"""All who choose one wait as one asker: however many register, there are places left for who signs in."""
STRANGERS = Share("strangers", 52)
"""All browsers that the account does not know, and all who choose a password, from however many addresses: the other
places are left for browsers that are known."""


def _yield_to_others() -> None:
    """Lower this thread's priority, so that hashing takes only what the event loop leaves (Linux: nice is per thread)."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)


class HashingPool:
    """A few niced threads with a queue that has an end.

    bcrypt at cost 12 takes a quarter of a second: on the loop it stops everybody, in the default executor it starves
    its other users. Beyond `max_waiting` the answer is 503 `busy` instead of a wait that nobody sits out, and of one
    asker beyond their share (else `max_waiting_each`), so that nobody fills the queue alone.
    """

    def __init__(
        self, *, threads: int = 1, max_waiting: int = 64, max_waiting_each: int = 40, seconds_each: float = 0.25
    ) -> None:
        self._threads, self._seconds_each = threads, seconds_each
        self._max_waiting, self._max_waiting_each = max_waiting, max_waiting_each
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="bcrypt", initializer=_yield_to_others)
        self._free = asyncio.Semaphore(threads)
        self._under_way = 0
        self._turned_away = 0
        self._by_asker: Counter[str] = Counter()

    @asynccontextmanager
    async def turn(self, *shares: Share) -> AsyncIterator[None]:
        """Has come while the body runs, which may `work`; refused with `busy` when too many wait already."""
        self._refuse_too_many(shares)
        self._under_way += 1
        self._by_asker.update(share.asker for share in shares)
        try:
            async with self._free:
                yield
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._turned_away = 0
            for share in shares:
                self._by_asker[share.asker] -= 1
                if not self._by_asker[share.asker]:
                    del self._by_asker[share.asker]

    def refuse_full(self, *shares: Share) -> None:
        """Refuse with `busy` where nobody else can wait, whoever it is, or nobody else of these shares of many."""
        waiting = self._under_way - self._threads
        if waiting >= self._max_waiting or any(self._is_used_up(share) for share in shares):
            self._turned_away += 1
            behind = (self._turned_away * self._seconds_each / self._threads) % _SPREAD_SECONDS
            raise self._busy(waiting, behind)

    async def work(self, work: Callable[[], ResultT]) -> ResultT:
        """The result of `work`, for whose turn it is."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)

    async def run(self, work: Callable[[], ResultT]) -> ResultT:
        """The result of `work`, done in its turn; refused with `busy` when too many wait already."""
        async with self.turn():
            return await self.work(work)

    def _refuse_too_many(self, shares: Sequence[Share]) -> None:
        self.refuse_full(*(share for share in shares if share == STRANGERS))
        if any(self._is_used_up(share) for share in shares):
            raise self._busy(self._under_way - self._threads)

    def _busy(self, waiting: int, more_seconds: float = 0.0) -> Refused:
        seconds = max(1, round(waiting * self._seconds_each / self._threads + more_seconds))
        return Refused(Code.BUSY, "Too many people are signing in at once; try again.", retry_after_seconds=seconds)

    def _is_used_up(self, share: Share) -> bool:
        places = self._max_waiting_each if share.places is None else share.places
        return self._by_asker[share.asker] - self._threads >= places

    def close(self) -> None:
        """Let the work under way end, drop what waits."""
        self._executor.shutdown(wait=False, cancel_futures=True)


class PasswordHasher:
    """Makes and checks stored hashes."""

    def __init__(self, *, pepper: str, cost: int, pool: HashingPool) -> None:
        self._pepper, self._cost, self._pool = pepper.encode(), cost, pool
        self._prefix = f"{_SCHEME}${hashlib.sha256(b'pepper' + self._pepper).hexdigest()[:8]}$"
        self._nobody = f"{self._prefix}$2b${cost:02d}${_NOBODY}"

    def refuse_full(self, *shares: Share) -> None:
        """Refuse with `busy`, before anything is looked up, where no password can be tried now."""
        self._pool.refuse_full(*shares)

    async def hash(self, password: str) -> str:
        """What to store for this password."""
        digest = self._digest(password)
        async with self._pool.turn(_NEW_PASSWORDS, STRANGERS):
            hashed = await self._pool.work(lambda: bcrypt.hashpw(digest, bcrypt.gensalt(self._cost)))
        return self._prefix + hashed.decode()

    async def is_right(
        self,
        password: str,
        stored: str | None,
        *,
        shares: Sequence[Share] = (),
        at_turn: Callable[[], Awaitable[None]] | None = None,
    ) -> bool:
        """Is it the password behind `stored`? With None (nobody has this address) it takes as long, and is not.

        `at_turn` is asked when nothing is between it and the hashing any more, and may refuse: whoever counts guesses
        there sees each before the next is tried.
        """
        digest = self._digest(password)
        is_known = stored is not None and stored.startswith(self._prefix)
        hashed = (stored if stored is not None and is_known else self._nobody).removeprefix(self._prefix)
        async with self._pool.turn(*shares):
            if at_turn is not None:
                await at_turn()
            is_match = await self._pool.work(lambda: self._is_match(digest, hashed))
        return is_known and is_match

    def _is_match(self, digest: bytes, hashed: str) -> bool:
        """Takes as long for a wrong password whatever the cost was that it was hashed with, up to today's."""
        is_match = bcrypt.checkpw(digest, hashed.encode())
        if not is_match:
            for cost in range(int(hashed[4:6]), self._cost):  # 2ⁿ + 2ⁿ + 2ⁿ⁺¹ + … + 2ᵐ⁻¹ = 2ᵐ rounds
                bcrypt.checkpw(digest, f"$2b${cost:02d}${_NOBODY}".encode())
        return is_match

    def is_outdated(self, stored: str) -> bool:
        """Was it made with another cost than today's?"""
        return not stored.startswith(f"{self._prefix}$2b${self._cost:02d}$")

    def _digest(self, password: str) -> bytes:
        text = unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass")
        return base64.b64encode(hmac.digest(self._pepper, text, "sha384"))
