"""Where two things meet on a socket: authority that ends on the way in, time that passes while a command waits.

And ends that must not be final, because what is wrong passes by itself.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import nullcontext, suppress
from types import SimpleNamespace
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode

from documents.enums import Role
from handlers.live import attempts
from handlers.live.commands import Command, LiveSession
from handlers.live.table import COMMANDS
from lms_rt.client.faults import ClosedError
from lms_rt.client.live import LiveClient
from lms_rt.client.pacing import Backoff
from lms_rt.clock import FakeClock
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.attempts import AnswerSave, AttemptStart
from lms_rt.contracts.controls import ACCESS_CHANGED, SESSION_REVOKED, access_changed, session_revoked
from lms_rt.errors import Code, Refused
from lms_rt.realtime.node import NodeLimits
from tests.live.live_node import LiveNode, ask, closed, live_node, received, subscribed, until

SAVE = {
    "attempt_id": "att_1",
    "question_id": "q1",
    "value": "a",
    "op_id": "op-1",
    "seq": 1,
    "device_id": "laptop",
    "lease": "key",
    "base_revision": 0,
}


@pytest.fixture
async def live() -> AsyncIterator[LiveNode]:
    async with live_node(clock=FakeClock()) as made:
        yield made


class TestFirstFrame:
    """A refusal that passes by itself ends with a number after which clients come back."""

    async def ended(self, live: LiveNode, monkeypatch: pytest.MonkeyPatch, code: Code) -> tuple[list[Any], int | None]:
        async def refuse(_: str) -> Actor:
            raise Refused(code)

        monkeypatch.setattr(live.sessions, "authenticate", refuse)
        async with live.connect(None) as socket:
            await socket.send('{"id": 1, "type": "auth", "token": "ada"}')
            frames = []
            with suppress(ConnectionClosed):
                while True:
                    frames.append(await socket.recv())
            return frames, socket.close_code

    async def test_an_expired_token_is_to_be_refreshed(self, live: LiveNode, monkeypatch: pytest.MonkeyPatch) -> None:
        _, number = await self.ended(live, monkeypatch, Code.TOKEN_EXPIRED)
        assert number == 4005

    async def test_a_database_that_is_away_comes_back(self, live: LiveNode, monkeypatch: pytest.MonkeyPatch) -> None:
        frames, number = await self.ended(live, monkeypatch, Code.UNAVAILABLE)
        assert number == 1013
        assert '"code":"unavailable"' in frames[0]
        assert '"type":"reconnect"' in frames[1]

    async def test_a_revoked_one_is_final(self, live: LiveNode, monkeypatch: pytest.MonkeyPatch) -> None:
        _, number = await self.ended(live, monkeypatch, Code.TOKEN_REVOKED)
        assert number == 4501

    @pytest.mark.parametrize(("stale", "comes_up"), [(2, True), (3, False)])
    async def test_the_client_asks_for_a_newer_token(
        self, live: LiveNode, monkeypatch: pytest.MonkeyPatch, stale: int, comes_up: bool
    ) -> None:
        authenticate = live.sessions.authenticate
        tokens = iter(["old"] * stale + ["ada"] * 5)

        async def refuse_old(token: str) -> Actor:
            if token == "old":
                raise Refused(Code.TOKEN_EXPIRED)
            return await authenticate(token)

        async def next_token() -> str:
            return next(tokens)

        monkeypatch.setattr(live.sessions, "authenticate", refuse_old)
        client = LiveClient(live.url(query=""), token=next_token, backoff=Backoff(first_seconds=0.001))
        with nullcontext() if comes_up else pytest.raises(ClosedError):
            async with client:
                assert client.welcome["user"]["id"] == "ada"


class TestAuthorityOnTheWayIn:
    """The word that something ended finds nobody who is not in yet: who comes in is looked at once more."""

    async def test_a_session_that_ended_during_the_handshake(self, live: LiveNode) -> None:
        async def signed_out(_: Actor) -> Actor:
            raise Refused(Code.TOKEN_REVOKED)

        await live.fan_out.publish_control(SESSION_REVOKED, session_revoked("ada"))
        live.decide(actor_now=signed_out)
        async with live.connect("ada") as socket:
            assert await closed(socket) == 4501
        assert live.node.connections == ()

    async def test_it_is_let_in_while_nobody_can_say(self, live: LiveNode) -> None:
        async def away(_: Actor) -> Actor:
            raise Refused(Code.UNAVAILABLE)

        live.decide(actor_now=away)
        async with live.connect("ada") as socket:
            assert (await received(socket))["user"]["id"] == "ada"

    async def test_a_channel_that_was_lost_while_it_was_asked_for(
        self, live: LiveNode, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def allowed_then_lost(_: Actor, name: str) -> str:
            live.subscriptions.closed.add(name)
            await live.fan_out.publish_control(ACCESS_CHANGED, access_changed("ada"))
            await until(live.node.access._waiting.empty)  # it was followed, and nobody listened yet
            return name

        async with live.connect("ada") as ada:
            await subscribed(ada, "course:2")
            monkeypatch.setattr(live.subscriptions, "require_channel", allowed_then_lost)
            assert (await ask(ada, "subscribe", channel="course:1"))["error"]["code"] == "not_found"
            await live.fan_out.publish_direct("course:1", "announcement", {})
            await live.fan_out.publish_direct("course:2", "announcement", {})
            assert (await received(ada))["channel"] == "course:2"

    async def test_a_lost_role_is_lost_on_open_sockets_too(self, live: LiveNode) -> None:
        async def demoted(actor: Actor) -> Actor:
            return Actor(
                actor.user_id,
                Role.STUDENT,
                session_id=actor.session_id,
                full_name="Eve",
                expires_at_ms=actor.expires_at_ms,
            )

        async def for_staff(actor: Actor, _: str) -> bool:
            return actor.is_staff

        async with live.connect("staff_eve") as eve:
            await subscribed(eve, "course:1:staff")
            live.decide(actor_now=demoted, may_listen=for_staff)
            await live.fan_out.publish_control(ACCESS_CHANGED, access_changed("staff_eve"))
            assert (await received(eve))["type"] == "unsubscribed"
            assert live.node.connections[0].actor.role is Role.STUDENT


class TestRfc6455Closes:
    """A close frame may be wrong, too."""

    @pytest.mark.parametrize(
        ("body", "number"),
        [
            (b"\x03", 1002),
            (b"\x03\xe7", 1002),
            (b"\x03\xed", 1002),
            (b"\x13\x88", 1002),
            (b"\x03\xe8\xff", 1007),
            (b"\x03\xe8bye", 1000),
            (b"\x0b\xb8", 3000),
        ],
    )
    async def test_is_answered_as_the_rfc_says(self, live: LiveNode, body: bytes, number: int) -> None:
        async with live.connect("ada") as socket:
            await received(socket)
            socket.transport.write(Frame(Opcode.CLOSE, body).serialize(mask=True))
            assert await closed(socket) == number


async def test_a_flood_of_pings_is_a_flood(live: LiveNode) -> None:
    async with live.connect("ada") as socket:
        await received(socket)
        for _ in range(61):
            socket.transport.write(Frame(Opcode.PING, b"").serialize(mask=True))
        assert await closed(socket) == 4529


async def test_an_answer_counts_by_its_arrival_however_long_it_waits() -> None:
    """The clock moves between the frame's arrival and the service's look at it, as it does on a busy node."""
    clock, saved = FakeClock(), []

    async def save(*_: Any, received_ms: int, **__: Any) -> None:
        saved.append(received_ms)

    async def after_a_while(session: LiveSession, command: AnswerSave) -> Any:
        clock.advance(5)
        session.services.attempts = SimpleNamespace(save=save)  # type: ignore[misc,assignment]
        return await attempts.save(session, command)

    commands = {"answer.save": Command("answer.save", AnswerSave, after_a_while)}
    async with live_node(clock=clock, commands=commands) as live, live.connect("ada") as socket:
        await received(socket)
        clock.advance(3)
        arrived_ms = clock.now_ms()
        await ask(socket, "answer.save", **SAVE)
        assert saved == [arrived_ms]


async def test_no_attempt_begins_that_its_screen_cannot_follow() -> None:
    """Its time would run, and the client would know of nothing but a refusal."""
    started: list[str] = []

    class Attempts:
        open_id: str | None = None

        async def find_open(self, _: Actor, __: str) -> str | None:
            return self.open_id

        async def start(self, _: Actor, quiz_id: str, __: Any) -> Any:
            started.append(quiz_id)
            raise Refused(Code.QUIZ_CLOSED)

    engine = Attempts()

    async def start(session: LiveSession, command: AttemptStart) -> Any:
        session.services.attempts = engine  # type: ignore[misc,assignment]
        return await attempts.start(session, command)

    commands = {**COMMANDS, "attempt.start": Command("attempt.start", AttemptStart, start)}
    limits = NodeLimits(subscriptions=2)
    async with live_node(commands=commands, limits=limits) as live, live.connect("ada") as socket:
        for channel in ("course:1", "attempt:att_1"):
            await subscribed(socket, channel)

        async def refusal() -> str:
            reply = await ask(socket, "attempt.start", quiz_id="quz_1", device_id="laptop")
            return str(reply["error"]["code"])

        assert await refusal() == "too_many_subscriptions"
        engine.open_id = "att_2"
        assert await refusal() == "too_many_subscriptions"
        assert started == []
        engine.open_id = "att_1"
        assert await refusal() == "quiz_closed", "its channel is listened to already"
        await ask(socket, "unsubscribe", channel="course:1")
        engine.open_id = None
        assert await refusal() == "quiz_closed", "there is room"
