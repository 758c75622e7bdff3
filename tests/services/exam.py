"""A quiz with its class for the tests of the attempt engine: real services on an open database, and a clock to move."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from config.settings import Settings
from documents.attempt import Attempt
from documents.base import Row
from documents.course import Course
from documents.enrollment import Enrollment, enrollment_id_of
from documents.enums import ControlKind, Role
from documents.quiz import Quiz
from documents.regrade import Regrade
from lms_rt import ids
from lms_rt.bus.base import Bus, Message, Published, Receiver
from lms_rt.bus.memory import memory_bus
from lms_rt.clock import FakeClock
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.attempts import AnswerRow, HandedOutView, SavedView, SubmitDraft, SubmitRow
from lms_rt.contracts.base import read_model
from lms_rt.contracts.channels import attempt_channel, quiz_live_channel
from lms_rt.contracts.questions import QuestionDraft
from lms_rt.contracts.quizzes import QuizDraft
from lms_rt.errors import Code, Refused
from lms_rt.security.permissions import permissions_of
from lms_rt.services.attempt_clock import AttemptClock
from lms_rt.services.attempt_closing import PAUSE_ENDED
from lms_rt.services.attempt_times import AttemptTimes
from lms_rt.services.attempts import Attempts
from lms_rt.services.leases import Device
from lms_rt.services.questions import Questions
from lms_rt.services.quiz_controls import ALL, FILL_TIMES, ControlOrder, Ordered, QuizControls
from lms_rt.services.quizzes import Quizzes
from lms_rt.services.regraded import REGRADED_EFFECT
from lms_rt.services.regrades import Regrades
from lms_rt.services.regrading import Regrading
from lms_rt.services.results import Results
from lms_rt.services.telling import Telling
from tests.services.relaying import relay_over

QUESTIONS: tuple[dict[str, Any], ...] = (
    {
        "question_type": "multiple_choice",
        "question_text": "Which?",
        "points": "2.00",
        "options": [{"id": "a", "text": "A"}, {"id": "b", "text": "B"}, {"id": "c", "text": "C"}],
        "correct_answer": {"option_id": "b"},
        "explanation": "Because.",
    },
    {"question_type": "true_false", "question_text": "So?", "points": 1, "correct_answer": {"value": True}},
    {
        "question_type": "numeric",
        "question_text": "How many?",
        "points": 1,
        "correct_answer": {"value": "3.14", "tolerance": "0.005", "tolerance_type": "absolute"},
    },
)
ESSAY: dict[str, Any] = {"question_type": "essay", "question_text": "Discuss.", "points": 4}


@dataclass
class Exam:
    """The services, a teacher, a course, and what the relay carried out."""

    settings: Settings
    clock: FakeClock = field(default_factory=FakeClock)
    max_operations: int = 5_000

    def __post_init__(self) -> None:
        self.bus: Bus = memory_bus(self.clock)
        self.relay = relay_over(self.bus.fan_out, self.clock, [Attempt, Quiz, Regrade])
        self.effects: list[dict[str, Any]] = []
        self.relay.register_effect("enrollment.attempt_changed", self._apply)
        self.pauses_ended: list[str] = []
        self.relay.register_effect(PAUSE_ENDED, self._note_pause)
        self.relay.register_fill(FILL_TIMES, AttemptTimes(clock=self.clock).fill)
        self.attempt_clock = self.another_clock()
        self.controls = self.attempt_clock.controls
        self.attempts = self.node()
        self.regrading = self.another_regrading()
        self.relay.register_effect(REGRADED_EFFECT, self.regrading.record)
        self.regrades = Regrades(clock=self.clock, relay=self.relay, regrading=self.regrading)
        self.quizzes = Quizzes(clock=self.clock, relay=self.relay)
        self.questions = Questions(clock=self.clock, relay=self.relay)
        self.results = Results(clock=self.clock)
        self.teacher = person(Role.INSTRUCTOR, "Teacher")
        self.course_id = ids.new_id("crs")
        self.question_ids: list[str] = []
        self._numbers = itertools.count(1)

    def node(self) -> Attempts:
        """The engine of one more node on the same database."""
        return Attempts(
            settings=self.settings,
            clock=self.clock,
            bus=self.bus,
            relay=self.relay,
            attempt_clock=self.another_clock(),
            max_operations=self.max_operations,
        )

    def another_clock(self) -> AttemptClock:
        """The alarms and sweeps of one more node, with its controls."""
        controls = QuizControls(clock=self.clock, relay=self.relay, telling=Telling(self.bus))
        return AttemptClock(settings=self.settings, clock=self.clock, relay=self.relay, controls=controls)

    def another_regrading(self) -> Regrading:
        """The worker's part of regrades, of one more node."""
        means = self.another_clock()
        telling = Telling(self.bus)
        return Regrading(
            clock=self.clock, relay=self.relay, telling=telling, controls=means.controls, grading=means.grading
        )

    def node_of(self, attempt_clock: AttemptClock) -> Attempts:
        """The engine whose alarms this clock rings."""
        settings, clock = self.settings, self.clock
        return Attempts(settings=settings, clock=clock, bus=self.bus, relay=self.relay, attempt_clock=attempt_clock)

    async def order(self, quiz_id: str, kind: str, scope: Row = ALL, **fields: Any) -> Ordered:
        """What the teacher orders, by the controls of the first node unless another's are given."""
        controls: QuizControls = fields.pop("controls", self.controls)
        given: dict[str, Any] = {"control_id": ids.new_id("ctl"), **fields}
        order = ControlOrder(ControlKind(kind), scope, by_id=self.teacher.user_id, by_name="Teacher", **given)
        return await controls.order({"_id": quiz_id, "course_id": self.course_id}, order)

    async def listen(self, channel: str) -> asyncio.Queue[str]:
        """The names of what is told on a channel from now on."""
        heard = _Heard()
        await self.bus.fan_out.listen(channel, heard)
        return heard.names

    async def _note_pause(self, intent_id: str, _: dict[str, Any]) -> None:
        self.pauses_ended.append(intent_id)

    async def _apply(self, intent_id: str, data: dict[str, Any]) -> None:
        self.effects.append({"intent_id": intent_id, **data})

    async def open_course(self) -> None:
        """A published course of the teacher."""
        now = self.clock.now()
        course = Course(
            id=self.course_id,
            title="Algebra",
            title_key="algebra",
            slug=self.course_id,
            instructor_id=self.teacher.user_id,
            is_published=True,
            created_at=now,
            updated_at=now,
        )
        assert await course.insert_new()

    async def student(self, name: str = "Student") -> Actor:
        """Somebody who is enrolled in the course."""
        actor = person(Role.STUDENT, name)
        now = self.clock.now()
        enrollment = Enrollment(
            id=enrollment_id_of(actor.user_id, self.course_id),
            student_id=actor.user_id,
            course_id=self.course_id,
            enrolled_at=now,
            created_at=now,
            updated_at=now,
        )
        await Enrollment.rows().insert_one(enrollment.as_row())
        return actor

    async def quiz(self, *, questions: tuple[dict[str, Any], ...] = QUESTIONS, **fields: Any) -> str:
        """A published quiz of 30 minutes."""
        settings = {"course_id": self.course_id, "title": "Midterm", "time_limit_minutes": 30, **fields}
        quiz = await self.quizzes.create(self.teacher, read_model(QuizDraft, settings))
        drafts = [read_model(QuestionDraft, question) for question in questions]
        self.question_ids = await self.questions.add_all(self.teacher, quiz.id, drafts)
        await self.quizzes.publish(self.teacher, quiz.id)
        return quiz.id

    async def begun(self, student: Actor, quiz_id: str, device_id: str = "laptop") -> HandedOutView:
        """An attempt that the student has begun, or goes on with."""
        attempt, _ = await self.attempts.start(student, quiz_id, Device(device_id))
        return attempt

    async def save(self, student: Actor, attempt: HandedOutView, value: Any, **fields: Any) -> SavedView:
        """Save an answer to the first question, as the screen that got this attempt would."""
        row = self.row(value, **{name: fields.pop(name) for name in _ROW if name in fields})
        given: dict[str, Any] = {"device_id": attempt.writer.device_id, "lease": attempt.lease or "none", **fields}
        return await self.attempts.save(student, attempt.id, row, **given)

    def row(self, value: Any, **fields: Any) -> AnswerRow:
        """One answer, to the first question unless another is named."""
        number = next(self._numbers)
        given = {"question_id": self.question_ids[0], "op_id": f"op-{number}", "seq": number, "base_revision": 0}
        return AnswerRow(value=value, **{**given, **fields})

    async def stored(self, attempt_id: str) -> Row:
        """The attempt's document, whole."""
        row = await Attempt.rows().find_one({"_id": attempt_id})
        assert row is not None
        return row

    async def events(self, attempt: HandedOutView, name: str) -> list[Published]:
        """The events of a name on the attempt's and the quiz's channel."""
        found: list[Published] = []
        for channel in (attempt_channel(attempt.id), quiz_live_channel(attempt.quiz_id)):
            stretch = await self.bus.history.read(channel, after=0)
            found += [published for published in stretch.events if published.event.name == name]
        return found

    def at(self, **delta: float) -> str:
        """A time relative to now, as a client sends it."""
        return (self.clock.now() + timedelta(**delta)).isoformat()


