"""Quizzes over HTTP."""

from __future__ import annotations

from handlers.rest.access import SIGNED_IN, needs
from handlers.rest.calls import Call, Reply
from handlers.rest.operations import Operation
from lms_rt.contracts.base import Page
from lms_rt.contracts.quizzes import QuizChange, QuizDraft, QuizQuery, QuizRemovalQuery, QuizView
from lms_rt.errors import Code
from lms_rt.security.rights import Reach


async def list_quizzes(call: Call) -> Reply:
    """The quizzes that the caller may know of."""
    return Reply(await call.services.quizzes.list(call.actor, call.query))


async def create_quiz(call: Call) -> Reply:
    """Create a quiz."""
    quiz = await call.services.quizzes.create(call.actor, call.body)
    return Reply(quiz, made={"quiz_id": quiz.id})


async def show_quiz(call: Call) -> Reply:
    """One quiz, without its questions."""
    return Reply(await call.services.quizzes.show(call.actor, call.path["quiz_id"]))


async def change_quiz(call: Call) -> Reply:
    """Change a quiz."""
    quizzes, quiz_id = call.services.quizzes, call.path["quiz_id"]
    return Reply(await quizzes.change(call.actor, quiz_id, call.body, expected_version=call.expected_version))


async def remove_quiz(call: Call) -> Reply:
    """Delete or archive a quiz."""
    await call.services.quizzes.remove(
        call.actor, call.path["quiz_id"], archive=call.query.archive, expected_version=call.expected_version
    )
    return Reply(None)


async def publish_quiz(call: Call) -> Reply:
    """Publish a quiz."""
    quizzes, quiz_id = call.services.quizzes, call.path["quiz_id"]
    return Reply(await quizzes.publish(call.actor, quiz_id, expected_version=call.expected_version))


async def unpublish_quiz(call: Call) -> Reply:
    """Take a quiz back from view."""
    quizzes, quiz_id = call.services.quizzes, call.path["quiz_id"]
    return Reply(await quizzes.unpublish(call.actor, quiz_id, expected_version=call.expected_version))


MANAGE = needs("quizzes:manage")

ROUTES: tuple[Operation, ...] = (
    Operation(
        "GET",
        "/quizzes",
        list_quizzes,
        SIGNED_IN,
        reach=Reach.INSIDE,
        query=QuizQuery,
        reply=Page[QuizView],
        summary="Quizzes",
    ),
    Operation(
        "POST",
        "/quizzes",
        create_quiz,
        MANAGE,
        reach=Reach.TAUGHT,
        body=QuizDraft,
        reply=QuizView,
        status=201,
        location="/quizzes/{quiz_id}",
        audit="quiz.create",
        summary="Create a quiz",
        codes=(Code.NOT_FOUND, Code.QUIZ_NOT_READY),
    ),
    Operation(
        "GET",
        "/quizzes/{quiz_id}",
        show_quiz,
        SIGNED_IN,
        reach=Reach.INSIDE,
        reply=QuizView,
        codes=(Code.NOT_ENROLLED,),
        summary="One quiz",
    ),
    Operation(
        ("PATCH", "PUT"),
        "/quizzes/{quiz_id}",
        change_quiz,
        MANAGE,
        reach=Reach.TAUGHT,
        body=QuizChange,
        reply=QuizView,
        codes=(Code.QUIZ_NOT_READY, Code.VERSION_MISMATCH),
        audit="quiz.change",
        summary="Change a quiz",
    ),
    Operation(
        "DELETE",
        "/quizzes/{quiz_id}",
        remove_quiz,
        MANAGE,
        reach=Reach.TAUGHT,
        query=QuizRemovalQuery,
        status=204,
        codes=(Code.HAS_ATTEMPTS, Code.VERSION_MISMATCH),
        audit="quiz.remove",
        summary="Delete a quiz, or archive it",
    ),
    Operation(
        "POST",
        "/quizzes/{quiz_id}/publish",
        publish_quiz,
        MANAGE,
        reach=Reach.TAUGHT,
        reply=QuizView,
        codes=(Code.QUIZ_NOT_READY, Code.VERSION_MISMATCH),
        audit="quiz.publish",
        summary="Publish a quiz",
        description="What is missing stands in `missing`: title, questions, draw, opens_at.",
    ),
    Operation(
        "POST",
        "/quizzes/{quiz_id}/unpublish",
        unpublish_quiz,
        MANAGE,
        reach=Reach.TAUGHT,
        reply=QuizView,
        codes=(Code.VERSION_MISMATCH,),
        audit="quiz.unpublish",
        summary="Take a quiz back from view",
    ),
)
