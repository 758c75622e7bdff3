"""Regrades, as teachers ask for them: foretold, applied, taken back, and listed with what they did to whom.

The work is `regrading.py`'s: a request writes what is wanted, goes live, and a worker does the rest.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from documents.base import Row
from documents.correction import find_corrections
from documents.names import names_of
from documents.quiz import Quiz
from documents.regrade import Regrade, RegradeRow, count_regraded, find_given, first_start
from lms_rt.clock import Clock
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.base import Page, page_of
from lms_rt.contracts.outbox import Deed, Intent, Write, job
from lms_rt.contracts.question_keys import StoredQuestion
from lms_rt.contracts.regrades import (
    ChangeDraft,
    ChangeView,
    CorrectionDraft,
    RegradeDraft,
    RegradeQuery,
    RegradeRowQuery,
    RegradeRowView,
    RegradeView,
    UndoDraft,
)
from lms_rt.errors import Code, Refused, invalid
from lms_rt.ids import derived_id, new_id
from lms_rt.security.access.quizzes import require_taught_quiz
from lms_rt.security.permissions import Permission
from lms_rt.services.contended import until_written
from lms_rt.services.regrade_changes import change_of, change_of_removed, changes_since
from lms_rt.services.regrade_views import change_view, counts_of, regrade_view, row_view
from lms_rt.services.regrading import MOVING, Regrading, row_id_of
from lms_rt.services.relay import Relay

TASK = "regrades.apply"
PREFIX = "rgr"
ROWS_AT_ONCE = 100
OLD_PREVIEWS = 20

Changes = list[Row]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Wish:
    """A request: the regrade that it makes, the same for a repeat, and a digest of what it asks for."""

    regrade_id: str
    asked: str


class Regrades:
    """Corrects questions and grades anew. Only for those who teach the quiz."""

    def __init__(self, *, clock: Clock, relay: Relay, regrading: Regrading) -> None:
        self._clock, self._relay, self._regrading = clock, relay, regrading

    # --- asking ---

    async def correct(
        self, actor: Actor, quiz_id: str, question_id: str, draft: CorrectionDraft, *, request_seed: str | None = None
    ) -> RegradeView:
        """Correct one question for everybody; with `dry_run`, only what it would do."""
        quiz = await _taught(actor, quiz_id)
        wish = _wish(f"correct {question_id}", actor, quiz_id, draft, request_seed=request_seed)
        if not draft.dry_run and (known := await _met(quiz_id, wish)):
            return await self._went_live(known, quiz)
        change = await self._change(quiz, question_id, draft)
        regrade = self._row(actor, quiz, [change], draft, wish=wish)
        if draft.dry_run:
            left_out: dict[str, int] = {}
            counts = counts_of([row async for row in self._regrading.foretell(quiz, [change], left_out)])
            foretold = {**regrade, "_id": "", "status": "preview", "left_out": _left_out(left_out)}
            return regrade_view(
                foretold, _in_order(quiz), counts, progress=(0, counts["attempts"]), by_name=actor.full_name
            )
        return await self._begin(actor, quiz, regrade, "quiz.correct", wish=wish)

    async def regrade(
        self, actor: Actor, quiz_id: str, draft: RegradeDraft, *, request_seed: str | None = None
    ) -> RegradeView:
        """Grade every attempt anew, by these changes or by the questions as they are now."""
        quiz = await _taught(actor, quiz_id)
        wish = _wish("regrade", actor, quiz_id, draft, request_seed=request_seed)
        if known := await _met(quiz_id, wish):
            return await self._went_live(known, quiz)
        changes = await self._changes(quiz, draft)
        regrade = self._row(actor, quiz, changes, draft, wish=wish)
        if not changes:
            return await self._nothing_to_do(actor, quiz, regrade)
        return await self._begin(actor, quiz, regrade, "quiz.regrade", wish=wish)

    async def preview(
        self, actor: Actor, quiz_id: str, draft: RegradeDraft, *, request_seed: str | None = None
    ) -> RegradeView:
        """What such a regrade would do to whom, kept to be looked through and applied."""
        quiz = await _taught(actor, quiz_id)
        wish = _wish("preview", actor, quiz_id, draft, request_seed=request_seed)
        if known := await _met(quiz_id, wish):
            return await self._view(known, quiz)
        changes = await self._changes(quiz, draft)
        regrade = self._row(actor, quiz, changes, draft, wish=wish) | {"status": "preview"}
        if not changes:
            return await self._nothing_to_do(actor, quiz, regrade)
        regrade |= await self._foretell(quiz, regrade)
        if not await Regrade.add(regrade | {"outbox": []}):  # asked twice at once
            return await self._view(await _met(quiz_id, wish) or regrade, quiz)
        await self._forget_older(quiz_id, regrade["_id"])
        return await self._view(regrade, quiz)

    # --- doing ---

    async def apply(self, actor: Actor, quiz_id: str, regrade_id: str) -> RegradeView:
        """Do what was foretold; again changes nothing."""
        quiz = await _taught(actor, quiz_id)

        async def step() -> Row | None:
            regrade = await _found(quiz_id, regrade_id)
            if regrade["status"] != "preview":
                return regrade
            given = {"status": "applying", "control_id": derived_id("ctl", regrade_id, "apply")}
            return await self._move(actor, regrade, given, "quiz.regrade")

        return await self._went_live(await until_written(step), quiz)

    async def undo(self, actor: Actor, quiz_id: str, regrade_id: str, draft: UndoDraft) -> RegradeView:
        """Take an applied one back: what somebody has changed since stays, and is listed."""
        quiz = await _taught(actor, quiz_id)

        async def step() -> Row | None:
            regrade = await _found(quiz_id, regrade_id)
            if regrade["status"] in ("undoing", "undone"):
                return regrade
            if regrade["status"] != "applied":
                raise Refused(Code.CONFLICT, "Only what is applied can be taken back.", status=regrade["status"])
            given = {
                "status": "undoing",
                "undo_control_id": derived_id("ctl", regrade_id, "undo"),
                "undo_reason": draft.reason,
                "undone_by": actor.user_id,
            }
            return await self._move(actor, regrade, given, "quiz.undo_regrade")

        return await self._went_live(await until_written(step), quiz)

    # --- looking ---

    async def offered(self, actor: Actor, quiz_id: str) -> Sequence[ChangeView]:
        """The questions that were edited after somebody began, and that nobody has graded anew by."""
        quiz = await _taught(actor, quiz_id)
        places = {one: order for order, one in enumerate(quiz["question_ids"], 1)}
        return [change_view(change, places.get(change["question_id"])) for change in await _edited(quiz)]

    async def list(self, actor: Actor, quiz_id: str, query: RegradeQuery) -> Page[RegradeView]:
        """The regrades of a quiz, newest first."""
        quiz = await _taught(actor, quiz_id)
        rows, total = await Regrade.find_page(quiz_id, skip=query.skip, limit=query.page_size)
        return page_of([await self._view(row, quiz) for row in rows], query, total)

    async def show(self, actor: Actor, quiz_id: str, regrade_id: str) -> RegradeView:
        """One regrade, and how far it is."""
        quiz = await _taught(actor, quiz_id)
        return await self._view(await _found(quiz_id, regrade_id), quiz)

    async def rows(self, actor: Actor, quiz_id: str, regrade_id: str, query: RegradeRowQuery) -> Page[RegradeRowView]:
        """What it does, or did, to each attempt."""
        await require_taught_quiz(actor, quiz_id, Permission.QUIZZES_MANAGE)
        await _found(quiz_id, regrade_id)
        wanted: Row = {"regrade_id": regrade_id}
        wanted |= {name: value for name in ("outcome", "passing") if (value := getattr(query, name)) is not None}
        if query.kept is not None:
            wanted["kept.0"] = {"$exists": query.kept}
        order = -1 if query.sort.startswith("-") else 1
        found, total = await RegradeRow.find_page(
            wanted, [("difference", order), ("_id", order)], skip=query.skip, limit=query.page_size
        )
        names = await names_of(row["student_id"] for row in found)
        return page_of([row_view(row, names) for row in found], query, total)

    # --- how ---

    async def _foretell(self, quiz: Row, regrade: Row) -> Row:
        """Keep a row for each attempt; what they come to, and for how many a question was another one."""
        counts, left_out, rows = Counter[str](), dict[str, int](), Changes()
        async for row in self._regrading.foretell(quiz, regrade["changes"], left_out):
            about = {"regrade_id": regrade["_id"], "quiz_id": quiz["_id"]}
            rows.append({"_id": row_id_of(regrade["_id"], row["attempt_id"]), **about, **row})
            if len(rows) == ROWS_AT_ONCE:
                await RegradeRow.expect(rows)
                counts.update(counts_of(rows))
                rows.clear()
        await RegradeRow.expect(rows)
        counts.update(counts_of(rows))
        return {"left_out": _left_out(left_out), "counts": dict(counts)}

    async def _change(self, quiz: Row, question_id: str, draft: CorrectionDraft) -> Row:
        """One change; of a question that was removed, as those have it who were given it."""
        if question_id not in quiz["questions"]:
            given = await find_given(quiz["_id"], question_id)
            if given is not None:
                return change_of_removed(cast("StoredQuestion", given), question_id, draft)
        return change_of(quiz, question_id, draft, at=self._clock.now())

    async def _nothing_to_do(self, actor: Actor, quiz: Row, regrade: Row) -> RegradeView:
        """A reply that says that every grade stays; nothing is kept of it."""
        counts = counts_of([row async for row in self._regrading.foretell(quiz, [], {})])
        done = {**regrade, "_id": "", "status": "applied", "applied_at": regrade["created_at"]}
        progress = counts["attempts"], counts["attempts"]
        return regrade_view(done, _in_order(quiz), counts, progress=progress, by_name=actor.full_name)

    async def _changes(self, quiz: Row, draft: RegradeDraft) -> Changes:
        """What is asked for; else what the quiz says otherwise than its attempts were told."""
        if draft.changes is not None:
            _refuse_doubled(draft.changes)
            return [await self._change(quiz, change.question_id, _correction(change)) for change in draft.changes]
        changes = await _edited(quiz)
        if not changes and draft.extra_minutes:
            words = "No question has changed since the first attempt began, so no time is given for it."
            raise Refused(Code.CONFLICT, words)
        return changes

    def _row(
        self,
        actor: Actor,
        quiz: Row,
        changes: Sequence[Row],
        draft: CorrectionDraft | RegradeDraft,
        *,
        wish: _Wish,
    ) -> Row:
        at = self._clock.now()
        known = {"seconds": draft.extra_minutes * 60} if draft.extra_minutes else {}
        return {
            "_id": wish.regrade_id,
            "quiz_id": quiz["_id"],
            "course_id": quiz["course_id"],
            "status": "applying",
            "changes": list(changes),
            "reason": draft.reason,
            **known,
            "asked": wish.asked,
            "by": actor.user_id,
            "left_out": [],
            "version": 1,
            "created_at": at,
            "updated_at": at,
        }

    async def _begin(self, actor: Actor, quiz: Row, regrade: Row, action: str, *, wish: _Wish) -> RegradeView:
        """Write it with the job that carries it out; one that was asked for before is met again."""
        write = Write(1, regrade["created_at"])
        regrade["control_id"] = derived_id("ctl", regrade["_id"], "apply")
        intents = self._intents(actor, regrade, write, action)
        if not await Regrade.add(regrade | {"outbox": intents, "outbox_at": write.at}):
            regrade = await _met(quiz["_id"], wish) or regrade  # asked twice at once
        return await self._went_live(regrade, quiz)

    def _intents(self, actor: Actor, regrade: Row, write: Write, action: str) -> Sequence[Intent]:
        once = derived_id("job", regrade["_id"], action)
        told = {"questions": [change["question_id"] for change in regrade["changes"]], "reason": regrade["reason"]}
        deed = Deed(actor, action, regrade["quiz_id"])
        return [job(write, TASK, {"regrade_id": regrade["_id"]}, job_id=once), *deed.intents(write, after=told)]

    async def _move(self, actor: Actor, regrade: Row, fields: Row, action: str) -> Row | None:
        write = Write(regrade["version"] + 1, self._clock.now())
        intents = self._intents(actor, regrade, write, action)
        is_moved = await Regrade.move(regrade, fields, intents=intents, at=write.at)
        return {**regrade, **fields, "version": write.version} if is_moved else None

    async def _went_live(self, regrade: Row, quiz: Row) -> RegradeView:
        """Open attempts hear of it before the reply. What fails here, the worker does."""
        if regrade["status"] in MOVING:
            try:
                await self._regrading.go_live(regrade)
            except Exception:  # noqa: BLE001 - it is written, and the job stands
                _log.exception("regrade %s waits for a worker", regrade["_id"])
            await self._relay.hand_over(Regrade, regrade["_id"])
        return await self._view(regrade, await Quiz.find_whole(quiz["_id"]) or quiz)

    async def _view(self, regrade: Row, quiz: Row) -> RegradeView:
        counts = regrade.get("counts")
        if regrade["status"] in MOVING or counts is None:
            counts = counts_of(await RegradeRow.tallied(regrade["_id"]))
        by_name = (await names_of([regrade["by"]])).get(regrade["by"], {}).get("full_name")
        progress = await self._progress(regrade, counts)
        return regrade_view(regrade, _in_order(quiz), counts, progress=progress, by_name=by_name)

    async def _progress(self, regrade: Row, counts: Row) -> tuple[int, int]:
        """How many attempts of how many; all of them once it is over."""
        if regrade["status"] == "preview":
            return 0, counts["attempts"]
        if regrade["status"] not in MOVING:
            return counts["attempts"], counts["attempts"]
        n = await self._regrading.number_of(regrade)
        return (0, counts["attempts"]) if n is None else await count_regraded(regrade["quiz_id"], n)

    async def _forget_older(self, quiz_id: str, regrade_id: str) -> None:
        """What was foretold before is not true any more; nobody shall apply it."""
        for older in await Regrade.previews_before(quiz_id, regrade_id, limit=OLD_PREVIEWS):
            if await Regrade.remove_preview(older):
                await RegradeRow.forget_of(older)


async def _taught(actor: Actor, quiz_id: str) -> Row:
    """The whole quiz, of those who teach it."""
    await require_taught_quiz(actor, quiz_id, Permission.QUIZZES_MANAGE)
    quiz = await Quiz.find_whole(quiz_id)
    if quiz is None:
        raise Refused(Code.NOT_FOUND)
    return quiz


async def _found(quiz_id: str, regrade_id: str) -> Row:
    regrade = await Regrade.find_of(quiz_id, regrade_id)
    if regrade is None:
        raise Refused(Code.NOT_FOUND)
    return regrade


async def _edited(quiz: Row) -> Changes:
    corrections = await find_corrections(quiz["_id"], after=0, until=quiz.get("key_version", 0))
    return changes_since(quiz, corrections, await first_start(quiz["_id"]))


def _wish(
    kind: str, actor: Actor, quiz_id: str, draft: CorrectionDraft | RegradeDraft, *, request_seed: str | None
) -> _Wish:
    """Told by what was sent: what it comes to, the quiz says otherwise once it is done."""
    op_id = draft.op_id or request_seed
    asked = derived_id("ask", kind, draft.model_dump_json(exclude={"op_id"}, exclude_unset=True))
    return _Wish(new_id(PREFIX) if op_id is None else derived_id(PREFIX, quiz_id, actor.user_id, op_id), asked)


async def _met(quiz_id: str, wish: _Wish) -> Row | None:
    """What became of the same request before; refused when its `op_id` named another one."""
    known = await Regrade.find_of(quiz_id, wish.regrade_id)
    if known is not None and known.get("asked", wish.asked) != wish.asked:
        raise Refused(Code.OP_ID_REUSED)
    return known


def _in_order(quiz: Row) -> dict[str, Row]:
    return {one: quiz["questions"][one] for one in quiz["question_ids"]}


def _left_out(counted: dict[str, int]) -> list[Row]:
    return [{"question_id": question_id, "attempts": attempts} for question_id, attempts in counted.items()]


def _correction(change: ChangeDraft) -> CorrectionDraft:
    return CorrectionDraft(action=change.action, question=change.question, accepted=change.accepted)


def _refuse_doubled(changes: Sequence[ChangeDraft]) -> None:
    seen: set[str] = set()
    for place, change in enumerate(changes):
        if change.question_id in seen:
            raise invalid(f"changes.{place}.question_id", "This question is named twice.", "not_unique")
        seen.add(change.question_id)
