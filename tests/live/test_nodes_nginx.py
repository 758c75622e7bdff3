"""Two nodes behind Debian's nginx with the configuration that is deployed: balanced, forwarded, and one dies."""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from pymongo import MongoClient
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin

from handlers.app import IDLE_SECONDS
from handlers.rest.operations import MAX_UPLOAD_BYTES
from lms_rt.console.simulate.proof import prove
from lms_rt.console.simulate.room import Room
from lms_rt.console.simulate.school import School as Crowd
from lms_rt.contracts.frames import HEARTBEAT_MS
from lms_rt.realtime.node import NodeLimits
from tests import factories
from tests.clients import Visitor
from tests.house import PASSWORD
from tests.live.live_node import ask, closed, received, subscribed, until
from tests.live.node_school import Listener, NodeSchool, client_of, node_school, socket_of, watching
from tests.live.test_server_kills import TEACHER, Killer, graded_otherwise, make_quiz
from tests.rest.rights.sending import BEGUN, PIECE
from tests.servers.nginx import CONFIGURATION, Nginx, running_nginx
from tests.servers.nodes import LmsNode

STUDENTS, KILLS = 8, 3
pytestmark = pytest.mark.real


@dataclass
class Site:
    """A school behind nginx."""

    school: NodeSchool
    nginx: Nginx

    @property
    def address(self) -> str:
        return self.nginx.address


@pytest.fixture(scope="module")
async def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    async with node_school(request, folder, {}, {}, trusted_proxies="127.0.0.1/32") as school:
        with running_nginx([node.port for node in school.nodes], folder) as nginx:
            yield Site(school, nginx)


class ByTurns:
    """Kills one node after the other, for who wants to kill "the server"."""

    def __init__(self, site: Site) -> None:
        self._turns = itertools.cycle(site.school.nodes)
        self._dead = site.school.nodes[0]

    def kill(self) -> None:
        self._dead = next(self._turns)
        self._dead.kill()

    def start(self) -> None:
        self._dead.start()


async def is_used(site: Site, node: LmsNode) -> None:
    """Return once nginx tries this node again, which was away."""
    async with httpx.AsyncClient() as http:
        name = (await http.get(f"{node.address}/ready")).json()["node"]
    while name not in await nodes_that_answer(site, 2):
        pass


@asynccontextmanager
async def streaming(somebody: Visitor, statuses: list[int]) -> AsyncIterator[None]:
    """Somebody asks again and again while the body runs."""

    async def ask_on() -> None:
        while True:
            statuses.append((await somebody.call("GET", "/auth/me")).status_code)

    asking = asyncio.create_task(ask_on())
    try:
        yield
    finally:
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)


async def nodes_that_answer(site: Site, times: int) -> set[str]:
    async with httpx.AsyncClient(base_url=site.address) as http:
        return {(await http.get("/ready")).raise_for_status().json()["node"] for _ in range(times)}


