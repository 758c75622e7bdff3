"""Workers that die by `kill -9` in the middle of an import of people: the next one goes on, and every row is done exactly once."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import pytest

from documents.enrollment import Enrollment
from documents.job import Job
from documents.user import User
from tests import factories
from tests.conftest import settings_on
from tests.house import open_house
from tests.servers.lms_server import environment_of
from tests.servers.processes import run_forked

SECONDS = 60
ROWS = 120
KILLS = (30, 61)
"""After so many rows of its own each dies: in the first part of fifty, and at the beginning of the third."""


async def test_the_next_worker_goes_on_where_one_was_killed(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    settings = settings_on("embedded", request, tmp_path)
    table = "email,name\n" + "".join(f"row{place}@example.net,Row {place}\n" for place in range(ROWS))
    async with open_house(settings) as house:
        teacher = await house.teacher()
        course_id = (await factories.course(teacher))["id"]
        path = f"/courses/{course_id}/students/import"
        run = await teacher.ok("POST", path, content=table.encode(), headers={"Content-Type": "text/csv"})
    for rows in KILLS:
        command = [sys.executable, "-m", "tests.workers.importing_main", run["id"], str(rows)]
        done = await asyncio.to_thread(run_forked, command, env=environment_of(settings), timeout=SECONDS)
        assert done.returncode == -signal.SIGKILL, done.stderr
    async with open_house(settings) as house:
        await house.services.import_runs.run(run["id"])
        admin = await house.admin()
        ended = await admin.ok("GET", f"/imports/{run['id']}")
        assert (ended["status"], ended["done"], ended["counts"]) == ("finished", ROWS, {"invited": ROWS})
        assert await Enrollment.count_present(course_id) == ROWS
        await house.services.relay.sweep(minimum_age_ms=0)
        ids = [row["_id"] async for row in User.rows().find({"email_key": {"$regex": "^row"}}, {"_id": 1})]
        mails = {"task": "mail.send", "args.template": "invitation", "args.user_id": {"$in": ids}}
        assert (len(ids), await Job.rows().count_documents(mails)) == (ROWS, ROWS)
        assert (await admin.ok("GET", f"/courses/{course_id}"))["enrollments_count"] == ROWS
