"""The chat over the live socket: heard once by everybody there, seen to be written, read on all devices, and over when one leaves."""

from __future__ import annotations

from contextlib import AsyncExitStack

import pytest

from lms_rt.contracts.channels import course_chat_channel
from lms_rt.contracts.events import EVENTS
from tests import factories
from tests.clients import Visitor
from tests.house import House
from tests.live.node_school import Watcher, watching

KINDS = {kind.name: kind for kind in EVENTS}


async def a_class(house: House) -> tuple[str, Visitor, Visitor, Visitor]:
    """A course with two students."""
    teacher, first, second = await house.teacher(), await house.student("Amal"), await house.student("Ben")
    course = await factories.course(teacher)
    for one in (first, second):
        await factories.enrolled(one, course["id"])
    return course["id"], teacher, first, second


def heard(line: Watcher, name: str) -> list[dict[str, object]]:
    """What came under this name, each as the catalogue of events has it."""
    frames = [frame["data"] for frame in line.frames if frame.get("event") == name]
    for data in frames:
        KINDS[name].model.model_validate(data)
    return list(frames)


async def until_heard(line: Watcher, name: str) -> None:
    await line.until(lambda: heard(line, name) or None)


async def test_what_is_said_is_heard_once_by_all_and_read_on_all_devices(house: House) -> None:
    course_id, _, amal, ben = await a_class(house)
    channel = course_chat_channel(course_id)
    async with AsyncExitStack() as stack:
        laptop, phone, other = [await stack.enter_async_context(watching(who)) for who in (amal, amal, ben)]
        for line in (laptop, phone, other):
            await line.ok("subscribe", channel=channel)
        await phone.ok("subscribe", channel=f"user:{amal.user_id}")
        await laptop.ok("chat.typing", course_id=course_id)
        await laptop.ok("chat.typing", course_id=course_id)
        await until_heard(other, "typing")
        said = await laptop.ok("chat.send", course_id=course_id, text="Hello", op_id="one")
        assert await laptop.ok("chat.send", course_id=course_id, text="Hello", op_id="one") == said
        answer = await other.ok("chat.send", course_id=course_id, text="Hi", op_id="one")
        edited = await other.ok("chat.edit", message_id=answer["id"], text="Hi there")
        await laptop.ok("chat.read", course_id=course_id, number=answer["number"])
        await laptop.ok("chat.delete", message_id=said["id"])
        for line in (laptop, phone, other):
            await until_heard(line, "chat_deleted")
            assert [one["text"] for one in heard(line, "chat_message")] == ["Hello", "Hi"]
            assert [one["text"] for one in heard(line, "chat_edited")] == [edited["text"]] == ["Hi there"]
        await until_heard(phone, "chat_read")
        assert len(heard(other, "typing")) == 1
        here = await other.ok("presence", channel=channel)
        assert (here["count"], {one["full_name"] for one in here["users"]}) == (2, {"Amal", "Ben"})


async def test_who_comes_later_is_handed_no_words_that_were_taken_away_or_said_otherwise(house: House) -> None:
    course_id, teacher, amal, ben = await a_class(house)
    channel = course_chat_channel(course_id)
    async with watching(amal) as line, watching(teacher) as desk:
        begun = await line.ok("subscribe", channel=channel)
        gone = await line.ok("chat.send", course_id=course_id, text="SECRET number", op_id="a", mentions=[ben.user_id])
        edited = await line.ok("chat.send", course_id=course_id, text="SECRET name", op_id="b")
        await line.ok("chat.edit", message_id=edited["id"], text="A name")
        await desk.ok("chat.delete", message_id=gone["id"])
        await until_heard(line, "chat_deleted")
        assert [one["text"] for one in heard(line, "chat_message")] == ["SECRET number", "SECRET name"]
    since = {"epoch": begun["epoch"], "offset": begun["offset"]}
    async with watching(ben) as later:
        reply = await later.ok("subscribe", channel=channel, since=since)
        assert "SECRET" not in str(reply) + str(await later.ok("history", channel=channel, after=since["offset"]))
        told = [(one["event"], one["data"].get("text")) for one in reply["events"]]
        assert told == [
            ("chat_message", ""),
            ("chat_message", "A name"),
            ("chat_edited", "A name"),
            ("chat_deleted", None),
        ]


async def test_who_leaves_hears_and_says_nothing_more(house: House) -> None:
    course_id, teacher, amal, _ = await a_class(house)
    async with watching(amal) as line, watching(teacher) as desk:
        for one in (line, desk):
            await one.ok("subscribe", channel=course_chat_channel(course_id))
        await amal.ok("DELETE", f"/enrollments/{amal.user_id}:{course_id}")
        await line.until(lambda: [one for one in line.frames if one.get("type") == "unsubscribed"] or None)
        refused = await line.ask("chat.send", course_id=course_id, text="Hello?", op_id="one")
        assert refused["error"]["code"] == "not_enrolled"
        await desk.ok("chat.send", course_id=course_id, text="For those who stayed", op_id="one")
        await until_heard(desk, "chat_message")
        assert heard(line, "chat_message") == []


async def test_over_http_what_was_said_before_is_not_said_to_be_new(house: House) -> None:
    course_id, _, amal, _ = await a_class(house)
    words = {"text": "Hello", "op_id": "one"}
    first, again = [await amal.call("POST", f"/courses/{course_id}/messages", json=words) for _ in range(2)]
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.headers["Location"].endswith(f"/messages/{first.json()['id']}")
    assert again.json() == first.json()


@pytest.mark.parametrize(
    ("fields", "named"),
    [({"text": " \n"}, "text"), ({"text": "x" * 2_001}, "text"), ({"text": "x", "mentions": ["u"] * 11}, "mentions")],
)
async def test_what_is_no_message_is_refused_by_its_field(house: House, fields: dict[str, object], named: str) -> None:
    course_id, _, amal, _ = await a_class(house)
    async with watching(amal) as line:
        reply = await line.ask("chat.send", course_id=course_id, op_id="one", **fields)
        assert (reply["error"]["code"], reply["error"]["fields"][0]["field"]) == ("invalid_command", named)
