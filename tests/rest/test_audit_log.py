"""The audit log as it is read over REST, and that nobody acts in another's place without a line in it. On both lanes."""

from __future__ import annotations

import io
import logging
from datetime import UTC, datetime

import orjson
import pytest

from config.logging import JsonLines, WithRequest
from documents.audit_record import AuditRecord
from documents.enums import Role
from documents.user import User
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.audit import AuditQuery
from lms_rt.errors import Refused
from tests.clients import Visitor
from tests.house import House
from tests.live.node_school import watching
from tests.rest.audited_world import World, newest


@pytest.fixture(scope="module")
async def world(house: House) -> World:
    return World(house, await house.admin(), await house.teacher())


# --- in somebody's place ---


@pytest.fixture
async def impersonated(world: World) -> tuple[Visitor, Visitor]:
    """Somebody, and whoever acts as them."""
    student = await world.house.student()
    begun = await world.admin.ok(
        "POST", f"/admin/users/{student.user_id}/impersonate", json={"reason": "Cannot find the quiz"}
    )
    stand_in = await world.house.visitor()
    stand_in.http.headers["Authorization"] = f"Bearer {begun['access_token']}"
    stand_in.tokens = begun
    return student, stand_in


async def test_each_use_of_anothers_place_is_recorded_reading_too(
    world: World, impersonated: tuple[Visitor, Visitor]
) -> None:
    student, stand_in = impersonated
    await stand_in.ok("GET", "/users/me")
    await stand_in.refused(403, "POST", "/users/me/export")
    await stand_in.ok("PATCH", "/users/me", json={"full_name": "Put Right"})
    records = await newest(world, actor_id=student.user_id)
    assert [(one["action"], one["target_id"]) for one in records] == [
        ("user.change", student.user_id),
        ("impersonation.use", "PATCH /api/v1/users/me"),
        ("impersonation.use", "POST /api/v1/users/me/export"),
        ("impersonation.use", "GET /api/v1/users/me"),
    ]
    assert {one["impersonator_id"] for one in records} == {world.admin.user_id}
    assert [one["action"] for one in await newest(world, impersonator_id=world.admin.user_id)][:2] == [
        "user.change",
        "impersonation.use",
    ]


async def test_pages_and_live_commands_in_anothers_place_are_recorded(
    world: World, impersonated: tuple[Visitor, Visitor]
) -> None:
    student, stand_in = impersonated
    visitor = await world.house.visitor()
    visitor.http.cookies.set("lms_access", stand_in.tokens["access_token"])
    assert (await visitor.http.get(f"{world.house.address}/home")).status_code == 200
    async with watching(stand_in) as watcher:
        await watcher.ask("ping")
    told = [(one["kind"], one["target_id"]) for one in await newest(world, actor_id=student.user_id)]
    assert ("page", "GET /home") in told
    assert ("command", "ping") in told


# --- reading ---


async def test_the_log_is_read_newest_first_in_stretches(world: World) -> None:
    course_id = await world.course()
    for title in ("One", "Two", "Three"):
        await world.admin.ok("PATCH", f"/courses/{course_id}", json={"title": title})
    first = await world.admin.ok("GET", "/admin/audit-logs", params={"target_id": course_id, "limit": 2})
    await world.admin.ok("PATCH", f"/courses/{course_id}", json={"title": "Four"})  # nothing slips in behind
    query = {"target_id": course_id, "limit": 2, "after": first["next"]}
    second = await world.admin.ok("GET", "/admin/audit-logs", params=query)
    seqs = [one["seq"] for one in first["items"] + second["items"]]
    assert seqs == sorted(seqs, reverse=True)
    assert (len(seqs), second["next"]) == (3, None)
    assert first["items"][0]["before"]["title"] == first["items"][1]["after"]["title"]


