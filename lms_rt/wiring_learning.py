"""What learning needs besides courses and quizzes, wired: files, and what hangs on them. `bootstrap.py` does the rest.

No rules. Each service of learning is a field of `LearningServices`, and is made in `wired_learning`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from config.settings import Settings
from documents.message import Message
from documents.stored_file import FileUse
from lms_rt.afterwards import Afterwards
from lms_rt.bus.base import Bus
from lms_rt.clock import Clock
from lms_rt.security.file_links import FileLinks
from lms_rt.security.keyring import keyring_of
from lms_rt.services.assignment_grading import AssignmentGrading
from lms_rt.services.assignment_work import AssignmentWork
from lms_rt.services.assignments import Assignments
from lms_rt.services.audit import Audit
from lms_rt.services.bulk_enrollment import BulkEnrollment
from lms_rt.services.calendar_feeds import CalendarFeeds
from lms_rt.services.certificate_changes import CertificateChanges
from lms_rt.services.certificate_effects import CERTIFIED_EFFECT, note_in_enrollment
from lms_rt.services.certificate_issuing import CertificateIssuing
from lms_rt.services.certificate_templates import CertificateTemplates
from lms_rt.services.certificates import Certificates
from lms_rt.services.chat import Chat
from lms_rt.services.chat_mentions import telling_of_mentions
from lms_rt.services.chat_moderation import ChatModeration
from lms_rt.services.chat_views import MENTIONED_EFFECT
from lms_rt.services.chat_words import ChatWords
from lms_rt.services.course_archives import CourseArchives
from lms_rt.services.course_copies import CourseCopies
from lms_rt.services.course_packages import CoursePackages
from lms_rt.services.course_reviews import CourseReviews
from lms_rt.services.enrollments import Enrollments
from lms_rt.services.file_downloads import FileDownloads
from lms_rt.services.file_sweep import FileSweep
from lms_rt.services.files import Files
from lms_rt.services.grade_overrides import GradeOverrides
from lms_rt.services.grade_sheets import GradeSheets
from lms_rt.services.gradebook import Gradebooks
from lms_rt.services.gradebook_export import GradebookExport
from lms_rt.services.images import Images
from lms_rt.services.import_runs import ARCHIVES_KEPT, KEPT, ImportRuns
from lms_rt.services.lesson_files import may_read_of_lesson
from lms_rt.services.pictures import Pictures
from lms_rt.services.progress import Progress
from lms_rt.services.question_files import QuestionFiles
from lms_rt.services.ratings import Ratings
from lms_rt.services.relay import Relay
from lms_rt.services.rosters import Rosters
from lms_rt.services.submission_archive import SubmissionArchive
from lms_rt.services.telling import Telling
from lms_rt.services.upload_sessions import UploadSessions
from lms_rt.services.uploads import Uploads
from lms_rt.storage.files.base import FileStore
from lms_rt.wiring_accounts import AccountServices
from lms_rt.wiring_exams import ExamServices


@dataclass(frozen=True)
class LearningServices:
    """The services of learning."""

    files: Files
    file_downloads: FileDownloads
    uploads: Uploads
    upload_sessions: UploadSessions
    images: Images
    assignments: Assignments
    assignment_work: AssignmentWork
    assignment_grading: AssignmentGrading
    grade_sheets: GradeSheets
    submission_archive: SubmissionArchive
    gradebooks: Gradebooks
    gradebook_export: GradebookExport
    grade_overrides: GradeOverrides
    calendar_feeds: CalendarFeeds
    certificates: Certificates
    certificate_changes: CertificateChanges
    certificate_templates: CertificateTemplates
    course_reviews: CourseReviews
    rosters: Rosters
    chat: Chat
    chat_moderation: ChatModeration
    import_runs: ImportRuns
    bulk_enrollment: BulkEnrollment
    course_copies: CourseCopies
    course_archives: CourseArchives


@dataclass(frozen=True, slots=True)
class LearningGround:
    """What learning is wired to. `file_store` has the bytes; all but uploads and jobs ask `Files`."""

    after: Afterwards
    accounts: AccountServices
    exams: ExamServices
    bus: Bus
    file_store: FileStore
    enrollments: Enrollments
    progress: Progress


def wired_learning(settings: Settings, clock: Clock, ground: LearningGround) -> LearningServices:
    """All of them."""
    relay = ground.after.relay
    for name, handler in Ratings(clock).effects().items():
        relay.register_effect(name, handler)
    relay.register_effect(MENTIONED_EFFECT, telling_of_mentions(ground.after.notifications, clock))
    ChatWords(ground.bus).register(relay)
    if settings.retention_chat_days:
        ground.after.retention.add_rule("chat messages", settings.retention_chat_days, Message.forget_before)
    files = Files(settings=settings, clock=clock, store=ground.file_store, audit=ground.after.audit)
    files.access.register(FileUse.LESSON, may_read_of_lesson)
    ground.after.announcements.keep_pictures_by(Pictures(files))
    ground.exams.questions.keep_files_by(QuestionFiles(files))
    ground.enrollments.hand_in_by(ground.exams.attempt_clock.closing.close_left)
    ground.accounts.accounts.keep_pictures_by(Pictures(files))
    FileSweep(settings=settings, clock=clock, store=ground.file_store, files=files).register(ground.after.retention)
    links = FileLinks(keyring_of(settings))
    return LearningServices(
        files=files,
        file_downloads=FileDownloads(
            settings=settings, clock=clock, store=ground.file_store, access=files.access, links=links
        ),
        **_uploaded(settings, clock, ground, files),
        **_assigned(clock, relay, files, ground.after.audit),
        **_certified(settings, clock, ground, files),
        **_in_bulk(settings, clock, ground, files),
        **_grades(settings, clock, ground.after),
        course_reviews=CourseReviews(clock=clock, relay=relay, bus=ground.bus),
        rosters=Rosters(clock=clock, audit=ground.after.audit),
        chat=Chat(settings=settings, clock=clock, relay=relay, bus=ground.bus),
        chat_moderation=ChatModeration(clock=clock, relay=relay),
    )


def _certified(settings: Settings, clock: Clock, ground: LearningGround, files: Files) -> dict[str, Any]:
    """Certificates, signed by the key of receipts."""
    after, signing = ground.after, ground.exams.attempt_clock.signing
    after.relay.register_effect(CERTIFIED_EFFECT, note_in_enrollment)
    issuing = CertificateIssuing(settings=settings, clock=clock, relay=after.relay, files=files, signing=signing)
    return {
        "certificates": Certificates(
            clock=clock, issuing=issuing, files=files, jobs=after.jobs, audit=after.audit, key=signing.key
        ),
        "certificate_changes": CertificateChanges(clock=clock, relay=after.relay, issuing=issuing),
        "certificate_templates": CertificateTemplates(
            settings=settings, clock=clock, relay=after.relay, files=files, issuing=issuing
        ),
    }


def _uploaded(settings: Settings, clock: Clock, ground: LearningGround, files: Files) -> dict[str, Any]:
    """What comes in from outside."""
    jobs, store, retention = ground.after.jobs, ground.file_store, ground.after.retention
    uploads = Uploads(settings=settings, clock=clock, jobs=jobs, store=store, files=files)
    sessions = UploadSessions(clock=clock, store=store, uploads=uploads)
    notify = ground.after.notifications
    images = Images(settings=settings, clock=clock, jobs=jobs, store=store, files=files, notify=notify)
    retention.add_rule("uploads that were broken off", 0, sessions.forget)
    retention.add_rule("images that were not drawn", 0, images.ask_again)
    return {"uploads": uploads, "upload_sessions": sessions, "images": images}


def _in_bulk(settings: Settings, clock: Clock, ground: LearningGround, files: Files) -> dict[str, Any]:
    """Runs over many things."""
    after, store = ground.after, ground.file_store
    runs = ImportRuns(clock=clock, relay=after.relay, telling=Telling(ground.bus), files=store)
    after.retention.add_rule("imports", KEPT.days, runs.forget)
    after.retention.add_rule("rows of imports that never began", 1, runs.forget_lost)
    packages = CoursePackages(clock=clock, relay=after.relay, jobs=after.jobs, runs=runs, files=files, store=store)
    archives = CourseArchives(settings=settings, clock=clock, runs=runs, packages=packages, store=store)
    after.retention.add_rule("archives of courses", ARCHIVES_KEPT.days, archives.kept.forget)
    return {
        "import_runs": runs,
        "bulk_enrollment": BulkEnrollment(
            clock=clock,
            relay=after.relay,
            runs=runs,
            enrollments=ground.enrollments,
            invitations=ground.accounts.invitations,
        ),
        "course_copies": CourseCopies(runs=runs, packages=packages, store=store),
        "course_archives": archives,
    }


def _assigned(clock: Clock, relay: Relay, files: Files, audit: Audit) -> dict[str, Any]:
    """Assignments, and what is handed in for them."""
    grading = AssignmentGrading(clock=clock, relay=relay)
    return {
        "assignments": Assignments(clock=clock, relay=relay, pictures=Pictures(files)),
        "assignment_work": AssignmentWork(clock=clock, relay=relay, files=files),
        "assignment_grading": grading,
        "grade_sheets": GradeSheets(clock=clock, grading=grading, audit=audit),
        "submission_archive": SubmissionArchive(clock=clock, files=files, audit=audit),
    }


def _grades(settings: Settings, clock: Clock, after: Afterwards) -> dict[str, Any]:
    """Gradebooks, and calendars of what is due."""
    gradebooks = Gradebooks(clock=clock, relay=after.relay)
    return {
        "gradebooks": gradebooks,
        "gradebook_export": GradebookExport(gradebooks=gradebooks, audit=after.audit),
        "grade_overrides": GradeOverrides(clock=clock, relay=after.relay),
        "calendar_feeds": CalendarFeeds(settings=settings, clock=clock),
    }
