"""What a teacher orders while a quiz runs: whom it reaches, what it does there, and that it does so once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from documents.attempt import Attempt
from documents.base import Row
from documents.quiz_control import QuizControl
from lms_rt import ids
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.attempts import HandedOutView
from lms_rt.errors import Code
from lms_rt.services.quiz_controls import attempts_scope, group_scope, standing_of
from tests.services.exam import Exam, code_of, refused, submitted

LIMIT_SECONDS = 30 * 60
CLOSING_SECONDS = 3


async def _class(exam: Exam, quiz_id: str, size: int = 3) -> list[HandedOutView]:
    return [await exam.begun(await exam.student(f"Student {number}"), quiz_id) for number in range(size)]


async def _told(exam: Exam, attempt: HandedOutView) -> list[tuple[str, dict[str, Any]]]:
    await exam.relay.sweep(minimum_age_ms=0)
    stretch = await exam.bus.history.read(f"attempt:{attempt.id}", after=0)
    return [(published.event.name, published.event.shown_data()) for published in stretch.events]


async def test_a_pause_stops_time_and_answers_until_it_is_ended(
    exam: Exam, student: Actor, attempt: HandedOutView
) -> None:
    before = (await exam.stored(attempt.id))["deadline_ms"]
    exam.clock.advance(60)
    paused = await exam.order(attempt.quiz_id, "pause", reason="Fire alarm")
    assert paused.applied == [attempt.id]
    exam.clock.advance(600)
    assert await code_of(exam.save(student, attempt, "b")) is Code.ATTEMPT_PAUSED
    shown = await exam.attempts.show(student, attempt.id)
    assert (shown.status, shown.remaining_ms) == ("paused", (LIMIT_SECONDS - 60) * 1000)
    assert (await exam.order(attempt.quiz_id, "pause")).applied == [], "paused since the first one"
    resumed = await exam.order(attempt.quiz_id, "resume")
    stored = await exam.stored(attempt.id)
    assert resumed.applied == [attempt.id]
    assert (stored["status"], stored["deadline_ms"]) == ("in_progress", before + 600_000)
    assert stored["live_version"] == resumed.n == 3
    assert stored["controls"] == [1, 3]
    assert (await exam.save(student, attempt, "b")).revision > 0
    events = await _told(exam, attempt)
    assert [name for name, _ in events if name.startswith("quiz_")] == ["quiz_paused", "quiz_resumed"]
    told = dict(events)["quiz_paused"]
    assert (told["control_id"], told["reason"], told["version"], told["n"]) == (paused.control_id, "Fire alarm", 1, 0)
    assert dict(events)["quiz_resumed"]["remaining_ms"] == (LIMIT_SECONDS - 60) * 1000


async def test_more_time_moves_the_deadline_and_the_closing_limit_where_there_is_one(exam: Exam) -> None:
    limited = await exam.quiz(time_limit_minutes=60, closes_at=exam.at(minutes=30))
    first, second = await _class(exam, limited, 2)
    untimed = await exam.begun(await exam.student(), await exam.quiz(time_limit_minutes=None))
    before = await exam.stored(first.id)
    one = await exam.order(limited, "extend", attempts_scope([first.id]), seconds=300)
    everybody = await exam.order(limited, "extend", seconds=60)
    assert (one.applied, sorted(everybody.applied)) == ([first.id], sorted([first.id, second.id]))
    for attempt, later in ((first, 360_000), (second, 60_000)):
        stored = await exam.stored(attempt.id)
        assert stored["deadline_ms"] == stored["closes_ms"] == before["deadline_ms"] + later
        assert stored["live_version"] == 2
    nobody = await exam.order(untimed.quiz_id, "extend", seconds=60)
    stored = await exam.stored(untimed.id)
    assert (nobody.applied, stored["live_version"], "deadline_ms" in stored) == ([], 1, False)
    assert "closes_ms" not in stored


async def test_an_untimed_attempt_is_paused_and_goes_on_untimed(exam: Exam, student: Actor) -> None:
    attempt = await exam.begun(student, await exam.quiz(time_limit_minutes=None))
    await exam.order(attempt.quiz_id, "pause")
    exam.clock.advance(3600)
    await exam.order(attempt.quiz_id, "resume")
    stored = await exam.stored(attempt.id)
    assert (stored["status"], {"deadline_ms", "paused_at_ms"} & stored.keys()) == ("in_progress", set())
    assert dict(await _told(exam, attempt))["quiz_resumed"]["remaining_ms"] is None


async def test_ending_closes_and_grades_what_was_saved(exam: Exam, student: Actor, attempt: HandedOutView) -> None:
    await exam.save(student, attempt, "b")
    await exam.order(attempt.quiz_id, "pause")
    ended = await exam.order(attempt.quiz_id, "end")
    stored = await exam.stored(attempt.id)
    assert ended.applied == [attempt.id]
    assert (stored["status"], stored["submitted_by"], stored["grading"]) == ("submitted", "instructor", "pending")
    assert {"open_key", "paused_at_ms"} & stored.keys() == set()
    await exam.attempt_clock.grading.grade_waiting(minimum_age_ms=0)
    assert (await exam.stored(attempt.id))["score"] == 200
    late = await exam.order(attempt.quiz_id, "extend", attempts_scope([attempt.id]), seconds=60)
    assert (late.applied, late.already_closed) == ([], [attempt.id])
    names = [name for name, _ in await _told(exam, attempt)]
    assert names.index("quiz_ended") < names.index("attempt_graded")


async def test_a_group_and_chosen_ones_alone(exam: Exam) -> None:
    quiz_id = await exam.quiz()
    attempts = await _class(exam, quiz_id)
    await Attempt.rows().update_one({"_id": attempts[0].id}, {"$set": {"group": "Room A"}})
    assert (await exam.order(quiz_id, "pause", group_scope("Room A"))).applied == [attempts[0].id]
    word = await exam.order(quiz_id, "announce", attempts_scope([attempts[1].id]), text="Mind question 2.")
    assert word.applied == [attempts[1].id]
    statuses = [(await exam.stored(one.id))["status"] for one in attempts]
    assert statuses == ["paused", "in_progress", "in_progress"]
    assert [name for name, _ in await _told(exam, attempts[2])] == []
    told = dict(await _told(exam, attempts[1]))["exam_announcement"]
    assert told["text"] == "Mind question 2."
    assert (await exam.order(quiz_id, "resume")).applied == [attempts[0].id]
    for one in attempts:
        assert (await exam.stored(one.id))["live_version"] == 3


async def test_a_repeated_order_grants_once_and_another_one_under_its_name_is_refused(exam: Exam) -> None:
    quiz_id = await exam.quiz()
    (attempt,) = await _class(exam, quiz_id, 1)
    before = (await exam.stored(attempt.id))["deadline_ms"]
    control_id = ids.derived_id("ctl", quiz_id, "teacher", "op-1")
    first = await exam.order(quiz_id, "extend", seconds=60, control_id=control_id)
    again = await exam.order(quiz_id, "extend", seconds=60, control_id=control_id)
    assert first == again
    assert (await exam.stored(attempt.id))["deadline_ms"] == before + 60_000
    other = exam.order(quiz_id, "extend", seconds=90, control_id=control_id)
    assert await code_of(other) is Code.OP_ID_REUSED


async def test_who_starts_while_it_is_paused_or_ended_is_told_so(exam: Exam, student: Actor) -> None:
    quiz_id = await exam.quiz()
    await exam.order(quiz_id, "pause", group_scope("Room A"))
    await exam.order(quiz_id, "pause")
    assert await code_of(exam.begun(student, quiz_id)) is Code.QUIZ_PAUSED
    await exam.order(quiz_id, "resume")
    assert (await exam.begun(student, quiz_id)).live_version == 3
    await exam.order(quiz_id, "end")
    late = await exam.student("Late")
    assert await code_of(exam.begun(late, quiz_id)) is Code.QUIZ_CLOSED
    await exam.order(quiz_id, "resume")
    assert (await exam.begun(late, quiz_id)).status == "in_progress"


def test_how_a_quiz_stands() -> None:
    all_, room = {"kind": "all"}, {"kind": "group", "group": "A"}

    def control(n: int, kind: str, scope: dict[str, Any]) -> dict[str, Any]:
        return {"n": n, "kind": kind, "scope": scope}

    paused = [control(1, "pause", all_), control(2, "correct", all_), control(3, "resume", room)]
    assert standing_of(paused, None, live_version=3).is_paused
    assert not standing_of(paused, "A", live_version=3).is_paused
    assert standing_of(paused, "A", live_version=1).key_version == 0
    assert standing_of(paused, "A", live_version=3).key_version == 2
    ended = [control(1, "end", room), control(2, "end", all_), control(3, "resume", room)]
    assert standing_of(ended, "A", live_version=3).is_ended
    assert not standing_of(ended[:1], "A", live_version=1).is_ended
    assert not standing_of([*ended, control(4, "resume", all_)], None, live_version=4).is_ended


async def test_a_control_that_nobody_finished_is_taken_up_by_another_node(exam: Exam) -> None:
    quiz_id = await exam.quiz()
    attempts = await _class(exam, quiz_id)
    before = (await exam.stored(attempts[0].id))["deadline_ms"]
    await exam.order(quiz_id, "announce", text="Good luck.")
    control = await QuizControl.rows().find_one({"quiz_id": quiz_id, "n": 1})
    assert control is not None
    at = exam.clock.now()
    row = {"_id": "ctl_half", "kind": "extend", "n": 2, "seconds": 60, "undone": True, "at": at}
    row |= {"at_ms": exam.clock.now_ms()}
    await QuizControl.rows().insert_one({**{k: v for k, v in control.items() if k != "done_at"}, **row})
    half = {"$inc": {"deadline_ms": 60_000}, "$set": {"live_version": 2}, "$push": {"controls": 2}}
    await Attempt.rows().update_one({"_id": attempts[1].id}, half)
    exam.clock.advance(2)
    await exam.another_clock().sweep()
    for one in attempts:
        stored = await exam.stored(one.id)
        assert (stored["deadline_ms"], stored["controls"]) == (before + 60_000, [1, 2])
    done = await QuizControl.find_row("ctl_half")
    assert done is not None
    assert "undone" not in done
    assert done["done_at"] is not None


async def test_credits_of_single_students_cost_the_others_nothing_and_come_in_order(exam: Exam) -> None:
    """The others get the numbers with the next order for all, in one statement."""
    quiz_id = await exam.quiz()
    attempts = await _class(exam, quiz_id)
    before = (await exam.stored(attempts[0].id))["deadline_ms"]
    for number in range(10):
        await exam.order(quiz_id, "extend", attempts_scope([attempts[number % 2].id]), seconds=60)
    assert (await exam.stored(attempts[2].id))["live_version"] == 0
    assert len((await exam.order(quiz_id, "extend", seconds=1)).applied) == 3
    for attempt, later in zip(attempts, (301_000, 301_000, 1_000), strict=True):
        stored = await exam.stored(attempt.id)
        assert (stored["live_version"], stored["deadline_ms"]) == (11, before + later)


async def test_the_deadline_closes_nobody_who_was_given_more_time(exam: Exam) -> None:
    """Also when it was written and not applied: whoever closes gives it first."""
    quiz_id = await exam.quiz()
    attempts = await _class(exam, quiz_id)
    exam.clock.advance(LIMIT_SECONDS - 1)
    await exam.order(quiz_id, "announce", text="!")
    control = await QuizControl.rows().find_one({"quiz_id": quiz_id, "n": 1})
    assert control is not None
    scope = attempts_scope([attempts[0].id])
    row = {"_id": "ctl_x", "kind": "extend", "n": 2, "seconds": 60, "scope": scope, "undone": True}
    row |= {"at_ms": exam.clock.now_ms() + 60_000}  # as young as one that its node is still at
    await QuizControl.rows().insert_one({**control, **row})
    exam.clock.advance(1 + CLOSING_SECONDS)
    await exam.attempt_clock.sweep()
    statuses = [(await exam.stored(one.id))["status"] for one in attempts]
    assert statuses == ["in_progress", "graded", "graded"]


async def test_a_correction_reaches_who_is_open_and_has_who_is_closed_graded_again(exam: Exam) -> None:
    quiz_id = await exam.quiz()
    one, two = await exam.student("One"), await exam.student("Two")
    closed, running = await exam.begun(one, quiz_id), await exam.begun(two, quiz_id)
    await exam.attempts.submit(one, closed.id, submitted(lease=closed.lease))
    before = await exam.stored(running.id)
    changes = [{"question_id": exam.question_ids[1], "action": "full_credit"}]
    corrected = await exam.order(quiz_id, "correct", changes=changes, seconds=60, reason="Both are right")
    assert corrected.applied == [running.id]
    again, open_still = await exam.stored(closed.id), await exam.stored(running.id)
    assert (again["key_version"], again["grading"], again.get("controls", [])) == (1, "pending", [])
    assert (open_still["key_version"], open_still["status"]) == (1, "in_progress")
    assert open_still["deadline_ms"] == before["deadline_ms"] + 60_000
    await exam.attempt_clock.grading.grade_waiting(minimum_age_ms=0)
    assert (await exam.stored(closed.id))["score"] == 100
    told = dict(await _told(exam, running))["question_corrected"]
    assert (told["question_ids"], told["seconds"]) == ([exam.question_ids[1]], 60)


async def test_a_damaged_attempt_keeps_nobody_from_being_closed(exam: Exam) -> None:
    quiz_id = await exam.quiz()
    first, second = await _class(exam, quiz_id, 2)
    await Attempt.rows().update_many({}, {"$set": {"offline": {"since_ms": exam.clock.now_ms()}}})
    asked: list[str] = []

    async def ask(due: Sequence[Row], _: int) -> None:
        if any(row["_id"] == first.id for row in due):
            raise LookupError("damaged")
        asked.extend(row["_id"] for row in due)

    exam.attempt_clock.closing.ask_before(ask)
    exam.clock.advance(LIMIT_SECONDS + CLOSING_SECONDS)
    await exam.attempt_clock.sweep()
    assert asked == [second.id]
    assert [(await exam.stored(one.id))["status"] for one in (first, second)] == ["graded", "graded"]


async def test_a_pause_that_nobody_ends_is_closed_after_a_day(exam: Exam, student: Actor) -> None:
    quiz_id = await exam.quiz()
    attempt = await exam.begun(student, quiz_id)
    await exam.save(student, attempt, "b")
    await exam.order(quiz_id, "pause")
    exam.clock.advance(24 * 3600 - 1)
    await exam.attempt_clock.sweep()
    assert (await exam.stored(attempt.id))["status"] == "paused"
    exam.clock.advance(1)
    await exam.attempt_clock.sweep()
    stored = await exam.stored(attempt.id)
    assert (stored["status"], stored["submitted_by"], stored["score"]) == ("graded", "deadline", 200)
    assert "paused_at_ms" not in stored
    assert len(exam.pauses_ended) == 1


async def test_a_screen_that_has_not_heard_of_an_order_is_told_the_revision_before_it_hands_in(
    exam: Exam, student: Actor, attempt: HandedOutView
) -> None:
    """The question may just have been corrected: nothing closes over what the screen has not seen."""
    saved = await exam.save(student, attempt, "b")
    await exam.order(attempt.quiz_id, "announce", text="Five minutes.")
    hands_in = partial(exam.attempts.submit, student, attempt.id)
    conflict = await refused(hands_in(submitted(revision=saved.revision, lease=attempt.lease)))
    assert conflict.code is Code.CONFLICT
    assert [answer.value for answer in conflict.data["answers"].values()] == ["b"]
    closed = await hands_in(submitted(revision=conflict.data["revision"], lease=attempt.lease))
    assert closed.status == "graded"
