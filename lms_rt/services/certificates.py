"""Certificates: listed, fetched, checked by anybody, and asked for.

How one comes to be is `certificate_issuing.py`'s, what ends one `certificate_changes.py`'s.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterator

import orjson

from documents.base import Row
from documents.certificate import Certificate
from documents.enrollment import Enrollment, enrollment_id_of
from documents.enums import EnrollmentStatus
from lms_rt.clock import Clock
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.base import Page, page_of
from lms_rt.contracts.certificates import (
    CertificateQuery,
    CertificateView,
    CredentialView,
    IssuingView,
    UnknownCertificateView,
    VerificationView,
    VoidCredentialsView,
    VoidQuery,
)
from lms_rt.contracts.jobs import CertificateArgs
from lms_rt.contracts.outbox import Deed, Write
from lms_rt.errors import Code, Refused
from lms_rt.ids import derived_id
from lms_rt.security.access.certificates import require_certificate
from lms_rt.security.access.courses import require_course, require_enrollment, require_taught_course
from lms_rt.security.permissions import Permission
from lms_rt.security.signing import SigningKey
from lms_rt.services.audit import Audit
from lms_rt.services.certificate_effects import TASK, ordered
from lms_rt.services.certificate_issuing import CertificateIssuing
from lms_rt.services.certificate_statement import LISTED_TOGETHER, did_of
from lms_rt.services.certificate_views import certificate_view, verification_view
from lms_rt.services.files import Files
from lms_rt.services.jobs import Jobs
from lms_rt.storage.files.base import FileMissing

PAGE = 200
_NUMBER = re.compile(r"CERT-[0-9]{4}-[0-9]{6,9}")


class Certificates:
    """What can be done with certificates."""

    def __init__(
        self,
        *,
        clock: Clock,
        issuing: CertificateIssuing,
        files: Files,
        jobs: Jobs,
        audit: Audit,
        key: SigningKey | None,
    ) -> None:
        self._clock, self._issuing, self._files = clock, issuing, files
        self._jobs, self._audit, self._key = jobs, audit, key

    # --- for owners and staff ---

    async def list_own(self, actor: Actor, query: CertificateQuery) -> Page[CertificateView]:
        """The actor's own."""
        asked = {"course_id": query.course_id, "status": query.status}
        which = {name: value for name, value in asked.items() if value is not None}
        return await _page({**which, "student_id": actor.user_id}, query)

    async def list_of_course(self, actor: Actor, course_id: str, query: CertificateQuery) -> Page[CertificateView]:
        """Those of a course that the actor teaches."""
        course = await require_taught_course(actor, course_id, Permission.ENROLLMENTS_MANAGE)
        which = {} if query.status is None else {"status": query.status}
        return await _page({**which, "course_id": course.id}, query)

    async def show(self, actor: Actor, certificate_id: str) -> CertificateView:
        """One certificate, of the actor's own or in a course that they teach."""
        return certificate_view(await require_certificate(actor, certificate_id))

    async def of_enrollment(self, actor: Actor, enrollment_id: str) -> CertificateView:
        """The one in force of an enrolment, else the last there was; 404 before the first."""
        enrollment = await require_enrollment(actor, enrollment_id)
        row = await Certificate.find_current(enrollment.id)
        former = await Certificate.find_of_enrollment(enrollment.id) if row is None else []
        found = row or max(former, key=lambda one: one["sequence"], default=None)
        if found is None:
            raise Refused(Code.NOT_FOUND, "There is no certificate yet.")
        return certificate_view(found)

    async def download(self, actor: Actor, certificate_id: str) -> tuple[CertificateView, AsyncGenerator[bytes, None]]:
        """The PDF. 503 for the moment in which it is being made."""
        row = await require_certificate(actor, certificate_id)
        if row.get("file_id") is None:
            raise Refused(Code.BUSY, "The file is being made.", retry_after_seconds=1)
        return certificate_view(row), await self._content(row)

    async def credential(self, actor: Actor, certificate_id: str) -> CredentialView:
        """The Open Badges 3.0 credential, as it was signed."""
        row = await require_certificate(actor, certificate_id)
        if row.get("credential") is None:
            raise Refused(Code.NOT_FOUND)
        return CredentialView(**orjson.loads(row["credential"]))

    # --- asking for one ---

    async def generate(
        self, actor: Actor, *, enrollment_id: str | None = None, course_id: str | None = None
    ) -> tuple[CertificateView, bool]:
        """The certificate of a completed enrolment, and whether it was given out by this. Again it is the same one.

        Its file is made by a worker. After one was revoked only the course's staff gives out another.
        """
        enrollment = await _asked_for(actor, enrollment_id, course_id)
        present = await Certificate.find_current(enrollment.id)
        if present is not None:
            await self._order_missing_file(present)
            return certificate_view(present), False
        if enrollment.status != EnrollmentStatus.COMPLETED:
            raise Refused(Code.NOT_COMPLETE, "The course is not completed.", enrollment_id=enrollment.id)
        is_by_hand = actor.user_id != enrollment.student_id
        row = await self._issuing.issue(enrollment, is_by_hand=is_by_hand, deed=_deed(actor, is_by_hand=is_by_hand))
        if row is None:
            raise Refused(Code.CONFLICT, "This course gives out no certificate to you; ask its teacher.")
        return certificate_view(row), True

    async def order_missing(self, actor: Actor, course_id: str) -> IssuingView:
        """Ask for the certificates of all who completed a course and never had one."""
        course = await require_taught_course(actor, course_id, Permission.ENROLLMENTS_MANAGE)
        await self._audit.record(actor, "course.certify", kind="course", target_id=course.id)
        requested = 0
        async for enrollment_ids in _without(course.id):
            for enrollment_id in enrollment_ids:
                once = derived_id("job", TASK, enrollment_id, str(self._clock.now_ms() // 60_000))
                await self._jobs.put(once, TASK, {"enrollment_id": enrollment_id, "is_by_hand": True})
            requested += len(enrollment_ids)
        return IssuingView(requested=requested)

    async def _order_missing_file(self, row: Row) -> None:
        """Should the job that makes it have been given up, ask again."""
        if row.get("file_id") is None:
            at = self._clock.now()
            intent = ordered(Write(row["version"], at), row["_id"])
            once = derived_id("job", TASK, row["_id"], str(self._clock.now_ms() // 60_000))
            await self._jobs.put(once, TASK, intent["data"])

    # --- for workers ---

    async def carry_out(self, args: CertificateArgs) -> None:
        """A job: the certificate of an enrolment, or the file of one that has its number."""
        if args.enrollment_id is not None:
            enrollment = await Enrollment.find_one_by_id(args.enrollment_id)
            row = None
            if enrollment is not None:
                row = await self._issuing.issue(enrollment, is_by_hand=args.is_by_hand)
        else:
            row = await self._ordered_row(args)
        if row is not None:
            await self._issuing.make(row["_id"])

    async def _ordered_row(self, args: CertificateArgs) -> Row | None:
        """The certificate that a job names, brought into being if it is a successor that nobody came to write."""
        row = await Certificate.find_row(args.certificate_id or "")
        if row is None and args.replaces_id is not None:
            old = await Certificate.find_row(args.replaces_id)
            row = None if old is None else await self._issuing.succeed(old)
        return row

    # --- for everybody ---

    async def verify(self, number: str) -> VerificationView | UnknownCertificateView:
        """What a number stands for."""
        wanted = number.strip().upper()
        row = await Certificate.find_by_number(wanted) if _NUMBER.fullmatch(wanted) else None
        return UnknownCertificateView() if row is None else verification_view(row)

    async def list_void(self, url: str, query: VoidQuery) -> VoidCredentialsView:
        """The credentials that hold no longer, as Open Badges 3.0 lists them. Numbers alone: no names, no reasons."""
        if query.list is None:
            rows = await Certificate.find_void(limit=LISTED_TOGETHER)
        else:
            year, _, place = query.list.partition("-")
            first, url = int(place) * LISTED_TOGETHER, f"{url}?list={query.list}"
            rows = await Certificate.find_void(year=int(year), first=first, limit=LISTED_TOGETHER)
        void = [{"id": row["verify_url"], "revoked": True} for row in rows]
        issuer = "" if self._key is None else did_of(self._key.public_key)
        return VoidCredentialsView(id=url, issuer=issuer, revokedCredential=void)

    async def _content(self, row: Row) -> AsyncGenerator[bytes, None]:
        """The file from the store; printed again where the store has lost it."""
        chunks = self._files.content(row["file_id"])
        try:
            first = await anext(chunks)
        except (FileMissing, StopAsyncIteration):
            await self._issuing.remake(row["_id"])
            chunks = self._files.content(row["file_id"])
            first = await anext(chunks)
        return _joined(first, chunks)


async def _asked_for(actor: Actor, enrollment_id: str | None, course_id: str | None) -> Enrollment:
    """The enrolment that is meant: that of the id, or the actor's own in a course."""
    if enrollment_id is not None:
        return await require_enrollment(actor, enrollment_id)
    course = await require_course(actor, course_id or "")
    enrollment = await Enrollment.find_one_by_id(enrollment_id_of(actor.user_id, course.id))
    if enrollment is None:
        raise Refused(Code.NOT_ENROLLED, course_id=course.id)
    return enrollment


def _deed(actor: Actor, *, is_by_hand: bool) -> Deed:
    return Deed(actor, "certificate.create", is_of_all=is_by_hand)


async def _without(course_id: str) -> AsyncIterator[list[str]]:
    """Who completed a course and never had a certificate, some at a time."""
    after, completed = "", EnrollmentStatus.COMPLETED.value
    while rows := await Enrollment.page_of_course(course_id, status=completed, after=after, limit=PAGE):
        ids = [row["_id"] for row in rows]
        known = await Certificate.find_known(ids)
        yield [one for one in ids if one not in known]
        after = ids[-1]


async def _page(which: Row, query: CertificateQuery) -> Page[CertificateView]:
    rows, total = await Certificate.page(which, skip=query.skip, limit=query.page_size)
    return page_of([certificate_view(row) for row in rows], query, total)


async def _joined(first: bytes, rest: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    yield first
    async for chunk in rest:
        yield chunk
