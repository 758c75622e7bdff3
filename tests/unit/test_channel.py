"""The actor of a channel where timing decides: generations, shared reads, holding, lingering, a bus that is away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from lms_rt.bus.base import Position
from lms_rt.contracts.channels import ChannelKind
from lms_rt.contracts.events import LiveEvent
from lms_rt.errors import Code, Refused
from lms_rt.realtime import channel
from lms_rt.realtime.channel import _Linger
from lms_rt.realtime.projections import Audience, Projection
from lms_rt.realtime.subscription import Subscription
from tests.unit.channel_place import Place, settle, until_empty


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    made = Place()
    yield made
    made.history.gate.set()
    await made.hub.close()


async def test_what_comes_before_the_reply_is_held_until_it_went(place: Place) -> None:
    connection, ears = place.connection("con_1")
    subscription = await place.subscribing(connection)
    await place.publish(3)
    await settle()
    assert ears.frames == []
    subscription.release()
    await place.publish()
    await settle()
    assert ears.offsets == [1, 2, 3, 4]


async def test_events_while_the_history_is_read_come_once(place: Place) -> None:
    first, heard = place.connection("con_1")
    await place.subscribed(first)
    await place.publish(2)
    await settle()
    place.history.gate.clear()
    late, ears = place.connection("con_2")
    joining = place.subscribing(late)
    await settle()
    await place.publish(2)
    place.history.gate.set()
    subscription = await joining
    assert subscription.position.offset == 4
    subscription.release()
    await place.publish()
    await settle()
    assert heard.offsets == [1, 2, 3, 4, 5]
    assert ears.offsets == [5]


async def test_a_mailbox_that_runs_over_forgets_and_heals(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel, "MAX_MAIL", 5)
    first, heard = place.connection("con_1")
    await place.subscribed(first)
    place.history.gate.clear()
    joining = place.subscribing(place.connection("con_2")[0])
    await settle()
    await place.publish(23)
    (actor,) = place.hub._actors.values()
    assert len(actor._mailbox) <= 5
    place.history.gate.set()
    await joining
    await settle()
    assert heard.offsets == list(range(1, 24))


async def test_a_herd_shares_one_read_and_each_gets_what_it_missed(place: Place) -> None:
    await place.publish(5)
    top = await place.bus.history.top("course:1")
    assert top is not None
    waiting = [
        place.subscribing(place.connection(f"con_{n}")[0], Position(top.epoch, n) if n < 6 else None) for n in range(8)
    ]
    waiting.append(place.subscribing(place.connection("con_other")[0], Position("other", 2)))
    subscriptions = await asyncio.gather(*waiting)
    assert place.history.reads == 1
    missed = [[event.position.offset for event in s.events] for s in subscriptions]
    assert missed == [[1, 2, 3, 4, 5], [2, 3, 4, 5], [3, 4, 5], [4, 5], [5], [], [], [], []]
    assert [s.recovered for s in subscriptions] == [True] * 6 + [False] * 3


async def test_a_late_unsubscribe_does_not_end_a_newer_subscription(place: Place) -> None:
    connection, ears = place.connection("con_1")
    old = await place.subscribed(connection)
    await place.subscribed(connection)
    place.hub.unsubscribe(old)
    await place.publish()
    await settle()
    assert ears.offsets == [1]


async def test_a_connection_that_goes_while_it_joins_leaves_nothing(place: Place) -> None:
    connection, _ = place.connection("con_1")
    place.history.gate.clear()
    joining = place.subscribing(connection)
    await settle()
    connection.lost(1006)
    place.history.gate.set()
    await joining
    await until_empty(place)


async def test_a_caller_that_gives_up_while_it_joins_leaves_nothing(place: Place) -> None:
    place.history.gate.clear()
    joining = place.subscribing(place.connection("con_1")[0])
    await settle()
    joining.cancel()
    await asyncio.gather(joining, return_exceptions=True)
    place.history.gate.set()
    await until_empty(place)


async def test_who_comes_back_within_the_linger_finds_the_same_actor() -> None:
    place = Place(linger_seconds=60)
    first = await place.subscribed(place.connection("con_1")[0])
    place.hub.unsubscribe(first)
    await place.publish()
    two, ears = place.connection("con_2")
    subscription = await place.subscribed(two, first.position)
    assert [event.position.offset for event in subscription.events] == [1]
    place.hub._actors["course:1"]._post(_Linger(1))  # the time of the first departure is over
    await settle()
    await place.publish()
    await settle()
    assert ears.offsets == [2]
    place.hub.unsubscribe(subscription)
    place.hub._actors["course:1"]._post(_Linger(1))
    await settle()
    assert place.hub.channels == ("course:1",)
    await place.hub.close()


async def test_a_bus_that_is_away_refuses_newcomers_and_keeps_the_others(place: Place) -> None:
    one, ears = place.connection("con_1")
    await place.subscribed(one)
    place.history.is_away = True
    with pytest.raises(Refused) as refused:
        await place.subscribing(place.connection("con_2")[0])
    assert refused.value.code is Code.UNAVAILABLE
    place.hub.compare_tops("course:1")
    await place.publish()
    await settle()
    assert (ears.offsets, ears.closes) == ([1], [])


async def test_a_gap_that_cannot_be_read_closes(place: Place) -> None:
    connection, ears = place.connection("con_1")
    await place.subscribed(connection)
    await place.publish_unheard()
    place.history.is_away = True
    await place.publish()
    await settle()
    assert ears.closes == [4010]


async def test_what_came_before_a_gap_does_not_wait_for_the_history(place: Place) -> None:
    connection, ears = place.connection("con_1")
    await place.subscribed(connection)
    place.history.gate.clear()
    await place.publish()
    await place.publish_unheard()
    await place.publish()
    await settle()
    assert ears.offsets == [1]
    place.history.gate.set()
    await settle()
    assert ears.offsets == [1, 2, 3]


async def test_what_came_before_a_newcomer_does_not_wait_for_the_history(place: Place) -> None:
    connection, ears = place.connection("con_1")
    await place.subscribed(connection)
    place.history.gate.clear()
    await place.publish(2)
    (actor,) = place.hub._actors.values()
    late, _ = place.connection("con_2")
    joining = asyncio.create_task(actor.join(Subscription("course:1", late, 2), None))
    await settle()
    assert ears.offsets == [1, 2]
    place.history.gate.set()
    await joining


async def test_a_state_follows_the_events_before_it(place: Place) -> None:
    connection, ears = place.connection("con_1")
    await place.subscribed(connection)
    await place.publish()
    await place.bus.fan_out.publish_state("course:1", "presence", {"count": 1})
    await settle()
    event, state = b"".join(ears.frames).split(b'"state"')
    assert b'"event"' in event
    assert b"presence" in state


class Echo(Projection):
    """Tells a state of every event, at once."""

    async def run(self, audience: Audience) -> None:
        self.audience = audience
        await asyncio.Event().wait()

    def poked(self, about: Sequence[str] = ()) -> None:
        """Nothing is looked at."""

    def heard(self, event: LiveEvent) -> None:
        self.audience.tell("echo", {"of": event.name})

    def joined(self, listener: str) -> None:
        """All are told the same."""

    left = joined


async def test_a_state_that_an_event_makes_follows_it(place: Place) -> None:
    place.hub.register_projection(ChannelKind.COURSE, lambda _: Echo())
    connection, ears = place.connection("con_1")
    await place.subscribed(connection)
    await settle()
    await place.publish(2)
    await settle()
    told = b"".join(ears.frames)
    assert told.index(b'"offset":1') < told.index(b'"echo"') < told.index(b'"offset":2')


async def test_one_whose_reply_never_goes_is_too_slow(place: Place) -> None:
    connection, ears = place.connection("con_1")
    await place.subscribing(connection)
    await place.publish(1_001)
    await settle()
    assert ears.closes == [4008]


async def test_states_reach_who_listens_and_are_held_like_events(place: Place) -> None:
    connection, ears = place.connection("con_1")
    subscription = await place.subscribing(connection)
    await place.bus.fan_out.publish_state("course:1", "presence", {"count": 1})
    await place.bus.fan_out.publish_state("course:1", "presence", {"count": 2})
    await settle()
    assert ears.frames == []
    subscription.release()
    await settle()
    told: Any = b"".join(ears.frames)
    assert (told.count(b'"count"'), b'"count":2' in told) == (1, True)
