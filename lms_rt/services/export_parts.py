"""What an export holds, part by part: what is kept about a person, as they may see it themselves.

Nothing of others is in it, no key of a question that the results page would not show, no hash and no secret.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from documents import erasing
from documents.accommodation import Accommodation
from documents.announcement import Announcement
from documents.assignment import Assignment
from documents.attempt import Attempt
from documents.audit_record import AuditRecord
from documents.base import Row
from documents.certificate import Certificate
from documents.course import Course
from documents.enrollment import Enrollment
from documents.enums import Grading, Role
from documents.grade_override import GradeOverride
from documents.import_run import ImportRun
from documents.instructor import Instructor
from documents.integrity import IntegrityRecord
from documents.invoice import Invoice
from documents.job import Job
from documents.message import Message
from documents.notification import Notification
from documents.order import Order
from documents.payment import Payment
from documents.plan_subscription import PlanSubscription
from documents.quiz_control import QuizControl
from documents.session import Session
from documents.stored_file import THERE, StoredFile
from documents.submission import Submission
from documents.user import User
from documents.webhook import Webhook
from lms_rt.clock import Clock, from_ms
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.base import encode
from lms_rt.security.permissions import permissions_of
from lms_rt.services.archive import Entry
from lms_rt.services.assignment_views import Beside, submission_view
from lms_rt.services.attempt_views import answer_views, summary_view
from lms_rt.services.certificate_views import certificate_view
from lms_rt.services.enrollment_views import enrollment_view
from lms_rt.services.payments.invoice_views import invoice_view
from lms_rt.services.payments.payment_views import order_view, payment_view
from lms_rt.services.payments.plan_views import subscription_view
from lms_rt.services.preferences import Preferences
from lms_rt.services.receipts import Receipts
from lms_rt.services.results import Results
from lms_rt.services.unreachable import refusal_view
from lms_rt.services.user_views import user_view
from lms_rt.storage.files.base import FileMissing, FileStore

_OF_OTHERS = frozenset({"student_id", "student_name", "author_id", "author_name", "full_name", "invited_by"})
_FOR_YOU, _FOR_ANOTHER = "somebody else, in your place", "you, in the place of somebody else"
_README = """What this is
============
Everything that {site} holds about you, as of {at}. Each file is JSON (UTF-8); times are in UTC.
account.json: your profile. sessions.json: where you signed in. preferences.json, notifications.json: what you are told.
enrollments.json: your courses, progress and reviews. certificates.json: your certificates, as they were signed. orders.json, payments.json, subscriptions.json: what you bought, paid and subscribed to. invoices.json: your invoices and credit notes. attempts/: every attempt at a quiz with your answers. submissions.json: your work for assignments.
receipts/: the signed receipt of each; anybody can check one by the school's public keys, also without this site.
files.json: what you uploaded; files/: each of them. accommodations.json: the time you were granted. grades_by_hand.json: grades that a teacher set. integrity.json: what happened around your attempts.
messages.json: what you said in the chats of your courses.
courses.json, instructor.json, announcements.json, quiz_controls.json, webhooks.json: what you made. imports.json: tables and courses that you brought in. mails.json: which mails were sent to you, and when.
audit.json: what was done to your account, and what you did that is kept in the audit log.

