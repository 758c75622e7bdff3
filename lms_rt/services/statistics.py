"""Statistics of a quiz: which attempts are looked at, read in a stream, counted beside the event loop, kept while true.

The arithmetic is `item_statistics.py`, its views are made by `statistics_views.py`; the definitions and their sources
stand in `docs/statistics.md`.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from documents.attempt_figures import count_waiting, find_graded, find_paper_versions, stream_graded
from documents.base import Row
from documents.enums import GradingPolicy
from documents.quiz import Quiz
from lms_rt.clock import Clock
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.questions import StoredQuestion, is_counted
from lms_rt.contracts.statistics import StatisticsView, WhichAttempts
from lms_rt.security.access.quizzes import require_taught_quiz
from lms_rt.security.permissions import Permission
from lms_rt.services.corrections import is_void
from lms_rt.services.item_statistics import Sitting
from lms_rt.services.papers import corrected_paper
from lms_rt.services.statistics_views import Sat, statistics_view
from lms_rt.services.time_spent import seconds_before

MOST_ATTEMPTS = 5_000
"""So many are read at most, the newest; the reply says how many were left out."""
_KEPT = 20
_BY_POLICY: Mapping[GradingPolicy, WhichAttempts] = {
    GradingPolicy.BEST: "best",
    GradingPolicy.LAST: "last",
    GradingPolicy.FIRST: "first",
    GradingPolicy.AVERAGE: "all",
}
_Edition = tuple[int, int, int]
"""What the questions of a paper depend on: the versions of its quiz and key, and of the key that it was graded by."""

_GONE: _Edition = (-1, -1, -1)


class Statistics:
    """Counts what a quiz came to, for those who teach it."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._kept: OrderedDict[tuple[str, WhichAttempts], tuple[Any, StatisticsView]] = OrderedDict()
        self._turn = asyncio.Lock()

    async def show(self, actor: Actor, quiz_id: str, which: WhichAttempts = "counted") -> StatisticsView:
        """The statistics as the attempts are now; counted again only when one of them, or the quiz, has changed."""
        quiz = (await require_taught_quiz(actor, quiz_id, Permission.ANALYTICS_VIEW)).quiz
        async with self._turn:  # they are heavy: one at a time, and whoever asks meanwhile finds them made
            graded, waiting = await find_graded(quiz_id, limit=MOST_ATTEMPTS + 1), await count_waiting(quiz_id)
            state = (
                quiz["version"],
                waiting,
                frozenset((row["_id"], row["revision"], row["version"]) for row in graded),
            )
            kept = self._kept.get((quiz_id, which))
            if kept is not None and kept[0] == state:
                return kept[1]
            view = await self._count(quiz, graded, which, waiting)
            self._kept[quiz_id, which] = state, view
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
            return view

    async def _count(self, quiz: Row, graded: Sequence[Row], which: WhichAttempts, waiting: int) -> StatisticsView:
        looked_at = graded[:MOST_ATTEMPTS]
        chosen = chosen_attempts(looked_at, which, quiz["grading_policy"])
        gathered = Gathered()
        editions = await find_paper_versions(chosen)
        async for rows in stream_graded(chosen):
            await gathered.learn(rows, editions)
            await asyncio.to_thread(gathered.take, rows, editions)
        whole = await Quiz.find_whole(quiz["_id"]) or quiz
        return await asyncio.to_thread(
            statistics_view,
            whole,
            gathered.sat,
            gathered.questions(whole),
            which=which,
            computed_at=self._clock.now(),
            waiting_count=waiting,
            left_out_count=len(graded) - len(looked_at),
            void_question_ids=sorted(gathered.void),
        )


def chosen_attempts(graded: Iterable[Row], which: WhichAttempts, policy: GradingPolicy | str) -> set[str]:
    """The ids of those attempts that are looked at; of equals the earlier one is the best."""
    if which == "counted":
        which = _BY_POLICY[GradingPolicy(policy)]
    by_student: dict[str, list[Row]] = {}
    for row in graded:
        by_student.setdefault(row["student_id"], []).append(row)
    return {row["_id"] for rows in by_student.values() for row in _of_student(rows, which)}


def _of_student(rows: list[Row], which: WhichAttempts) -> list[Row]:
    ordered = sorted(rows, key=lambda row: int(row["attempt_number"]))
    match which:
        case "first":
            return ordered[:1]
        case "last":
            return ordered[-1:]
        case "best":
            return [max(ordered, key=lambda row: int(row["percentage"]))]
    return ordered


@dataclass(slots=True)
class Gathered:
    """What was read so far: the sittings, and each question as the papers of an edition have it."""

    sat: list[Sat] = field(default_factory=list)
    void: set[str] = field(default_factory=set)
    _known: dict[_Edition, dict[str, StoredQuestion]] = field(default_factory=dict)
    _most: dict[_Edition, dict[str, int]] = field(default_factory=dict)

    async def learn(self, rows: Iterable[Row], editions: Mapping[str, tuple[int, int]]) -> None:
        """Read a paper wherever an attempt was given questions that are not known of its edition yet.

        Papers of one edition have the same questions in other orders: without draws one paper tells all.
        """
        for row in rows:
            edition = _edition_of(row, editions)
            known, most = self._known.setdefault(edition, {}), self._most.setdefault(edition, {})
            if edition == _GONE or all(one in known for one in row["awarded"]):
                continue
            paper = await corrected_paper(row)
            known.update(paper["questions"])
            counted = {one: question for one, question in paper["questions"].items() if is_counted(question)}
            self.void |= {one for one, question in counted.items() if is_void(question)}
            most.update({one: question["points"] for one, question in counted.items() if not is_void(question)})

    def take(self, rows: Iterable[Row], editions: Mapping[str, tuple[int, int]]) -> None:
        """Keep of these attempts what the figures need."""
        for row in rows:
            most, answers = self._most[_edition_of(row, editions)], row["answers"]
            if not most:  # its paper is gone: it is being erased
                continue
            sitting = Sitting(
                points={one: points for one, points in row["awarded"].items() if one in most},
                most=most,
                values={one: answer["value"] for one, answer in answers.items() if answer["value"] is not None},
                seconds=seconds_before(row["started_at"], answers),
            )
            took = row["submitted_at"] - row["started_at"]
            self.sat.append(
                Sat(sitting, row["student_id"], row["percentage"], bool(row["is_passed"]), int(took.total_seconds()))
            )

    def questions(self, quiz: Row) -> list[StoredQuestion]:
        """The questions in the quiz's order, as the newest papers have them; those that left the quiz come last."""
        newest: dict[str, StoredQuestion] = {}
        for edition in sorted(self._known):
            newest.update(self._known[edition])
        counted = {one for most in self._most.values() for one in most}
        order = [one for one in quiz["question_ids"] if one in counted]
        order += sorted(counted.difference(order))
        return [newest[one] for one in order]


def _edition_of(row: Row, editions: Mapping[str, tuple[int, int]]) -> _Edition:
    return (*editions[row["_id"]], row["key_version"]) if row["_id"] in editions else _GONE
