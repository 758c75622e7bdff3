"""Handing in raced with a grade, with the due moment, with another screen and with a dying process: one order of atomic steps."""

from __future__ import annotations

from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from documents.assignment import Assignment
from documents.grading_claim import GradingClaim
from documents.submission import Submission
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.assignments import AssignmentChange, AssignmentDraft
from lms_rt.contracts.base import read_model
from lms_rt.contracts.submissions import GradeDraft, HandInDraft, SubmissionView, WorkDraft
from lms_rt.errors import Code
from lms_rt.services.assignment_grading import AssignmentGrading
from lms_rt.services.assignment_work import AssignmentWork
from lms_rt.services.assignments import Assignments
from lms_rt.services.progress import SUBMISSION_CHANGED
from tests.conftest import settings_on
from tests.services.exam import Exam
from tests.services.relaying import relay_over
from tests.services.stepping import Handler, done, open_stepping
from tests.services.test_attempt_races import interrupted

Work = Coroutine[Any, Any, Any]


class NoFiles:
    """Nobody has any."""

    async def attach(self, *_: Any, **__: Any) -> None:
        """Nothing to attach."""

    async def detach(self, *_: Any, **__: Any) -> None:
        """Nothing to let go of."""


class Desk:
    """An assignment that is due in an hour, a student, and who grades."""

    def __init__(self, exam: Exam) -> None:
        self.exam = exam
        relay = relay_over(exam.bus.fan_out, exam.clock, [Assignment, Submission], record=self._record)
        self.recorded: list[dict[str, Any]] = []
        self.effects: list[dict[str, Any]] = []
        relay.register_effect(SUBMISSION_CHANGED, self._note)
        self.relay = relay
        self.assignments = Assignments(clock=exam.clock, relay=relay)
        self.work = AssignmentWork(clock=exam.clock, relay=relay, files=NoFiles())  # type: ignore[arg-type]
        self.grading = AssignmentGrading(clock=exam.clock, relay=relay)
        self.student: Actor = done(exam.student())
        body = {"course_id": exam.course_id, "title": "Essay", "due_date": exam.at(hours=1), "points": 10}
        self.assignment_id = done(self.assignments.create(exam.teacher, read_model(AssignmentDraft, body))).id

    async def _record(self, intent: dict[str, Any]) -> None:
        self.recorded.append(intent)

    async def _note(self, intent_id: str, data: dict[str, Any]) -> None:
        self.effects.append({"intent_id": intent_id, **data})

    def submit(self, content: str, seed: str | None = None) -> Work:
        draft = read_model(HandInDraft, {"content": content})
        return self.work.submit(self.student, self.assignment_id, draft, seed=seed)

    def keep(self, content: str, **fields: Any) -> Work:
        draft = read_model(WorkDraft, {"content": content, **fields})
        return self.work.save_draft(self.student, self.assignment_id, draft)

    def grade(self, grade: int, **fields: Any) -> Work:
        draft = read_model(GradeDraft, {"grade": grade, **fields})
        return self.grading.grade(self.exam.teacher, self.mine().id, draft)

    def mine(self) -> SubmissionView:
        view: SubmissionView = done(self.work.mine(self.student, self.assignment_id))
        return view

    def told(self, kind: str) -> int:
        done(self.relay.sweep(minimum_age_ms=0))
        return len({one["id"] for one in self.recorded if one["type"] == kind})


@pytest.fixture
def desk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Desk]:
    settings = settings_on("embedded", request, tmp_path)
    with open_stepping(settings, Submission, GradingClaim):
        exam = Exam(settings)
        done(exam.open_course())
        yield Desk(exam)


def test_what_is_handed_in_while_somebody_grades_is_refused_and_the_grade_is_of_what_was_read(desk: Desk) -> None:
    done(desk.submit("First."))
    late = interrupted(desk.submit("Second."), before="update_one", meanwhile=lambda: done(desk.grade(8)))
    assert late.refused is not None
    assert (late.refused.code, late.refused.data["reason"]) == (Code.CONFLICT, "graded")
    assert (desk.mine().content, desk.mine().grade, desk.mine().number) == ("First.", 800, 1)