ما هذا
======
كل ما يحتفظ به {site} عنك حتى {at}. كل ملف بصيغة JSON، والأوقات بالتوقيت العالمي.
"""

Items = AsyncIterator[Any]


@dataclass(frozen=True, slots=True)
class Sources:
    """What the parts are made with."""

    clock: Clock
    site_name: str
    preferences: Preferences
    results: Results
    receipts: Receipts
    files: FileStore


class _Parts:
    """The parts of one person's export."""

    def __init__(self, sources: Sources, user: User) -> None:
        self._from, self._user = sources, user
        role = Role(user.role)
        self._actor = Actor(user.id, role, permissions_of(role, user.permissions), full_name=user.full_name)

    async def account(self) -> Items:
        refusal = refusal_view(self._user)
        shown = None if refusal is None else refusal.model_dump(mode="json")
        yield {**user_view(self._user).model_dump(mode="json"), "mail_refusal": shown}

    async def preferences(self) -> Items:
        yield await self._from.preferences.show(self._actor)

    async def sessions(self) -> Items:
        names = ("device", "address", "created_at", "last_used_at", "revoked_at")
        # Where somebody else acted in their place is that person's device and address.
        own = {"user_id": self._user.id, "impersonator_id": {"$exists": False}}
        async for row in _all(Session, own, names):
            yield _chosen(row, names)

    async def notifications(self) -> Items:
        async for row in _all(Notification, {"user_id": self._user.id}):
            data = {name: one for name, one in row["data"].items() if name not in _OF_OTHERS}
            yield {**_chosen(row, ("kind", "link", "created_at", "read_at")), "data": data}

    async def enrollments(self) -> Items:
        async for row in _all(Enrollment, {"student_id": self._user.id}):
            enrollment = Enrollment.model_validate(row)
            yield enrollment_view(enrollment, await Course.find_head(enrollment.course_id))

    async def certificates(self) -> Items:
        names = ("statement", "signature", "credential", "revoked_reason", "replaced_reason")
        async for row in _all(Certificate, {"student_id": self._user.id}):
            yield {**certificate_view(row).model_dump(mode="json"), **_chosen(row, names)}

    async def attempts(self) -> AsyncIterator[Entry]:
        async for row in _all(Attempt, {"student_id": self._user.id}, ("grading", "receipt")):
            yield Entry(f"attempts/{row['_id']}.json", items=self._attempt(row["_id"]))
            if "receipt" in row:
                receipt = await self._from.receipts.show(self._actor, row["_id"])
                yield Entry(f"receipts/{row['_id']}.json", text=encode(receipt).decode())

    async def _attempt(self, attempt_id: str) -> Items:
        attempt = await Attempt.find_whole(attempt_id)
        if attempt is None:
            return
        if attempt.get("grading") in (Grading.DONE, Grading.MANUAL):
            yield await self._from.results.show(self._actor, attempt_id)
            return
        summary = summary_view(attempt, self._from.clock.now_ms())
        answers = {one: view.model_dump(mode="json") for one, view in answer_views(attempt).items()}
        yield {**summary.model_dump(mode="json"), "answers": answers}

    async def orders(self) -> Items:
        async for row in _all(Order, {"user_id": self._user.id}):
            yield order_view(row)

    async def payments(self) -> Items:
        async for row in _all(Payment, {"user_id": self._user.id}):
            yield payment_view(row)

    async def subscriptions(self) -> Items:
        async for row in _all(PlanSubscription, {"user_id": self._user.id}):
            yield subscription_view(row, grace_days=0).model_dump(mode="json", exclude={"access_until"})

    async def invoices(self) -> Items:
        async for row in _all(Invoice, {"user_id": self._user.id}):
            yield {**invoice_view(row).model_dump(mode="json"), **row["printed"]}

    async def submissions(self) -> Items:
        async for row in _all(Submission, {"student_id": self._user.id}):
            assignment = await Assignment.find_row(row["assignment_id"])
            if assignment is None:
                continue
            groups = await Enrollment.groups_of(row["course_id"], [self._user.id])
            view = submission_view(assignment, row, Beside(groups=groups, is_for_staff=False))
            without = {
                "full_name",
                "alias",
                "claimed_by",
                "claimed_until",
                "content_html",
                "feedback_html",
                "graded_by",
            }
            yield {**view.model_dump(mode="json", exclude=without), "assignment_title": assignment["title"]}

    async def accommodations(self) -> Items:
        names = ("course_id", "quiz_id", "factor_percent", "extra_minutes", "break_minutes", "stretches_closing")
        async for row in _all(Accommodation, {"student_id": self._user.id}):
            yield _chosen(row, (*names, "created_at", "updated_at"))

    async def grades_by_hand(self) -> Items:
        names = ("course_id", "item_id", "points", "is_excused", "reason", "created_at", "updated_at")
        async for row in _all(GradeOverride, {"student_id": self._user.id}):
            said = ("points", "is_excused", "reason", "at")
            yield {**_chosen(row, names), "history": [_chosen(one, said) for one in row["history"]]}

    async def integrity(self) -> Items:
        async for row in _all(IntegrityRecord, {"student_id": self._user.id}):
            yield {**_chosen(row, ("attempt_id", "n", "kind", "data")), "at": from_ms(row["at_ms"])}

    async def courses(self) -> Items:
        names = ("title", "slug", "description", "created_at", "updated_at")
        async for row in _all(Course, {"instructor_id": self._user.id}, names):
            yield {"id": row["_id"], **_chosen(row, names)}

    async def instructor(self) -> Items:
        names = ("title", "bio", "expertise", "created_at", "updated_at")
        async for row in _all(Instructor, {"user_id": self._user.id}, names):
            yield _chosen(row, names)

    async def files(self) -> Items:
        names = ("original_filename", "mime_type", "file_size", "sha256", "folder", "course_id", "uses", "created_at")
        async for row in _all(StoredFile, self.own_files, names):
            yield {"id": row["_id"], **_chosen(row, names)}

    async def contents(self) -> AsyncIterator[Entry]:
        """Each file itself, but for what the school made and what is an archive of a course."""
        async for row in _all(StoredFile, {**self.own_files, "is_counted": True}):
            extension = row.get("extension") or "bin"
            pieces = _as_far_as_there(self._from.files.read(row["blob_id"]))
            yield Entry(f"{FILES}{row['_id']}.{extension}", pieces=pieces, size_bytes=row["file_size"])

    @property
    def own_files(self) -> Row:
        """Those that they uploaded, or that were made for them."""
        return {"uploader_id": self._user.id, "state": {"$in": list(THERE)}}

    async def imports(self) -> Items:
        names = ("kind", "course_id", "filename", "status", "total", "counts", "created_at", "finished_at")
        async for row in _all(ImportRun, {"user_id": self._user.id}, names):
            yield {"id": row["_id"], **_chosen(row, names)}

    async def announcements(self) -> Items:
        names = ("course_id", "title", "text", "created_at")
        async for row in _all(Announcement, {"author_id": self._user.id}, names):
            yield {"id": row["_id"], **_chosen(row, names)}

    async def messages(self) -> Items:
        names = ("course_id", "text", "created_at", "edited_at", "deleted_at")
        async for row in _all(Message, {"sender_id": self._user.id}, names):
            yield {"id": row["_id"], **_chosen(row, names)}

    async def quiz_controls(self) -> Items:
        names = ("quiz_id", "n", "kind", "seconds", "text", "reason", "at")
        async for row in _all(QuizControl, {"by": self._user.id}, names):
            yield {"id": row["_id"], **_chosen(row, names)}

    async def mails(self) -> Items:
        which = {"task": "mail.send", "args.user_id": self._user.id}
        async for row in _all(Job, which, ("args.template", "state", "created_at", "finished_at")):
            yield {"template": row["args"]["template"], **_chosen(row, ("state", "created_at", "finished_at"))}

    async def webhooks(self) -> Items:
        names = ("description", "created_at")
        async for row in _all(Webhook, {"created_by": self._user.id}, names):
            yield {"id": row["_id"], **_chosen(row, names)}

    async def audit(self) -> Items:
        names = ("at", "action", "kind", "target_id", "actor_id", "impersonator_id")
        which = erasing.any_of(("target_id", "actor_id", "impersonator_id"), self._user.id)
        async for row in _all(AuditRecord, which, names):
            by = self._by(row)
            target = {"target_id": row["target_id"]} if by == "you" or row["target_id"] == self._user.id else {}
            yield {**_chosen(row, ("at", "action", "kind")), **target, "by": by}

    def _by(self, row: Row) -> str:
        """Who did it. A record names the one in whose place it was done, and who did it there."""
        if impersonator_id := row.get("impersonator_id"):
            return _FOR_ANOTHER if impersonator_id == self._user.id else _FOR_YOU
        return "you" if row["actor_id"] == self._user.id else "somebody else"


