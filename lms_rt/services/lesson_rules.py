"""What lessons ask of who learns them, as their teachers say it: the rows beside the lessons, and which order cannot be. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from documents.course import Course, Lesson
from documents.enums import Completion, ContentType
from documents.lesson_quiz import LessonQuiz
from documents.lesson_rule import NO_RULE, LessonRule
from lms_rt.errors import FieldError

WATCHED_PERCENT = 90
"""So much of a video counts as all of it: nobody has to sit through the credits."""
FIELD = "prerequisite_lesson_ids"


def rules_of(course: Course) -> dict[str, LessonRule]:
    """The rows of a course's lessons, of those that have anything to say."""
    rules = {lesson.id: rule_of(lesson) for lesson in course.lessons.values()}
    return {lesson_id: rule for lesson_id, rule in rules.items() if rule != NO_RULE}


def rule_of(lesson: Lesson) -> LessonRule:
    """The row of one lesson."""
    return LessonRule(
        completion=lesson.completion,
        is_own_video=_is_own_video(lesson),
        duration_seconds=lesson.duration_seconds,
        prerequisite_lesson_ids=lesson.prerequisite_lesson_ids,
        release_at=lesson.release_at,
        release_after_days=lesson.release_after_days,
    )


def is_watched_asked(rule: LessonRule, *, has_more: bool) -> bool:
    """Must the video be watched? By default where this site plays it, and the lesson holds no more than that.

    Without a duration nobody knows what 90 % of it is, and of what is played elsewhere nothing is heard: it cannot be asked.
    """
    if not (rule.duration_seconds and rule.is_own_video):
        return False
    if rule.completion is None:
        return not has_more
    return rule.completion == Completion.WATCHED


def is_passed_asked(rule: LessonRule, quiz: LessonQuiz | None) -> bool:
    """Must the lesson's quiz be passed? A graded one always; where the teacher says so also one for practice, or one to come."""
    return rule.completion == Completion.PASSED or (quiz is not None and quiz.is_graded)


def is_submitted_asked(rule: LessonRule, assignments: Collection[str]) -> bool:
    """Must something be handed in? Wherever there is an assignment, or the teacher says so: then it waits for one."""
    return rule.completion == Completion.SUBMITTED or bool(assignments)


def asked_of(rule: LessonRule, quiz: LessonQuiz | None, assignments: Collection[str]) -> list[Completion]:
    """All that completes the lesson, together; `viewed`, where nothing is asked but to open it."""
    asked = {
        Completion.WATCHED: is_watched_asked(rule, has_more=quiz is not None or bool(assignments)),
        Completion.PASSED: is_passed_asked(rule, quiz),
        Completion.SUBMITTED: is_submitted_asked(rule, assignments),
    }
    return [one for one, is_asked in asked.items() if is_asked] or [Completion.VIEWED]


def completion_faults(lesson: Lesson) -> Sequence[FieldError]:
    """Why nobody could do what completes a lesson: watching asks for a video that this site plays, and for its length."""
    rule = rule_of(lesson)
    if rule.completion != Completion.WATCHED or (rule.is_own_video and rule.duration_seconds):
        return []
    words = "Only a video of this site with its duration can be watched to its end."
    return [FieldError("completion", words, "not_watchable")]


def prerequisite_faults(lessons: Mapping[str, Lesson], lesson: Lesson) -> Sequence[FieldError]:
    """Why a lesson cannot wait for what it is to wait for: ids that are foreign, doubled, its own, or that wait for it."""
    faults, seen = [], set[str]()
    for place, other in enumerate(lesson.prerequisite_lesson_ids):
        field = f"{FIELD}.{place}"
        if other == lesson.id:
            faults.append(FieldError(field, "A lesson cannot wait for itself.", "cycle"))
        elif other not in lessons:
            faults.append(FieldError(field, "This is no lesson of the course.", "foreign"))
        elif other in seen:
            faults.append(FieldError(field, "This lesson is named twice.", "duplicate"))
        elif _waits_for(lessons, other, lesson.id):
            faults.append(FieldError(field, "This lesson waits for the one that is to wait for it.", "cycle"))
        seen.add(other)
    return faults


def _waits_for(lessons: Mapping[str, Lesson], lesson_id: str, wanted: str) -> bool:
    """Does a lesson wait for another one, directly or by those between?"""
    looked_at, pending = set[str](), [lesson_id]
    while pending:
        current = pending.pop()
        if current == wanted:
            return True
        if current in looked_at or current not in lessons:
            continue
        looked_at.add(current)
        pending.extend(lessons[current].prerequisite_lesson_ids)
    return False


def _is_own_video(lesson: Lesson) -> bool:
    is_here = lesson.file_id is not None or (lesson.video_url or "").startswith("/")
    return lesson.content_type == ContentType.VIDEO and is_here
