"""Regrades at their edges: a question that the quiz has no more, two previews at once, how papers are read, and who may."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from documents.base import Row
from documents.paper import AttemptPaper
from documents.regrade import RegradeRow, page_of_graded
from lms_rt.contracts.attempts import HandedOutView
from lms_rt.contracts.base import read_model
from lms_rt.contracts.regrades import CorrectionDraft, RegradeDraft, RegradeQuery, RegradeRowQuery, UndoDraft
from lms_rt.errors import Code
from lms_rt.security.permissions import Permission
from tests.services.exam import Exam, answering, code_of, refused

PAGES = "lms_rt.services.regrading.page_of_graded"


@pytest.fixture
async def quiz_id(exam: Exam) -> str:
    return await exam.quiz(passing_score="60.00")


async def sit(exam: Exam, quiz_id: str, *values: Any) -> HandedOutView:
    """Somebody sits the quiz and hands in these answers."""
    student = await exam.student()
    attempt = await exam.begun(student, quiz_id)
    await exam.attempts.submit(student, attempt.id, answering(exam, attempt, *values))
    return attempt


def correction(action: str, **fields: Any) -> CorrectionDraft:
    return read_model(CorrectionDraft, {"action": action, **fields})


@pytest.mark.parametrize(("action", "points"), [("void", (200, 200)), ("full_credit", (400, 400))])
async def test_a_removed_question_is_corrected_for_those_who_were_given_it(
    exam: Exam, quiz_id: str, action: str, points: tuple[int, int]
) -> None:
    attempt, question_id = await sit(exam, quiz_id, "a", True, "3.14"), exam.question_ids[0]
    await exam.questions.remove(exam.teacher, question_id)
    asked = exam.regrades.correct(exam.teacher, quiz_id, question_id, correction("fix", question={"points": 1}))
    assert [fault.code for fault in (await refused(asked)).fields] == ["question_removed"]
    view = await exam.regrades.correct(exam.teacher, quiz_id, question_id, correction(action))
    assert view.id is not None
    assert [(change.question_text, change.order) for change in view.changes] == [("Which?", None)]
    await exam.regrading.carry_out(view.id)
    row = await exam.stored(attempt.id)
    assert (row["score"], row["max_score"]) == points
    await exam.regrades.undo(exam.teacher, quiz_id, view.id, UndoDraft())
    await exam.regrading.carry_out(view.id)
    row = await exam.stored(attempt.id)
    assert (row["score"], row["max_score"]) == (200, 400)
    unknown = exam.regrades.correct(exam.teacher, quiz_id, "que_none", correction(action))
    assert await code_of(unknown) is Code.NOT_FOUND


async def test_two_equal_previews_at_once_are_one(exam: Exam, quiz_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    await sit(exam, quiz_id, "a", True, "3.14")
    draft = RegradeDraft.model_validate(
        {"changes": [{"question_id": exam.question_ids[0], "action": "void"}], "op_id": "one"}
    )
    seen = list[str | None]()

    async def overtaken(*given: Any, **wanted: Any) -> list[Row]:
        if not seen:
            monkeypatch.setattr(PAGES, page_of_graded)
            seen.append((await exam.regrades.preview(exam.teacher, quiz_id, draft)).id)
        return await page_of_graded(*given, **wanted)

    monkeypatch.setattr(PAGES, overtaken)
    view = await exam.regrades.preview(exam.teacher, quiz_id, draft)
    assert seen == [view.id]
    assert (view.counts.attempts, view.counts.gains) == (1, 1)
    assert await RegradeRow.rows().count_documents({"regrade_id": view.id}) == 1


async def test_what_is_expected_again_changes_nothing_that_has_happened(exam: Exam) -> None:
    row = {"_id": "rgw_1", "regrade_id": "rgr_1", "attempt_id": "att_1", "outcome": "gains"}
    await RegradeRow.expect([row])
    await RegradeRow.store("rgw_1", {"outcome": "loses", "applied_at": exam.clock.now()}, facts={})
    await RegradeRow.expect([row, {**row, "_id": "rgw_2"}])
    found = [one["outcome"] async for one in RegradeRow.rows().find({}).sort("_id")]
    assert found == ["loses", "gains"]


async def test_a_preview_reads_papers_together(exam: Exam, quiz_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):
        await sit(exam, quiz_id, "a", True, "3.14")
    reads, find_rows = list[int](), AttemptPaper.find_rows

    async def counted(attempt_ids: Any) -> dict[str, Row]:
        reads.append(len(attempt_ids))
        return await find_rows(attempt_ids)

    async def alone(*_: Any) -> None:
        raise AssertionError("a paper was read by itself")

    monkeypatch.setattr(AttemptPaper, "find_rows", counted)
    monkeypatch.setattr(AttemptPaper, "find_row", alone)
    draft = correction("void", dry_run=True)
    view = await exam.regrades.correct(exam.teacher, quiz_id, exam.question_ids[0], draft)
    assert (view.counts.gains, reads) == (3, [3])


async def test_who_teaches_without_seeing_to_quizzes_neither_sees_nor_makes_regrades(exam: Exam, quiz_id: str) -> None:
    await sit(exam, quiz_id, "a")
    view = await exam.regrades.correct(exam.teacher, quiz_id, exam.question_ids[0], correction("void"))
    assert view.id is not None
    other = replace(exam.teacher, permissions=exam.teacher.permissions - {Permission.QUIZZES_MANAGE})
    for asked in (
        exam.regrades.correct(other, quiz_id, exam.question_ids[1], correction("void")),
        exam.regrades.list(other, quiz_id, RegradeQuery()),
        exam.regrades.rows(other, quiz_id, view.id, RegradeRowQuery()),
    ):
        assert await code_of(asked) is Code.NOT_FOUND
