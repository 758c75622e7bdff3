"""Correcting questions and grading anew: who gains and loses, live and closed attempts, taking it back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from documents.attempt import Attempt
from documents.base import Row
from documents.job import Job
from documents.quiz import Quiz
from documents.regrade import RegradeRow
from lms_rt.clock import to_ms
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.attempts import HandedOutView
from lms_rt.contracts.base import read_model
from lms_rt.contracts.questions import QuestionChange, QuestionDraft
from lms_rt.contracts.regrades import (
    CorrectionDraft,
    RegradeDraft,
    RegradeQuery,
    RegradeRowQuery,
    RegradeView,
    UndoDraft,
)
from lms_rt.errors import Code
from tests.services.exam import ESSAY, QUESTIONS, Exam, answering, code_of, refused, submitted

EMBEDDED = pytest.mark.parametrize("engine", ["embedded"])
"""Rules: what the engine makes of the writes is asked by the tests without this."""
RIGHT = ("b", True, "3.14")


class Sat:
    """A quiz that two students have sat: one was right in everything, one said A in the first question."""

    def __init__(self, exam: Exam, quiz_id: str) -> None:
        self.exam, self.quiz_id = exam, quiz_id
        self.right: HandedOutView
        self.other: HandedOutView
        self.students: list[Actor] = []

    async def correct(self, place: int = 0, **fields: Any) -> RegradeView:
        """Correct a question and let the worker do its part, if there is one."""
        has_worker = fields.pop("has_worker", True)
        draft = read_model(CorrectionDraft, {"reason": "The key was wrong.", **fields})
        view = await self.exam.regrades.correct(self.exam.teacher, self.quiz_id, self.exam.question_ids[place], draft)
        if view.id is not None and has_worker:
            await self.exam.regrading.carry_out(view.id)
        return view

    async def undo(self, view: RegradeView) -> None:
        """Take it back, the worker's part included."""
        assert view.id is not None
        await self.exam.regrades.undo(self.exam.teacher, self.quiz_id, view.id, UndoDraft(reason="It was right."))
        await self.exam.regrading.carry_out(view.id)

    async def shown(self, view: RegradeView) -> RegradeView:
        """As it is now."""
        assert view.id is not None
        return await self.exam.regrades.show(self.exam.teacher, self.quiz_id, view.id)

    async def rows(self, view: RegradeView, **fields: Any) -> list[tuple[str, str, str | None, list[str]]]:
        """Attempt, what it means, pass, and what was kept; as they are listed."""
        assert view.id is not None
        page = await self.exam.regrades.rows(
            self.exam.teacher, self.quiz_id, view.id, RegradeRowQuery.model_validate(fields)
        )
        return [(row.attempt_id, row.outcome, row.passing, row.kept) for row in page.items]

    async def points(self, attempt: HandedOutView) -> tuple[int, int, int, bool]:
        """Score, of how many, percentage, and whether it is a pass."""
        row = await self.exam.stored(attempt.id)
        return row["score"], row["max_score"], row["percentage"], row["is_passed"]


async def hand_in(exam: Exam, quiz_id: str, *values: Any) -> tuple[Actor, HandedOutView]:
    """Somebody sits the quiz and hands in these answers."""
    student = await exam.student()
    attempt = await exam.begun(student, quiz_id)
    rows = [{"question_id": one, "value": value} for one, value in zip(exam.question_ids, values, strict=False)]
    await exam.attempts.submit(student, attempt.id, submitted(answers=rows, lease=attempt.lease))
    return student, attempt


@pytest.fixture
async def sat(exam: Exam) -> Sat:
    made = Sat(exam, await exam.quiz(passing_score="60.00"))
    first, made.right = await hand_in(exam, made.quiz_id, *RIGHT)
    second, made.other = await hand_in(exam, made.quiz_id, "a", True, "3.14")
    made.students = [first, second]
    return made


