"""Imports and exports of question files: authorised, reported row by row, written as one change or not at all."""

from __future__ import annotations

import asyncio
import base64
import threading
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from config.settings import Settings
from documents.enums import Role
from documents.quiz import Quiz
from lms_rt import services
from lms_rt.console.import_questions import import_questions
from lms_rt.contracts.base import Page, read_model
from lms_rt.contracts.imports import MAX_IMPORT_BYTES
from lms_rt.contracts.questions import QuestionView
from lms_rt.contracts.quizzes import MAX_QUESTIONS, QuestionQuery, QuizDraft
from lms_rt.errors import Code, Refused
from lms_rt.interchange.gift import ReadQuestion
from lms_rt.interchange.gift.annotations import option_ids, positions, with_ids
from lms_rt.services.courses import Courses
from lms_rt.services.imports import Imports
from lms_rt.storage.mongo import OpenDatabase
from tests.services.exam import Exam, person

pytestmark = pytest.mark.usefixtures("database")

DATA = Path(__file__).parents[1] / "data" / "gift"
FILE = b"""::One::First?{=a ~b}

Broken {=a

[html]<img src\\="@@PLUGINFILE@@/x.png">Third?{T}
"""


@pytest.fixture
async def exam(database: OpenDatabase, settings: Settings) -> Exam:
    exam = Exam(settings)
    await exam.open_course()
    return exam


@pytest.fixture
def imports(exam: Exam) -> Imports:
    return Imports(questions=exam.questions)


async def new_quiz(exam: Exam) -> str:
    quiz = await exam.quizzes.create(exam.teacher, read_model(QuizDraft, {"course_id": exam.course_id, "title": "New"}))
    return quiz.id


async def questions(exam: Exam, quiz_id: str) -> Page[QuestionView]:
    return await exam.questions.list(exam.teacher, quiz_id, QuestionQuery(page_size=100))


async def test_a_preview_needs_no_quiz_and_leaves_none(exam: Exam, imports: Imports) -> None:
    report = await imports.preview(exam.teacher, exam.course_id, text=FILE)
    assert (report.dry_run, report.imported, report.degraded, report.skipped) == (True, 1, 1, 1)
    assert [row.question_id for row in report.questions] == [None] * 3
    assert await Quiz.rows().count_documents({}) == 0
    with pytest.raises(Refused) as refused:
        await imports.preview(person(Role.INSTRUCTOR, "Other"), exam.course_id, text=FILE)
    assert refused.value.code is Code.NOT_FOUND


async def test_a_new_quiz_is_taken_back_when_its_file_cannot_be_read(exam: Exam, imports: Imports) -> None:
    courses = Courses(clock=exam.clock, relay=exam.relay)
    services: Any = SimpleNamespace(console_actor=exam.teacher, imports=imports, quizzes=exam.quizzes, courses=courses)
    text = base64.b64encode(b"caf\xe9{T}").decode()  # neither UTF-8 nor UTF-16
    with pytest.raises(Refused):
        await import_questions(
            services, text=text, quiz_id=None, new_title="New", course_id=exam.course_id, is_dry_run=False
        )
    assert await Quiz.rows().count_documents({}) == 0


async def test_every_question_of_the_file_has_its_row(exam: Exam, imports: Imports) -> None:
    quiz_id = await new_quiz(exam)
    report = await imports.import_questions(exam.teacher, quiz_id, text=FILE)
    assert (report.dry_run, report.imported, report.degraded, report.skipped) == (False, 1, 1, 1)
    assert [(row.line, row.title, row.status) for row in report.questions] == [
        (1, "One", "imported"),
        (3, None, "skipped"),
        (5, None, "degraded"),
    ]
    assert "x.png" in (report.questions[2].reason or "")
    stored = await questions(exam, quiz_id)
    assert [one.id for one in stored.items] == [row.question_id for row in report.questions if row.question_id]
    assert [one.question_type for one in stored.items] == ["multiple_choice", "true_false"]
    assert report.questions[1].question_id is None


async def test_it_is_one_change_of_the_quiz(exam: Exam, imports: Imports) -> None:
    quiz_id = await new_quiz(exam)
    before = await Quiz.find_whole(quiz_id)
    await imports.import_questions(exam.teacher, quiz_id, text=b"a{T}\n\nb{T}\n\nc{}")
    after = await Quiz.find_whole(quiz_id)
    assert before is not None
    assert after is not None
    assert after["version"] == before["version"] + 1
    assert after["questions_count"] == 3


