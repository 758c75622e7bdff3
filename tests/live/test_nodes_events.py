"""The stream of events over several node processes, one of which is killed while a class enrols."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from documents.enrollment import Enrollment
from documents.user import User
from lms_rt.storage.mongo import open_database
from tests import factories
from tests.clients import Visitor
from tests.house import PASSWORD
from tests.live.node_school import NodeSchool, node_school
from tests.recorded import PATIENCE_SECONDS, all_recorded
from tests.servers.nodes import LmsNode

pytestmark = pytest.mark.real
CLASS = 10
COURSES = 3


@pytest.fixture(scope="module")
async def school(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[NodeSchool]:
    """Two nodes, and this process with the documents of their database."""
    async with (
        node_school(request, tmp_path_factory.mktemp("school"), {}, {}) as made,
        open_database(made.settings),
    ):
        yield made


async def administrator(school: NodeSchool) -> Visitor:
    """Somebody whom the database says to be an administrator."""
    somebody = await school.person()
    await User.rows().update_one({"_id": somebody.user_id}, {"$set": {"role": "admin"}})
    await somebody.sign_in(somebody.user["email"], PASSWORD)
    return somebody


async def enrol(student: Visitor, course_id: str) -> None:
    """Come into the course, as often as it takes: the node may be gone before it answers."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            try:
                reply = await student.call("POST", "/enrollments", json={"course_id": course_id})
            except httpx.TransportError:
                await asyncio.sleep(0.05)
                continue
            assert reply.is_success or reply.json()["code"] == "already_enrolled", reply.text
            return


async def kill_in_the_middle(node: LmsNode) -> None:
    """Kill the node when some have enrolled, and start it again."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await Enrollment.rows().count_documents({}) < CLASS:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)
    node.kill()
    await asyncio.to_thread(node.start)


async def stream(admin: Visitor, after: str, *, limit: int) -> tuple[list[dict[str, Any]], str]:
    """Everything after a cursor, and the cursor behind it."""
    items: list[dict[str, Any]] = []
    while True:
        page = await admin.ok("GET", "/events", params={"after": after, "limit": limit})
        items += page["items"]
        after = page["cursor"]
        if page["next"] is None:
            return items, after


async def test_two_nodes_and_a_kill_leave_one_stream_without_gap_or_double(school: NodeSchool) -> None:
    admin = await administrator(school)
    teacher = await school.person("instructor")
    courses = [(await factories.course(teacher))["id"] for _ in range(COURSES)]
    class_ = [await school.person() for _ in range(CLASS)]
    seats = [await school.at(student, school.addresses[n % 2]) for n, student in enumerate(class_)]
    _, begin = await stream(admin, "0", limit=100)
    read: list[dict[str, Any]] = []
    is_over = asyncio.Event()

    async def follow() -> None:
        cursor, is_last = begin, False
        while not is_last:
            is_last = is_over.is_set()
            items, cursor = await stream(admin, cursor, limit=5)
            read.extend(items)

    async def all_courses(student: Visitor) -> None:
        for course_id in courses:
            await enrol(student, course_id)

    following = asyncio.create_task(follow())
    async with asyncio.TaskGroup() as group:
        for work in (kill_in_the_middle(school.nodes[1]), *(all_courses(student) for student in seats)):
            group.create_task(work)
    await all_recorded()
    is_over.set()
    await following

    whole, _ = await stream(admin, begin, limit=100)
    assert read == whole
    assert_without_gap_or_double(whole, after=int(begin))
    enrolled = [item["data"]["id"] for item in whole if item["type"] == "enrollment.created"]
    assert sorted(enrolled) == sorted([row["_id"] async for row in Enrollment.rows().find({}, {"_id": 1})])
    assert len(enrolled) == CLASS * COURSES


def assert_without_gap_or_double(items: list[dict[str, Any]], *, after: int) -> None:
    assert [int(item["cursor"]) for item in items] == list(range(after + 1, after + 1 + len(items)))
    assert len({item["id"] for item in items}) == len(items)
