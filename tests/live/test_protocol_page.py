"""`docs/realtime-protocol.md` is true and enough: its conversation happens so, and a client written from it alone misses nothing."""

from __future__ import annotations

import asyncio
import json
import random
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect

from lms_rt.contracts.controls import SESSION_REVOKED, session_revoked
from lms_rt.contracts.events import LiveEvent
from lms_rt.realtime.close_codes import Close
from tests import factories
from tests.house import House
from tests.live.frame_check import Frame, FrameCheck
from tests.live.live_node import LiveNode, live_node, until
from tests.live.minimal_client import MinimalClient

PAGE = (Path(__file__).parents[2] / "docs" / "realtime-protocol.md").read_text(encoding="utf-8")
CHANGES = [{"title": "Algebra"}, {"title": "Algebra 1"}]
UNKNOWN = "chat.shout"
"""The command in the conversation that no server knows."""
VARIES = {
    "connection_id",
    "server_time",
    "at",
    "epoch",
    "t1",
    "t2",
    "clock_error_ms",
    "session_expires_at",
    "after_ms",
    "user",
}


def conversation() -> list[tuple[str, Any]]:
    """(who, frame) of every line; what happens beside it as (`·`, words)."""
    block = PAGE.partition("<!-- begin conversation -->")[2].partition("<!-- end conversation -->")[0]
    lines = [line.partition(" ") for line in block.splitlines() if line[:1] in "→←·" and line]
    return [(who, text if who == "·" else json.loads(text)) for who, _, text in lines]


def alike(frame: Any) -> Any:
    """A frame without what differs each time."""
    if isinstance(frame, dict):
        return {name: None if name in VARIES else alike(value) for name, value in frame.items()}
    return [alike(each) for each in frame] if isinstance(frame, list) else frame


class Player:
    """Plays the client's lines against a real node, and makes happen what happens beside them."""

    def __init__(self, live: LiveNode) -> None:
        self.live, self.version, self.states, self.epoch = live, 7, list[Frame](), ""
        self.socket: ClientConnection | None = None

    async def edit(self) -> None:
        self.version += 1
        place = self.version - 8
        data = {"course_id": "crs_01", "changes": CHANGES[place]}
        event = LiveEvent(f"evt_0{place + 1}", "course_updated", data, 0, "crs_01", self.version, 0)
        await self.live.fan_out.publish("course:crs_01", event)

    async def happen(self, words: str) -> None:
        if "network is gone" in words:
            assert self.socket is not None
            self.socket.transport.abort()
            await until(lambda: not self.live.node.connections)
        if "edited" in words:
            await self.edit()
        if ticket := re.search(r"GET /ws\?ticket=(\w+)", words):
            url = self.live.url(f"?ticket={ticket[1]}")
            self.socket = await connect(url, compression=None, proxy=None)
        if "restart" in words:
            await self.live.node.shutdown()

    async def say(self, frame: Frame) -> None:
        """A line of the client, with the epoch that there really is."""
        if "since" in frame:
            frame = {**frame, "since": {**frame["since"], "epoch": self.epoch}}
        assert self.socket is not None
        await self.socket.send(json.dumps(frame))

    async def next(self, *, is_state: bool) -> Frame:
        """The next frame; states come when they do."""
        assert self.socket is not None
        while not (is_state and self.states):
            async with asyncio.timeout(20):
                frame: Frame = json.loads(await self.socket.recv())
            if frame.get("type") != "state":
                self.epoch = frame.get("epoch", frame.get("result", {}).get("epoch", self.epoch))
                return frame
            self.states.append(frame)
        return self.states.pop(0)