_ROW = ("question_id", "op_id", "seq", "base_revision")


class _Heard(Receiver[Message]):
    def __init__(self) -> None:
        self.names: asyncio.Queue[str] = asyncio.Queue()

    def receive(self, message: Message) -> None:
        if isinstance(message, Published):
            self.names.put_nowait(message.event.name)


def person(role: Role, name: str) -> Actor:
    """Somebody signed in."""
    return Actor(ids.new_id("usr"), role, permissions_of(role), full_name=name)


async def refused(awaitable: Awaitable[Any]) -> Refused:
    """The refusal that it ends in."""
    with pytest.raises(Refused) as caught:
        await awaitable
    return caught.value


async def code_of(awaitable: Awaitable[Any]) -> Code:
    """The code of the refusal that it ends in."""
    return (await refused(awaitable)).code


def submitted(**fields: Any) -> SubmitDraft:
    """A submission as it comes in."""
    return read_model(SubmitDraft, fields)


def answering(exam: Exam, attempt: HandedOutView, *values: Any, **fields: Any) -> SubmitDraft:
    """A submission that brings answers to the first questions."""
    answers = [SubmitRow(question_id=one, value=value) for one, value in zip(exam.question_ids, values, strict=False)]
    return SubmitDraft(answers=answers, **{"lease": attempt.lease, **fields})