class TestRequests:
    async def test_somebody_who_is_signed_in_is_known_to_every_node(self, site: Site) -> None:
        somebody = await site.school.person(address=site.address)
        assert len(await nodes_that_answer(site, 6)) == 2
        for _ in range(6):
            assert (await somebody.ok("GET", "/auth/me"))["id"] == somebody.user_id

    async def test_the_nodes_know_where_a_request_came_from(self, site: Site) -> None:
        body = {"email": "far@example.org", "password": PASSWORD, "full_name": "Far Away", "role": "student"}
        forged = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}
        far = httpx.AsyncHTTPTransport(local_address="127.0.0.2")
        async with httpx.AsyncClient(base_url=site.address, transport=far) as http:
            reply = await http.post("/api/v1/auth/register", json=body, headers=forged)
        assert reply.status_code == 201
        assert "Strict-Transport-Security" not in reply.headers  # nginx was asked over plain HTTP, whatever it was told
        url, database = site.school.settings.mongodb_url.get_secret_value(), site.school.settings.mongodb_database
        with MongoClient[dict[str, Any]](url) as mongo:
            (session,) = mongo[database]["sessions"].find({"user_id": reply.json()["user"]["id"]})
        assert session["address"] == "127.0.0.2"

    async def test_a_request_keeps_its_id_on_the_way(self, site: Site) -> None:
        async with httpx.AsyncClient(base_url=site.address) as http:
            mine = await http.get("/health", headers={"X-Request-ID": "mine-1"})
            other = await http.get("/health")
        assert mine.headers["X-Request-ID"] == "mine-1"
        await until(lambda: f"request_id={other.headers['X-Request-ID']}" in site.nginx.logged())

    async def test_the_figures_of_a_node_are_not_asked_through_the_proxy(self, site: Site) -> None:
        async with httpx.AsyncClient(base_url=site.address) as http:
            assert (await http.get("/metrics")).status_code == 404

    async def test_the_node_says_what_is_too_large_not_the_proxy(self, site: Site) -> None:
        somebody = await site.school.person(address=site.address)
        problem = await somebody.refused(413, "POST", "/courses", content=b" " * (MAX_UPLOAD_BYTES + 1))
        assert problem["code"] == "too_large"

    async def test_a_large_file_passes_and_an_upload_goes_on_at_another_node(self, site: Site) -> None:
        somebody, piece = await site.school.person(address=site.address), bytes(4 << 20)
        file = b"%PDF-1.7" + piece + piece
        form = await somebody.ok("POST", "/files/upload", files={"file": ("large.pdf", file)})
        begun = {**BEGUN, "Upload-Length": str(len(file))}
        path = (await somebody.call("POST", "/files/tus", headers=begun)).headers["Location"]
        pieces = (file[:100], file[100:5000], file[5000:])
        for offset, part, address in zip(
            (0, 100, 5000), pieces, (*(node.address for node in site.school.nodes), site.address), strict=True
        ):
            headers = {**PIECE, "Upload-Offset": str(offset)}
            sent = await somebody.http.patch(f"{address}{path}", headers=headers, content=part)
            assert sent.status_code == 204
        upload = await somebody.ok("GET", path.removeprefix("/api/v1"))
        assert upload["file"]["sha256"] == form["sha256"]
        assert upload["file"]["file_size"] == len(file)


class TestSockets:
    async def test_a_ticket_of_one_node_opens_a_socket_at_another(self, site: Site) -> None:
        for _ in range(4):
            somebody = await site.school.person(address=site.address)
            async with socket_of(somebody) as socket:
                assert (await received(socket))["user"]["id"] == somebody.user_id
                assert (await ask(socket, "ping"))["ok"]

    async def test_a_browser_opens_it_with_its_cookie(self, site: Site) -> None:
        email = (await site.school.person(address=site.address)).user["email"]
        async with httpx.AsyncClient(base_url=f"{site.address}/api/v1", headers={"Origin": site.address}) as http:
            signed_in = await http.post("/auth/login-cookie", json={"email": email, "password": PASSWORD})
            assert signed_in.is_success
            cookie = "; ".join(f"{name}={value}" for name, value in http.cookies.items())
        headers = {"Cookie": cookie}
        url = site.address.replace("http", "ws", 1) + "/ws"
        async with connect(url, origin=Origin(site.address), additional_headers=headers, proxy=None) as socket:
            assert (await received(socket))["type"] == "welcome"
        with pytest.raises(InvalidStatus) as foreign:
            await connect(url, origin=Origin("https://elsewhere.example"), additional_headers=headers, proxy=None)
        assert foreign.value.response.status_code == 403

    async def test_both_nodes_take_sockets_and_hear_each_other(self, site: Site) -> None:
        teacher = await site.school.person("instructor", address=site.address)
        course = await factories.course(teacher)
        channel = f"course:{course['id']}"
        async with socket_of(teacher) as one, socket_of(teacher) as two, socket_of(teacher) as three:
            for socket in (one, two, three):
                await subscribed(socket, channel)
            for title in ("Lines", "Planes"):
                await teacher.ok("PATCH", f"/courses/{course['id']}", json={"title": title})
            for socket in (one, two, three):
                heard = [await received(socket) for _ in range(2)]
                assert [frame["data"]["changes"]["title"] for frame in heard] == ["Lines", "Planes"]

    async def test_the_close_code_of_the_node_arrives(self, site: Site) -> None:
        somebody = await site.school.person(address=site.address)
        async with socket_of(somebody) as socket:
            await received(socket)
            await somebody.ok("POST", "/auth/logout")
            assert await closed(socket) == 4501


