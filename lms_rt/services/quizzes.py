"""Quizzes: make, change, publish, put away, list. Their questions are `questions.py`'s, their attempts `attempts.py`'s."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from documents.accommodation import Accommodation
from documents.attempt import Attempt
from documents.base import Row
from documents.course import Course, CourseHead
from documents.enrollment import Enrollment
from documents.enums import QuizType
from documents.quiz import Quiz
from documents.quiz_control import QuizControl
from lms_rt import ids
from lms_rt.clock import Clock
from lms_rt.contracts.accommodations import YourTimeView
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.base import Page, page_of, refuse_changed_read_only
from lms_rt.contracts.outbox import Deed, Intent, Write, event, job
from lms_rt.contracts.quizzes import LiveState, QuizChange, QuizDraft, QuizQuery, QuizView
from lms_rt.errors import Code, Refused, invalid
from lms_rt.security.access.courses import is_visible, may_teach, require_taught_course, teaches
from lms_rt.security.access.lessons import Lock, lock_of, there_for_students
from lms_rt.security.access.quizzes import require_quiz, require_taught_quiz
from lms_rt.services.accommodations import your_time, your_times
from lms_rt.services.contended import until_written
from lms_rt.services.course_edits import refuse_other_version
from lms_rt.services.gradebook_moves import told_of_item
from lms_rt.services.quiz_controls import standing_of
from lms_rt.services.quiz_views import counted_fields, missing_for_publishing, quiz_view, stored_fields
from lms_rt.services.relay import Relay


class Quizzes:
    """What teachers do with their quizzes, and students see of them."""

    def __init__(self, *, clock: Clock, relay: Relay) -> None:
        self._clock, self._relay = clock, relay

    async def create(self, actor: Actor, draft: QuizDraft) -> QuizView:
        """Make a quiz, unpublished and without questions."""
        course = await require_taught_course(actor, draft.course_id)
        _check_lesson(course, draft.lesson_id)
        if draft.is_published:
            raise Refused(Code.QUIZ_NOT_READY, missing=["questions"])
        now = self._clock.now()
        fields = stored_fields({name: getattr(draft, name) for name in QuizDraft.model_fields})
        row: Row = {
            "_id": ids.new_id("quz"),
            **{name: value for name, value in fields.items() if value is not None},
            "course_id": course.id,
            "is_archived": False,
            "questions": {},
            "question_ids": [],
            "questions_count": 0,
            "total_points": 0,
            "version": 1,
            "created_at": now,
            "updated_at": now,
            "outbox": [],
        }
        if told := Deed(actor, "quiz.create").intents(Write(1, now), row["_id"], after=draft.model_dump()):
            row |= {"outbox": told, "outbox_at": now}
        await Quiz.add(row)
        if told:
            await self._relay.hand_over(Quiz, row["_id"])
        return quiz_view(row)

    async def list(self, actor: Actor, query: QuizQuery) -> Page[QuizView]:
        """The quizzes of the courses that the actor teaches, and the published ones of those they are enrolled in."""
        scope = await self._scope(actor, query.course_id)
        if scope is None:
            return page_of([], query, 0)
        wanted = {"$and": [{"is_archived": query.is_archived}, scope]}
        for name in ("lesson_id", "quiz_type", "is_published"):
            if (value := getattr(query, name)) is not None:
                wanted["$and"].append({name: value})
        field, order = query.sort.lstrip("-"), -1 if query.sort.startswith("-") else 1
        rows, total = await Quiz.find_page(
            wanted, [(field, order), ("_id", order)], skip=query.skip, limit=query.page_size
        )
        times, locks = await your_times(actor.user_id, rows), await self._locks(actor, rows)
        shown = [quiz_view(row, time=_if_differing(times[row["_id"]]), lock=locks.get(row["_id"])) for row in rows]
        return page_of(shown, query, total)

    async def show(self, actor: Actor, quiz_id: str) -> QuizView:
        """One quiz; to a student with how many attempts are used, and which one is open."""
        access = await require_quiz(actor, quiz_id, now_ms=self._clock.now_ms())
        if access.is_taught:
            return quiz_view(access.quiz)
        _, used = await Attempt.find_numbers(actor.user_id, quiz_id)
        opened = await Attempt.find_open(actor.user_id, quiz_id)
        profile = await Accommodation.find_in_force(actor.user_id, quiz_id, access.quiz["course_id"])
        group = None if access.enrollment is None else access.enrollment.group
        return quiz_view(
            access.quiz,
            attempts_used=used,
            open_attempt_id=None if opened is None else opened["_id"],
            time=your_time(access.quiz, profile),
            live_state=_live_state(await QuizControl.find_standing(quiz_id), group),
            # Who has begun has read it.
            lock=None if used else _lock(access.quiz, access.course, access.enrollment, self._clock.now()),
        )

    async def change(
        self, actor: Actor, quiz_id: str, change: QuizChange, *, expected_version: int | None = None
    ) -> QuizView:
        """Change what was sent. What would leave a published quiz unfit is refused."""
        access = await require_taught_quiz(actor, quiz_id)
        refuse_other_version(access.quiz["version"], expected_version)
        refuse_changed_read_only(change, quiz_view(access.quiz))
        fields = stored_fields(change.given())
        if "lesson_id" in fields:
            _check_lesson(access.course, fields["lesson_id"])
        return await self._write(quiz_id, fields, expected_version, Deed(actor, "quiz.change", quiz_id))

    async def publish(self, actor: Actor, quiz_id: str, *, expected_version: int | None = None) -> QuizView:
        """Let students in, also to a quiz that was put away; 409 `quiz_not_ready` with what is missing."""
        await require_taught_quiz(actor, quiz_id)
        fields, deed = {"is_published": True, "is_archived": False}, Deed(actor, "quiz.publish", quiz_id)
        return await self._write(quiz_id, fields, expected_version, deed)

    async def unpublish(self, actor: Actor, quiz_id: str, *, expected_version: int | None = None) -> QuizView:
        """Take it back from view; open attempts go on."""
        await require_taught_quiz(actor, quiz_id)
        deed = Deed(actor, "quiz.unpublish", quiz_id)
        return await self._write(quiz_id, {"is_published": False}, expected_version, deed)

    async def remove(
        self, actor: Actor, quiz_id: str, *, archive: bool = False, expected_version: int | None = None
    ) -> None:
        """Remove a quiz that nobody has begun, or put it away."""
        await require_taught_quiz(actor, quiz_id)
        if archive:
            fields, deed = {"is_published": False, "is_archived": True}, Deed(actor, "quiz.archive", quiz_id)
            await self._write(quiz_id, fields, expected_version, deed)
            return
        if await Attempt.has_any(quiz_id):
            raise Refused(Code.HAS_ATTEMPTS)
        # Unpublished first: who starts a moment later finds nothing, and who started before is seen below.
        deed = Deed(actor, "quiz.remove", quiz_id)
        view = await self._write(quiz_id, {"is_published": False}, expected_version, deed)
        if await Attempt.has_any(quiz_id):
            raise Refused(Code.HAS_ATTEMPTS)
        if told := deed.intents(Write(view.version, now := self._clock.now())):  # before: what is gone has no outbox
            await Quiz.put_intents(quiz_id, told, now)
        await self._relay.empty(Quiz, quiz_id)
        if not await Quiz.remove_at(quiz_id, view.version):
            raise Refused(Code.BUSY, retry_after_seconds=1)

    # --- how ---

    async def _scope(self, actor: Actor, course_id: str | None) -> Row | None:
        """The quizzes that the actor may know of; None: none at all."""
        now_ms = self._clock.now_ms()
        if course_id is None:
            if actor.is_admin:
                return {}
            taught = await Course.ids_of_instructor(actor.user_id) if may_teach(actor) else []
            learned = await Enrollment.present_course_ids(actor.user_id, now_ms)
            shown = [head for head in (await Course.heads(learned)).values() if is_visible(actor, head)]
            return {"$or": [{"course_id": {"$in": taught}}, there_for_students(shown)]}
        course = await Course.find_head(course_id)
        if course is not None and teaches(actor, course):
            return {"course_id": course.id}
        enrollment = await Enrollment.find_of(actor.user_id, course_id if course is None else course.id)
        if course is None or enrollment is None or not enrollment.is_present(now_ms) or not is_visible(actor, course):
            return None
        return there_for_students([course])

    async def _locks(self, actor: Actor, rows: Sequence[Row]) -> dict[str, Lock]:
        """What keeps these quizzes closed to the actor, by id, where they learn and something does."""
        heads = await Course.heads({row["course_id"] for row in rows if row.get("lesson_id") is not None})
        now, locks = self._clock.now(), dict[str, Lock]()
        for course in heads.values():
            if teaches(actor, course):
                continue
            enrollment = await Enrollment.find_of(actor.user_id, course.id)
            for row in rows:
                lock = _lock(row, course, enrollment, now) if row["course_id"] == course.id else None
                if lock is not None:
                    locks[row["_id"]] = lock
        return locks

    async def _write(self, quiz_id: str, fields: Row, expected_version: int | None, deed: Deed) -> QuizView:
        row = await until_written(lambda: self._try_to_write(quiz_id, fields, expected_version, deed))
        if row.pop("has_intents", False):
            await self._relay.hand_over(Quiz, quiz_id)
        return quiz_view(row)

    async def _try_to_write(self, quiz_id: str, fields: Row, expected_version: int | None, deed: Deed) -> Row | None:
        """One compare-and-set: the row as it now is, or None when somebody was faster."""
        row = await Quiz.find_whole(quiz_id)
        if row is None:
            raise Refused(Code.NOT_FOUND)
        refuse_other_version(row["version"], expected_version)
        changed = {name: value for name, value in fields.items() if row.get(name) != value}
        if not changed:
            return row
        after, was = {**row, **changed}, {name: row.get(name) for name in changed}
        told = dict(changed)
        if "draw" in changed:
            changed |= counted_fields(after)
        if after["is_published"] and (missing := missing_for_publishing(after)):
            raise Refused(Code.QUIZ_NOT_READY, missing=missing)
        now = self._clock.now()
        intents = _intents(row, after, now) + deed.intents(Write(row["version"] + 1, now), before=was, after=told)
        if not await Quiz.change_at(quiz_id, row["version"], changed, intents=intents, at=now):
            return None
        moved = {"version": row["version"] + 1, "updated_at": now, "has_intents": bool(intents)}
        return {**after, **changed, **moved}


def _lock(quiz: Row, course: CourseHead, enrollment: Enrollment | None, now: datetime) -> Lock | None:
    lesson_id = quiz.get("lesson_id")
    return None if lesson_id is None else lock_of(course, lesson_id, enrollment, now)


def _live_state(controls: list[Row], group: str | None) -> LiveState:
    """What the controls of the quiz come to for a student of this group who would begin now."""
    standing = standing_of(controls, group, live_version=0)
    if standing.is_ended:
        return "ended"
    return "paused" if standing.is_paused else "running"


def _if_differing(time: YourTimeView) -> YourTimeView | None:
    """What a list shows of somebody's own times: nothing where they are everybody's."""
    return None if time.accommodation is None else time


def _intents(row: Row, after: Row, now: datetime) -> list[Intent]:
    write, intents = Write(row["version"] + 1, now), list[Intent]()
    if after["is_published"] and not row["is_published"]:
        data: dict[str, Any] = {"quiz_id": row["_id"], "course_id": row["course_id"], "title": after["title"]}
        intents.append(event(write, "quiz_published", n=0, channels=[], data=data, record="quiz.published"))
    if (bars := _bars(row)) is not None and bars != _bars(after):
        intents.append(job(write, "progress.recalculate", {"course_id": row["course_id"]}))
    if QuizType.GRADED.value in (row["quiz_type"], after["quiz_type"]):
        intents += told_of_item(write, row, after)
    return intents


def _bars(quiz: Row) -> str | None:
    """The lesson that cannot be completed before this quiz is passed."""
    is_barring = quiz["is_published"] and quiz["quiz_type"] == QuizType.GRADED.value
    return quiz.get("lesson_id") if is_barring else None


def _check_lesson(course: CourseHead, lesson_id: str | None) -> None:
    if lesson_id is not None and lesson_id not in course.lesson_ids:
        raise invalid("lesson_id", "The course has no such lesson.", "unknown_lesson")
