"""Who may read which file: load and decide, or 404. What no rule allows is denied.

Its uploader, administrators and who teaches its course always may; everybody, what is public. For the rest each use has a rule.
Other services put their own in its place where they know more: whether a lesson is open to its reader by now, say. What is used
for an exam or as work goes by that alone, whatever else it is used for, and is public to nobody.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from documents.assignment import Assignment
from documents.attempt import OPEN, Attempt
from documents.base import Row
from documents.course import Course, CourseHead
from documents.enrollment import Enrollment
from documents.enums import Grading
from documents.paper import AttemptPaper
from documents.stored_file import FileState, FileUse, StoredFile, uses_of
from documents.submission import Submission
from documents.user import User
from lms_rt.contracts.actor import Actor
from lms_rt.errors import Code, Refused
from lms_rt.security.access.courses import NOBODYS, is_visible, teaches
from lms_rt.security.permissions import TEACHING, permissions_of
from lms_rt.services.file_mentions import question_mentions
from lms_rt.services.results import may_see_answers


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks for which file, in which course, for the sake of what it is used for, and when."""

    actor: Actor
    file: Row
    course: CourseHead | None
    subject_id: str
    now_ms: int


Rule = Callable[[Asked], Awaitable[bool]]
"""May they read it, for that reason?"""

SHARED_USES = frozenset({FileUse.LESSON, FileUse.ASSIGNMENT, FileUse.COURSE_IMAGE, FileUse.ANNOUNCEMENT})
"""What was ever used for anything else is, once that is over, not shown to those who learn in its course."""

EXAM_USES = frozenset({FileUse.QUESTION, FileUse.QUESTION_KEY})

_LOOKED_AT = (Grading.DONE.value, Grading.MANUAL.value)


class FileAccess:
    """Decides."""

    def __init__(self) -> None:
        self._rules: dict[FileUse, Rule] = {
            FileUse.LESSON: _of_lesson,
            FileUse.QUESTION: _of_question,
            FileUse.QUESTION_KEY: _of_question_key,
            FileUse.ASSIGNMENT: _of_learners,
            FileUse.SUBMISSION: _of_who_grades,
            FileUse.AVATAR: _of_person,
            FileUse.COURSE_IMAGE: _of_visible_course,
            FileUse.ANNOUNCEMENT: _of_learners,
        }

    def register(self, use: FileUse, rule: Rule) -> None:
        """Put a rule for a use in place of the one there is, or of none."""
        self._rules[use] = rule

    async def require(self, actor: Actor, file_id: str, *, now_ms: int) -> Row:
        """A file that the actor may read; 404 else."""
        row = await StoredFile.find_row(file_id)
        course = await Course.find_head(NOBODYS if row is None else row.get("course_id") or NOBODYS)
        if row is None or not await self._may_read(actor, row, course, now_ms):
            raise Refused(Code.NOT_FOUND)
        return await nameless(actor, row)

    async def _may_read(self, actor: Actor, row: Row, course: CourseHead | None, now_ms: int) -> bool:
        if actor.is_admin or (not actor.is_stranger and row["uploader_id"] == actor.user_id):
            return True
        if row["state"] != FileState.READY:
            return False
        if is_open_to_all(row) or (course is not None and teaches(actor, course) and not row.get("is_work")):
            return True
        return await self._may_by_use(Asked(actor, row, course, "", now_ms))

    async def _may_by_use(self, asked: Asked) -> bool:
        uses = _strictest(uses_of(asked.file))
        if await _is_held_back(asked, uses):
            return False
        if not uses:
            return not asked.file.get("is_withheld") and await _of_learners(asked)
        for use, subject_id in uses:
            rule = self._rules.get(use)
            if rule is not None and await rule(replace(asked, subject_id=subject_id)):
                return True
        return False


def is_open_to_all(row: Row) -> bool:
    """Is it public? What was ever withheld is not, whatever was said of it before."""
    return bool(row["is_public"]) and not row.get("is_withheld")


def may_be_shared(row: Row, use: str) -> bool:
    """May who teaches its course put somebody else's file to this use? What is work or a person's own, never.

    What questions use stays with questions; what it is used for already it may be again.
    """
    kinds = {kind for kind, _ in uses_of(row)}
    if use in row["uses"]:
        return True
    if use.partition(":")[0] in EXAM_USES and kinds:
        return kinds <= EXAM_USES | SHARED_USES and not row.get("is_work")
    return kinds <= SHARED_USES and not row.get("is_withheld")


async def require_own(actor: Actor, file_id: str) -> Row:
    """A file that the actor may delete: one's own, or, for administrators, any; 404 else."""
    row = await StoredFile.find_row(file_id)
    is_own = row is not None and not actor.is_stranger and row["uploader_id"] == actor.user_id
    if row is None or not (actor.is_admin or is_own):
        raise Refused(Code.NOT_FOUND)
    return row