@EMBEDDED
async def test_a_dry_run_says_who_gains_and_loses_and_writes_nothing(sat: Sat) -> None:
    view = await sat.correct(action="fix", question={"correct_answer": {"option_id": "a"}}, dry_run=True)
    counts = view.counts.model_dump()
    assert counts == {"attempts": 2, "gains": 1, "loses": 1, "same": 0, "passes": 1, "fails": 1, "kept": 0}
    assert (view.id, view.status) == (None, "preview")
    assert await sat.exam.controls.newest(sat.quiz_id) == 0
    assert await RegradeRow.rows().count_documents({}) == 0
    assert await sat.points(sat.right) == (400, 400, 10_000, True)


async def test_a_fixed_key_counts_for_everybody_who_has_sat_the_quiz(sat: Sat) -> None:
    view = await sat.correct(action="fix", question={"correct_answer": {"option_id": "a"}})
    assert await sat.points(sat.right) == (200, 400, 5_000, False)
    assert await sat.points(sat.other) == (400, 400, 10_000, True)
    view = await sat.shown(view)
    assert (view.status, view.done, view.total) == ("applied", 2, 2)
    assert await sat.rows(view) == [
        (sat.right.id, "loses", "fails", []),
        (sat.other.id, "gains", "passes", []),
    ]
    assert await sat.rows(view, outcome="gains", passing="passes") == [(sat.other.id, "gains", "passes", [])]
    (told,) = [event.event.data for event in await sat.exam.events(sat.right, "attempt_graded")][1:]
    assert (told["score"], told["previous"]["score"], told["reason"]) == ("2.00", "4.00", "The key was wrong.")


@EMBEDDED
@pytest.mark.parametrize(
    ("asked", "right", "other"),
    [
        ({"action": "void"}, (200, 200, 10_000, True), (200, 200, 10_000, True)),
        ({"action": "full_credit"}, (400, 400, 10_000, True), (400, 400, 10_000, True)),
        (
            {"action": "accept", "accepted": [{"option_id": "a"}]},
            (400, 400, 10_000, True),
            (400, 400, 10_000, True),
        ),
        ({"action": "fix", "question": {"points": "6.00"}}, (800, 800, 10_000, True), (200, 800, 2_500, False)),
    ],
)
async def test_every_way_to_correct_and_back(
    sat: Sat, asked: dict[str, Any], right: tuple[Any, ...], other: tuple[Any, ...]
) -> None:
    view = await sat.correct(**asked)
    assert (await sat.points(sat.right), await sat.points(sat.other)) == (right, other)
    quiz = await Quiz.find_whole(sat.quiz_id)
    assert quiz is not None
    assert (quiz["key_version"], quiz["questions"][sat.exam.question_ids[0]]["version"]) == (1, 2), "once"
    late = await hand_in(sat.exam, sat.quiz_id, "a", True, "3.14")  # a new paper is made as the quiz asks now
    assert await sat.points(late[1]) == other
    await sat.undo(await sat.shown(view))
    assert await sat.points(sat.right) == (400, 400, 10_000, True)
    assert await sat.points(sat.other) == await sat.points(late[1]) == (200, 400, 5_000, False)
    assert (await sat.shown(view)).status == "undone"
    quiz = await Quiz.find_whole(sat.quiz_id)
    assert quiz is not None
    asked_now = quiz["questions"][sat.exam.question_ids[0]]
    assert (asked_now["points"], asked_now["correct_answer"]) == (200, {"option_id": "b"})
    assert not {"is_void", "is_full_credit", "also_accepted", "is_changed"} & asked_now.keys()


