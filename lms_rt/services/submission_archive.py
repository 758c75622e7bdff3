"""All that was handed in for an assignment as one ZIP, made while it is sent: a folder per student, their text and their files.

Names come from people: nothing in them leads out of the folder, shows as another name, or meets another one. Where names are
hidden, the folders carry the aliases, and the files no names of their own.
"""

from __future__ import annotations

import logging
import re
import unicodedata
from collections.abc import AsyncGenerator, AsyncIterator

from documents.base import Row
from documents.submission import Submission
from lms_rt.clock import Clock, rfc3339
from lms_rt.contracts.actor import Actor
from lms_rt.security.access.assignments import GRADING, require_taught_assignment
from lms_rt.services.archive import Entry, archived
from lms_rt.services.assignment_views import Beside, row_view
from lms_rt.services.assignment_work import beside
from lms_rt.services.audit import Audit
from lms_rt.services.files import Files
from lms_rt.storage.files.base import FileMissing

_PAGE = 50
_MAX_NAME_BYTES = 120
_UNSEEN = frozenset({"Cf", "Co", "Cs", "Zl", "Zp"})
_JOINERS = frozenset("\u200c\u200d")
"""Persian and other words are spelled with these."""
_UNSAFE = re.compile(r'[\x00-\x1f\x7f-\x9f/\\:*?"<>|]')
_RESERVED = frozenset({"con", "prn", "aux", "nul", *(f"{word}{n}" for word in ("com", "lpt") for n in range(1, 10))})
"""What Windows takes for a device."""

_NOT_CLEAN = (
    "This image is not there yet: what it tells of its camera is taken out first. Ask for the archive again later.\n"
)

_log = logging.getLogger(__name__)


class SubmissionArchive:
    """Packs what was handed in."""

    def __init__(self, *, clock: Clock, files: Files, audit: Audit) -> None:
        self._clock, self._files, self._audit = clock, files, audit

    async def stream(self, actor: Actor, assignment_id: str) -> AsyncGenerator[bytes, None]:
        """The ZIP, in pieces, once it is known that the actor grades there."""
        assignment = (await require_taught_assignment(actor, assignment_id, GRADING)).assignment
        after = {"format": "zip"}
        await self._audit.record(actor, "assignment.export", kind="assignment", target_id=assignment_id, after=after)
        return self._pieces(assignment)

    async def _pieces(self, assignment: Row) -> AsyncGenerator[bytes, None]:
        async for piece in archived(self._entries(assignment), self._clock.now()):
            yield piece

    async def _entries(self, assignment: Row) -> AsyncIterator[Entry]:
        names, after = UniqueNames(), ""
        while page := await Submission.page_of_assignment(assignment["_id"], after=after, limit=_PAGE):
            after = page[-1]["_id"]
            around = await beside(page, now_ms=self._clock.now_ms())
            for row in page:
                async for entry in self._of_one(assignment, row, around, names):
                    yield entry

    async def _of_one(self, assignment: Row, row: Row, around: Beside, names: UniqueNames) -> AsyncIterator[Entry]:
        view = row_view(assignment, row, around)
        folder = names.given("", view.full_name or view.alias)
        at = "" if view.submitted_at is None else rfc3339(view.submitted_at)
        head = f"{view.full_name or view.alias}\n{view.id}\n{at}\n\n"
        yield Entry(f"{folder}/{names.given(folder, 'text.md')}", text=head + row.get("content", "") + "\n")
        known = await self._files.views(view.file_ids, is_nameless=assignment["is_marking_anonymous"])
        for file_id in view.file_ids:
            if file_id not in known:
                continue
            name = names.given(folder, known[file_id].original_filename)
            if known[file_id].status == "ready":
                yield Entry(f"{folder}/{name}", chunks=self._content(file_id))
            else:
                yield Entry(f"{folder}/{names.given(folder, f'{name}.txt')}", text=_NOT_CLEAN)

    async def _content(self, file_id: str) -> AsyncIterator[bytes]:
        """A file that is gone, or goes meanwhile, leaves an entry without the rest of it: the others still arrive."""
        try:
            async for piece in self._files.content(file_id):
                yield piece
        except FileMissing:
            _log.warning("file %s is missing in an archive", file_id)


class UniqueNames:
    """Gives each thing in a folder a name of its own, as every system takes it."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def given(self, folder: str, wanted: str) -> str:
        """That name or the next that is free there; two that differ in case alone would meet on some systems."""
        name = safe_name(wanted)
        stem, dot, ending = name.rpartition(".") if "." in name[1:] else (name, "", "")
        candidate, number = name, 1
        while _folded(folder, candidate) in self._taken:
            number += 1
            candidate = f"{stem} ({number}){dot}{ending}"
        self._taken.add(_folded(folder, candidate))
        return candidate


def safe_name(wanted: str) -> str:
    """A name that is one step of a path and nothing more, whatever somebody called it."""
    text = unicodedata.normalize("NFC", wanted)
    seen = "".join(one for one in text if one in _JOINERS or unicodedata.category(one) not in _UNSEEN)
    name = _UNSAFE.sub("_", seen).strip(" .") or "_"
    stem, dot, ending = name.rpartition(".") if "." in name else (name, "", "")
    if stem.casefold().partition(".")[0].strip() in _RESERVED:
        stem = f"_{stem}"
    kept = f"{dot}{ending}" if len(ending.encode()) <= 20 else ""
    room = _MAX_NAME_BYTES - len(kept.encode())
    whole = stem if kept or not dot else f"{stem}{dot}{ending}"
    return (whole.encode()[:room].decode(errors="ignore").rstrip(" .") or "_") + kept


def _folded(folder: str, name: str) -> str:
    return f"{folder}/{name}".casefold()
