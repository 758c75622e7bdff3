"""The questions of a quiz, as their author works on them. They are embedded: each write is one of the whole quiz's version.

Open attempts have papers of their own and do not change with them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from documents.attempt import Attempt
from documents.base import Row
from documents.quiz import Quiz
from lms_rt import ids
from lms_rt.clock import Clock
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.base import Page, encode, page_of, refuse_changed_read_only
from lms_rt.contracts.outbox import Deed, Write
from lms_rt.contracts.questions import (
    QuestionChange,
    QuestionDraft,
    QuestionView,
    StoredQuestion,
    changed_question,
    question_view,
    stored_question,
)
from lms_rt.contracts.quizzes import MAX_QUESTIONS, QuestionQuery
from lms_rt.errors import Code, Refused
from lms_rt.security.access.quizzes import require_taught_quiz, require_taught_quiz_of_question
from lms_rt.services.contended import until_written
from lms_rt.services.corrections import keeping
from lms_rt.services.question_files import QuestionFiles
from lms_rt.services.quiz_views import counted_fields, missing_for_publishing
from lms_rt.services.regrade_changes import grades_otherwise
from lms_rt.services.relay import Relay
from lms_rt.services.rendering import render

MAX_BYTES = 7 << 20
"""Of all questions of a quiz as JSON; the document stays below 8 MiB with the rest of it."""

QuestionIds = list[str]
Edit = Callable[[Row], Row | None]
"""Given the quiz, its `questions` and `question_ids` after the edit; None: nothing to do."""


class Questions:
    """Makes, changes, removes and lists questions. Only for those who teach the quiz."""

    def __init__(self, *, clock: Clock, relay: Relay) -> None:
        self._clock, self._relay = clock, relay
        self._files: QuestionFiles | None = None

    def keep_files_by(self, files: QuestionFiles) -> None:
        """Let files that questions speak of be theirs."""
        self._files = files

    async def list(
        self, actor: Actor, quiz_id: str, query: QuestionQuery, *, is_filter: bool = False
    ) -> Page[QuestionView]:
        """The questions of a quiz, keys included. As a filter, a quiz that is not the actor's gives an empty list."""
        try:
            await require_taught_quiz(actor, quiz_id)
        except Refused as refused:
            if is_filter and refused.code is Code.NOT_FOUND:
                return page_of([], query, 0)
            raise
        quiz = await _required(quiz_id)
        found = [one for one in quiz["question_ids"] if _is_wanted(quiz["questions"][one], query)]
        field = query.sort.lstrip("-")
        if field != "order":
            found.sort(key=lambda one: quiz["questions"][one][field])
        if query.sort.startswith("-"):
            found.reverse()
        shown = found[query.skip : query.skip + query.page_size]
        return page_of([_view(quiz, one) for one in shown], query, len(found))

    async def show(self, actor: Actor, question_id: str) -> QuestionView:
        """One question with its key."""
        return _view(await self._quiz_of(actor, question_id), question_id)

    async def add(self, actor: Actor, quiz_id: str, draft: QuestionDraft) -> QuestionView:
        """One more question, at the end or at the place that the draft names."""
        access = await require_taught_quiz(actor, quiz_id)
        question_id = ids.new_id("qst")
        await self._attach(actor, access.quiz, {question_id: draft.model_dump(mode="json")})
        quiz = await self._edit(
            quiz_id, self._adding([(question_id, draft)]), Deed(actor, "question.create", question_id)
        )
        return _view(quiz, question_id)

    async def add_all(self, actor: Actor, quiz_id: str, drafts: Sequence[QuestionDraft]) -> QuestionIds:
        """Many questions in one write, all or none; their ids in the order of the drafts."""
        access = await require_taught_quiz(actor, quiz_id)
        named = [(ids.new_id("qst"), draft) for draft in drafts]
        await self._attach(actor, access.quiz, {one: draft.model_dump(mode="json") for one, draft in named})
        await self._edit(quiz_id, self._adding(named), Deed(actor, "quiz.import", quiz_id))
        return [question_id for question_id, _ in named]

    async def change(
        self, actor: Actor, question_id: str, change: QuestionChange, *, expected_version: int | None = None
    ) -> QuestionView:
        """Change what was sent; `order` moves the question to another place."""
        quiz = await self._quiz_of(actor, question_id)
        _current(quiz, question_id, expected_version)
        refuse_changed_read_only(change, _as_replied(_view(quiz, question_id), change))
        await self._attach(actor, quiz, {question_id: change.given()})
        now = self._clock.now()

        def edit(quiz: Row) -> Row | None:
            stored = _current(quiz, question_id, expected_version)
            changed = keeping(stored, changed_question(stored, change, at=now))
            order = list(quiz["question_ids"])
            if change.order is not None:
                order.remove(question_id)
                order.insert(change.order - 1, question_id)
            if _said(changed) == _said(stored) and order == quiz["question_ids"]:
                return None
            return {"questions": {**quiz["questions"], question_id: changed}, "question_ids": order}

        deed, before = Deed(actor, "question.change", question_id), quiz["questions"][question_id]
        view, after = _view(edited := await self._edit(quiz["_id"], edit, deed), question_id), edited["questions"]
        if self._files is not None and after[question_id] != before:
            await self._files.detach(quiz, question_id, said=after[question_id])
        is_offered = grades_otherwise(before, after[question_id]) and await Attempt.has_any(quiz["_id"])
        return view.model_copy(update={"regrade_offered": True}) if is_offered else view

    async def remove(self, actor: Actor, question_id: str, *, expected_version: int | None = None) -> None:
        """Take a question out."""
        quiz = await self._quiz_of(actor, question_id)

        def edit(quiz: Row) -> Row:
            _current(quiz, question_id, expected_version)
            return {
                "questions": {one: question for one, question in quiz["questions"].items() if one != question_id},
                "question_ids": [one for one in quiz["question_ids"] if one != question_id],
            }

        await self._edit(quiz["_id"], edit, Deed(actor, "question.remove", question_id))
        if self._files is not None:
            await self._files.detach(quiz, question_id)

    # --- how ---

    async def _attach(self, actor: Actor, quiz: Row, said: Mapping[str, Row]) -> None:
        """Before the edit: what it speaks of has to be there, and a file too many that is used does no harm."""
        if self._files is None:
            return
        for question_id, question in said.items():
            await self._files.attach(actor, quiz, question_id, question)

    async def _quiz_of(self, actor: Actor, question_id: str) -> Row:
        """The whole quiz that holds the question."""
        access = await require_taught_quiz_of_question(actor, question_id)
        return await _required(access.quiz["_id"])

    def _adding(self, named: Sequence[tuple[str, QuestionDraft]]) -> Edit:
        now = self._clock.now()

        def edit(quiz: Row) -> Row | None:
            questions, order = dict(quiz["questions"]), list(quiz["question_ids"])
            for question_id, draft in named:
                questions[question_id] = stored_question(draft, question_id=question_id, at=now)
                order.insert(len(order) if draft.order is None else draft.order - 1, question_id)
            return {"questions": questions, "question_ids": order} if named else None

        return edit

    async def _edit(self, quiz_id: str, edit: Edit, deed: Deed) -> Row:
        quiz = await until_written(lambda: self._try_to_edit(quiz_id, edit, deed))
        if quiz.pop("has_intents", False):
            await self._relay.hand_over(Quiz, quiz_id)
        return quiz

    async def _try_to_edit(self, quiz_id: str, edit: Edit, deed: Deed) -> Row | None:
        """One compare-and-set: the quiz as it now is, or None when somebody was faster."""
        quiz = await _required(quiz_id)
        fields = edit(quiz)
        if fields is None:
            return quiz
        after = {**quiz, **fields}
        _check_size(after)
        if quiz["is_published"] and (missing := missing_for_publishing(after)):
            raise Refused(Code.QUIZ_NOT_READY, "Without this a published quiz would not be fit.", missing=missing)
        now = self._clock.now()
        was, is_now = (_edited(quiz, after), _edited(after, quiz)) if deed.is_recorded else ({}, {})
        intents = deed.intents(Write(quiz["version"] + 1, now), before=was, after=is_now)
        changed = {**fields, **counted_fields(after)}
        if not await Quiz.change_at(quiz_id, quiz["version"], changed, intents=intents, at=now):
            return None
        return {**after, "version": quiz["version"] + 1, "updated_at": now, "has_intents": bool(intents)}


