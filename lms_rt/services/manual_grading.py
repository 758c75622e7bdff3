"""Marking by people: what essays are worth, and other points than a rule gave, for a reason. One answer at a time.

A mark and the grade that follows from it are one write. Nobody's mark is overwritten unseen. What waits, and who has
taken it, is `grading_queue.py`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from documents.attempt import Attempt
from documents.attempt_marks import store_mark
from documents.base import Row
from documents.enums import Grading, QuestionType
from documents.grading_claim import GradingClaim
from documents.names import names_of
from lms_rt.clock import Clock, from_ms
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.base import hundredths_text
from lms_rt.contracts.grading import MarkDraft, MarkedView, MarkView, PersonView
from lms_rt.contracts.outbox import Write, audited
from lms_rt.contracts.questions import StoredQuestion, is_counted
from lms_rt.contracts.rubrics import rubric_points
from lms_rt.errors import Code, Refused, invalid
from lms_rt.security.access.quizzes import require_attempt_to_mark
from lms_rt.services.attempt_grading import AttemptGrading
from lms_rt.services.contended import until_written
from lms_rt.services.papers import corrected_paper
from lms_rt.services.relay import Relay

MAX_HISTORY = 50
"""So many changes of the points of one answer are told."""
_SAID = ("points", "comment", "rubric")
_RESULTS = ("score", "max_score", "percentage", "is_passed")


def item_id_of(attempt_id: str, question_id: str) -> str:
    """How the queue names an answer."""
    return f"{attempt_id}.{question_id}"


class ManualGrading:
    """Takes marks."""

    def __init__(self, *, clock: Clock, relay: Relay, grading: AttemptGrading) -> None:
        self._clock, self._relay, self._grading = clock, relay, grading

    async def mark(self, actor: Actor, attempt_id: str, draft: MarkDraft) -> MarkedView:
        """Give an answer its points; the attempt is graded anew by it, and has its grade once nothing waits any more."""
        await require_attempt_to_mark(actor, attempt_id)
        item_id = item_id_of(attempt_id, draft.question_id)
        await self._refuse_taken(actor, item_id)
        attempt = await until_written(lambda: self._try_to_mark(actor, attempt_id, draft))
        await self._relay.hand_over(Attempt, attempt_id)
        await GradingClaim.release(item_id, actor.user_id)
        mark = attempt["marks"][draft.question_id]
        return MarkedView(
            attempt_id=attempt_id,
            question_id=draft.question_id,
            mark=await mark_view(mark),
            waiting_count=len(attempt.get("waiting") or ()),
            **{name: attempt[name] for name in ("status", "grading", "revision", "version")},
            **{name: attempt.get(name) for name in _RESULTS},
        )

    async def _refuse_taken(self, actor: Actor, item_id: str) -> None:
        claim = (await GradingClaim.find_held([item_id], self._clock.now_ms())).get(item_id)
        if claim is not None and claim["user_id"] != actor.user_id:
            await refuse_claimed(claim)

    async def _try_to_mark(self, actor: Actor, attempt_id: str, draft: MarkDraft) -> Row | None:
        """One compare-and-set: the attempt as it now is, or None when something was written to it meanwhile."""
        attempt = await self._graded(attempt_id)
        paper = await corrected_paper(attempt)
        question = paper["questions"].get(draft.question_id)
        if question is None or not is_counted(question):
            raise Refused(Code.NOT_FOUND, "The attempt has no such question to mark.")
        stored: Row | None = (attempt.get("marks") or {}).get(draft.question_id)
        said = _said(question, draft, stored or {})
        if stored is not None and stored["by"] == actor.user_id and _is_same(stored, said, draft):
            return attempt  # sent again: the first reply was lost
        await _refuse_unseen(actor, stored, draft)
        mark = self._mark(actor, question, attempt, {**said, "reason": draft.reason})
        return await self._store(actor, attempt, draft.question_id, mark)

    async def _graded(self, attempt_id: str) -> Row:
        """The attempt once it is graded as far as it can be without people."""
        attempt = await Attempt.find_whole(attempt_id)
        if attempt is None:
            raise Refused(Code.NOT_FOUND)
        if attempt.get("grading") is None:
            raise Refused(Code.NOT_GRADED, "The attempt is still open.")
        return await self._grading.grade(attempt_id) if attempt["grading"] == Grading.PENDING else attempt

    def _mark(self, actor: Actor, question: StoredQuestion, attempt: Row, said: Row) -> Row:
        """The mark to store, with what it changes."""
        question_id = question["id"]
        stored: Row = (attempt.get("marks") or {}).get(question_id) or {}
        former: int | None = (attempt.get("awarded") or {}).get(question_id)
        is_change = former is not None and former != said["points"]
        if not said["reason"] and (is_change or (not stored and question["question_type"] != QuestionType.ESSAY)):
            raise invalid("reason", "The answer has its points already: say why they change.", "required")
        now_ms, history = self._clock.now_ms(), list(stored.get("history", ()))
        if is_change:
            history.append({"from": former, "to": said["points"], "reason": said["reason"], "at_ms": now_ms})
        kept = {name: value for name, value in said.items() if value not in (None, "", {})} | {"points": said["points"]}
        revision = stored.get("revision", 0) + 1
        return {
            **kept,
            "by": actor.user_id,
            "at_ms": now_ms,
            "revision": revision,
            "history": history[-MAX_HISTORY:],
        }

    async def _store(self, actor: Actor, attempt: Row, question_id: str, mark: Row) -> Row | None:
        marks = {**(attempt.get("marks") or {}), question_id: mark}
        marked = {**attempt, "marks": marks}
        made = await self._grading.grade_write(marked, reason=mark.get("reason", ""))
        told = audited(
            Write(attempt["version"] + 1, self._clock.now()),
            actor,
            "attempt.grade",
            kind="attempt",
            target_id=attempt["_id"],
            before={f"points.{question_id}": (attempt.get("awarded") or {}).get(question_id)},
            after={f"points.{question_id}": mark["points"]},
        )
        fields = {**made.fields, f"marks.{question_id}": mark}
        if not await store_mark(attempt, fields, intents=[*made.intents, *told], now_ms=self._clock.now_ms()):
            return None
        return {**marked, **made.fields, "revision": attempt["revision"] + 1, "version": attempt["version"] + 1}


# --- what is said ---


def _said(question: StoredQuestion, draft: MarkDraft, stored: Row) -> Row:
    """Points, comment and levels; refused where they do not fit the question.

    A comment and levels that nothing is said of stay as they are in the mark that is `stored`; null and empty ones take them away.
    """
    chosen = draft.rubric or {}
    rubric: Mapping[str, Any] | None = question.get("rubric")
    if chosen:
        _check_levels(rubric, chosen)
    points = draft.points
    if points is None:
        points = _points_of_levels(rubric, chosen)
    if points > question["points"]:
        most = hundredths_text(question["points"])
        raise invalid("points", f"The question is worth {most} at most.", "out_of_range")
    sent = draft.model_fields_set
    return {
        "points": points,
        "comment": (draft.comment or "").strip() or None if "comment" in sent else stored.get("comment"),
        "rubric": chosen or None if "rubric" in sent else stored.get("rubric"),
    }


def _check_levels(rubric: Mapping[str, Any] | None, chosen: Mapping[str, str]) -> None:
    known = {one["id"]: {level["id"] for level in one["levels"]} for one in (rubric or {}).get("criteria", ())}
    for criterion_id, level_id in chosen.items():
        if level_id not in known.get(criterion_id, ()):
            raise invalid(
                f"rubric.{criterion_id}", "The rubric has no such criterion, or no such level.", "unknown_level"
            )


def _points_of_levels(rubric: Mapping[str, Any] | None, chosen: Mapping[str, str]) -> int:
    if rubric is None or not chosen:
        raise invalid("points", "This field is needed.", "required")
    for criterion in rubric["criteria"]:
        if criterion["id"] not in chosen:
            raise invalid(
                f"rubric.{criterion['id']}", "Choose a level of each criterion, or give the points.", "required"
            )
    return rubric_points(rubric, chosen)


def _is_same(stored: Row, said: Row, draft: MarkDraft) -> bool:
    is_next = draft.revision is None or draft.revision in (stored["revision"], stored["revision"] - 1)
    return is_next and all(stored.get(name) == said[name] for name in _SAID)


async def _refuse_unseen(actor: Actor, stored: Row | None, draft: MarkDraft) -> None:
    """Refuse where there is another mark than the caller has seen."""
    present: int = 0 if stored is None else stored["revision"]
    is_own = stored is None or stored["by"] == actor.user_id
    if not (is_own if draft.revision is None else draft.revision == present):
        shown = None if stored is None else await mark_view(stored)
        raise Refused(Code.CONFLICT, "Somebody has marked this meanwhile.", stored=shown)


# --- views ---


async def mark_view(mark: Row) -> MarkView:
    """A mark for those who teach."""
    return MarkView(
        points=mark["points"],
        comment=mark.get("comment"),
        rubric=mark.get("rubric"),
        reason=mark.get("reason"),
        revision=mark["revision"],
        marked_by=await person_view(mark["by"]),
        marked_at=from_ms(mark["at_ms"]),
    )


async def person_view(user_id: str) -> PersonView:
    """Somebody by their id; without a name when they are gone."""
    row = (await names_of([user_id])).get(user_id)
    return PersonView(user_id=user_id, full_name=None if row is None else row["full_name"])


async def refuse_claimed(claim: Row) -> None:
    """Say who has the answer, and until when."""
    raise Refused(
        Code.CONFLICT,
        "A colleague has it.",
        claimed_by=await person_view(claim["user_id"]),
        claimed_until=from_ms(claim["until_ms"]),
    )
