"""Where somebody is signed in, as they see it; how they sign out elsewhere; and how their password changes."""

from __future__ import annotations

import asyncio
from unittest.mock import AsyncMock

import pytest

from documents.job import Job
from documents.user import User
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.channels import user_channel
from lms_rt.contracts.controls import SESSION_REVOKED
from lms_rt.contracts.sessions import PasswordChangeDraft
from lms_rt.errors import Code, Refused
from lms_rt.security.sessions import UNKNOWN_DEVICE
from tests.services.own import NEXT_PASSWORD, Own
from tests.services.people import PASSWORD, People, open_people

DAY = 86_400.0


@pytest.fixture
def own(people: People) -> Own:
    return Own.of(people)


async def refused_by(own: Own, actor: Actor, session_id: str) -> Code | None:
    try:
        await own.sessions.end(actor, session_id)
    except Refused as refused:
        return refused.code
    return None


# --- sessions ---


async def test_the_latest_used_session_comes_first_and_ones_own_is_marked(own: Own, people: People) -> None:
    first = await people.join()
    people.clock.advance(60)
    phone = await own.sign_in("Phone 1.0")
    people.clock.advance(60)
    first = await people.sessions.refresh(first.refresh_token)
    shown = await own.listed(phone)
    assert [(view.device, view.ip_address, view.is_current) for view in shown] == [
        ("", "", False),
        ("Phone 1.0", "192.0.2.7", True),
    ]
    assert shown[0].id == people.sessions.session_of(first.refresh_token)
    assert shown[0].last_used_at > shown[1].last_used_at > shown[0].created_at
    assert shown[0].expires_at > shown[1].expires_at


async def test_what_has_ended_is_not_shown(own: Own, people: People) -> None:
    unused, ended, alive = await people.join(), await own.sign_in("ended"), await own.sign_in("alive")
    await people.sessions.sign_out(await own.actor(ended))
    people.clock.advance(29 * DAY)
    alive = await people.sessions.refresh(alive.refresh_token)
    people.clock.advance(2 * DAY)
    alive = await people.sessions.refresh(alive.refresh_token)
    assert [view.device for view in await own.listed(alive)] == ["alive"]
    assert await people.refresh_refusal(unused.refresh_token) is Code.TOKEN_EXPIRED


async def test_a_session_that_an_end_of_all_overtook_is_not_shown(own: Own, people: People) -> None:
    tokens = await people.join()
    user = await User.find_by_id(tokens.user.id)
    assert user is not None
    read_at_ms = people.clock.now_ms()
    people.clock.advance(1)
    await people.sessions.end_all(user.id, reason="signed_out_everywhere")
    await people.sessions.begin(user, UNKNOWN_DEVICE, proved_ms=read_at_ms)
    people.clock.advance(1)
    assert [view.is_current for view in await own.listed(await people.sign_in())] == [True]


async def test_one_session_is_ended_and_its_owner_told(own: Own, people: People) -> None:
    lost, kept = await people.join(), await own.sign_in("kept")
    lost_id = people.sessions.session_of(lost.refresh_token)
    assert await refused_by(own, await own.actor(kept), lost_id) is None
    assert await people.refusal(lost.access_token) is Code.TOKEN_REVOKED
    assert await people.refresh_refusal(lost.refresh_token) is Code.TOKEN_REVOKED
    assert await people.refusal(kept.access_token) is None
    told = (await people.bus.history.page(user_channel(kept.user.id))).events
    assert [dict(one.event.data) for one in told] == [{"session_id": lost_id, "reason": "ended_elsewhere"}]
    assert await refused_by(own, await own.actor(kept), lost_id) is Code.NOT_FOUND  # by now it is none


async def test_a_session_of_somebody_else_is_not_there(own: Own, people: People) -> None:
    tokens, other = await people.join(), await people.join("omar@example.org", "Omar Said")
    actor = await own.actor(tokens)
    for session_id in (people.sessions.session_of(other.refresh_token), "fam_unknown", ""):
        assert await refused_by(own, actor, session_id) is Code.NOT_FOUND
    assert await people.refusal(other.access_token) is None


