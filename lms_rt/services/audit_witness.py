"""What this process has seen of the audit log's end, kept where the database does not reach: in its memory and in its log.

Whoever can write to the database can put back an older head, which we signed ourselves, and take away what came after it. A
process that was further knows better, as long as it runs; what it has logged stays where logs go. Only who has the key can
say that the log begins anew at an earlier place: by a mark of its own, signed later than that process saw the end.
"""

from __future__ import annotations

import logging
from datetime import datetime

from documents.audit_beside import ANEW, CHECKED, HEAD, AuditMark
from documents.base import Row
from lms_rt.clock import Clock
from lms_rt.security.audit_chain import AuditChain, Link, place_of

LOOK_SECONDS = 300.0

_log = logging.getLogger(__name__)
# Whatever LOG_LEVEL says, which administrators change: these lines are for who looks after them.
_log.setLevel(logging.INFO)


class Witness:
    """Remembers how far the head was. `run` looks after it and logs it when it has moved."""

    def __init__(self, *, clock: Clock, chain: AuditChain) -> None:
        self._clock, self._chain = clock, chain
        self.place = Link()
        self._seen_at: datetime | None = None
        self._told = Link()

    def see(self, place: Link) -> None:
        """The head stands there, or did."""
        if place.seq > self.place.seq:
            self.place, self._seen_at = place, self._clock.now()

    def forget(self) -> None:
        """The log begins anew, by this process itself."""
        self.place, self._seen_at = Link(), None

    async def has_lost(self, known: Link, place: Link) -> bool:
        """Was the head further than the log goes now? `known` is what was remembered before the log was read."""
        if place.seq >= known.seq:
            return False
        anew = await AuditMark.find_mark(ANEW)
        if self._is_later(anew):
            self.place, self._seen_at = place, self._clock.now()
            return False
        return True

    def _is_later(self, anew: Row | None) -> bool:
        is_ours = anew is not None and self._chain.is_mark(ANEW, anew)
        return anew is not None and is_ours and self._seen_at is not None and bool(anew["at"] > self._seen_at)

    async def run(self) -> None:
        """Look every few minutes, until cancelled."""
        while True:
            try:
                await self.look()
            except Exception:  # noqa: BLE001 - the database is away: others say so, and it is looked at again
                _log.info("the head of the audit log could not be read", exc_info=True)
            await self._clock.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Where does the head stand? What has moved is logged, and what went back."""
        self.see(await self._signed_place(CHECKED))
        known = self.place
        place = await self._signed_place(HEAD)
        self.see(place)
        if await self.has_lost(known, place):
            _log.error(
                "the audit log's head stands at %s, and stood at %s:%s before: python3 run.py verify-audit --head %s:%s",
                *(place.seq, known.seq, known.hash, known.seq, known.hash),
            )
        elif place.seq and place != self._told:
            self._told = place
            self.tell(place)

    async def _signed_place(self, name: str) -> Link:
        """Where a mark stands that is ours; the beginning without one."""
        mark = await AuditMark.find_mark(name)
        return Link() if mark is None or not self._chain.is_mark(name, mark) else place_of(mark)

    @staticmethod
    def tell(place: Link) -> None:
        """A copy of the head that whoever can write to the database cannot take back."""
        _log.info("the audit log goes up to %s:%s", place.seq, place.hash)
