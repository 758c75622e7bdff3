"""What the code may ask when it writes, with the same outcome on the embedded store and on a server.

The rules that every service builds on. Not for reads (`test_engine_reads.py`), nor for what only one engine has.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pymongo import ReturnDocument
from pymongo.errors import BulkWriteError, DuplicateKeyError, OperationFailure

from tests.contracts.conftest import Rows

Row = dict[str, Any]

_UPDATES: list[tuple[Row, Row, Row]] = [
    ({"n": 1}, {"$set": {"n": 2, "deep.er": "x"}}, {"n": 2, "deep": {"er": "x"}}),
    ({"n": 1, "m": {"a": 1, "b": 2}}, {"$unset": {"n": "", "m.a": ""}}, {"m": {"b": 2}}),
    ({"n": 1, "m": {"a": 5}}, {"$inc": {"n": 2, "m.a": -1, "new": 7}}, {"n": 3, "m": {"a": 4}, "new": 7}),
    ({"n": 5, "m": 5}, {"$min": {"n": 3}, "$max": {"m": 3}}, {"n": 3, "m": 5}),
    ({"l": [1]}, {"$push": {"l": 2}}, {"l": [1, 2]}),
    ({}, {"$push": {"l": {"$each": [1, 2]}}}, {"l": [1, 2]}),
    ({"l": [3, 1]}, {"$push": {"l": {"$each": [2], "$sort": 1, "$slice": -2}}}, {"l": [2, 3]}),
    ({"l": [1, 3]}, {"$push": {"l": {"$each": [2], "$position": 1}}}, {"l": [1, 2, 3]}),
    ({"l": [1]}, {"$addToSet": {"l": {"$each": [1, 2]}}}, {"l": [1, 2]}),
    ({"l": [{"id": "a"}, {"id": "b"}]}, {"$pull": {"l": {"id": "a"}}}, {"l": [{"id": "b"}]}),
    ({"l": [1, 2, 3]}, {"$pullAll": {"l": [1, 3]}}, {"l": [2]}),
    ({"l": [1, 2, 3]}, {"$pop": {"l": -1}}, {"l": [2, 3]}),
    ({"a": {"k": 1}}, {"$set": {"a.z": {"v": None}}}, {"a": {"k": 1, "z": {"v": None}}}),
    (
        {"outbox": [{"id": "e1"}, {"id": "e2"}], "outbox_at": 1},
        {"$pull": {"outbox": {"id": "e1"}}, "$set": {"seen": True}},
        {"outbox": [{"id": "e2"}], "outbox_at": 1, "seen": True},
    ),
]


@pytest.mark.parametrize(("before", "update", "after"), _UPDATES, ids=[str(update)[:60] for _, update, _ in _UPDATES])
async def test_operators_change_a_document_alike(rows: Rows, before: Row, update: Row, after: Row) -> None:
    await rows.insert_one({"_id": "a", **before})
    result = await rows.update_one({"_id": "a"}, update)
    assert result.matched_count == 1
    assert await rows.find_one({"_id": "a"}) == {"_id": "a", **after}


async def test_positional_update_changes_the_element_that_matched(rows: Rows) -> None:
    await rows.insert_one({"_id": "a", "l": [{"id": "x", "v": 1}, {"id": "y", "v": 1}]})
    await rows.update_one({"_id": "a", "l.id": "y"}, {"$set": {"l.$.v": 2}})
    assert (await _only(rows))["l"] == [{"id": "x", "v": 1}, {"id": "y", "v": 2}]


async def test_current_date_is_set_by_the_engine(rows: Rows) -> None:
    await rows.insert_one({"_id": "a"})
    await rows.update_one({"_id": "a"}, {"$currentDate": {"at": True}})
    assert abs((await _only(rows))["at"] - datetime.now(UTC)) < timedelta(minutes=5)


async def test_upsert_inserts_once_and_set_on_insert_only_then(rows: Rows) -> None:
    update = {"$setOnInsert": {"made": 1}, "$set": {"seen": 1}}
    first = await rows.update_one({"_id": "a"}, update, upsert=True)
    await rows.update_one({"_id": "a"}, {"$setOnInsert": {"made": 2}, "$inc": {"seen": 1}}, upsert=True)
    assert first.upserted_id == "a"
    assert await _only(rows) == {"_id": "a", "made": 1, "seen": 2}


async def test_compare_and_set_matches_only_what_was_read(rows: Rows) -> None:
    await rows.insert_one({"_id": "a", "version": 3})
    raise_version = {"$set": {"by": "x"}, "$inc": {"version": 1}}
    won = await asyncio.gather(*(rows.update_one({"_id": "a", "version": 3}, raise_version) for _ in range(8)))
    assert sorted(result.matched_count for result in won) == [0] * 7 + [1]
    assert (await _only(rows))["version"] == 4


async def test_concurrent_increments_all_happen(rows: Rows) -> None:
    await rows.insert_one({"_id": "a", "n": 0})
    await asyncio.gather(*(rows.update_one({"_id": "a"}, {"$inc": {"n": 1}}) for _ in range(50)))
    assert (await _only(rows))["n"] == 50


async def test_update_many_replace_and_delete(rows: Rows) -> None:
    await rows.insert_many([{"_id": name, "g": name < "c"} for name in "abcd"])
    assert (await rows.update_many({"g": True}, {"$set": {"n": 1}})).matched_count == 2
    assert (await rows.replace_one({"_id": "a"}, {"whole": "new"})).matched_count == 1
    assert await rows.find_one({"_id": "a"}) == {"_id": "a", "whole": "new"}
    assert (await rows.delete_one({"_id": "a"})).deleted_count == 1
    assert (await rows.delete_many({"g": False})).deleted_count == 2
    assert await rows.find({}).to_list(None) == [{"_id": "b", "g": True, "n": 1}]


async def test_find_one_and_update_takes_the_first_in_order_by_a_token_of_its_own(rows: Rows) -> None:
    await rows.insert_many(
        [{"_id": "late", "due": 2, "state": "waiting"}, {"_id": "soon", "due": 1, "state": "waiting"}]
    )
    taken = await rows.find_one_and_update(
        {"state": "waiting"},
        {"$set": {"state": "running", "token": "mine"}},
        projection={"due": 1},
        sort=[("due", 1)],
        return_document=ReturnDocument.AFTER,
    )
    assert taken == {"_id": "soon", "due": 1}
    assert (await rows.find_one({"token": "mine"}) or {})["_id"] == "soon"
    assert await rows.find_one_and_update({"state": "none"}, {"$set": {"n": 1}}, projection={"_id": 1}) is None


async def test_the_same_id_is_refused_as_a_duplicate(rows: Rows) -> None:
    await rows.insert_one({"_id": "a", "n": 1})
    with pytest.raises(DuplicateKeyError) as caught:
        await rows.insert_one({"_id": "a", "n": 2})
    assert caught.value.code == 11000
    assert (await _only(rows))["n"] == 1


async def test_insert_many_stops_at_a_duplicate_and_keeps_what_came_before(rows: Rows) -> None:
    await rows.insert_one({"_id": "b"})
    with pytest.raises(BulkWriteError):
        await rows.insert_many([{"_id": "a"}, {"_id": "b"}, {"_id": "c"}])
    assert [row["_id"] for row in await rows.find({}).sort("_id", 1).to_list(None)] == ["a", "b"]


async def test_a_unique_index_refuses_inserts_and_updates(rows: Rows) -> None:
    await rows.create_index("email", unique=True)
    await rows.insert_many([{"_id": "a", "email": "a@x"}, {"_id": "b", "email": "b@x"}])
    with pytest.raises(DuplicateKeyError):
        await rows.insert_one({"_id": "c", "email": "a@x"})
    with pytest.raises(DuplicateKeyError):
        await rows.update_one({"_id": "b"}, {"$set": {"email": "a@x", "other": 1}})
    assert await rows.find_one({"_id": "b"}) == {"_id": "b", "email": "b@x"}
    assert await rows.count_documents({}) == 2


async def test_a_compound_unique_index_looks_at_all_its_fields(rows: Rows) -> None:
    await rows.create_index([("student", 1), ("n", 1)], unique=True)
    await rows.insert_many([{"_id": "a", "student": "s", "n": 1}, {"_id": "b", "student": "s", "n": 2}])
    with pytest.raises(DuplicateKeyError):
        await rows.insert_one({"_id": "c", "student": "s", "n": 2})


async def test_a_sparse_unique_index_lets_many_go_without(rows: Rows) -> None:
    await rows.create_index("open_key", unique=True, sparse=True)
    await rows.insert_many([{"_id": "a"}, {"_id": "b"}, {"_id": "c", "open_key": "k"}])
    with pytest.raises(DuplicateKeyError):
        await rows.insert_one({"_id": "d", "open_key": "k"})
    await rows.update_one({"_id": "c"}, {"$unset": {"open_key": ""}})
    await rows.insert_one({"_id": "d", "open_key": "k"})


async def test_of_many_that_insert_the_next_number_one_wins_each_time(rows: Rows) -> None:
    """Numbers without gaps: highest + 1 under the unique `_id`, again on a duplicate."""

    async def take_number() -> None:
        while True:
            highest = await rows.find({}, {"_id": 1}).sort("_id", -1).limit(1).to_list(None)
            try:
                await rows.insert_one({"_id": highest[0]["_id"] + 1 if highest else 1})
            except DuplicateKeyError:
                continue
            return

    await asyncio.gather(*(take_number() for _ in range(12)))
    assert sorted(row["_id"] for row in await rows.find({}).to_list(None)) == list(range(1, 13))


async def test_the_same_index_twice_is_nothing_new(rows: Rows) -> None:
    for _ in range(2):
        await rows.create_index([("a", 1), ("b", -1)], name="ab", unique=True)
    assert set(await rows.index_information()) == {"_id_", "ab"}


async def test_a_refused_update_leaves_the_document_whole(rows: Rows) -> None:
    await rows.insert_one({"_id": "a", "n": 1, "text": "x"})
    with pytest.raises(OperationFailure):
        await rows.update_one({"_id": "a"}, {"$set": {"n": 2}, "$push": {"text": 1}})
    assert await _only(rows) == {"_id": "a", "n": 1, "text": "x"}


async def test_a_time_to_live_removes_no_fresh_document(rows: Rows) -> None:
    """It only tidies, some time later or never: readers check the time themselves."""
    await rows.create_index("until", expireAfterSeconds=0)
    await rows.insert_one({"_id": "a", "until": datetime.now(UTC) + timedelta(hours=1)})
    await rows.insert_one({"_id": "b", "until": datetime.now(UTC) - timedelta(hours=1)})
    await rows.update_one({"_id": "a"}, {"$set": {"n": 1}})
    assert (await rows.find_one({"_id": "a"}) or {})["n"] == 1


async def test_the_last_pull_unsets_the_mark_of_the_outbox(rows: Rows) -> None:
    await rows.insert_one({"_id": "a", "outbox": [{"id": "e1"}, {"id": "e2"}], "outbox_at": 1})
    last = {"$pull": {"outbox": {"id": "e1"}}, "$unset": {"outbox_at": ""}}
    assert (await rows.update_one({"_id": "a", "outbox.id": "e1", "outbox": {"$size": 1}}, last)).matched_count == 0
    await rows.update_one({"_id": "a"}, {"$pull": {"outbox": {"id": "e1"}}})
    last = {"$pull": {"outbox": {"id": "e2"}}, "$unset": {"outbox_at": ""}}
    assert (await rows.update_one({"_id": "a", "outbox.id": "e2", "outbox": {"$size": 1}}, last)).matched_count == 1
    assert await _only(rows) == {"_id": "a", "outbox": []}


async def test_a_document_is_removed_only_with_an_empty_outbox(rows: Rows) -> None:
    await rows.insert_many([{"_id": "a", "outbox": [{"id": "e"}]}, {"_id": "b", "outbox": []}])
    for name in "ab":
        await rows.delete_one({"_id": name, "outbox": {"$size": 0}})
    assert [row["_id"] for row in await rows.find({}).to_list(None)] == ["a"]


async def _only(rows: Rows) -> Row:
    found = await rows.find({}).to_list(None)
    assert len(found) == 1
    return found[0]
