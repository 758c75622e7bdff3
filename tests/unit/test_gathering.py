"""Many who ask at the same time are one question; none is lost, and none hears what was known before it asked."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from lms_rt.services.gathering import MAX_GATHERED, Gathering


class Place:
    """Is asked, one question after the other; answers when it is told to."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.unanswerable: set[int] = set()
        self._is_asked = False

    async def ask(self, keys: list[int]) -> Mapping[int, str]:
        assert not self._is_asked, "two questions at once"
        self._is_asked = True
        self.asked.append(keys)
        try:
            await self.may_answer.wait()
        finally:
            self._is_asked = False
        if hopeless := self.unanswerable & set(keys):
            raise OSError(f"{min(hopeless)} cannot be answered")
        return {key: f"{key} of question {len(self.asked)}" for key in keys if key >= 0}


async def begun(*asking: asyncio.Task[str | None]) -> None:
    """Let tasks come to where they wait."""
    for _ in range(3 * len(asking) + 3):
        await asyncio.sleep(0)


async def test_who_asks_at_the_same_time_is_asked_for_together() -> None:
    place = Place()
    gathering = Gathering(place.ask)
    answers = await asyncio.gather(*(gathering.find(key) for key in (3, 1, 3, 2)))
    assert answers == ["3 of question 1", "1 of question 1", "3 of question 1", "2 of question 1"]
    assert place.asked == [[3, 1, 2]]


async def test_who_comes_while_a_question_is_on_its_way_is_of_the_next_one() -> None:
    place = Place()
    gathering = Gathering(place.ask)
    place.may_answer.clear()
    first = asyncio.create_task(gathering.find(1))
    await begun(first)
    later = [asyncio.create_task(gathering.find(key)) for key in (1, 2)]
    await begun(*later)
    place.may_answer.set()
    assert await asyncio.gather(first, *later) == ["1 of question 1", "1 of question 2", "2 of question 2"]


async def test_what_is_not_there_is_none() -> None:
    assert await Gathering(Place().ask).find(-1) is None


async def test_one_who_gives_up_takes_nobody_along() -> None:
    place = Place()
    gathering = Gathering(place.ask)
    place.may_answer.clear()
    asking = [asyncio.create_task(gathering.find(key)) for key in (1, 2, 3)]
    await begun(*asking)
    asking[0].cancel()
    await begun(*asking)
    place.may_answer.set()
    assert await asyncio.gather(*asking[1:]) == ["2 of question 2", "3 of question 2"]
    assert asking[0].cancelled()


async def test_one_that_cannot_be_answered_takes_nobody_along() -> None:
    place = Place()
    gathering = Gathering(place.ask)
    place.unanswerable = {2}
    answers = await asyncio.gather(*(gathering.find(key) for key in (1, 2, 3)), return_exceptions=True)
    assert [str(answer) for answer in answers] == ["1 of question 2", "2 cannot be answered", "3 of question 4"]
    assert place.asked == [[1, 2, 3], [1], [2], [3]]
    with pytest.raises(OSError, match="2 cannot be answered"):
        await gathering.find(2)
    place.unanswerable = set()
    assert await gathering.find(2) == "2 of question 6"


@pytest.mark.parametrize("more", [0, 1])
async def test_a_question_has_a_bound(more: int) -> None:
    place = Place()
    gathering = Gathering(place.ask)
    place.may_answer.clear()
    first = asyncio.create_task(gathering.find(0))
    await begun(first)
    later = [asyncio.create_task(gathering.find(key)) for key in range(1, MAX_GATHERED + 1 + more)]
    await begun(*later)
    place.may_answer.set()
    await asyncio.gather(first, *later)
    assert [len(keys) for keys in place.asked] == [1, MAX_GATHERED, *([1] * more)]
