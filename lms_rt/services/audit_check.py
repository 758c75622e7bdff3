"""Whether the audit log still is what was written: followed from its old end to its head, by night or when somebody asks.

It also takes the oldest records away when their time is over, with a signed mark where it cut: what is gone without one
was taken by somebody else. What the log is compared with: the head, the mark up to which it was found whole, what this
process remembers (`audit_witness.py`), and what somebody noted elsewhere.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import ValidationError

from documents.audit_beside import ANEW, CHECKED, CUT, HEAD, KNOWN, VERDICT, AuditMark
from documents.audit_record import AuditRecord
from documents.base import Row
from lms_rt.clock import Clock
from lms_rt.contracts.audit import AuditState, AuditVerdict, Finding
from lms_rt.contracts.base import encode
from lms_rt.security.audit_chain import MAX_FINDINGS, AuditChain, Link, Walk, place_of
from lms_rt.services import figures
from lms_rt.services.audit_reasons import Reasons
from lms_rt.services.audit_witness import Witness

PAGE = 500
GLANCE = 200
"""So many of the newest records are followed whenever the log is looked at."""
_TRIES = 3
KEPT = timedelta(days=730)

_log = logging.getLogger(__name__)


class AuditCheck:
    """Checks and cuts the audit log."""

    def __init__(
        self, *, clock: Clock, chain: AuditChain, witness: Witness | None = None, kept: timedelta = KEPT
    ) -> None:
        self._clock, self._chain = clock, chain
        self.witness = witness or Witness(clock=clock, chain=chain)
        self.reasons = Reasons(clock=clock, chain=chain, kept=kept)
        self._turn, self._begun = asyncio.Lock(), 0
        self._last: tuple[int, AuditVerdict] | None = None

    async def check(self, noted: Link | None = None) -> AuditVerdict:
        """Follow all of it, and keep what it came to. `noted` is a place whose hash somebody wrote down elsewhere.

        One at a time: whoever asks while it is followed is told what the next time came to, and so are all who ask then.
        """
        begun_before = self._begun
        async with self._turn:
            if noted is None and self._last is not None and self._last[0] > begun_before:
                return self._last[1]
            self._begun += 1
            verdict = await self._check(noted)
            self._last = None if noted is not None else (self._begun, verdict)
            return verdict

    async def _check(self, noted: Link | None) -> AuditVerdict:
        walk, first_seq, cut = await self._walked(noted)
        verdict = AuditVerdict(
            checked_at=self._clock.now(),
            first_seq=first_seq,
            last_seq=walk.place.seq,
            last_hash=walk.place.hash,
            cut_seq=cut.seq,
            findings=walk.findings,
            known=await self._count_known(walk.findings),
        )
        if not verdict.is_alarming:
            await self._note_checked(walk.place)
        await AuditMark.put(VERDICT, {"seq": verdict.last_seq, "verdict": verdict.model_dump()})
        self._say(verdict)
        return verdict

    async def _walked(self, noted: Link | None) -> tuple[Walk, int, Link]:
        """The log followed; its first place, and where it was cut."""
        for _ in range(_TRIES):
            marks = await self._marks(noted)
            walk = Walk(self._chain, place_of(marks.cut), marks.watched, marks.known_until)
            first_seq = await self._follow(walk)
            if await AuditMark.find_mark(CUT) == marks.cut:  # else the old end was moved on the way
                break
        await self._try_marks(walk, marks)
        return walk, first_seq, place_of(marks.cut)

    async def glance(self) -> AuditState:
        """What the last check found, and whether the newest records and the head hold now."""
        kept, marks = await AuditMark.find_mark(VERDICT), await self._marks(None)
        rows = (await AuditRecord.find_newest({}, before=None, limit=GLANCE))[::-1]
        begin = Link(int(rows[0]["_id"]) - 1, str(rows[0].get("previous_hash"))) if rows else place_of(marks.cut)
        walk = Walk(self._chain, begin, marks.watched, marks.known_until)
        await self._follow_some(walk, rows)
        await self._try_marks(walk, marks)
        whole = _verdict_of(kept)
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
        place, now = await self._own_end(), self._clock.now()
        for name in (HEAD, CHECKED, ANEW):
            await AuditMark.put(name, self._chain.mark(name, place, now))
        if (cut := await AuditMark.find_mark(CUT)) is not None:
            await AuditMark.put(CUT, self._chain.mark(CUT, place_of(cut), now))
        self.witness.forget()
        walk, _, _ = await self._walked(None)
        mark = self._chain.mark(KNOWN, Link(len(walk.findings), _hash_of(walk.findings)), now)
        await AuditMark.put(KNOWN, {**mark, "verdict": {"findings": [one.model_dump() for one in walk.findings]}})

    async def renew_marks(self) -> None:
        """Sign marks by the key of today that a former one has signed, before that one is forgotten."""
        for name in (HEAD, CUT, CHECKED, ANEW, KNOWN):
            mark = await AuditMark.find_mark(name)
            if mark is not None and self._chain.is_mark(name, mark) and mark["key_id"] != self._chain.key_id:
                await AuditMark.move(name, mark, self._chain.mark(name, place_of(mark), mark["at"]))

    # --- how ---

    async def _own_end(self) -> Link:
        """The last record that is ours: what somebody else has put behind it is not signed."""
        end, after = Link(), 0
        while rows := await AuditRecord.find_stretch(after=after, limit=PAGE):
            end, after = await asyncio.to_thread(self._own_end_of, rows, end), rows[-1]["_id"]
        return end

    def _own_end_of(self, rows: Sequence[Row], end: Link) -> Link:
        for row in rows:
            is_ours = self._chain.is_record(row) if isinstance(row["_id"], int) else False
            if is_ours is None:  # by a key that was lost: the chain alone speaks for it
                is_next = not end.seq or (row["_id"], row.get("previous_hash")) == (end.seq + 1, end.hash)
                is_ours = is_next and self._chain.is_intact(row) is None
            end = _link_to(row) if is_ours else end
        return end

    async def _count_known(self, findings: Sequence[Finding]) -> int:
        """How many of these were there when the log was signed anew? None, when there may be more than are told."""
        mark = await AuditMark.find_mark(KNOWN)
        if mark is None or not self._chain.is_mark(KNOWN, mark) or len(findings) >= MAX_FINDINGS:
            return 0
        known = _findings_in(mark)
        if mark["hash"] != _hash_of(known):
            return 0
        return sum(_named(one) in set(map(_named, known)) for one in findings)

    async def _marks(self, noted: Link | None) -> _Marks:
        """What the log is compared with, read before the log itself."""
        known = self.witness.place
        head, cut, checked = [await AuditMark.find_mark(name) for name in (HEAD, CUT, CHECKED)]
        is_tried = checked is not None and self._chain.is_mark(CHECKED, checked)
        # Up to there records were found to be ours by keys that may be forgotten since: no further than the head goes.
        known_until = min(place_of(checked).seq, place_of(head).seq if head else 2**53) if is_tried else 0
        places = {"noted": noted, "checked": place_of(checked) if is_tried else None, "known": known}
        places["differing"] = await self.witness.find_differing()
        if head is not None and self._chain.is_mark(HEAD, head):
            places["head"] = place_of(head)
        told = {name: place for name, place in places.items() if place is not None and place.seq}
        return _Marks(head, cut, known_until, told)

    async def _note_checked(self, place: Link) -> None:
        """All is whole up to there. Whoever has been further meanwhile, is."""
        checked, fields = await AuditMark.find_mark(CHECKED), self._chain.mark(CHECKED, place, self._clock.now())
        if checked is None:
            await AuditMark.begin(CHECKED, fields)
        elif not self._chain.is_mark(CHECKED, checked):
            await AuditMark.put(CHECKED, fields)
        elif checked["seq"] < place.seq:
            await AuditMark.move(CHECKED, checked, fields)

    async def _follow(self, walk: Walk) -> int:
        """Follow to the end; the first place that is there, 0 if none is."""
        first_seq = 0
        while rows := await AuditRecord.find_stretch(after=walk.place.seq, limit=PAGE):
            first_seq = first_seq or int(rows[0]["_id"])
            await self._follow_some(walk, rows)
            if walk.place.seq < rows[-1]["_id"]:  # which is between two places, and was found
                walk.place = Link(math.ceil(rows[-1]["_id"]), walk.place.hash)
        if await AuditRecord.has_others():
            walk.find("forged", 0)
        return first_seq

    async def _follow_some(self, walk: Walk, rows: Sequence[Row]) -> None:
        """The next records, and whether the reasons beside them are what was given."""
        await asyncio.to_thread(walk.follow, rows)
        for kind, seq in (await self.reasons.of(rows)).findings:
            walk.find(kind, seq)

    async def _try_marks(self, walk: Walk, marks: _Marks) -> None:
        """Do the head, the mark of the cut, and all that remembers a place say what is there?"""
        if marks.cut is not None and not self._chain.is_mark(CUT, marks.cut):
            walk.find("cut_forged", place_of(marks.cut).seq)
        if marks.head is None:
            if walk.seen or marks.cut is not None:
                walk.find("head_missing", walk.place.seq)
        elif not self._chain.is_mark(HEAD, marks.head):
            walk.find("head_forged", place_of(marks.head).seq)
        places = dict(marks.places)
        known = places.get("known", walk.place)
        is_gone = known.seq > walk.place.seq or walk.hashes.get(known.seq, known.hash) != known.hash
        if is_gone and not await self.witness.has_lost(known, walk.place):
            del places["known"]  # the log was signed anew since
        _try_places(walk, [place for place in places.values() if place.seq > place_of(marks.cut).seq])

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
        if cut is not None and place_of(cut) == walk.place:
            return True  # it went there before, and _mark_cut tries the mark
        while rows := await AuditRecord.find_stretch(after=walk.place.seq, limit=PAGE):
            for one in rows:
                walk.known_until = one["_id"]
                walk.follow([one])
                if walk.findings or self._chain.is_record(one):
                    return not walk.findings
        head = await AuditMark.find_mark(HEAD)
        return head is not None and self._chain.is_mark(HEAD, head) and place_of(head) == walk.place

    async def _mark_cut(self, place: Link) -> bool:
        """Move the mark of the cut there; False when it is not ours to move."""
        cut, fields = await AuditMark.find_mark(CUT), self._chain.mark(CUT, place, self._clock.now())
        if cut is None:
            return await AuditMark.begin(CUT, fields)
        if not self._chain.is_mark(CUT, cut):
            _log.error("the mark of the audit log's old end is not what was written: python3 run.py verify-audit")
            return False
        return cut["seq"] >= place.seq or await AuditMark.move(CUT, cut, fields)

    def _say(self, verdict: AuditVerdict) -> None:
        figures.AUDIT_FINDINGS.set(len(verdict.findings) - verdict.known)
        if not verdict.is_alarming:
            self.witness.tell(Link(verdict.last_seq, verdict.last_hash))
        else:
            _log.error("the audit log is not whole: %s", ", ".join(map(_words, verdict.findings)))


@dataclass(frozen=True, slots=True)
class _Marks:
    """Places that something else than the records remembers; head and cut as they are stored, whoever wrote them."""

    head: Row | None
    cut: Row | None
    known_until: int
    places: Mapping[str, Link]

    @property
    def watched(self) -> frozenset[int]:
        """The places whose hashes are wanted."""
        return frozenset(place.seq for place in self.places.values())


def _try_places(walk: Walk, places: Iterable[Link]) -> None:
    """Are these places still there, with these hashes?"""
    known = sorted(set(places), key=lambda place: (place.seq, place.hash))
    for seq in sorted({one.seq for one in known if walk.hashes.get(one.seq, one.hash) != one.hash}):
        walk.find("tail_differs", seq)
    if known and known[-1].seq > walk.place.seq:
        walk.find("tail_missing", walk.place.seq + 1, known[-1].seq)


def _verdict_of(kept: Row | None) -> AuditVerdict | None:
    """What the last check found. Whoever wrote something else there has nothing checked."""
    try:
        return None if kept is None else AuditVerdict.model_validate(kept["verdict"])
    except (KeyError, ValidationError):
        return None


def _findings_in(mark: Row) -> list[Finding]:
    try:
        return [Finding.model_validate(one) for one in mark["verdict"]["findings"]]
    except (KeyError, TypeError, ValidationError):
        return []


def _hash_of(findings: Sequence[Finding]) -> str:
    return hashlib.sha256(encode([one.model_dump() for one in findings])).hexdigest()


def _named(finding: Finding) -> tuple[str, int, int]:
    """A gap is at the front when all that stood before it has gone for its age."""
    kind = "missing" if finding.kind == "front_missing" else finding.kind
    return kind, finding.first_seq, finding.last_seq


def _is_before(record: Row, moment: datetime) -> bool:
    at = record.get("at")
    return isinstance(at, datetime) and at < moment


def _link_to(record: Row) -> Link:
    return Link(record["_id"], str(record.get("hash")))


def _words(finding: Finding) -> str:
    return f"{finding.kind} {finding.first_seq}-{finding.last_seq}"
