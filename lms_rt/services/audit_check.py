"""Whether the audit log still is what was written: followed from its old end to its head, by night or when somebody asks.

It also takes the oldest records away when their time is over, with a signed mark where it cut: what is gone without one
was taken by somebody else.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import math
from collections.abc import Sequence
from datetime import datetime

from documents.audit_beside import CHECKED, CUT, HEAD, VERDICT, AuditMark
from documents.audit_record import AuditRecord
from documents.base import Row
from lms_rt.clock import Clock
from lms_rt.contracts.audit import AuditState, AuditVerdict, Finding
from lms_rt.security.audit_chain import AuditChain, Link, Walk
from lms_rt.services import figures

PAGE = 500
GLANCE = 200
"""So many of the newest records are followed whenever the log is looked at."""
_TRIES = 3

_log = logging.getLogger(__name__)


class AuditCheck:
    """Checks and cuts the audit log."""

    def __init__(self, *, clock: Clock, chain: AuditChain) -> None:
        self._clock, self._chain = clock, chain

    async def check(self, noted: Link | None = None) -> AuditVerdict:
        """Follow all of it, and keep what it came to. `noted` is a place whose hash somebody wrote down elsewhere."""
        for _ in range(_TRIES):
            head, cut = await AuditMark.find_mark(HEAD), await AuditMark.find_mark(CUT)
            watched = {link.seq for link in (None if head is None else _link(head), noted) if link is not None}
            walk = Walk(self._chain, _link(cut), frozenset(watched), await self._known_until(head))
            first_seq = await self._follow(walk)
            if await AuditMark.find_mark(CUT) == cut:  # else the old end was moved on the way
                break
        self._try_marks(walk, head, cut)
        if noted is not None and noted.seq > _link(cut).seq:
            _try_place(walk, noted)
        verdict = AuditVerdict(
            checked_at=self._clock.now(),
            first_seq=first_seq,
            last_seq=walk.place.seq,
            last_hash=walk.place.hash,
            cut_seq=_link(cut).seq,
            findings=walk.findings,
        )
        if verdict.is_whole:
            await self._note_checked(walk.place)
        await AuditMark.put(VERDICT, {"seq": verdict.last_seq, "verdict": verdict.model_dump()})
        self._say(verdict)
        return verdict

    async def glance(self) -> AuditState:
        """What the last check found, and whether the newest records and the head hold now."""
        kept, head = await AuditMark.find_mark(VERDICT), await AuditMark.find_mark(HEAD)
        rows = (await AuditRecord.find_newest({}, before=None, limit=GLANCE))[::-1]
        begin = Link(int(rows[0]["_id"]) - 1, str(rows[0].get("previous_hash"))) if rows else Link()
        watched = frozenset() if head is None else frozenset({head["seq"]})
        walk = Walk(self._chain, begin, watched, await self._known_until(head))
        walk.follow(rows)
        cut = await AuditMark.find_mark(CUT)
        if not rows:
            walk.place = _link(cut)
        self._try_marks(walk, head, cut)
        whole = None if kept is None else AuditVerdict.model_validate(kept["verdict"])
        older = [] if whole is None else [one for one in whole.findings if one not in walk.findings]
        return AuditState(whole=whole, last_seq=walk.place.seq, findings=[*older, *walk.findings])

    async def cut(self, before: datetime, *, limit: int) -> int:
        """Remove some of the oldest records, from before then, behind a signed mark; how many. The newest one stays.

        What is gone cannot be checked any more, so that nothing goes by a time that somebody else may have written.
        """
        last = await AuditRecord.find_last()
        rows = await AuditRecord.find_stretch(after=0, limit=limit)
        gone = list(itertools.takewhile(lambda row: _is_before(row, before) and row != last, rows))
        end = await self._really_old(gone)
        if end is None or not await self._mark_cut(_link_to(end)):
            return 0
        return await AuditRecord.forget_until(end["_id"])

    async def sign_anew(self) -> None:
        """Let the head say what stands there now, by the key of today: after a key was lost, or damage was looked into."""
        last, now = await AuditRecord.find_last(), self._clock.now()
        place = Link() if last is None else Link(last["_id"], last["hash"])
        await AuditMark.put(HEAD, self._chain.mark(HEAD, place, now))
        await AuditMark.put(CHECKED, self._chain.mark(CHECKED, place, now))
        if (cut := await AuditMark.find_mark(CUT)) is not None:
            await AuditMark.put(CUT, self._chain.mark(CUT, _link(cut), now))

    async def renew_marks(self) -> None:
        """Sign marks by the key of today that a former one has signed, before that one is forgotten."""
        for name in (HEAD, CUT, CHECKED):
            mark = await AuditMark.find_mark(name)
            if mark is not None and mark["key_id"] != self._chain.key_id and self._chain.is_mark(name, mark):
                await AuditMark.move(name, mark, self._chain.mark(name, _link(mark), self._clock.now()))

    # --- how ---

    async def _known_until(self, head: Row | None) -> int:
        """Up to where records were found to be ours by keys that may be forgotten since: no further than the head goes."""
        checked = await AuditMark.find_mark(CHECKED)
        if checked is None or not self._chain.is_mark(CHECKED, checked):
            return 0
        return int(checked["seq"] if head is None else min(checked["seq"], head["seq"]))

    async def _note_checked(self, place: Link) -> None:
        """All is whole up to there. Whoever has been further meanwhile, is."""
        checked, fields = await AuditMark.find_mark(CHECKED), self._chain.mark(CHECKED, place, self._clock.now())
        if checked is None:
            await AuditMark.begin(CHECKED, fields)
        elif checked["seq"] < place.seq or not self._chain.is_mark(CHECKED, checked):
            await AuditMark.move(CHECKED, checked, fields)

    async def _follow(self, walk: Walk) -> int:
        """Follow to the end; the first place that is there, 0 if none is."""
        first_seq = 0
        while rows := await AuditRecord.find_stretch(after=walk.place.seq, limit=PAGE):
            first_seq = first_seq or int(rows[0]["_id"])
            await asyncio.to_thread(walk.follow, rows)
            if walk.place.seq < rows[-1]["_id"]:  # which is between two places, and was found
                walk.place = Link(math.ceil(rows[-1]["_id"]), walk.place.hash)
        if await AuditRecord.has_others():
            walk.find("forged", 0)
        return first_seq

    def _try_marks(self, walk: Walk, head: Row | None, cut: Row | None) -> None:
        """Do the head and the mark of the cut say what is there?"""
        if cut is not None and not self._chain.is_mark(CUT, cut):
            walk.find("cut_forged", cut["seq"])
        if head is None:
            if walk.seen or cut is not None:
                walk.find("head_missing", walk.place.seq)
        elif not self._chain.is_mark(HEAD, head):
            walk.find("head_forged", head["seq"])
        else:
            _try_place(walk, _link(head))

    async def _really_old(self, gone: Sequence[Row]) -> Row | None:
        """The last of these that is what we wrote: what stands before a record is older than it, whatever it says itself."""
        intact = await asyncio.to_thread(lambda: [self._chain.is_intact(row) for row in gone])
        tried = list(zip(gone, intact, strict=True))[::-1]
        found = next((row for row, is_ours in tried if is_ours), None)
        if found is None and tried and tried[0][1] is None and await self._is_followed(tried[0][0]):
            found = tried[0][0]
        if tried and found is not tried[0][0]:
            _log.error("old records of the audit log are not what was written and stay: python3 run.py verify-audit")
        return found

    async def _is_followed(self, row: Row) -> bool:
        """Of a record whose key is forgotten: does the chain lead from it to one that a known key has signed?"""
        walk = Walk(self._chain, _link_to(row), known_until=row["_id"])
        cut = await AuditMark.find_mark(CUT)
        if cut is not None and _link(cut) == walk.place:
            return True  # it went there before, and _mark_cut tries the mark
        while rows := await AuditRecord.find_stretch(after=walk.place.seq, limit=PAGE):
            for one in rows:
                walk.known_until = one["_id"]
                walk.follow([one])
                if walk.findings or self._chain.is_record(one):
                    return not walk.findings
        head = await AuditMark.find_mark(HEAD)
        return head is not None and self._chain.is_mark(HEAD, head) and _link(head) == walk.place

    async def _mark_cut(self, place: Link) -> bool:
        """Move the mark of the cut there; False when it is not ours to move."""
        cut, fields = await AuditMark.find_mark(CUT), self._chain.mark(CUT, place, self._clock.now())
        if cut is None:
            return await AuditMark.begin(CUT, fields)
        if not self._chain.is_mark(CUT, cut):
            _log.error("the mark of the audit log's old end is not what was written: python3 run.py verify-audit")
            return False
        return cut["seq"] >= place.seq or await AuditMark.move(CUT, cut, fields)

    @staticmethod
    def _say(verdict: AuditVerdict) -> None:
        """The log line is a copy of the head that whoever can write to the database cannot take back."""
        figures.AUDIT_FINDINGS.set(len(verdict.findings))
        if verdict.is_whole:
            _log.info("the audit log is whole up to %s:%s", verdict.last_seq, verdict.last_hash)
        else:
            _log.error("the audit log is not whole: %s", ", ".join(map(_words, verdict.findings)))


def _try_place(walk: Walk, place: Link) -> None:
    """Is this place still there, with this hash?"""
    if place.seq > walk.place.seq:
        walk.find("tail_missing", walk.place.seq + 1, place.seq)
    elif walk.hashes.get(place.seq, place.hash) != place.hash:
        walk.find("tail_differs", place.seq)


def _is_before(record: Row, moment: datetime) -> bool:
    at = record.get("at")
    return isinstance(at, datetime) and at < moment


def _link_to(record: Row) -> Link:
    return Link(record["_id"], str(record.get("hash")))


def _link(mark: Row | None) -> Link:
    return Link() if mark is None else Link(mark["seq"], mark["hash"])


def _words(finding: Finding) -> str:
    return f"{finding.kind} {finding.first_seq}-{finding.last_seq}"
