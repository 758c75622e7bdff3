"""How a certificate comes to be, step by step; each may be taken again, and whoever is killed is followed by another.

1. The certificate with its number, signed, in one insert. 2. The file, printed in a thread and put into the store under an id
that follows from the certificate's. 3. One compare-and-set that names the file, with the event that everybody hears of.
A job runs until all three are done.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator, Sequence
from datetime import datetime

from config.settings import Settings
from documents.base import Row
from documents.certificate import REPLACED, VALID, Certificate
from documents.certificate_template import CertificateTemplate
from documents.course import Course
from documents.enrollment import Enrollment
from documents.enums import EnrollmentStatus
from documents.names import names_of
from documents.stored_file import FileUse
from documents.user import User
from lms_rt.clock import Clock
from lms_rt.contracts.outbox import Deed, Write
from lms_rt.errors import Code, Refused
from lms_rt.ids import derived_id
from lms_rt.printing.certificate import PrintedCertificate
from lms_rt.printing.logo import MAX_LOGO_BYTES
from lms_rt.services import figures
from lms_rt.services.certificate_drawing import Drawing
from lms_rt.services.certificate_effects import issued, ordered
from lms_rt.services.certificate_statement import signed_fields
from lms_rt.services.certificate_views import look_of, template_view
from lms_rt.services.certificate_words import SHEET_FORMAT, printed
from lms_rt.services.contended import until_written
from lms_rt.services.files import FileKind, Files, Produced
from lms_rt.services.local_days import local_date
from lms_rt.services.mails import site_url
from lms_rt.services.notification_texts import language_of
from lms_rt.services.receipts import ReceiptSigning
from lms_rt.services.relay import Relay
from lms_rt.services.withholding import WITHHELD
from lms_rt.storage.files.base import FileMissing

PREFIX = "crt"
PDF = FileKind("application/pdf", "document")

_log = logging.getLogger(__name__)


class CertificateIssuing:
    """Gives out certificates."""

    def __init__(
        self, *, settings: Settings, clock: Clock, relay: Relay, files: Files, signing: ReceiptSigning
    ) -> None:
        self._settings, self._clock, self._relay = settings, clock, relay
        self._files, self._signing = files, signing
        self._turn, self._drawing = asyncio.Lock(), Drawing()
        self._last: dict[int, int] = {}

    # --- the number ---

    async def issue(self, enrollment: Enrollment, *, is_by_hand: bool = False, deed: Deed | None = None) -> Row | None:
        """The certificate in force of an enrolment, issued now if need be. None: there is none to be given.

        By itself, and by a job however often it is repeated, a completed enrolment is given one once; another, after one was
        revoked, is given by its teacher's hand alone: `is_by_hand` with a `deed`. With that a job makes the file. The id
        follows from how many there were, so whoever looked before another was given and revoked again meets that one.
        """
        present = await Certificate.find_current(enrollment.id)
        if present is not None:
            return present
        former = await Certificate.find_of_enrollment(enrollment.id)
        if (waiting := _without_successor(former)) is not None:
            return await self.succeed(waiting)
        if enrollment.status != EnrollmentStatus.COMPLETED or (former and not (is_by_hand and deed)):
            return None
        facts = await self._facts(enrollment, is_by_hand=is_by_hand)
        if facts is None:
            return None
        return await self._numbered({"_id": derived_id(PREFIX, enrollment.id, str(len(former))), **facts}, deed)

    async def succeed(self, old: Row) -> Row:
        """The one that takes the place of a replaced one; again it is the same."""
        successor = await Certificate.find_row(old["replaced_by_id"])
        if successor is None:
            kept = (
                "enrollment_id", "student_id", "course_id", "course_name", "instructor_name", "issuer_name", "language",
                "completion_date", "look",
            )  # fmt: skip
            facts = {
                "_id": old["replaced_by_id"],
                **{name: old[name] for name in kept},
                "student_name": old["corrected_name"],
                "replaces_id": old["_id"],
                "replaces_number": old["certificate_number"],
            }
            successor = await self._numbered(facts, None)
        await Certificate.name_successor(old["_id"], successor["certificate_number"])
        return successor

    async def _facts(self, enrollment: Enrollment, *, is_by_hand: bool) -> Row | None:
        """What the certificate says; None where there is nobody, or nothing, to say it of."""
        student, course = await User.find_by_id(enrollment.student_id), await Course.find_head(enrollment.course_id)
        if student is None or course is None or student.erasing_at is not None or student.erased_at is not None:
            return None
        template = template_view(course.id, await CertificateTemplate.find_row(course.id))
        if not (template.is_enabled or is_by_hand):
            return None
        instructor = (await names_of([course.instructor_id])).get(course.instructor_id, {})
        completed_at = enrollment.completed_at or self._clock.now()
        return {
            "enrollment_id": enrollment.id,
            "student_id": student.id,
            "course_id": course.id,
            "student_name": student.full_name,
            "course_name": course.title,
            "instructor_name": instructor.get("full_name") or "",
            "issuer_name": self._settings.project_name,
            "language": language_of(student.locale) if template.language == "student" else template.language,
            "completion_date": local_date(student.timezone, completed_at).isoformat(),
            "look": look_of(template),
        }

    async def _numbered(self, facts: Row, deed: Deed | None) -> Row:
        """Insert it under the next number of the year. Within a process one after the other: each finds the next one free."""
        await self._signing.publish()
        async with self._turn:

            async def step() -> Row | None:
                row = self._row(facts, await self._next(at := self._clock.now()), at, deed)
                if await Certificate.add(row):
                    self._last[row["year"]] = row["sequence"]
                    return row
                self._last.pop(row["year"], None)  # somebody else was given it, or the enrolment has one
                return await Certificate.find_row(row["_id"]) or await Certificate.find_current(row["current_key"])

            row = await until_written(step)
        await self._relay.hand_over(Certificate, row["_id"])
        return row

    async def _next(self, at: datetime) -> int:
        """One more than the highest there is. That none is ever removed makes what was seen once a number to go on from."""
        last = self._last.get(at.year)
        return 1 + (await Certificate.find_highest(at.year) if last is None else last)

    def _row(self, facts: Row, sequence: int, at: datetime, deed: Deed | None) -> Row:
        number = f"CERT-{at.year}-{sequence:06d}"
        key = self._signing.key
        if key is None:
            raise Refused(Code.UNAVAILABLE, "There is no key to sign certificates with.")
        row: Row = {
            **facts,
            "certificate_number": number,
            "year": at.year,
            "sequence": sequence,
            "current_key": facts["enrollment_id"],
            "status": VALID,
            "issued_at": at,
            "verify_url": f"{site_url(self._settings)}/verify/{number}",
            "sheet_format": SHEET_FORMAT,
            "version": 1,
            "created_at": at,
            "updated_at": at,
        }
        return row | signed_fields(row, key) | _told(row, deed, at)

    # --- the file ---

    async def make(self, certificate_id: str) -> None:
        """Print it, keep it, and tell; of one that is made already nothing is left to do."""
        row = await Certificate.find_row(certificate_id)
        file_id = derived_id("fil", certificate_id)
        if row is None or row.get("file_id") is not None:
            return
        if row["student_name"] == WITHHELD:  # whoever began this may have been killed after the file was there
            await self._files.discard(file_id)
            return
        content = await self._drawing.draw(await self._printed(row))
        view = await self._files.produce(_produced(row, file_id), one_piece(content))
        fields: Row = {"file_id": file_id, "size_bytes": view.file_size, "sha256": view.sha256}

        async def step() -> bool | None:
            present = await Certificate.find_row(certificate_id)
            if present is None or present["student_name"] == WITHHELD:
                await self._files.discard(file_id)
                return True
            if present.get("file_id") is not None:
                return True
            at = self._clock.now()
            told = issued(Write(present["version"] + 1, at), present) if present["status"] == VALID else []
            written = await Certificate.change_at(certificate_id, present["version"], fields, intents=told, at=at)
            if written and told:
                figures.CERTIFICATES_ISSUED.inc()
            return written or None

        await until_written(step)
        await self._relay.hand_over(Certificate, certificate_id)

    async def remake(self, certificate_id: str) -> None:
        """Its file is gone from the store: the same bytes again, or none. Of who was erased meanwhile none is left."""
        row = await _require_named(certificate_id)
        content = await self.print(row)
        if hashlib.sha256(content).hexdigest() != row["sha256"]:
            raise Refused(Code.CONFLICT, "The file is lost, and what was drawn on it as well; ask for a replacement.")
        _log.warning("the file of the certificate %s is gone, and is printed again", row["certificate_number"])
        await self._files.discard(row["file_id"])
        await self._files.produce(_produced(row, row["file_id"]), one_piece(content))
        try:
            await _require_named(certificate_id)
        except Refused:
            await self._files.discard(row["file_id"])
            raise

    async def print(self, row: Row) -> bytes:
        """The PDF, for somebody who waits for it; 503 where too many do."""
        return await self._drawing.draw_now(await self._printed(row))

    async def _printed(self, row: Row) -> PrintedCertificate:
        return printed(row, await self._logo(row["look"].get("logo_file_id")))

    async def _logo(self, file_id: str | None) -> bytes | None:
        """The picture; without it, if it is gone or is more than anybody means as one."""
        if file_id is None:
            return None
        content = bytearray()
        try:
            async for piece in self._files.content(file_id):
                content += piece
                if len(content) > MAX_LOGO_BYTES:
                    return None
        except FileMissing:
            return None
        return bytes(content)


async def _require_named(certificate_id: str) -> Row:
    """A certificate that names somebody still."""
    row = await Certificate.find_row(certificate_id)
    if row is None or row["student_name"] == WITHHELD or row.get("file_id") is None:
        raise Refused(Code.NOT_FOUND)
    return row


def _without_successor(former: Sequence[Row]) -> Row | None:
    """A replaced one whose successor is not there yet: whoever replaced it was killed."""
    known = {row["_id"] for row in former}
    waiting = (row for row in former if row["status"] == REPLACED and row["replaced_by_id"] not in known)
    return next(waiting, None)


def _produced(row: Row, file_id: str) -> Produced:
    name = f"{row['certificate_number']}.pdf"
    return Produced(file_id, row["student_id"], FileUse.CERTIFICATE, row["_id"], name, PDF, row["course_id"])


def _told(row: Row, deed: Deed | None, at: datetime) -> Row:
    """What follows a certificate that somebody asked for: its file, and the record of who gave it out."""
    if deed is None:
        return {}
    write = Write(1, at)
    record = deed.intents(write, row["_id"], after={"certificate_number": row["certificate_number"]})
    return {"outbox": [ordered(write, row["_id"]), *record], "outbox_at": at}


async def one_piece(content: bytes) -> AsyncIterator[bytes]:
    """Bytes as a store takes them."""
    yield content
