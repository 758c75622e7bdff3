"""Authority ends at once: sign-out, lost access, expiry; and presence tells who is there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import orjson
import pytest

from lms_rt.bus.base import Member
from lms_rt.clock import FakeClock
from lms_rt.contracts.controls import ACCESS_CHANGED, SESSION_REVOKED, access_changed, session_revoked
from tests.live.live_node import SESSION_MS, LiveNode, ask, closed, live_node, received, subscribed, until


@pytest.fixture
async def live() -> AsyncIterator[LiveNode]:
    async with live_node(clock=FakeClock()) as made:
        yield made


def person(name: str, session: str) -> str:
    return f"{name}%23{session}"


class TestRevocation:
    async def test_one_session_ends_on_all_its_sockets_and_no_other(self, live: LiveNode) -> None:
        async with (
            live.connect(person("ada", "1")) as one,
            live.connect(person("ada", "1")) as again,
            live.connect(person("ada", "2")) as two,
            live.connect(person("bob", "1")) as other,
        ):
            for socket in (one, again, two, other):
                await received(socket)
            await live.fan_out.publish_control(SESSION_REVOKED, session_revoked("ada", session_id="fam_1"))
            assert [await closed(one), await closed(again)] == [4501, 4501]
            assert (await ask(two, "ping"))["ok"]
            assert (await ask(other, "ping"))["ok"]

    async def test_all_sessions_end_but_the_one_that_made_the_change(self, live: LiveNode) -> None:
        async with live.connect(person("ada", "1")) as one, live.connect(person("ada", "2")) as two:
            for socket in (one, two):
                await received(socket)
            await live.fan_out.publish_control(SESSION_REVOKED, session_revoked("ada", except_session_id="fam_2"))
            assert await closed(one) == 4501
            assert (await ask(two, "ping"))["ok"]

    async def test_lost_access_unsubscribes_and_says_so(self, live: LiveNode) -> None:
        async with live.connect("ada") as ada, live.connect("bob") as bob:
            for socket in (ada, bob):
                await subscribed(socket, "course:1")
                await subscribed(socket, "course:2")
            live.subscriptions.closed.add("course:1")
            await live.fan_out.publish_control(ACCESS_CHANGED, access_changed("ada"))
            assert await received(ada) == {"type": "unsubscribed", "channel": "course:1", "code": "not_found"}
            for channel in ("course:1", "course:2"):
                await live.fan_out.publish_direct(channel, "announcement", {})
            assert (await received(ada))["channel"] == "course:2"
            assert (await received(bob))["channel"] == "course:1"

    async def test_access_that_cannot_be_checked_is_not_left_open(
        self, live: LiveNode, caplog: pytest.LogCaptureFixture
    ) -> None:
        async def broken(*_: Any) -> bool:
            raise OSError("the database is away")

        async with live.connect("ada") as ada:
            await subscribed(ada, "course:1")
            live.decide(may_listen=broken)
            await live.fan_out.publish_control(ACCESS_CHANGED, access_changed(None))
            assert await closed(ada) == 4010
        assert "the database is away" in caplog.text


class TestExpiry:
    async def alive(self, live: LiveNode, seconds: float) -> None:
        """So much time passes for a peer that is heard."""
        live.clock.advance(seconds)  # type: ignore[attr-defined]
        for connection in live.node.connections:
            connection.last_heard_ms = live.clock.now_ms()
        live.node.beat()

    async def test_told_a_minute_before_and_closed_at_the_end(self, live: LiveNode) -> None:
        async with live.connect("ada") as socket:
            expires_at = (await received(socket))["session_expires_at"]
            await self.alive(live, SESSION_MS / 1000 - 61)
            assert (await ask(socket, "ping"))["ok"]
            await self.alive(live, 1)
            assert await received(socket) == {"type": "session_expiring", "session_expires_at": expires_at}
            await self.alive(live, 59)
            assert (await ask(socket, "ping"))["ok"]
            await self.alive(live, 1)
            assert await closed(socket) == 4005

    @pytest.mark.parametrize("by", ["token", "ticket"])
    async def test_refreshed_in_place(self, live: LiveNode, by: str) -> None:
        async with live.connect(person("ada", "1")) as socket:
            await received(socket)
            await self.alive(live, SESSION_MS / 1000 - 30)
            assert (await received(socket))["type"] == "session_expiring"
            refreshed = (await ask(socket, "auth.refresh", **{by: "ada#1"}))["result"]
            assert refreshed == {"session_expires_at": "2026-01-05T09:29:30.000Z"}
            await self.alive(live, 60)
            assert (await ask(socket, "ping"))["ok"]
            await self.alive(live, SESSION_MS / 1000 - 100)
            assert (await received(socket))["type"] == "session_expiring"

    async def test_a_newer_token_says_how_long_and_not_who(self, live: LiveNode) -> None:
        async with live.connect(person("ada", "1")) as socket:
            await received(socket)
            (connection,) = live.node.connections
            known = connection.actor
            live.node.renew(connection, replace(known, full_name="as she was", expires_at_ms=known.expires_at_ms + 1))
            assert connection.actor == replace(known, expires_at_ms=known.expires_at_ms + 1)

    @pytest.mark.parametrize(
        ("fields", "code"),
        [
            ({"token": "ada#2"}, "invalid_token"),
            ({"token": "bob#1"}, "invalid_token"),
            ({"token": "bad"}, "invalid_token"),
            ({}, "invalid_command"),
            ({"token": "ada#1", "ticket": "ada#1"}, "invalid_command"),
        ],
    )
    async def test_only_by_the_same_session(self, live: LiveNode, fields: dict[str, str], code: str) -> None:
        async with live.connect(person("ada", "1")) as socket:
            await received(socket)
            assert (await ask(socket, "auth.refresh", **fields))["error"]["code"] == code


class TestTheEndOfANode:
    async def test_who_was_on_the_way_in_is_told_to_come_back(
        self, live: LiveNode, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        join = live.node.presence.join

        async def meanwhile_it_ends(channel: str, member: Member) -> int | None:
            live.node.is_draining = True
            return await join(channel, member)

        monkeypatch.setattr(live.node.presence, "join", meanwhile_it_ends)
        async with live.connect(person("ada", "1")) as socket:
            assert (await received(socket))["type"] == "reconnect"
            assert await closed(socket) == 1013
        assert (live.node.connections, live.node.presence.leaving_from("connections:ada")) == ((), 1)


class TestPresence:
    async def count(self, socket: Any) -> int:
        while True:
            frame = orjson.loads(await socket.recv())
            if frame.get("event") == "presence":
                return int(frame["data"]["count"])

    async def test_names_for_staff_and_a_number_for_others(self, live: LiveNode) -> None:
        async with live.connect("ada") as ada, live.connect("ada") as tablet, live.connect("staff_eve") as eve:
            assert (await ask(ada, "presence", channel="course:1"))["error"]["code"] == "not_subscribed"
            for socket in (ada, tablet, eve):
                await subscribed(socket, "course:1")
            assert (await ask(ada, "presence", channel="course:1"))["result"] == {"count": 2, "users": []}
            users = (await ask(eve, "presence", channel="course:1"))["result"]["users"]
            assert {"user_id": "ada", "full_name": "ada", "devices": 2} in users

    async def test_the_count_is_told_within_a_second_of_a_clean_leave(self, live: LiveNode) -> None:
        async with live.connect("staff_eve") as eve:
            await subscribed(eve, "course:1")
            async with live.connect("ada") as ada:
                await subscribed(ada, "course:1")
                live.clock.advance(0.2)  # type: ignore[attr-defined]
                assert await self.count(eve) == 2
            await until(lambda: len(live.node.connections) == 1)
            for _ in range(5):
                live.clock.advance(0.2)  # type: ignore[attr-defined]
                await live.node.presence.work()
            assert await self.count(eve) == 1

    async def test_a_reload_is_no_leave(self, live: LiveNode) -> None:
        async with live.connect("staff_eve") as eve:
            await subscribed(eve, "course:1")
            async with live.connect("ada") as ada:
                await subscribed(ada, "course:1")
                live.clock.advance(0.2)  # type: ignore[attr-defined]
                assert await self.count(eve) == 2
            await until(lambda: len(live.node.connections) == 1)
            live.clock.advance(0.3)  # type: ignore[attr-defined]
            await live.node.presence.work()  # so long does a page take to load again
            async with live.connect("ada") as ada:
                await subscribed(ada, "course:1")
                for _ in range(10):
                    live.clock.advance(0.2)  # type: ignore[attr-defined]
                    await live.node.presence.work()
                there = (await live.bus.presence.members_of(["course:1"]))["course:1"]
                assert {member.user_id for member in there} == {"ada", "staff_eve"}
                await live.fan_out.publish_direct("course:1", "announcement", {})
                counts = []
                while (frame := orjson.loads(await eve.recv())).get("event") != "announcement":
                    counts += [frame["data"]["count"]] if frame.get("event") == "presence" else []
                assert 1 not in counts

    async def test_a_dead_node_is_forgotten_and_a_living_one_renews(self, live: LiveNode) -> None:
        async with live.connect("ada") as ada:
            await subscribed(ada, "course:1")
            await live.bus.presence.join("course:1", Member("con_of_a_dead_node", "bob"))
            for _ in range(31):
                live.clock.advance(1)  # type: ignore[attr-defined]
                live.node.connections[0].last_heard_ms = live.clock.now_ms()
                assert (await ask(ada, "ping"))["ok"]
            there = (await live.bus.presence.members_of(["course:1"]))["course:1"]
            assert [member.user_id for member in there] == ["ada"]

    async def test_who_is_interested_hears_of_every_change(self, live: LiveNode) -> None:
        heard: list[str] = []
        live.node.presence.listen(heard.append)
        async with live.connect("ada") as ada:
            await subscribed(ada, "attempt:1")
        assert "attempt:1" in heard
