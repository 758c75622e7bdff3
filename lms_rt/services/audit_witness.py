"""What this process has seen of the audit log's end, kept where the database does not reach: in its memory and in its log.

Whoever can write to the database can put back an older head, which we signed ourselves, and take away what came after it. A
process that was further knows better, as long as it runs; what it has logged stays where logs go. Only who has the key can
say that the log begins anew at an earlier place: by a mark of its own, signed later than that process saw the end.
"""

from __future__ import annotations

import logging
from datetime import datetime

from documents.audit_beside import ANEW, CHECKED, CUT, HEAD, AuditMark
from documents.audit_record import AuditRecord
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
        self._differing: tuple[Link, datetime] | None = None

    def see(self, place: Link) -> None:
        """The head stands there, or did."""
        if place.seq > self.place.seq:
            self.place, self._seen_at = place, self._clock.now()

    def forget(self) -> None:
        """The log begins anew, by this process itself."""
        self.place, self._seen_at, self._differing = Link(), None, None

    async def has_lost(self, known: Link, place: Link) -> bool:
        """Is what was remembered gone, though the log goes up to there? `known` is of before the log was read.

        One that was cut off and grew again is as far as it was, with another record at the place: that is remembered too.
        """
        if not known.seq or place == known or (place.seq > known.seq and await self._stands(known)):
            return False
        if await self._is_signed_anew_since(self._seen_at):
            self.place, self._seen_at = place, self._clock.now()
            return False
        if place.seq >= known.seq and self._differing is None:
            self._differing = known, self._clock.now()
        return True

    async def find_differing(self) -> Link | None:
        """A place at which another record stands than stood there, unless the log was signed anew since that was seen."""
        if self._differing is not None and await self._is_signed_anew_since(self._differing[1]):
            self._differing = None
        return None if self._differing is None else self._differing[0]

    async def _stands(self, known: Link) -> bool:
        """Is the record there, or gone for its age?"""
        row = await AuditRecord.find_at(known.seq)
        if row is not None:
            return bool(row.get("hash") == known.hash)
        return known.seq <= (await self._signed_place(CUT)).seq

    async def _is_signed_anew_since(self, moment: datetime | None) -> bool:
        anew = await AuditMark.find_mark(ANEW)
        is_ours = anew is not None and self._chain.is_mark(ANEW, anew)
        return anew is not None and is_ours and moment is not None and bool(anew["at"] > moment)

    async def run(self) -> None:
        """Look every few minutes, until cancelled."""
        while True:
            try:
                await self.look()
            except Exception:  # noqa: BLE001 - the database is away: others say so, and it is looked at again
                _log.info("the head of the audit log could not be read", exc_info=True)
            await self._clock.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Where does the head stand? What has moved is logged, and what is gone that was there."""
        known, checked = self.place, await self._signed_place(CHECKED)
        place = await self._signed_place(HEAD)
        gone = [one for one in dict.fromkeys((known, checked)) if await self._is_gone(one, place)]
        if not gone and (differing := await self.find_differing()) is not None:
            gone = [differing]
        self.see(place)
        self.see(checked)
        for lost in gone:
            _log.error(
                "the audit log's head stands at %s, and record %s:%s is not there: python3 run.py verify-audit --head %s:%s",
                *(place.seq, lost.seq, lost.hash, lost.seq, lost.hash),
            )
        if not gone and place.seq and place != self._told:
            self._told = place
            self.tell(place)

    async def _is_gone(self, known: Link, place: Link) -> bool:
        """A head may stay behind what is there, when whoever wrote that was killed: the next writer moves it."""
        is_behind = 0 < place.seq < known.seq and await self._stands(known)
        return not is_behind and await self.has_lost(known, place)

    async def _signed_place(self, name: str) -> Link:
        """Where a mark stands that is ours; the beginning without one."""
        mark = await AuditMark.find_mark(name)
        return Link() if mark is None or not self._chain.is_mark(name, mark) else place_of(mark)

    @staticmethod
    def tell(place: Link) -> None:
        """A copy of the head that whoever can write to the database cannot take back."""
        _log.info("the audit log goes up to %s:%s", place.seq, place.hash)
