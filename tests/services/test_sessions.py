"""Sessions: rotation, reuse, how many there may be, tickets. How they end is in `test_session_ends.py`."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from config.settings import Settings
from documents.session import Session
from documents.user import User
from lms_rt.contracts.controls import SESSION_REVOKED
from lms_rt.errors import Code, Refused
from lms_rt.security.sessions import MAX_ENDED
from lms_rt.storage.mongo import OpenDatabase
from tests.services.people import People, open_people

DAY = 86_400.0


# --- rotation ---


async def test_refreshing_gives_new_tokens_of_the_same_session(people: People) -> None:
    first = await people.join()
    people.clock.advance(60)
    second = await people.sessions.refresh(first.refresh_token)
    assert second.refresh_token != first.refresh_token
    assert second.access_token != first.access_token
    assert second.user.id == first.user.id
    actors = [await people.sessions.authenticate(tokens.access_token) for tokens in (first, second)]
    assert actors[0].session_id == actors[1].session_id


async def test_two_tabs_get_the_same_token(people: People) -> None:
    first = await people.join()
    one = await people.sessions.refresh(first.refresh_token)
    people.clock.advance(10)
    other = await people.sessions.refresh(first.refresh_token)
    assert other.refresh_token == one.refresh_token
    assert await people.refresh_refusal(one.refresh_token) is None


async def test_an_old_token_ends_the_session(people: People) -> None:
    first = await people.join()
    second = await people.sessions.refresh(first.refresh_token)
    people.clock.advance(10.001)
    assert await people.refresh_refusal(first.refresh_token) is Code.TOKEN_REVOKED
    assert await people.refresh_refusal(second.refresh_token) is Code.TOKEN_REVOKED
    assert await people.refusal(second.access_token) is Code.TOKEN_REVOKED
    session_id = people.sessions.session_of(first.refresh_token)
    assert people.heard.named(SESSION_REVOKED) == [
        {"user_id": first.user.id, "session_id": session_id, "except_session_id": None}
    ]


async def test_a_token_from_before_the_last_one_ends_the_session_at_once(people: People) -> None:
    first = await people.join()
    second = await people.sessions.refresh(first.refresh_token)
    third = await people.sessions.refresh(second.refresh_token)
    assert await people.refresh_refusal(first.refresh_token) is Code.TOKEN_REVOKED
    assert await people.refresh_refusal(third.refresh_token) is Code.TOKEN_REVOKED


async def test_many_refreshes_at_once_give_one_successor(people: People) -> None:
    first = await people.join()
    tokens = await asyncio.gather(*(people.sessions.refresh(first.refresh_token) for _ in range(12)))
    assert len({each.refresh_token for each in tokens}) == 1
    row = await Session.find_row(people.sessions.session_of(first.refresh_token))
    assert row is not None
    assert row["generation"] == 2
    assert await people.refresh_refusal(tokens[0].refresh_token) is None


async def test_a_rotation_that_comes_late_does_not_turn_the_session_back(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await people.join()
    read = Session.find_row
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def read_slowly(wanted: str) -> Any:
        row = await read(wanted)
        monkeypatch.setattr(Session, "find_row", read)
        asked.set()
        await go_on.wait()
        return row

    monkeypatch.setattr(Session, "find_row", read_slowly)
    late = asyncio.create_task(people.refresh_refusal(first.refresh_token))
    await asked.wait()
    second = await people.sessions.refresh(first.refresh_token)
    third = await people.sessions.refresh(second.refresh_token)
    go_on.set()
    assert await late is Code.TOKEN_REVOKED  # by now it is the token before the last one
    assert await people.refresh_refusal(third.refresh_token) is Code.TOKEN_REVOKED


async def test_an_unused_session_expires_and_a_used_one_goes_on(people: People) -> None:
    idle, used = await people.join(), await people.sign_in()
    people.clock.advance(29 * DAY)
    used = await people.sessions.refresh(used.refresh_token)
    people.clock.advance(1 * DAY)
    assert await people.refresh_refusal(idle.refresh_token) is Code.TOKEN_EXPIRED
    assert await people.refresh_refusal(used.refresh_token) is None


async def test_no_session_outlives_its_absolute_end(people: People) -> None:
    tokens = await people.join()
    for _ in range(8):
        people.clock.advance(11 * DAY)
        tokens = await people.sessions.refresh(tokens.refresh_token)
    people.clock.advance(2 * DAY)
    assert await people.refresh_refusal(tokens.refresh_token) is Code.TOKEN_EXPIRED


async def test_what_is_not_ours_is_refused(people: People) -> None:
    tokens = await people.join()
    assert await people.refresh_refusal("fam_1.1.abc") is Code.INVALID_TOKEN
    assert await people.refresh_refusal(tokens.access_token) is Code.INVALID_TOKEN
    assert await people.refusal(tokens.refresh_token) is Code.INVALID_TOKEN


async def test_a_generation_that_the_database_lost_is_invalid_and_ends_nothing(people: People) -> None:
    first = await people.join()
    second = await people.sessions.refresh(first.refresh_token)
    await Session.rows().update_one({}, {"$set": {"generation": 1}})  # as after restoring a backup
    assert await people.refresh_refusal(second.refresh_token) is Code.INVALID_TOKEN
    assert await people.refresh_refusal(first.refresh_token) is None


async def test_a_deactivated_person_gets_no_tokens(people: People) -> None:
    tokens = await people.join()
    await User.change(tokens.user.id, {"is_active": False}, people.clock.now())
    assert await people.refusal(tokens.access_token) is Code.TOKEN_REVOKED
    assert await people.refresh_refusal(tokens.refresh_token) is Code.TOKEN_REVOKED


# --- how many ---


async def test_the_least_recently_used_session_makes_room(settings: Settings, database: OpenDatabase) -> None:
    async with open_people(settings.model_copy(update={"max_sessions_per_user": 3})) as people:
        first = await people.join()
        others = []
        for _ in range(2):
            people.clock.advance(60)
            others.append(await people.sign_in())
        people.clock.advance(60)
        first = await people.sessions.refresh(first.refresh_token)  # used just now
        people.clock.advance(60)
        newest = await people.sign_in()
        assert await people.refusal(others[0].access_token) is Code.TOKEN_REVOKED
        for alive in (first, others[1], newest):
            assert await people.refusal(alive.access_token) is None


async def test_sessions_that_ended_long_ago_are_forgotten(people: People) -> None:
    await people.join()
    people.clock.advance(59 * DAY)
    await people.sign_in()
    assert await Session.rows().count_documents({}) == 2
    people.clock.advance(2 * DAY)
    await people.sign_in()
    assert await Session.rows().count_documents({}) == 2


async def test_of_what_ended_an_account_leaves_so_much_and_no_more(people: People) -> None:
    """Or whoever signs in to their own account without end slows down every sign-in after it."""
    tokens = await people.join()
    (row,) = [row async for row in Session.rows().find({})]
    await people.join("omar@example.org", "Omar Said")
    ended = [
        {**row, "_id": f"fam_ended{number:03}", "revoked_at": row["created_at"] + timedelta(seconds=number)}
        for number in range(MAX_ENDED + 60)
    ]
    await Session.rows().insert_many(ended)
    people.clock.advance(3600)
    for _ in range(3):
        await people.sign_in()
    left = [row["_id"] async for row in Session.rows().find({"revoked_at": {"$exists": True}})]
    assert sorted(left) == [row["_id"] for row in ended[60:]]
    assert await Session.rows().count_documents({}) == MAX_ENDED + 5
    assert await people.refresh_refusal(tokens.refresh_token) is None


async def test_a_sign_in_reads_nothing_of_what_ended(people: People) -> None:
    tokens = await people.join()
    alive = people.sessions.session_of(tokens.refresh_token)
    (row,) = [row async for row in Session.rows().find({})]
    now, earlier = people.clock.now(), people.clock.now() - timedelta(days=1)
    others: tuple[dict[str, Any], ...] = (
        {"revoked_at": now},
        {"idle_until": earlier},
        {"absolute_until": earlier},
        {"impersonator_id": "usr_x"},
    )
    await Session.rows().insert_many([{**row, "_id": f"fam_{n}", **more} for n, more in enumerate(others)])
    assert set(await Session.find_alive(tokens.user.id, now)) == {("fam_3", True), (alive, False)}
    assert await Session.own_beyond(tokens.user.id, now, keep="fam_new", count=0, limit=9) == [alive]
    assert await Session.own_beyond(tokens.user.id, now, keep=alive, count=0, limit=9) == []


async def test_how_long_ended_sessions_are_kept_can_be_set(settings: Settings, database: OpenDatabase) -> None:
    async with open_people(settings.model_copy(update={"retention_ended_sessions_days": 3})) as people:
        await people.join()
        people.clock.advance(34 * DAY)
        await people.sign_in()
        assert await Session.rows().count_documents({}) == 1


# --- tickets ---


async def test_a_ticket_holds_once(people: People) -> None:
    tokens = await people.join()
    actor = await people.sessions.authenticate(tokens.access_token)
    ticket = await people.sessions.issue_ticket(actor)
    consumed = await asyncio.gather(
        *(people.sessions.consume_ticket(ticket.ticket) for _ in range(5)), return_exceptions=True
    )
    assert [each for each in consumed if not isinstance(each, BaseException)] == [actor]
    assert all(isinstance(each, Refused) and each.code is Code.INVALID_TOKEN for each in consumed if each != actor)


async def test_a_ticket_holds_for_half_a_minute(people: People) -> None:
    actor = await people.sessions.authenticate((await people.join()).access_token)
    early, late = await people.sessions.issue_ticket(actor), await people.sessions.issue_ticket(actor)
    people.clock.advance(29.9)
    await people.sessions.consume_ticket(early.ticket)
    people.clock.advance(0.1)
    with pytest.raises(Refused):
        await people.sessions.consume_ticket(late.ticket)


async def test_a_ticket_ends_with_its_session(people: People) -> None:
    actor = await people.sessions.authenticate((await people.join()).access_token)
    ticket = await people.sessions.issue_ticket(actor)
    await people.sessions.sign_out(actor)
    with pytest.raises(Refused) as refused:
        await people.sessions.consume_ticket(ticket.ticket)
    assert refused.value.code is Code.TOKEN_REVOKED


async def test_a_ticket_does_not_outlive_the_access_token(people: People) -> None:
    actor = await people.sessions.authenticate((await people.join()).access_token)
    people.clock.advance(895)
    ticket = await people.sessions.issue_ticket(actor)
    people.clock.advance(5)
    with pytest.raises(Refused) as refused:
        await people.sessions.consume_ticket(ticket.ticket)
    assert refused.value.code is Code.TOKEN_EXPIRED


@pytest.mark.parametrize("text", ["", "abc", "\ud800", "a" * 10_000])
async def test_an_unknown_ticket_is_refused(people: People, text: str) -> None:
    with pytest.raises(Refused) as refused:
        await people.sessions.consume_ticket(text)
    assert refused.value.code is Code.INVALID_TOKEN
