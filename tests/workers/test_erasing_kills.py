"""Workers that die by `kill -9` while they erase somebody: whoever comes next brings it to its end."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

from config.settings import Settings
from documents.job import Job
from documents.user import User
from lms_rt.bootstrap import open_services
from tests.conftest import settings_on
from tests.house import House, open_house
from tests.rest.everywhere import Needled, seeded, traces
from tests.servers.lms_server import environment_of
from tests.servers.processes import run_forked
from tests.working import idle, working

SECONDS = 60
LIVES = (7, 21, 999)
"""After so many steps each of them dies; the last one lives. Beyond the first time through, the account is emptied already."""


def ended(settings: Settings, user_id: str, steps: int) -> int:
    command = [sys.executable, "-m", "tests.workers.erasing_main", user_id, str(steps)]
    return run_forked(command, env=environment_of(settings), timeout=SECONDS).returncode


async def somebody(house: House) -> str:
    """Somebody who was everywhere, and is to be erased."""
    admin = await house.admin()
    async with Needled.of(house.address) as person, working(house):
        await seeded(house, person)
        await admin.ok("DELETE", f"/users/{person.user_id}", params={"erase": "true"})
        await idle(house.services)
        await Job.rows().delete_many({"task": "erasure.run"})
        return person.user_id


async def test_whoever_is_killed_in_the_midst_is_followed_by_one_that_ends_it(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    settings = settings_on("embedded", request, tmp_path, trusted_proxies=("127.0.0.0/8",))
    async with open_house(settings) as house:
        user_id = await somebody(house)
    ends = [ended(settings, user_id, steps) for steps in LIVES]
    assert ends == [*([-signal.SIGKILL] * (len(LIVES) - 1)), 0]
    async with open_services(settings) as services:
        row = await User.rows().find_one({"_id": user_id})
        assert row is not None
        assert "erased_at" in row
        assert not await traces(services)