async def test_an_open_attempt_goes_on_with_the_corrected_question_and_more_time(sat: Sat) -> None:
    exam, student = sat.exam, await sat.exam.student()
    attempt = await exam.begun(student, sat.quiz_id)
    await exam.save(student, attempt, "a")
    await sat.correct(
        action="fix",
        question={"question_text": "Which one is A?", "correct_answer": {"option_id": "a"}},
        extra_minutes=5,
        has_worker=False,
    )
    now = await exam.attempts.show(student, attempt.id)
    assert attempt.deadline_at is not None
    assert now.deadline_at is not None
    assert (now.deadline_at - attempt.deadline_at).total_seconds() == 300
    asked = next(one for one in now.questions if one.id == exam.question_ids[0])
    assert (asked.question_text, asked.correction) == ("Which one is A?", "changed")
    before = next(one for one in attempt.questions if one.id == exam.question_ids[0])
    assert isinstance(asked.options, list)
    assert isinstance(before.options, list)
    assert [one.id for one in asked.options] == [one.id for one in before.options]
    assert now.answers[exam.question_ids[0]].value == "a"
    (told,) = await exam.events(attempt, "question_corrected")
    assert told.event.data["question_ids"] == [exam.question_ids[0]]
    closed = await exam.attempts.submit(student, attempt.id, submitted())
    assert closed.score == 200


async def test_an_undo_keeps_and_lists_what_somebody_has_changed_since(sat: Sat) -> None:
    view = await sat.correct(action="fix", question={"correct_answer": {"option_id": "a"}})
    mark: Row = {"points": 150, "comment": "", "by": "usr_x", "by_name": "X", "at_ms": 1}
    await Attempt.rows().update_one(
        {"_id": sat.right.id},
        {"$set": {f"marks.{sat.exam.question_ids[0]}": mark, f"awarded.{sat.exam.question_ids[0]}": 150}},
    )
    await sat.undo(await sat.shown(view))
    assert (await sat.points(sat.right))[0] == 350
    assert (await sat.points(sat.other))[0] == 200
    view = await sat.shown(view)
    assert view.counts.kept == 1
    assert [row[0] for row in await sat.rows(view, kept=True)] == [sat.right.id]
    assert [row[0] for row in await sat.rows(view, kept=False)] == [sat.other.id]


@EMBEDDED
async def test_two_corrections_are_each_recorded_although_one_grade_brings_both(sat: Sat) -> None:
    first = read_model(CorrectionDraft, {"action": "fix", "question": {"correct_answer": {"option_id": "a"}}})
    second = read_model(CorrectionDraft, {"action": "void"})
    exam = sat.exam
    one = await exam.regrades.correct(exam.teacher, sat.quiz_id, exam.question_ids[0], first)
    two = await exam.regrades.correct(exam.teacher, sat.quiz_id, exam.question_ids[1], second)
    assert one.id is not None
    assert two.id is not None
    await exam.regrading.carry_out(two.id)
    await exam.regrading.carry_out(one.id)
    assert await sat.points(sat.right) == (100, 300, 3_333, False)
    assert [row[1:3] for row in await sat.rows(one)] == [("loses", "fails"), ("gains", "passes")]
    assert [row[1:3] for row in await sat.rows(two)] == [("loses", None), ("same", None)]


@EMBEDDED
async def test_questions_edited_after_an_attempt_offer_a_regrade_and_it_follows_them(sat: Sat) -> None:
    exam = sat.exam
    plain = await exam.questions.change(
        exam.teacher, exam.question_ids[0], read_model(QuestionChange, {"explanation": "So it is."})
    )
    assert not plain.regrade_offered
    changed = await exam.questions.change(
        exam.teacher, exam.question_ids[0], read_model(QuestionChange, {"correct_answer": {"option_id": "a"}})
    )
    assert changed.regrade_offered
    echoed = read_model(QuestionChange, json.loads(changed.model_dump_json(exclude={"order", "rubric"})))
    assert not (await exam.questions.change(exam.teacher, exam.question_ids[0], echoed)).regrade_offered
    view = await exam.regrades.preview(exam.teacher, sat.quiz_id, RegradeDraft())
    assert (view.status, view.counts.gains, view.counts.loses) == ("preview", 1, 1)
    assert [row[1] for row in await sat.rows(view)] == ["loses", "gains"]
    assert view.id is not None
    view = await exam.regrades.apply(exam.teacher, sat.quiz_id, view.id)
    assert view.status == "applying"
    assert view.id is not None
    assert await Job.rows().count_documents({"task": "regrades.apply"}) == 1
    await exam.regrading.carry_out(view.id)
    assert await sat.points(sat.other) == (400, 400, 10_000, True)
    repeat = await exam.regrades.regrade(exam.teacher, sat.quiz_id, RegradeDraft())
    assert (repeat.id, repeat.status, repeat.changes) == (None, "applied", [])
    assert (repeat.done, repeat.counts.same) == (repeat.total, repeat.total)
    assert (await exam.regrades.preview(exam.teacher, sat.quiz_id, RegradeDraft())).counts == repeat.counts
    assert (await exam.regrades.list(exam.teacher, sat.quiz_id, RegradeQuery())).total == 1
    more = RegradeDraft(extra_minutes=5)
    assert await code_of(exam.regrades.regrade(exam.teacher, sat.quiz_id, more)) is Code.CONFLICT
    await sat.undo(await sat.shown(view))
    assert await sat.points(sat.other) == (200, 400, 5_000, False)


