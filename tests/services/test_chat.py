"""The chat of a course: one order over all nodes, nothing twice, each for what they may, and nothing left of what was taken away."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from config.settings import Settings
from documents.base import Row
from documents.chat_member import ChatMember
from documents.course import Course
from documents.enrollment import Enrollment
from documents.message import Message
from documents.user import User
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.base import CursorQuery, PageQuery, read_model
from lms_rt.contracts.channels import course_chat_channel, user_channel
from lms_rt.contracts.chat import ChatMessageView, MessageChange, MessageDraft, MessagePage, MuteDraft
from lms_rt.errors import Code
from lms_rt.services.chat import EDIT_TIME, MESSAGES_AT_ONCE, Chat
from lms_rt.services.chat_mentions import telling_of_mentions
from lms_rt.services.chat_moderation import ChatModeration
from lms_rt.services.chat_views import MENTIONED_EFFECT
from lms_rt.services.chat_words import ChatWords
from lms_rt.services.notification_rules import Notice
from tests.services.relaying import relay_over
from tests.services.school import (
    ADMIN,
    OTHER_STUDENT,
    OTHER_TEACHER,
    STUDENT,
    TEACHER,
    School,
    refusal,
)


@dataclass
class Told:
    """Stands in for notifications: who was told of what, each cause and person once."""

    notices: dict[tuple[str, str], Notice] = field(default_factory=dict)

    async def tell_all(self, notices: Sequence[Notice], *, cause: str) -> None:
        self.notices |= {(cause, notice.user_id): notice for notice in notices}


@dataclass
class Room:
    """A course with two students, and its chat as two nodes have it."""

    school: School
    course_id: str
    nodes: list[Chat]
    moderation: ChatModeration
    told: Told
    recorded: list[Row]

    @property
    def chat(self) -> Chat:
        return self.nodes[0]

    async def say(self, text: str = "Hello", by: Actor = STUDENT, *, node: int = 0, **fields: Any) -> ChatMessageView:
        draft = read_model(MessageDraft, {"text": text, **fields})
        return (await self.nodes[node].send(by, self.course_id, draft)).view

    async def edit(self, message: ChatMessageView, text: str, by: Actor = STUDENT, **fields: Any) -> ChatMessageView:
        change = read_model(MessageChange, {"text": text, **fields})
        return await self.chat.edit(by, message.id, change, course_id=self.course_id)

    async def page(self, by: Actor = STUDENT, **query: Any) -> MessagePage:
        return await self.chat.list(by, self.course_id, CursorQuery(**query))

    async def mute(self, student: Actor = STUDENT, by: Actor = TEACHER, minutes: int = 10) -> None:
        draft = MuteDraft(student_id=student.user_id, minutes=minutes, reason="Be kind.")
        await self.moderation.mute(by, self.course_id, draft)

    async def heard(self) -> list[tuple[str, Row]]:
        return await self.school.events(course_chat_channel(self.course_id))


@pytest.fixture
async def room(school: School, settings: Settings) -> Room:
    recorded: list[Row] = []

    async def record(intent: Row) -> None:
        recorded.append(intent["data"])

    relay = relay_over(school.bus.fan_out, school.clock, [Course, Enrollment, Message, ChatMember])
    relay.register_audit(record)
    ChatWords(school.bus).register(relay)
    told = Told()
    relay.register_effect(MENTIONED_EFFECT, telling_of_mentions(told, school.clock))  # type: ignore[arg-type]  # as far as it is asked
    course = await school.published(1)
    for one in (STUDENT, OTHER_STUDENT):
        await school.enrolled(course.id, by=one)
    nodes = [Chat(settings=settings, clock=school.clock, relay=relay, bus=school.bus) for _ in range(2)]
    return Room(school, course.id, nodes, ChatModeration(clock=school.clock, relay=relay), told, recorded)


async def test_what_many_say_at_once_on_two_nodes_has_one_order_and_is_heard_once(room: Room) -> None:
    for node in room.nodes:  # as fast as they like
        node._settings = node._settings.model_copy(update={"rate_limit_enabled": False})
    people = (STUDENT, OTHER_STUDENT, TEACHER)
    said = await asyncio.gather(
        *(room.say(f"Word {n}", people[n % 3], node=n % 2, op_id=f"op-{n // 2 * 2}-{n % 3}") for n in range(30)),
        *(room.say(f"Word {n}", people[n % 3], node=(n + 1) % 2, op_id=f"op-{n // 2 * 2}-{n % 3}") for n in range(30)),
    )
    stored = [row async for row in Message.rows().find({"course_id": room.course_id}).sort("number", 1)]
    assert len(stored) == len({row["number"] for row in stored}) == len({one.id for one in said}) == 30
    heard = [data for name, data in await room.heard() if name == "chat_message"]
    assert sorted(data["number"] for data in heard) == [row["number"] for row in stored]
    whole = [one for page in [await room.page(limit=20)] for one in page.items]
    rest = await room.page(limit=20, after=(await room.page(limit=20)).next)
    await room.say("One more")
    again = await room.page(limit=20, after=str(whole[-1].number))
    assert [one.number for one in [*whole, *rest.items]] == sorted((row["number"] for row in stored), reverse=True)
    assert (again.items, again.next) == (rest.items, None), "stable while others write"


async def test_a_number_is_never_used_again_nor_before_what_was_read(room: Room) -> None:
    first = await room.say("Old")
    second = await room.say("New")
    assert (first.number, second.number) == (1, 2)
    assert await Message.forget_before(room.school.clock.now() + timedelta(hours=2), limit=10) == 2
    assert (await room.say("After all was forgotten")).number == 3


async def test_of_two_nodes_that_take_the_same_place_one_comes_after_the_other(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One node has taken its place, and is slow to write: meanwhile another's message is kept, and read."""
    add_all, looked, goes_on = Message.add_all, asyncio.Event(), asyncio.Event()

    async def slowly(rows: Sequence[Row]) -> bool:
        if not looked.is_set():
            looked.set()
            await goes_on.wait()
        return await add_all(rows)

    monkeypatch.setattr(Message, "add_all", slowly)
    slow = asyncio.create_task(room.say("Slow", OTHER_STUDENT, node=0))
    await looked.wait()
    room.school.clock.advance(1)
    fast = await room.say("Fast", TEACHER, node=1)
    assert (await room.chat.read(STUDENT, room.course_id, fast.number)).unread == 0
    goes_on.set()
    assert (await slow).number == fast.number + 1
    assert (await room.page()).unread == 1


