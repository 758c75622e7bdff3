"""Going through much page by page: a cursor that is kept after each page, and so much at once.

A round that was cut, by its bound or by a crash, goes on where it was: in a job that follows, or in that of the next day.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from documents.base import Row
from documents.payment_walk import PaymentWalk
from lms_rt.clock import Clock
from lms_rt.storage.faults import is_passing

LONGEST = timedelta(minutes=10)
"""So long one run goes on before it lets another follow; a page may take longer, and the job has far more time."""
MOST_WORK = 5_000
"""So many rows are looked at in one run."""

_COUNTED = ("seen", "failed", "partly")

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Run:
    """What one run may do. Walks that came to their end at `since` or later have been done; None: all begin anew."""

    clock: Clock
    since: datetime | None = None
    most_work: int = field(default_factory=lambda: MOST_WORK)
    longest: timedelta = LONGEST
    is_cut: bool = False
    """Is something left for a run that follows?"""
    _until: datetime | None = None

    def spend(self, work: int = 1) -> None:
        """So many rows were looked at."""
        self.most_work -= work

    def is_over(self) -> bool:
        """Was enough done? Then something is left."""
        now = self.clock.now()
        self._until = self._until or now + self.longest
        if self.most_work <= 0 or now >= self._until:
            self.is_cut = True
        return self.is_cut


@dataclass(slots=True)
class Page:
    """What one step did: where to go on (None: the round is over), and how much was looked at.

    `partly` is how much of that was looked at in part alone, `failed` how much could not be looked at.
    """

    state: Row | None
    seen: int = 0
    failed: int = 0
    partly: int = 0
    reached: datetime | None = None
    """Said with the end of a round: up to then nothing was passed over, so that the next one goes on from there."""


Step = Callable[[Row], Awaitable[Page]]
"""One page from here on. The first `state` of a round is `{"began": <when>, "reached": <when>}`: what an earlier one said."""


async def walk(name: str, step: Step, run: Run) -> int:
    """Go on with a walk, or begin its next round, until it is over or the run is; how much was looked at."""
    row, done = await PaymentWalk.find_or_begin(name, run.clock.now()), 0
    if row.get("state") is None:
        if run.since is not None and row.get("ended_at") is not None and row["ended_at"] >= run.since:
            return 0
        begun = {"began": run.clock.now(), "reached": row.get("reached") or row["first_at"]}
        row = row | {"state": begun, "seen": 0, "failed": 0, "partly": 0}
    while not run.is_over():
        page = await step(row["state"])
        run.spend(page.seen + page.failed)
        done, at = done + page.seen, run.clock.now()
        counted = {name: row.get(name, 0) + getattr(page, name) for name in _COUNTED}
        fields: Row = {"state": page.state, **counted}
        if page.state is None:
            fields |= {"ended_at": at} | ({} if fields["failed"] or fields["partly"] else {"complete_at": at})
            fields |= {} if page.reached is None else {"reached": page.reached}
        moved = await PaymentWalk.move(row, fields, at)
        if moved is None or page.state is None:
            return done  # it is over, or somebody else goes on with it
        row = moved
    return done


async def tried(what: str, doing: Awaitable[object]) -> bool:
    """Do it. Whatever is wrong with one thing is told, and keeps no other from being looked at; False then.

    Raises when the store is away: then nothing can be looked at.
    """
    try:
        await doing
    except Exception as error:
        if is_passing(error):
            raise
        _log.exception("money: %s could not be looked at", what)
        return False
    return True
