"""How the certificates of a course look: shown, changed, and tried out. What is issued already stays as it is."""

from __future__ import annotations

import asyncio
import hashlib
from datetime import datetime
from typing import Any

from config.settings import Settings
from documents.base import Row
from documents.certificate_template import CertificateTemplate
from documents.course import CourseHead
from documents.names import names_of
from documents.stored_file import FileUse
from lms_rt.clock import Clock
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.base import refuse_changed_read_only
from lms_rt.contracts.certificates import CertificateTemplateChange, CertificateTemplateView, PreviewQuery
from lms_rt.contracts.outbox import Deed, Write
from lms_rt.errors import Code, FieldError, Refused, invalid
from lms_rt.ids import derived_id
from lms_rt.printing.logo import MAX_LOGO_BYTES, NoPicture, small_logo
from lms_rt.security.access.courses import require_taught_course
from lms_rt.security.permissions import Permission
from lms_rt.services.certificate_issuing import CertificateIssuing, one_piece
from lms_rt.services.certificate_views import look_of, template_view
from lms_rt.services.certificate_words import SHEET_FORMAT
from lms_rt.services.contended import until_written
from lms_rt.services.course_edits import refuse_other_version
from lms_rt.services.files import FileKind, Files, Produced
from lms_rt.services.mails import site_url
from lms_rt.services.relay import Relay

LEAST_CONTRAST = 4.5
"""Of words on paper (WCAG 2.2 AA)."""
LEAST_LARGE_CONTRAST = 3.0
"""Of large words, lines and frames."""
_SAMPLE = {"en": "Sara Saleh", "ar": "سارة صالح"}
_SAMPLE_NUMBER = "CERT-0000-000000"


class CertificateTemplates:
    """Templates of courses."""

    def __init__(
        self, *, settings: Settings, clock: Clock, relay: Relay, files: Files, issuing: CertificateIssuing
    ) -> None:
        self._settings, self._clock, self._relay = settings, clock, relay
        self._files, self._issuing = files, issuing

    async def show(self, actor: Actor, course_id: str) -> CertificateTemplateView:
        """The template of a course that the actor teaches; the house's, where it has none of its own."""
        course = await _require(actor, course_id)
        return template_view(course.id, await CertificateTemplate.find_row(course.id))

    async def change(
        self,
        actor: Actor,
        course_id: str,
        change: CertificateTemplateChange,
        *,
        expected_version: int | None = None,
    ) -> CertificateTemplateView:
        """Change it; the first change makes it the course's own."""
        course = await _require(actor, course_id)
        wanted = await self._wanted(actor, course, change)

        async def step() -> CertificateTemplateView | None:
            row = await CertificateTemplate.find_row(course.id)
            view = template_view(course.id, row)
            refuse_other_version(view.version, expected_version)
            refuse_changed_read_only(change, view)
            before = {name: getattr(view, name) for name in CertificateTemplateChange.model_fields}
            after = before | wanted
            _refuse_pale(after)
            at = self._clock.now()
            deed = Deed(actor, "certificate_template.change", course.id)
            intents = deed.intents(Write(view.version + 1, at), before=before, after=after)
            if not await CertificateTemplate.upsert_at(course.id, view.version, after, intents=intents, at=at):
                return None
            return template_view(course.id, await CertificateTemplate.find_row(course.id))

        changed = await until_written(step)
        await self._relay.hand_over(CertificateTemplate, course.id)
        return changed

    async def preview(self, actor: Actor, course_id: str, query: PreviewQuery) -> bytes:
        """How a certificate would look now, of nobody and under no number."""
        course = await _require(actor, course_id)
        view = template_view(course.id, await CertificateTemplate.find_row(course.id))
        return await self._issuing.print(await self._sample(course, view, query, self._clock.now()))

    async def _sample(
        self, course: CourseHead, view: CertificateTemplateView, query: PreviewQuery, at: datetime
    ) -> Row:
        language = query.language or ("en" if view.language == "student" else view.language)
        instructor = (await names_of([course.instructor_id])).get(course.instructor_id, {})
        return {
            "language": language,
            "look": look_of(view),
            "issuer_name": self._settings.project_name,
            "student_name": query.student_name or _SAMPLE[language],
            "course_name": course.title,
            "instructor_name": instructor.get("full_name") or "",
            "completion_date": at.date().isoformat(),
            "certificate_number": _SAMPLE_NUMBER,
            "verify_url": f"{site_url(self._settings)}/verify/{_SAMPLE_NUMBER}",
            "sheet_format": SHEET_FORMAT,
        }

    async def _wanted(self, actor: Actor, course: CourseHead, change: CertificateTemplateChange) -> dict[str, Any]:
        """What is to change. Another logo is kept as a picture of its own, for ever: what is printed by it can be again."""
        wanted, file_id = change.given(), change.given().get("logo_file_id")
        present = template_view(course.id, await CertificateTemplate.find_row(course.id)).logo_file_id
        if file_id is None or file_id == present:
            return wanted
        subject_id, use = f"{course.id}.new", FileUse.CERTIFICATE_LOGO
        await self._files.attach(
            actor, [file_id], use=use, subject_id=subject_id, course_id=course.id, field_name="logo_file_id"
        )
        try:
            picture = await asyncio.to_thread(small_logo, await self._picture(file_id))
        except NoPicture:
            raise invalid("logo_file_id", "Use a PNG or a JPEG.", "unsupported_media_type") from None
        finally:
            await self._files.detach(use, subject_id)
        logo_id = derived_id("fil", course.id, hashlib.sha256(picture).hexdigest())
        kind = FileKind("image/png", "image")
        await self._files.produce(
            Produced(logo_id, actor.user_id, use, course.id, "logo.png", kind, course.id), one_piece(picture)
        )
        return wanted | {"logo_file_id": logo_id}

    async def _picture(self, file_id: str) -> bytes:
        content = bytearray()
        async for piece in self._files.content(file_id, may_be_raw=True):
            content += piece
            if len(content) > MAX_LOGO_BYTES:
                raise invalid("logo_file_id", "Use a picture of 4 MB at most.", "too_large")
        return bytes(content)


async def _require(actor: Actor, course_id: str) -> CourseHead:
    return await require_taught_course(actor, course_id, Permission.COURSE_UPDATE)


def _refuse_pale(fields: Row) -> None:
    """Nobody could read it, nor a scanner."""
    asked = (("ink_color", LEAST_CONTRAST), ("accent_color", LEAST_LARGE_CONTRAST))
    faults = [
        FieldError(name, f"On this paper it needs a contrast of {least} at least.", "low_contrast")
        for name, least in asked
        if contrast(fields[name], fields["paper_color"]) < least
    ]
    if faults:
        raise Refused(Code.VALIDATION_FAILED, fields=faults)


def contrast(one: str, other: str) -> float:
    """The contrast of two colours by WCAG: 1 for none, 21 for black on white."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(color: str) -> float:
    parts = [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