async def test_the_same_op_id_is_the_same_message_and_another_word_is_refused(room: Room) -> None:
    first, again = await room.say("Hello", op_id="one"), await room.say("Hello", op_id="one")
    assert first == again
    await refusal(room.say("Bye", op_id="one"), Code.OP_ID_REUSED)
    assert (await room.say("Hello", OTHER_STUDENT, op_id="one")).id != first.id, "an op_id is one's own"
    assert len(await room.heard()) == 2


async def test_one_changes_ones_own_for_a_quarter_of_an_hour(room: Room) -> None:
    message = await room.say("Helo")
    edited = await room.edit(message, "Hello")
    assert (edited.text, edited.version, edited.edited_at) == ("Hello", 2, room.school.clock.now())
    assert [name for name, _ in await room.heard()] == ["chat_message", "chat_edited"]
    for other in (OTHER_STUDENT, TEACHER, ADMIN):
        await refusal(room.edit(message, "Never said", other), Code.NOT_FOUND)
    late = room.chat.edit(STUDENT, message.id, MessageChange(text="x"), expected_version=1)
    assert (await refusal(late, Code.VERSION_MISMATCH)).data == {"current_version": 2}
    room.school.clock.advance(EDIT_TIME.total_seconds() + 1)
    await refusal(room.edit(message, "Too late"), Code.FORBIDDEN)
    await refusal(room.chat.remove(STUDENT, message.id), Code.FORBIDDEN)


async def test_what_is_taken_away_is_gone_and_who_took_anothers_is_recorded(room: Room) -> None:
    own, bad, old = await room.say("Oops"), await room.say("Rude word"), await room.say("Old and rude")
    await room.chat.remove(STUDENT, own.id)
    room.school.clock.advance(EDIT_TIME.total_seconds() * 9)
    for other in (OTHER_STUDENT, OTHER_TEACHER):
        await refusal(room.chat.remove(other, bad.id), Code.NOT_FOUND)
    for message in (bad, old):
        await room.chat.remove(TEACHER, message.id, course_id=room.course_id, reason="Rude")
    await room.chat.remove(TEACHER, bad.id)
    rows = [row async for row in Message.rows().find({})]
    assert all(row["text"] == "" and "op_digest" not in row for row in rows)
    by = {own.id: STUDENT.user_id, bad.id: TEACHER.user_id, old.id: TEACHER.user_id}
    assert {row["_id"]: row["deleted_by"] for row in rows} == by
    assert [(act["action"], act["target_id"], act["reason"]) for act in room.recorded] == [
        ("message.remove", bad.id, "Rude"),
        ("message.remove", old.id, "Rude"),
    ]
    deleted = [data for name, data in await room.heard() if name == "chat_deleted"]
    assert [data["message_id"] for data in deleted] == [own.id, bad.id, old.id]
    await refusal(room.edit(bad, "Back again"), Code.CONFLICT)


