"""A person who has left something in every place that the product has, and a search through all of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from redis.asyncio import Redis

from documents import DOCUMENTS
from documents.base import Row
from documents.enrollment import Enrollment
from documents.event_record import EventRecord
from documents.job import Job
from documents.sent_mail import SentMail
from documents.session import Session
from documents.ticket import SpareTicket
from documents.user import User
from documents.webhook import Webhook
from documents.webhook_delivery import WebhookDelivery
from lms_rt.bootstrap import Services
from lms_rt.clock import Clock
from lms_rt.contracts.frames import event_tail
from tests import factories
from tests.clients import Visitor
from tests.house import PASSWORD, House
from tests.working import idle

NAME = "Zenobia Quillfeather"
LATER_NAME = "Zenobia Übermut-ليلى"
ADDRESS = "Zenobia.Quill@Exämple-Schule.example"
NETWORK = "203.0.113.77"
PROGRAM = "NeedleBrowser/7.3"
DEVICE = "needle-laptop-51"
ESSAY = "My needle of an essay about rivers"
CAPITAL = "Needlopolis"
NOTE = "needle-metadata-9"
TEXTS = (
    "Zenobia",
    "Quill",
    "quill@",
    "ex\u00e4mple-schule",
    "xn--exmple-schule",
    NETWORK,
    PROGRAM,
    DEVICE,
    ESSAY,
    CAPITAL,
    NOTE,
)
"""What nobody may find anywhere afterwards."""

QUESTION_ESSAY: dict[str, Any] = {"question_type": "essay", "question_text": "Write about rivers.", "points": 1}


@dataclass
class Everywhere:
    """Who they are, and what of theirs has to stay."""

    person: Visitor
    teacher: Visitor
    other: Visitor
    course: dict[str, Any]
    own_course: dict[str, Any]
    attempt_id: str
    open_attempt_id: str


class Needled(Visitor):
    """Somebody with a program and a network of their own."""

    @classmethod
    @asynccontextmanager
    async def of(cls, address: str) -> AsyncIterator[Needled]:
        async with super().of(address) as visitor:
            visitor.http.headers.update({"User-Agent": PROGRAM, "X-Forwarded-For": NETWORK})
            assert isinstance(visitor, Needled)
            yield visitor


async def seeded(house: House, person: Visitor) -> Everywhere:
    """They register, teach, enrol, answer, announce, ask for their data; jobs and mails about them wait and have failed."""
    await person.register(ADDRESS, PASSWORD, NAME, "instructor")
    teacher, other = await house.teacher("Tariq Aziz"), await house.student("Omar Nasser")
    course = await factories.course(teacher)
    quiz = await factories.quiz(teacher, course["id"], (factories.SHORT, factories.TRUE_FALSE, QUESTION_ESSAY))
    later = await factories.quiz(teacher, course["id"], (factories.TRUE_FALSE,), title="Later")
    headers = {"Idempotency-Key": "needle-key"}
    enrollment = await person.ok("POST", "/enrollments", json={"course_id": course["id"]}, headers=headers)
    await factories.enrolled(other, course["id"])
    progress = {"lesson_id": course["lessons"][0]["id"], "status": "in_progress", "last_position_seconds": 41}
    await person.ok("POST", f"/enrollments/{enrollment['id']}/progress", json=progress)
    await person.ok("PATCH", "/users/me", json={"full_name": LATER_NAME, "metadata": {"note": NOTE}})
    await _talked(person, other, course["id"])
    attempt_id = await _attempted(person, quiz["id"])
    await _marked(teacher, attempt_id)
    begun = await person.ok("POST", "/attempts", json={"quiz_id": later["id"], "device_id": DEVICE})
    own_course = await factories.course(person, title="Rivers")
    await factories.enrolled(other, own_course["id"])
    await person.ok("POST", f"/courses/{own_course['id']}/announcements", json={"text": "No lesson on Monday."})
    file = (f"{NAME}.pdf", f"%PDF-1.7 {ESSAY}".encode())
    await person.ok("POST", "/files/upload", files={"file": file}, data={"folder": NOTE})
    await person.ok("PUT", "/notifications/preferences", json={"digest": "daily"})
    await person.ok("POST", "/users/me/export")
    await idle(house.services)
    await _at_the_entrance(house, person)
    await _waiting(person.user_id)
    await _beside(person.user_id, attempt_id, course["id"])
    return Everywhere(person, teacher, other, course, own_course, attempt_id, begun["id"])


async def _talked(person: Visitor, other: Visitor, course_id: str) -> None:
    """In the chat they say something, to somebody, and are called by their name."""
    path = f"/courses/{course_id}/messages"
    await person.ok("POST", path, json={"text": ESSAY, "mentions": [other.user_id]})
    await other.ok("POST", path, json={"text": f"@{LATER_NAME} well said", "mentions": [person.user_id]})
    await person.ok("POST", f"{path}/read", json={"number": 1})


async def _attempted(person: Visitor, quiz_id: str) -> str:
    attempt = await person.ok("POST", "/attempts", json={"quiz_id": quiz_id, "device_id": DEVICE})
    values = {"short_answer": CAPITAL, "true_false": True, "essay": ESSAY}
    answers = [{"question_id": one["id"], "value": values[one["question_type"]]} for one in attempt["questions"]]
    body = {"answers": answers, "device_id": DEVICE, "lease": attempt["lease"]}
    await person.ok("POST", f"/attempts/{attempt['id']}/submit", json=body)
    return str(attempt["id"])


async def _at_the_entrance(house: House, person: Visitor) -> None:
    """They forget their password, somebody tries to guess it, an administrator acts in their place and says why."""
    stranger, admin = await house.visitor(), await house.admin()
    stranger.http.headers["X-Forwarded-For"] = NETWORK
    await stranger.call("POST", "/auth/forgot-password", json={"email": ADDRESS})
    await stranger.refused(401, "POST", "/auth/login", json={"email": ADDRESS, "password": "needle guess"})
    reason = {"reason": f"{NAME} asked for help"}
    await admin.ok("POST", f"/admin/users/{person.user_id}/impersonate", json=reason)
    await idle(house.services)


async def _waiting(user_id: str) -> None:
    """Jobs that wait or failed: for this person, and such as name them to others."""
    now = Clock().now()
    blank: Row = {"queue": "emails", "task": "mail.send", "due_at": now + timedelta(days=9), "created_at": now}
    blank |= {"tries": 0, "crashes": 0}
    told = {"template": "invitation", "user_id": "usr_somebody", "data": {"invited_by": LATER_NAME}}
    failed = {"template": "welcome", "user_id": user_id, "data": {}}
    words = f"550 5.1.1 <{ADDRESS}>: no such mailbox"
    assert await User.note_mail_refusal(
        user_id, ADDRESS, {"email": ADDRESS, "at": now, "answer": words, "job_id": "job_failed"}
    )
    rows = [
        {"_id": "job_told", **blank, "state": "waiting", "args": told},
        {"_id": "job_failed", **blank, "state": "dead", "args": failed, "error": words, "finished_at": now},
        {
            "_id": "job_other",
            **blank,
            "state": "dead",
            "args": {**told, "data": {}},
            "error": words,
            "finished_at": now,
        },
        {"_id": f"weekly:{user_id}:2026-01-05", **blank, "state": "waiting", "args": failed},
    ]
    await Job.rows().insert_many(rows)


async def _marked(teacher: Visitor, attempt_id: str) -> None:
    """The teacher writes to them by their name, twice."""
    path, questions = f"/attempts/{attempt_id}", (await teacher.ok("GET", f"/attempts/{attempt_id}"))["questions"]
    essay = next(one["id"] for one in questions if one["question_type"] == "essay")
    for points, words in (("0.50", "Well begun, Zenobia."), ("1.00", "Zenobia was right.")):
        body = {"question_id": essay, "points": points, "comment": words, "reason": words}
        await teacher.ok("POST", f"{path}/grade", json=body)


async def _beside(user_id: str, attempt_id: str, course_id: str) -> None:
    """A ticket, a kept mail, a review, a receiver's reply, a webhook, and a session in somebody else's place."""
    now = Clock().now()
    acted = {"user_id": "usr_somebody", "impersonator_id": user_id, "device": PROGRAM, "address": NETWORK}
    moments = dict.fromkeys(("created_at", "rotated_at", "last_used_at", "idle_until", "absolute_until"), now)
    await Session.rows().insert_one({"_id": "fam_acted", **acted, **moments, "proved_ms": 0, "generation": 1})
    await SpareTicket.rows().insert_one(
        {"_id": "spare", "facts": {"user_id": user_id, "n": NOTE}, "expires_ms": 1 << 50}
    )
    mail = {"recipient": ADDRESS, "recipient_name": NAME, "subject": "s", "text": "t", "html": "h", "at": now}
    await SentMail.rows().insert_one({"_id": "sent", "template": "welcome", "language": "en", **mail})
    review = {"review": f"Signed, {NAME}", "rating": 5}
    await Enrollment.rows().update_one({"_id": f"{user_id}:{course_id}"}, {"$set": review})
    event = await EventRecord.rows().find_one({"data.id": attempt_id})
    assert event is not None
    reply = {"head": {"body": f"thanks, {LATER_NAME}"}, "response_head": {"body": f"thanks, {LATER_NAME}"}}
    about = {
        "webhook_id": "whk_x",
        "event_id": event["event_id"],
        "type": event["type"],
        "job_id": "j",
        "created_at": now,
    }
    await WebhookDelivery.rows().insert_one({"_id": "dlv_x", **about, "response_head": reply["response_head"]})
    hook = {"url": "https://example.org", "event_types": [], "secret": "x", "created_by": user_id, "is_active": False}
    more = {"version": 1, "created_at": now, "updated_at": now, "outbox": [], "description": ""}
    await Webhook.rows().insert_one({"_id": "whk_x", **hook, **more})


# --- the search ---


async def traces(services: Services, needles: Sequence[str] = TEXTS) -> list[str]:
    """Where one of these is found, in whatever the product keeps."""
    found = set()
    async for place, text in _everything(services):
        folded = text.casefold()
        for needle in needles:
            if (at := folded.find(needle.casefold())) >= 0:
                found.add(f"{place}: {text[max(0, at - 40) : at + 40]!r}")
    return sorted(found)


async def _everything(services: Services) -> AsyncIterator[tuple[str, str]]:
    database = services.database.motor
    names = set(await database.list_collection_names())
    assert {document.Settings.name for document in DOCUMENTS} & names
    for name in sorted(names):
        async for row in database[name].find({}):
            yield f"{name} {row['_id']}", repr(row)
    if not services.database.is_embedded:
        async for place in _in_redis(services):
            yield place
        return
    for place in (*_on_disk(services), *_in_memory(services)):
        yield place


def _on_disk(services: Services) -> Iterator[tuple[str, str]]:
    for path in sorted(services.settings.lms_data_dir.rglob("*")):
        if path.is_file():
            yield f"file {path.name}", path.read_bytes().decode("utf-8", "ignore")


def _in_memory(services: Services) -> Iterator[tuple[str, str]]:
    history: Any = services.bus.history
    for name, channel in history._channels._channels.items():
        for _, published in channel.history:
            yield f"memory {name}", event_tail(published.event).decode()
    yield "memory limits", repr(vars(services.bus.rate_limits))


async def _in_redis(services: Services) -> AsyncIterator[tuple[str, str]]:
    readers: dict[Any, str] = {
        b"string": "get",
        b"list": "lrange",
        b"hash": "hgetall",
        b"zset": "zrange",
        b"set": "smembers",
    }
    async with Redis.from_url(services.settings.redis_url.get_secret_value()) as client:
        async for key in client.scan_iter(f"lms:{services.settings.mongodb_database}:*"):
            kind: Any = await client.type(key)
            if kind == b"none":
                continue  # its time has run out since it was listed
            bounds = (0, -1) if kind in {b"list", b"zset"} else ()
            if kind == b"stream":
                held: Any = await client.xrange(key)
            else:
                held = await getattr(client, readers[kind])(key, *bounds)
            text = held.decode("utf-8", "replace") if isinstance(held, bytes) else str(_readable(held))
            yield f"redis {key.decode()}", f"{key.decode()} {text}"


def _readable(held: Any) -> Any:
    if isinstance(held, bytes):
        return held.decode("utf-8", "replace")
    if isinstance(held, dict):
        return {str(_readable(name)): _readable(one) for name, one in held.items()}
    return [_readable(one) for one in held] if isinstance(held, list | tuple | set) else held
