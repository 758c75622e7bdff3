"""A process dies by `kill -9` at each step of what follows a write, one step after another: nothing is lost, own data moves once.

What the outside world sees (a mail, a webhook) may be repeated, with the same id, as often as somebody was killed.
"""

from __future__ import annotations

import json
import signal
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from config.settings import Settings
from documents.base import Aggregate
from documents.course import Course
from documents.event_record import EventRecord
from documents.job import Job
from lms_rt.bus.redis.bus import open_redis_bus
from lms_rt.clock import Clock
from lms_rt.storage.mongo import open_database
from tests.conftest import settings_on
from tests.servers.lms_server import environment_of
from tests.servers.processes import run_forked
from tests.workers.crash_main import ACCOUNT, CHANNEL, MIDDLES, POINTS

pytestmark = pytest.mark.real

WALK = [*POINTS, *MIDDLES]
SECONDS = 120


@dataclass
class Walked:
    """What all the lives left."""

    settings: Settings
    ends: dict[str, int]
    notes: list[list[str]]
    account: dict[str, Any]
    events: list[dict[str, Any]]
    jobs: list[dict[str, Any]]
    written: set[str]
    outboxes: int
    told: list[str]

    def wanted(self, kind: str) -> set[str]:
        """The ids of the intents of this kind that were written: who was killed may have meant to, and not done it."""
        meant = [json.loads(words) for what, words in self.notes if what == "meant"]
        return {one[kind] for one in meant if one["name"] in self.written}

    def seen(self, what: str) -> Counter[str]:
        """How often what was seen outside, by id."""
        return Counter(name for noted, name in self.notes if noted == what)


def run_lives(settings: Settings, notes: Path) -> dict[str, int]:
    given = json.dumps({"points": WALK, "notes": str(notes)})
    command = [sys.executable, "-m", "tests.workers.crash_main", given]
    ended = run_forked(command, env=environment_of(settings), timeout=SECONDS)
    assert ended.returncode == 0, ended
    return dict(json.loads(line) for line in ended.stdout.splitlines())


@pytest.fixture(scope="module")
async def walked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Walked:
    folder = tmp_path_factory.mktemp("walk")
    settings = settings_on("real", request, folder)
    ends = run_lives(settings, folder / "notes")
    notes = [line.split(" ") for line in (folder / "notes").read_text().splitlines()]
    url, name = settings.redis_url.get_secret_value(), settings.mongodb_database
    async with open_database(settings) as database, open_redis_bus(url, name, Clock()) as bus:
        await bus.open()
        stretch = await bus.history.read(CHANNEL, after=0)
        seen = Walked(
            settings=settings,
            ends=ends,
            notes=notes,
            account=await database.motor["crash_accounts"].find_one({"_id": ACCOUNT}) or {},
            events=await EventRecord.rows().find({}).sort("_id").to_list(None),
            jobs=await Job.rows().find({}).to_list(None),
            written=set(await Course.rows().distinct("_id")),
            outboxes=await _pending(Course),
            told=[published.event.event_id for published in stretch.events],
        )
        await database.motor.client.drop_database(name)
    return seen


async def _pending(document: type[Aggregate]) -> int:
    return await document.rows().count_documents(
        {"$or": [{"outbox_at": {"$exists": True}}, {"outbox.0": {"$exists": True}}]}
    )


@pytest.mark.parametrize("point", WALK)
def test_somebody_was_killed_there(walked: Walked, point: str) -> None:
    assert walked.ends[point] == -signal.SIGKILL


def test_the_last_life_found_an_end(walked: Walked) -> None:
    assert walked.ends[""] == 0
    assert walked.outboxes == 0
    assert Counter(row["state"] for row in walked.jobs) == {"done": len(walked.jobs)}


def test_every_event_was_told_once_and_recorded_once_without_gaps(walked: Walked) -> None:
    wanted = walked.wanted("event")
    assert len(wanted) >= len(WALK)
    assert Counter(walked.told) == Counter(wanted)
    assert Counter(row["event_id"] for row in walked.events) == Counter(wanted)
    assert [row["_id"] for row in walked.events] == list(range(1, len(wanted) + 1))


def test_own_data_moved_once_for_each(walked: Walked) -> None:
    for kind, total in (("effect", "total_effects"), ("event", "total_events"), ("job", "total_jobs")):
        assert walked.account[total] == len(walked.wanted(kind)), kind


@pytest.mark.parametrize(("kind", "what"), [("job", "sent"), ("event", "followed")])
def test_the_world_outside_saw_everything_and_repeats_only_after_a_kill(walked: Walked, kind: str, what: str) -> None:
    seen, wanted = walked.seen(what), walked.wanted(kind)
    assert set(seen) == wanted, "none missing, none made up"
    assert seen.total() - len(wanted) <= len(WALK)
    assert any(seen[name] > 1 for name in wanted) or what != "sent", "somebody died between sending and telling"