async def test_ending_ones_own_session_is_signing_out(own: Own, people: People) -> None:
    tokens = await people.join()
    assert await refused_by(own, await own.actor(tokens), people.sessions.session_of(tokens.refresh_token)) is None
    assert await people.refusal(tokens.access_token) is Code.TOKEN_REVOKED


async def test_all_others_end_and_nobody_elses(own: Own, people: People) -> None:
    others = [await people.join(), await own.sign_in("phone")]
    kept, stranger = await own.sign_in("kept"), await people.join("omar@example.org", "Omar Said")
    await own.sessions.end_others(await own.actor(kept))
    assert [await people.refusal(one.access_token) for one in others] == [Code.TOKEN_REVOKED] * 2
    assert [await people.refusal(one.access_token) for one in (kept, stranger)] == [None, None]
    assert [view.device for view in await own.listed(kept)] == ["kept"]


async def test_what_is_just_being_begun_ends_with_the_others(own: Own, people: People) -> None:
    """Somebody's password was right, and the session, or the code, comes after the owner has thrown everybody out."""
    kept = await people.join()
    user = await User.find_by_id(kept.user.id)
    assert user is not None
    read_at_ms = people.clock.now_ms()
    people.clock.advance(1)
    await own.sessions.end_others(await own.actor(kept))
    late = await people.sessions.begin(user, UNKNOWN_DEVICE, proved_ms=read_at_ms)
    assert await people.refusal(late.access_token) is Code.TOKEN_REVOKED
    assert await people.refresh_refusal(late.refresh_token) is Code.TOKEN_REVOKED
    assert await people.refusal(kept.access_token) is None
    assert await people.refresh_refusal(kept.refresh_token) is None
    people.clock.advance(1)
    assert await people.refusal((await people.sign_in()).access_token) is None


async def test_all_others_end_at_once_at_other_nodes_too(own: Own, people: People) -> None:
    lost, kept = await people.join(), await own.sign_in("kept")
    async with open_people(people.settings, clock=people.clock, bus=people.bus) as other:
        await other.sessions.authenticate(lost.access_token)
        await own.sessions.end_others(await own.actor(kept))
        assert await other.refusal(lost.access_token) is Code.TOKEN_REVOKED
        assert await other.refusal(kept.access_token) is None


# --- the password ---


async def test_a_new_password_ends_all_others_and_keeps_the_session_that_asks(own: Own, people: People) -> None:
    stolen, asking = await people.join(), await own.sign_in("asking")
    await own.change_password(asking)
    assert await people.refusal(stolen.access_token) is Code.TOKEN_REVOKED
    assert await people.refresh_refusal(stolen.refresh_token) is Code.TOKEN_REVOKED
    assert await people.refusal(asking.access_token) is None
    asking = await people.sessions.refresh(asking.refresh_token)
    assert await people.refusal(asking.access_token) is None
    with pytest.raises(Refused):
        await people.sign_in()
    await people.sign_in(password=NEXT_PASSWORD)


