"""What waits for a person to mark it, the oldest first, and who has taken which answer: one person, a quarter of an hour.

What waits is read from the attempts themselves, so that nothing is ever left out of it. Marks are `manual_grading.py`'s.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from documents.attempt_marks import count_waiting, find_answered, find_waiting, find_waiting_from
from documents.base import Row
from documents.course import Course
from documents.grading_claim import GradingClaim
from documents.names import names_of
from documents.quiz import Quiz
from lms_rt.clock import Clock, from_ms
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.base import Page, page_of
from lms_rt.contracts.grading import (
    NextDraft,
    NextView,
    PersonView,
    QueueItemView,
    QueueQuery,
    QueueRowView,
    WaitingQuestionView,
    WaitingQuizView,
)
from lms_rt.contracts.questions import StoredQuestion, attempt_question_view
from lms_rt.errors import Code, Refused
from lms_rt.security.access.quizzes import require_attempt_to_mark, require_taught_quiz
from lms_rt.security.permissions import Permission
from lms_rt.services.file_mentions import mentions_of
from lms_rt.services.manual_grading import item_id_of, mark_view, refuse_claimed
from lms_rt.services.papers import corrected_paper, corrected_papers
from lms_rt.services.picture_sizes import rendering_with, sizes_of

CLAIM_MS = 15 * 60 * 1000
MAX_WAITING = 10_000
"""So many attempts are looked through at most; the oldest are marked first, so that the others come into sight."""
MAX_QUIZZES = 100
"""So many are named in an overview."""
_CHUNK = 50
_EXCERPT = 200
_Place = tuple[datetime, str]
"""When an attempt was handed in, and its id."""


@dataclass(frozen=True, slots=True)
class Item:
    """One answer that waits."""

    attempt_id: str
    question_id: str
    quiz_id: str
    submitted_at: datetime | None

    @property
    def id(self) -> str:
        """Its name."""
        return item_id_of(self.attempt_id, self.question_id)


class GradingQueue:
    """Lists, hands out and takes back."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock

    async def list_waiting(self, actor: Actor, query: QueueQuery, *, quiz_id: str | None = None) -> Page[QueueRowView]:
        """What waits in the actor's courses, or in one quiz of theirs. A path names one that has to be there."""
        which = await self._scope(actor, quiz_id)
        if query.quiz_id is not None:
            which = {"$and": [which, {"quiz_id": query.quiz_id}]}
        order = -1 if query.sort.startswith("-") else 1
        items = await _items(which, query.question_id, order)
        shown = items[query.skip : query.skip + query.page_size]
        attempts = await find_answered({item.attempt_id for item in shown})
        rows = await self._rows([item for item in shown if item.attempt_id in attempts], attempts)
        return page_of([QueueRowView(**row) for row in rows], query, len(items))

    async def overview(self, actor: Actor) -> list[WaitingQuizView]:
        """The quizzes of the courses that are the actor's own in which something waits, the one that has waited longest first."""
        by_quiz: dict[str, list[Item]] = {}
        own = {"course_id": {"$in": await Course.ids_of_instructor(actor.user_id)}}
        for item in await _items(own, None, 1):
            by_quiz.setdefault(item.quiz_id, []).append(item)
        longest = itertools.islice(by_quiz.items(), MAX_QUIZZES)
        return [view for quiz_id, items in longest if (view := await _waiting_quiz(quiz_id, items)) is not None]

    async def waiting(self, actor: Actor, quiz_id: str) -> WaitingQuizView:
        """What waits in one quiz, also when that is nothing."""
        await self._scope(actor, quiz_id)
        view = await _waiting_quiz(quiz_id, await _items({"quiz_id": quiz_id}, None, 1))
        if view is None:
            raise Refused(Code.NOT_FOUND)
        return view

    async def claim(self, actor: Actor, item_id: str, *, quiz_id: str | None = None) -> QueueItemView:
        """Take an answer that waits, or keep it for longer; 409 with who has it, or with the mark that it has by now."""
        item, attempt = await self._require(actor, item_id, quiz_id)
        if item.question_id not in (attempt.get("waiting") or ()):
            stored = (attempt.get("marks") or {}).get(item.question_id)
            shown = None if stored is None else await mark_view(stored)
            raise Refused(Code.CONFLICT, "This does not wait to be marked, or no longer.", stored=shown)
        if not await self._take(actor, item):
            now_ms = self._clock.now_ms()
            if (claim := (await GradingClaim.find_held([item.id], now_ms)).get(item.id)) is not None:
                await refuse_claimed(claim)
            raise Refused(Code.CONFLICT, "A colleague had it until now.")
        return await self._item(item, attempt)

    async def release(self, actor: Actor, item_id: str, *, quiz_id: str | None = None) -> None:
        """Give an answer back, for somebody else to mark."""
        item, _ = await self._require(actor, item_id, quiz_id)
        await GradingClaim.release(item.id, actor.user_id)

    async def show(self, actor: Actor, item_id: str, *, quiz_id: str | None = None) -> QueueItemView:
        """One answer, whoever has it, marked or not."""
        return await self._item(*await self._require(actor, item_id, quiz_id))

    async def take_next(self, actor: Actor, draft: NextDraft, *, quiz_id: str | None = None) -> NextView:
        """Take the next answer that nobody else has, after the one that is named; that one is given back."""
        which = await self._scope(actor, quiz_id)
        if draft.after is not None:
            await GradingClaim.release(draft.after, actor.user_id)
        count = await count_waiting(which, question_id=draft.question_id, limit=MAX_WAITING)
        async for chunk in _turned(which, draft):
            held = await GradingClaim.find_held([item.id for item in chunk], self._clock.now_ms())
            for item in chunk:
                is_free = item.id not in held or held[item.id]["user_id"] == actor.user_id
                if is_free and await self._take(actor, item):
                    return NextView(item=await self.show(actor, item.id), waiting_count=count)
        return NextView(item=None, waiting_count=count)

    # --- how ---

    async def _scope(self, actor: Actor, quiz_id: str | None) -> Row:
        """The attempts that the actor may mark."""
        if quiz_id is not None:
            await require_taught_quiz(actor, quiz_id, Permission.QUIZZES_MANAGE)
            return {"quiz_id": quiz_id}
        if actor.is_admin:
            return {}
        return {"course_id": {"$in": await Course.ids_of_instructor(actor.user_id)}}

    async def _require(self, actor: Actor, item_id: str, quiz_id: str | None) -> tuple[Item, Row]:
        attempt_id, _, question_id = item_id.partition(".")
        attempt = await require_attempt_to_mark(actor, attempt_id)
        paper = await corrected_paper(attempt)
        if question_id not in paper["questions"] or quiz_id not in (None, attempt["quiz_id"]):
            raise Refused(Code.NOT_FOUND)
        return Item(attempt_id, question_id, attempt["quiz_id"], attempt.get("submitted_at")), attempt

    async def _take(self, actor: Actor, item: Item) -> bool:
        now_ms = self._clock.now_ms()
        return await GradingClaim.take(item.id, actor.user_id, item.quiz_id, now_ms=now_ms, until_ms=now_ms + CLAIM_MS)

    async def _item(self, item: Item, attempt: Row) -> QueueItemView:
        row = (await self._rows([item], {item.attempt_id: attempt}))[0]
        paper = await corrected_paper(attempt)
        question: StoredQuestion = paper["questions"][item.question_id]
        render = rendering_with(await sizes_of(mentions_of(question)))
        shown = attempt_question_view(question, order=paper["question_ids"].index(item.question_id) + 1, render=render)
        mark = (attempt.get("marks") or {}).get(item.question_id)
        explanation = question.get("explanation")
        return QueueItemView(
            **row | {"question_text": question["question_text"]},
            question_html=shown.question_html,
            options=shown.options,
            explanation=explanation,
            explanation_html=None if explanation is None else render(explanation),
            rubric=question.get("rubric"),
            value=attempt.get("answers", {}).get(item.question_id, {}).get("value"),
            mark=None if mark is None else await mark_view(mark),
        )

    async def _rows(self, items: Sequence[Item], attempts: Mapping[str, Row]) -> list[dict[str, Any]]:
        """What a list shows of each: names are looked up together, quizzes and papers once each."""
        held = await GradingClaim.find_held([item.id for item in items], self._clock.now_ms())
        names = await names_of(claim["user_id"] for claim in held.values())
        quizzes = {quiz_id: await Quiz.find_head(quiz_id) for quiz_id in {item.quiz_id for item in items}}
        papers = await corrected_papers([attempts[one] for one in {item.attempt_id for item in items}])
        return [
            _row(item, attempts[item.attempt_id], papers[item.attempt_id], quizzes[item.quiz_id])
            | _claimed(held.get(item.id), names)
            for item in items
        ]


