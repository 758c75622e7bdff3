"""What the code may ask when it reads, with the same answers on the embedded store and on a server.

The list is "Safe everywhere" of the design: what is not in here is not to be used.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.contracts.conftest import Rows

_AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
_PEOPLE: list[dict[str, Any]] = [
    {"_id": "a", "n": 1, "tag": "x", "tags": ["p", "q"], "address": {"city": "Cairo"}, "at": _AT},
    {"_id": "b", "n": 2, "tag": "y", "tags": ["q"], "address": {"city": "Paris"}, "at": _AT.replace(month=4)},
    {"_id": "c", "n": 3, "tag": "x", "tags": [], "marks": [{"k": "u", "v": 1}, {"k": "w", "v": 5}], "at": _AT},
    {"_id": "d", "n": 4, "name": "A.b (c)", "tags": ["p", "r"], "at": _AT.replace(year=2027)},
]

_FILTERS: list[tuple[dict[str, Any], str]] = [
    ({}, "abcd"),
    ({"tag": "x"}, "ac"),
    ({"tag": None}, "d"),
    ({"n": {"$gt": 1, "$lte": 3}}, "bc"),
    ({"at": {"$gte": _AT.replace(month=4)}}, "bd"),
    ({"tag": {"$ne": "x"}}, "bd"),
    ({"n": {"$in": [1, 4]}}, "ad"),
    ({"n": {"$nin": [1, 4]}}, "bc"),
    ({"name": {"$exists": True}}, "d"),
    ({"name": {"$exists": False}}, "abc"),
    ({"$and": [{"tag": "x"}, {"n": {"$gt": 1}}]}, "c"),
    ({"$or": [{"n": 1}, {"tag": "y"}]}, "ab"),
    ({"$nor": [{"n": 1}, {"tag": "y"}]}, "cd"),
    ({"n": {"$not": {"$gt": 2}}}, "ab"),
    ({"tags": {"$all": ["p", "q"]}}, "a"),
    ({"tags": {"$size": 1}}, "b"),
    ({"tags": "q"}, "ab"),
    ({"marks": {"$elemMatch": {"k": "w", "v": {"$gt": 4}}}}, "c"),
    ({"marks.k": "u"}, "c"),
    ({"address.city": "Paris"}, "b"),
    ({"name": {"$regex": re.escape("a.B ("), "$options": "i"}}, "d"),
    ({"_id": {"$gt": "b"}}, "cd"),
]


@pytest.mark.parametrize(("query", "found"), _FILTERS, ids=[str(query) for query, _ in _FILTERS])
async def test_filters_find_the_same_documents(rows: Rows, query: dict[str, Any], found: str) -> None:
    await rows.insert_many(_copies())
    assert [row["_id"] for row in await rows.find(query).sort("_id", 1).to_list(None)] == list(found)
    assert await rows.count_documents(query) == len(found)


async def test_projections_keep_what_they_name(rows: Rows) -> None:
    await rows.insert_many(_copies())
    assert await rows.find_one({"_id": "a"}, {"n": 1, "address.city": 1}) == {
        "_id": "a",
        "n": 1,
        "address": {"city": "Cairo"},
    }
    without = await rows.find_one({"_id": "b"}, {"tags": 0, "at": 0, "address": 0})
    assert without == {"_id": "b", "n": 2, "tag": "y"}
    assert await rows.find_one({"_id": "b"}, {"_id": 0, "n": 1}) == {"n": 2}


async def test_sorts_compound_with_skip_and_limit(rows: Rows) -> None:
    await rows.insert_many([{"_id": f"{g}{n}", "g": g, "n": n} for n in (3, 1, 2) for g in "ba"])
    order = [("g", 1), ("n", -1)]
    assert [row["_id"] async for row in rows.find({}).sort(order).skip(1).limit(3)] == ["a2", "a1", "b3"]


async def test_pages_by_key_see_every_document_once(rows: Rows) -> None:
    await rows.insert_many([{"_id": f"d{n}", "at": n // 3} for n in range(10)])
    seen: list[str] = []
    after: tuple[int, str] = (-1, "")
    while page := await _page_after(rows, after):
        seen += [row["_id"] for row in page]
        after = (page[-1]["at"], page[-1]["_id"])
    assert seen == [f"d{n}" for n in range(10)]


async def _page_after(rows: Rows, after: tuple[int, str]) -> list[dict[str, Any]]:
    later = {"$or": [{"at": {"$gt": after[0]}}, {"at": after[0], "_id": {"$gt": after[1]}}]}
    return await rows.find(later).sort([("at", 1), ("_id", 1)]).limit(4).to_list(None)


async def test_distinct_values_come_from_arrays_too(rows: Rows) -> None:
    await rows.insert_many(_copies())
    assert sorted(await rows.distinct("tags")) == ["p", "q", "r"]
    assert sorted(await rows.distinct("tag", {"n": {"$lt": 3}})) == ["x", "y"]


async def test_times_come_back_aware_in_utc_and_cut_to_milliseconds(rows: Rows) -> None:
    at = datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)
    await rows.insert_one({"_id": "a", "at": at})
    row = await rows.find_one({"at": at})
    assert row is not None
    assert row["at"] == at
    assert row["at"].utcoffset() is not None


async def test_every_json_value_comes_back_as_it_was(rows: Rows) -> None:
    value: dict[str, Any] = {
        "t": True,
        "z": None,
        "i": 2**62,
        "f": 1.5,
        "s": "é\u0644 𝄞",
        "l": [1, [2, {"k": []}]],
        "o": {},
    }
    await rows.insert_one({"_id": "a", "value": value})
    row = await rows.find_one({"_id": "a"})
    assert row is not None
    assert row["value"] == value


_PIPELINES: list[tuple[list[dict[str, Any]], list[dict[str, Any]]]] = [
    (
        [
            {
                "$group": {
                    "_id": "$tag",
                    "sum": {"$sum": "$n"},
                    "mean": {"$avg": "$n"},
                    "least": {"$min": "$n"},
                    "most": {"$max": "$n"},
                }
            },
            {"$sort": {"_id": 1}},
        ],
        [
            {"_id": "x", "sum": 4, "mean": 2.0, "least": 1, "most": 3},
            {"_id": "y", "sum": 2, "mean": 2.0, "least": 2, "most": 2},
        ],
    ),
    (
        [
            {"$sort": {"n": 1}},
            {"$group": {"_id": "all", "f": {"$first": "$n"}, "l": {"$last": "$n"}, "p": {"$push": "$n"}}},
        ],
        [{"_id": "all", "f": 1, "l": 3, "p": [1, 2, 3]}],
    ),
    (
        [{"$unwind": "$tags"}, {"$match": {"tags": "q"}}, {"$sort": {"_id": 1}}, {"$project": {"n": 1}}],
        [{"_id": "a", "n": 1}, {"_id": "b", "n": 2}],
    ),
    ([{"$sort": {"n": -1}}, {"$skip": 1}, {"$limit": 1}, {"$project": {"n": 1}}], [{"_id": "b", "n": 2}]),
    ([{"$count": "how_many"}], [{"how_many": 3}]),
    (
        [
            {"$sort": {"_id": 1}},
            {
                "$project": {
                    "label": {"$concat": ["$tag", "-", {"$ifNull": ["$address.city", "none"]}]},
                    "big": {"$cond": [{"$gt": ["$n", 1]}, "yes", "no"]},
                    "sum": {"$add": ["$n", 10, {"$multiply": ["$n", 2]}]},
                    "less": {"$subtract": [10, "$n"]},
                    "half": {"$floor": {"$divide": ["$n", 2]}},
                    "up": {"$ceil": {"$divide": ["$n", 2]}},
                }
            },
        ],
        [
            {"_id": "a", "label": "x-Cairo", "big": "no", "sum": 13, "less": 9, "half": 0, "up": 1},
            {"_id": "b", "label": "y-Paris", "big": "yes", "sum": 16, "less": 8, "half": 1, "up": 1},
            {"_id": "c", "label": "x-none", "big": "yes", "sum": 19, "less": 7, "half": 1, "up": 2},
        ],
    ),
    (
        [
            {"$sort": {"_id": 1}},
            {
                "$project": {
                    "size": {"$size": "$tags"},
                    "first": {"$arrayElemAt": ["$tags", 0]},
                    "kept": {"$filter": {"input": "$tags", "as": "t", "cond": {"$eq": ["$$t", "q"]}}},
                    "mapped": {"$map": {"input": "$tags", "as": "t", "in": {"$concat": ["$$t", "!"]}}},
                }
            },
            {"$limit": 1},
        ],
        [{"_id": "a", "size": 2, "first": "p", "kept": ["q"], "mapped": ["p!", "q!"]}],
    ),
    (
        [
            {"$sort": {"_id": 1}},
            {
                "$project": {
                    "day": {"$dateToString": {"format": "%Y-%m-%d", "date": "$at"}},
                    "y": {"$year": "$at"},
                    "m": {"$month": "$at"},
                    "d": {"$dayOfMonth": "$at"},
                }
            },
            {"$limit": 1},
        ],
        [{"_id": "a", "day": "2026-03-01", "y": 2026, "m": 3, "d": 1}],
    ),
    ([{"$match": {"_id": "a"}}, {"$replaceRoot": {"newRoot": "$address"}}], [{"city": "Cairo"}]),
    (
        [{"$match": {"_id": "a"}}, {"$project": {"pairs": {"$objectToArray": "$address"}}}],
        [{"_id": "a", "pairs": [{"k": "city", "v": "Cairo"}]}],
    ),
    (
        [{"$match": {"_id": "a"}}, {"$addFields": {"m": {"$add": ["$n", 1]}}}, {"$project": {"m": 1}}],
        [{"_id": "a", "m": 2}],
    ),
]


@pytest.mark.parametrize(("stages", "result"), _PIPELINES, ids=[str(stages)[:60] for stages, _ in _PIPELINES])
async def test_pipelines_answer_the_same(rows: Rows, stages: list[Any], result: list[Any]) -> None:
    await rows.insert_many(_copies())
    assert await rows.aggregate([{"$match": {"n": {"$lt": 4}}}, *stages]).to_list(None) == result


async def test_facets_buckets_samples_and_simple_joins(rows: Rows) -> None:
    await rows.insert_many(_copies())
    first = {"$match": {"n": {"$lt": 4}}}
    facets = await rows.aggregate(
        [first, {"$facet": {"all": [{"$count": "n"}], "x": [{"$match": {"tag": "x"}}]}}]
    ).to_list(None)
    assert facets[0]["all"] == [{"n": 3}]
    assert len(facets[0]["x"]) == 2
    buckets = {"$bucket": {"groupBy": "$n", "boundaries": [0, 2, 5], "output": {"how_many": {"$sum": 1}}}}
    assert await rows.aggregate([first, buckets]).to_list(None) == [
        {"_id": 0, "how_many": 1},
        {"_id": 2, "how_many": 2},
    ]
    assert len(await rows.aggregate([first, {"$sample": {"size": 2}}]).to_list(None)) == 2
    join = {"$lookup": {"from": rows.name, "localField": "tag", "foreignField": "tag", "as": "same"}}
    joined = await rows.aggregate([{"$match": {"_id": "a"}}, join]).to_list(None)
    assert sorted(row["_id"] for row in joined[0]["same"]) == ["a", "c"]


async def test_a_set_is_gathered_without_repeats(rows: Rows) -> None:
    await rows.insert_many(_copies())
    gathered = await rows.aggregate(
        [{"$match": {"n": {"$lt": 4}}}, {"$group": {"_id": "t", "s": {"$addToSet": "$tag"}}}]
    ).to_list(None)
    assert sorted(gathered[0]["s"]) == ["x", "y"]


async def test_totals_of_nothing_are_no_row_or_a_zero(rows: Rows) -> None:
    """Engines differ here, so callers take both."""
    await rows.insert_many(_copies())
    nothing = {"$match": {"tag": "none"}}
    assert await rows.aggregate([nothing, {"$count": "n"}]).to_list(None) in ([], [{"n": 0}])
    total = await rows.aggregate([nothing, {"$group": {"_id": None, "n": {"$sum": "$n"}}}]).to_list(None)
    assert total in ([], [{"_id": None, "n": 0}])


def _copies() -> list[dict[str, Any]]:
    return [dict(person) for person in _PEOPLE]
