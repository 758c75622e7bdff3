"""`python -m tests.browser.operated_school DATA`: a school with an administrator, a worker's report and jobs that failed for good.

Nobody runs jobs here, so that what a test sees is what it did. Each dead letter is named by its error; each is one test's.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

from config.logging import set_up_logging
from config.settings import Settings
from documents.enums import Role
from documents.user import User
from lms_rt.contracts.accounts import find_email_key
from lms_rt.contracts.actor import Actor
from lms_rt.ids import new_id
from lms_rt.services.audit import Audit
from lms_rt.services.demo import DEMO_PASSWORD
from lms_rt.services.jobs import Hopeless
from lms_rt.services.user_search import found_by
from tests.house import House, open_house

ADMIN_EMAIL = "admin@example.org"
LETTERS = ("to be sent again", "to be discarded", "to be sent again without scripts", "to be discarded without scripts")
LONG_ERROR = "550 5.1.1 <ada@example.org>: Recipient address rejected: " + "x" * 300
TIMEZONE_ID = "reconcile:Africa/Cairo:2026-11-21"
REASON = "Cannot find the quiz"
PERSON_ID, LEAVING_ID = "usr_lina", "usr_leaving"
PEOPLE = 24
SECRET = "Zk3x-9QvT1mB7hY_2wLr8cPd"
_MAIL = {
    "template": "password_reset",
    "user_id": "usr_1",
    "data": {"full_name": "Ada", "reset_url": f"https://lms.example/reset?token={SECRET}"},
}


async def _dead(house: House, task: str, args: dict[str, object], *, error: str, job_id: str = "") -> None:
    jobs, job_id = house.services.jobs, job_id or new_id("job")
    await jobs.put(job_id, task, args)
    queue = "emails" if task == "mail.send" else "webhooks" if args else "progress"
    due = next(one for one in await jobs.find_due(queue, limit=100) if one.job_id == job_id)
    taken = await jobs.take(due, "wrk_gone")
    assert taken is not None
    await jobs.failed(taken, Hopeless(error))


async def _act(audit: Audit, admin_id: str) -> None:
    """What the administrator did before: in somebody's place, who is gone by now, and with a course."""
    admin, stand_in = Actor(admin_id, Role.ADMIN), Actor(new_id("usr"), Role.STUDENT, impersonator_id=admin_id)
    await audit.record(admin, "user.impersonate", kind="user", target_id=stand_in.user_id, reason=REASON)
    await audit.record(stand_in, "impersonation.use", kind="page", target_id="GET /home")
    change = {"title": "Algebra", "description": "Lines.", "is_published": True}
    await audit.record(admin, "course.change", kind="course", target_id=new_id("crs"), after=change)


async def _person(house: House, user_id: str, full_name: str, **fields: Any) -> None:
    """Somebody under an id that tests know."""
    email, now = f"{user_id.removeprefix('usr_')}@example.org", house.services.clock.now()
    made = {"email": email, "email_key": find_email_key(email), "full_name": full_name, "role": Role.STUDENT}
    times = {"created_at": now, "updated_at": now}
    user = {"password_hash": "x", **made, **times, **found_by(full_name, email), **fields}
    assert await User.add(User(id=user_id, **user))


async def _settle(house: House) -> None:
    """People in every state, and more than a page of them."""
    now = house.services.clock.now()
    await _person(house, PERSON_ID, "Lina Long" + "g" * 60, email_verified_at=now, last_login_at=now)
    await _person(house, LEAVING_ID, "ليلى حسن", is_active=False, erase_at=now + timedelta(days=14))
    await _person(house, "usr_closed", "Klara Closed", is_active=False, role=Role.INSTRUCTOR)
    await _person(house, "usr_invited", "Ivo Invited", password_hash="", permissions=["audit:view"])
    for number in range(4, PEOPLE):
        await _person(house, f"usr_{number}", f"Nora {number}")


async def _furnish(house: House) -> None:
    admin = await house.services.accounts.create_admin(ADMIN_EMAIL, DEMO_PASSWORD, "Ada Admin")
    await _settle(house)
    await _act(house.services.audit, admin.id)
    for error in LETTERS:
        await _dead(house, "webhooks.deliver", {"webhook_id": "whk_1", "event_id": "evt_1"}, error=error)
    await _dead(house, "mail.send", dict(_MAIL), error=LONG_ERROR)
    await _dead(house, "counters.reconcile", {}, error="not to be reconciled", job_id=TIMEZONE_ID)
    report = {
        "host": "node-a",
        "pid": 7,
        "version": "1.0",
        "queues": ["emails", "webhooks"],
        "running": 1,
        "done": 1_234,
    }
    await house.services.task_figures.report("wrk_1", {**report, "failed": 2, "started_at": house.services.clock.now()})


async def _serve(data: Path) -> None:
    key = "0123456789abcdefghijklmnopqrstuv"  # of no use outside the tests
    settings = Settings(
        _env_file=None,
        lms_data_dir=data,
        http_port=0,
        password_hash_cost=4,
        secret_key=key,
        password_pepper=key[::-1],
        log_level="ERROR",
    )
    set_up_logging(settings)
    async with open_house(settings) as house:
        await _furnish(house)
        print(f"ready on {house.address}", flush=True)  # noqa: T201 - what the test waits for
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1])))