async def nameless(actor: Actor, row: Row) -> Row:
    """The row without whose it is, to everybody else, if it was handed in where marking is anonymous."""
    works = [subject_id for use, subject_id in uses_of(row) if use is FileUse.SUBMISSION]
    if not works or row["uploader_id"] == actor.user_id:
        return row
    submissions = await Submission.find_whole_ones(works)
    assignments = await Assignment.find_rows({one["assignment_id"] for one in submissions.values()})
    if not any(one["is_marking_anonymous"] for one in assignments.values()):
        return row
    return {**row, "uploader_id": None, "folder": "", "original_filename": plain_name(row)}


def plain_name(row: Row) -> str:
    """A name that says nothing but the kind of file."""
    return f"file.{row['extension']}" if row.get("extension") else "file"


async def _of_who_grades(asked: Asked) -> bool:
    """Who teaches the course, once it was handed in: drafts are nobody's but the student's."""
    if asked.course is None or not teaches(asked.actor, asked.course):
        return False
    work = await Submission.find_whole(asked.subject_id)
    handed_in = () if work is None or work.get("submitted_at") is None else (work, *(work.get("history") or ()))
    return any(asked.file["_id"] in one["file_ids"] for one in handed_in)


async def _of_learners(asked: Asked) -> bool:
    """Who is in the course now, while it is shown."""
    if asked.course is None or asked.actor.is_stranger or not is_visible(asked.actor, asked.course):
        return False
    enrollment = await Enrollment.find_of(asked.actor.user_id, asked.course.id)
    return enrollment is not None and enrollment.is_present(asked.now_ms)


async def _of_lesson(asked: Asked) -> bool:
    """Who is in the course; a free lesson: whoever may know of the course. What is not published is its teachers'."""
    if asked.course is None or asked.subject_id not in asked.course.published_lesson_ids:
        return False
    if await _of_learners(asked):
        return True
    course = await Course.find_whole(asked.course.id) if is_visible(asked.actor, asked.course) else None
    lesson = None if course is None else course.lessons.get(asked.subject_id)
    return lesson is not None and lesson.is_free


async def _of_visible_course(asked: Asked) -> bool:
    return asked.course is not None and is_visible(asked.actor, asked.course)


def _strictest(uses: Sequence[tuple[FileUse, str]]) -> Sequence[tuple[FileUse, str]]:
    """Those by which it goes: what is work is that alone; what an exam asks with is that, whatever else it is used for."""
    works = [one for one in uses if one[0] == FileUse.SUBMISSION]
    return works or [one for one in uses if one[0] in EXAM_USES] or uses


async def _is_held_back(asked: Asked, uses: Sequence[tuple[FileUse, str]]) -> bool:
    """Is it part of a key that they may not see yet? Then no other question gives it away."""
    for use, question_id in uses:
        if use == FileUse.QUESTION_KEY:
            for attempt, paper in await _papers_with(asked, question_id):
                if attempt["status"] in OPEN or not await may_see_answers(attempt, paper, asked.now_ms):
                    return True
    return False


async def _of_question(asked: Asked) -> bool:
    """Who has it on the paper of an open attempt, where the question shows it; after that, whoever may see the answers."""
    closed = []
    for attempt, paper in await _papers_with(asked, asked.subject_id):
        if attempt["status"] not in OPEN:
            closed.append((attempt, paper))
        elif not await _is_key_alone(paper["_id"], asked):
            return True
    return await _is_shown_after(asked, closed)


async def _of_question_key(asked: Asked) -> bool:
    """Who may see the explanation of it: never by an attempt that is open."""
    papers = await _papers_with(asked, asked.subject_id)
    return await _is_shown_after(asked, [pair for pair in papers if pair[0]["status"] not in OPEN])


async def _is_shown_after(asked: Asked, closed: Sequence[tuple[Row, Row]]) -> bool:
    """After the attempts: to who is in the course still, where the answers may be seen."""
    if not closed or not await _of_learners(asked):
        return False
    for attempt, paper in closed:
        if attempt.get("grading") in _LOOKED_AT and await may_see_answers(attempt, paper, asked.now_ms):
            return True
    return False


async def _is_key_alone(attempt_id: str, asked: Asked) -> bool:
    """Does the question, as it is on this paper, name the file only where students do not look yet?"""
    paper = await AttemptPaper.find_row(attempt_id)
    question = None if paper is None else paper["questions"].get(asked.subject_id)
    return question is not None and asked.file["_id"] in question_mentions(question)[1]


async def _papers_with(asked: Asked, question_id: str) -> list[tuple[Row, Row]]:
    """The attempts of the actor with this question on their papers, and the papers."""
    if asked.actor.is_stranger or asked.course is None:
        return []
    standings = await Attempt.standings_of(asked.actor.user_id, asked.course.id)
    attempts = {attempt["_id"]: attempt for attempt in standings}
    papers = await AttemptPaper.find_asking(attempts, question_id) if attempts else []
    return [(attempts[paper["_id"]], paper) for paper in papers]


async def _of_person(asked: Asked) -> bool:
    """Whoever is signed in; the picture of who teaches, everybody."""
    if not asked.actor.is_stranger:
        return True
    user = await User.find_by_id(asked.subject_id)
    return user is not None and user.is_active and not permissions_of(user.role, user.permissions).isdisjoint(TEACHING)