class TestADyingNode:
    """The last here: it takes nodes away, and brings them back."""

    async def test_requests_go_on_and_sockets_come_back_elsewhere(self, site: Site) -> None:
        teacher = await site.school.person("instructor", address=site.address)
        course = await factories.course(teacher)
        listeners = [Listener(f"course:{course['id']}") for _ in range(4)]
        titles = [f"Algebra {number}" for number in range(10)]
        async with AsyncExitStack() as stack:
            for listener in listeners:
                client = await stack.enter_async_context(client_of(teacher))
                await client.subscribe(listener.ear)
            for node, part in zip(site.school.nodes, (titles[:5], titles[5:]), strict=True):
                node.kill()
                for title in part:
                    await teacher.ok("PATCH", f"/courses/{course['id']}", json={"title": title})
                await until(lambda part=part: all(listener.titles[-1:] == part[-1:] for listener in listeners))
                await asyncio.to_thread(node.start)
                await is_used(site, node)
        assert [listener.titles for listener in listeners] == [titles] * len(listeners)
        assert [listener.ear.resets for listener in listeners] == [1] * len(listeners)  # the first, at the beginning

    async def test_tickets_are_not_logged_not_even_when_a_node_does_not_answer(self, site: Site) -> None:
        somebody = await site.school.person(address=site.address)
        tickets = [await somebody.ticket() for _ in range(2)]
        dying = site.school.nodes[0]
        dying.kill()
        for ticket in tickets:
            async with watching(somebody, ticket=ticket) as line:
                await line.ok("ping")
        tried = f"node=127.0.0.1:{dying.port}, 127.0.0.1:"
        await until(lambda: tried in site.nginx.logged())  # that is told, when the line is over
        assert not [ticket for ticket in tickets if ticket in site.nginx.logged()]
        await asyncio.to_thread(dying.start)
        await is_used(site, dying)

    async def test_a_class_sits_an_exam_while_its_nodes_are_killed(self, site: Site) -> None:
        """By turns, at moments that are drawn. Every acknowledged answer is stored, every attempt graded once."""
        quiz_id = await make_quiz(site.address)
        killer = Killer(ByTurns(site), KILLS)
        async with Crowd.open(site.address, students=STUDENTS) as crowd:
            reader = await crowd.sign_in(TEACHER, PASSWORD)
            quiz = await reader.get(f"/quizzes/{quiz_id}")
            room = Room(crowd, quiz, reader, seed=KILLS, manner_of=killer.manner_of)
            async with asyncio.TaskGroup() as group:
                group.create_task(killer.run(room))
                group.create_task(room.sit(STUDENTS, say=lambda _: None))
            proof = await prove(room)
            proof.settle("each graded once", await graded_otherwise(room))
        assert proof.faults == []
        assert killer.done == KILLS
        assert sum(len(student.diary.acknowledged) for student in room.students) > STUDENTS

    async def test_a_node_that_is_asked_to_stop_drops_no_request(self, site: Site) -> None:
        """Under a stream of requests, as an update does it."""
        somebody = await site.school.person(address=site.address)
        statuses: list[int] = []
        async with streaming(somebody, statuses):
            assert await asyncio.to_thread(site.school.nodes[0].stop) == 0
            before = len(statuses)
            await until(lambda: len(statuses) > before + 3)
        assert set(statuses) == {200}


def test_the_node_decides_who_is_silent_not_the_proxy() -> None:
    """A line is quiet for a heartbeat at most, and the node gives it up after its own time."""
    text = CONFIGURATION.read_text()
    waits = {name: int(seconds) for name, seconds in re.findall(r"(proxy_(?:read|send)_timeout) (\d+)s;", text)}
    assert set(waits) == {"proxy_read_timeout", "proxy_send_timeout"}
    assert min(waits.values()) * 1000 > NodeLimits().silent_ms > HEARTBEAT_MS
    (kept_seconds,) = re.findall(r"^ {8}keepalive_timeout (\d+)s;", text, re.MULTILINE)
    assert int(kept_seconds) < IDLE_SECONDS
    (body_mib,) = re.findall(r"client_max_body_size (\d+)m;", text)
    assert int(body_mib) << 20 > MAX_UPLOAD_BYTES
