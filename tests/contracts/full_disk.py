"""A process whose files may grow no further for a while: what the embedded store does then, told as one line of JSON.

Run as a module: `python -m tests.contracts.full_disk FILE`. The limit of the process stands for a full disk.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
from pathlib import Path
from typing import Any

from lms_rt.storage.embedded import StoreError, open_store

_TEXT = "x" * 20_000


async def main(path: Path) -> dict[str, Any]:
    """Fill the disk, go on reading, make room, go on writing."""
    client = open_store(path)
    rows, store = client["lms"].rows, client.store
    await rows.insert_one({"_id": "kept", "n": 1})
    _limit(_size(f"{path}-wal") + 100_000)
    seen: dict[str, Any] = {"saved": 0, "error": ""}
    try:
        for n in range(100):
            await rows.insert_one({"_id": f"r{n}", "text": _TEXT})
            seen["saved"] += 1
    except StoreError as error:
        seen["error"] = str(error)
    seen["can_save"] = [store.can_save, store.probe()]
    seen["readable"] = (await rows.find_one({"_id": "kept"}) or {}).get("n")
    seen["in_memory"] = await rows.count_documents({})
    seen["refused_again"] = await _is_refused(rows)
    _limit(resource.RLIM_INFINITY)
    seen["can_save"] += [store.probe()]
    await rows.insert_one({"_id": "after"})
    client.close()
    again = open_store(path)
    seen["in_file"] = await again["lms"].rows.count_documents({})
    again.close()
    return seen


async def _is_refused(rows: Any) -> bool:
    try:
        await rows.update_one({"_id": "kept"}, {"$set": {"n": 2, "text": _TEXT * 10}})
    except StoreError:
        return bool((await rows.find_one({"_id": "kept"}))["n"] == 1)
    return False


def _size(path: str) -> int:
    return Path(path).stat().st_size


def _limit(size_bytes: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, resource.RLIM_INFINITY))


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(main(Path(sys.argv[1])))))