@EMBEDDED
async def test_what_answers_could_not_be_read_by_is_refused(sat: Sat) -> None:
    options = [{"id": "a", "text": "A"}, {"id": "z", "text": "Z"}]
    asked: dict[str, Any] = {"action": "fix", "question": {"options": options, "correct_answer": {"option_id": "a"}}}
    refusal = await refused(sat.correct(**asked))
    assert [(fault.field, fault.code) for fault in refusal.fields] == [("question.options", "options_changed")]
    refusal = await refused(sat.correct(action="accept", accepted=[{"option_id": "a"}, {"option_id": "z"}]))
    assert [fault.field for fault in refusal.fields] == ["accepted.1.option_id"]
    refusal = await refused(sat.correct(place=2, action="fix", question={"correct_answer": {"value": "x"}}))
    assert refusal.fields[0].field.startswith("question.correct_answer")


@EMBEDDED
async def test_full_credit_ends_the_wait_of_an_essay_and_its_restoring_begins_it_again(exam: Exam) -> None:
    made = Sat(exam, await exam.quiz(questions=(QUESTIONS[0], ESSAY)))
    student, made.right = await hand_in(exam, made.quiz_id, "b", "Much.")
    assert (await exam.stored(made.right.id))["grading"] == "manual"
    view = await made.correct(place=1, action="full_credit")
    row = await exam.stored(made.right.id)
    assert (row["grading"], row["status"], row["score"]) == ("done", "graded", 600)
    await made.undo(await made.shown(view))
    shown = await exam.attempts.show(student, made.right.id)
    assert (shown.grading, shown.status, shown.score, shown.is_passed) == ("manual", "submitted", None, None)


@EMBEDDED
async def test_the_results_say_what_was_corrected_and_what_it_did(sat: Sat) -> None:
    await sat.correct(action="accept", accepted=[{"option_id": "a"}])
    results = await sat.exam.results.show(sat.students[1], sat.other.id)
    question = results.questions[0]
    assert (question.points_awarded, question.is_correct, question.corrected) == (200, True, ["accept"])
    assert [(one.from_points, one.to_points, one.reason) for one in question.changes] == [
        (0, 200, "The key was wrong.")
    ]
    await Quiz.rows().update_one({"_id": sat.quiz_id}, {"$set": {"show_correct_answers": "never"}})
    kept = (await sat.exam.results.show(sat.students[1], sat.other.id)).questions[0]
    assert kept.corrected == [], "that another answer counts as well is a part of the key"


@EMBEDDED
async def test_an_order_that_is_sent_twice_corrects_once(sat: Sat) -> None:
    first = await sat.correct(action="void", op_id="one")
    again = await sat.correct(action="void", op_id="one")
    assert first.id == again.id
    assert await sat.exam.controls.newest(sat.quiz_id) == 1
    assert await code_of(sat.correct(action="full_credit", op_id="one")) is Code.OP_ID_REUSED


