"""Announcements: a teacher tells everybody in a course, at once on its live channel, and each student as they wish.

Telling each is a job that goes through the enrolments in pages, notes how far it came, and goes on there after a crash.
"""

from __future__ import annotations

import asyncio

from documents.announcement import Announcement
from documents.base import Row
from documents.course import Course, CourseHead
from documents.enrollment import Enrollment
from documents.stored_file import FileUse
from lms_rt.clock import Clock, rfc3339
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.announcements import AnnouncementDraft, AnnouncementView
from lms_rt.contracts.channels import course_channel
from lms_rt.contracts.mails import Announcement as AnnouncementMail
from lms_rt.contracts.outbox import Deed, Intent, Write, event, job
from lms_rt.ids import derived_id, new_id
from lms_rt.security.access.courses import require_taught_course
from lms_rt.services.notification_rules import Notice, NoticeMail
from lms_rt.services.notifications import Notifications
from lms_rt.services.pictures import Pictures
from lms_rt.services.relay import Relay

TELL_TASK = "announcements.tell"
PAGE = 100
AT_ONCE = 10
"""So many students of a page are told at the same time."""


class Announcements:
    """Told by teachers."""

    def __init__(self, *, clock: Clock, relay: Relay, notifications: Notifications) -> None:
        self._clock, self._relay, self._notifications = clock, relay, notifications
        self._pictures: Pictures | None = None

    def keep_pictures_by(self, pictures: Pictures) -> None:
        """Let the files that texts name be put to use by these."""
        self._pictures = pictures

    async def announce(
        self, actor: Actor, course_id: str, draft: AnnouncementDraft, *, request_seed: str | None = None
    ) -> AnnouncementView:
        """Tell everybody in a course of the actor's own. The same request again is the same announcement."""
        course = await require_taught_course(actor, course_id)
        now = self._clock.now()
        announcement_id = new_id("ann") if request_seed is None else derived_id("ann", request_seed)
        if self._pictures is not None:
            use = FileUse.ANNOUNCEMENT
            await self._pictures.attach_to_text(
                actor, course.id, draft.text, use=use, subject_id=announcement_id, field_name="text"
            )
        fields: Row = {
            "course_id": course.id,
            "author_id": actor.user_id,
            "author_name": actor.full_name,
            "text": draft.text,
            "version": 1,
            "created_at": now,
            "updated_at": now,
        } | ({} if draft.title is None else {"title": draft.title})
        row = {"_id": announcement_id, **fields}
        if not await Announcement.add(announcement_id, fields, _intents(row, Write(1, now), actor)):
            row = await Announcement.find_row(announcement_id) or row
        await self._relay.hand_over(Announcement, announcement_id)
        return _view(row)

    async def tell(self, announcement_id: str) -> None:
        """Tell every student of the course who has not been told yet."""
        row = await Announcement.find_row(announcement_id)
        course = None if row is None else (await Course.heads([row["course_id"]])).get(row["course_id"])
        if row is None or course is None:
            return
        after, now_ms = row.get("told_until") or "", self._clock.now_ms()
        while page := await Enrollment.page_of_present(course.id, after=after, limit=PAGE, now_ms=now_ms):
            notices = [_notice(row, course, who) for _, who in page if who not in ("", row["author_id"])]
            for start in range(0, len(notices), AT_ONCE):
                await self._tell_some(notices[start : start + AT_ONCE], announcement_id)
            after = page[-1][0]
            await Announcement.told(announcement_id, after)
        await Announcement.all_told(announcement_id, self._clock.now())

    async def _tell_some(self, notices: list[Notice], announcement_id: str) -> None:
        async with asyncio.TaskGroup() as group:
            for notice in notices:
                group.create_task(self._notifications.tell(notice, cause=announcement_id))


def _intents(row: Row, write: Write, actor: Actor) -> list[Intent]:
    told = {
        "announcement_id": row["_id"],
        **{name: row[name] for name in ("course_id", "author_name", "text")},
        "title": row.get("title"),
        "created_at": rfc3339(write.at),
    }
    return [
        event(write, "announcement", n=0, channels=[course_channel(row["course_id"])], data=told),
        job(write, TELL_TASK, {"announcement_id": row["_id"]}, job_id=derived_id("job", row["_id"])),
        *Deed(actor, "announcement.create").intents(write, row["_id"], after={"course_id": row["course_id"]}),
    ]


def _notice(row: Row, course: CourseHead, student_id: str) -> Notice:
    title, link = row.get("title"), f"/courses/{course.slug}"
    facts = {
        "announcement_id": row["_id"],
        "course_id": course.id,
        "course_title": course.title,
        "author_name": row["author_name"],
        "title": title,
        "text": row["text"],
    }
    mail = AnnouncementMail(
        course_title=course.title,
        author_name=row["author_name"],
        title=title or course.title,
        body=row["text"],
        link=link,
    )
    text = "announcement.plain" if title is None else "announcement"
    return Notice(student_id, "announcement", text, facts, link, NoticeMail("announcement", mail))


def _view(row: Row) -> AnnouncementView:
    return AnnouncementView(
        id=row["_id"],
        title=row.get("title"),
        **{name: row[name] for name in AnnouncementView.model_fields if name not in {"id", "title"}},
    )