async def _items(which: Row, question_id: str | None, order: int) -> list[Item]:
    """Every answer that waits, by the time of its submission; those of one attempt in the order of its paper."""
    return _items_of(await find_waiting(which, question_id=question_id, order=order, limit=MAX_WAITING), question_id)


def _items_of(rows: Sequence[Row], question_id: str | None) -> list[Item]:
    return [
        Item(row["_id"], one, row["quiz_id"], row.get("submitted_at"))
        for row in rows
        for one in row["waiting"]
        if question_id in (None, one)
    ]


async def _turned(which: Row, draft: NextDraft) -> AsyncIterator[list[Item]]:
    """What waits, some at a time, beginning after that item; where it waits no longer, at what would come after it.

    Then from the oldest on: what was seen already is asked for again, and somebody else's still.
    """
    place = None if draft.after is None else await _place_of(draft.after)
    if place is not None:
        async for items in _from(which, place, draft.question_id):
            later = next((number + 1 for number, item in enumerate(items) if item.id == draft.after), 0)
            yield items[later:]
    async for items in _from(which, None, draft.question_id):
        yield items


async def _from(which: Row, place: _Place | None, question_id: str | None) -> AsyncIterator[list[Item]]:
    """What waits, the oldest first, from an attempt on."""
    for _ in range(MAX_WAITING // _CHUNK):
        rows = await find_waiting_from(which, place, question_id=question_id, limit=_CHUNK + 1)
        yield _items_of(rows[:_CHUNK], question_id)
        if len(rows) <= _CHUNK:
            return
        place = rows[_CHUNK]["submitted_at"], rows[_CHUNK]["_id"]


async def _place_of(item_id: str) -> _Place | None:
    """Where the attempt of an item stands among those that were handed in."""
    attempt_id = item_id.partition(".")[0]
    found = (await find_answered([attempt_id])).get(attempt_id)
    return None if found is None or found.get("submitted_at") is None else (found["submitted_at"], attempt_id)


def _row(item: Item, attempt: Row, paper: Row, quiz: Row | None) -> dict[str, Any]:
    question = paper["questions"][item.question_id]
    is_anonymous = bool((quiz or {}).get("is_marking_anonymous"))
    return {
        "id": item.id,
        "attempt_id": item.attempt_id,
        "quiz_id": item.quiz_id,
        "quiz_title": paper["title"] if quiz is None else quiz["title"],
        "course_id": attempt["course_id"],
        "question_id": item.question_id,
        "question_text": question["question_text"][:_EXCERPT],
        "question_type": question["question_type"],
        "points": question["points"],
        "has_rubric": "rubric" in question,
        "attempt_number": attempt["attempt_number"],
        "student_id": None if is_anonymous else attempt["student_id"],
        "full_name": None if is_anonymous else attempt["student_name"],
        "alias": alias_of(item.attempt_id),
        "submitted_at": item.submitted_at,
    }


def alias_of(attempt_id: str) -> str:
    """What a student is called where names are hidden: the same for all answers of one attempt."""
    return hashlib.sha256(attempt_id.encode()).hexdigest()[:6].upper()


def _claimed(claim: Row | None, names: Mapping[str, Row]) -> dict[str, Any]:
    if claim is None:
        return {"claimed_by": None, "claimed_until": None}
    name = names.get(claim["user_id"], {}).get("full_name")
    person = PersonView(user_id=claim["user_id"], full_name=name)
    return {"claimed_by": person, "claimed_until": from_ms(claim["until_ms"])}


async def _waiting_quiz(quiz_id: str, items: Sequence[Item]) -> WaitingQuizView | None:
    quiz = await Quiz.find_whole(quiz_id)
    course = None if quiz is None else await Course.find_head(quiz["course_id"])
    if quiz is None or course is None:
        return None
    counts: dict[str, int] = {}
    for item in items:
        counts[item.question_id] = counts.get(item.question_id, 0) + 1
    order = [one for one in quiz["question_ids"] if one in counts]
    order += [one for one in counts if one not in quiz["question_ids"]]
    texts = {one: question["question_text"][:_EXCERPT] for one, question in quiz["questions"].items()}
    return WaitingQuizView(
        quiz_id=quiz_id,
        title=quiz["title"],
        course_id=course.id,
        course_title=course.title,
        is_marking_anonymous=bool(quiz.get("is_marking_anonymous")),
        waiting_count=len(items),
        oldest_at=items[0].submitted_at if items else None,
        questions=[
            WaitingQuestionView(question_id=one, question_text=texts.get(one, ""), waiting_count=counts[one])
            for one in order
        ],
    )
