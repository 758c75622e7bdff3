"""The embedded store in use: a command is saved or undone, indexes come back, a full disk is survived and told."""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from bson.errors import InvalidDocument
from pymongo import WriteConcern
from pymongo.errors import DocumentTooLarge, DuplicateKeyError, OperationFailure

from lms_rt.storage.embedded import EmbeddedClient, StoreError, collection_data, open_store

_ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def client(tmp_path: Path) -> Iterator[EmbeddedClient]:
    with closing(open_store(tmp_path / "lms.db")) as opened:
        yield opened


async def _reopened(client: EmbeddedClient) -> EmbeddedClient:
    client.close()
    return open_store(client.store.path)


async def test_everything_comes_back_in_its_order(client: EmbeddedClient) -> None:
    at = datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)
    written = [{"_id": name, "at": at, "n": 2**40, "l": [1, {"k": None}], "t": "ب𝄞"} for name in "cab"]
    await client["lms"].rows.insert_many(written)
    await client["lms"].rows.update_one({"_id": "c"}, {"$set": {"n": 1}})
    before = await client["lms"].rows.find({}).to_list(None)
    with closing(await _reopened(client)) as again:
        assert await again["lms"].rows.find({}).to_list(None) == before
    assert [row["_id"] for row in before] == list("cab")


async def test_a_command_that_fails_half_way_changes_nothing(client: EmbeddedClient) -> None:
    rows = client["lms"].rows
    await rows.insert_one({"_id": "a", "n": 1})
    with pytest.raises(InvalidDocument):
        await rows.insert_many([{"_id": "b"}, {"_id": "c", "v": object()}])
    assert [row["_id"] for row in await rows.find({}).to_list(None)] == ["a"]
    assert client.store.can_save
    with closing(await _reopened(client)) as again:
        assert [row["_id"] for row in await again["lms"].rows.find({}).to_list(None)] == ["a"]


async def test_a_document_beyond_the_size_of_mongodb_is_refused_whole(client: EmbeddedClient) -> None:
    rows = client["lms"].rows
    await rows.insert_one({"_id": "a"})
    with pytest.raises(DocumentTooLarge):
        await rows.update_one({"_id": "a"}, {"$set": {"text": "x" * 17_000_000}})
    assert await rows.find_one({}) == {"_id": "a"}


async def test_indexes_come_back_and_hold_without_being_declared_again(client: EmbeddedClient) -> None:
    rows = client["lms"].rows
    await rows.create_index("email", unique=True, sparse=True)
    await rows.create_index([("a", 1), ("b", -1)], name="ab")
    await rows.insert_one({"_id": "a", "email": "a@x"})
    before = await rows.index_information()
    with closing(await _reopened(client)) as again:
        rows = again["lms"].rows
        assert await rows.index_information() == before
        with pytest.raises(DuplicateKeyError):
            await rows.insert_one({"_id": "b", "email": "a@x"})
        await rows.create_index("email", unique=True, sparse=True)
        with pytest.raises(OperationFailure, match="already exists with different options"):
            await rows.create_index("email", sparse=True)


async def test_dropped_indexes_and_collections_stay_dropped(client: EmbeddedClient) -> None:
    database = client["lms"]
    await database.rows.create_index("a", unique=True)
    await database.rows.insert_many([{"_id": "a", "a": 1}, {"_id": "b", "a": 2}])
    await database.rows.drop_indexes()
    await database.gone.insert_one({"_id": "a"})
    await database.gone.drop()
    await database.old.insert_one({"_id": "a"})
    await database.old.rename("new")
    with closing(await _reopened(client)) as again:
        await again["lms"].rows.update_one({"_id": "a"}, {"$set": {"a": 2}})
        assert sorted(await again["lms"].list_collection_names()) == ["new", "rows"]
        assert await again["lms"].new.count_documents({}) == 1


async def test_what_a_time_to_live_removed_stays_removed(client: EmbeddedClient) -> None:
    rows = client["lms"].rows
    await rows.create_index("until", expireAfterSeconds=0)
    await rows.insert_one({"_id": "past", "until": datetime.now(UTC) - timedelta(seconds=5)})
    client.store["lms"]["rows"]._next_expiry = 0.0
    await rows.insert_one({"_id": "new", "until": datetime.now(UTC) + timedelta(hours=1)})
    assert [row["_id"] for row in await rows.find({}).to_list(None)] == ["new"]
    with closing(await _reopened(client)) as again:
        assert [row["_id"] for row in await again["lms"].rows.find({}).to_list(None)] == ["new"]


async def test_a_write_past_the_store_is_refused(client: EmbeddedClient) -> None:
    """The mock gives a collection of its own class for another write concern."""
    await client["lms"].rows.insert_one({"_id": "a"})
    with pytest.raises(StoreError, match="outside of a command"):
        await client["lms"].get_collection("rows", write_concern=WriteConcern(w=2)).insert_one({"_id": "b"})


async def test_another_thread_is_refused_and_so_is_a_closed_store(client: EmbeddedClient) -> None:
    rows = client["lms"].rows
    with pytest.raises(StoreError, match="another thread"):
        await asyncio.to_thread(lambda: asyncio.run(rows.insert_one({"_id": "a"})))
    client.close()
    with pytest.raises(StoreError, match="is closed"):
        await rows.insert_one({"_id": "a"})
    assert not client.store.can_save


async def test_a_collection_that_grows_too_large_is_told_once(
    client: EmbeddedClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(collection_data, "_MANY_DOCUMENTS", 3)
    with caplog.at_level(logging.WARNING):
        await client["lms"].rows.insert_many([{"_id": str(n)} for n in range(6)])
    assert len(caplog.records) == 1
    assert "the collection rows has passed 3 documents" in caplog.text


def test_power_durability_syncs_every_commit(tmp_path: Path) -> None:
    levels = {"process": 1, "power": 2}
    for durability, level in levels.items():
        with closing(open_store(tmp_path / f"{durability}.db", durability=durability)) as client:
            assert client.store.file._sql.execute("PRAGMA synchronous").fetchone() == (level,)


def test_a_full_disk_is_survived_and_told(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.contracts.full_disk", str(tmp_path / "lms.db")]
    child = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, timeout=60, check=True)
    seen = json.loads(child.stdout)
    assert seen["error"].startswith("not saved: ")
    assert seen["can_save"] == [False, False, True]
    assert seen["readable"] == 1
    assert seen["refused_again"]
    assert 0 < seen["saved"] < 100
    assert seen["in_memory"] == seen["saved"] + 1
    assert seen["in_file"] == seen["saved"] + 2
