"""Open connections against what their people may do by now: words, lost words, and a bus or a database that is away."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from lms_rt.bus.base import Control, Interrupted
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.controls import ACCESS_CHANGED, SESSION_REVOKED, access_changed, session_revoked
from lms_rt.errors import Code, Refused
from lms_rt.realtime import authority as authority_module
from lms_rt.realtime.authority import MAX_WORDS, ROUND_SECONDS, AccessWatch, Authority, Verdict
from tests.unit.watched_room import EXPIRY, Room


@pytest.fixture
async def room() -> Room:
    return Room()


class TestWords:
    async def test_lost_access_of_one_person_is_asked_for_them_alone(self, room: Room) -> None:
        ada, _bob = room.enter("ada", "course:1", "course:2"), room.enter("bob", "course:1")
        room.lost.add("course:1")
        await room.watch.handle(Control(ACCESS_CHANGED, access_changed("ada")))
        assert room.batches == [1]
        assert list(ada.subscriptions) == ["course:2"]
        assert b'"unsubscribed"' in room.sent_to(ada)

    async def test_an_ended_session_is_closed_without_asking(self, room: Room) -> None:
        room.enter("ada", session_id="fam_1")
        room.enter("ada", session_id="fam_2")
        room.enter("bob")
        await room.watch.handle(Control(SESSION_REVOKED, session_revoked("ada", session_id="fam_2")))
        assert (room.codes(), room.batches) == ([None, 4501, None], [])

    async def test_lost_words_have_everybody_looked_at_in_batches(self, room: Room) -> None:
        for number in range(450):
            room.enter(f"usr_{number}")
        room.ended.add("usr_449")
        async with room.running():
            for _ in range(10):
                room.watch.receive(Interrupted(""))
            await room.reviewed(3)
        assert room.batches == [200, 200, 50]
        assert [code for code in room.codes() if code] == [4501]

    async def test_more_words_than_can_be_followed_are_one_look_at_everybody(self, room: Room) -> None:
        room.enter("ada")
        room.ended.add("ada")
        for number in range(MAX_WORDS + 5):
            room.watch.receive(Control(SESSION_REVOKED, session_revoked(f"usr_{number}")))
        async with room.running():
            await room.reviewed()
        assert room.codes() == [4501]

    async def test_every_word_that_may_take_access_is_counted_at_once(self, room: Room) -> None:
        room.watch.receive(Control(ACCESS_CHANGED, access_changed("ada")))
        room.watch.receive(Interrupted(""))
        room.watch.receive(Control(SESSION_REVOKED, session_revoked("ada")))
        assert room.watch.words == 2

    async def test_a_token_that_was_renewed_during_the_look_stays_renewed(self, room: Room) -> None:
        ada = room.enter("ada")
        room.names["ada"] = "Ada"
        await room.watch.check_everybody()
        assert (ada.actor.full_name, ada.actor.expires_at_ms) == ("Ada", EXPIRY)

    async def test_an_answer_that_was_asked_for_earlier_does_not_undo_a_later_one(self, room: Room) -> None:
        ada = room.enter("ada")
        is_asked, may_answer = asyncio.Event(), asyncio.Event()

        async def slow(people: Sequence[tuple[Actor, Sequence[str]]]) -> list[Verdict]:
            verdicts = await room.review(people)
            is_asked.set()
            await may_answer.wait()
            return verdicts

        room.names["ada"] = "as she was"
        room.watch.authority = Authority(room._never, room._never, slow)
        early = asyncio.create_task(room.watch.check_some(0))
        await is_asked.wait()
        room.names["ada"] = "as she is"
        room.watch.authority = Authority(room._never, room._never, room.review)
        await room.watch.handle(Control(ACCESS_CHANGED, access_changed("ada")))
        may_answer.set()
        await early
        assert ada.actor.full_name == "as she is"

    async def test_who_a_newcomer_was_when_it_was_asked_does_not_undo_who_they_are(self, room: Room) -> None:
        ada = room.enter("ada")
        is_asked, may_answer = asyncio.Event(), asyncio.Event()

        async def slow(actor: Actor) -> Actor:
            is_asked.set()
            await may_answer.wait()
            return replace(actor, full_name="as she was")

        room.watch.authority = Authority(room._never, slow, room.review)
        entering = asyncio.create_task(room.watch.bring_up_to_date(ada))
        await is_asked.wait()
        room.names["ada"] = "as she is"
        await room.watch.handle(Control(ACCESS_CHANGED, access_changed("ada")))
        may_answer.set()
        await entering
        assert ada.actor.full_name == "as she is"

    async def test_an_ended_session_does_not_wait_for_a_slow_answer_about_another(self, room: Room) -> None:
        room.enter("ada")
        bob = room.enter("bob")
        is_asked = asyncio.Event()

        async def hangs(_: object) -> list[Verdict]:
            is_asked.set()
            await asyncio.Event().wait()
            return []

        room.watch.authority = Authority(room._never, room._never, hangs)
        async with room.running():
            room.watch.receive(Control(ACCESS_CHANGED, access_changed("ada")))
            await is_asked.wait()
            room.watch.receive(Control(SESSION_REVOKED, session_revoked("bob")))
            for _ in range(10):
                await asyncio.sleep(0)
            assert bob.is_closed

    async def test_many_who_lost_something_together_are_asked_for_together(self, room: Room) -> None:
        for number in range(250):
            room.enter(f"usr_{number}", "course:1")
        room.lost.add("course:1")
        async with room.running():
            for number in range(250):
                room.watch.receive(Control(ACCESS_CHANGED, access_changed(f"usr_{number}")))
            await room.reviewed(2)
        assert room.batches == [200, 50]
        assert not any(connection.subscriptions for connection in room.connections)


class TestRounds:
    async def test_a_round_looks_at_everybody_once_a_few_at_a_time(self, room: Room) -> None:
        for number in range(4_000):
            room.enter(f"usr_{number}")
        room.ended.update({"usr_0", "usr_3999"})
        for step in range(ROUND_SECONDS):
            await room.watch.check_some(step)
        assert sum(room.batches) == 4_000
        assert max(room.batches) == 67
        assert [number for number, code in enumerate(room.codes()) if code == 4501] == [0, 3999]

    async def test_where_few_are_a_round_takes_seconds(self, room: Room) -> None:
        for number in range(150):
            room.enter(f"usr_{number}")
        room.ended.update({"usr_0", "usr_149"})
        for step in range(4):
            await room.watch.check_some(step)
        assert sum(room.batches) == 150
        assert [number for number, code in enumerate(room.codes()) if code == 4501] == [0, 149]

    async def test_without_a_cause_a_fault_of_the_database_closes_nobody(self, room: Room) -> None:
        room.enter("ada")
        room.faults = 1
        await room.watch.check_some(0)
        assert (room.batches, room.codes()) == ([1], [None])

    async def test_it_goes_on_by_itself_where_there_are_other_nodes(
        self, room: Room, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(authority_module, "STEP_SECONDS", 0)
        room.enter("ada")
        async with room.running():
            await room.reviewed(2)

    async def test_a_node_alone_hears_all_there_is(self, room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(authority_module, "STEP_SECONDS", 0)
        room.watch = AccessWatch(room.watch.authority, room, room.switch, is_alone=True)
        room.enter("ada")
        async with room.running():
            for _ in range(100):
                await asyncio.sleep(0)
        assert room.batches == []


class TestAway:
    async def test_while_no_words_come_everybody_is_looked_at_again_and_again(
        self, room: Room, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(authority_module, "AWAY_SECONDS", 0.001)
        room.enter("ada")
        room.enter("bob")
        room.switch.is_there = False
        async with room.running():
            await room.reviewed(3)
            room.ended.add("ada")
            await room.reviewed(len(room.batches) + 2)
        assert room.codes() == [4501, None]

    async def test_a_short_fault_of_the_database_closes_nobody(
        self, room: Room, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(authority_module, "_TRY_AGAIN_SECONDS", 0)
        room.enter("ada")
        room.enter("bob")
        room.ended.add("bob")
        room.faults = 2
        await room.watch.check_everybody()
        assert room.codes() == [None, 4501]

    async def test_what_cannot_be_checked_is_not_left_open(self, room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(authority_module, "_TRY_AGAIN_SECONDS", 0)
        room.enter("ada")
        room.faults = 100
        await room.watch.check_everybody()
        assert room.codes() == [4010]

    async def test_without_bus_and_database_nothing_can_come_to_anybody_so_they_stay(
        self, room: Room, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(authority_module, "_TRY_AGAIN_SECONDS", 0)
        room.enter("ada")
        room.faults, room.switch.is_there = 100, False
        await room.watch.check_everybody()
        assert room.codes() == [None]

    async def test_one_who_comes_while_nobody_can_say_stays_who_they_were(self, room: Room) -> None:
        ada = room.enter("ada")

        async def away(_: Actor) -> Actor:
            raise Refused(Code.UNAVAILABLE)

        room.watch.authority = Authority(room._never, away)
        await room.watch.bring_up_to_date(ada)
        assert (room.codes(), ada.actor.user_id) == ([None], "ada")
