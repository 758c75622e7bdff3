"""The indexes only narrow and put in order: random writes and queries give what plain mongomock gives, in the same order."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from beanie.odm.fields import ExpressionField
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mongomock_motor import AsyncMongoMockClient

from lms_rt.storage.embedded import EmbeddedClient, matching, open_store
from lms_rt.storage.embedded import client as embedded

_FIELDS = ("a", "b", "l", "l.x", "l.0", "d.x", "sparse_at")
_AT = datetime(2026, 1, 1, tzinfo=UTC)
_scalars = st.sampled_from([0, 1, 1.0, 2.5, True, "x", "y", "1", None])
_values = st.one_of(_scalars, st.lists(_scalars, max_size=3))
_moments = st.integers(0, 3).map(lambda n: _AT.replace(day=n + 1))
_documents = st.fixed_dictionaries(
    {},
    optional={  # few values, so that many meet
        "a": _values,
        "b": _values,
        "l": st.lists(st.fixed_dictionaries({"x": _scalars}), max_size=2) | _values,
        "d": st.fixed_dictionaries({}, optional={"x": _values}) | st.none(),
        "sparse_at": _moments,
    },
)
_conditions = st.one_of(
    _scalars,
    st.fixed_dictionaries({"$in": st.lists(_scalars, max_size=3)}),
    st.fixed_dictionaries({"$eq": _scalars}),
    st.fixed_dictionaries({"$ne": _scalars}),
    st.fixed_dictionaries({"$nin": st.lists(_scalars, max_size=2)}),
    st.fixed_dictionaries({"$exists": st.booleans()}),
    st.fixed_dictionaries({"$gt": st.integers(-1, 2)}),
    st.fixed_dictionaries({"$gte": st.integers(-1, 2), "$lte": st.sampled_from([1, 2, 2.5])}),
)
_moment_conditions = st.one_of(
    _moments,
    st.fixed_dictionaries({"$lt": _moments}),
    st.fixed_dictionaries({"$gte": _moments, "$lt": _moments}),
    st.fixed_dictionaries({"$exists": st.booleans()}),
)
_plain = st.dictionaries(st.sampled_from(["a", "b", "l", "l.x", "d.x", "l.0", "other"]), _conditions, max_size=3) | (
    st.fixed_dictionaries({"sparse_at": _moment_conditions})
)
_ids = st.integers(2, 7).map(lambda n: f"d{n}")
_id_conditions = st.one_of(
    _ids,
    st.fixed_dictionaries({"$in": st.lists(_ids | st.just("nobody"), max_size=3)}),
    st.fixed_dictionaries({"$in": st.lists(_ids | st.none(), max_size=2), "$ne": _ids}),
)
_filters = st.one_of(
    _plain,
    st.tuples(_plain, st.fixed_dictionaries({"_id": _id_conditions})).map(lambda parts: parts[0] | parts[1]),
    st.fixed_dictionaries({"$and": st.lists(_plain, min_size=1, max_size=2)}),
    st.fixed_dictionaries({"$or": st.lists(_plain, min_size=1, max_size=2)}),
    st.tuples(_plain, st.fixed_dictionaries({"$or": st.lists(_plain, min_size=1, max_size=2)})).map(
        lambda parts: parts[0] | parts[1]
    ),
)
_writes = st.one_of(
    st.tuples(st.just("replace"), _ids, _documents),
    st.tuples(st.just("set"), _ids, st.tuples(st.sampled_from(["a", "b"]), _values)),
    st.tuples(st.just("unset"), _ids, st.sampled_from(["a", "l", "d", "sparse_at"])),
    st.tuples(st.just("delete"), _ids, st.none()),
)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedClient]:
    opened = open_store(tmp_path_factory.mktemp("queries") / "lms.db")
    yield opened
    opened.close()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(_documents, min_size=3, max_size=8),
    st.lists(_writes, min_size=1, max_size=8),
    st.lists(_filters, min_size=6, max_size=12),
)
async def test_random_queries_find_what_plain_mongomock_finds(
    client: EmbeddedClient, documents: list[Any], writes: list[Any], filters: list[Any]
) -> None:
    ours: Any = client["lms"].rows
    plain: Any = AsyncMongoMockClient()["lms"].rows
    await ours.drop()
    for field in _FIELDS:
        await ours.create_index(field)
    for rows in (ours, plain):
        for n, document in enumerate(documents):
            await rows.insert_one({"_id": f"d{7 - n}", **document})
        for write in writes:
            await _apply(rows, *write)
    for query in filters:
        assert await _found(ours, query) == await _found(plain, query), query


_of_one_kind = st.fixed_dictionaries(
    {"n": st.integers(-2, 2), "s": st.sampled_from(["a", "b", "é", "ب", "𝄞", "\ufffd"]), "at": _moments},
    optional={"a": _values},
)
_orders = st.lists(
    st.tuples(st.sampled_from(["n", "s", "at", "a", "_id"]), st.sampled_from([1, -1])),
    max_size=2,
    unique_by=lambda by: by[0],
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(_of_one_kind, min_size=3, max_size=8),
    st.lists(st.tuples(_orders, st.integers(0, 3), st.integers(0, 4)), min_size=6, max_size=12),
)
async def test_random_pages_hold_what_those_of_plain_mongomock_hold(
    client: EmbeddedClient, documents: list[Any], pages: list[Any]
) -> None:
    ours: Any = client["lms"].pages
    plain: Any = AsyncMongoMockClient(tz_aware=True)["lms"].pages
    await ours.drop()
    for rows in (ours, plain):
        await rows.insert_many([{"_id": f"d{7 - n}", **document} for n, document in enumerate(documents)])
    for order, skip, limit in pages:
        query: dict[str, Any] = {"n": {"$gte": -1, "$lt": 2}, "s": "a"} if skip == 3 else {"n": {"$gte": -1}}
        assert await ours.count_documents(query) == await plain.count_documents(query)
        found = [
            await rows.find(query, ["at", "n"], sort=order or None).skip(skip).limit(limit).to_list(length=None)
            for rows in (ours, plain)
        ]
        assert found[0] == found[1], (order, skip, limit)
        assert await ours.find_one(query, sort=order or None) == await plain.find_one(query, sort=order or None)


_odd_ones = st.sampled_from([True, False, float("nan"), 2**40, -1.5, b"x", "", "ab"])
_any_value = st.one_of(_scalars, _odd_ones, _moments, st.lists(_scalars | _moments, max_size=3), st.just({"x": 1}))
_kinds = [st.integers(-2, 6), st.sampled_from([2**40, 1, 1.0, 2.5, -3]), st.sampled_from(["", "a", "é", "𝄞"]), _moments]
_nearly_numbers = [
    st.sampled_from([*range(-2, 7), *others])
    for others in ([[0, 5], [-1, 3], [-2, 6], [2]], [True, False], [float("nan"), None])
]
_field_values = st.sampled_from([*_kinds, *_nearly_numbers, *_nearly_numbers, _any_value]).flatmap(
    lambda kind: st.lists(kind, min_size=8, max_size=8)
)
_bounds = st.one_of(*_kinds, _odd_ones, st.none(), st.just([1]))
_numbers = st.integers(-2, 6)
_ranges = st.one_of(
    st.fixed_dictionaries({}, optional={"$gt": _numbers, "$lt": _numbers}),
    st.fixed_dictionaries({}, optional={"$gte": _numbers, "$lte": _numbers}),
    st.dictionaries(st.sampled_from(["$gt", "$gte", "$lt", "$lte"]), _bounds, min_size=1, max_size=2),
)
_asked = st.one_of(
    st.fixed_dictionaries({}, optional={"v": _ranges, "_id": _ranges, "w": _ranges | _scalars, "d.x": _ranges}),
    st.fixed_dictionaries({"$and": st.lists(st.fixed_dictionaries({"v": _ranges}), min_size=1, max_size=2)}),
    st.fixed_dictionaries({"v": _ranges.map(lambda bounds: bounds | {"$ne": 1})}),
)
_by = st.tuples(st.sampled_from(["v", "_id", "w", "d.x"]), st.sampled_from([1, -1]))
_questions = st.lists(st.tuples(_asked, _by, st.integers(0, 8)), min_size=2, max_size=8)
_new_value = st.one_of(_numbers, *_nearly_numbers, _any_value)
_changes = st.tuples(st.integers(0, 9), st.sampled_from(["v", "v", "w", "gone", "many"]), _new_value)
_EVERYWHERE: list[Any] = [({}, (field, way), 0) for field in ("v", "w", "_id") for way in (1, -1)]


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.tuples(st.permutations(range(8)), _field_values, _field_values),
    st.lists(st.tuples(_changes, _questions), max_size=5),
)
async def test_ranges_and_orders_by_an_index_are_those_of_plain_mongomock(
    client: EmbeddedClient, columns: Any, turns: list[Any]
) -> None:
    """Whatever stands in the field: values of one kind, which are kept in order, and any others, and what comes and goes."""
    ours: Any = client["lms"].ranges
    plain: Any = AsyncMongoMockClient(tz_aware=True)["lms"].ranges
    await ours.drop()
    for field in ("v", "w", "d.x"):
        await ours.create_index(field)
    rows = [{"_id": _id, "v": v, "w": w, "d": {"x": v}} for _id, v, w in zip(*columns, strict=True)]
    for one in (ours, plain):
        await one.insert_many([dict(row) for row in rows])
    for (_id, change, value), questions in [((0, "none", 0), []), *turns]:
        for one in (ours, plain):
            await _change(one, _id, change, value)
        for query, by, limit in [*_EVERYWHERE, *questions]:
            found = [await _page_of(one, query, by, limit) for one in (ours, plain)]
            assert found[0] == found[1], (query, by, limit)


async def _change(rows: Any, _id: int, change: str, value: Any) -> None:
    if change == "gone":
        await rows.delete_one({"_id": _id})
    elif change == "many":
        await rows.delete_many({"v": {"$gte": value if isinstance(value, int) else 4}})
    elif change != "none":
        await rows.update_one({"_id": _id}, {"$set": {change: value, "d.x": value}}, upsert=True)


async def _page_of(rows: Any, query: dict[str, Any], by: tuple[str, int], limit: int) -> Any:
    """Not what stands in them: not a number is not even itself."""
    try:
        page = [row["_id"] async for row in rows.find(query).sort(*by).skip(limit // 3).limit(limit)]
        first = await rows.find_one(query, sort=[by])
        found = [row["_id"] async for row in rows.find(query)]
    except (TypeError, NotImplementedError) as error:
        return type(error).__name__
    return page, first and first["_id"], found, await rows.count_documents(query)


async def test_names_of_fields_may_be_those_of_beanie(client: EmbeddedClient) -> None:
    """They are text that calls itself equal to everything."""
    rows: Any = client["lms"].named
    await rows.create_index("n")
    await rows.insert_many([{"_id": n, "n": n % 3} for n in range(9)])
    for field in ("_id", "n"):
        which = {"$and": [{ExpressionField("n"): {"$gte": 1}}], ExpressionField("_id"): {"$gt": 1, "$lt": 8}}
        page = await rows.find(which).sort(ExpressionField(field), -1).to_list(None)
        assert [row["_id"] for row in page] == ([7, 5, 4, 2] if field == "_id" else [2, 5, 4, 7])


async def test_a_page_is_as_it_was_when_it_was_asked_for(client: EmbeddedClient) -> None:
    """What is changed while somebody reads does not change what they read."""
    rows: Any = client["lms"].read
    await rows.insert_many([{"_id": n, "n": n} for n in range(5)])
    page = rows.find().sort("n", -1).limit(3)
    first = await page.next()
    first["n"] = "spoiled"
    await rows.update_many({}, {"$set": {"n": 0}})
    await rows.delete_one({"_id": 2})
    assert [row["n"] async for row in page] == [3, 2]
    assert (await rows.find_one({"_id": 4}))["n"] == 0


async def _apply(rows: Any, kind: str, _id: str, value: Any) -> None:
    if kind == "replace":
        await rows.replace_one({"_id": _id}, dict(value), upsert=True)
    elif kind == "delete":
        await rows.delete_one({"_id": _id})
    elif kind == "set":
        await rows.update_one({"_id": _id}, {"$set": {value[0]: value[1]}}, upsert=True)
    else:
        await rows.update_one({"_id": _id}, {"$unset": {value: ""}})


async def _found(rows: Any, query: dict[str, Any]) -> list[str] | str:
    try:
        return [row["_id"] async for row in rows.find(query)]
    except (TypeError, NotImplementedError) as error:
        return type(error).__name__


async def test_what_stands_behind_a_place_costs_what_it_brings(
    client: EmbeddedClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a log that grows, the end and a page from any place on are found without a look at all that came before."""
    looked: list[Any] = []

    def test_of(filter_: Any) -> matching.Test:
        def fits(document: Any) -> bool:
            looked.append(document["_id"])
            return matching.test_of(filter_)(document)

        return fits

    monkeypatch.setattr(embedded, "test_of", test_of)
    rows: Any = client["lms"].log
    await rows.create_index("at")
    await rows.insert_many([{"_id": n, "at": _AT + timedelta(seconds=n)} for n in range(1, 501)])
    assert await rows.find({"_id": {"$gt": 500, "$lt": 2**53}}).sort("_id", 1).to_list(None) == []
    assert (await rows.find_one({}, sort=[("_id", -1)]))["_id"] == 500
    assert await rows.find_one({"_id": 250}) is not None
    page = await rows.find({"_id": {"$gt": 100, "$lt": 2**53}}).sort("_id", 1).limit(10).to_list(None)
    assert [row["_id"] for row in page] == list(range(101, 111))
    since = {"at": {"$gte": _AT + timedelta(seconds=495), "$lt": _AT + timedelta(seconds=498)}}
    assert await rows.count_documents(since) == 3
    assert len(looked) == 15


