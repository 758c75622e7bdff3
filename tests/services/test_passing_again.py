"""Passing a quiz while its attempts are graded anew: what the policy says of all of them counts, whichever is graded first."""

from __future__ import annotations

import itertools

import pytest

from documents.enrollment import Enrollment, enrollment_id_of
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.base import read_model
from lms_rt.contracts.jobs import RecalculationArgs
from lms_rt.contracts.regrades import CorrectionDraft
from lms_rt.services.progress import Progress
from lms_rt.services.recalculation import Recalculation
from tests.services.exam import Exam, answering

FAILED, PASSED = ("a", True, "3.14"), ("b", True, "3.14")


class Learning:
    """A student's attempts at a quiz, and the enrolment that hears of them when this test says so."""

    def __init__(self, exam: Exam, student: Actor) -> None:
        self.exam, self.student, self.attempt_ids = exam, student, list[str]()
        self.progress = Progress(clock=exam.clock, relay=exam.relay, bus=exam.bus)
        self.enrollment_id = enrollment_id_of(student.user_id, exam.course_id)

    async def sit(self, quiz_id: str, *values: str | bool) -> None:
        """One attempt, graded."""
        attempt = await self.exam.begun(self.student, quiz_id)
        await self.exam.attempts.submit(self.student, attempt.id, answering(self.exam, attempt, *values))
        self.attempt_ids.append(attempt.id)

    async def grade(self, place: int) -> None:
        """Grade one of them, as some node does."""
        await self.exam.attempt_clock.grading.grade(self.attempt_ids[place])

    async def hear(self, *, is_backwards: bool = False) -> None:
        """Tell the enrolment what it has not been told."""
        told = self.exam.effects[::-1] if is_backwards else list(self.exam.effects)
        self.exam.effects.clear()
        for number, data in enumerate(told):
            await self.progress.apply_attempt(f"evt_{number}", data)

    async def has_passed(self, quiz_id: str) -> bool:
        """Is the quiz passed?"""
        enrollment = await Enrollment.find_one_by_id(self.enrollment_id)
        assert enrollment is not None
        return quiz_id in enrollment.passed_quiz_ids


@pytest.fixture
async def learning(exam: Exam, student: Actor) -> Learning:
    return Learning(exam, student)


async def correct(exam: Exam, quiz_id: str, **change: object) -> None:
    """A correction, before anything is graded anew."""
    draft = read_model(CorrectionDraft, change)
    await exam.regrades.correct(exam.teacher, quiz_id, exam.question_ids[1], draft)


@pytest.mark.parametrize(
    ("policy", "sittings", "is_passed"),
    [
        ("first", (FAILED, PASSED), False),
        ("first", (PASSED, FAILED), True),
        ("last", (PASSED, FAILED), False),
        ("average", (PASSED, FAILED, FAILED), False),
        ("best", (FAILED, PASSED), True),
    ],
)
async def test_a_regrade_passes_a_quiz_by_its_policy_in_whatever_order_its_grades_come(
    learning: Learning, policy: str, sittings: tuple[tuple[str, bool, str], ...], is_passed: bool
) -> None:
    exam, order = learning.exam, list(itertools.permutations(range(len(sittings))))
    for turn, places in enumerate(order):
        quiz_id = await exam.quiz(grading_policy=policy, passing_score=70)
        learning.attempt_ids.clear()
        for values in sittings:
            await learning.sit(quiz_id, *values)
        exam.effects.clear()
        await correct(exam, quiz_id, action="void")
        for place in places:
            await learning.grade(place)
            if turn % 2:  # told one by one, else the newest first when all are graded
                await learning.hear()
        await learning.hear(is_backwards=True)
        assert await learning.has_passed(quiz_id) is is_passed, places


async def test_who_passes_by_a_correction_is_told_by_the_last_grade(learning: Learning) -> None:
    exam = learning.exam
    quiz_id = await exam.quiz(grading_policy="average", passing_score=90)
    for _ in range(2):
        await learning.sit(quiz_id, "b", False, "3.14")
    await learning.hear()
    assert not await learning.has_passed(quiz_id)
    await correct(exam, quiz_id, action="void")
    for place, is_passed in ((1, False), (0, True)):
        await learning.grade(place)
        await learning.hear()
        assert await learning.has_passed(quiz_id) is is_passed


async def test_an_enrolment_in_doubt_finds_the_pass_that_it_was_never_told(learning: Learning) -> None:
    exam = learning.exam
    quiz_id = await exam.quiz(passing_score=70)
    await learning.sit(quiz_id, *PASSED)
    await learning.hear()
    await Enrollment.rows().update_one({"_id": learning.enrollment_id}, {"$set": {"passed_quiz_ids": []}})
    args = RecalculationArgs(enrollment_id=learning.enrollment_id)
    await Recalculation(progress=learning.progress).recalculate(args)
    assert await learning.has_passed(quiz_id)
