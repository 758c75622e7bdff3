"""Questions over HTTP, one by one and as files. Only for those who teach the quiz; students meet them in attempts."""

from __future__ import annotations

from handlers.rest.access import needs
from handlers.rest.calls import Call, Reply
from handlers.rest.operations import UPLOAD, Operation
from lms_rt.contracts.base import Page
from lms_rt.contracts.imports import ExportQuery, ImportQuery, ImportReport
from lms_rt.contracts.questions import QuestionChange, QuestionView
from lms_rt.contracts.quizzes import PlacedQuestionDraft, QuestionQuery
from lms_rt.errors import Code
from lms_rt.security.rights import Reach


async def list_questions(call: Call) -> Reply:
    """The questions of a quiz, keys included."""
    is_filter, quiz_id = "quiz_id" not in call.path, call.named("quiz_id")
    return Reply(await call.services.questions.list(call.actor, quiz_id, call.query, is_filter=is_filter))


async def create_question(call: Call) -> Reply:
    """Add a question to a quiz."""
    question = await call.services.questions.add(call.actor, call.agreed("quiz_id"), call.body)
    return Reply(question, made={"question_id": question.id})


async def show_question(call: Call) -> Reply:
    """One question with its key."""
    return Reply(await call.services.questions.show(call.actor, call.path["question_id"]))


async def change_question(call: Call) -> Reply:
    """Change a question."""
    questions, question_id = call.services.questions, call.path["question_id"]
    return Reply(await questions.change(call.actor, question_id, call.body, expected_version=call.expected_version))


async def remove_question(call: Call) -> Reply:
    """Take a question out of its quiz."""
    questions, question_id = call.services.questions, call.path["question_id"]
    await questions.remove(call.actor, question_id, expected_version=call.expected_version)
    return Reply(None)


async def import_questions(call: Call) -> Reply:
    """Add the questions of a file."""
    assert call.upload is not None  # noqa: S101 - the row takes uploads alone
    report = await call.services.imports.import_questions(
        call.actor,
        call.path["quiz_id"],
        text=call.upload.content,
        source_format=call.query.format,
        is_dry_run=call.query.dry_run,
    )
    is_idle = report.dry_run or not report.questions
    return Reply(report, status=200 if is_idle else 201)


async def export_questions(call: Call) -> Reply:
    """The questions as a file."""
    quiz_id = call.path["quiz_id"]
    text = await call.services.imports.export_questions(call.actor, quiz_id, call.query.format)
    named = {"Content-Disposition": f'attachment; filename="{quiz_id}.gift"'}
    return Reply(text.encode(), content_type="text/plain; charset=utf-8", headers=named)


MANAGE = needs("quizzes:manage")

ROUTES: tuple[Operation, ...] = (
    Operation(
        "GET",
        "/questions",
        list_questions,
        MANAGE,
        reach=Reach.TAUGHT,
        also=("/quizzes/{quiz_id}/questions",),
        query=QuestionQuery,
        reply=Page[QuestionView],
        codes=(Code.NOT_FOUND,),
        summary="The questions of a quiz",
    ),
    Operation(
        "POST",
        "/questions",
        create_question,
        MANAGE,
        reach=Reach.TAUGHT,
        also=("/quizzes/{quiz_id}/questions",),
        body=PlacedQuestionDraft,
        reply=QuestionView,
        status=201,
        location="/questions/{question_id}",
        codes=(Code.NOT_FOUND, Code.TOO_LARGE, Code.QUIZ_NOT_READY),
        audit="question.create",
        summary="Add a question to a quiz",
    ),
    Operation(
        "GET",
        "/questions/{question_id}",
        show_question,
        MANAGE,
        reach=Reach.TAUGHT,
        reply=QuestionView,
        summary="One question with its key",
    ),
    Operation(
        ("PATCH", "PUT"),
        "/questions/{question_id}",
        change_question,
        MANAGE,
        reach=Reach.TAUGHT,
        body=QuestionChange,
        reply=QuestionView,
        codes=(Code.TOO_LARGE, Code.QUIZ_NOT_READY, Code.VERSION_MISMATCH),
        audit="question.change",
        summary="Change a question",
        description="Open attempts keep the question as they were given it.",
    ),
    Operation(
        "DELETE",
        "/questions/{question_id}",
        remove_question,
        MANAGE,
        reach=Reach.TAUGHT,
        status=204,
        codes=(Code.QUIZ_NOT_READY, Code.VERSION_MISMATCH),
        audit="question.remove",
        summary="Take a question out of its quiz",
    ),
    Operation(
        "POST",
        "/quizzes/{quiz_id}/questions/import",
        import_questions,
        MANAGE,
        reach=Reach.TAUGHT,
        takes=UPLOAD,
        query=ImportQuery,
        reply=ImportReport,
        status=201,
        more_statuses=(200,),
        codes=(Code.TOO_LARGE, Code.QUIZ_NOT_READY, Code.BUSY),
        is_idempotent=True,
        audit="quiz.import",
        summary="Add the questions of a file",
        description="All that can be read or none at all. With `dry_run=true`, or without a question (200), nothing is written.",
    ),
    Operation(
        "GET",
        "/quizzes/{quiz_id}/questions/export",
        export_questions,
        MANAGE,
        reach=Reach.TAUGHT,
        query=ExportQuery,
        gives=("text/plain",),
        codes=(Code.BUSY,),
        summary="The questions as a file",
    ),
)
