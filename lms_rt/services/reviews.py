"""Whole rooms of connections against the database at once: who are they by now, and what may they not hear any more."""

from __future__ import annotations

from collections.abc import Sequence

from lms_rt.contracts.actor import Actor
from lms_rt.realtime.authority import Review, Verdict
from lms_rt.services.sessions import Sessions
from lms_rt.services.subscriptions import Subscriptions
from lms_rt.storage.faults import faults_translated


def review_by(sessions: Sessions, subscriptions: Subscriptions) -> Review:
    """What the node asks about everybody: a handful of questions to the database, however many are asked about."""

    async def review(people: Sequence[tuple[Actor, Sequence[str]]]) -> list[Verdict]:
        actors = await sessions.find_actors_now([actor for actor, _ in people])
        there = [(actor, names) for actor, (_, names) in zip(actors, people, strict=True) if actor is not None]
        with faults_translated():
            closed = iter(await subscriptions.find_closed(there))
        return [Verdict(None) if actor is None else Verdict(actor, next(closed)) for actor in actors]

    return review
