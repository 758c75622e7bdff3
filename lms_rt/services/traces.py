"""What is left of a person outside the collections: events that the bus keeps for a day, and bytes that a disk keeps."""

from __future__ import annotations

from documents import erasing
from documents.announcement import Announcement
from documents.attempt import Attempt
from documents.enrollment import Enrollment
from documents.message import Message
from documents.notification import Notification
from lms_rt.bus.base import Bus
from lms_rt.contracts.channels import (
    attempt_channel,
    course_channel,
    course_chat_channel,
    course_staff_channel,
    quiz_live_channel,
    user_channel,
)
from lms_rt.services.erasure_steps import told_of
from lms_rt.services.withholding import Leaving
from lms_rt.storage.mongo import OpenDatabase


class Traces:
    """Forgets them."""

    def __init__(self, *, bus: Bus, database: OpenDatabase) -> None:
        self._bus, self._database = bus, database

    async def channels_of(self, leaving: Leaving) -> set[str]:
        """The channels that may have told of somebody: their own, those of what they took part in, and of whom was told."""
        user_id = leaving.user_id
        found, mine = {user_channel(user_id)}, {"student_id": user_id}
        async for page in erasing.walk(Notification, told_of(leaving), ("user_id",)):
            found |= {user_channel(row["user_id"]) for row in page}
        async for page in erasing.walk(Attempt, mine, ("quiz_id",)):
            for row in page:
                found |= {attempt_channel(row["_id"]), quiz_live_channel(row["quiz_id"])}
        async for page in erasing.walk(Enrollment, mine, ("course_id",)):
            found |= {course_staff_channel(row["course_id"]) for row in page}
        said = {"$or": [{"sender_id": user_id}, {"mentions": user_id}]}
        async for page in erasing.walk(Message, said, ("course_id",)):
            found |= {course_chat_channel(row["course_id"]) for row in page}
        async for page in erasing.walk(Announcement, {"author_id": user_id}, ("course_id",)):
            found |= {course_channel(row["course_id"]) for row in page}
        return found

    async def forget(self, channels: set[str]) -> None:
        """Who listens there reads the whole anew; dashboards look again."""
        for channel in sorted(channels):
            await self._bus.history.forget(channel)
            await self._bus.fan_out.poke(channel)

    async def settle(self) -> None:
        """What was removed leaves the disk, as far as it is ours."""
        await self._database.settle()
