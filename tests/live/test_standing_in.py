"""Sockets of who acts in somebody's place: each is recorded, what it listens to as well, and nobody is there by it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import orjson
import pytest
from websockets.asyncio.client import connect

from tests import factories
from tests.clients import Visitor
from tests.conftest import _ENGINES, settings_on
from tests.house import House, open_house
from tests.live.node_school import live_url, watching


@dataclass
class Place:
    """A student, and an administrator of their own who acts as them."""

    house: House
    boss: Visitor
    student: Visitor
    stand_in: Visitor

    async def told(self) -> list[tuple[str, str]]:
        """What the audit log says was done in the student's place, the oldest first."""
        page = await self.boss.ok("GET", "/admin/audit-logs", params={"actor_id": self.student.user_id})
        return [(one["kind"], one["target_id"]) for one in reversed(page["items"])]


@pytest.fixture(scope="module", params=_ENGINES)
async def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with open_house(settings_on(str(request.param), request, tmp_path_factory.mktemp("standing"))) as made:
        yield made


@pytest.fixture
async def place(house: House) -> Place:
    admin, boss, student = await house.admin(), await house.student("Bea Boss"), await house.student()
    await admin.ok("PATCH", f"/admin/users/{boss.user_id}", json={"role": "admin"})
    stand_in, body = await house.visitor(), {"reason": "Hears nothing"}
    stand_in.take(await boss.ok("POST", f"/admin/users/{student.user_id}/impersonate", json=body))
    return Place(house, boss, student, stand_in)


async def test_a_socket_by_ticket_and_what_it_listens_to_are_recorded(place: Place) -> None:
    channel = f"user:{place.student.user_id}"
    async with watching(place.stand_in) as watcher:
        await watcher.ok("subscribe", channel=channel)
        assert not (await watcher.ask("subscribe", channel="user:usr_other"))["ok"]
        await watcher.ok("ping")
    assert await place.told() == [
        ("request", "POST /api/v1/auth/ws-ticket"),
        ("socket", "GET /ws"),
        ("command", f"subscribe {channel}"),
        ("command", "subscribe user:usr_other"),
        ("command", "ping"),
    ]


async def test_a_socket_whose_first_frame_signs_in_is_recorded(place: Place) -> None:
    url = live_url(place.house.address) + "/notifications"
    frame = {"id": 1, "type": "auth", "token": place.stand_in.tokens["access_token"]}
    async with connect(url, compression=None, proxy=None) as socket:
        await socket.send(orjson.dumps(frame).decode())
        assert orjson.loads(await socket.recv())["type"] == "welcome"
    assert await place.told() == [("socket", "auth")]


async def test_who_stands_in_is_not_there(place: Place) -> None:
    teacher = await place.house.teacher()
    course_id = (await factories.course(teacher))["id"]
    await factories.enrolled(place.student, course_id)
    channel = f"course:{course_id}"

    async def there(watcher: Any) -> list[str]:
        found = await watcher.ok("presence", channel=channel)
        return [one["user_id"] for one in found["users"]]

    async with watching(teacher) as sees, watching(place.stand_in) as watcher:
        await sees.ok("subscribe", channel=channel)
        await watcher.ok("subscribe", channel=channel)
        assert await there(sees) == [teacher.user_id]
        async with watching(place.student) as themselves:
            await themselves.ok("subscribe", channel=channel)
            assert sorted(await there(sees)) == sorted([teacher.user_id, place.student.user_id])


async def test_who_stands_in_takes_none_of_their_connections(place: Place) -> None:
    members = place.house.services.bus.presence
    counted = [f"connections:{who.user_id}" for who in (place.student, place.boss)]
    async with watching(place.stand_in):
        there = await members.members_of(counted)
        assert [len(there[name]) for name in counted] == [0, 1]


async def test_the_socket_ends_with_the_session(place: Place) -> None:
    async with watching(place.stand_in) as watcher:
        await place.stand_in.ok("POST", "/auth/logout", json={})
        await watcher.until(lambda: watcher.is_over or None)
    assert (await place.student.ok("GET", "/users/me"))["id"] == place.student.user_id