async def test_the_sessions_end_though_the_process_ends_first(
    own: Own, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Requests are refused by the write alone; sockets hear of it from whoever finds what was left to do."""
    stolen, asking = await people.join(), await own.sign_in("asking")
    monkeypatch.setattr(people.sessions, "end_others", AsyncMock(side_effect=KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        await own.change_password(asking)
    assert people.heard.named(SESSION_REVOKED) == []
    people.clock.advance(60)
    later = await people.sign_in(password=NEXT_PASSWORD)
    await own.passwords._relay.sweep(minimum_age_ms=0)
    gone = people.sessions.session_of(stolen.refresh_token)
    assert [word["session_id"] for word in people.heard.named(SESSION_REVOKED)] == [gone]
    refusals = [await people.refusal(tokens.access_token) for tokens in (stolen, asking, later)]
    assert refusals == [Code.TOKEN_REVOKED, None, None]


async def test_the_nodes_are_told_of_all_sessions_but_the_one_that_made_the_change(own: Own, people: People) -> None:
    ended, asking = await people.join(), await own.sign_in("asking")
    await own.change_password(asking)
    gone, kept = (people.sessions.session_of(tokens.refresh_token) for tokens in (ended, asking))
    assert people.heard.named(SESSION_REVOKED) == [
        {"user_id": asking.user.id, "session_id": gone, "except_session_id": None},
        {"user_id": asking.user.id, "session_id": None, "except_session_id": kept},
    ]


async def test_the_session_goes_on_at_other_nodes_too(own: Own, people: People) -> None:
    stolen, asking = await people.join(), await own.sign_in("asking")
    async with open_people(people.settings, clock=people.clock, bus=people.bus) as other:
        for tokens in (stolen, asking):  # both nodes know both sessions
            await other.sessions.authenticate(tokens.access_token)
        await own.change_password(asking)
        assert await other.refusal(asking.access_token) is None
        assert await other.refusal(stolen.access_token) is Code.TOKEN_REVOKED


async def test_a_node_that_heard_nothing_does_not_lock_out_the_session_that_asks(own: Own, people: People) -> None:
    await people.join()
    asking = await own.sign_in("asking")
    async with open_people(people.settings, clock=people.clock) as deaf:  # on a bus of its own
        people.clock.advance(3)
        await deaf.sessions.authenticate(asking.access_token)
        await own.change_password(asking)
        people.clock.advance(2)
        await deaf.sessions.forget(asking.user.id)  # it reads the person anew, and knows the session from before
        assert await deaf.refusal(asking.access_token) is None


async def test_a_sign_in_with_the_old_password_that_is_under_way_ends(own: Own, people: People) -> None:
    tokens = await people.join()
    user = await User.find_by_id(tokens.user.id)
    assert user is not None
    read_at_ms = people.clock.now_ms()
    await own.change_password(tokens)
    late = await people.sessions.begin(user, UNKNOWN_DEVICE, proved_ms=read_at_ms)
    assert await people.refusal(late.access_token) is Code.TOKEN_REVOKED
    assert await people.refresh_refusal(late.refresh_token) is Code.TOKEN_REVOKED


async def test_whose_session_has_ended_meanwhile_changes_nothing(own: Own, people: People) -> None:
    tokens = await people.join()
    actor = await own.actor(tokens)
    await people.sessions.end_all(tokens.user.id, reason="signed_out_everywhere")
    with pytest.raises(Refused) as refused:
        await own.passwords.change(actor, PasswordChangeDraft(current_password=PASSWORD, new_password=NEXT_PASSWORD))
    assert refused.value.code is Code.TOKEN_REVOKED
    await people.sign_in()


async def test_of_two_changes_at_once_one_is_made(own: Own, people: People) -> None:
    tokens = await people.join()
    wished = ["hill cloud 73", "lake grass 85"]
    outcomes = await asyncio.gather(*(own.change_password(tokens, new=new) for new in wished), return_exceptions=True)
    assert [isinstance(outcome, Refused) for outcome in outcomes].count(True) == 1
    [made] = [new for new, outcome in zip(wished, outcomes, strict=True) if outcome is None]
    await people.sign_in(password=made)


@pytest.mark.parametrize(
    ("new", "code"), [("short", "too_short"), ("password123", "too_common"), ("monafarouk1", "own_name")]
)
async def test_the_rules_of_passwords_hold(own: Own, people: People, new: str, code: str) -> None:
    tokens = await people.join()
    with pytest.raises(Refused) as refused:
        await own.change_password(tokens, new=new)
    assert [(fault.field, fault.code) for fault in refused.value.fields] == [("new_password", code)]
    await people.sign_in()


async def test_a_wrong_password_changes_nothing(own: Own, people: People) -> None:
    tokens = await people.join()
    with pytest.raises(Refused) as refused:
        await own.change_password(tokens, current="river stone 42")
    assert refused.value.code is Code.INVALID_CREDENTIALS
    assert await people.refusal(tokens.access_token) is None
    await people.sign_in()


async def test_the_owner_is_told_by_mail_and_nothing_says_the_password(own: Own, people: People) -> None:
    tokens = await people.join()
    await own.change_password(tokens)
    jobs = [job async for job in Job.rows().find({"task": "mail.send"})]
    mails = [job["args"]["template"] for job in jobs]
    assert mails.count("password_changed") == 1
    user = await User.rows().find_one({"_id": tokens.user.id})
    assert NEXT_PASSWORD not in str([jobs, user])
