"""Question files into a quiz and out of it: read beside the event loop, written as one change of the quiz, or not at all.

What the formats say is for `interchange/`; who may teach the quiz for `security/access`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from itertools import count

from documents.enums import QuestionType
from documents.quiz import Quiz
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.imports import MAX_IMPORT_BYTES, ImportedQuestion, ImportReport, ImportStatus, SourceFormat
from lms_rt.errors import Code, Refused, invalid
from lms_rt.interchange.gift import ReadQuestion, decode, read_gift, write_gift
from lms_rt.security.access.courses import require_taught_course
from lms_rt.security.access.quizzes import require_taught_quiz
from lms_rt.services.questions import Questions

_AT_ONCE = 2
_BUSY_AFTER_SECONDS = 30.0


class Imports:
    """Imports and exports the questions of a quiz. Only for those who teach it."""

    def __init__(self, *, questions: Questions) -> None:
        self._questions = questions
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def import_questions(
        self, actor: Actor, quiz_id: str, *, text: bytes, source_format: SourceFormat = "gift", is_dry_run: bool = False
    ) -> ImportReport:
        """Add the questions of a file to the quiz, all that can be read or none at all; a dry run only reports."""
        await require_taught_quiz(actor, quiz_id)
        _require_known(source_format)
        rows = await self._rows(text)
        drafts = [row.draft for row in rows if row.draft is not None]
        ids = await self._questions.add_all(actor, quiz_id, drafts) if drafts and not is_dry_run else []
        return _report(rows, ids, is_dry_run=is_dry_run)

    async def preview(self, actor: Actor, course_id: str, *, text: bytes) -> ImportReport:
        """What an import into a quiz of this course, which need not be there yet, would report."""
        await require_taught_course(actor, course_id)
        return _report(await self._rows(text), [], is_dry_run=True)

    async def export_questions(self, actor: Actor, quiz_id: str, source_format: SourceFormat = "gift") -> str:
        """The questions of the quiz as a file that imports to the same questions."""
        await require_taught_quiz(actor, quiz_id)
        _require_known(source_format)
        quiz = await Quiz.find_whole(quiz_id)
        if quiz is None:
            raise Refused(Code.NOT_FOUND)
        async with self._turn():
            return await asyncio.to_thread(write_gift, [quiz["questions"][one] for one in quiz["question_ids"]])

    async def _rows(self, text: bytes) -> list[ReadQuestion]:
        if len(text) > MAX_IMPORT_BYTES:
            raise Refused(Code.TOO_LARGE, f"A question file has at most {MAX_IMPORT_BYTES >> 20} MiB.")
        async with self._turn():
            return await asyncio.to_thread(_read, text)

    def _turn(self) -> _Turn:
        return _Turn(self._turns)


class _Turn:
    """One of the few threads that read or write files; who waits too long is told so."""

    def __init__(self, turns: asyncio.Semaphore) -> None:
        self._turns = turns

    async def __aenter__(self) -> None:
        try:
            await asyncio.wait_for(self._turns.acquire(), _BUSY_AFTER_SECONDS)
        except TimeoutError:
            raise Refused(Code.BUSY, "Other question files are being read; try again.", retry_after_seconds=5) from None

    async def __aexit__(self, *_: object) -> None:
        self._turns.release()


def _require_known(source_format: str) -> None:
    if source_format != "gift":
        raise invalid("format", "The format is gift.")


def _read(text: bytes) -> list[ReadQuestion]:
    return read_gift(decode(text))


def _report(rows: Iterable[ReadQuestion], ids: list[str], *, is_dry_run: bool) -> ImportReport:
    counts: dict[ImportStatus, int] = {"imported": 0, "degraded": 0, "skipped": 0}
    shown, written = [], count()
    for row in rows:
        counts[row.status] += 1
        question_id = ids[next(written)] if ids and row.draft is not None else None
        shown.append(
            ImportedQuestion(
                line=row.line,
                title=row.title,
                question_type=None if row.question_type is None else QuestionType(row.question_type),
                status=row.status,
                reason=row.reason,
                question_id=question_id,
            )
        )
    return ImportReport(dry_run=is_dry_run, questions=shown, **counts)
