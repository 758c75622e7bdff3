"""Workers that die by `kill -9` between any two steps of making a certificate: it is made once, under one number, by the next."""

from __future__ import annotations

import asyncio
import hashlib
import sys
from pathlib import Path

import pytest

from config.settings import Settings
from documents.certificate import Certificate
from documents.stored_file import StoredFile
from tests.conftest import settings_on
from tests.house import House, open_house
from tests.servers.lms_server import environment_of
from tests.servers.processes import run_forked
from tests.services.test_certificates import completed
from tests.workers.certifying_main import POINTS
from tests.working import idle, working

SECONDS = 60


async def killed_everywhere(settings: Settings, enrollment_id: str) -> None:
    command = [sys.executable, "-m", "tests.workers.certifying_main", enrollment_id, *POINTS]
    done = await asyncio.to_thread(run_forked, command, env=environment_of(settings), timeout=SECONDS)
    assert done.stdout.splitlines() == [f"{point}: -9" for point in POINTS], done.stderr


async def ended(house: House, enrollment_id: str) -> None:
    """A worker that lives does the rest, and tells once."""
    async with working(house):
        await idle(house.services)
    [row] = await Certificate.find_of_enrollment(enrollment_id)
    assert row["certificate_number"].endswith("-000001")
    content = b"".join([piece async for piece in house.services.files.content(row["file_id"])])
    assert hashlib.sha256(content).hexdigest() == row["sha256"]
    assert await StoredFile.rows().count_documents({"uses": f"certificate:{row['_id']}"}) == 1
    admin = await house.admin()
    told = (await admin.ok("GET", "/events", params={"type": "certificate.issued"}))["items"]
    assert [one["data"]["id"] for one in told] == [row["_id"]]


async def test_a_certificate_is_made_once_wherever_its_worker_is_killed(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    settings = settings_on("embedded", request, tmp_path)
    async with open_house(settings) as house:
        _, enrollment_id = await completed(house, await house.teacher())
    await killed_everywhere(settings, enrollment_id)
    async with open_house(settings) as house:
        await ended(house, enrollment_id)
