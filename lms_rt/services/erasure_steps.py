"""What an erasure does in each collection. Every step may be run again; which there are, `erasure_map.py` says."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import orjson

from documents import erasing
from documents.announcement import Announcement
from documents.assignment import Assignment
from documents.attempt import Attempt
from documents.audit_beside import AuditReason, AuditSalt
from documents.base import Record
from documents.chat_member import ChatMember
from documents.enrollment import Enrollment
from documents.enums import JobState, QuestionType
from documents.event_record import EventRecord
from documents.export import Export, file_ids_of
from documents.idempotency import IdempotencyRecord
from documents.job import Job
from documents.message import Message
from documents.notification import Notification
from documents.notification_preferences import NotificationPreferences
from documents.paper import AttemptPaper
from documents.quiz_control import QuizControl
from documents.sent_mail import SentMail
from documents.submission import Submission
from documents.ticket import SpareTicket
from documents.webhook import Webhook
from documents.webhook_delivery import WebhookDelivery
from lms_rt.clock import Clock
from lms_rt.contracts.base import encode
from lms_rt.services.contended import until_written
from lms_rt.services.withholding import WITHHELD, Leaving, withheld
from lms_rt.storage.files.base import FileStore

_WRITTEN = frozenset({QuestionType.SHORT_ANSWER.value, QuestionType.ESSAY.value})
"""Answers in one's own words."""
_ABOUT = ("data.id", "data.user_id", "data.student_id", "data.instructor_id", "data.author_id", "data.created_by")


@dataclass(slots=True)
class Ground:
    """What the steps work on. `job_id` is the job that erases, which stays until it has ended."""

    files: FileStore
    clock: Clock
    leaving: Leaving
    job_id: str
    heir_id: str = ""
    told_ids: set[str] = field(default_factory=set)


async def remove_own(document: type[Record], ground: Ground) -> None:
    """All that is of this person."""
    await erasing.remove_all(document, {"user_id": ground.leaving.user_id})


async def remove_of_student(document: type[Record], ground: Ground) -> None:
    """All that is kept of this student."""
    await erasing.remove_all(document, {"student_id": ground.leaving.user_id})


async def attempts(ground: Ground) -> None:
    """The name, the devices, the answers in the student's own words, and what a teacher wrote to them."""
    fields = ("answers", "quiz_id", "marks")
    async for page in erasing.walk(Attempt, {"student_id": ground.leaving.user_id}, fields):
        for row in page:
            blanked: dict[str, Any] = {"student_name": WITHHELD, "metadata": {}, "updated_ms": ground.clock.now_ms()}
            unset = [
                "writer",
                "ops",
                "receipt",
                "receipt_head",
                "group",
                "accommodation",
                "offline.lines",
                "offline.pending",
            ]
            unset += [
                f"marks.{one}.{name}" for one in row.get("marks") or () for name in ("comment", "reason", "history")
            ]
            written = await _written_questions(row)
            for question_id in row.get("answers", {}):
                unset.append(f"answers.{question_id}.device_id")
                if question_id in written:
                    blanked[f"answers.{question_id}.value"] = None
            await erasing.blank(Attempt, row["_id"], blanked, unset)


async def _written_questions(attempt: dict[str, Any]) -> set[str]:
    paper = await AttemptPaper.find_row(attempt["_id"])
    if paper is None:  # nobody can tell: nothing that was typed stays
        return set(attempt.get("answers", {}))
    return {one for one, question in paper["questions"].items() if question["question_type"] in _WRITTEN}


async def submissions(ground: Ground) -> None:
    """What was written and handed in, and what a teacher wrote about it. Their files go with all of theirs."""
    fields = {"content": "", "file_ids": [], "history": [], "grade_history": []}
    which = {"student_id": ground.leaving.user_id}
    await erasing.blank_all(Submission, which, fields, ("draft", "feedback", "rubric", "request_seed"))


async def assignments(ground: Ground) -> None:
    """A date that was this student's alone. It moves no version: for nobody else anything changed."""
    await Assignment.forget_student(ground.leaving.user_id)


