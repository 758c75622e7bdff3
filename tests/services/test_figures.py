"""The figures of what happened: each counts what it says, once, and previews nowhere."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import httpx
import pytest

from config.settings import Settings
from documents.course import Course
from lms_rt.clock import from_ms
from tests import factories
from tests.house import House, open_house

NAMES = (
    "users_registered_total", "enrollments_total", "attempts_started_total", 'attempts_finished_total{by="student"}',
    "answers_saved_total",
)  # fmt: skip


@pytest.fixture
async def house(settings: Settings) -> AsyncIterator[House]:
    async with open_house(settings) as opened:
        yield opened


async def _figures(house: House) -> dict[str, float]:
    async with httpx.AsyncClient(trust_env=False) as client:
        text = (await client.get(f"{house.address}/metrics")).text
    return {name: float(value) for name, value in re.findall(r"^([a-z]\S*) (\S+)$", text, re.MULTILINE)}


async def test_what_a_class_does_is_counted_once(house: House) -> None:
    teacher = await house.teacher()
    course = await factories.course(teacher)
    quiz = await factories.quiz(teacher, course["id"], (factories.CHOICE, factories.TRUE_FALSE))
    before = await _figures(house)
    student = await house.student()
    await factories.enrolled(student, course["id"])
    started = await student.ok("POST", "/attempts", json={"quiz_id": quiz["id"], "device_id": "d"})
    first, second = (question["id"] for question in started["questions"])
    path, writer = f"/attempts/{started['id']}", {"device_id": "d", "lease": started["lease"]}
    row = {"question_id": first, "value": "b", "op_id": "op1", "seq": 1, "base_revision": 0}
    for _ in range(2):  # the second is a repeat
        await student.ok("PATCH", f"{path}/answers", json={"answers": [row], **writer})
    for _ in range(2):
        await student.ok("POST", f"{path}/submit", json={"answers": [{"question_id": second, "value": True}], **writer})
    await teacher.ok("POST", "/attempts", json={"quiz_id": quiz["id"]})  # a preview
    after = await _figures(house)
    assert {name: after[name] - before.get(name, 0) for name in NAMES} == dict.fromkeys(NAMES, 1) | {NAMES[-1]: 2}


async def test_what_waits_in_outboxes_is_told_with_its_age(house: House) -> None:
    course = await factories.course(await house.teacher())
    relay, clock = house.services.relay, house.services.clock
    await relay.sweep()
    assert {(await _figures(house))[name] for name in ("outbox_pending", "outbox_oldest_seconds")} == {0}
    left_at = from_ms(clock.now_ms() - 60_000)
    await Course.rows().update_one({"_id": course["id"]}, {"$set": {"outbox_at": left_at}})
    await relay.sweep()
    found = await _figures(house)
    assert found["outbox_pending"] == 1
    assert found["outbox_oldest_seconds"] >= 60