async def _required(quiz_id: str) -> Row:
    quiz = await Quiz.find_whole(quiz_id)
    if quiz is None:
        raise Refused(Code.NOT_FOUND)
    return quiz


def _current(quiz: Row, question_id: str, expected_version: int | None) -> StoredQuestion:
    stored: StoredQuestion | None = quiz["questions"].get(question_id)
    if stored is None:
        raise Refused(Code.NOT_FOUND)
    if expected_version not in (None, stored["version"]):
        raise Refused(Code.VERSION_MISMATCH, current_version=stored["version"])
    return stored


def _said(question: StoredQuestion) -> Row:
    """What its author said: the question without the marks of its last edit."""
    return {name: value for name, value in question.items() if name not in ("version", "updated_at")}


def _edited(quiz: Row, other: Row) -> Row:
    """For the audit log: the questions of this quiz that the other one has not, or not so; and their order."""
    theirs = other["questions"]
    differing = {one: question for one, question in quiz["questions"].items() if theirs.get(one) != question}
    return {
        **{f"questions.{one}": _said(question) for one, question in differing.items()},
        "order": quiz["question_ids"],
    }


def _check_size(quiz: Row) -> None:
    count = len(quiz["question_ids"])
    if count > MAX_QUESTIONS:
        raise Refused(Code.TOO_LARGE, f"A quiz holds at most {MAX_QUESTIONS} questions; this would be {count}.")
    size = len(encode(quiz["questions"]))
    if size > MAX_BYTES:
        raise Refused(Code.TOO_LARGE, f"The questions of a quiz hold at most {MAX_BYTES} bytes; this would be {size}.")


def _is_wanted(question: StoredQuestion, query: QuestionQuery) -> bool:
    asked: tuple[tuple[Any, bool], ...] = (
        (query.question_type, question["question_type"] == query.question_type),
        (query.category, question.get("category") == query.category),
        (query.tag, query.tag in question["tags"]),
    )
    return all(fits for value, fits in asked if value is not None)


def _view(quiz: Row, question_id: str) -> QuestionView:
    order = quiz["question_ids"].index(question_id) + 1
    return question_view(quiz["questions"][question_id], quiz_id=quiz["_id"], order=order, render=render)


def _as_replied(view: QuestionView, change: QuestionChange) -> QuestionView:
    """The view as it may have been sent back: that a regrade was offered is said with one reply alone."""
    return view.model_copy(update={"regrade_offered": change.echoed.get("regrade_offered") is True})
