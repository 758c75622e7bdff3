"""Certificates over HTTP: one's own, those of a course, and what anybody may check."""

from __future__ import annotations

from urllib.parse import quote

from handlers.rest.access import PUBLIC, SIGNED_IN, needs
from handlers.rest.calls import Call, Reply
from handlers.rest.conditions import preferred
from handlers.rest.operations import Operation
from lms_rt.contracts.base import Page
from lms_rt.contracts.certificates import (
    CertificateOrder,
    CertificateQuery,
    CertificateTemplateChange,
    CertificateTemplateView,
    CertificateView,
    CredentialView,
    IssuingView,
    PreviewQuery,
    ReplacementDraft,
    RevocationDraft,
    UnknownCertificateView,
    VerificationView,
    VoidCredentialsView,
    VoidQuery,
)
from lms_rt.errors import Code, invalid
from lms_rt.security.rate_limits import LimitClass
from lms_rt.security.rights import Reach
from lms_rt.services.certificate_statement import VOID_PATH
from lms_rt.services.mails import site_url

PDF = "application/pdf"
_JSON, _HTML = "application/json", "text/html"


async def list_own(call: Call) -> Reply:
    """The caller's certificates."""
    return Reply(await call.services.certificates.list_own(call.actor, call.query))


async def show(call: Call) -> Reply:
    """One certificate."""
    return Reply(await call.services.certificates.show(call.actor, call.path["certificate_id"]))


async def show_of_enrollment(call: Call) -> Reply:
    """The certificate of an enrolment."""
    return Reply(await call.services.certificates.of_enrollment(call.actor, call.path["enrollment_id"]))


async def download(call: Call) -> Reply:
    """The PDF."""
    view, chunks = await call.services.certificates.download(call.actor, call.path["certificate_id"])
    headers = {
        "Content-Disposition": f'attachment; filename="{view.certificate_number}.pdf"',
        "X-Content-Type-Options": "nosniff",
        "ETag": f'"{view.sha256}"',
    }
    return Reply(stream=chunks, content_type=PDF, headers=headers)


async def show_credential(call: Call) -> Reply:
    """The Open Badges 3.0 credential."""
    return Reply(await call.services.certificates.credential(call.actor, call.path["certificate_id"]))


async def generate(call: Call) -> Reply:
    """Give out the certificate of a completed course."""
    enrollment_id = call.path.get("enrollment_id") or call.body.enrollment_id
    if enrollment_id is None and call.body.course_id is None:
        raise invalid("enrollment_id", "Name an enrolment, or a course of yours.", "missing")
    view, is_new = await call.services.certificates.generate(
        call.actor, enrollment_id=enrollment_id, course_id=call.body.course_id
    )
    return Reply(view, status=201 if is_new else 200, made={"certificate_id": view.id} if is_new else None)


async def verify(call: Call) -> Reply:
    """What a number stands for: to programs as JSON, to browsers as a page."""
    if preferred(call.find_header("Accept"), (_JSON, _HTML)) == _HTML:
        return Reply(status=303, headers={"Location": f"/verify/{quote(call.path['certificate_number'], safe='')}"})
    return Reply(await call.services.certificates.verify(call.path["certificate_number"]))


async def list_void(call: Call) -> Reply:
    """The credentials that hold no longer."""
    url = site_url(call.services.settings) + VOID_PATH
    return Reply(await call.services.certificates.list_void(url, call.query))


async def revoke(call: Call) -> Reply:
    """Revoke a certificate."""
    changes, certificate_id = call.services.certificate_changes, call.path["certificate_id"]
    return Reply(await changes.revoke(call.actor, certificate_id, call.body, expected_version=call.expected_version))


async def replace(call: Call) -> Reply:
    """Put another one in its place."""
    changes, certificate_id = call.services.certificate_changes, call.path["certificate_id"]
    view = await changes.replace(call.actor, certificate_id, call.body, expected_version=call.expected_version)
    return Reply(view, made={"certificate_id": view.id})


async def list_of_course(call: Call) -> Reply:
    """The certificates of a course."""
    return Reply(await call.services.certificates.list_of_course(call.actor, call.path["course_id"], call.query))


async def order_missing(call: Call) -> Reply:
    """Ask for those that were never given out."""
    return Reply(await call.services.certificates.order_missing(call.actor, call.path["course_id"]))


async def show_template(call: Call) -> Reply:
    """How a course's certificates look."""
    return Reply(await call.services.certificate_templates.show(call.actor, call.path["course_id"]))


async def change_template(call: Call) -> Reply:
    """Change how they look."""
    templates, course_id = call.services.certificate_templates, call.path["course_id"]
    return Reply(await templates.change(call.actor, course_id, call.body, expected_version=call.expected_version))


async def preview(call: Call) -> Reply:
    """A certificate of nobody, as the template makes it now."""
    content = await call.services.certificate_templates.preview(call.actor, call.path["course_id"], call.query)
    headers = {"Content-Disposition": 'inline; filename="preview.pdf"', "X-Content-Type-Options": "nosniff"}
    return Reply(content, content_type=PDF, headers=headers)


_STAFF, _DESIGN = needs("enrollments:manage"), needs("course:update")