async def test_a_dry_run_writes_nothing(exam: Exam, imports: Imports) -> None:
    quiz_id = await new_quiz(exam)
    before = await Quiz.find_whole(quiz_id)
    report = await imports.import_questions(exam.teacher, quiz_id, text=FILE, is_dry_run=True)
    assert (report.dry_run, report.imported, [row.question_id for row in report.questions]) == (True, 1, [None] * 3)
    assert await Quiz.find_whole(quiz_id) == before


async def test_a_file_without_questions_changes_nothing(exam: Exam, imports: Imports) -> None:
    quiz_id = await new_quiz(exam)
    before = await Quiz.find_whole(quiz_id)
    report = await imports.import_questions(exam.teacher, quiz_id, text=b"// nothing\n")
    assert report.questions == []
    assert await Quiz.find_whole(quiz_id) == before


async def test_a_file_that_does_not_fit_leaves_nothing(exam: Exam, imports: Imports) -> None:
    quiz_id = await new_quiz(exam)
    await imports.import_questions(exam.teacher, quiz_id, text=b"a{T}")
    with pytest.raises(Refused) as refused:
        await imports.import_questions(exam.teacher, quiz_id, text=b"a{T}\n\n" * MAX_QUESTIONS)
    assert refused.value.code is Code.TOO_LARGE
    assert (await questions(exam, quiz_id)).total == 1


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"text": b"a\xff{T}"}, Code.VALIDATION_FAILED),
        ({"text": b"a{T}", "source_format": "aiken"}, Code.VALIDATION_FAILED),
        ({"text": b"a" * (MAX_IMPORT_BYTES + 1)}, Code.TOO_LARGE),
    ],
    ids=["encoding", "format", "size"],
)
async def test_what_is_no_such_file_is_refused(exam: Exam, imports: Imports, given: dict[str, Any], code: Code) -> None:
    quiz_id = await new_quiz(exam)
    with pytest.raises(Refused) as refused:
        await imports.import_questions(exam.teacher, quiz_id, **given)
    assert refused.value.code is code
    assert (await questions(exam, quiz_id)).total == 0


async def test_only_who_teaches_the_quiz_may(exam: Exam, imports: Imports) -> None:
    quiz_id = await new_quiz(exam)
    for somebody in (person(Role.INSTRUCTOR, "Other"), await exam.student()):
        for work in (
            imports.import_questions(somebody, quiz_id, text=FILE, is_dry_run=True),
            imports.export_questions(somebody, quiz_id),
        ):
            with pytest.raises(Refused) as refused:
                await work
            assert refused.value.code is Code.NOT_FOUND


async def test_what_was_exported_imports_to_the_same_questions(exam: Exam, imports: Imports) -> None:
    first, second = await new_quiz(exam), await new_quiz(exam)
    for path in sorted(DATA.glob("*.gift")):
        await imports.import_questions(exam.teacher, first, text=path.read_bytes())
    written = await imports.export_questions(exam.teacher, first)
    report = await imports.import_questions(exam.teacher, second, text=written.encode())
    assert report.skipped == 0
    assert [content(one) for one in (await questions(exam, second)).items] == [
        content(one) for one in (await questions(exam, first)).items
    ]


def content(view: QuestionView) -> dict[str, Any]:
    """What a question says, without what belongs to its quiz and without ids that were made."""
    said = view.model_dump(exclude={"id", "quiz_id", "version", "created_at", "updated_at"})
    return with_ids(said, positions(option_ids(said)))


async def test_imports_at_once_all_arrive(exam: Exam, imports: Imports) -> None:
    quiz_id = await new_quiz(exam)
    texts = [f"first {n}{{T}}\n\nsecond {n}{{F}}".encode() for n in range(5)]
    await asyncio.gather(*(imports.import_questions(exam.teacher, quiz_id, text=text) for text in texts))
    stored = [one.question_text for one in (await questions(exam, quiz_id)).items]
    assert sorted(stored) == sorted(f"{word} {n}" for n in range(5) for word in ("first", "second"))
    # those of one file stay together
    assert all(one[-1] == other[-1] for one, other in list(pairwise(stored))[::2])


async def test_the_event_loop_goes_on_while_a_file_is_read(
    exam: Exam, imports: Imports, monkeypatch: pytest.MonkeyPatch
) -> None:
    quiz_id = await new_quiz(exam)
    loop, has_gone_on, read = asyncio.get_running_loop(), threading.Event(), services.imports._read

    def read_and_wait_for_the_loop(text: bytes) -> list[ReadQuestion]:
        loop.call_soon_threadsafe(has_gone_on.set)
        assert has_gone_on.wait(10)
        return read(text)

    monkeypatch.setattr(services.imports, "_read", read_and_wait_for_the_loop)
    report = await imports.import_questions(exam.teacher, quiz_id, text=FILE, is_dry_run=True)
    assert report.questions
