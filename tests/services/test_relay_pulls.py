"""What is done leaves outboxes by one, by many and by overlapping sets; a flag stands exactly beside what is left."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from documents.course import Course
from lms_rt.clock import FakeClock

pytestmark = pytest.mark.usefixtures("database")
ID = "crs_1"
AT = FakeClock().now()


async def has(*intent_ids: str, document_id: str = ID) -> None:
    """An aggregate with these in its outbox."""
    outbox = [{"id": one, "kind": "event"} for one in intent_ids]
    row = {"_id": document_id, "slug": document_id, "outbox": outbox, "outbox_at": AT}
    await Course.rows().insert_one(row)


async def put(*intent_ids: str) -> None:
    await Course.put_intents(ID, [{"id": one, "kind": "event"} for one in intent_ids], AT + timedelta(seconds=1))


async def left(document_id: str = ID) -> tuple[list[str], bool]:
    """What is in the outbox, and whether it is flagged."""
    row: Any = await Course.rows().find_one({"_id": document_id})
    return [one["id"] for one in row["outbox"]], "outbox_at" in row


@pytest.mark.parametrize(
    ("first", "second"),
    [("ab", "abc"), ("abc", "ab"), ("ab", "bc"), ("a", "abc"), ("abc", "abc"), ("abc", "c"), ("cab", "b")],
)
async def test_relays_with_overlapping_sets_leave_no_flag_beside_an_empty_outbox(first: str, second: str) -> None:
    await has(*"abc")
    await Course.pull_intents(ID, *first)
    await Course.pull_intents(ID, *second)
    rest = sorted(set("abc") - set(first) - set(second))
    assert await left() == (rest, bool(rest))


async def test_what_one_relay_read_before_another_wrote_more_and_a_third_pulled_less() -> None:
    await has("job", "event")
    await put("record")  # by now one has read two, and one all three
    await Course.pull_intents(ID, "job", "event")
    assert await left() == (["record"], True)
    await Course.pull_intents(ID, "job", "event", "record")
    assert await left() == ([], False)


@pytest.mark.parametrize("done", [["a", "a"], ["a", "a", "b"], ["b", "a", "b"]])
async def test_an_id_that_is_named_twice_takes_no_flag_from_what_is_left(done: Sequence[str]) -> None:
    await has("a", "y")
    await Course.pull_intents(ID, *done)
    assert await left() == (["y"], True)


async def test_an_intent_that_is_there_twice_goes_with_all_its_likes() -> None:
    await has("a", "a", "y")
    await Course.pull_intents(ID, "a", "a")
    assert await left() == (["y"], True)


async def test_pulling_again_and_from_what_is_gone_changes_nothing() -> None:
    await has("a", "y")
    await Course.pull_intents(ID, "a")
    await Course.pull_intents(ID, "a")
    await Course.pull_intents("crs_never", "a")
    assert await left() == (["y"], True)


async def test_a_pull_finds_its_rest_taken_between_its_own_two_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    await has("a", "b")
    change, writes = Course.change_one, []

    async def slow(which: dict[str, Any], update: dict[str, Any]) -> bool:
        writes.append(which)
        done = await change(which, update)
        if len(writes) == 1:  # another relay does the rest
            await Course.rows().update_one({"_id": ID}, {"$pull": {"outbox": {"id": "b"}}})
        return done

    monkeypatch.setattr(Course, "change_one", slow)
    await Course.pull_intents(ID, "a")
    assert await left() == ([], False)


async def test_the_last_of_many_go_in_one_write_and_those_with_more_keep_the_rest() -> None:
    await has("a1", document_id="crs_a")
    await has("b1", "b2", document_id="crs_b")
    await has(document_id="crs_c")
    await has("d2", document_id="crs_d")
    last = {"crs_a": "a1", "crs_b": "b1", "crs_c": "c1", "crs_d": "d1", "crs_gone": "e1"}
    for _ in range(2):
        await Course.pull_last_intents(last)
        assert await left("crs_a") == ([], False)
        assert await left("crs_b") == (["b2"], True)
        assert await left("crs_c") == ([], False)
        assert await left("crs_d") == (["d2"], True), "what was written meanwhile stays"


async def test_the_last_of_one_goes_as_well() -> None:
    await has("a1")
    await Course.pull_last_intents({ID: "a1"})
    assert await left() == ([], False)
