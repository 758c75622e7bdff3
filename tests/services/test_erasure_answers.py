"""Erasing from kept answers, while the process has others to serve."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, cast

import pytest

from documents.idempotency import IdempotencyRecord
from lms_rt.clock import FakeClock
from lms_rt.contracts.base import encode
from lms_rt.services import erasure_steps
from lms_rt.services.erasure_steps import Ground
from lms_rt.services.withholding import Leaving, withheld

pytestmark = pytest.mark.usefixtures("database")

LEAVING = Leaving("usr_zoe", "Zenobia Quartz", "zoe@example.org", "zoe@example.org")
ANSWERS = {
    "usr_ada:named": encode({"id": "crs_1", "text": "Ask Zenobia Quartz"}),
    "usr_ada:other": encode({"id": "crs_2", "text": "Ask somebody"}),
    "usr_ada:unread": b"Zenobia Quartz,1",
    "usr_zoe:own": encode({}),
}


async def test_others_are_served_while_kept_answers_are_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    row: dict[str, Any] = {"body_hash": "x", "state": "done", "started_ms": 1, "lease_until_ms": 1, "head": {}}
    await IdempotencyRecord.rows().insert_many([{"_id": key, **row, "content": one} for key, one in ANSWERS.items()])
    served = threading.Event()

    def searched(value: Any, leaving: Leaving) -> Any:
        loop.call_soon_threadsafe(asked.set)
        assert served.wait(5), "the loop stood still"
        return withheld(value, leaving)

    async def serve() -> None:
        await asked.wait()
        served.set()

    loop, asked = asyncio.get_running_loop(), asyncio.Event()
    monkeypatch.setattr(erasure_steps, "withheld", searched)
    ground = Ground(files=cast("Any", None), clock=FakeClock(), leaving=LEAVING, job_id="job_1")
    await asyncio.gather(erasure_steps.idempotency(ground), serve())
    kept = {one["_id"]: bytes(one["content"]) async for one in IdempotencyRecord.rows().find({})}
    assert kept == {
        "usr_ada:named": encode({"id": "crs_1", "text": "Ask \u2026"}),
        "usr_ada:other": ANSWERS["usr_ada:other"],
    }
