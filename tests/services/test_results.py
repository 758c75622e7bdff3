"""What is shown of graded attempts and when, and how they are listed."""

from __future__ import annotations

import pytest

from documents.accommodation import Accommodation, key_of
from lms_rt.bus.base import Member
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.attempts import (
    AttemptQuery,
    HandedOutView,
    Signal,
)
from lms_rt.contracts.base import CursorPage
from lms_rt.contracts.channels import attempt_channel
from lms_rt.errors import Code
from lms_rt.services.quiz_standing import has_passed
from tests.services.exam import Exam, answering, code_of, submitted

NOTHING_MORE = {"factor_percent": 100, "extra_minutes": 0, "break_minutes": 0, "stretches_closing": False}


@pytest.mark.parametrize(
    ("policy", "is_shown"), [("never", False), ("after_submit", True), ("after_close", False), ("after_pass", False)]
)
async def test_keys_are_shown_as_the_policy_says(exam: Exam, student: Actor, policy: str, is_shown: bool) -> None:
    quiz_id = await exam.quiz(show_correct_answers=policy)
    attempt = await exam.begun(student, quiz_id)
    assert await code_of(exam.results.show(student, attempt.id)) is Code.NOT_GRADED
    await exam.save(student, attempt, "b")
    await exam.attempts.submit(student, attempt.id, submitted())
    results = await exam.results.show(student, attempt.id)
    assert (results.score, results.is_passed, results.has_answers_shown) == (200, False, is_shown)
    question = results.questions[0]
    assert (question.correct_answer is not None) == is_shown
    assert (question.is_correct, question.points_awarded) == ((True, 200) if is_shown else (None, None))
    assert (b"Because" in results.model_dump_json().encode()) == is_shown
    taught = await exam.results.show(exam.teacher, attempt.id)
    assert taught.questions[0].correct_answer == {"option_id": "b"}
    somebody = await exam.student("Somebody")
    assert await code_of(exam.results.show(somebody, attempt.id)) is Code.NOT_FOUND


async def test_feedback_is_shown_as_it_was_meant(exam: Exam, student: Actor) -> None:
    options = [{"id": "a", "text": "A", "feedback": "Look *again*."}, {"id": "b", "text": "B"}]
    choice = {
        "question_type": "multiple_choice",
        "question_text": "Which?",
        "options": options,
        "correct_answer": {"option_id": "b"},
    }
    for policy, shown in (
        ("after_submit", ("Look *again*.", '<p dir="auto">Look <em>again</em>.</p>')),
        ("never", (None, None)),
    ):
        quiz_id = await exam.quiz(questions=(choice,), show_correct_answers=policy)
        attempt = await exam.begun(student, quiz_id)
        await exam.attempts.submit(student, attempt.id, answering(exam, attempt, "a"))
        question = (await exam.results.show(student, attempt.id)).questions[0]
        assert (question.feedback, question.feedback_html) == shown


async def test_a_rounded_percentage_passes_nobody(exam: Exam, student: Actor) -> None:
    truth = {"question_type": "true_false", "question_text": "So?", "correct_answer": {"value": True}}
    quiz_id = await exam.quiz(questions=(truth, truth, truth), passing_score="66.67", grading_policy="best")
    attempt = await exam.begun(student, quiz_id)
    await exam.attempts.submit(student, attempt.id, answering(exam, attempt, True, True))
    results = await exam.results.show(student, attempt.id)
    assert (results.percentage, results.is_passed) == (6667, False)
    assert (results.standing.percentage, results.standing.is_passed) == (6667, False)
    assert await has_passed(student.user_id, exam.effects[-1]) is False


async def test_keys_come_with_the_close_and_with_the_pass(exam: Exam, student: Actor) -> None:
    windowed = await exam.quiz(show_correct_answers="after_close", closes_at=exam.at(minutes=40))
    attempt = await exam.begun(student, windowed)
    await exam.attempts.submit(student, attempt.id, submitted())
    assert not (await exam.results.show(student, attempt.id)).has_answers_shown
    exam.clock.advance(40 * 60)
    assert (await exam.results.show(student, attempt.id)).has_answers_shown
    passing = await exam.quiz(show_correct_answers="after_pass", passing_score=50)
    attempt = await exam.begun(student, passing)
    await exam.save(student, attempt, "b")
    await exam.attempts.submit(student, attempt.id, submitted())
    assert (await exam.results.show(student, attempt.id)).has_answers_shown


async def test_without_a_closing_time_keys_come_when_the_quiz_is_taken_back(exam: Exam, student: Actor) -> None:
    quiz_id = await exam.quiz(show_correct_answers="after_close")
    attempt = await exam.begun(student, quiz_id)
    await exam.attempts.submit(student, attempt.id, submitted())
    assert not (await exam.results.show(student, attempt.id)).has_answers_shown
    await exam.quizzes.unpublish(exam.teacher, quiz_id)
    assert (await exam.results.show(student, attempt.id)).has_answers_shown