async def test_filters(world: World) -> None:
    course_id = await world.course()
    reply = await world.admin.call("POST", f"/courses/{course_id}/unpublish")
    (record,) = await newest(world, request_id=reply.headers["X-Request-ID"])
    assert record["target_id"] == course_id
    assert (await newest(world, target_id=course_id, action="course.unpublish")) == [record]
    assert (await newest(world, target_id=course_id, action="course.publish")) == []
    assert (await newest(world, target_id=course_id, kind="quiz")) == []
    assert (await newest(world, target_id=course_id, **{"from": record["at"]})) == [record]
    assert (await newest(world, target_id=course_id, to=record["at"])) == []
    for wrong in ({"from": "yesterday"}, {"after": "x"}, {"limit": 0}):
        await world.admin.refused(422, "GET", "/admin/audit-logs", params=wrong)


async def test_a_record_goes_by_our_own_id_of_the_request_whatever_the_caller_calls_it(world: World) -> None:
    course_id, written = await world.course(), io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(JsonLines())
    handler.addFilter(WithRequest())
    logging.getLogger().addHandler(handler)
    try:
        headers = {"X-Request-ID": "Zenobia.Quartz"}
        reply = await world.admin.call("POST", f"/courses/{course_id}/unpublish", headers=headers)
        assert reply.headers["X-Request-ID"] == "Zenobia.Quartz"
        await world.admin.ok("POST", f"/courses/{course_id}/publish")
    finally:
        logging.getLogger().removeHandler(handler)
    published, unpublished = (await newest(world, target_id=course_id))[:2]
    assert unpublished["request_id"].startswith("req_")
    lines = [orjson.loads(line) for line in written.getvalue().splitlines()]
    (line,) = [line for line in lines if line.get("own_id") == unpublished["request_id"]]
    assert line["request_id"] == "Zenobia.Quartz"
    assert published["request_id"] in {line.get("request_id") for line in lines if "own_id" not in line}


async def test_the_reason_is_told_until_the_person_is_erased(
    world: World, impersonated: tuple[Visitor, Visitor]
) -> None:
    student, _ = impersonated
    (record,) = await newest(world, action="user.impersonate", target_id=student.user_id)
    assert record["reason"] == "Cannot find the quiz"
    await User.rows().update_one({"_id": student.user_id}, {"$set": {"erasing_at": datetime.now(UTC)}})
    await world.house.services.audit.forget_person(student.user_id)
    (record,) = await newest(world, action="user.impersonate", target_id=student.user_id)
    assert record["reason"] is None
    assert (await world.house.services.audit_check.check()).findings == []


async def test_the_page_tells_what_is_wrong_with_the_log(world: World) -> None:
    reader = (await world.house.visitor()).http
    reader.cookies.set("lms_access", world.admin.tokens["access_token"])
    page = f"{world.house.address}/admin/audit?lang=en"
    await world.admin.ok("POST", "/courses", json={"title": "Geometry"})
    record = (await newest(world, limit=1))[0]
    assert "The newest records and the signed end of the log are in order" in (await reader.get(page)).text
    assert (await reader.get(page)).text.count("Course made") >= 1
    await AuditRecord.rows().update_one({"_id": record["seq"]}, {"$set": {"target_id": "crs_another"}})
    assert f"Record {record['seq']} was changed after it was written." in (await reader.get(page)).text
    arabic = (await reader.get(page.replace("en", "ar"))).text
    assert f"غُيّر القيد {record['seq']} بعد كتابته." in arabic
    await AuditRecord.rows().update_one({"_id": record["seq"]}, {"$set": {"target_id": record["target_id"]}})
    shown = (await reader.get(page + "&action=course.create&from=2000-01-01&to=nonsense&after=x")).text
    assert record["target_id"] in shown


async def test_others_do_not_read_it(world: World) -> None:
    for who, status in ((await world.house.student(), 403), (world.teacher, 403), (await world.house.visitor(), 401)):
        await who.refused(status, "GET", "/admin/audit-logs")
    with pytest.raises(Refused):  # nor by another way than the route
        await world.house.services.audit_log.list(Actor("usr_teacher", Role.INSTRUCTOR), AuditQuery())
    auditor = Actor("usr_auditor", Role.STUDENT, frozenset({"audit:view"}))
    assert (await world.house.services.audit_log.state(auditor)).findings == []


async def test_nobody_can_change_it(world: World) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        await world.admin.refused(405, method, "/admin/audit-logs")
