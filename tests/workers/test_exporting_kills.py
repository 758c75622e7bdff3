"""Workers that die by `kill -9` while they write somebody's copy: what they left goes with the person, or with the next try."""

from __future__ import annotations

import asyncio
import signal
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from config.settings import Settings
from documents.base import Row
from documents.export import Export
from documents.job import Job
from documents.user import User
from lms_rt.clock import Clock
from lms_rt.storage.backup import UPLOADS_NAME
from tests.conftest import settings_on
from tests.house import House, open_house
from tests.servers.lms_server import environment_of
from tests.servers.processes import run_forked
from tests.working import idle, working

SECONDS = 60


async def killed(settings: Settings, export_id: str) -> None:
    command = [sys.executable, "-m", "tests.workers.exporting_main", export_id]
    done = await asyncio.to_thread(run_forked, command, env=environment_of(settings), timeout=SECONDS)
    assert done.returncode == -signal.SIGKILL, done.stderr


async def pieces(house: House) -> int:
    """How many pieces of files there are in the bucket, whole or not."""
    return await house.services.database.motor["files.chunks"].count_documents({})


async def begun(house: House) -> tuple[str, str]:
    """Somebody, and a copy that nobody made yet."""
    student = await house.student("Sara Saleh")
    made = await student.ok("POST", "/users/me/export")
    await Job.rows().delete_many({"task": "exports.build"})
    return student.user_id, made["id"]


async def erased(house: House, user_id: str) -> None:
    async with working(house):
        await (await house.admin()).ok("DELETE", f"/users/{user_id}", params={"erase": "true"})
        await idle(house.services)
        await User.rows().update_one({"_id": user_id}, {"$set": {"erase_at": Clock().now()}})
        await Job.rows().update_many({"task": "erasure.run"}, {"$set": {"due_at": Clock().now()}})
        await idle(house.services)


async def test_what_a_killed_worker_left_on_the_disk_goes_with_the_person(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    settings = settings_on("embedded", request, tmp_path)
    async with open_house(settings) as house:
        user_id, export_id = await begun(house)
    await killed(settings, export_id)
    assert len(list((settings.lms_data_dir / UPLOADS_NAME).iterdir())) == 1
    async with open_house(settings) as house:
        await erased(house, user_id)
        assert await Export.find_row(export_id) is None
    assert list((settings.lms_data_dir / UPLOADS_NAME).iterdir()) == []


@pytest.mark.real
async def test_what_killed_workers_left_in_the_bucket_goes(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """With the person, with the next try that comes to its end, and in time."""
    settings = settings_on("real", request, tmp_path)
    async with open_house(settings) as house:
        user_id, export_id = await begun(house)
        await killed(settings, export_id)
        assert await pieces(house) > 0
        await erased(house, user_id)
        assert (await Export.find_row(export_id), await pieces(house)) == (None, 0)

        _, export_id = await begun(house)
        await killed(settings, export_id)
        await house.services.exports.build(export_id)
        row = await Export.find_row(export_id)
        assert row is not None
        assert row["status"] == "ready"
        assert [one async for one in house.services.file_store.read(row["file_id"])]
        assert await pieces(house) == 1

        _, forgotten_id = await begun(house)
        await killed(settings, forgotten_id)
        old: Row = {"$set": {"created_at": Clock().now() - timedelta(days=30)}, "$unset": {"outbox_at": ""}}
        await Export.rows().update_one({"_id": forgotten_id}, old)
        assert (await house.services.retention.clean_up())["exports"] == 1
        assert await pieces(house) == 1