def test_a_grade_of_work_that_was_replaced_meanwhile_is_refused(desk: Desk) -> None:
    done(desk.submit("First."))
    late = interrupted(desk.grade(8, number=1), before="update_one", meanwhile=lambda: done(desk.submit("Second.")))
    assert late.refused is not None
    assert late.refused.data["stored"].content == "Second."
    assert (desk.mine().raw_grade, desk.told("assignment.graded")) == (None, 0)


def test_a_key_that_came_before_hands_in_nothing_more(desk: Desk) -> None:
    done(desk.submit("One.", seed="a-key"))
    assert done(desk.submit("Other.", seed="a-key")).content == "One."
    assert desk.mine().number == 1


@pytest.mark.parametrize("has_draft", [False, True])
def test_the_due_moment_that_passes_while_somebody_hands_in_decides(desk: Desk, *, has_draft: bool) -> None:
    if has_draft:
        done(desk.keep("Kept."))
    handler = Handler(desk.submit("Late?"))
    handler.step()
    desk.exam.clock.advance(3_600)
    assert handler.run().refused is None  # at the moment itself
    desk.exam.clock.advance(0.001)
    refused = Handler(desk.submit("Later.")).run().refused
    assert refused is not None
    assert refused.data["reason"] == "past_due"
    moved = read_model(AssignmentChange, {"due_date": desk.exam.at(minutes=5)})
    done(desk.assignments.change(desk.exam.teacher, desk.assignment_id, moved))
    assert done(desk.submit("Later.")).number == 2


def test_two_screens_hand_in_one_after_the_other_and_the_earlier_one_is_kept(desk: Desk) -> None:
    step = f"insert_one {Submission.Settings.name}"
    done_late = interrupted(desk.submit("One."), before=step, meanwhile=lambda: done(desk.submit("Two.")))
    assert done_late.result.number == 2
    mine = desk.mine()
    assert (mine.content, [one.content for one in mine.history]) == ("One.", ["Two."])
    assert desk.told("assignment.submitted") == 2


def test_whoever_dies_while_handing_in_has_handed_in_wholly_or_not_at_all(desk: Desk) -> None:
    done(desk.keep("Kept."))
    steps = 0
    while True:
        handler = Handler(desk.submit("", seed="one-key"))
        for _ in range(steps):
            if not handler.is_over:
                handler.step()
        if handler.is_over:
            break
        handler.crash()
        mine = desk.mine()
        assert (mine.state, mine.number) in (("draft", 0), ("submitted", 1))
        steps += 1
    assert steps > 2
    assert (desk.mine().content, desk.mine().number) == ("Kept.", 1)
    assert desk.told("assignment.submitted") == 1


def test_what_is_acknowledged_is_not_lost_by_a_removal_at_the_same_time(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    settings = settings_on("embedded", request, tmp_path)
    with open_stepping(settings, Submission, Assignment):
        exam = Exam(settings)
        done(exam.open_course())
        desk, outcomes = Desk(exam), set()
        for steps in range(40):
            body = {"course_id": exam.course_id, "title": "Essay"}
            desk.assignment_id = done(desk.assignments.create(exam.teacher, read_model(AssignmentDraft, body))).id
            handler = Handler(desk.submit("Mine."))
            for _ in range(steps):
                if not handler.is_over:
                    handler.step()
            is_over = handler.is_over
            removal = Handler(desk.assignments.remove(exam.teacher, desk.assignment_id)).run()
            refused = handler.refused if is_over else handler.run().refused
            assert (refused is None) == (removal.refused is not None), "either it is taken or the assignment goes"
            if refused is None:
                assert desk.mine().content == "Mine."
            outcomes.add(refused is None)
            if is_over:
                break
        assert outcomes == {True, False}
