"""Delivery receipts: a screen says that it shows a control; kept in the attempt, and counted for who watches the quiz.

What is told of the counts is a state, at most four times a second for each control.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict

from documents import attempt_controls
from documents.base import Row
from documents.quiz_control import QuizControl
from lms_rt.clock import Clock
from lms_rt.contracts.channels import quiz_live_channel
from lms_rt.services.telling import Telling

TELL_EVERY_MS = 250
KEPT_CONTROLS = 1_000
_Place = tuple[str, int]

_log = logging.getLogger(__name__)


class ControlReceipts:
    """Keeps who has seen what, and tells how many."""

    def __init__(self, *, clock: Clock, telling: Telling) -> None:
        self._clock, self._telling = clock, telling
        self._places: OrderedDict[str, _Place] = OrderedDict()
        self._moved: dict[str, _Place] = {}
        self._has_moved = asyncio.Event()

    async def seen(self, attempt: Row, event_id: str) -> bool:
        """A screen of this attempt shows the event; is it a control that took effect on it, and news?"""
        place = await self._place_of(event_id)
        if place is None or place[0] != attempt["quiz_id"]:
            return False
        if not await attempt_controls.mark_seen(attempt["_id"], place[1], self._clock.now_ms()):
            return False
        if not attempt["is_preview"]:
            self._moved[event_id] = place
            self._has_moved.set()
        return True

    async def run(self) -> None:
        """Tell the counts that moved, until cancelled."""
        while True:
            await self._has_moved.wait()
            self._has_moved.clear()
            moved, self._moved = self._moved, {}
            try:
                await self.tell(moved)
            except Exception:  # noqa: BLE001 - the database is away: the next receipt tells the count anew
                _log.exception("the receipts of %s controls were not told", len(moved))
            await self._clock.sleep_until_ms(self._clock.now_ms() + TELL_EVERY_MS)

    async def tell(self, moved: dict[str, _Place]) -> None:
        """Tell the counts of these controls as they are now."""
        for control_id, (quiz_id, n) in moved.items():
            applied, seen = await attempt_controls.receipts(quiz_id, n)
            data = {"control_id": control_id, "applied": applied, "seen": seen}
            await self._telling.state(quiz_live_channel(quiz_id), "receipts", data)

    async def _place_of(self, event_id: str) -> _Place | None:
        """Quiz and number of a control; other events have none."""
        place = self._places.get(event_id)
        if place is None:
            control = await QuizControl.find_row(event_id)
            if control is None:
                return None
            place = self._places[event_id] = (control["quiz_id"], control["n"])
            if len(self._places) > KEPT_CONTROLS:
                self._places.popitem(last=False)
        return place
