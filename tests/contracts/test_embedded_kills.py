"""What the embedded store acknowledged survives `kill -9`, and nothing is there by halves.

The test is shown to see: two faults are planted in the store, and it must notice each.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from lms_rt.storage.embedded import open_store
from tests.contracts.store_writer import GROUP

_ROOT = Path(__file__).resolve().parents[2]
_KILLS, _SOAK_KILLS, _KILLS_TO_NOTICE = 10, 100, 40


@dataclass
class Acknowledged:
    """Everything that the writers were told is done, over all their lives."""

    groups: set[str] = field(default_factory=set)
    counts: dict[str, int] = field(default_factory=dict)
    removed: set[str] = field(default_factory=set)

    def take(self, lines: list[str]) -> None:
        for line in lines:
            match line.split():
                case ["inserted", group]:
                    self.groups.add(group)
                case ["counted", writer, n]:
                    self.counts[f"w{writer}"] = int(n)
                case ["removed", _id]:
                    self.removed.add(_id)


async def _faults(path: Path, told: Acknowledged) -> list[str]:
    """What the file lacks, or holds by halves."""
    client = open_store(path)
    try:
        database = client["lms"]
        found = Counter([row["group"] async for row in database.groups.find({})])
        counters = {row["_id"]: row async for row in database.counters.find({})}
        passing = {row["_id"] async for row in database.passing.find({})}
    finally:
        client.close()
    half = [f"{group} has {n} of {GROUP}" for group, n in found.items() if n != GROUP]
    half += [f"{name} is {row}" for name, row in counters.items() if row["n"] != row["again"]]
    lost = [f"{group} is lost" for group in told.groups - found.keys()]
    lost += [f"{name} is behind {n}" for name, n in told.counts.items() if counters.get(name, {"n": 0})["n"] < n]
    return half + lost + [f"{_id} is back" for _id in told.removed & passing]


def _killed_writer(path: Path, fault: str, rng: random.Random) -> list[str]:
    """Start the writers, kill them at a random moment; everything that they told before."""
    command = [sys.executable, "-m", "tests.contracts.store_writer", str(path), fault]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=_ROOT, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(rng.randint(2, 300))]
        time.sleep(rng.random() * 0.02)  # not to wait for anything: else every kill came just after an answer
        os.kill(process.pid, signal.SIGKILL)
        lines += process.stdout.readlines()
    assert process.returncode == -signal.SIGKILL, "the writers ended by themselves"
    assert lines[0] == "ready\n"
    return [line for line in lines if line.endswith("\n")]


async def _kill_until_noticed(path: Path, fault: str, kills: int) -> list[str]:
    told, rng = Acknowledged(), random.Random(7)  # noqa: S311 - not for secrets
    for _ in range(kills):
        told.take(_killed_writer(path, fault, rng))
        if faults := await _faults(path, told):
            return faults
    assert told.groups, "nothing was ever acknowledged"
    return []


async def test_nothing_acknowledged_is_lost_to_kills(tmp_path: Path) -> None:
    assert await _kill_until_noticed(tmp_path / "lms.db", "", _KILLS) == []


@pytest.mark.soak
@pytest.mark.timeout(900)
async def test_nothing_acknowledged_is_lost_to_many_kills(tmp_path: Path) -> None:
    assert await _kill_until_noticed(tmp_path / "lms.db", "", _SOAK_KILLS) == []


async def test_a_commit_that_comes_late_is_noticed(tmp_path: Path) -> None:
    faults = await _kill_until_noticed(tmp_path / "lms.db", "late", _KILLS_TO_NOTICE)
    assert any("lost" in fault or "behind" in fault or "back" in fault for fault in faults)


async def test_a_commit_for_each_document_is_noticed(tmp_path: Path) -> None:
    faults = await _kill_until_noticed(tmp_path / "lms.db", "piecemeal", _KILLS_TO_NOTICE)
    assert any(f"of {GROUP}" in fault for fault in faults)
