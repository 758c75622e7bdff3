"""What administrators see of background work, and what they do about jobs that nobody could do. By REST, on both lanes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest

from lms_rt.bootstrap import Services
from lms_rt.contracts.jobs import QUEUES, NoArgs, TaskKind, task_kind
from lms_rt.ids import new_id
from lms_rt.services.jobs import Failed, Hopeless, Taken
from tests.clients import Visitor
from tests.house import House
from tests.working import task

WORKER = "wrk_test"
SETTLE = TaskKind("test.settle", "payments", NoArgs)
"""In a queue that nothing else in a school puts jobs into."""


async def nothing(_services: Services, _job: Taken) -> None:
    """Nobody runs it here."""


@pytest.fixture
async def admin(house: House) -> Visitor:
    return await house.admin()


async def waiting(house: House, name: str = "webhooks.deliver", job_id: str = "", **args: Any) -> str:
    """A job that is due; its id."""
    job_id = job_id or new_id("job")
    known = {"webhooks.deliver": {"webhook_id": "whk_1", "event_id": "evt_1"}}
    await house.services.jobs.put(job_id, name, known.get(name, {}) | args)
    return job_id


async def taken(house: House, job_id: str, name: str = "webhooks.deliver") -> Taken:
    """The job, leased by a worker."""
    due = await house.services.jobs.find_due(task_kind(name).queue, limit=1_000)
    found = await house.services.jobs.take(next(one for one in due if one.job_id == job_id), WORKER)
    assert found is not None
    return found


async def dead(
    house: House,
    name: str = "webhooks.deliver",
    *,
    error: str = "There is no such host.",
    job_id: str = "",
    **args: Any,
) -> str:
    """A job that was tried and cannot succeed; its id."""
    made = await waiting(house, name, job_id, **args)
    await house.services.jobs.failed(await taken(house, made, name), Hopeless(error))
    return made


async def queue(admin: Visitor, name: str) -> dict[str, Any]:
    shown = await admin.ok("GET", "/admin/tasks")
    return next(one for one in shown["queues"] if one["queue"] == name)


class TestQueues:
    async def test_every_queue_is_there(self, admin: Visitor) -> None:
        shown = await admin.ok("GET", "/admin/tasks")
        assert [one["queue"] for one in shown["queues"]] == list(QUEUES)
        assert shown["as_of"].endswith("Z")

    async def test_a_job_is_counted_where_it_stands(self, house: House, admin: Visitor) -> None:
        with task(SETTLE, nothing):
            await self.walk(house, admin)

    async def walk(self, house: House, admin: Visitor) -> None:
        before = await queue(admin, "payments")
        assert (before["oldest_seconds"], before["waiting"]) == (None, 0)
        first, second = [await waiting(house, SETTLE.name) for _ in range(2)]
        now = await queue(admin, "payments")
        assert now["waiting"] == 2
        assert now["oldest_seconds"] >= 0
        job = await taken(house, first, SETTLE.name)
        now = await queue(admin, "payments")
        assert (now["waiting"], now["running"]) == (1, 1)
        await house.services.jobs.done(job)
        other = await taken(house, second, SETTLE.name)
        await house.services.jobs.failed(other, Failed("Not now.", retry_after_seconds=3_600))
        now = await queue(admin, "payments")
        assert (now["waiting"], now["running"], now["later"], now["retries"]) == (0, 0, before["later"] + 1, 1)
        assert (now["rate"], now["oldest_seconds"]) == (before["rate"] + 1, None)

    async def test_a_dead_letter_is_counted(self, house: House, admin: Visitor) -> None:
        before = (await queue(admin, "webhooks"))["dead"]
        await dead(house)
        assert (await queue(admin, "webhooks"))["dead"] == before + 1


class TestWorkers:
    def report(self, house: House, **fields: Any) -> dict[str, Any]:
        now = house.services.clock.now()
        known = {"host": "one", "pid": 7, "version": "1", "running": 2, "done": 5, "failed": 1, "started_at": now}
        return {"queues": ["emails"], **known, **fields}

    async def shown(self, admin: Visitor) -> dict[str, dict[str, Any]]:
        listed = await admin.ok("GET", "/admin/tasks/workers")
        assert listed["total"] == len(listed["items"])
        return {one["id"]: one for one in listed["items"]}

    async def test_a_worker_is_shown_as_it_reports_and_gone_when_it_leaves(self, house: House, admin: Visitor) -> None:
        figures, before = house.services.task_figures, (await queue(admin, "emails"))["workers"]
        await figures.report("wrk_one", self.report(house))
        shown = (await self.shown(admin))["wrk_one"]
        assert {name: shown[name] for name in ("host", "pid", "queues", "running", "done", "failed", "is_silent")} == {
            "host": "one",
            "pid": 7,
            "queues": ["emails"],
            "running": 2,
            "done": 5,
            "failed": 1,
            "is_silent": False,
        }
        assert (await queue(admin, "emails"))["workers"] == before + 1
        await figures.leave("wrk_one")
        assert "wrk_one" not in await self.shown(admin)
        assert (await queue(admin, "emails"))["workers"] == before

    async def test_one_that_fell_silent_is_shown_as_lost_and_counts_for_nothing(
        self, house: House, admin: Visitor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = (await queue(admin, "emails"))["workers"]
        await house.services.task_figures.report("wrk_silent", self.report(house))
        monkeypatch.setattr("lms_rt.services.task_figures.SEEN_SECONDS", -1.0)
        assert (await self.shown(admin))["wrk_silent"]["is_silent"]
        assert (await queue(admin, "emails"))["workers"] == 0 <= before
        monkeypatch.setattr("lms_rt.services.task_figures.SHOWN_SECONDS", -1.0)
        assert await self.shown(admin) == {}

    async def test_workers_come_in_pages(self, house: House, admin: Visitor) -> None:
        now = house.services.clock.now()
        for number in range(3):
            fields = self.report(house, started_at=now + timedelta(seconds=number))
            await house.services.task_figures.report(f"wrk_page{number}", fields)
        shown: list[str] = []
        for page in range(1, 1_000):
            listed = await admin.ok("GET", "/admin/tasks/workers", params={"page": page, "page_size": 2})
            shown += [one["id"] for one in listed["items"]]
            if page >= listed["pages"]:
                break
        assert len(shown) == len(set(shown)) == listed["total"]
        assert [id_ for id_ in shown if id_.startswith("wrk_page")] == ["wrk_page0", "wrk_page1", "wrk_page2"]


class TestDeadLetters:
    async def test_the_latest_comes_first_and_filters_narrow(self, house: House, admin: Visitor) -> None:
        first = await dead(house)
        second = await dead(house, "counters.reconcile")
        listed = await admin.ok("GET", "/admin/dead-letters")
        assert [one["id"] for one in listed["items"]][:2] == [second, first]
        for params in ({"queue": "webhooks"}, {"task": "webhooks.deliver"}):
            narrowed = await admin.ok("GET", "/admin/dead-letters", params=params)
            assert narrowed["items"][0]["id"] == first
            assert {one["task"] for one in narrowed["items"]} == {"webhooks.deliver"}
        nothing = await admin.ok("GET", "/admin/dead-letters", params={"queue": "no such queue"})
        assert (nothing["items"], nothing["total"]) == ([], 0)

    async def test_one_says_what_it_was_for_and_why_it_died(self, house: House, admin: Visitor) -> None:
        job_id = await dead(house, error="410 Gone")
        shown = await admin.ok("GET", f"/admin/dead-letters/{job_id}")
        assert shown["args"] == {"webhook_id": "whk_1", "event_id": "evt_1"}
        assert (shown["task"], shown["queue"], shown["state"]) == ("webhooks.deliver", "webhooks", "dead")
        assert (shown["error"], shown["tries"], shown["crashes"]) == ("410 Gone", 1, 0)
        assert shown["created_at"] <= shown["died_at"]

    async def test_one_that_is_sent_again_runs_from_its_first_try(self, house: House, admin: Visitor) -> None:
        job_id = await dead(house)
        again = await admin.ok("POST", f"/admin/dead-letters/{job_id}/retry")
        assert (again["id"], again["state"], again["tries"], again["error"]) == (job_id, "waiting", 0, None)
        await admin.refused(404, "GET", f"/admin/dead-letters/{job_id}")
        await admin.refused(404, "POST", f"/admin/dead-letters/{job_id}/retry")
        job = await taken(house, job_id)
        assert job.failures == 0
        await house.services.jobs.done(job)

    async def test_workers_are_woken_for_one_that_is_sent_again(
        self, house: House, admin: Visitor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        woken: list[tuple[str, str]] = []

        async def wake(queue: str, job_id: str) -> None:
            woken.append((queue, job_id))

        job_id = await dead(house)
        monkeypatch.setattr(house.services.jobs, "wake", wake)
        await admin.ok("POST", f"/admin/dead-letters/{job_id}/retry")
        assert woken == [("webhooks", job_id)]

    async def test_one_that_is_discarded_is_gone(self, house: House, admin: Visitor) -> None:
        job_id = await dead(house)
        assert await admin.ok("DELETE", f"/admin/dead-letters/{job_id}") is None
        for method, path in (("GET", ""), ("POST", "/retry"), ("DELETE", "")):
            await admin.refused(404, method, f"/admin/dead-letters/{job_id}{path}")
        assert job_id not in {one["id"] for one in (await admin.ok("GET", "/admin/dead-letters"))["items"]}

    async def test_a_job_that_lives_is_no_dead_letter(self, house: House, admin: Visitor) -> None:
        """Nobody takes a job away from a worker through here."""
        job_id = await waiting(house)
        for method, path in (("GET", ""), ("POST", "/retry"), ("DELETE", "")):
            await admin.refused(404, method, f"/admin/dead-letters/{job_id}{path}")
        await house.services.jobs.done(await taken(house, job_id))

    async def test_an_id_may_hold_a_timezone(self, house: House, admin: Visitor) -> None:
        job_id = f"{new_id('job')}:Africa/Cairo:2026-11-23"
        await dead(house, job_id=job_id)
        assert (await admin.ok("GET", f"/admin/dead-letters/{quote(job_id, safe='')}"))["id"] == job_id

    async def test_secrets_are_masked(self, house: House, admin: Visitor) -> None:
        secret = "Zk3x-9QvT1mB7hY_2wLr8cPd"
        link = f"https://lms.example/reset?token={secret}"
        data = {"full_name": "Ada", "reset_url": link, "reset_token": secret, "code": "493817", "note": f"go to {link}"}
        job_id = await dead(
            house,
            "mail.send",
            error=f"cannot be read: input_value='{secret}', input_type=str; {link}",
            template="password_reset",
            user_id="usr_1",
            data=data,
        )
        for path in (f"/admin/dead-letters/{job_id}", "/admin/dead-letters"):
            response = await admin.call("GET", path)
            assert secret not in response.text
            assert "493817" not in response.text
        shown = await admin.ok("GET", f"/admin/dead-letters/{job_id}")
        assert (shown["args"]["template"], shown["args"]["data"]["full_name"]) == ("password_reset", "Ada")


@pytest.mark.parametrize("path", ["/admin/tasks", "/admin/tasks/workers", "/admin/dead-letters"])
async def test_only_administrators_look(house: House, path: str) -> None:
    await (await house.visitor()).refused(401, "GET", path)
    for somebody in (await house.student(), await house.teacher()):
        assert (await somebody.refused(403, "GET", path))["code"] == "forbidden"