ROUTES: tuple[Operation, ...] = (
    Operation(
        "GET",
        "/certificates",
        list_own,
        SIGNED_IN,
        reach=Reach.OWN,
        also=("/certificates/my-certificates",),
        query=CertificateQuery,
        reply=Page[CertificateView],
        summary="My certificates",
    ),
    Operation(
        "POST",
        "/certificates/generate",
        generate,
        SIGNED_IN,
        reach=Reach.SHARED,
        also=("/certificates/generate/{enrollment_id}",),
        body=CertificateOrder,
        reply=CertificateView,
        status=201,
        more_statuses=(200,),
        location="/certificates/{certificate_id}",
        audit="certificate.create",
        codes=(Code.NOT_COMPLETE, Code.NOT_ENROLLED, Code.CONFLICT, Code.NOT_FOUND),
        summary="Give out the certificate of a completed course",
        description="Of an enrolment, or of one's own in a course. 201 when it was given out by this, else the one there is "
        "(200). Completing a course does it by itself; after one was revoked only the course's staff gives out another.",
    ),
    Operation(
        "GET",
        "/certificates/verify/{certificate_number}",
        verify,
        PUBLIC,
        limit=LimitClass.VERIFICATION.value,
        reply=VerificationView | UnknownCertificateView,
        gives=(_JSON, _HTML),
        more_statuses=(303,),
        summary="Check a certificate by its number",
        description="Of a number that was never given out `{valid: false}`. Browsers are led to the page `/verify/{certificate_number}`.",
    ),
    Operation(
        "GET",
        "/certificates/revocations",
        list_void,
        PUBLIC,
        query=VoidQuery,
        reply=VoidCredentialsView,
        summary="The credentials that hold no longer",
        description="A `1EdTechRevocationList` of Open Badges 3.0: numbers, without names and reasons. `list` is named by each "
        "credential: those of ten thousand numbers of a year, so that none is ever left out. Without it, the newest 10,000.",
    ),
    Operation(
        "GET",
        "/certificates/{certificate_id}",
        show,
        SIGNED_IN,
        reach=Reach.SHARED,
        reply=CertificateView,
        summary="One certificate",
    ),
    Operation(
        "GET",
        "/certificates/{certificate_id}/download",
        download,
        SIGNED_IN,
        reach=Reach.SHARED,
        reply=bytes,
        gives=(PDF,),
        codes=(Code.BUSY, Code.CONFLICT),
        summary="The PDF of a certificate",
        description="503 with Retry-After for the moment in which it is being made. 409 if the store lost it together with "
        "the logo that was drawn on it.",
    ),
    Operation(
        "GET",
        "/certificates/{certificate_id}/credential",
        show_credential,
        SIGNED_IN,
        reach=Reach.SHARED,
        reply=CredentialView,
        summary="The Open Badges 3.0 credential",
        description="With a Data Integrity proof (`eddsa-jcs-2022`); how to check it: `docs/certificates.md`.",
    ),
    Operation(
        "POST",
        "/certificates/{certificate_id}/revoke",
        revoke,
        _STAFF,
        reach=Reach.TAUGHT,
        body=RevocationDraft,
        reply=CertificateView,
        audit="certificate.revoke",
        codes=(Code.CONFLICT, Code.VERSION_MISMATCH),
        summary="Revoke a certificate",
    ),
    Operation(
        "POST",
        "/certificates/{certificate_id}/replace",
        replace,
        _STAFF,
        reach=Reach.TAUGHT,
        body=ReplacementDraft,
        reply=CertificateView,
        status=201,
        location="/certificates/{certificate_id}",
        audit="certificate.replace",
        codes=(Code.CONFLICT, Code.VERSION_MISMATCH),
        summary="Replace a certificate by a corrected one",
        description="By the name given here, else by that of the account as it is now. The two name each other.",
    ),
    Operation(
        "GET",
        "/enrollments/{enrollment_id}/certificate",
        show_of_enrollment,
        SIGNED_IN,
        reach=Reach.SHARED,
        reply=CertificateView,
        summary="The certificate of an enrolment",
    ),
    Operation(
        "GET",
        "/courses/{course_id}/certificates",
        list_of_course,
        _STAFF,
        reach=Reach.TAUGHT,
        query=CertificateQuery,
        reply=Page[CertificateView],
        summary="The certificates of a course",
    ),
    Operation(
        "POST",
        "/courses/{course_id}/certificates",
        order_missing,
        _STAFF,
        reach=Reach.TAUGHT,
        reply=IssuingView,
        status=202,
        audit="course.certify",
        summary="Give out what is missing",
        description="To all who completed the course and never had a certificate, by the workers.",
    ),
    Operation(
        "GET",
        "/courses/{course_id}/certificate-template",
        show_template,
        _DESIGN,
        reach=Reach.TAUGHT,
        reply=CertificateTemplateView,
        summary="How a course's certificates look",
    ),
    Operation(
        ("PATCH", "PUT"),
        "/courses/{course_id}/certificate-template",
        change_template,
        _DESIGN,
        reach=Reach.TAUGHT,
        body=CertificateTemplateChange,
        reply=CertificateTemplateView,
        audit="certificate_template.change",
        codes=(Code.VERSION_MISMATCH,),
        summary="Change how they look",
        description="What is given out already keeps its look. Colours that cannot be read on the paper are refused.",
    ),
    Operation(
        "GET",
        "/courses/{course_id}/certificate-template/preview",
        preview,
        _DESIGN,
        reach=Reach.TAUGHT,
        query=PreviewQuery,
        reply=bytes,
        gives=(PDF,),
        codes=(Code.BUSY,),
        summary="Try the look out",
    ),
)