async def test_who_is_called_by_name_is_told_once_if_they_are_in_the_course(room: Room) -> None:
    asked = [OTHER_STUDENT.user_id, TEACHER.user_id, OTHER_TEACHER.user_id, STUDENT.user_id, "usr_nobody"]
    message = await room.say("@Omar and @Tariq, look", mentions=asked)
    assert message.mentions == [OTHER_STUDENT.user_id, TEACHER.user_id]
    assert (await room.edit(message, "@Omar, @Tariq: look")).mentions == message.mentions  # what is not sent stays
    await room.edit(message, "@Omar, look", mentions=[OTHER_STUDENT.user_id])
    told = {user_id: notice.data["author_name"] for (_, user_id), notice in room.told.notices.items()}
    assert told == {OTHER_STUDENT.user_id: "Sara Saleh", TEACHER.user_id: "Sara Saleh"}
    room.told.notices.clear()
    await Enrollment.rows().delete_one({"student_id": OTHER_STUDENT.user_id})
    tell = telling_of_mentions(room.told, room.school.clock)  # type: ignore[arg-type]  # as far as it is asked
    await tell(room.course_id, {"message_id": message.id, "user_ids": message.mentions})
    assert {user_id for _, user_id in room.told.notices} == {TEACHER.user_id}, "who has left meanwhile is told nothing"
    assert not any("look" in str(notice.data) for notice in room.told.notices.values()), "the words stay in the chat"


async def test_who_is_muted_reads_and_writes_again_when_the_time_is_over(room: Room) -> None:
    message = await room.say("First")
    await room.mute(minutes=10)
    until = room.school.clock.now() + timedelta(minutes=10)
    refused = await refusal(room.say("Second"), Code.FORBIDDEN)
    assert refused.data["reason"] == "Be kind."
    await refusal(room.edit(message, "Other words"), Code.FORBIDDEN)
    page = await room.page()
    assert (page.muted_until, page.mute_reason, len(page.items)) == (until, "Be kind.", 1)
    listed = await room.moderation.list(TEACHER, room.course_id, PageQuery())
    assert [(one.student_id, one.full_name) for one in listed.items] == [(STUDENT.user_id, "Sara Saleh")]
    told = await room.school.events(user_channel(STUDENT.user_id))
    assert [data["reason"] for name, data in told if name == "chat_muted"] == ["Be kind."]
    room.school.clock.advance(600)
    await room.say("Ten minutes later")
    await room.mute()
    await room.moderation.unmute(TEACHER, room.course_id, STUDENT.user_id)
    await room.say("Forgiven")
    await refusal(room.moderation.unmute(TEACHER, room.course_id, STUDENT.user_id), Code.NOT_FOUND)
    assert [act["action"] for act in room.recorded] == ["enrollment.mute", "enrollment.mute", "enrollment.unmute"]
    for who in (OTHER_TEACHER, STUDENT):
        await refusal(room.mute(OTHER_STUDENT, by=who), Code.NOT_FOUND)
    await refusal(room.mute(TEACHER, by=ADMIN), Code.VALIDATION_FAILED)


async def test_what_others_said_is_unread_until_it_was_read(room: Room) -> None:
    first, second = await room.say("One", OTHER_STUDENT), await room.say("Two", OTHER_STUDENT)
    gone = await room.say("Three", OTHER_STUDENT)
    await room.chat.remove(OTHER_STUDENT, gone.id)
    await room.say("My own")
    assert (await room.page()).unread == 2
    assert (await room.chat.read(STUDENT, room.course_id, first.number)).unread == 1
    assert (await room.chat.read(STUDENT, room.course_id, 2**62)).unread == 0, "never beyond what was said"
    assert (await room.chat.read(STUDENT, room.course_id, second.number)).unread == 0, "never back"
    await room.say("Later", OTHER_STUDENT)
    assert (await room.page()).unread == 1


async def test_who_writes_too_fast_waits_and_a_repeat_costs_nothing(room: Room) -> None:
    for n in range(MESSAGES_AT_ONCE):
        await room.say(f"Word {n}", op_id=f"op-{n}")
    refused = await refusal(room.say("Too much", op_id="last"), Code.RATE_LIMITED)
    assert refused.data["retry_after_seconds"] >= 1
    await room.say("Word 0", op_id="op-0")
    await room.say("Somebody else", OTHER_STUDENT)
    room.school.clock.advance(2)
    await room.say("Now", op_id="last")


async def test_the_chat_is_for_those_in_the_course(room: Room) -> None:
    stranger = Actor("usr_new", STUDENT.role, full_name="Nobody")
    await refusal(room.say("Hello", stranger), Code.NOT_ENROLLED)
    await refusal(room.page(stranger), Code.NOT_ENROLLED)
    message = await room.say("Hello", TEACHER)
    assert message.is_staff
    await room.school.courses.unpublish(TEACHER, room.course_id)
    await refusal(room.say("Hello", STUDENT), Code.NOT_FOUND)
    await room.say("Only me", TEACHER)


async def test_who_is_renamed_or_gone_left_the_name_of_then(room: Room) -> None:
    message = await room.say("Hello")
    await User.rows().update_one({"_id": STUDENT.user_id}, {"$set": {"full_name": "Sara Other"}})
    assert (await room.page()).items == [message]
