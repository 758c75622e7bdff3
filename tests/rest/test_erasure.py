"""Erasing a person: seeded everywhere, found nowhere afterwards, and the school's own figures and order still stand. On both lanes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta

import pytest

from documents.attempt import Attempt
from documents.event_record import EventRecord
from documents.export import Export
from documents.idempotency import IdempotencyRecord
from documents.job import Job
from documents.session import Session
from documents.user import User
from documents.webhook import Webhook
from lms_rt.services import erasure
from lms_rt.services.erasure_map import steps_of
from lms_rt.services.erasure_steps import Ground
from tests.conftest import _ENGINES, settings_on
from tests.house import PASSWORD, House, open_house
from tests.live.node_school import watching
from tests.rest.everywhere import ADDRESS, NAME, TEXTS, Everywhere, Needled, seeded, traces
from tests.working import PATIENCE_SECONDS, idle, working


@pytest.fixture(params=_ENGINES)
async def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """A school of its own for every test, behind a proxy that tells from where people come."""
    wishes = {"trusted_proxies": ("127.0.0.0/8",)}
    settings = settings_on(str(request.param), request, tmp_path_factory.mktemp("house"), **wishes)
    async with open_house(settings) as opened, working(opened):
        yield opened


@pytest.fixture
async def everywhere(house: House) -> AsyncIterator[Everywhere]:
    async with AsyncExitStack() as stack:
        person = await stack.enter_async_context(Needled.of(house.address))
        yield await seeded(house, person)


async def let_pass(house: House, user_id: str) -> None:
    """Let the time until the end pass, and the end come."""
    now = house.services.clock.now()
    await User.rows().update_one({"_id": user_id}, {"$set": {"erase_at": now}})
    await Job.rows().update_many({"task": "erasure.run"}, {"$set": {"due_at": now}})
    await idle(house.services)


async def erased(house: House, everywhere: Everywhere) -> None:
    admin, user_id = await house.admin(), everywhere.person.user_id
    await admin.ok("DELETE", f"/users/{user_id}", params={"erase": "true"})
    await idle(house.services)
    await let_pass(house, user_id)
    assert (await User.rows().find_one({"_id": user_id}) or {}).get("erased_at") is not None


async def test_nothing_of_the_person_is_left_anywhere(
    house: House, everywhere: Everywhere, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "lms_rt")
    seen = {place.split(" ")[0] for place in await traces(house.services)}
    # else this test would search for what was never there
    assert seen >= {
        "attempts",
        "announcements",
        "enrollments",
        "events",
        "jobs",
        "messages",
        "notifications",
        "sessions",
        "audit_reasons",
        "stored_files",
    }
    assert seen >= {"spare_tickets", "sent_mails", "users", "webhook_deliveries"}
    assert "memory" in seen or "redis" in seen
    channel = f"course:{everywhere.course['id']}"
    async with watching(everywhere.person) as screen:
        await screen.ok("subscribe", channel=channel)
        await erased(house, everywhere)
        await screen.until(lambda: screen.is_over or None)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (await house.services.bus.presence.members_of([channel]))[channel]:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.02)
    assert not await traces(house.services)
    assert not [needle for needle in TEXTS if needle.casefold() in caplog.text.casefold()]
    user_id = everywhere.person.user_id
    assert await IdempotencyRecord.rows().find_one({"_id": {"$regex": f"^{user_id}:"}}) is None
    assert await Export.find_newest(user_id) is None
    far = house.services.clock.now() + timedelta(days=1)
    assert await house.services.file_store.find_ids(before=far, limit=9) == []


async def test_what_is_the_schools_stays_and_leads_to_nobody(house: House, everywhere: Everywhere) -> None:
    teacher, other, user_id = everywhere.teacher, everywhere.other, everywhere.person.user_id
    before = await teacher.ok("GET", f"/courses/{everywhere.course['id']}")
    events = [row["_id"] async for row in EventRecord.rows().find({}, {"_id": 1})]
    await erased(house, everywhere)
    attempt = await Attempt.find_whole(everywhere.attempt_id)
    assert attempt is not None
    assert attempt["student_id"] == user_id
    assert not {"receipt", "receipt_head"} & attempt.keys()
    await teacher.refused(404, "GET", f"/attempts/{everywhere.attempt_id}/receipt")
    assert [one["value"] for one in attempt["answers"].values() if one["value"] is not None] == [True]
    closed = await Attempt.find_state(everywhere.open_attempt_id)
    assert closed is not None
    assert closed["status"] == "abandoned"
    after = await teacher.ok("GET", f"/courses/{everywhere.course['id']}")
    assert after["enrollments_count"] == before["enrollments_count"] - 1
    roster = await teacher.ok("GET", f"/courses/{everywhere.course['id']}/students", params={"status": "dropped"})
    assert [(one["student_id"], one["full_name"], one["email"]) for one in roster["items"]] == [(user_id, "…", None)]
    own = await other.ok("GET", f"/courses/{everywhere.own_course['id']}")
    assert own["title"] == "Rivers"
    kept = [row["_id"] async for row in EventRecord.rows().find({}, {"_id": 1})]
    assert sorted(kept) == list(range(1, len(kept) + 1))
    assert set(events) <= set(kept)
    admin = await house.admin()
    hook = await Webhook.rows().find_one({"_id": "whk_x"})
    assert hook is not None
    assert hook["created_by"] == admin.user_id
    told = EventRecord.rows().find({"type": "user.deactivated", "data.id": user_id}).sort("_id", 1)
    assert [one["data"]["reason"] async for one in told] == ["deleted", "erased"]


async def test_the_account_is_nobodys_and_its_address_is_free(house: House, everywhere: Everywhere) -> None:
    person = everywhere.person
    await erased(house, everywhere)
    await person.refused(401, "GET", "/users/me")
    visitor = await house.visitor()
    await visitor.refused(401, "POST", "/auth/login", json={"email": ADDRESS, "password": PASSWORD})
    address = f"erased+{person.user_id}@erased.invalid"
    await visitor.refused(401, "POST", "/auth/login", json={"email": address, "password": PASSWORD})
    await visitor.register(ADDRESS, PASSWORD, NAME)
    assert visitor.user_id != person.user_id
    admin = await house.admin()
    await admin.refused(404, "DELETE", f"/users/{person.user_id}", params={"erase": "true"})


async def test_the_audit_log_still_stands(house: House, everywhere: Everywhere) -> None:
    admin, user_id = await house.admin(), everywhere.person.user_id
    await admin.ok("PATCH", f"/admin/users/{user_id}", json={"permissions": ["audit:view"]})
    await erased(house, everywhere)
    log = await admin.ok("GET", "/admin/audit-logs", params={"target_id": user_id})
    assert {one["action"] for one in log["items"]} >= {"user.change", "user.erase"}
    assert not [needle for needle in TEXTS if needle in str(log)]
    verdict = await house.services.audit_check.check()
    assert verdict.is_whole, verdict


async def test_one_that_was_interrupted_anywhere_is_brought_to_its_end(
    house: House, everywhere: Everywhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker dies in the midst, again and again, each time a step later; another begins anew."""
    services, user_id = house.services, everywhere.person.user_id
    admin = await house.admin()
    await admin.ok("DELETE", f"/users/{user_id}", params={"erase": "true"})
    await idle(services)
    await Job.rows().delete_many({"task": "erasure.run"})
    await User.rows().update_one({"_id": user_id}, {"$set": {"erase_at": services.clock.now()}})
    steps = steps_of()
    for last in range(0, 2 * len(steps), 3):
        taken = 0

        async def dies(ground: Ground) -> None:
            nonlocal taken
            if taken == last:  # noqa: B023 - within this round
                raise ConnectionError("killed")
            taken += 1
            await steps[(taken - 1) % len(steps)](ground)

        monkeypatch.setattr(erasure, "steps_of", lambda: (dies,) * len(steps))
        with pytest.raises(ConnectionError):
            await services.erasure.run(user_id, job_id="job_x")
    monkeypatch.setattr(erasure, "steps_of", lambda: steps)
    await services.erasure.run(user_id, job_id="job_x")
    await idle(services)
    assert not await traces(services)
    await services.erasure.run(user_id, job_id="job_x")  # and once more is as good
    assert not await traces(services)


