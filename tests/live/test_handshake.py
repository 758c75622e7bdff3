"""Opening a socket: credentials, origins, the welcome, and what is refused before and after the upgrade."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from config.settings import Settings
from lms_rt.clock import FakeClock
from lms_rt.realtime.node import NodeLimits
from tests.live.live_node import ORIGIN, LiveNode, ask, closed, live_node, received, until


@pytest.fixture
async def live() -> AsyncIterator[LiveNode]:
    async with live_node() as made:
        yield made


async def refusal(live: LiveNode, user: str | None = None, **options: Any) -> tuple[int, str]:
    with pytest.raises(InvalidStatus) as refused:
        async with live.connect(user, **options):
            pass
    response = refused.value.response
    assert response.headers["Content-Type"] == "application/problem+json"
    return response.status_code, (response.body or b"").decode()


async def test_welcome_says_who_and_how_long(live: LiveNode) -> None:
    async with live.connect("ada", subprotocols=["lms.v1.json"]) as socket:
        welcome = await received(socket)
        assert socket.subprotocol == "lms.v1.json"
    assert welcome["type"] == "welcome"
    assert welcome["user"] == {"id": "ada", "full_name": "ada", "role": "student"}
    assert (welcome["heartbeat_ms"], welcome["max_frame_bytes"], welcome["clock_error_ms"]) == (10_000, 65_536, 0)
    assert welcome["connection_id"].startswith("con_")
    assert welcome["server_time"] < welcome["session_expires_at"]
    assert welcome["subscriptions"] == []


async def test_the_subprotocol_may_be_left_out_and_others_are_not_chosen(live: LiveNode) -> None:
    async with live.connect("ada", subprotocols=None) as socket:
        assert socket.subprotocol is None
    async with live.connect("ada", subprotocols=["lms.v1.json", "other"]) as socket:
        assert socket.subprotocol == "lms.v1.json"


async def test_compression_is_not_taken(live: LiveNode) -> None:
    async with live.connect("ada", extensions=None) as socket:
        assert "Sec-WebSocket-Extensions" not in socket.response.headers  # type: ignore[union-attr]


async def test_notifications_begin_with_the_own_channel(live: LiveNode) -> None:
    async with live.connect("ada", path="/ws/notifications") as socket:
        (subscription,) = (await received(socket))["subscriptions"]
        assert (subscription["channel"], subscription["offset"]) == ("user:ada", 0)
        await live.fan_out.publish_direct("user:ada", "session_revoked", {"session_id": None, "reason": "test"})
        event = await received(socket)
        assert (event["epoch"], event["offset"]) == (subscription["epoch"], 1)


async def test_a_ticket_opens(live: LiveNode) -> None:
    async with live.connect(None, path="/ws?ticket=ada") as socket:
        assert (await received(socket))["user"]["id"] == "ada"


@pytest.mark.parametrize("query", ["?ticket=bad", "?token=bad"])
async def test_bad_credentials_are_401_before_the_upgrade(live: LiveNode, query: str) -> None:
    status, body = await refusal(live, path=f"/ws{query}")
    assert (status, '"code":"invalid_token"' in body) == (401, True)
    assert "bad" not in body


async def test_a_query_token_can_be_forbidden() -> None:
    settings = Settings(_env_file=None, ws_allow_query_token=False)
    async with live_node(settings=settings) as live:
        status, _ = await refusal(live, "ada")
        assert status == 401
        async with live.connect(None, path="/ws?ticket=ada") as socket:
            assert (await received(socket))["type"] == "welcome"


class TestOrigin:
    async def test_a_foreign_one_is_refused_whatever_the_credentials(self, live: LiveNode) -> None:
        for user in ("ada", None):
            status, body = await refusal(live, user, origin="https://evil.example")
            assert (status, '"code":"origin_refused"' in body) == (403, True)

    async def test_the_own_host_and_the_listed_are_taken(self, live: LiveNode) -> None:
        for origin in (ORIGIN, f"http://127.0.0.1:{live.port}"):
            async with live.connect("ada", origin=origin) as socket:
                assert (await received(socket))["type"] == "welcome"

    async def test_a_cookie_needs_an_origin(self, live: LiveNode) -> None:
        cookie = {"Cookie": "lms_access=ada"}
        async with live.connect(None, origin=ORIGIN, additional_headers=cookie) as socket:
            assert (await received(socket))["user"]["id"] == "ada"
        async with live.connect(None, additional_headers=cookie) as socket:
            assert (await ask(socket, "ping"))["error"]["code"] == "unauthenticated"
        status, _ = await refusal(live, origin=ORIGIN, additional_headers={"Cookie": "lms_access=bad"})
        assert status == 401


class TestFirstFrame:
    async def test_auth_is_welcomed_then_answered(self, live: LiveNode) -> None:
        async with live.connect(None) as socket:
            await socket.send('{"id": "first", "type": "auth", "token": "ada"}')
            assert (await received(socket))["type"] == "welcome"
            assert await received(socket) == {"id": "first", "ok": True, "result": {}}
            assert (await ask(socket, "ping"))["ok"]

    @pytest.mark.parametrize(
        ("frame", "code"),
        [
            ('{"id": 1, "type": "auth", "token": "bad"}', "invalid_token"),
            ('{"id": 1, "type": "auth"}', "invalid_command"),
            ('{"id": 1, "type": "auth", "token": "ada", "role": "admin"}', "invalid_command"),
            ('{"id": 1, "type": "ping"}', "unauthenticated"),
        ],
    )
    async def test_anything_else_is_refused_and_closed(self, live: LiveNode, frame: str, code: str) -> None:
        async with live.connect(None) as socket:
            await socket.send(frame)
            reply = await received(socket)
            assert (reply["id"], reply["error"]["code"]) == (1, code)
            assert await closed(socket) == 4501

    async def test_silence_is_closed(self, live: LiveNode, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("handlers.live.socket.AUTH_SECONDS", 0.02)
        async with live.connect(None) as socket:
            assert await closed(socket) == 4001
        assert live.node.connections == ()


class TestRoom:
    async def test_the_twenty_first_connection_of_a_user_is_closed(self) -> None:
        async with live_node(limits=NodeLimits(connections_per_user=2)) as live:
            async with live.connect("ada") as one, live.connect("ada") as two, live.connect("bob") as other:
                for socket in (one, two, other):
                    assert (await received(socket))["type"] == "welcome"
                async with live.connect("ada") as third:
                    assert await closed(third) == 4509
            await until(lambda: not live.node.connections)
            async with live.connect("ada") as again:
                assert (await received(again))["type"] == "welcome"

    async def test_a_full_node_says_when_to_come_back(self) -> None:
        async with live_node(limits=NodeLimits(connections=1)) as live, live.connect("ada") as one:
            assert (await received(one))["type"] == "welcome"
            async with live.connect("bob") as two:
                notice = await received(two)
                assert notice["type"] == "reconnect"
                assert 0 <= notice["after_ms"] < 10_000
                assert await closed(two) == 1013

    async def test_a_herd_is_let_in_at_a_pace(self) -> None:
        limits = NodeLimits(admissions_per_second=1, admissions_burst=1)
        async with live_node(clock=FakeClock(), limits=limits) as live, live.connect("ada") as one:
            assert (await received(one))["type"] == "welcome"
            async with live.connect("bob") as two:
                assert await closed(two) == 1013
            await live.beat(1)
            async with live.connect("bob") as three:
                assert (await received(three))["type"] == "welcome"