async def test_keys_wait_for_everybody_who_may_still_begin_or_still_sits_it(exam: Exam, student: Actor) -> None:
    closes_at = exam.at(minutes=40)
    quiz_id = await exam.quiz(show_correct_answers="after_close", closes_at=closes_at, max_attempts=2)
    stretched = {"factor_percent": 200, "stretches_closing": True, "set_by": exam.teacher.user_id}
    whose = {"course_id": exam.course_id, "student_id": student.user_id, "quiz_id": quiz_id}
    await Accommodation.put(key_of(quiz_id, student.user_id), NOTHING_MORE | stretched, whose, exam.clock.now())
    friend = await exam.student("Friend")
    firsts = [(one, await exam.begun(one, quiz_id)) for one in (student, friend)]
    for one, first in firsts:
        await exam.attempts.submit(one, first.id, submitted())
    exam.clock.advance(41 * 60)

    async def shown() -> list[bool]:
        return [(await exam.results.show(one, first.id)).has_answers_shown for one, first in firsts]

    assert await shown() == [False, False], "closed for one, while the other may begin again"
    again = await exam.begun(student, quiz_id)
    assert await shown() == [False, False], "who is done could tell who is not"
    exam.clock.advance(29 * 60)
    assert await shown() == [False, False]
    await exam.attempts.submit(student, again.id, submitted())
    assert await shown() == [True, True]


async def test_without_a_closing_time_keys_come_when_the_quiz_is_ended(exam: Exam, student: Actor) -> None:
    quiz_id = await exam.quiz(show_correct_answers="after_close")
    attempt = await exam.begun(student, quiz_id)
    await exam.attempts.submit(student, attempt.id, submitted())
    await exam.order(quiz_id, "end")
    assert (await exam.results.show(student, attempt.id)).has_answers_shown
    await exam.order(quiz_id, "resume")
    assert not (await exam.results.show(student, attempt.id)).has_answers_shown, "it can be begun again"


@pytest.mark.parametrize(
    ("policy", "percentage"), [("best", 10_000), ("last", 2_500), ("first", 5_000), ("average", 5_833)]
)
async def test_the_policy_decides_what_the_attempts_come_to(
    exam: Exam, student: Actor, policy: str, percentage: int
) -> None:
    is_passed = percentage >= 7_000
    quiz_id = await exam.quiz(grading_policy=policy, passing_score=70)
    for values in (("b",), ("b", True, "3.14"), (None, True)):
        attempt = await exam.begun(student, quiz_id)
        await exam.attempts.submit(student, attempt.id, answering(exam, attempt, *values))
    assert await has_passed(student.user_id, exam.effects[-1]) is is_passed
    standing = (await exam.results.show(student, attempt.id)).standing
    assert (standing.attempts_count, standing.percentage, standing.is_passed) == (3, percentage, is_passed)


async def test_lists_hold_ones_own_and_to_teachers_those_of_their_quizzes(exam: Exam, student: Actor) -> None:
    quiz_id = await exam.quiz()
    for _ in range(3):
        attempt = await exam.begun(student, quiz_id)
        await exam.attempts.submit(student, attempt.id, submitted())
        exam.clock.advance(60)
    other = await exam.student("Other")
    await exam.begun(other, quiz_id)
    await exam.begun(exam.teacher, quiz_id)
    own = await exam.attempts.list(student, AttemptQuery(quiz_id=quiz_id))
    assert [item.attempt_number for item in own.items] == [3, 2, 1]
    taught = await exam.attempts.list(exam.teacher, AttemptQuery(quiz_id=quiz_id))
    assert len(taught.items) == 4, "previews do not count"
    named = await exam.attempts.list(exam.teacher, AttemptQuery(quiz_id=quiz_id, student_id=other.user_id))
    assert [item.student_id for item in named.items] == [other.user_id]
    foreign = await exam.attempts.list(student, AttemptQuery(quiz_id=quiz_id, student_id=other.user_id))
    assert foreign.items == []


async def test_a_cursor_walks_the_list_while_attempts_are_added(exam: Exam, student: Actor) -> None:
    quiz_id = await exam.quiz()
    for _ in range(5):
        attempt = await exam.begun(student, quiz_id)
        await exam.attempts.submit(student, attempt.id, submitted())
    seen: list[int] = []
    after = None
    while True:
        page = await exam.attempts.list(student, AttemptQuery(after=after, limit=2))
        assert isinstance(page, CursorPage)
        seen += [item.attempt_number for item in page.items]
        if page.next is None:
            break
        after = page.next
        exam.clock.advance(1)
        added = await exam.begun(student, quiz_id)
        await exam.attempts.submit(student, added.id, submitted())
    assert sorted(seen) == [1, 2, 3, 4, 5]
    assert await code_of(exam.attempts.list(student, AttemptQuery(after="no cursor"))) is Code.VALIDATION_FAILED


async def test_looks_are_noted_for_the_dashboard(exam: Exam, student: Actor, attempt: HandedOutView) -> None:
    channel = attempt_channel(attempt.id)
    await exam.bus.presence.join(channel, Member("con_1", student.user_id))
    look, page = Signal(kind="look", question_id=exam.question_ids[1]), Signal(kind="page", state="hidden")
    await exam.attempts.signal(student, attempt.id, [look, page])
    (member,) = (await exam.bus.presence.members_of([channel]))[channel]
    assert member.note == {"question_id": exam.question_ids[1], "state": "hidden"}
    outside = Signal(kind="look", question_id="qst_other")
    assert await code_of(exam.attempts.signal(student, attempt.id, [outside])) is Code.NOT_FOUND
    assert await code_of(exam.attempts.signal(student, attempt.id, [Signal(kind="look")])) is Code.VALIDATION_FAILED