@EMBEDDED
async def test_a_repeat_is_told_by_what_was_sent_and_not_by_what_the_quiz_says_by_now(sat: Sat) -> None:
    fix: dict[str, Any] = {"action": "fix", "question": {"correct_answer": {"option_id": "a"}}, "op_id": "fix"}
    first = await sat.correct(**fix)
    other = {**fix, "question": {"correct_answer": {"option_id": "c"}}}
    assert await code_of(sat.correct(**other)) is Code.OP_ID_REUSED, "a repeat would be told that this is done"
    most = [{"option_id": "b"}] * 20
    accepted = await sat.correct(action="accept", accepted=most, op_id="accept")
    assert (await sat.correct(action="accept", accepted=most, op_id="accept")).id == accepted.id, "20 are the most"
    await sat.exam.questions.remove(sat.exam.teacher, sat.exam.question_ids[0])
    assert (await sat.correct(**fix)).id == first.id, "the question is gone, and what was done stays done"
    assert await sat.exam.controls.newest(sat.quiz_id) == 2


@EMBEDDED
async def test_a_preview_meets_only_its_own_repeats(sat: Sat) -> None:
    exam, question_ids = sat.exam, sat.exam.question_ids

    def asked(place: int, action: str) -> RegradeDraft:
        change = {"question_id": question_ids[place], "action": action}
        return read_model(RegradeDraft, {"changes": [change], "op_id": "one"})

    first = await exam.regrades.preview(exam.teacher, sat.quiz_id, asked(0, "void"))
    again = await exam.regrades.preview(exam.teacher, sat.quiz_id, asked(0, "void"))
    assert first.id == again.id
    for other in (
        exam.regrades.preview(exam.teacher, sat.quiz_id, asked(1, "full_credit")),
        exam.regrades.regrade(exam.teacher, sat.quiz_id, asked(0, "void")),
    ):
        assert await code_of(other) is Code.OP_ID_REUSED


@EMBEDDED
async def test_who_was_not_given_a_question_is_neither_told_of_it_nor_given_time_for_it(exam: Exam) -> None:
    quiz_id = await exam.quiz()
    early, late = await exam.student("Early"), await exam.student("Late")
    without = await exam.begun(early, quiz_id)
    (added,) = await exam.questions.add_all(exam.teacher, quiz_id, [read_model(QuestionDraft, QUESTIONS[0])])
    given = await exam.begun(late, quiz_id)
    change = {"action": "fix", "question": {"question_text": "Which one?"}, "extra_minutes": 3}
    view = await exam.regrades.correct(exam.teacher, quiz_id, added, read_model(CorrectionDraft, change))
    for attempt, is_given in ((given, True), (without, False)):
        stored = await exam.stored(attempt.id)
        told = await exam.events(attempt, "question_corrected")
        assert (len(told), stored.get("controls", [])) == ((1, [1]) if is_given else (0, []))
        minutes = (stored["deadline_ms"] - to_ms(stored["started_at"])) / 60_000
        assert (minutes, stored["live_version"], stored["key_version"]) == (33 if is_given else 30, 1, 1)
    graded = await exam.attempts.submit(early, without.id, answering(exam, without, *RIGHT))
    await exam.regrading.carry_out(str(view.id))
    assert (graded.status, graded.percentage) == ("graded", 10_000)


@EMBEDDED
async def test_a_fix_says_what_it_changes(sat: Sat) -> None:
    fault = await refused(sat.correct(action="fix", question={}))
    assert [(one.field, one.code) for one in fault.fields] == [("question", "required")]
    assert await sat.exam.controls.newest(sat.quiz_id) == 0


@EMBEDDED
async def test_somebody_elses_quiz_is_not_there(sat: Sat) -> None:
    exam = sat.exam
    draft = read_model(CorrectionDraft, {"action": "void"})
    for actor in (sat.students[0], await exam.student()):
        asked = exam.regrades.correct(actor, sat.quiz_id, exam.question_ids[0], draft)
        assert await code_of(asked) is Code.NOT_FOUND
