"""Random lives of an exam, step by atomic step: whatever happens, the ledger's invariant holds and every grade is made once.

One student on several devices and duplicated tabs types, sends, resends, reorders, loses replies, resumes, takes over and
submits; teachers extend, pause, resume, end and announce, and send that again; nodes sweep, and crash between any two steps. The reference is the model of the
engine's design; the moves here are its moves, over the real services.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as profile
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from hypothesis.stateful import run_state_machine_as_test as run_machine

from config.settings import Settings
from documents.attempt import Attempt
from documents.base import Row
from documents.paper import AttemptPaper
from documents.quiz_control import QuizControl
from lms_rt.bus.base import Published
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.attempts import AnswerRow, AnswersDraft, HandedOutView, SavedView, SubmitDraft, SubmitRow
from lms_rt.errors import Code
from lms_rt.services.attempts import Attempts
from lms_rt.services.leases import Device
from tests.conftest import settings_on
from tests.services.exam import QUESTIONS, Exam
from tests.services.exam_moves import (
    ACTIONS,
    MOST_ATTEMPTS,
    MOST_TABS,
    SENDING,
    VALUES,
    Action,
    Op,
    Running,
    Tab,
    Work,
)
from tests.services.exam_orders import CLOSING_MS, Orders
from tests.services.receipt_heads import head_of
from tests.services.stepping import Handler, done, open_stepping, pause

SAVED = (Code.ATTEMPT_PAUSED, Code.ATTEMPT_CLOSED, Code.NOT_WRITER, Code.CONFLICT, Code.BUSY)


class ExamMachine(Orders, RuleBasedStateMachine):
    """See the module. Subclassed with the settings of the open store."""

    settings: Settings

    def __init__(self) -> None:
        super().__init__()
        self.exam = Exam(self.settings)
        self.nodes = [self.exam.attempts, self.exam.node()]
        self.clocks = [self.exam.attempt_clock, self.exam.another_clock()]
        self.sending: Op | None = None
        self.tabs: list[Tab] = []
        self.ops: dict[str, Op] = {}
        self.acks: dict[str, tuple[int, Any, bool]] = {}
        self.closed: dict[str, Row] = {}
        self.orders = []
        self.owed = {}
        self.student: Actor
        self.quiz_id: str

    @initialize()
    def open_the_quiz(self) -> None:
        done(self.exam.open_course())
        self.student = done(self.exam.student())
        quiz = self.exam.quiz(questions=QUESTIONS[:2], time_limit_minutes=10, max_attempts=MOST_ATTEMPTS)
        self.quiz_id = done(quiz)
        first = Tab("device-0")
        self.tabs.append(first)
        self._take(first, done(self.exam.begun(self.student, self.quiz_id, first.device_id)))

    # --- what may happen ---

    @rule(
        actions=st.lists(ACTIONS, min_size=2, max_size=4), schedule=st.lists(st.integers(0, 3), min_size=6, max_size=16)
    )
    def at_once(self, actions: list[Action], schedule: list[int]) -> None:
        """Some requests at once, their atomic steps in the order of the schedule, the rest one after another."""
        running = [made for action in actions if (made := self._begun(action)) is not None]
        for place in schedule:
            if place < len(running):
                self._step(running[place])
        for one in running:
            if one.fate == "crash":
                one.handler.crash()
            while not one.handler.is_over:
                self._step(one)
            if one.fate == "reply" and one.tab is not None:
                self._hear(one, one.tab)

    def _begun(self, action: Action) -> Running | None:
        """The handler of an action; None where the tab can do no such thing."""
        holders = [tab for tab in self.tabs if tab.lease is not None] if action.kind in SENDING else []
        tab, engine = self._tab(action.which, holders or self.tabs), self.nodes[action.node]
        work = getattr(self, f"_{action.kind}")(tab, engine, action.choice)
        if work is None:
            return None
        made = Running(Handler(work), action, tab, tab.lease)
        if action.kind in SENDING[:2]:
            made.op = self.sending
        if action.kind == "submit" and action.choice & 2:
            made.claimed = tab.revision
        return made

    def _open_another_screen(self, tab: Tab, _engine: Attempts, choice: int) -> None:
        """Another device, or a tab that shares the lease and, as it is loaded again, has a device id of its own."""
        if len(self.tabs) < MOST_TABS:
            made = Tab(f"device-{len(self.tabs)}", tab.attempt_id)
            if choice & 1:
                made.lease, made.seen = tab.lease, dict(tab.seen)
            self.tabs.append(made)

    def _start(self, tab: Tab, engine: Attempts, _choice: int) -> Work:
        return engine.start(self.student, self.quiz_id, Device(tab.device_id))

    def _resume(self, tab: Tab, engine: Attempts, _choice: int) -> Work:
        return engine.resume(self.student, self._id(tab), Device(tab.device_id, lease=tab.lease))

    def _take_over(self, tab: Tab, engine: Attempts, _choice: int) -> Work:
        return engine.take_over(self.student, self._id(tab), Device(tab.device_id))

    def _type_and_send(self, tab: Tab, engine: Attempts, choice: int) -> Work | None:
        if tab.lease is None:
            return None
        tab.seq += 1
        question = choice % 2
        value = VALUES[question][choice % len(VALUES[question])]
        op = Op(f"op-{len(self.ops)}", question, value, tab.seq, tab.seen.get(question, 0))
        self.ops[op.op_id] = op
        tab.made.append(op)
        return self._send(tab, engine, op)

    def _send_again(self, tab: Tab, engine: Attempts, choice: int) -> Work | None:
        """Any of the last operations, acknowledged or not."""
        if tab.lease is None or not tab.made:
            return None
        return self._send(tab, engine, tab.made[-1 - choice % min(4, len(tab.made))])

    def _send_together(self, tab: Tab, engine: Attempts, _choice: int) -> Work | None:
        if tab.lease is None or not tab.made:
            return None
        rows = [self._row(op) for op in tab.made[-3:]]
        draft = AnswersDraft(answers=rows, device_id=tab.device_id, lease=tab.lease)
        return engine.save_all(self.student, self._id(tab), draft)

    def _submit(self, tab: Tab, engine: Attempts, choice: int) -> Work:
        answers = [SubmitRow(**self._row(op).model_dump()) for op in tab.made[-2:]] if choice & 1 else []
        revision = tab.revision if choice & 2 else None
        draft = SubmitDraft(revision=revision, answers=answers, device_id=tab.device_id, lease=tab.lease)
        return engine.submit(self.student, self._id(tab), draft)

    def _sweep(self, _tab: Tab, _engine: Attempts, choice: int) -> Work:
        return self.clocks[choice % 2].sweep()

    async def _let_time_pass(self, _tab: Tab, _engine: Attempts, choice: int) -> None:
        await pause()
        self.exam.clock.advance((0.001, 1, 2, 16)[choice])

    async def _come_to_the_deadline(self, _tab: Tab, _engine: Attempts, choice: int) -> None:
        for row in await Attempt.rows().find({"status": "in_progress"}).to_list(None):
            offset_ms = (0, 2_000, 2_001, 3_000)[choice]
            self.exam.clock.advance(max(0, row["deadline_ms"] + offset_ms - self.now_ms) / 1000)

    # --- what must hold ---

    @invariant()
    def the_ledger_holds(self) -> None:
        rows = self._rows()
        assert sum(row["status"] in ("in_progress", "paused") for row in rows) <= 1, "two open attempts"
        assert len(rows) <= MOST_ATTEMPTS, "more attempts than allowed"
        for row in rows:
            assert row["revision"] >= max((mark[0] for mark in row["ops"].values()), default=0)
            assert row["receipt_head"] == head_of(row), "the receipt's chain is not that of the written operations"
            self._check_answers(row)
            self._check_acks(row)
            self._check_closing(row)

    def teardown(self) -> None:
        try:
            if hasattr(self, "quiz_id"):
                self._come_to_an_end()
        finally:
            for document in (Attempt, AttemptPaper, QuizControl):
                done(document.rows().delete_many({}))

    def _come_to_an_end(self) -> None:
        """Every node works off what is left, then time runs out: everything is closed and graded, each once."""
        done(self._order("resume", 0))
        for _ in range(2):
            self.exam.clock.advance(3_600)
            done(self.exam.attempt_clock.sweep())
        done(self.exam.relay.sweep())
        self.the_ledger_holds()
        for row in self._rows():
            assert (row["status"], row["grading"], row["outbox"]) == ("graded", "done", [])
            assert row["version"] == 2, "one start, one grade"
            assert row["receipt"]["head"] == row["receipt_head"][1], "signed is another chain"
            self._check_owed(row)
            for channel, name in (("attempt:{}", "attempt_graded"), ("quiz:{}:live", "attempt_submitted")):
                heard = self._heard(channel.format(row["_id" if "attempt:" in channel else "quiz_id"]), name)
                assert [one for one in heard if one == row["_id"]] == [row["_id"]], f"{name} not told once"
            effects = {one["intent_id"] for one in self.exam.effects if one["attempt_id"] == row["_id"]}
            assert len(effects) == 2

    def _check_answers(self, row: Row) -> None:
        """Stored is the not superseded operation of the highest revision."""
        for place, question_id in enumerate(self.exam.question_ids):
            marks = {op_id: mark for op_id, mark in row["ops"].items() if self.ops[op_id].question == place}
            written = [(mark[0], op_id) for op_id, mark in marks.items() if not mark[3]]
            stored = row["answers"].get(question_id)
            if stored is None:
                assert not marks
                continue
            assert (stored["revision"], stored["op_id"]) == max(written)
            assert stored["value"] == self.ops[stored["op_id"]].value
        assert row["ops_count"] == len(row["ops"])

    def _check_acks(self, row: Row) -> None:
        for op_id, (revision, saved_at, is_superseded) in self.acks.items():
            if op_id not in row["ops"]:
                continue
            mark = row["ops"][op_id]
            assert (mark[0], mark[3]) == (revision, is_superseded), "acknowledged differently from what is held"
            stored = row["answers"][self.exam.question_ids[self.ops[op_id].question]]
            assert stored["revision"] >= revision, "an acknowledged answer was lost"
            assert saved_at is not None

    def _check_closing(self, row: Row) -> None:
        """Nothing is written after the close, nothing closed before its deadline as it stands, no grade but of that."""
        if row["status"] in ("in_progress", "paused"):
            assert row["_id"] not in self.closed, "open again"
            return
        first = self.closed.setdefault(row["_id"], row)
        assert row["answers"] == first["answers"], "an answer was taken after the close"
        if row["submitted_by"] == "deadline":
            assert row["deadline_ms"] + CLOSING_MS <= self.now_ms, "closed before its deadline"
        for answer in row["answers"].values():
            assert answer["saved_at_ms"] <= row["deadline_ms"] + CLOSING_MS - 1_000, "a late answer counts"
        if row["grading"] == "done":
            right = {self.exam.question_ids[0]: ("b", 200), self.exam.question_ids[1]: (True, 100)}
            values = {question_id: answer["value"] for question_id, answer in row["answers"].items()}
            assert row["score"] == sum(points for one, (value, points) in right.items() if values.get(one) == value)

    # --- how ---

    @property
    def now_ms(self) -> int:
        return self.exam.clock.now_ms()

    def _tab(self, which: int, among: list[Tab]) -> Tab:
        return among[which % len(among)]

    def _id(self, tab: Tab) -> str:
        assert tab.attempt_id is not None
        return tab.attempt_id

    def _send(self, tab: Tab, engine: Attempts, op: Op) -> Work:
        self.sending = op
        given = self.student, self._id(tab), self._row(op)
        return engine.save(*given, device_id=tab.device_id, lease=tab.lease or "")

    def _row(self, op: Op) -> AnswerRow:
        fields = {"op_id": op.op_id, "value": op.value, "seq": op.seq, "base_revision": op.base_revision}
        return AnswerRow(question_id=self.exam.question_ids[op.question], **fields)

    def _step(self, running: Running) -> None:
        """One atomic step, and what it may do."""
        if running.handler.is_over:
            return
        before = {row["_id"]: row for row in self._rows()}
        running.handler.step()
        self._note_orders(before.values())
        for row in self._rows():
            if (old := before.get(row["_id"])) is not None:
                self._check_step(running, old, row)

    def _check_step(self, running: Running, old: Row, new: Row) -> None:
        self._check_controls(old, new)
        for op_id in new["ops"].keys() - old["ops"].keys():
            op, question_id = self.ops[op_id], self.exam.question_ids[self.ops[op_id].question]
            stored = old["answers"].get(question_id)
            assert old["status"] == "in_progress"
            assert old["writer"]["lease"] == running.lease, "stored for a device that is not the writer any more"
            if new["ops"][op_id][3]:
                assert stored is not None
                assert stored["seq"] > op.seq or stored["op_id"] in new["ops"], "overtaken by nothing"
            elif stored is not None and stored["revision"] > op.base_revision:
                assert stored["device_id"] == running.tab.device_id, "overwritten unseen"
                assert stored["seq"] < op.seq, "what was typed later was overwritten by what was typed before"
        if running.claimed is not None and new["status"] != old["status"] == "in_progress":
            assert running.claimed == old["revision"] or running.kind != "submit", "closed with an outdated revision"

    def _hear(self, running: Running, tab: Tab) -> None:
        """The tab takes a reply."""
        result, refused = running.handler.result, running.handler.refused
        if isinstance(result, tuple | HandedOutView):
            self._take(tab, result[0] if isinstance(result, tuple) else result)
        elif running.op is not None:
            if isinstance(result, SavedView):
                self._acknowledge(running.op.op_id, result)
                tab.seen[running.op.question] = max(tab.seen.get(running.op.question, 0), result.revision)
                tab.revision = max(tab.revision, result.revision)
            elif refused is not None:
                assert refused.code in SAVED, refused.code
                if refused.code is Code.CONFLICT:
                    tab.seen[running.op.question] = refused.data["stored"].revision
            self._learn(tab, running, result.writer if result is not None else refused and refused.data["writer"])
        elif running.kind == "send_together" and result is not None:
            for row in result.saved:
                self._acknowledge(row.op_id, row)
            self._learn(tab, running, result.writer)

    def _learn(self, tab: Tab, running: Running, writer: Any) -> None:
        if not writer.is_me and tab.lease == running.lease:
            tab.lease = None

    def _take(self, tab: Tab, view: HandedOutView) -> None:
        if tab.attempt_id != view.id:
            tab.made = []
        tab.attempt_id, tab.lease, tab.revision = view.id, view.lease, view.revision
        tab.seen = {self.exam.question_ids.index(one): answer.revision for one, answer in view.answers.items()}

    def _acknowledge(self, op_id: str, reply: Any) -> None:
        ack = (reply.revision, reply.saved_at, bool(reply.superseded))
        assert self.acks.setdefault(op_id, ack) == ack, "acknowledged differently when resent"

    def _rows(self, **wanted: Any) -> list[Row]:
        async def read() -> list[Row]:
            rows: list[Row] = await Attempt.rows().find(wanted).to_list(None)
            return rows

        found: list[Row] = done(read())
        return found

    def _heard(self, channel: str, name: str) -> list[str]:
        events: tuple[Published, ...] = done(self.exam.bus.history.read(channel, after=0)).events
        return [published.event.data["attempt_id"] for published in events if published.event.name == name]


def run(request: pytest.FixtureRequest, path: Path, *, examples: int, steps: int) -> None:
    quick = profile(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    settings = settings_on("embedded", request, path)
    with open_stepping(settings):
        run_machine(type("Exam", (ExamMachine,), {"settings": settings}), settings=quick)


def test_random_lives_of_an_exam(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    run(request, tmp_path, examples=60, steps=20)


@pytest.mark.soak
@pytest.mark.timeout(3_600)
def test_many_random_lives_of_an_exam(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    run(request, tmp_path, examples=5_000, steps=100)
