"""The embedded store costs as much at 10,000 documents as at 100: ratios of CPU time, which no busy neighbour changes."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from lms_rt.storage.embedded import EmbeddedClient, open_store

_FEW, _MANY, _MEASURED = 100, 10_000, 200
_MOST = 4.0
"""Without the index an insert among 10,000 costs some 100 times one among 100; with it, the same."""


@pytest.fixture
def client(tmp_path: Path) -> Iterator[EmbeddedClient]:
    with closing(open_store(tmp_path / "lms.db")) as opened:
        yield opened


async def _filled(client: EmbeddedClient, name: str, size: int) -> Any:
    rows = client["lms"][name]
    await rows.create_index("email", unique=True)
    await rows.create_index([("course", 1), ("status", 1)])
    await rows.create_index("outbox_at", sparse=True)
    await rows.insert_many([_row(n) for n in range(size)])
    return rows


def _row(n: int) -> dict[str, Any]:
    return {"_id": f"usr_{n}", "email": f"{n}@x", "course": f"c{n // 20}", "status": "active", "n": n}


async def _insert(rows: Any, n: int) -> None:
    await rows.insert_one(_row(1_000_000 + n))


async def _update(rows: Any, n: int) -> None:
    await rows.update_one({"email": f"{n % _FEW}@x"}, {"$inc": {"n": 1}})


async def _find(rows: Any, n: int) -> None:
    await rows.find({"course": f"c{n % 5}", "status": "active"}).sort("n", -1).to_list(None)


async def _find_by_ids(rows: Any, n: int) -> None:
    await rows.find({"_id": {"$in": [f"usr_{n % _FEW}", f"usr_{(n + 7) % _FEW}"]}}).to_list(None)


async def _sweep(rows: Any, n: int) -> None:
    await rows.find({"outbox_at": {"$lt": n}}).sort("outbox_at", 1).to_list(None)


async def _cost(rows: Any, step: Callable[[Any, int], Awaitable[None]]) -> float:
    await step(rows, _MEASURED)
    started = time.process_time()
    for n in range(_MEASURED):
        await step(rows, n)
    return time.process_time() - started


@pytest.mark.parametrize(
    "step", [_insert, _update, _find, _find_by_ids, _sweep], ids=["insert", "update", "find", "ids", "sweep"]
)
async def test_a_step_costs_the_same_among_many(
    client: EmbeddedClient, step: Callable[[Any, int], Awaitable[None]]
) -> None:
    few, many = await _filled(client, "few", _FEW), await _filled(client, "many", _MANY)
    assert await _cost(many, step) < _MOST * max(await _cost(few, step), 0.005)
