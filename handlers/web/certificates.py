"""Certificates on pages: one's own, the check that is for everybody, and how those of a course look. None needs scripts to be read."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from pydantic import ValidationError

from handlers.rest.access import PUBLIC, SIGNED_IN
from handlers.web.base import PageHandler, Screen, shape
from handlers.web.teaching import TEACHERS, course_with_tab
from lms_rt.contracts.certificates import CertificateQuery, VerificationView
from lms_rt.contracts.courses import CourseDetailView
from lms_rt.security.access.courses import teaches
from lms_rt.security.permissions import Permission
from lms_rt.security.rate_limits import LimitClass
from lms_rt.security.rights import Reach
from lms_rt.services.certificate_words import heading_of

PAGE_SIZE = 20
_KEYS_PATH = "/.well-known/lms-receipt-keys.json"
_EXAMPLE = "CERT-2026-000001"


class CertificatesPage(PageHandler):
    """/certificates: the reader's own."""

    access = SIGNED_IN
    reach = Reach.SELF

    async def get(self) -> None:
        """The list, the newest first."""
        listed = await self.services.certificates.list_own(self.actor, _query(self.get_query_argument("page", "1")))
        screen = Screen(
            "certificates.html",
            title=(self.t("certificates.title"),),
            data={"page": listed.page},
            groups=("certificates",),
            scripts=("shell.js", "certificates.js"),
            sheets=("pages.css", "certificates.css"),
        )
        self.show(screen, listed=shape(listed))


class VerifyPage(PageHandler):
    """/verify and /verify/{number}: what a number stands for, for whoever was shown a certificate."""

    access = PUBLIC
    read_limit = LimitClass.VERIFICATION.value

    async def get(self, number: str = "") -> None:
        """The verdict; without a number the question for it."""
        asked = self.get_query_argument("number", "").strip()
        if asked and not number:
            self.redirect(f"/verify/{quote(asked[:100], safe='')}", status=303)
            return
        found = await self.services.certificates.verify(number) if number else None
        known = found if isinstance(found, VerificationView) else None
        verdict = None if found is None else "unknown" if known is None else known.status
        title = self.t("certificates.verify") if verdict is None else self.t(f"certificates.verdict_{verdict}")
        self.show(
            Screen("verify.html", title=(title, number), sheets=("pages.css", "certificates.css")),
            verdict=verdict,
            number=number,
            one=None if known is None else shape(known),
            keys_path=_KEYS_PATH,
            example=_EXAMPLE,
        )


class CourseCertificates(PageHandler):
    """/teach/courses/{id}/certificates: the template with its preview, and what was given out."""

    access = TEACHERS
    reach = Reach.TAUGHT

    async def get(self, course_id: str) -> None:
        """Both, as far as the reader may see to them."""
        course, tabs = await course_with_tab(self, course_id, "certificates")
        template = await self.services.certificate_templates.show(self.actor, course.id)
        screen = Screen(
            "teach_certificates.html",
            title=(self.t("teach.tab_certificates"), course.title),
            data={"course_id": course.id},
            groups=("errors", "compare", "teach", "certificates"),
            scripts=("shell.js", "teach.js", "certificate-template.js"),
            sheets=("pages.css", "teach.css", "certificates.css"),
        )
        listed = await self._listed(course)
        self.show(
            screen,
            course=shape(course),
            tab="certificates",
            tabs=tabs,
            template=shape(template),
            headings={language: heading_of(language) for language in ("en", "ar")},
            listed=listed,
        )

    async def _listed(self, course: CourseDetailView) -> dict[str, Any] | None:
        """What was given out; for who sees to the students."""
        if not teaches(self.actor, course, Permission.ENROLLMENTS_MANAGE):
            return None
        query = _query(self.get_query_argument("page", "1"))
        return shape(await self.services.certificates.list_of_course(self.actor, course.id, query))


def _query(page: str) -> CertificateQuery:
    try:
        return CertificateQuery.model_validate({"page": page, "page_size": PAGE_SIZE})
    except ValidationError:
        return CertificateQuery(page_size=PAGE_SIZE)


PAGES = [
    (r"/certificates", CertificatesPage),
    (r"/verify", VerifyPage),
    (r"/verify/([^/]+)", VerifyPage),
    (r"/teach/courses/([^/]+)/certificates", CourseCertificates),
]
