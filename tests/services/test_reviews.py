"""Everybody against the database at once: the same verdicts as one by one, with a handful of questions."""

from __future__ import annotations

from typing import Any

import pytest
from pymongo.errors import ServerSelectionTimeoutError

from config.settings import Settings
from documents.course import Course
from documents.session import Session
from documents.user import User
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.channels import course_channel, user_channel
from lms_rt.errors import Code, Refused
from lms_rt.services.reviews import review_by
from lms_rt.services.subscriptions import Subscriptions
from tests.services.exam import Exam
from tests.services.people import People


async def signed_in(people: People, number: int) -> Actor:
    tokens = await people.join(f"person{number}@example.org", f"Person {number}")
    return await people.sessions.authenticate(tokens.access_token)


async def test_who_is_still_signed_in_is_who_they_are_now(people: People) -> None:
    review = review_by(people.sessions, Subscriptions(clock=people.clock))
    actors = [await signed_in(people, number) for number in range(5)]
    gone, deactivated, promoted, signed_out, untouched = actors
    await Session.forget([gone.session_id])
    await User.change(deactivated.user_id, {"is_active": False}, people.clock.now())
    await User.change(promoted.user_id, {"role": "instructor", "full_name": "Dr P."}, people.clock.now())
    await people.sessions.sign_out(signed_out)
    verdicts = await review([(actor, [user_channel(actor.user_id)]) for actor in actors])
    assert [verdict.actor for verdict in verdicts][:2] == [None, None]
    assert verdicts[3].actor is None
    now = verdicts[2].actor
    assert now is not None
    assert (now.is_staff, now.full_name, now.session_id) == (True, "Dr P.", promoted.session_id)
    assert (verdicts[4].actor, list(verdicts[4].lost)) == (untouched, [])


async def test_it_sees_what_nobody_was_told_of(people: People) -> None:
    review = review_by(people.sessions, Subscriptions(clock=people.clock))
    actor = await signed_in(people, 1)
    assert (await review([(actor, [])]))[0].actor == actor
    await Session.revoke(actor.session_id, people.clock.now())  # on another node, while the bus is away
    assert (await review([(actor, [])]))[0].actor is None
    with pytest.raises(Refused):
        await people.sessions.actor_now(actor)


async def test_a_session_of_somebody_else_is_nobodys(people: People) -> None:
    one, other = await signed_in(people, 1), await signed_in(people, 2)
    review = review_by(people.sessions, Subscriptions(clock=people.clock))
    mixed = Actor(one.user_id, one.role, session_id=other.session_id)
    assert (await review([(mixed, [])]))[0].actor is None


async def test_lost_channels_are_named(settings: Settings, people: People) -> None:
    exam = Exam(settings)
    await exam.open_course()
    actor = await signed_in(people, 1)
    review = review_by(people.sessions, Subscriptions(clock=people.clock))
    names = [user_channel(actor.user_id), course_channel(exam.course_id), "system", "course:crs_none", "nonsense"]
    ((_, lost),) = await review([(actor, names)])
    assert list(lost) == [course_channel(exam.course_id), "course:crs_none", "nonsense"]


async def test_hundreds_cost_as_many_questions_as_one(
    people: People, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    exam = Exam(settings)
    await exam.open_course()
    actors = [await signed_in(people, number) for number in range(3)]
    asked: list[str] = []
    for document, name in ((Session, "find_standings"), (User, "find_all_signed_in"), (Course, "heads")):
        monkeypatch.setattr(document, name, counted(getattr(document, name), asked))
    for name in ("find_row", "find_head", "find_signed_in"):
        for document in (Session, User, Course):
            if hasattr(document, name):
                monkeypatch.setattr(document, name, counted(getattr(document, name), asked))
    everybody = [(actor, [course_channel(exam.course_id)]) for actor in actors * 100]
    verdicts = await review_by(people.sessions, Subscriptions(clock=people.clock))(everybody)
    assert len(verdicts) == 300
    assert sorted(asked) == ["find_all_signed_in", "find_standings", "heads"]


def counted(find: Any, asked: list[str]) -> Any:
    async def counting(*args: Any) -> Any:
        asked.append(find.__name__)
        return await find(*args)

    return counting


async def test_without_the_database_nobody_can_say(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*_: Any) -> None:
        raise ServerSelectionTimeoutError("away")

    actor = await signed_in(people, 1)
    monkeypatch.setattr(User, "find_all_signed_in", away)
    with pytest.raises(Refused) as refused:
        await review_by(people.sessions, Subscriptions(clock=people.clock))([(actor, [])])
    assert refused.value.code is Code.UNAVAILABLE


async def test_what_was_read_serves_the_next_requests(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = await people.join()
    actor = await people.sessions.authenticate(tokens.access_token)
    people.clock.advance(60)
    await review_by(people.sessions, Subscriptions(clock=people.clock))([(actor, [])])

    async def fail(*_: Any) -> None:
        pytest.fail("asked the database")

    monkeypatch.setattr(User, "find_signed_in", fail)
    monkeypatch.setattr(Session, "find_row", fail)
    assert await people.sessions.authenticate(tokens.access_token) == actor


async def test_what_was_read_before_an_end_is_not_remembered_after_it(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = await people.join()
    actor = await people.sessions.authenticate(tokens.access_token)
    read = Session.find_standings

    async def read_and_end(session_ids: list[str]) -> Any:
        rows = await read(session_ids)
        await people.sessions.sign_out(actor)
        return rows

    monkeypatch.setattr(Session, "find_standings", read_and_end)
    await review_by(people.sessions, Subscriptions(clock=people.clock))([(actor, [])])
    assert await people.refusal(tokens.access_token) is Code.TOKEN_REVOKED