async def test_whoever_leaves_by_themself_is_erased_when_the_time_of_grace_is_over(house: House) -> None:
    student = await house.student("Wilhelmina Ephemeral")
    await student.ok("DELETE", "/users/me", json={"password": PASSWORD})
    await idle(house.services)
    assert await traces(house.services, ["Wilhelmina"])
    await house.services.erasure.run(student.user_id, job_id="job_early")  # not yet
    assert await traces(house.services, ["Wilhelmina"])
    await let_pass(house, student.user_id)
    assert await traces(house.services, ["Wilhelmina", student.user["email"]]) == []


async def test_what_somebody_wrote_who_was_let_in_before_goes_too(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    student = await house.student("Wilhelmina Ephemeral")
    await student.ok("DELETE", "/users/me", json={"password": PASSWORD})
    await idle(house.services)
    bury = house.services.erasure._bury

    async def late(user_id: str) -> None:
        now = house.services.clock.now()
        row = {"user_id": user_id, "device": "Wilhelmina's phone", "created_at": now, "idle_until": now}
        await Session.rows().insert_one({"_id": "fam_late", **row})
        await bury(user_id)

    monkeypatch.setattr(house.services.erasure, "_bury", late)
    await let_pass(house, student.user_id)
    assert not await traces(house.services, ["Wilhelmina"])
