"""How sessions end, who hears of it, and what holds while the bus or the database is away."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from pymongo.errors import ServerSelectionTimeoutError

from documents.session import Session
from documents.user import User
from lms_rt.bus.base import Control, FanOut, Listening, Receiver, Revocations, Word
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.channels import user_channel
from lms_rt.contracts.controls import ACCESS_CHANGED, SESSION_REVOKED, access_changed
from lms_rt.contracts.events import SessionRevoked
from lms_rt.errors import Code, Refused
from lms_rt.security.sessions import UNKNOWN_DEVICE
from tests.services.people import People, open_people

DAY = 86_400.0


# --- ends ---


async def test_signing_out_ends_this_session_only(people: People) -> None:
    one, other = await people.join(), await people.sign_in()
    actor = await people.sessions.authenticate(one.access_token)
    await people.sessions.sign_out(actor)
    assert await people.refusal(one.access_token) is Code.TOKEN_REVOKED
    assert await people.refresh_refusal(one.refresh_token) is Code.TOKEN_REVOKED
    assert await people.refusal(other.access_token) is None


async def test_signing_out_everywhere_ends_all(people: People) -> None:
    one, other = await people.join(), await people.sign_in()
    stranger = await people.join("omar@example.org", "Omar Said")
    await people.sessions.sign_out(await people.sessions.authenticate(one.access_token), everywhere=True)
    for tokens in (one, other):
        assert await people.refusal(tokens.access_token) is Code.TOKEN_REVOKED
        assert await people.refresh_refusal(tokens.refresh_token) is Code.TOKEN_REVOKED
    assert await people.refusal(stranger.access_token) is None
    assert await people.refusal((await people.sign_in()).access_token) is None  # in the same millisecond


async def test_a_sign_in_that_read_the_password_before_the_end_of_all_is_over(people: People) -> None:
    tokens = await people.join()
    user = await User.find_by_id(tokens.user.id)
    assert user is not None
    read_at_ms = people.clock.now_ms()
    people.clock.advance(1)
    await people.sessions.end_all(user.id, reason="password_changed")
    late = await people.sessions.begin(user, UNKNOWN_DEVICE, proved_ms=read_at_ms)
    assert await people.refusal(late.access_token) is Code.TOKEN_REVOKED
    assert await people.refresh_refusal(late.refresh_token) is Code.TOKEN_REVOKED


async def test_a_browser_signs_out_with_its_refresh_token(people: People) -> None:
    tokens, other = await people.join(), await people.sign_in()
    people.clock.advance(3600)
    await people.sessions.sign_out_by_refresh_token(tokens.refresh_token)
    await people.sessions.sign_out_by_refresh_token(tokens.refresh_token, everywhere=True)  # dead: may end no other
    assert await people.refresh_refusal(tokens.refresh_token) is Code.TOKEN_REVOKED
    assert await people.refresh_refusal(other.refresh_token) is None


async def test_an_end_is_told_to_the_person_as_the_catalogue_says(people: People) -> None:
    tokens = await people.join()
    await people.sessions.sign_out(await people.sessions.authenticate(tokens.access_token))
    page = await people.bus.history.page(user_channel(tokens.user.id))
    told = [published.event for published in page.events]
    assert [event.name for event in told] == ["session_revoked"]
    told_data = SessionRevoked.model_validate(dict(told[0].data))
    assert told_data.session_id == people.sessions.session_of(tokens.refresh_token)


async def test_an_ended_session_is_told_once(people: People) -> None:
    tokens = await people.join()
    actor = await people.sessions.authenticate(tokens.access_token)
    await people.sessions.sign_out(actor)
    await people.sessions.sign_out(actor)
    assert len(people.heard.named(SESSION_REVOKED)) == 1


# --- other nodes ---


async def test_another_node_hears_of_an_end(people: People) -> None:
    tokens = await people.join()
    async with open_people(people.settings, clock=people.clock, bus=people.bus) as other:
        actor = await other.sessions.authenticate(tokens.access_token)
        await people.sessions.sign_out(actor)
        assert await other.refusal(tokens.access_token) is Code.TOKEN_REVOKED


async def test_a_node_that_heard_nothing_knows_it_after_five_seconds(people: People) -> None:
    tokens = await people.join()
    async with open_people(people.settings, clock=people.clock) as deaf:  # on a bus of its own
        actor = await deaf.sessions.authenticate(tokens.access_token)
        await people.sessions.sign_out(actor)
        people.clock.advance(4.9)
        assert await deaf.refusal(tokens.access_token) is None
        people.clock.advance(0.1)
        assert await deaf.refusal(tokens.access_token) is Code.TOKEN_REVOKED


async def test_a_word_that_stands_for_too_many_others_has_everything_read_again(people: People) -> None:
    tokens = await people.join()
    async with open_people(people.settings, clock=people.clock) as deaf:  # on a bus of its own
        actor = await deaf.sessions.authenticate(tokens.access_token)
        await people.sessions.sign_out(actor)
        assert await deaf.refusal(tokens.access_token) is None
        deaf.sessions.receive(Control(ACCESS_CHANGED, access_changed(None)))
        assert await deaf.refusal(tokens.access_token) is Code.TOKEN_REVOKED


async def test_requests_within_five_seconds_ask_the_database_once(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = await people.join()
    await people.sessions.authenticate(tokens.access_token)

    async def fail(*_: Any) -> None:
        pytest.fail("asked the database")

    monkeypatch.setattr(User, "find_signed_in", fail)
    monkeypatch.setattr(Session, "find_row", fail)
    assert await people.refusal(tokens.access_token) is None


async def test_what_was_read_before_an_end_is_not_remembered_after_it(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = await people.join()
    session_id = people.sessions.session_of(tokens.refresh_token)
    read = Session.find_row
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def read_slowly(wanted: str) -> Any:
        row = await read(wanted)
        asked.set()
        await go_on.wait()
        return row

    monkeypatch.setattr(Session, "find_row", read_slowly)
    early = asyncio.create_task(people.sessions.authenticate(tokens.access_token))
    await asked.wait()
    monkeypatch.setattr(Session, "find_row", read)
    await people.sessions.sign_out(Actor(user_id=tokens.user.id, role=None, session_id=session_id))
    go_on.set()
    await early
    assert await people.refusal(tokens.access_token) is Code.TOKEN_REVOKED


# --- without bus or database ---


class _Away(FanOut, Revocations):
    """A bus that nobody answers on."""

    async def _refuse(self, *_: Any, **__: Any) -> Any:
        raise Refused(Code.UNAVAILABLE)

    publish = publish_direct = publish_state = poke = publish_control = revoke = is_revoked = _refuse

    async def listen(self, channel: str, receiver: Receiver[Any]) -> Listening:  # noqa: ARG002
        raise Refused(Code.UNAVAILABLE)

    async def listen_control(self, receiver: Receiver[Word]) -> Listening:  # noqa: ARG002
        return _Deaf()


class _Deaf(Listening):
    async def stop(self) -> None:
        pass


def _without_database(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: Any) -> None:
        raise ServerSelectionTimeoutError("away")

    monkeypatch.setattr(User, "find_signed_in", fail)
    monkeypatch.setattr(Session, "find_row", fail)


async def test_a_session_ends_although_the_bus_is_away(people: People) -> None:
    away = _Away()
    bus = replace(people.bus, fan_out=away, revocations=away)
    tokens = await people.join()
    async with open_people(people.settings, clock=people.clock, bus=bus) as lonely:
        await lonely.sessions.sign_out(await lonely.sessions.authenticate(tokens.access_token))
        assert await lonely.refusal(tokens.access_token) is Code.TOKEN_REVOKED


async def test_other_nodes_hear_of_an_end_as_soon_as_the_bus_is_back(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = await people.join()
    with monkeypatch.context() as away:
        away.setattr(people.bus.fan_out, "publish_control", _Away().publish_control)
        await people.sessions.sign_out(await people.sessions.authenticate(tokens.access_token))
    assert people.heard.named(SESSION_REVOKED) == []
    running = asyncio.create_task(people.sessions.run())
    try:
        async with asyncio.timeout(20):
            while not people.heard.named(SESSION_REVOKED):  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.01)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_without_the_database_the_copies_on_the_bus_decide(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended, alive = await people.join("omar@example.org", "Omar Said"), await people.join()
    actor = await people.sessions.authenticate(alive.access_token)
    await people.sessions.sign_out(await people.sessions.authenticate(ended.access_token))
    people.clock.advance(30)
    _without_database(monkeypatch)
    assert await people.refusal(ended.access_token) is Code.TOKEN_REVOKED
    assert await people.sessions.authenticate(alive.access_token) == actor


@pytest.mark.parametrize(("must_know", "expected"), [(True, Code.UNAVAILABLE), (False, None)])
async def test_without_both_the_setting_decides(
    people: People, monkeypatch: pytest.MonkeyPatch, must_know: bool, expected: Code | None
) -> None:
    tokens = await people.join()
    away = _Away()
    bus = replace(people.bus, fan_out=away, revocations=away)
    settings = people.settings.model_copy(update={"access_token_blacklist_fail_closed": must_know})
    async with open_people(settings, clock=people.clock, bus=bus) as lonely:
        _without_database(monkeypatch)
        assert await lonely.refusal(tokens.access_token) is expected