@pytest.fixture
async def live(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[LiveNode]:
    async with live_node() as made:
        authenticate = made.sessions.authenticate

        async def of_mona(_: str) -> Any:
            return await authenticate("usr_01")

        monkeypatch.setattr(made.sessions, "consume_ticket", of_mona)
        yield made


class TestConversation:
    def test_every_frame_has_the_shape_that_the_document_says(self) -> None:
        check = FrameCheck()
        for who, frame in conversation():
            if who != "·" and frame.get("type") != UNKNOWN:
                (check.sent if who == "→" else check.received)(frame)
        assert len(check.seen) > 15

    async def test_it_happens_so(self, live: LiveNode) -> None:
        player = Player(live)
        for who, frame in conversation():
            if who == "·":
                await player.happen(frame)
            elif who == "→":
                await player.say(frame)
            else:
                heard = await player.next(is_state=frame.get("type") == "state")
                assert alike(heard) == alike(frame)
        assert player.socket is not None
        await player.socket.wait_closed()
        assert player.socket.close_code == 1012


class Reader:
    """Reads one channel by a client that was written from the page alone."""

    def __init__(self, url: str, ticket: Any) -> None:
        self.check, self.heard, self.snapshots = FrameCheck(), list[Frame](), 0
        self.client = MinimalClient(url, ticket, self.watch)

    def watch(self, is_sent: bool, frame: Frame) -> None:
        (self.check.sent if is_sent else self.check.received)(frame)

    async def snapshot(self) -> dict[str, int]:
        self.snapshots += 1
        return {}

    @asynccontextmanager
    async def listening(self, *channels: str) -> AsyncIterator[asyncio.Task[int]]:
        running = asyncio.create_task(self.client.run())
        try:
            await self.client.is_up.wait()
            for channel in channels:
                self.client.listen(channel, self.heard.append, self.snapshot)
                await until(lambda name=channel: self.client.channels[name].position is not None)
            yield running
        finally:
            running.cancel()
            await self.client.close()
            await asyncio.gather(running, return_exceptions=True)


async def ticket_of_nobody() -> str:
    return "any"


class TestClientFromThePage:
    async def test_misses_nothing_and_doubles_nothing_over_lost_lines(self, live: LiveNode) -> None:
        reader, draw = Reader(live.url(""), ticket_of_nobody), random.Random(7)  # noqa: S311 - a walk, no secret
        async with reader.listening("course:1"):
            for version in range(1, 121):
                event = LiveEvent(
                    f"evt_{version}", "course_updated", {"course_id": "1", "changes": {}}, 0, "1", version, 0
                )
                await live.fan_out.publish("course:1", event)
                if draw.random() < 0.1:
                    await reader.client.is_up.wait()
                    assert reader.client.socket is not None
                    reader.client.socket.transport.abort()
                    reader.client.is_up.clear()
            await until(lambda: len(reader.heard) >= 120)
        assert [event["data"]["version"] for event in reader.heard] == list(range(1, 121))
        assert (reader.snapshots, reader.client.lines > 3) == (1, True)

    async def test_begins_anew_when_the_server_cannot_say_what_was_missed(self, live: LiveNode) -> None:
        reader = Reader(live.url(""), ticket_of_nobody)
        async with reader.listening("course:1"):
            connection = live.node.connections[0]
            connection.close(Close.INSUFFICIENT_STATE)
            await until(lambda: reader.snapshots == 2)

    async def test_ends_where_the_page_says_so(self, live: LiveNode) -> None:
        reader = Reader(live.url(""), ticket_of_nobody)
        async with reader.listening() as running:
            await live.fan_out.publish_control(SESSION_REVOKED, session_revoked("usr_01"))
            async with asyncio.timeout(20):
                assert await running == 4501


async def test_an_exam_by_a_client_from_the_page(house: House) -> None:
    """Every frame of it has the shape that the document says."""
    teacher, student = await house.teacher(), await house.student()
    course = await factories.course(teacher)
    await factories.enrolled(student, course["id"])
    quiz = await factories.quiz(teacher, course["id"])
    reader = Reader(f"ws{house.address.removeprefix('http')}/ws", student.ticket)
    me = (await student.ok("GET", "/users/me"))["id"]
    async with reader.listening(f"user:{me}", "system"):
        ask = reader.client.command
        attempt = (await ask("attempt.start", quiz_id=quiz["id"], device_id="page"))["result"]
        held = {"attempt_id": attempt["id"], "device_id": "page", "lease": attempt["lease"]}
        question = next(one for one in attempt["questions"] if one["question_type"] == "true_false")["id"]
        answer = {"question_id": question, "value": True, "op_id": "op_1", "seq": 1, "base_revision": 0}
        saved = (await ask("answer.save", **held, **answer))["result"]
        again = (await ask("answer.save", **held, **answer))["result"]
        assert saved == again
        refused = await ask("answer.save", **held, **{**answer, "value": False})
        assert refused["error"]["code"] == "op_id_reused"
        await ask("attempt.look", attempt_id=attempt["id"], question_id=question)
        await ask("attempt.page", attempt_id=attempt["id"], state="hidden")
        resumed = (await ask("attempt.resume", **held))["result"]
        synced = (await ask("attempt.sync", **held, have=["op_1", "op_2"]))["result"]
        assert (resumed["revision"], synced["missing"]) == (saved["revision"], ["op_2"])
        await ask("attempt.submit", attempt_id=attempt["id"])
        await until(lambda: any(event["event"] == "attempt_graded" for event in reader.heard))
    wanted = {
        "attempt.start.reply",
        "answer.save.reply",
        "attempt.sync.reply",
        "attempt.submit.reply",
        "error",
        "welcome",
    }
    assert wanted | {"event.attempt_graded", "event.answer_saved", "subscribe.reply"} <= reader.check.seen