async def enrollments(ground: Ground) -> None:
    """Reviews, and where somebody stopped watching."""
    async for page in erasing.walk(Enrollment, {"student_id": ground.leaving.user_id}, ("_id",)):
        for row in page:
            await until_written(lambda key=row["_id"]: _blank_enrollment(key))  # type: ignore[misc]


async def _blank_enrollment(enrollment_id: str) -> bool | None:
    enrollment = await Enrollment.find_one_by_id(enrollment_id)
    if enrollment is None:
        return True
    fields: dict[str, Any] = {}
    for lesson_id in enrollment.progress:
        fields |= {f"progress.{lesson_id}.watched": [], f"progress.{lesson_id}.last_position_seconds": 0}
    gone = dict.fromkeys(("review", "review_hidden_reason", "request_seed", "last_accessed_at", "watched_until_ms"), "")
    update = {"$unset": gone, **({"$set": fields} if fields else {})}
    return await Enrollment.write(enrollment_id, enrollment.revision, update) or None


async def announcements(ground: Ground) -> None:
    """Who said it."""
    await erasing.blank_all(Announcement, {"author_id": ground.leaving.user_id}, {"author_name": WITHHELD}, ())


async def quiz_controls(ground: Ground) -> None:
    """Who ordered it."""
    await erasing.blank_all(QuizControl, {"by": ground.leaving.user_id}, {"by_name": WITHHELD}, ())


async def messages(ground: Ground) -> None:
    """What they said, and their name where others called them by it."""
    leaving, at = ground.leaving, ground.clock.now()
    theirs: dict[str, Any] = {"sender_id": leaving.user_id}
    standing = {**theirs, "deleted_at": {"$exists": False}}
    await erasing.blank_all(Message, standing, {"deleted_at": at, "deleted_by": leaving.user_id}, ())
    await erasing.blank_all(Message, theirs, {"sender_name": WITHHELD, "text": "", "mentions": []}, ("op_digest",))
    await _withhold(Message, {"mentions": leaving.user_id}, ("text",), leaving)


async def chat_members(ground: Ground) -> None:
    """How far they have read, and whether they could write."""
    await erasing.remove_all(ChatMember, {"user_id": ground.leaving.user_id})


async def notifications(ground: Ground) -> None:
    """One's own go; those of others name somebody no more."""
    await erasing.remove_all(Notification, {"user_id": ground.leaving.user_id})
    await _withhold(Notification, told_of(ground.leaving), ("data", "mail"), ground.leaving)


def told_of(leaving: Leaving) -> dict[str, Any]:
    """The filter for what others were told of somebody."""
    about: list[dict[str, Any]] = [
        {name: leaving.user_id} for name in ("data.student_id", "data.user_id", "data.author_id")
    ]
    if leaving.own_ids:
        about.append({"data.announcement_id": {"$in": sorted(leaving.own_ids)}})
    return {"$or": about}


async def events(ground: Ground) -> None:
    """What was recorded stays in its order, without whom it was about. Receivers' replies to it are not kept."""
    async for page in erasing.walk(EventRecord, {"$or": [{name: ground.leaving.user_id} for name in _ABOUT]}):
        for row in page:
            data = withheld(row["data"], ground.leaving)
            if data != row["data"]:
                await erasing.blank(EventRecord, row["_id"], {"data": data})
        told = {"event_id": {"$in": [row["event_id"] for row in page]}}
        await erasing.blank_all(WebhookDelivery, told, {}, ("response_head", "error"))


async def jobs(ground: Ground) -> None:
    """Jobs for this person go, but for those that run; others that name somebody do so no more."""
    leaving, others = ground.leaving, {"_id": {"$ne": ground.job_id}, "state": erasing.NOT_RUNNING}
    mine = [{"args.user_id": leaving.user_id}, {"args.enrollment_id": erasing.begins_with(f"{leaving.user_id}:")}]
    await erasing.remove_all(Job, {**others, "$or": mine})
    telling = {"task": "mail.send", "state": {"$nin": [JobState.DONE.value, JobState.RUNNING.value]}}
    await _withhold(Job, telling, ("args.data",), leaving)
    await _withhold(Job, {"error": {"$exists": True}}, ("error",), leaving)