async def test_what_some_of_many_cost_is_not_what_all_cost(
    client: EmbeddedClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page copies what it brings, a count copies nothing, and plain filters are told without mongomock's rules."""
    copied: list[Any] = []
    real: Any = embedded._Collection._copy_only_fields

    def copy(rows: Any, document: Any, *rest: Any) -> Any:
        copied.append(document)
        return real(rows, document, *rest)

    monkeypatch.setattr(embedded._Collection, "_copy_only_fields", copy)
    monkeypatch.setattr(matching, "filter_applies", lambda *_: pytest.fail("asked mongomock"))
    rows: Any = client["lms"].jobs
    await rows.insert_many([{"state": "waiting", "tries": n % 3, "at": _AT + timedelta(seconds=n)} for n in range(500)])
    due = {"state": "waiting", "tries": {"$gt": 0}, "at": {"$lte": _AT + timedelta(seconds=300)}}
    assert await rows.count_documents(due) == 200
    assert copied == []
    page = await rows.find(due).sort("at", -1).skip(5).limit(10).to_list(length=10)
    assert [row["tries"] for row in page[:2]] == [1, 2]
    assert len(copied) == 15
    assert (await rows.find_one(due, {"at": 1}, sort=[("at", 1)]))["at"] == _AT + timedelta(seconds=1)
    assert len(copied) == 16
