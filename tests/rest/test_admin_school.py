"""The school in figures, and settings that change while it runs. By REST, on both lanes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from config.settings import VERSION
from config.settings_runtime import CHANGEABLE
from documents.audit_record import AuditRecord
from documents.node import NodeRecord
from documents.runtime_setting import RuntimeSetting
from lms_rt.client.live import LiveClient
from lms_rt.contracts.jobs import QUEUES
from lms_rt.services.node_reports import NodeReports
from lms_rt.services.runtime_settings import RuntimeSettings
from tests import factories
from tests.clients import Visitor
from tests.house import House

PATIENCE_SECONDS = 20


@pytest.fixture
async def admin(house: House) -> Visitor:
    return await house.admin()


@pytest.fixture
def counts_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is fresh for as much as a minute."""
    monkeypatch.setattr("lms_rt.services.admin_stats.FRESH", timedelta(0))


@pytest.mark.usefixtures("counts_anew")
class TestStats:
    async def test_it_counts_what_there_is(self, house: House, admin: Visitor) -> None:
        before = await admin.ok("GET", "/admin/stats")
        teacher, student = await house.teacher(), await house.student()
        course = await factories.course(teacher)
        draft = await teacher.ok("POST", "/courses", json={"title": "A draft"})
        quiz = await factories.quiz(teacher, course["id"])
        await factories.enrolled(student, course["id"])
        await student.ok("POST", "/attempts", json={"quiz_id": quiz["id"]})
        after = await admin.ok("GET", "/admin/stats")
        for name, more in (
            ("courses", 2),
            ("published_courses", 1),
            ("enrollments", 1),
            ("attempts_open", 1),
            ("active_users_30d", 2),
        ):
            assert after[name] - before[name] == more, name
        roles = {role: after["users_by_role"][role] - before["users_by_role"][role] for role in after["users_by_role"]}
        assert roles == {"admin": 0, "instructor": 1, "student": 1}
        await admin.ok("DELETE", f"/users/{student.user_id}")
        assert (await admin.ok("GET", "/admin/stats"))["users_by_role"]["student"] == before["users_by_role"]["student"]
        await teacher.ok("DELETE", f"/courses/{draft['id']}")

    async def test_it_tells_of_the_machinery(self, house: House, admin: Visitor) -> None:
        stats = await admin.ok("GET", "/admin/stats")
        assert stats["version"] == VERSION
        assert stats["queue_lengths"].keys() == set(QUEUES)
        assert stats["database"]["state"] == "ok"
        assert stats["redis"]["state"] == ("unused" if house.services.database.is_embedded else "ok")
        assert stats["storage_bytes"] is None or stats["storage_bytes"] > 0
        assert stats["uptime_seconds"] >= 0
        assert (await admin.ok("GET", "/ready"))["node"] == stats["node"]
        assert stats["node"] in {node["id"] for node in stats["nodes"]}

    async def test_nodes_hear_of_each_other_until_one_leaves_or_falls_silent(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        clock = house.services.clock
        one, two = (
            NodeReports(clock=clock, node_id=name, is_alone=False, connections=lambda: 41)
            for name in ("nod_one", "nod_two")
        )

        async def told(wanted: set[str]) -> None:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while {node.id for node in await one.list()} != wanted:  # noqa: ASYNC110 - nobody tells
                    await asyncio.sleep(0.02)

        others = {node.id for node in await one.list()} - {"nod_one"}
        reporting = asyncio.create_task(two.run())
        await told({"nod_one", "nod_two", *others})
        assert next(node.connections for node in await one.list() if node.id == "nod_two") == 41
        reporting.cancel()
        await told({"nod_one", *others})
        await NodeRecord.report("nod_dead", two.report())
        await told({"nod_one", "nod_dead", *others})
        monkeypatch.setattr("lms_rt.services.node_reports.SEEN_SECONDS", -1.0)
        await told({"nod_one"})
        await NodeRecord.leave("nod_dead")

    async def test_open_sockets_are_counted(self, house: House, admin: Visitor) -> None:
        student = await house.student()
        before = (await admin.ok("GET", "/admin/stats"))["connections"]
        async with LiveClient(f"ws{house.address.removeprefix('http')}/ws", ticket=student.ticket) as live:
            await live.command("ping")
            assert (await admin.ok("GET", "/admin/stats"))["connections"] == before + 1


async def test_what_is_costly_is_counted_once_a_minute(house: House, admin: Visitor) -> None:
    first = await admin.ok("GET", "/admin/stats")
    await house.student()
    again = await admin.ok("GET", "/admin/stats")
    assert (again["counted_at"], again["users_by_role"]) == (first["counted_at"], first["users_by_role"])


@pytest.mark.parametrize("path", ["/admin/stats", "/admin/settings"])
async def test_only_administrators_look(house: House, path: str) -> None:
    await (await house.visitor()).refused(401, "GET", path)
    for somebody in (await house.student(), await house.teacher()):
        await somebody.refused(403, "GET", path)


class TestSettings:
    @pytest.fixture(autouse=True)
    async def as_configured(self, admin: Visitor) -> AsyncIterator[None]:
        """Whatever a test changes is taken back."""
        yield
        await admin.ok("PATCH", "/admin/settings", json=dict.fromkeys(CHANGEABLE))

    async def one(self, admin: Visitor, name: str) -> dict[str, Any]:
        shown = await admin.ok("GET", "/admin/settings")
        found: dict[str, Any] = next(one for one in shown["settings"] if one["name"] == name)
        return found

    async def test_all_are_shown_and_no_secret(self, house: House, admin: Visitor) -> None:
        reply = await admin.call("GET", "/admin/settings")
        shown = {one["name"]: one for one in reply.json()["settings"]}
        assert shown.keys() == house.services.settings.masked().keys()
        assert shown["SECRET_KEY"]["value"] == shown["SECRET_KEY"]["configured"] == "********"
        assert house.services.settings.secret_key.get_secret_value() not in reply.text
        assert {name for name, one in shown.items() if one["is_changeable"]} == {name.upper() for name in CHANGEABLE}
        assert all(one["description"] for one in shown.values())

    async def test_a_change_holds_at_once_and_can_be_taken_back(self, house: House, admin: Visitor) -> None:
        draft = {"email": "teacher.by.word@example.org", "password": "correct horse battery", "full_name": "T"}
        changed = await admin.ok("PATCH", "/admin/settings", json={"ALLOW_PUBLIC_ROLE_REGISTRATION": False})
        version = changed["version"]
        one = await self.one(admin, "ALLOW_PUBLIC_ROLE_REGISTRATION")
        assert (one["value"], one["configured"], one["is_changed"]) == (False, True, True)
        visitor = await house.visitor()
        await visitor.refused(403, "POST", "/auth/register", json={**draft, "role": "instructor"})
        back = await admin.ok("PATCH", "/admin/settings", json={"allow_public_role_registration": None})
        assert back["version"] == version + 1
        one = await self.one(admin, "ALLOW_PUBLIC_ROLE_REGISTRATION")
        assert (one["value"], one["is_changed"]) == (True, False)
        await visitor.ok("POST", "/auth/register", json={**draft, "role": "instructor"})

    async def test_another_version_than_was_read_is_refused(self, admin: Visitor) -> None:
        seen = await admin.call("GET", "/admin/settings")
        tag = {"If-Match": seen.headers["ETag"]}
        await admin.ok("PATCH", "/admin/settings", json={"RETENTION_EVENTS_DAYS": 31}, headers=tag)
        await admin.refused(412, "PATCH", "/admin/settings", json={"RETENTION_EVENTS_DAYS": 32}, headers=tag)
        assert (await self.one(admin, "RETENTION_EVENTS_DAYS"))["value"] == 31

    async def test_of_two_at_once_both_hold(self, admin: Visitor) -> None:
        bodies: list[dict[str, Any]] = [{"RETENTION_EVENTS_DAYS": 40}, {"RATE_LIMIT_LOGIN_PER_MINUTE": 20}]
        await asyncio.gather(*(admin.ok("PATCH", "/admin/settings", json=body) for body in bodies))
        for body in bodies:
            for name, value in body.items():
                assert (await self.one(admin, name))["value"] == value

    @pytest.mark.parametrize(
        "body",
        [
            {"SECRET_KEY": "x" * 40},
            {"PASSWORD_HASH_COST": 4},
            {"TRUSTED_PROXIES": "0.0.0.0/0"},
            {"CORS_ORIGINS": ["*"]},
            {"DEBUG": True},
            {"RETENTION_AUDIT_DAYS": 30},
            {"LOG_LEVEL": "SHOUT"},
            {"RETENTION_EVENTS_DAYS": 0},
            {"RETENTION_EVENTS_DAYS": "31"},
            {"RATE_LIMIT_ENABLED": {"$ne": True}},
            {"LOG_LEVEL": "DEBUG", "log_level": "INFO"},
        ],
    )
    async def test_what_is_not_safe_or_not_sound_is_refused(self, admin: Visitor, body: dict[str, Any]) -> None:
        before = (await admin.ok("GET", "/admin/settings"))["version"]
        await admin.refused(422, "PATCH", "/admin/settings", json=body)
        assert (await admin.ok("GET", "/admin/settings"))["version"] == before

    @pytest.mark.parametrize("name", ["EVENTS", "WEBHOOK_DELIVERIES", "DEAD_LETTERS", "ENDED_SESSIONS"], ids=str.lower)
    async def test_what_tells_who_did_what_stays_a_week_whoever_administers(self, admin: Visitor, name: str) -> None:
        await admin.refused(422, "PATCH", "/admin/settings", json={f"RETENTION_{name}_DAYS": 6})
        await admin.refused(422, "PATCH", "/admin/settings", json={f"RETENTION_{name}_DAYS": 36_501})
        await admin.ok("PATCH", "/admin/settings", json={f"RETENTION_{name}_DAYS": 7})
        await admin.ok("PATCH", "/admin/settings", json={f"RETENTION_{name}_DAYS": None})

    async def test_the_level_of_the_log_moves(self, admin: Visitor) -> None:
        level = logging.getLogger().level
        try:
            await admin.ok("PATCH", "/admin/settings", json={"LOG_LEVEL": "ERROR"})
            assert logging.getLogger().level == logging.ERROR
        finally:
            await admin.ok("PATCH", "/admin/settings", json={"LOG_LEVEL": None})
            logging.getLogger().setLevel(level)

    async def test_each_change_stands_in_the_audit_log(self, admin: Visitor) -> None:
        await admin.ok("PATCH", "/admin/settings", json={"RETENTION_EVENTS_DAYS": 33})
        await admin.ok("PATCH", "/admin/settings", json={"RETENTION_EVENTS_DAYS": 33})  # changes nothing
        newest = AuditRecord.rows().find({"kind": "settings"}).sort("_id", -1).limit(2)
        rows = await newest.to_list(length=2)
        assert (rows[0]["action"], rows[0]["actor_id"]) == ("settings.change", admin.user_id)
        assert [name for name, _ in rows[0]["after"]] == ["RETENTION_EVENTS_DAYS"]

    async def test_another_node_hears_of_it_and_one_that_starts_later_knows(self, house: House, admin: Visitor) -> None:
        services = house.services
        others = [services.settings.model_copy() for _ in range(2)]

        def node(number: int) -> RuntimeSettings:
            return RuntimeSettings(
                settings=others[number], clock=services.clock, bus=services.bus, relay=services.relay
            )

        first = node(0)
        await first.open()
        looking = asyncio.create_task(first.run())
        try:
            await admin.ok("PATCH", "/admin/settings", json={"RETENTION_DONE_JOBS_DAYS": 9})
            async with asyncio.timeout(PATIENCE_SECONDS):
                while others[0].retention_done_jobs_days != 9:  # noqa: ASYNC110 - the word is on its way
                    await asyncio.sleep(0.02)
            second = node(1)
            await second.open()
            assert others[1].retention_done_jobs_days == 9
            await second.close()
        finally:
            looking.cancel()
            await first.close()

    async def test_without_a_word_a_node_looks_by_itself(
        self, house: House, admin: Visitor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("lms_rt.services.runtime_settings.LOOK_SECONDS", 0.05)
        services, own = house.services, house.services.settings.model_copy()
        deaf = RuntimeSettings(settings=own, clock=services.clock, bus=services.bus, relay=services.relay)
        looking = asyncio.create_task(deaf.run())  # never opened: it hears no words
        try:
            await admin.ok("PATCH", "/admin/settings", json={"RETENTION_DEAD_LETTERS_DAYS": 8})
            async with asyncio.timeout(PATIENCE_SECONDS):
                while own.retention_dead_letters_days != 8:  # noqa: ASYNC110 - it looks when its time has come
                    await asyncio.sleep(0.02)
        finally:
            looking.cancel()

    async def test_what_no_version_takes_any_more_is_left_out(
        self, house: House, admin: Visitor, caplog: pytest.LogCaptureFixture
    ) -> None:
        await admin.ok("PATCH", "/admin/settings", json={"RETENTION_EVENTS_DAYS": 34})
        kept = {"values.retention_events_days": -1, "values.of_another_time": 1}
        await RuntimeSetting.rows().update_one({}, {"$set": kept})
        assert (await self.one(admin, "RETENTION_EVENTS_DAYS"))["value"] == 30
        assert "RETENTION_EVENTS_DAYS" in caplog.text
        assert house.services.settings.retention_events_days == 30
