"""Random lives of an exam over two real nodes, with kills: what was acknowledged is stored, closed once, graded once.

Students with several screens type, send, resend, reuse ids, take over and hand in, by socket and by REST, at either node;
the teacher pauses, extends, announces and ends, and sends an order again; nodes die by `kill -9`. The reference is
`exam_reference.py`, the judge `exam_world.py`: every burst of requests must be explained by some order of its parts.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase
from hypothesis import settings as profile
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from hypothesis.stateful import run_state_machine_as_test as run_machine

from tests import factories
from tests.clients import Visitor
from tests.live.exam_judge import Sitting
from tests.live.exam_requests import HandOut, Request, Save, Screen, Submit, Sync
from tests.live.exam_world import VALUES, ExamWorld, Ordered
from tests.live.node_school import NodeSchool, node_school

_log = logging.getLogger(__name__)

pytestmark = pytest.mark.real
NODES, STUDENTS, MOST_SCREENS = 2, 2, 4
CHOICE = st.integers(0, 11)


@dataclass(frozen=True)
class Move:
    """What a student does: on which screen, at which node, how."""

    kind: str
    student: int
    screen: int
    node: int
    by_socket: bool
    choice: int


MOVES = st.builds(
    Move,
    kind=st.sampled_from(
        [
            *["type"] * 10,
            *["again"] * 5,
            *["together", "resume", "take over", "sync"] * 2,
            *["open", "duplicate", "cut"],
            "reuse",
            "hand in",
            "hand in with",
        ]
    ),
    student=st.integers(0, STUDENTS - 1),
    screen=st.integers(0, MOST_SCREENS - 1),
    node=st.integers(0, NODES - 1),
    by_socket=st.booleans(),
    choice=CHOICE,
)
ORDERS = st.tuples(
    st.sampled_from(["pause", "resume", "resume", "extend", "extend", "announce", "correct", "end"]),
    st.integers(-1, STUDENTS - 1),
    st.booleans(),
    st.integers(0, NODES - 1),
)
DEATH = st.sampled_from([None] * 24 + [0, 1])


@dataclass
class Class:
    """The people of all lives, who are registered once."""

    school: NodeSchool
    teachers: list[Visitor]
    students: list[list[Visitor]]
    course_id: str


class ExamMachine(RuleBasedStateMachine):
    """See the module. Subclassed with the class and a loop."""

    people: Class
    loop: asyncio.AbstractEventLoop
    broken: BaseException | None = None
    """What went wrong first: when hypothesis lives that life again, its moments are others."""

    def do(self, work: Coroutine[Any, Any, Any]) -> None:
        try:
            self.loop.run_until_complete(work)
        except BaseException as error:
            type(self).broken = type(self).broken or error
            raise

    @initialize(closes_after_ms=st.sampled_from([None, None, 5_000]))
    def open(self, closes_after_ms: int | None) -> None:
        self.world = ExamWorld(self.people.school, self.people.teachers, self.people.course_id)
        self.do(self.world.open(self.people.students, closes_after_ms=closes_after_ms))

    @rule(moves=st.lists(MOVES, min_size=1, max_size=4), orders=st.lists(ORDERS, max_size=1), death=DEATH)
    def at_once(self, moves: list[Move], orders: list[Any], death: int | None) -> None:
        asked = [made for move in moves if (made := self._asked(move)) is not None]
        self.do(self.world.burst(asked, *(one for order in orders for one in self._ordered(*order)), kills=death))

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        try:
            if len(self.world.sittings) == STUDENTS:
                self.do(self.world.come_to_an_end())
        finally:
            self.do(self.world.close())

    # --- how ---

    def _asked(self, move: Move) -> tuple[Sitting, Request, int, bool] | None:
        sitting = self.world.sittings[move.student]
        screens = sitting.screens
        if move.kind in ("open", "duplicate", "cut"):
            self._change(screens, move)
            return None
        if move.kind not in ("resume", "take over", "sync", "hand in"):
            screens = [one for one in screens if one.lease is not None] or screens
        request = getattr(self, f"_{move.kind.replace(' ', '_')}")(screens[move.screen % len(screens)], move.choice)
        return None if request is None else (sitting, request, move.node, move.by_socket)

    def _change(self, screens: list[Screen], move: Move) -> None:
        """A line is cut; or another device is opened, or a tab that shares the lease and is loaded anew."""
        known = screens[move.screen % len(screens)]
        if move.kind == "cut":
            self.do(known.hang_up())
        elif len(screens) < MOST_SCREENS:
            made = Screen(known.visitors)
            if move.kind == "duplicate":
                made.lease, made.revision, made.seen = known.lease, known.revision, dict(known.seen)
            screens.append(made)

    def _type(self, screen: Screen, choice: int) -> Request | None:
        if screen.lease is None:
            return None
        question_id = list(self.world.questions)[choice % 2]
        values = VALUES[self.world.questions[question_id]]
        return Save(screen, ops=(self.world.new_op(screen, question_id, values[choice % len(values)]),))

    def _again(self, screen: Screen, choice: int) -> Request | None:
        """Any of the last operations, acknowledged or not, with the lease that the screen holds now."""
        if screen.lease is None or not screen.made:
            return None
        op = screen.made[-1 - choice % min(4, len(screen.made))]
        return Save(screen, ops=(self.world.sent_again(screen, op),))

    def _together(self, screen: Screen, choice: int) -> Request | None:
        if screen.lease is None or len(screen.made) < 2:
            return None
        kept = {op.op_id: op for op in screen.made[-2 - choice % 3 :]}
        return Save(screen, ops=tuple(self.world.sent_again(screen, op) for op in kept.values()))

    def _reuse(self, screen: Screen, choice: int) -> Request | None:
        """An id that named another operation before."""
        if screen.lease is None or not screen.made:
            return None
        return Save(screen, ops=(self.world.with_known_id(screen, choice),))

    def _resume(self, screen: Screen, _choice: int) -> Request:
        return HandOut(screen, held=screen.lease, screen_quiz=self.world.quiz["id"])

    def _take_over(self, screen: Screen, _choice: int) -> Request:
        return HandOut(screen, is_take_over=True, screen_quiz=self.world.quiz["id"])

    def _sync(self, screen: Screen, choice: int) -> Request:
        have = tuple(op.op_id for op in screen.made[-5:]) + (("unheard-of",) if choice % 2 else ())
        return Sync(screen, have=tuple(dict.fromkeys(have)))

    def _hand_in(self, screen: Screen, choice: int) -> Request | None:
        if choice > 2:
            return None  # rarely: nothing else can follow
        return Submit(screen, revision=screen.revision if choice else None)

    def _hand_in_with(self, screen: Screen, choice: int) -> Request | None:
        if choice > 4 or screen.lease is None or not screen.made:
            return None
        ops = tuple(self.world.sent_again(screen, op) for op in {op.op_id: op for op in screen.made[-2:]}.values())
        return Submit(screen, revision=screen.revision if choice % 2 else None, ops=ops)

    def _ordered(self, kind: str, whom: int, is_repeated: bool, node: int) -> list[tuple[Ordered, int]]:
        """An order; repeated, it goes to both nodes at once."""
        body: dict[str, Any] = {"reason": "as drawn", "op_id": f"order-{self.world.new_number()}"}
        if whom >= 0 and kind != "correct":
            body["attempt_ids"] = [self.world.sittings[whom].attempt_id]
        if kind == "end" and whom < 0:
            kind = "announce"  # the end of all comes at the end
        more: dict[str, dict[str, Any]] = {
            "correct": {"action": "full_credit"},
            "extend": {"seconds": 2},
            "announce": {"text": "Read on."},
        }
        body |= more.get(kind, {})
        ordered = Ordered(kind, body)
        self.world.orders.append(ordered)
        return [(ordered, node), (ordered, 1 - node)] if is_repeated else [(ordered, node)]


@asynccontextmanager
async def opened_class(request: pytest.FixtureRequest, folder: Path) -> AsyncIterator[Class]:
    """A teacher and two students, each at both nodes."""
    async with node_school(request, folder, {}, {}, attempt_grace_seconds=1) as school:
        teachers = await school.everywhere(await school.person("instructor"))
        course = await factories.course(teachers[0])
        students = [await school.everywhere(await school.person()) for _ in range(STUDENTS)]
        for student in students:
            await factories.enrolled(student[0], course["id"])
        yield Class(school, teachers, students, course["id"])


@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("examples", [pytest.param(8, id="some"), pytest.param(400, id="many", marks=pytest.mark.soak)])
def test_random_lives_of_an_exam_over_two_nodes(
    request: pytest.FixtureRequest, tmp_path: Path, loop: asyncio.AbstractEventLoop, examples: int
) -> None:
    opened = opened_class(request, tmp_path)
    people = loop.run_until_complete(opened.__aenter__())
    try:
        live_through(people, loop, examples=examples, steps=30)
        _log.warning("asked and answered: %s", dict(ExamWorld.seen))
    finally:
        loop.run_until_complete(opened.__aexit__(None, None, None))


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """The machine is no coroutine: it drives its own loop."""
    made = asyncio.new_event_loop()
    yield made
    made.close()


def live_through(people: Class, loop: asyncio.AbstractEventLoop, *, examples: int, steps: int) -> None:
    machine: Any = type("Machine", (ExamMachine,), {"people": people, "loop": loop})
    # a life cannot be lived again as it was: its moments are those of real processes
    chosen = profile(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        phases=[Phase.generate],
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    try:
        run_machine(machine, settings=chosen)
    except Exception:  # noqa: BLE001 - hypothesis says that it is flaky, which it is
        raise machine.broken from None