async def webhooks(ground: Ground) -> None:
    """They work on; whoever is left hears of them."""
    made = {"created_by": ground.leaving.user_id}
    await erasing.blank_all(Webhook, made, {"created_by": ground.heir_id}, ())


async def idempotency(ground: Ground) -> None:
    """One's own keys go. Others' stay: who tries again is answered as before, without the person, and does nothing twice."""
    leaving = ground.leaving
    await erasing.remove_all(IdempotencyRecord, {"_id": erasing.begins_with(f"{leaving.user_id}:")})
    async for page in erasing.walk(IdempotencyRecord, {"content": {"$exists": True}}):
        for row in page:
            await _withhold_answer(row, leaving)


async def _withhold_answer(row: dict[str, Any], leaving: Leaving) -> None:
    """Take the person out of a kept answer; one that nobody can read, and that names them, goes."""
    content, head = bytes(row["content"] or b""), row.get("head") or {}
    # Beside a store of this process' own the loop is the web server's, and nothing else is waited for where nobody is named.
    without, head_without = await asyncio.to_thread(_answer_without, content, head, leaving)
    if without is None:
        await erasing.remove_all(IdempotencyRecord, erasing.of_ids([row["_id"]]))
    elif without != content or head_without != head:
        await IdempotencyRecord.replace_answer(row, head=head_without, content=without)


def _answer_without(content: bytes, head: dict[str, str], leaving: Leaving) -> tuple[bytes | None, dict[str, str]]:
    """A kept answer without the person; None: nobody can read it, and it names them."""
    head_without = {name: leaving.without_words(one) for name, one in head.items()}
    try:
        told = orjson.loads(content)
    except orjson.JSONDecodeError:
        return (None if leaving.is_named_in(content.decode("utf-8", "replace")) else content), head_without
    changed = withheld(told, leaving)
    return (content if changed == told else encode(changed)), head_without


async def sent_mails(ground: Ground) -> None:
    """What a development server kept: to this person, or about them."""
    async for page in erasing.walk(SentMail, {}):
        told = [row["_id"] for row in page if _tells_of(row, ground.leaving)]
        if told:
            await erasing.remove_all(SentMail, erasing.of_ids(told))


def _tells_of(row: dict[str, Any], leaving: Leaving) -> bool:
    return any(leaving.is_named_in(one) for one in row.values() if isinstance(one, str))


async def spare_tickets(ground: Ground) -> None:
    """Those that were not used yet."""
    await erasing.remove_all(SpareTicket, {"facts.user_id": ground.leaving.user_id})


async def preferences(ground: Ground) -> None:
    """They are kept under the account's id."""
    await erasing.remove_all(NotificationPreferences, {"_id": ground.leaving.user_id})


async def audit_reasons(ground: Ground) -> None:
    """What was written about this person."""
    await AuditReason.forget_of(ground.leaving.user_id)


async def audit_salts(ground: Ground) -> None:
    """Without it, no hash in the audit log can be compared with a guess."""
    await AuditSalt.forget(ground.leaving.user_id)


async def exports(ground: Ground) -> None:
    """The files first: a row without its file is seen, a file without its row is not."""
    while page := await Export.find_of(ground.leaving.user_id, limit=erasing.PAGE):
        for row in page:
            for file_id in file_ids_of(row):
                await ground.files.remove(file_id)
        removed = await erasing.remove_all(Export, erasing.of_ids([row["_id"] for row in page]))
        if not removed:
            return


async def _withhold(document: erasing.Stored, which: dict[str, Any], places: tuple[str, ...], leaving: Leaving) -> None:
    """Take the person out of these places of all that are so."""
    async for page in erasing.walk(document, which):
        for row in page:
            changed = {}
            for place in places:
                value: Any = row
                for name in place.split("."):
                    value = value.get(name) if isinstance(value, dict) else None
                if value is not None and (without := withheld(value, leaving)) != value:
                    changed[place] = without
            await erasing.blank(document, row["_id"], changed)
