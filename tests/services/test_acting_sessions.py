"""Sessions in somebody else's place: marked wherever they are looked at, short, and no longer than who acts may act.

Who may begin one is tested with `impersonation.py`; here the actor is an administrator.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from pymongo.errors import ServerSelectionTimeoutError

from config.settings import Settings
from documents.enums import Role
from documents.session import Session
from documents.user import User
from lms_rt.contracts.accounts import TokensView
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.channels import user_channel
from lms_rt.contracts.controls import SESSION_REVOKED
from lms_rt.contracts.sessions import ImpersonationView
from lms_rt.errors import Code, Refused
from lms_rt.security.access.quizzes import own, refuse_other_hand
from lms_rt.storage.mongo import OpenDatabase
from tests.services.own import Own, promoted, stored
from tests.services.people import People, open_people

ADMIN = "ada@example.org"


@dataclass
class Place:
    """Mona, and Ada who acts in her place."""

    people: People
    mona: TokensView
    ada: TokensView
    acting: ImpersonationView

    @classmethod
    async def of(cls, people: People) -> Place:
        """Both are new."""
        mona, ada = await people.join(), await people.join(ADMIN, "Ada Admin")
        await promoted(ada, role=Role.ADMIN.value)
        await people.sessions.forget(ada.user.id)
        return cls(people, mona, ada, await _acting(people, mona, ada))

    async def begin(self) -> None:
        """Ada acts as Mona once more."""
        self.acting = await _acting(self.people, self.mona, self.ada)

    async def actor(self) -> Actor:
        """Who the token of who acts stands for."""
        return await self.people.sessions.authenticate(self.acting.access_token)

    async def refusal(self) -> Code | None:
        """Why it is refused, if it is."""
        return await self.people.refusal(self.acting.access_token)


async def _acting(people: People, person: TokensView, admin: TokensView) -> ImpersonationView:
    user = await User.find_by_id(person.user.id)
    assert user is not None
    return await people.sessions.impersonate(await people.sessions.authenticate(admin.access_token), user)


@pytest.fixture
async def place(people: People) -> Place:
    return await Place.of(people)


async def test_who_acts_is_the_person_and_marked(place: Place) -> None:
    actor = await place.actor()
    assert (actor.user_id, actor.role, actor.full_name) == (place.mona.user.id, Role.STUDENT, "Mona Farouk")
    assert (actor.is_impersonated, actor.impersonator_id) == (True, place.ada.user.id)
    own = await place.people.sessions.authenticate(place.mona.access_token)
    assert not own.is_impersonated


async def test_the_mark_goes_with_tickets_and_looks_at_who_is_there(place: Place) -> None:
    sessions, actor = place.people.sessions, await place.actor()
    ticket = await sessions.issue_ticket(actor)
    assert await sessions.consume_ticket(ticket.ticket) == actor
    assert await sessions.actor_now(actor) == actor
    mona = await sessions.authenticate(place.mona.access_token)
    assert await sessions.find_actors_now([mona, actor]) == [mona, actor]


async def test_it_ends_by_itself_and_cannot_be_prolonged(place: Place) -> None:
    assert place.acting.expires_in == 900
    actor = await place.actor()
    token = place.people.sessions._families._tokens.write(actor.session_id, 1)  # as if the key were known
    assert await place.people.refresh_refusal(token) is Code.INVALID_TOKEN
    place.people.clock.advance(900)
    assert await place.refusal() is Code.TOKEN_EXPIRED


async def test_the_person_does_not_see_it_nor_lose_a_session_for_it(settings: Settings, database: OpenDatabase) -> None:
    async with open_people(settings.model_copy(update={"max_sessions_per_user": 1})) as people:
        place = await Place.of(people)
        assert await people.refusal(place.mona.access_token) is None
        assert [view.is_current for view in await Own.of(people).listed(place.mona)] == [True]
        people.clock.advance(60)
        place.mona = await people.sign_in()  # the surplus is her first one, not that of who acts
        assert await place.refusal() is None


async def test_signing_out_ends_this_session_alone_whatever_is_asked(place: Place) -> None:
    await place.people.sessions.sign_out(await place.actor(), everywhere=True)
    assert await place.refusal() is Code.TOKEN_REVOKED
    assert await place.people.refusal(place.mona.access_token) is None
    assert await place.people.refusal(place.ada.access_token) is None


async def test_it_ends_when_who_acts_signs_out(place: Place) -> None:
    acting_id = (await place.actor()).session_id
    await place.people.sessions.sign_out(await place.people.sessions.authenticate(place.ada.access_token))
    assert await place.refusal() is Code.TOKEN_REVOKED
    assert "revoked_at" in await stored(acting_id)
    words = place.people.heard.named(SESSION_REVOKED)
    assert {"user_id": place.mona.user.id, "session_id": acting_id, "except_session_id": None} in words
    assert await place.people.refusal(place.mona.access_token) is None
    told = (await place.people.bus.history.page(user_channel(place.mona.user.id))).events
    assert told == ()  # she never knew of it


@pytest.mark.parametrize("way", ["elsewhere", "by_a_new_password"])
async def test_the_person_hears_nothing_of_it_when_they_end_all_others(place: Place, way: str) -> None:
    sessions, user_id = place.people.sessions, place.mona.user.id
    own = await sessions.authenticate(place.mona.access_token)
    other = await sessions.authenticate((await place.people.sign_in()).access_token)
    if way == "elsewhere":
        await sessions.end_others(user_id, keep=own.session_id, reason="signed_out")
    else:
        until_ms = place.people.clock.now_ms() + 1
        await sessions.keep_through_end(user_id, own.session_id, until_ms)
        await sessions.end_former("intent", {"user_id": user_id, "until_ms": until_ms})
    told = (await place.people.bus.history.page(user_channel(user_id))).events
    assert [published.event.data["session_id"] for published in told] == [other.session_id]
    assert await place.refusal() is Code.TOKEN_REVOKED
    assert await place.people.refusal(place.mona.access_token) is None


async def test_another_session_of_who_acts_may_end(place: Place) -> None:
    other = await place.people.sign_in(ADMIN)
    await place.people.sessions.sign_out(await place.people.sessions.authenticate(other.access_token))
    assert await place.refusal() is None


async def test_it_ends_with_all_sessions_of_who_acts_and_with_all_of_the_person(place: Place) -> None:
    await place.people.sessions.end_all(place.ada.user.id, reason="account_closed")
    assert await place.refusal() is Code.TOKEN_REVOKED
    place.people.clock.advance(1)
    place.ada = await place.people.sign_in(ADMIN)
    await place.begin()
    assert await place.refusal() is None
    await place.people.sessions.end_all(place.mona.user.id, reason="password_changed")
    assert await place.refusal() is Code.TOKEN_REVOKED


@pytest.mark.parametrize("fields", [{"role": Role.INSTRUCTOR.value}, {"is_active": False}], ids=["demoted", "closed"])
async def test_who_may_not_act_any_more_does_not(place: Place, fields: dict[str, object]) -> None:
    actor = await place.actor()
    await promoted(place.ada, **fields)
    await place.people.sessions.forget(place.ada.user.id)
    assert await place.refusal() is Code.TOKEN_REVOKED
    assert await place.people.sessions.find_actors_now([actor]) == [None]


async def test_nobody_acts_as_one_who_became_an_administrator(place: Place) -> None:
    assert await place.refusal() is None
    await promoted(place.mona, role=Role.ADMIN.value)
    await place.people.sessions.forget(place.mona.user.id)
    assert await place.refusal() is Code.TOKEN_REVOKED


async def test_a_token_without_its_mark_opens_no_session_of_who_acts(place: Place) -> None:
    actor = await place.actor()
    plain = place.people.sessions._access.issue(actor.user_id, Role.STUDENT, actor.session_id)
    assert await place.people.refusal(plain) is Code.INVALID_TOKEN


@pytest.mark.parametrize("is_known", [True, False], ids=["known", "unknown"])
async def test_the_mark_stays_while_the_database_is_away(
    place: Place, monkeypatch: pytest.MonkeyPatch, is_known: bool
) -> None:
    if is_known:
        await place.actor()
    async with open_people(place.people.settings, clock=place.people.clock, bus=place.people.bus) as other:
        node = place.people if is_known else other
        place.people.clock.advance(30)
        _without_database(monkeypatch)
        actor = await node.sessions.authenticate(place.acting.access_token)
        assert (actor.impersonator_id, actor.is_impersonated) == (place.ada.user.id, True)


async def test_without_the_database_it_ends_with_the_session_of_who_acts(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    await place.people.sessions.sign_out(await place.people.sessions.authenticate(place.ada.access_token))
    async with open_people(place.people.settings, clock=place.people.clock, bus=place.people.bus) as other:
        _without_database(monkeypatch)
        assert await other.refusal(place.acting.access_token) is Code.TOKEN_REVOKED


async def test_who_acts_answers_nothing_in_the_persons_place(place: Place) -> None:
    actor, attempt = await place.actor(), {"student_id": place.mona.user.id}
    with pytest.raises(Refused) as refused:
        own(actor, attempt)
    assert refused.value.code is Code.FORBIDDEN
    own(replace(actor, impersonator_id=""), attempt)
    with pytest.raises(Refused):
        refuse_other_hand(actor)


def _without_database(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object) -> None:
        raise ServerSelectionTimeoutError("away")

    monkeypatch.setattr(User, "find_signed_in", fail)
    monkeypatch.setattr(Session, "find_row", fail)