PARTS: Mapping[str, Callable[[_Parts], Items]] = {
    "account.json": _Parts.account,
    "sessions.json": _Parts.sessions,
    "preferences.json": _Parts.preferences,
    "notifications.json": _Parts.notifications,
    "enrollments.json": _Parts.enrollments,
    "certificates.json": _Parts.certificates,
    "orders.json": _Parts.orders,
    "payments.json": _Parts.payments,
    "subscriptions.json": _Parts.subscriptions,
    "invoices.json": _Parts.invoices,
    "submissions.json": _Parts.submissions,
    "accommodations.json": _Parts.accommodations,
    "grades_by_hand.json": _Parts.grades_by_hand,
    "integrity.json": _Parts.integrity,
    "courses.json": _Parts.courses,
    "instructor.json": _Parts.instructor,
    "files.json": _Parts.files,
    "imports.json": _Parts.imports,
    "announcements.json": _Parts.announcements,
    "messages.json": _Parts.messages,
    "quiz_controls.json": _Parts.quiz_controls,
    "mails.json": _Parts.mails,
    "webhooks.json": _Parts.webhooks,
    "audit.json": _Parts.audit,
}
"""The files of an export by name; `attempts/` holds one for each attempt, `receipts/` one for each that is signed."""
ATTEMPTS = "attempts/"
FILES = "files/"


async def entries_of(sources: Sources, user: User) -> AsyncIterator[Entry]:
    """All files of somebody's export, in a fixed order."""
    at = from_ms(sources.clock.now_ms()).strftime("%Y-%m-%d %H:%M UTC")
    yield Entry("README.txt", text=_README.format(site=sources.site_name, at=at))
    parts = _Parts(sources, user)
    for name, part in PARTS.items():
        yield Entry(name, items=part(parts))
    async for entry in parts.attempts():
        yield entry
    async for entry in parts.contents():
        yield entry


async def _as_far_as_there(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """A file that is deleted meanwhile ends no export."""
    with suppress(FileMissing):
        async for piece in pieces:
            yield piece


async def _all(document: Any, which: Row, fields: tuple[str, ...] = ()) -> AsyncIterator[Row]:
    async for page in erasing.walk(document, which, fields):
        for row in page:
            yield row


def _chosen(row: Row, names: tuple[str, ...]) -> Row:
    return {name: row.get(name) for name in names}
