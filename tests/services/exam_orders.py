"""What teachers order in a random life of an exam, and what must hold of it at every step and at the end."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from documents.attempt import Attempt
from documents.base import Row
from documents.quiz_control import QuizControl
from lms_rt.services.attempt_clock import AttemptClock
from lms_rt.services.attempts import Attempts
from lms_rt.services.quiz_controls import ALL, attempts_scope
from tests.services.exam import Exam
from tests.services.exam_moves import Tab, Work
from tests.services.stepping import done

CLOSING_MS = 3_000
"""The grace of 2 s and the slack of 1 s."""


class Orders:
    """The moves and checks, for the machine."""

    exam: Exam
    quiz_id: str
    clocks: list[AttemptClock]
    orders: list[tuple[str, dict[str, Any]]]
    owed: dict[int, set[str]]

    def _extend(self, _tab: Tab, _engine: Attempts, choice: int) -> Work:
        return self._order("extend", choice, seconds=(1, 20, 60, 60)[choice])

    def _pause_the_quiz(self, _tab: Tab, _engine: Attempts, choice: int) -> Work:
        return self._order("pause", choice)

    def _resume_the_quiz(self, _tab: Tab, _engine: Attempts, choice: int) -> Work:
        return self._order("resume", choice)

    def _end_the_quiz(self, _tab: Tab, _engine: Attempts, choice: int) -> Work:
        return self._order("end", choice)

    def _announce(self, _tab: Tab, _engine: Attempts, choice: int) -> Work:
        attempts = [str(row["_id"]) for row in _attempts()]
        return self._order("announce", choice, scope=attempts_scope(attempts[:1]) if choice & 2 else ALL)

    def _order_again(self, _tab: Tab, _engine: Attempts, choice: int) -> Work | None:
        """One of the last orders, as the page that got no reply sends it again, to whichever node."""
        if not self.orders:
            return None
        kind, fields = self.orders[-1 - choice % min(2, len(self.orders))]
        return self.exam.order(self.quiz_id, kind, **fields, controls=self.clocks[choice % 2].controls)

    def _order(self, kind: str, choice: int, **fields: Any) -> Work:
        fields["control_id"] = f"ctl_{len(self.orders)}"
        self.orders.append((kind, fields))
        return self.exam.order(self.quiz_id, kind, **fields, controls=self.clocks[choice % 2].controls)

    def _note_orders(self, before: Iterable[Row]) -> None:
        """Whom a control that was just written is for: who was open, and not due to be closed."""
        for control in self._controls():
            if control["n"] not in self.owed:
                named = control["scope"].get("attempt_ids")
                self.owed[control["n"]] = {
                    row["_id"]
                    for row in before
                    if row["status"] in ("in_progress", "paused")
                    and (row["status"] == "paused" or row["deadline_ms"] + CLOSING_MS > self.exam.clock.now_ms())
                    and (named is None or row["_id"] in named)
                }

    def _check_controls(self, old: Row, new: Row) -> None:
        """A control takes effect once, in its order, and does exactly what it says."""
        assert new["live_version"] >= old["live_version"]
        fresh = new.get("controls", [])[len(old.get("controls", [])) :]
        assert len(fresh) <= 1
        moved = new["deadline_ms"] - old["deadline_ms"]
        if not fresh:
            assert moved == 0, "more time by nobody's order"
            return
        assert fresh[0] == new["live_version"] > old["live_version"], "out of order"
        control = next(one for one in self._controls() if one["n"] == fresh[0])
        now_ms = self.exam.clock.now_ms()
        if control["kind"] == "resume":
            # a node may stop for a while between looking at the clock and writing: never too much, exactly in other tests
            assert 0 <= moved <= now_ms - old["paused_at_ms"], "time that nobody was paused"
        else:
            assert moved == (control.get("seconds") or 0) * 1000
        if control["kind"] == "pause":
            assert (old["status"], new["paused_at_ms"] <= now_ms) == ("in_progress", True)

    def _check_owed(self, row: Row) -> None:
        """No control passed by an attempt that was open when it was given, and that its deadline closed."""
        for control in self._controls():
            if row["_id"] in self.owed.get(control["n"], set()) and row["submitted_by"] == "deadline":
                is_plain = control["kind"] in ("extend", "announce", "end")
                assert not is_plain or control["n"] in row["controls"], "never reached who was open"

    def _controls(self) -> list[Row]:
        async def read() -> list[Row]:
            rows: list[Row] = await QuizControl.rows().find({}).sort([("n", 1)]).to_list(None)
            return rows

        found: list[Row] = done(read())
        return found


def _attempts() -> list[Row]:
    async def read() -> list[Row]:
        rows: list[Row] = await Attempt.rows().find({}, {"_id": 1}).to_list(None)
        return rows

    found: list[Row] = done(read())
    return found
